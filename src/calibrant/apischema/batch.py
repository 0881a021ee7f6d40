"""The bodies of batches: `POST /batch_inference` and what is told of them. Listing and cancelling are ours."""

from __future__ import annotations

from datetime import datetime

from msgspec import Raw, Struct

from calibrant.types.batch import BatchKind, BatchStatus

__all__ = [
    "BatchBody",
    "BatchFailure",
    "BatchPage",
    "BatchParams",
    "BatchSummary",
    "CancelledBatch",
    "CompletedBatch",
    "FailedBatch",
    "PendingBatch",
    "StartedBatch",
]


class BatchParams(Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters by the type of variant; each is a list with a value, or null, for each element."""

    chat_completion: dict[str, list[Raw] | None] | None = None


class BatchBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /batch_inference`: lists with an entry for each element, which are read one by one."""

    function_name: str
    inputs: list[Raw]
    variant_name: str | None = None
    episode_ids: list[str | None] | None = None
    tags: list[Raw] | None = None
    params: BatchParams | None = None
    allowed_tools: list[Raw] | None = None
    additional_tools: list[Raw] | None = None
    tool_choice: list[Raw] | None = None
    parallel_tool_calls: list[Raw] | None = None
    output_schemas: list[Raw] | None = None
    credentials: dict[str, str] | None = None


class StartedBatch(Struct, frozen=True):
    """The answer of `POST /batch_inference`."""

    batch_id: str
    inference_ids: list[str]
    episode_ids: list[str]


class BatchFailure(Struct, frozen=True):
    """An element that has no answer, and why."""

    inference_id: str
    code: str
    error: str


class PendingBatch(Struct, frozen=True, tag="pending", tag_field="status"):
    """Work goes on."""


class FailedBatch(Struct, frozen=True, tag="failed", tag_field="status", omit_defaults=True):
    """Nothing came of it."""

    error: str | None = None
    failures: list[BatchFailure] = []


class CompletedBatch(Struct, frozen=True, tag="completed", tag_field="status", omit_defaults=True):
    """What came of it."""

    batch_id: str
    inferences: list[Raw]
    failures: list[BatchFailure] = []


class CancelledBatch(Struct, frozen=True, tag="cancelled", tag_field="status", omit_defaults=True):
    """What had come of it when it was cancelled."""

    batch_id: str
    inferences: list[Raw]
    failures: list[BatchFailure] = []


class BatchSummary(Struct, frozen=True, kw_only=True):
    """A batch without what was asked and answered."""

    batch_id: str
    status: BatchStatus
    kind: BatchKind
    function_name: str
    variant_name: str
    model_name: str
    total: int
    completed: int
    failed: int
    cancelled: int
    error: str | None
    created_at: datetime
    updated_at: datetime


class BatchPage(Struct, frozen=True, kw_only=True):
    """Batches, the newest first."""

    batches: list[BatchSummary]
    next: str | None
    """What `before` takes for the next page; null at the end."""
