"""What happened during one inference, noted as it happens: each provider call, and where the time went."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from calibrant.base.errors import CalibrantError, ProviderError
from calibrant.base.ids import uuid7
from calibrant.config.schema import Provider
from calibrant.types.reply import Reply
from calibrant.types.rows import ModelInferenceRow, RowStatus

__all__ = ["Journal", "ProviderCall"]


@dataclass(slots=True)
class ProviderCall:
    """One call of one provider under way."""

    variant_name: str
    model_name: str
    provider: Provider
    raw_request: bytes
    started: float
    first_chunk: float | None = None


@dataclass(slots=True)
class Journal:
    """The notes of one inference."""

    inference_id: str
    rows: list[ModelInferenceRow] = field(default_factory=list[ModelInferenceRow])
    upstream_s: float = 0.0
    """Seconds spent waiting for providers, failed calls included."""
    backoff_s: float = 0.0
    durations: dict[str, float] = field(default_factory=dict[str, float])
    """Milliseconds of each step."""
    failures: list[str] = field(default_factory=list[str])
    """Why each variant that was given up failed."""
    variant_name: str = ""
    """The variant tried last."""

    def succeeded(self, call: ProviderCall, reply: Reply, ended: float) -> None:
        """Note an answer."""
        usage = reply.usage
        known = usage.input_tokens is not None or usage.output_tokens is not None
        self._note(
            call,
            ended,
            status="ok",
            http_status=200,
            provider_model=reply.model,
            fingerprint=reply.fingerprint,
            provider_request_id=reply.request_id,
            finish_reason=reply.finish_reason,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            raw_usage=usage.raw or None,
            usage_source="reported" if known else "none",
            raw_response=reply.raw,
        )

    def failed(self, call: ProviderCall, error: CalibrantError, ended: float, partial: Reply | None = None) -> None:
        """Note a failure, with what had arrived of a broken stream."""
        fields: dict[str, Any] = {"status": "error", "error_code": error.code, "error_message": error.message}
        if isinstance(error, ProviderError):
            fields["http_status"] = error.upstream_status
            fields["raw_response"] = error.raw_response or None
        if partial is not None:
            usage = partial.usage
            known = usage.input_tokens is not None or usage.output_tokens is not None
            fields |= {
                "raw_response": partial.raw,
                "provider_model": partial.model,
                "fingerprint": partial.fingerprint,
                "provider_request_id": partial.request_id,
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "raw_usage": usage.raw or None,
                "usage_source": "partial" if known else "none",
            }
        self._note(call, ended, **fields)

    def _note(self, call: ProviderCall, ended: float, *, status: RowStatus, **fields: Any) -> None:
        self.upstream_s += ended - call.started
        ttft = call.first_chunk
        self.rows.append(
            ModelInferenceRow(
                id=uuid7(),
                inference_id=self.inference_id,
                attempt=len(self.rows) + 1,
                variant_name=call.variant_name,
                model_name=call.model_name,
                provider_name=call.provider.name,
                provider_type=call.provider.type,
                status=status,
                response_ms=(ended - call.started) * 1e3,
                ttft_ms=None if ttft is None else (ttft - call.started) * 1e3,
                raw_request=call.raw_request,
                **fields,
            )
        )
