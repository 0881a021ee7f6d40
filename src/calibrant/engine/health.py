"""How each provider has fared in this worker: the state on which `routing/` decides who is called next.

Each worker finds out for itself and starts with nothing known, so no decision waits for another process. Of models
with one provider, and of those in static order without a breaker, nothing is kept: there is nothing to decide.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Generic

from calibrant.base.clock import Clock
from calibrant.base.errors import CalibrantError, InferenceTimeout, ProviderError, Refused, Stalled
from calibrant.config.schema import Credential, Model
from calibrant.engine.compiled import CompiledEmbedder, CompiledModel, CompiledProvider, P
from calibrant.routing.breaker import CLOSED, available, failed, is_probe, probed, released, succeeded
from calibrant.routing.candidates import Candidate, pick, ranked
from calibrant.routing.latency import UNKNOWN, called, expected, observed
from calibrant.telemetry.metrics import Metrics

__all__ = ["Balance", "Health", "Trial"]

_log = logging.getLogger(__name__)
_PRICES_HOLD_S = 60.0
"""How long prices are not looked up again; some change by the hour."""
_BUSY = 429


class Health:
    """What is known of the providers of every model whose order is decided anew for each call."""

    __slots__ = ("_balances", "_draw")

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        """Know nothing.

        Args:
            draw: Returns a uniform draw from [0, 1).
        """
        self._draw = draw
        self._balances: dict[tuple[type, str], Any] = {}
        """By the kind of provider, too: an embedding model may have the name of a model."""

    def balance(self, model: CompiledModel[P], metrics: Metrics, clock: Clock) -> Balance[P]:
        """Return what is known of the providers of a model."""
        key = (type(model.providers[0]), model.model.name)
        found: Balance[P] | None = self._balances.get(key)
        if found is None:
            found = self._balances[key] = Balance(model, metrics, clock, self._draw)
        return found


class Balance(Generic[P]):
    """The providers of one model, and how each has fared."""

    __slots__ = ("_clock", "_draw", "_metrics", "_priced_until", "_prices", "_sick", "_standings", "_timed", "model")

    def __init__(self, model: CompiledModel[P], metrics: Metrics, clock: Clock, draw: Callable[[], float]) -> None:
        """Know nothing of them."""
        self.model = model
        self._metrics = metrics
        self._clock = clock
        self._draw = draw
        self._sick: set[str] = set()
        """Providers whose breaker is not closed; there is nothing to ask of the breakers while it is empty."""
        self._standings: dict[str, _Standing] = {}
        for each in model.providers:
            name: str = each.provider.name
            self._standings[name] = _Standing(model.model, each, metrics, clock, self._sick)
        self._timed = model.model.strategy == "least_latency"
        self._prices: list[Decimal | None] = []
        self._priced_until = 0.0

    def order(self, *, stream: bool) -> Iterator[P]:
        """Yield every provider once, best first; who is next is decided when it is asked for."""
        providers = self.model.providers
        if self.model.model.strategy == "ordered":
            left = list(range(len(providers)))
        else:
            left = self._ranked(list(self._standings.values()), stream=stream)
        passed = False
        while left:
            place = self._next(left, count=not passed) if self._sick else left[0]
            passed = True
            left.remove(place)
            yield providers[place]

    def begin(self, provider: P, seconds: float, *, stream: bool, hurried: bool) -> Trial:
        """Return what is to be told how a call of this provider ends.

        Args:
            provider: Who is called.
            seconds: How long the call may take.
            stream: Whether it streams.
            hurried: The providers before it have left it less time than the model has.
        """
        standing = self._standings[provider.provider.name]
        now = self._clock.monotonic()
        if self._timed:
            standing.latency[stream] = called(standing.latency[stream], now)
        probe = bool(self._sick) and is_probe(standing.breaker, now)
        if probe:
            standing.breaker = probed(standing.breaker, now, now + seconds)
        return Trial(standing, now, stream, hurried, probe, self._timed)

    def _next(self, left: list[int], *, count: bool) -> int:
        standings = list(self._standings.values())
        now = self._clock.monotonic()
        place = pick(left, [available(each.breaker, now) for each in standings])
        if count:
            for skipped in left[: left.index(place)]:
                self._metrics.count("breaker_skipped", standings[skipped].names)
        return place

    def _ranked(self, standings: list[_Standing], *, stream: bool) -> list[int]:
        model = self.model.model
        now = self._clock.monotonic()
        match model.strategy:
            case "ordered":
                known = [Candidate()] * len(standings)
            case "weighted":
                weights = model.weights
                known = [Candidate(weight=weights.get(each.names[1], 0.0 if weights else 1.0)) for each in standings]
            case "least_latency":
                known = [Candidate(expected_s=expected(each.latency[stream], now)) for each in standings]
            case "cheapest":
                known = [Candidate(price=price) for price in self._current_prices(now)]
        return ranked(model.strategy, known, self._draw() if model.strategy == "weighted" else 0.0)

    def _current_prices(self, now: float) -> list[Decimal | None]:
        if not self._prices or now >= self._priced_until:
            at_ms = self._clock.wall_ms()
            pricers = [each.pricer for each in self.model.providers]
            self._prices = [None if pricer is None else pricer.usual(at_ms) for pricer in pricers]
            self._priced_until = now + _PRICES_HOLD_S
        return self._prices


class _Standing:
    """How one provider of one model has fared."""

    __slots__ = ("_clock", "_metrics", "_own_keys", "_policy", "_sick", "breaker", "latency", "names", "provider")

    def __init__(
        self,
        model: Model,
        provider: CompiledProvider | CompiledEmbedder,
        metrics: Metrics,
        clock: Clock,
        sick: set[str],
    ) -> None:
        self.provider = provider
        self.names = (model.name, provider.provider.name)
        self.breaker = CLOSED
        self.latency = [UNKNOWN, UNKNOWN]
        """Of whole answers, and of the first chunks of streams."""
        self._policy = model.breaker
        self._own_keys = _callers_own(provider.provider.credential)
        self._metrics = metrics
        self._clock = clock
        self._sick = sick

    def took(self, seconds: float, *, stream: bool) -> None:
        self.latency[stream] = observed(self.latency[stream], seconds, self._clock.monotonic())

    def succeeded(self, began: float) -> None:
        was = self.breaker
        if was is CLOSED:
            return
        self.breaker = succeeded(was, began, self._clock.monotonic())
        if was.opened and not self.breaker.opened:
            self._sick.discard(self.names[1])
            self._metrics.count("breaker_closed", self.names)
            _log.info("models.%s.providers.%s has recovered", *self.names)

    def failed(self, began: float, error: CalibrantError) -> None:
        if not self._policy.enabled or not self._is_at_fault(error):
            return
        was, now = self.breaker, self._clock.monotonic()
        retry_after = error.retry_after if isinstance(error, ProviderError) else None
        self.breaker = failed(was, self._policy, began, now, retry_after)
        if self.breaker.opened > was.opened:
            self._sick.add(self.names[1])
            self._metrics.count("breaker_opened", self.names)
            span = self.breaker.until - now
            _log.warning("models.%s.providers.%s: calls go around it for %.3g s (%s)", *self.names, span, error.code)

    def _is_at_fault(self, error: CalibrantError) -> bool:
        """Return whether a failure speaks of the provider's health, and not of the request or its credential."""
        if self.provider.dynamic:
            # The request says where its provider is: another request may mean another.
            return False
        if not isinstance(error, Refused):
            return isinstance(error, (ProviderError, InferenceTimeout)) and error.retryable
        status = error.upstream_status or 0
        if status == _BUSY:
            return not self._own_keys
        return error.retryable and (status < 400 or status == 408 or status >= 500)


