"""What happened during one inference, noted as it happens: each provider call, and where the time went."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Generic

from msgspec import Struct
from msgspec.structs import replace

from calibrant.base.errors import CalibrantError, ProviderError
from calibrant.base.ids import id_millis, uuid7
from calibrant.config.secret import Credentials
from calibrant.engine.compiled import P
from calibrant.engine.health import Trial
from calibrant.engine.limits import Limit
from calibrant.providers.cost import UNKNOWN
from calibrant.providers.estimate import estimated_input, estimated_output
from calibrant.telemetry.metrics import Spent
from calibrant.types.money import total
from calibrant.types.reply import Reply, Usage, UsageSource, usage_of
from calibrant.types.rows import ModelInferenceRow

__all__ = ["Journal", "ProviderCall"]

_log = logging.getLogger(__name__)


class ProviderCall(Struct, Generic[P]):
    """One call of one provider under way."""

    variant_name: str
    model_name: str
    provider: P
    limit: Limit
    started: float
    raw_request: bytes = b""
    first_chunk: float | None = None
    error: CalibrantError | None = None
    """Set by the caller when the call failed."""
    secret: Credentials | None = None
    """What it was signed with."""
    salt: str = ""
    """Tells calls apart in the cache that are to be made anew though they ask the same."""
    cache_key: bytes | None = None
    """Null where the cache has nothing to do with it."""
    cached: bool = False
    """The cache answered."""
    verbatim: bool = False
    """Whether the provider speaks the caller's dialect, and what it says may pass as it is."""
    api_type: str | None = None
    """Which of the provider's interfaces is called; null for the one that it is configured with."""
    trial: Trial | None = None
    """What is to be told how it ends; null where nobody keeps the provider's health."""
    batched: bool = False
    """Whether it is part of one of the provider's own batches."""

    def discreet(self, error: CalibrantError) -> CalibrantError:
        """Return the error without the credential, which some providers quote when they refuse it."""
        if self.secret is not None and isinstance(error, ProviderError):
            message = error.message.encode("utf-8", "surrogatepass")
            error.message = self.secret.strike(message).decode("utf-8", "surrogatepass")
            error.raw_response = self.secret.strike(error.raw_response)
        return error


