"""What single things of the record look like: feedback, model calls, episodes, configurations. TensorZero's names."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Raw, Struct

__all__ = [
    "Bounds",
    "ByType",
    "ConfigShown",
    "EpisodeList",
    "EpisodeShown",
    "FeedbackBounds",
    "FeedbackList",
    "FeedbackShown",
    "InferenceMetadata",
    "LatestByMetric",
    "MetadataList",
    "ModelInferenceList",
    "ModelInferenceShown",
    "Resolved",
    "ResolvedObject",
]


class FeedbackShown(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One piece of feedback."""

    type: Literal["boolean", "float", "comment", "demonstration"]
    id: str
    target_id: str | None = None
    """Of all but demonstrations."""
    inference_id: str | None = None
    """Of demonstrations."""
    target_type: Literal["inference", "episode"] | None = None
    """Of comments."""
    metric_name: str | None = None
    value: bool | float | str
    """A demonstration is JSON in text."""
    tags: dict[str, str]
    timestamp: datetime


class FeedbackList(Struct, frozen=True):
    """Feedback, the newest first."""

    feedback: list[FeedbackShown]


class Bounds(Struct, frozen=True, omit_defaults=True):
    """The first and the last id; neither where there is nothing."""

    first_id: str | None = None
    last_id: str | None = None
    count: int | None = None


class ByType(Struct, frozen=True):
    """Bounds of each kind of feedback."""

    boolean: Bounds
    float: Bounds
    comment: Bounds
    demonstration: Bounds


class FeedbackBounds(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bounds of the feedback on one target."""

    first_id: str | None = None
    last_id: str | None = None
    by_type: ByType


class LatestByMetric(Struct, frozen=True):
    """The latest feedback on each metric."""

    feedback_id_by_metric: dict[str, str]


class ModelInferenceShown(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call of a provider. What is not TensorZero's: `attempt`, `status`, `error_*`, `variant_name` and the like."""

    id: str
    inference_id: str
    raw_request: str | None = None
    raw_response: str | None = None
    model_name: str
    model_provider_name: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    provider_cache_read_input_tokens: int | None = None
    provider_cache_write_input_tokens: int | None = None
    response_time_ms: int | None = None
    ttft_ms: int | None = None
    timestamp: datetime
    cost: Raw | None = None
    finish_reason: str | None = None
    cached: bool
    attempt: int
    status: str
    variant_name: str
    api_type: str
    error_code: str | None = None
    error_message: str | None = None
    http_status: int | None = None
    provider_request_id: str | None = None


class ModelInferenceList(Struct, frozen=True):
    """Every call that was made for an inference, failed ones included, in their order."""

    model_inferences: list[ModelInferenceShown]


class InferenceMetadata(Struct, frozen=True, kw_only=True):
    """An inference without what was asked and answered."""

    id: str
    function_name: str
    variant_name: str
    episode_id: str
    function_type: str
    snapshot_hash: str
    status: str
    timestamp: datetime


class MetadataList(Struct, frozen=True):
    """Inferences, the newest first."""

    inference_metadata: list[InferenceMetadata]


class ResolvedObject(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that has an id."""

    type: str
    function_name: str | None = None
    function_type: str | None = None
    variant_name: str | None = None
    episode_id: str | None = None
    inference_id: str | None = None
    target_id: str | None = None
    run_id: str | None = None
    dataset_name: str | None = None


class Resolved(Struct, frozen=True):
    """Everything that has an id; nothing where nobody knows it."""

    id: str
    object_types: list[ResolvedObject]


class EpisodeShown(Struct, frozen=True):
    """An episode."""

    episode_id: str
    count: int
    start_time: datetime
    end_time: datetime
    last_inference_id: str


class EpisodeList(Struct, frozen=True):
    """Episodes, the one that began last first."""

    episodes: list[EpisodeShown]


class ConfigShown(Struct, frozen=True):
    """A configuration, as it was loaded."""

    hash: str
    config: Raw
    extra_templates: dict[str, str]
    tags: dict[str, str]