class Trial:
    """One call whose end is to be told."""

    __slots__ = ("_began", "_hurried", "_probe", "_standing", "_stream", "_timed")

    def __init__(
        self, standing: _Standing, began: float, stream: bool, hurried: bool, probe: bool, timed: bool
    ) -> None:
        """Begin."""
        self._standing = standing
        self._began = began
        self._stream = stream
        self._hurried = hurried
        self._probe = probe
        self._timed = timed

    def ended(self, error: CalibrantError | None, seconds: float, *, begun: bool) -> None:
        """Learn from how it ended.

        Args:
            error: Why it failed, if it did.
            seconds: How long the answer took; of a stream, its first chunk.
            begun: Whether the first chunk of a stream has come.
        """
        standing = self._standing
        late = isinstance(error, InferenceTimeout) and not isinstance(error, Stalled)
        if late and self._hurried:
            return
        if self._timed and (error is None or begun or late):
            standing.took(seconds, stream=self._stream)
        if error is None:
            standing.succeeded(self._began)
        else:
            standing.failed(self._began, error)

    def let_go(self) -> None:
        """Let others try: of a stream the first chunk has come, or nobody will say how it ended."""
        if self._probe:
            self._probe = False
            self._standing.breaker = released(self._standing.breaker, self._began)


def _callers_own(credential: Credential) -> bool:
    aws = credential.aws
    parts = () if aws is None else (aws.access_key_id, aws.secret_access_key, aws.session_token)
    return any(
        each is not None and each.startswith("dynamic::") for each in (credential.default, credential.fallback, *parts)
    )