class Journal(Struct):
    """The notes of one inference."""

    inference_id: str
    variant_name: str = ""
    """The variant tried last."""
    rows: list[ModelInferenceRow] = []
    upstream_s: float = 0.0
    """Seconds spent waiting for providers, failed calls included, and for files that they want."""
    backoff_s: float = 0.0
    durations: dict[str, float] = {}
    """Milliseconds of each step."""
    failures: list[str] = []
    """Why each variant that was given up failed."""
    salt: str = ""
    """See `ProviderCall.salt`."""
    limit: Limit | None = None
    """What a variant around this call allows; null where there is none."""
    others: list[Usage] = []
    """What calls used whose answers were not served but that the answer needed."""
    strategy: bytes | None = None
    """How a variant of several calls came to its answer, as JSON."""
    verbatim: bool = False
    """That of the call that was answered."""

    def succeeded(self, call: ProviderCall[P], reply: Reply, ended: float) -> None:
        """Note an answer."""
        self.verbatim = call.verbatim
        self._note(call, ended, reply, None)

    def failed(self, call: ProviderCall[P], error: CalibrantError, ended: float, partial: Reply | None = None) -> None:
        """Note a failure, with what had arrived of a broken stream."""
        self._note(call, ended, partial, error)

    def cost(self) -> str | None:
        """Return what the calls cost together; null while that of any that made something is unknown.

        A call that made nothing, as far as anybody knows, costs nothing that is known and does not count.
        """
        return total([row.cost for row in self.rows if row.usage_source != "none" or row.cached])

    def start_over(self) -> None:
        """Forget what belongs to a variant that was given up; the calls that were made for it stay."""
        self.limit = self.strategy = None
        self.others = []

    def absorb(self, parts: Sequence[Journal], seconds: float) -> None:
        """Take over what was noted apart, of calls that ran at the same time.

        Args:
            parts: The notes.
            seconds: How long all of it took.
        """
        for part in parts:
            self.rows += [replace(row, attempt=len(self.rows) + i) for i, row in enumerate(part.rows, 1)]
            self.others += part.others
        self.upstream_s += seconds

    def spent(self, usage: Usage) -> Usage:
        """Return what the answer's own call used and what was used beside it."""
        return usage_of([usage, *self.others]) if self.others else usage

    def counted(self) -> Spent:
        """Return what the calls took, as metrics count it: tokens that were estimated are left out."""
        sent = made = unpriced = 0
        cost = 0.0
        for row in self.rows:
            if row.usage_source != "estimated":
                sent += row.input_tokens or 0
                made += row.output_tokens or 0
            if row.cost is not None:
                cost += float(row.cost)
            elif row.usage_source != "none":
                unpriced += 1
        return Spent(sent, made, cost, unpriced)

    def _note(self, call: ProviderCall[P], ended: float, reply: Reply | None, error: CalibrantError | None) -> None:
        self.upstream_s += ended - call.started
        provider = call.provider.provider
        first = call.first_chunk
        if call.trial is not None and call.raw_request and not call.cached:
            call.trial.ended(error, (first or ended) - call.started, begun=first is not None)
        usage, source = _NOTHING if reply is None else _metered(call, reply, error)
        if call.cached:
            source = "none"
        http_status: int | None = 200
        raw_response = b"" if reply is None else reply.raw
        if isinstance(error, ProviderError):
            http_status = 200 if first is not None else error.upstream_status
            raw_response = raw_response or error.raw_response
        elif error is not None and first is None:
            http_status = None
        identity = uuid7()
        priced = UNKNOWN
        if reply is not None and source != "none" and call.provider.pricer is not None:
            at_ms = id_millis(identity)
            priced = call.provider.pricer.price(
                usage, reply.raw, reply.model, at_ms, stream=first is not None, batch=call.batched
            )
            if priced.negative is not None:
                name = f"{call.model_name}.providers.{provider.name}"
                _log.error("models.%s.cost: the rules make %s dollars, which is no cost", name, priced.negative)
        # By position, in the order of the row's fields: a Struct finds each keyword by going through all its fields,
        # which for a row of this length takes ten times as long.
        self.rows.append(
            ModelInferenceRow(
                identity,
                self.inference_id,
                len(self.rows) + 1,  # attempt
                call.variant_name,
                call.model_name,
                provider.name,
                provider.type,
                "ok" if error is None else "error",  # status
                None if error is None else error.code,
                None if error is None else error.message,
                http_status,
                None if reply is None else reply.model,
                None if reply is None else reply.fingerprint,
                None if reply is None else reply.request_id,
                None if reply is None else reply.finish_reason,
                usage.input_tokens,
                usage.output_tokens,
                usage.cache_read_tokens,
                usage.cache_write_tokens,
                usage.reasoning_tokens,
                usage.raw or None,
                source,
                "0" if call.cached else priced.cost,
                priced.version,
                (ended - call.started) * 1e3,  # response_ms
                None if first is None else (first - call.started) * 1e3,  # ttft_ms
                call.cached,
                call.raw_request or None,
                raw_response or None,
                None if reply is None else reply.finish_detail or None,
                call.api_type or provider.options.get("api_type", "chat_completions"),
            )
        )


_NOTHING: tuple[Usage, UsageSource] = (Usage(), "none")


def _metered(call: ProviderCall[P], reply: Reply, error: CalibrantError | None) -> tuple[Usage, UsageSource]:
    """Return what a call used, and how that is known.

    What its provider did not count is estimated. So is the output of a stream that broke, where far more of it had
    come than had been counted: some providers count once at the beginning and again at the end.
    """
    usage = reply.usage
    told, made = usage.input_tokens, usage.output_tokens
    if error is None and told is not None and made is not None:
        return usage, "reported"
    nothing = told is None and made is None
    if error is None or reply.content:
        estimate = estimated_output(reply.content)
        if estimate is not None and (made is None or (error is not None and 2 * made < estimate)):
            made = estimate
        if told is None:
            told = estimated_input(call.raw_request)
    if (told, made) != (usage.input_tokens, usage.output_tokens):
        return replace(usage, input_tokens=told, output_tokens=made), "estimated"
    if nothing:
        return usage, "none"
    return usage, "reported" if error is None else "partial"
