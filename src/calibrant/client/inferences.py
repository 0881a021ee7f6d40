"""Stored inferences: how they are asked for, and what they look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from calibrant.client.blocks import JsonInferenceOutput, OutputBlock, StoredInput
from calibrant.client.call import Call, post
from calibrant.client.inference import Id, Usage

__all__ = [
    "GetInferencesResponse",
    "InferenceFilter",
    "InferenceFilterAnd",
    "InferenceFilterBooleanMetric",
    "InferenceFilterDemonstrationFeedback",
    "InferenceFilterFloatMetric",
    "InferenceFilterNot",
    "InferenceFilterOr",
    "InferenceFilterTag",
    "InferenceFilterTime",
    "ListInferencesRequest",
    "OrderBy",
    "OrderByMetric",
    "OrderBySearchRelevance",
    "OrderByTimestamp",
    "OrderDirection",
    "OutputSource",
    "StoredInference",
    "StoredInferenceChat",
    "StoredInferenceJson",
    "get_inferences",
    "list_inferences",
]

Comparison = Literal["<", "<=", "=", ">", ">=", "!="]
OrderDirection = Literal["ascending", "descending"]
OutputSource = Literal["none", "inference", "demonstration"]
"""Whose output: nobody's, the one that was made, or the demonstration's (what has none is left out)."""


class InferenceFilterFloatMetric(Struct, frozen=True, kw_only=True, tag="float_metric"):
    """The latest value of a float metric compares."""

    metric_name: str
    value: float
    comparison_operator: Comparison


class InferenceFilterBooleanMetric(Struct, frozen=True, kw_only=True, tag="boolean_metric"):
    """The latest value of a boolean metric is this one."""

    metric_name: str
    value: bool


class InferenceFilterDemonstrationFeedback(Struct, frozen=True, kw_only=True, tag="demonstration_feedback"):
    """There is a demonstration, or there is none."""

    has_demonstration: bool


class InferenceFilterTag(Struct, frozen=True, kw_only=True, tag="tag"):
    """A tag has, or has not, a value."""

    key: str
    value: str
    comparison_operator: Literal["=", "!="] = "="


class InferenceFilterTime(Struct, frozen=True, kw_only=True, tag="time"):
    """The time compares."""

    time: datetime | str
    """With an offset, or RFC 3339."""
    comparison_operator: Comparison


class InferenceFilterAnd(Struct, frozen=True, kw_only=True, tag="and"):
    """All hold."""

    children: Sequence[InferenceFilter]


class InferenceFilterOr(Struct, frozen=True, kw_only=True, tag="or"):
    """One holds."""

    children: Sequence[InferenceFilter]


class InferenceFilterNot(Struct, frozen=True, kw_only=True, tag="not"):
    """It does not hold."""

    child: InferenceFilter


InferenceFilter = (
    InferenceFilterFloatMetric
    | InferenceFilterBooleanMetric
    | InferenceFilterDemonstrationFeedback
    | InferenceFilterTag
    | InferenceFilterTime
    | InferenceFilterAnd
    | InferenceFilterOr
    | InferenceFilterNot
)


class OrderByTimestamp(Struct, frozen=True, kw_only=True, tag="timestamp", tag_field="by"):
    """By time."""

    direction: OrderDirection = "descending"


class OrderByMetric(Struct, frozen=True, kw_only=True, tag="metric", tag_field="by"):
    """By the latest value of a metric."""

    name: str
    direction: OrderDirection = "descending"


class OrderBySearchRelevance(Struct, frozen=True, kw_only=True, tag="search_relevance", tag_field="by"):
    """By how well the text that was searched for is found."""

    direction: OrderDirection = "descending"


OrderBy = OrderByTimestamp | OrderByMetric | OrderBySearchRelevance


class ListInferencesRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which inferences, in which order. `before` and `after` are ids that pages follow; neither goes with `offset`."""

    function_name: str | None = None
    variant_name: str | None = None
    episode_id: Id | None = None
    filters: InferenceFilter | Mapping[str, Any] | None = None
    filter: InferenceFilter | Mapping[str, Any] | None = None
    """The older name of `filters`."""
    order_by: Sequence[OrderBy | Mapping[str, Any]] | None = None
    limit: int | None = None
    offset: int | None = None
    before: Id | None = None
    after: Id | None = None
    output_source: OutputSource | None = None
    """`inference` where it is left out."""
    search_query_experimental: str | None = None
    include_failed: bool | None = None
    """Ours: failed and unfinished ones too."""


class _Stored(Struct, frozen=True, kw_only=True):
    inference_id: str
    function_name: str
    variant_name: str
    episode_id: str
    timestamp: datetime
    input: StoredInput | None = None
    """Null where the record does not keep it."""
    inference_params: dict[str, Any] | None = None
    extra_body: tuple[Any, ...] | None = None
    tags: dict[str, str] | None = None
    processing_time_ms: int | None = None
    ttft_ms: int | None = None
    snapshot_hash: str | None = None
    usage: Usage | None = None
    """This and what follows is ours: TensorZero's gateway does not tell it."""
    finish_reason: str | None = None
    status: str | None = None
    """Null where all went well."""
    error_code: str | None = None
    error_message: str | None = None


class StoredInferenceChat(_Stored, frozen=True, kw_only=True, tag="chat"):
    """A recorded inference of a chat function."""

    output: tuple[OutputBlock, ...] | None = None
    dispreferred_outputs: tuple[tuple[OutputBlock, ...], ...] | None = None
    """What was made, where `output` is a demonstration."""
    allowed_tools: tuple[str, ...] | None = None
    additional_tools: tuple[dict[str, Any], ...] | None = None
    tool_choice: str | dict[str, str] | None = None
    parallel_tool_calls: bool | None = None
    provider_tools: tuple[dict[str, Any], ...] | None = None


class StoredInferenceJson(_Stored, frozen=True, kw_only=True, tag="json"):
    """A recorded inference of a JSON function."""

    output: JsonInferenceOutput | None = None
    dispreferred_outputs: tuple[JsonInferenceOutput, ...] | None = None
    """What was made, where `output` is a demonstration."""
    output_schema: Any = None


StoredInference = StoredInferenceChat | StoredInferenceJson


class GetInferencesResponse(Struct, frozen=True):
    """Recorded inferences."""

    inferences: tuple[StoredInference, ...]


def get_inferences(
    *,
    ids: Sequence[Id],
    function_name: str | None = None,
    output_source: OutputSource = "inference",
    include_failed: bool | None = None,
) -> Call[GetInferencesResponse]:
    """Read recorded inferences by their ids; `function_name` may make it faster."""
    body = {
        "ids": list(ids),
        "function_name": function_name,
        "output_source": output_source,
        "include_failed": include_failed,
    }
    return post("/v1/inferences/get_inferences", body, GetInferencesResponse)


def list_inferences(*, request: ListInferencesRequest | Mapping[str, Any]) -> Call[GetInferencesResponse]:
    """Read recorded inferences, the newest first unless `order_by` says otherwise."""
    return post("/v1/inferences/list_inferences", request, GetInferencesResponse)
