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
        # Every field is named here, once: a row is built for each call, and keywords by way of a dict cost twice.
        self.rows.append(
            ModelInferenceRow(
                id=uuid7(),
                inference_id=self.inference_id,
                attempt=len(self.rows) + 1,
                variant_name=call.variant_name,
                model_name=call.model_name,
                provider_name=provider.name,
                provider_type=provider.type,
                status="ok" if error is None else "error",
                error_code=None if error is None else error.code,
                error_message=None if error is None else error.message,
                http_status=http_status,
                provider_model=None if reply is None else reply.model,
                fingerprint=None if reply is None else reply.fingerprint,
                provider_request_id=None if reply is None else reply.request_id,
                finish_reason=None if reply is None else reply.finish_reason,
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                cache_read_tokens=usage.cache_read_tokens,
                cache_write_tokens=usage.cache_write_tokens,
                reasoning_tokens=usage.reasoning_tokens,
                raw_usage=usage.raw or None,
                usage_source=source,
                response_ms=(ended - call.started) * 1e3,
                ttft_ms=None if first is None else (first - call.started) * 1e3,
                raw_request=call.raw_request,
                raw_response=raw_response or None,
            )
        )


_NO_USAGE = Usage()
