"""What happened during one inference, noted as it happens: each provider call, and where the time went."""

from __future__ import annotations

from msgspec import Struct

from calibrant.base.errors import CalibrantError, ProviderError
from calibrant.base.ids import uuid7
from calibrant.engine.compiled import CompiledProvider
from calibrant.engine.limits import Limit
from calibrant.types.reply import Reply, Usage
from calibrant.types.rows import ModelInferenceRow

__all__ = ["Journal", "ProviderCall"]


class ProviderCall(Struct):
    """One call of one provider under way."""

    variant_name: str
    model_name: str
    provider: CompiledProvider
    limit: Limit
    started: float
    raw_request: bytes = b""
    first_chunk: float | None = None
    error: CalibrantError | None = None
    """Set by the caller when the call failed."""


class Journal(Struct):
    """The notes of one inference."""

    inference_id: str
    variant_name: str = ""
    """The variant tried last."""
    rows: list[ModelInferenceRow] = []
    upstream_s: float = 0.0
    """Seconds spent waiting for providers, failed calls included."""
    backoff_s: float = 0.0
    durations: dict[str, float] = {}
    """Milliseconds of each step."""
    failures: list[str] = []
    """Why each variant that was given up failed."""

    def succeeded(self, call: ProviderCall, reply: Reply, ended: float) -> None:
        """Note an answer."""
        self._note(call, ended, reply, None)

    def failed(self, call: ProviderCall, error: CalibrantError, ended: float, partial: Reply | None = None) -> None:
        """Note a failure, with what had arrived of a broken stream."""
        self._note(call, ended, partial, error)

    def _note(self, call: ProviderCall, ended: float, reply: Reply | None, error: CalibrantError | None) -> None:
        self.upstream_s += ended - call.started
        provider = call.provider.provider
        first = call.first_chunk
        usage = _NO_USAGE if reply is None else reply.usage
        http_status: int | None = 200
        raw_response = b"" if reply is None else reply.raw
        if isinstance(error, ProviderError):
            http_status = 200 if first is not None else error.upstream_status
            raw_response = raw_response or error.raw_response
        elif error is not None and first is None:
            http_status = None
        source = "none"
        if usage.input_tokens is not None or usage.output_tokens is not None:
            source = "reported" if error is None else "partial"
        # By position, in the order of the row's fields: a Struct finds each keyword by going through all its fields,
        # which for a row of this length takes ten times as long.
        self.rows.append(
            ModelInferenceRow(
                uuid7(),  # id
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
                None,  # cost
                None,  # price_version
                (ended - call.started) * 1e3,  # response_ms
                None if first is None else (first - call.started) * 1e3,  # ttft_ms
                False,  # cached
                call.raw_request or None,
                raw_response or None,
                None if reply is None else reply.finish_detail or None,
                provider.options.get("api_type", "chat_completions"),
            )
        )


_NO_USAGE = Usage()
