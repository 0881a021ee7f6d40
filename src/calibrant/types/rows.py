"""What is recorded. The engine makes rows, the spool carries them, the store keeps them as they are.

A record is what one spool frame holds. It is encoded as a msgpack array, so fields are only ever added
at the end, with a default: a frame of any past version must still open.
Fields typed `bytes` that hold documents hold JSON text. Durations are milliseconds.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from calibrant.types.request import Dialect

__all__ = [
    "Begun",
    "FeedbackKind",
    "FeedbackRecord",
    "FeedbackRow",
    "InferenceRow",
    "Inferred",
    "Level",
    "ModelInferenceRow",
    "Record",
    "RowStatus",
    "Shed",
    "SnapshotRecord",
]

RowStatus = Literal["ok", "error", "running", "interrupted"]
"""`running` is a stream that has begun; `interrupted` one whose worker died before its end."""
FeedbackKind = Literal["boolean", "float", "comment", "demonstration"]
Level = Literal["inference", "episode"]


class InferenceRow(Struct, frozen=True, gc=False, array_like=True):
    """One inference: what was asked, what was chosen and why, what came back."""

    id: str
    episode_id: str
    function_name: str
    variant_name: str
    """The variant that served; for a failure, the last one tried."""
    function_type: str
    """`chat` or `json`."""
    status: RowStatus
    snapshot_hash: str
    dialect: Dialect = "native"
    stream: bool = False
    error_code: str | None = None
    error_message: str | None = None
    http_status: int = 200
    namespace: str | None = None
    unit: str | None = None
    """What the variant was drawn for: the episode id."""
    assigned_variant: str | None = None
    """The variant that the draw chose."""
    probability: float | None = None
    """The chance that the draw had of choosing it; null when the caller pinned it."""
    fallback_reason: str | None = None
    """Why the served variant differs from the assigned one."""
    finish_reason: str | None = None
    processing_ms: float | None = None
    ttft_ms: float | None = None
    durations: dict[str, float] = {}
    """Milliseconds of each step of the line."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: str | None = None
    """Decimal as text; null while unknown."""
    trace_id: str | None = None
    span_id: str | None = None
    key_id: str | None = None
    tags: dict[str, str] = {}
    worker: str = ""
    """The worker incarnation that served it."""
    input: bytes | None = None
    output: bytes | None = None
    inference_params: bytes | None = None
    tool_params: bytes | None = None
    output_schema: bytes | None = None
    strategy: bytes | None = None
    """How a variant of several calls came to its answer, as JSON: candidates, order, choice."""


class ModelInferenceRow(Struct, frozen=True, gc=False, array_like=True):
    """One call of one provider, failed ones included."""

    id: str
    inference_id: str
    attempt: int
    """1 for the first call of the inference, counted over variants, retries and providers."""
    variant_name: str
    model_name: str
    provider_name: str
    provider_type: str
    status: RowStatus
    error_code: str | None = None
    error_message: str | None = None
    http_status: int | None = None
    """The provider's own status."""
    provider_model: str | None = None
    fingerprint: str | None = None
    provider_request_id: str | None = None
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    raw_usage: bytes | None = None
    usage_source: str = "none"
    cost: str | None = None
    price_version: str | None = None
    response_ms: float | None = None
    ttft_ms: float | None = None
    cached: bool = False
    raw_request: bytes | None = None
    raw_response: bytes | None = None
    finish_detail: bytes | None = None
    """What the provider says about why it stopped, as JSON: safety ratings, the rule that was broken."""
    api_type: str = "chat_completions"
    """Which of the provider's interfaces was called: `chat_completions`, `responses` or `embeddings`."""


class FeedbackRow(Struct, frozen=True, gc=False, array_like=True):
    """One piece of feedback. Repeated feedback is appended; readers take the latest."""

    id: str
    metric_name: str
    kind: FeedbackKind
    level: Level
    target_id: str
    snapshot_hash: str
    number: float | None = None
    """The value of a float metric; 0 or 1 for a boolean one."""
    document: bytes | None = None
    """The value of a comment or a demonstration, as JSON."""
    tags: dict[str, str] = {}
    key_id: str | None = None
    linked: bool = True
    """False when the target was not yet in the store and the recorder has to find it."""


class Begun(Struct, frozen=True, gc=False, array_like=True, tag="begun"):
    """A stream is about to send its first byte."""

    inference: InferenceRow


class Inferred(Struct, frozen=True, gc=False, array_like=True, tag="inferred"):
    """An inference is over, well or badly."""

    inference: InferenceRow
    model_inferences: tuple[ModelInferenceRow, ...]


class FeedbackRecord(Struct, frozen=True, gc=False, array_like=True, tag="feedback"):
    """Feedback was accepted."""

    feedback: FeedbackRow


class SnapshotRecord(Struct, frozen=True, gc=False, array_like=True, tag="snapshot"):
    """A configuration was loaded."""

    hash: str
    config: bytes
    """The canonical form, as JSON."""
    version: str
    """Calibrant's version that wrote it."""


class Shed(Struct, frozen=True, gc=False, array_like=True, tag="shed"):
    """So many frames were given up for want of room, by the policy `shed`; their numbers are not reused."""

    count: int


Record = Begun | Inferred | FeedbackRecord | SnapshotRecord | Shed
