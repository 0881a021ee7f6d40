"""Renews credentials before they expire, beside the requests and never on their way.

Each source has a task of its own. What it gave last holds until it expires, however often it fails meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable

from calibrant.base.clock import Clock
from calibrant.config.secret import Secrets
from calibrant.credentials.source import Fetched, FetchFailed, Lacking, Source
from calibrant.credentials.thread import SideThread
from calibrant.telemetry.metrics import Metrics

__all__ = ["TRY_S", "Refresher", "pause_after_failure", "pause_before_renewal"]

_log = logging.getLogger(__name__)

TRY_S = 15.0
"""How long one try may take. The first comes before a worker is ready, so it fits into the time for that."""

_MARGIN_S = 300.0
_LEAST_S = 1.0
_MOST_S = 60.0
"""Of a pause after a failure; and how often the wall clock is looked at, which goes on while a machine sleeps."""


def pause_before_renewal(left_s: float, jitter: float) -> float:
    """Return after how many seconds to renew what holds for so many more.

    Five minutes before the end, or half way where that is nearer; a little earlier by chance, so that the workers of
    a host do not ask all at once.

    Args:
        left_s: Seconds until it expires.
        jitter: From 0 to 1.
    """
    return max(_LEAST_S, (left_s - min(_MARGIN_S, left_s / 2)) * (1 - jitter / 10))


def pause_after_failure(failures: int, jitter: float) -> float:
    """Return how many seconds to wait after so many failures in a row: twice as long each time, up to a minute."""
    return min(_MOST_S, 2.0 ** min(failures, 10)) * (1 + jitter) / 2


class Refresher:
    """Keeps what `Secrets` hands out fresh. Call `first`, then `start`, and `close` in the end."""

    def __init__(
        self,
        secrets: Secrets,
        sources: Iterable[Source],
        *,
        metrics: Metrics,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        try_s: float = TRY_S,
    ) -> None:
        """Start nothing yet.

        Args:
            secrets: Where credentials go.
            sources: Where they come from.
            metrics: Counts failures.
            clock: Says when something expires.
            sleep: How to wait.
            try_s: Seconds that one try may take.
        """
        self._renewals = [_Renewal(source, secrets, metrics, clock, sleep, try_s) for source in sources]
        self._tasks: list[asyncio.Task[None]] = []

    async def first(self) -> None:
        """Try each source once, all at the same time. What came of it stands in the secrets."""
        async with asyncio.TaskGroup() as group:
            for renewal in self._renewals:
                group.create_task(renewal.attempt())

    def start(self) -> None:
        """Renew from now on, until `close`."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(renewal.run()) for renewal in self._renewals]

    async def close(self) -> None:
        """Stop renewing."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            try:
                await task
            except asyncio.CancelledError:
                continue
        self._tasks = []


class _Renewal:
    """One source, and when to ask it again."""

    def __init__(
        self,
        source: Source,
        secrets: Secrets,
        metrics: Metrics,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]],
        try_s: float,
    ) -> None:
        self._source = source
        self._secrets = secrets
        self._metrics = metrics
        self._clock = clock
        self._sleep = sleep
        self._try_s = try_s
        self._thread = SideThread(source.fetch, f"credentials {source.location}")
        self._failures = 0
        self._expires: float | None = None
        self._due: float | None = 0.0
        """Unix time of the next try; null where none is needed."""

    async def run(self) -> None:
        while self._due is not None:
            while (left := self._due - self._now()) > 0:
                await self._sleep(min(left, _MOST_S))
            await self.attempt()

    async def attempt(self) -> None:
        try:
            fetched = await self._thread.run(self._try_s)
        except Lacking as error:
            if self._expires is None:
                self._secrets.lack(self._source.location, str(error))
            self._failed(str(error))
        except FetchFailed as error:
            self._failed(str(error))
        except TimeoutError:
            self._failed(f"no answer within {self._try_s:g} s")
        except RuntimeError:
            self._failed("the system has no room for a thread")
        else:
            self._succeeded(fetched)

    def _succeeded(self, fetched: Fetched) -> None:
        location = self._source.location
        self._secrets.renew(location, fetched.credential, fetched.expires)
        if self._failures:
            _log.info("the credential %s is there again", location)
        self._failures = 0
        self._expires = fetched.expires
        now = self._now()
        self._due = None
        if fetched.expires is not None:
            self._due = now + pause_before_renewal(fetched.expires - now, _jitter())

    def _failed(self, why: str) -> None:
        location = self._source.location
        self._secrets.fail(location, why)
        self._metrics.count("credential_failures", (self._source.kind,))
        self._failures += 1
        now = self._now()
        pause = pause_after_failure(self._failures, _jitter())
        self._due = now + pause
        if self._failures & (self._failures - 1):
            return  # told the first time, then ever more rarely
        left = (self._expires or now) - now
        state = f"the one before it holds for {left:.0f} s" if left > 0 else "there is none now"
        _log.warning("the credential %s could not be fetched: %s; %s; next try in %.0f s", location, why, state, pause)

    def _now(self) -> float:
        return self._clock.wall_ms() / 1e3


def _jitter() -> float:
    return random.random()  # noqa: S311 - jitter, not cryptography
