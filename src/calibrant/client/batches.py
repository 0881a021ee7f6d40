"""Batches: many inferences in one request, made later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Raw, Struct

from calibrant.apischema.batch import BatchFailure, BatchPage, BatchSummary, FailedBatch, PendingBatch, StartedBatch
from calibrant.client.blocks import reader
from calibrant.client.call import Call, get, post, segment
from calibrant.client.errors import BadReply
from calibrant.client.inference import Id, InferenceInput, InferenceResponse, ToolChoice, read_inference

__all__ = [
    "BatchFailure",
    "BatchPage",
    "BatchState",
    "BatchSummary",
    "CancelledBatch",
    "CompletedBatch",
    "FailedBatch",
    "PendingBatch",
    "StartedBatch",
    "batch_inference",
    "cancel_batch_inference",
    "get_batch_inference",
    "list_batch_inferences",
]


class CompletedBatch(Struct, frozen=True, tag="completed", tag_field="status"):
    """What came of it."""

    batch_id: str
    inferences: tuple[InferenceResponse, ...]
    failures: tuple[BatchFailure, ...] = ()


class CancelledBatch(Struct, frozen=True, tag="cancelled", tag_field="status"):
    """What had come of it when it was cancelled."""

    batch_id: str
    inferences: tuple[InferenceResponse, ...]
    failures: tuple[BatchFailure, ...] = ()


BatchState = PendingBatch | FailedBatch | CompletedBatch | CancelledBatch


class _Told(Struct, frozen=True):
    status: str
    batch_id: str = ""
    inferences: tuple[Raw, ...] = ()
    failures: tuple[BatchFailure, ...] = ()
    error: str | None = None


_told = reader(_Told)


def _state(body: bytes) -> BatchState:
    told: _Told = _told(body)
    match told.status:
        case "pending":
            return PendingBatch()
        case "failed":
            return FailedBatch(told.error, list(told.failures))
        case "completed" | "cancelled":
            kind = CompletedBatch if told.status == "completed" else CancelledBatch
            return kind(told.batch_id, tuple([read_inference(bytes(each)) for each in told.inferences]), told.failures)
        case _:
            raise BadReply(f"a batch has the status {told.status!r}, which this client does not know")


def batch_inference(  # noqa: PLR0913 - the fields of the protocol
    *,
    function_name: str,
    inputs: Sequence[InferenceInput],
    variant_name: str | None = None,
    episode_ids: Sequence[Id | None] | None = None,
    tags: Sequence[Mapping[str, str] | None] | None = None,
    params: Mapping[str, Any] | None = None,
    allowed_tools: Sequence[Sequence[str] | None] | None = None,
    additional_tools: Sequence[Sequence[Mapping[str, Any]] | None] | None = None,
    tool_choice: Sequence[ToolChoice | None] | None = None,
    parallel_tool_calls: Sequence[bool | None] | None = None,
    output_schemas: Sequence[Mapping[str, Any] | None] | None = None,
    credentials: Mapping[str, str] | None = None,
) -> Call[StartedBatch]:
    """Have many inferences of one function made later. Lists have an entry, or null, for each input."""
    body = {
        "function_name": function_name,
        "inputs": inputs,
        "variant_name": variant_name,
        "episode_ids": episode_ids,
        "tags": tags,
        "params": params,
        "allowed_tools": allowed_tools,
        "additional_tools": additional_tools,
        "tool_choice": tool_choice,
        "parallel_tool_calls": parallel_tool_calls,
        "output_schemas": output_schemas,
        "credentials": credentials,
    }
    return post("/batch_inference", body, StartedBatch, repeat="unless_sent")


def get_batch_inference(*, batch_id: Id, inference_id: Id | None = None) -> Call[BatchState]:
    """Read what came of a batch, or of one inference of it."""
    path = f"/batch_inference/{segment(batch_id, 'batch_id')}"
    if inference_id is not None:
        path += f"/inference/{segment(inference_id, 'inference_id')}"
    return Call(method="GET", path=path, read=_state)


def list_batch_inferences(*, limit: int | None = None, before: Id | None = None) -> Call[BatchPage]:
    """List batches, the newest first; `before` takes the `next` of the page before."""
    return get("/batch_inference", BatchPage, limit=limit, before=before)


def cancel_batch_inference(*, batch_id: Id) -> Call[BatchSummary]:
    """Cancel a batch: nothing more of it is begun. One that has ended stays as it is."""
    path = f"/batch_inference/{segment(batch_id, 'batch_id')}/cancel"
    return Call(method="POST", path=path, read=reader(BatchSummary))
