"""The bodies of the routes below `/v1/datasets` and `/internal/datasets`, and the datapoints that answer them.

Inbound shapes refuse unknown fields and take null wherever a field is optional. What of a datapoint is what it is of an
inference (input, tools, schema) is kept raw and read by `wire/native.py`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from calibrant.types.datapoint import Action, Source
from calibrant.types.query import Comparison, OutputSource
from calibrant.types.split import Shares, Split

__all__ = [
    "MAX_DATAPOINTS",
    "AndBody",
    "ChangeBody",
    "ChangePage",
    "CloneBody",
    "ClonedBody",
    "CreateBody",
    "CreateChat",
    "CreateJson",
    "DatapointBody",
    "DatasetBody",
    "DatasetList",
    "Deleted",
    "EditBody",
    "EditChat",
    "EditJson",
    "FilterBody",
    "FromIds",
    "FromInferences",
    "FromQuery",
    "IdsBody",
    "JsonOutputBody",
    "ListBody",
    "ListedDataset",
    "Made",
    "NewDatasetBody",
    "NotBody",
    "OrBody",
    "OrderBody",
    "RenameBody",
    "Renamed",
    "SplittingBody",
    "TagBody",
    "TimeBody",
]

MAX_DATAPOINTS = 10_000
"""The most datapoints of one request or answer; what is more is exported, imported, or asked for in pages."""

_NULL = Raw(b"null")
_Count = Annotated[int, Meta(ge=0, le=2**53)]
_Id = Annotated[str, Meta(max_length=100)]


class CreateChat(Struct, frozen=True, kw_only=True, tag="chat", forbid_unknown_fields=True):
    """A datapoint of a chat function."""

    function_name: str
    input: Raw
    output: Raw = _NULL
    name: str | None = None
    episode_id: str | None = None
    tags: dict[str, str] | None = None
    allowed_tools: Raw = _NULL
    additional_tools: Raw = _NULL
    tool_choice: Raw = _NULL
    parallel_tool_calls: Raw = _NULL
    provider_tools: Raw = _NULL


class JsonOutputBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The output of a JSON function. `parsed` is taken so that what was listed can be sent back; it is not read."""

    raw: str | None = None
    parsed: Any = None


class CreateJson(Struct, frozen=True, kw_only=True, tag="json", forbid_unknown_fields=True):
    """A datapoint of a JSON function."""

    function_name: str
    input: Raw
    output: JsonOutputBody | None = None
    name: str | None = None
    episode_id: str | None = None
    tags: dict[str, str] | None = None
    output_schema: dict[str, Any] | None = None


class CreateBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Datapoints to add."""

    datapoints: Annotated[list[CreateChat | CreateJson], Meta(min_length=1, max_length=MAX_DATAPOINTS)]


class EditChat(Struct, frozen=True, kw_only=True, tag="chat", forbid_unknown_fields=True):
    """Changes of a chat datapoint. Null clears what may be missing, and leaves the rest as it is."""

    id: _Id
    input: Raw = _NULL
    output: Raw | UnsetType = UNSET
    tags: dict[str, str] | None = None
    name: str | UnsetType | None = UNSET
    allowed_tools: Raw | UnsetType = UNSET
    additional_tools: Raw = _NULL
    tool_choice: Raw | UnsetType = UNSET
    parallel_tool_calls: Raw | UnsetType = UNSET
    provider_tools: Raw = _NULL


class EditJson(Struct, frozen=True, kw_only=True, tag="json", forbid_unknown_fields=True):
    """Changes of a JSON datapoint."""

    id: _Id
    input: Raw = _NULL
    output: JsonOutputBody | UnsetType | None = UNSET
    tags: dict[str, str] | None = None
    name: str | UnsetType | None = UNSET
    output_schema: dict[str, Any] | None = None


class EditBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Datapoints to change."""

    datapoints: Annotated[list[EditChat | EditJson], Meta(min_length=1, max_length=MAX_DATAPOINTS)]


class Renamed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A datapoint's new name."""

    id: _Id
    name: str | UnsetType | None = UNSET


class RenameBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Names to change."""

    datapoints: Annotated[list[Renamed], Meta(min_length=1, max_length=MAX_DATAPOINTS)]


class IdsBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Datapoints by id."""

    ids: Annotated[list[_Id], Meta(max_length=MAX_DATAPOINTS)]


class CloneBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Datapoints to copy, by id."""

    datapoint_ids: Annotated[list[_Id], Meta(max_length=MAX_DATAPOINTS)]


class FromIds(Struct, frozen=True, tag="inference_ids", forbid_unknown_fields=True):
    """Inferences by id."""

    inference_ids: Annotated[list[_Id], Meta(min_length=1, max_length=MAX_DATAPOINTS)]
    output_source: OutputSource | None = None


class FromQuery(Struct, frozen=True, tag="inference_query"):
    """Inferences by a question; what else stands in the body is that of `list_inferences`."""


FromInferences = FromIds | FromQuery


class AndBody(Struct, frozen=True, tag="and", forbid_unknown_fields=True):
    """All of them."""

    children: list[FilterBody]


class OrBody(Struct, frozen=True, tag="or", forbid_unknown_fields=True):
    """One of them."""

    children: list[FilterBody]


class NotBody(Struct, frozen=True, tag="not", forbid_unknown_fields=True):
    """The contrary."""

    child: FilterBody


class TagBody(Struct, frozen=True, tag="tag", forbid_unknown_fields=True):
    """By a tag."""

    key: str
    value: str
    comparison_operator: Literal["=", "!="]


class TimeBody(Struct, frozen=True, tag="time", forbid_unknown_fields=True):
    """By the time of the last change."""

    time: Annotated[datetime, Meta(tz=True)]
    comparison_operator: Comparison


FilterBody = AndBody | OrBody | NotBody | TagBody | TimeBody


class OrderBody(Struct, frozen=True, forbid_unknown_fields=True):
    """One term of the order."""

    by: Literal["timestamp", "search_relevance"]
    direction: Literal["ascending", "descending"] | None = None


class ListBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which datapoints. The last two fields are ours."""

    function_name: str | None = None
    filter: FilterBody | None = None
    order_by: list[OrderBody] | None = None
    limit: Annotated[int, Meta(ge=0, le=MAX_DATAPOINTS)] | None = None
    page_size: Annotated[int, Meta(ge=0, le=MAX_DATAPOINTS)] | None = None
    """What `limit` was called once."""
    offset: _Count | None = None
    search_query_experimental: str | None = None
    version: _Count | None = None
    """As they were then."""
    after: str | None = None
    """Behind this id, the oldest first."""


class NewDatasetBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dataset to make."""

    name: str
    group_by: str | None = None


class Made(Struct, frozen=True):
    """The ids of what was made or changed."""

    ids: tuple[str, ...]


class ClonedBody(Struct, frozen=True):
    """The ids of the copies; null for what there was none of."""

    datapoint_ids: tuple[str | None, ...]


class Deleted(Struct, frozen=True):
    """How many datapoints are stale now that were not before."""

    num_deleted_datapoints: int


class SplittingBody(Struct, frozen=True):
    """How a dataset is split. The salt is told nobody: it would say what is sealed before it is there."""

    shares: Shares
    newest_days: int | None
    since: datetime


class ListedDataset(Struct, frozen=True):
    """A dataset in a list. The last three fields are ours."""

    dataset_name: str
    datapoint_count: int
    last_updated: datetime
    version: int
    group_by: str
    splitting: SplittingBody | None


class DatasetList(Struct, frozen=True):
    """Datasets."""

    datasets: list[ListedDataset]


class DatasetBody(Struct, frozen=True):
    """What is known of one dataset."""

    name: str
    version: int
    datapoint_count: int
    group_by: str
    created_at: datetime
    updated_at: datetime
    splitting: SplittingBody | None
    """Null where the dataset was not sealed."""


class ChangeBody(Struct, frozen=True):
    """What made a version."""

    version: int
    at: datetime
    actor: str
    action: Action
    added: int
    removed: int


class ChangePage(Struct, frozen=True):
    """A page of changes; `next` is the `before` of the page behind it."""

    changes: list[ChangeBody]
    next: int | None


class DatapointBody(Struct, frozen=True, kw_only=True):
    """A datapoint, chat or JSON. What follows `updated_at` is ours."""

    type: Literal["chat", "json"]
    dataset_name: str
    function_name: str
    id: str
    name: str | None
    episode_id: str | None
    input: Any
    output: Any
    allowed_tools: tuple[str, ...] | UnsetType | None = UNSET
    additional_tools: list[dict[str, Any]] | UnsetType | None = UNSET
    tool_choice: Any = UNSET
    parallel_tool_calls: bool | UnsetType | None = UNSET
    provider_tools: list[Any] | UnsetType = UNSET
    output_schema: dict[str, Any] | UnsetType | None = UNSET
    tags: dict[str, str]
    auxiliary: str = ""
    is_deleted: bool = False
    is_custom: bool
    source_inference_id: str | None
    staled_at: datetime | None
    updated_at: datetime
    source: Source
    source_feedback_id: str | None
    parent_id: str | None
    root_id: str
    group_key: str | None
    content_hash: str | None
    actor: str
    since_version: int
    split: Split | None
    """Null where the dataset is not split. Of what is `sealed` input, output, name and tags are empty, and so
    are `content_hash`, by which a guess could be checked, and a `group_key` that is a tag."""
