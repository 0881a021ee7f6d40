"""The bodies of `POST /v1/inferences/list_inferences` and `get_inferences`, and the inferences that answer them.

Inbound shapes refuse unknown fields and take null wherever a field is optional.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from calibrant.types.query import Comparison, OutputSource

__all__ = [
    "MAX_LIMIT",
    "AndBody",
    "BooleanMetricBody",
    "DemonstrationBody",
    "FilterBody",
    "FloatMetricBody",
    "GetBody",
    "ListBody",
    "NotBody",
    "OrBody",
    "OrderBody",
    "StoredBody",
    "TagBody",
    "TimeBody",
    "UsageOfStored",
]

MAX_LIMIT = 10_000
"""The most inferences of one answer."""

_Count = Annotated[int, Meta(ge=0, le=2**53)]


class AndBody(Struct, frozen=True, tag="and", forbid_unknown_fields=True):
    """All of them."""

    children: list[FilterBody]


class OrBody(Struct, frozen=True, tag="or", forbid_unknown_fields=True):
    """One of them."""

    children: list[FilterBody]


class NotBody(Struct, frozen=True, tag="not", forbid_unknown_fields=True):
    """The contrary."""

    child: FilterBody


class BooleanMetricBody(Struct, frozen=True, tag="boolean_metric", forbid_unknown_fields=True):
    """By the latest value of a boolean metric."""

    metric_name: str
    value: bool


class FloatMetricBody(Struct, frozen=True, tag="float_metric", forbid_unknown_fields=True):
    """By the latest value of a float metric."""

    metric_name: str
    value: float
    comparison_operator: Comparison


class TagBody(Struct, frozen=True, tag="tag", forbid_unknown_fields=True):
    """By a tag."""

    key: str
    value: str
    comparison_operator: Literal["=", "!="]


class TimeBody(Struct, frozen=True, tag="time", forbid_unknown_fields=True):
    """By the time at which an inference began."""

    time: Annotated[datetime, Meta(tz=True)]
    comparison_operator: Comparison


class DemonstrationBody(Struct, frozen=True, tag="demonstration_feedback", forbid_unknown_fields=True):
    """By whether there is a demonstration."""

    has_demonstration: bool


FilterBody = AndBody | OrBody | NotBody | BooleanMetricBody | FloatMetricBody | TagBody | TimeBody | DemonstrationBody


class OrderBody(Struct, frozen=True, forbid_unknown_fields=True):
    """One term of the order."""

    by: Literal["timestamp", "metric", "search_relevance"]
    direction: Literal["ascending", "descending"] | None = None
    name: str | None = None
    """Of the metric."""


class ListBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which inferences."""

    function_name: str | None = None
    variant_name: str | None = None
    episode_id: str | None = None
    filters: FilterBody | None = None
    filter: FilterBody | None = None
    """What `filters` was called once."""
    order_by: list[OrderBody] | None = None
    limit: Annotated[int, Meta(ge=0, le=MAX_LIMIT)] | None = None
    offset: _Count | None = None
    before: str | None = None
    after: str | None = None
    output_source: OutputSource | None = None
    search_query_experimental: str | None = None
    include_failed: bool | None = None
    """Ours: failed and unfinished ones too."""


class GetBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Inferences by id."""

    ids: Annotated[list[str], Meta(max_length=MAX_LIMIT)]
    function_name: str | None = None
    output_source: OutputSource | None = None
    include_failed: bool | None = None


class UsageOfStored(Struct, frozen=True):
    """Tokens and dollars of an inference."""

    input_tokens: int | None
    output_tokens: int | None
    cost: Raw | None


class StoredBody(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An inference of the record, chat or JSON. The last five fields are ours."""

    type: str
    inference_id: str
    function_name: str
    variant_name: str
    episode_id: str
    timestamp: str
    input: Any | UnsetType = UNSET
    """Not there where the payload is no longer kept."""
    output: Raw | UnsetType = UNSET
    dispreferred_outputs: list[Raw]
    inference_params: Raw
    tags: dict[str, str]
    processing_time_ms: int | None
    ttft_ms: int | None
    snapshot_hash: str
    allowed_tools: list[str] | None = None
    additional_tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    provider_tools: list[Any] | UnsetType = UNSET
    output_schema: Raw | UnsetType = UNSET
    usage: UsageOfStored
    finish_reason: str | None
    status: str | UnsetType = UNSET
    error_code: str | None = None
    error_message: str | None = None
