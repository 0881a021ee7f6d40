"""Datasets and their datapoints: how they are made, changed, asked for, and what they look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from calibrant.client.blocks import JsonInferenceOutput, OutputBlock, StoredInput, reader
from calibrant.client.call import Call, get, post, segment, send
from calibrant.client.inference import Id, InferenceInput, ToolChoice
from calibrant.client.inferences import (
    Comparison,
    ListInferencesRequest,
    OrderBySearchRelevance,
    OrderByTimestamp,
    OutputSource,
)

__all__ = [
    "AndDatapointFilter",
    "CloneDatapointsResponse",
    "CreateDatapointRequest",
    "CreateDatapointRequestChat",
    "CreateDatapointRequestJson",
    "CreateDatapointsFromInferenceRequestParams",
    "CreateDatapointsFromInferenceRequestParamsInferenceIds",
    "CreateDatapointsFromInferenceRequestParamsInferenceQuery",
    "CreateDatapointsResponse",
    "Datapoint",
    "DatapointChat",
    "DatapointFilter",
    "DatapointJson",
    "DatasetChange",
    "DatasetInfo",
    "DatasetSplitting",
    "DatasetSummary",
    "DeleteDatapointsResponse",
    "GetDatapointsResponse",
    "JsonDatapointOutputUpdate",
    "ListDatapointsRequest",
    "ListDatasetChangesResponse",
    "ListDatasetsResponse",
    "NotDatapointFilter",
    "OrDatapointFilter",
    "SplitShares",
    "TagDatapointFilter",
    "TimeDatapointFilter",
    "UpdateChatDatapointRequest",
    "UpdateDatapointMetadataRequest",
    "UpdateDatapointRequest",
    "UpdateDatapointsResponse",
    "UpdateJsonDatapointRequest",
    "clone_datapoints",
    "create_datapoints",
    "create_datapoints_from_inferences",
    "create_dataset",
    "delete_datapoints",
    "delete_dataset",
    "get_datapoints",
    "get_dataset",
    "list_datapoints",
    "list_dataset_changes",
    "list_datasets",
    "update_datapoints",
    "update_datapoints_metadata",
]

ChatOutput = Sequence[OutputBlock | Mapping[str, Any]]
Tools = Sequence[Mapping[str, Any]]


class JsonDatapointOutputUpdate(Struct, frozen=True, kw_only=True):
    """What a JSON datapoint's output shall be: a text, valid or not."""

    raw: str | None = None


class CreateDatapointRequestChat(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="chat"):
    """A new datapoint of a chat function."""

    function_name: str
    input: InferenceInput
    output: ChatOutput | None = None
    name: str | None = None
    tags: Mapping[str, str] | None = None
    episode_id: Id | None = None
    allowed_tools: Sequence[str] | None = None
    additional_tools: Tools | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    provider_tools: Tools | None = None


class CreateDatapointRequestJson(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="json"):
    """A new datapoint of a JSON function."""

    function_name: str
    input: InferenceInput
    output: JsonDatapointOutputUpdate | Mapping[str, Any] | None = None
    output_schema: Any = None
    name: str | None = None
    tags: Mapping[str, str] | None = None
    episode_id: Id | None = None


CreateDatapointRequest = CreateDatapointRequestChat | CreateDatapointRequestJson


class UpdateChatDatapointRequest(Struct, frozen=True, kw_only=True, tag="chat"):
    """A change of a chat datapoint: what is left out stays, null takes away."""

    id: Id
    input: InferenceInput | UnsetType = UNSET
    output: ChatOutput | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET
    tags: Mapping[str, str] | UnsetType | None = UNSET
    allowed_tools: Sequence[str] | UnsetType | None = UNSET
    additional_tools: Tools | UnsetType = UNSET
    tool_choice: ToolChoice | UnsetType | None = UNSET
    parallel_tool_calls: bool | UnsetType | None = UNSET
    provider_tools: Tools | UnsetType = UNSET


class UpdateJsonDatapointRequest(Struct, frozen=True, kw_only=True, tag="json"):
    """A change of a JSON datapoint: what is left out stays, null takes away."""

    id: Id
    input: InferenceInput | UnsetType = UNSET
    output: JsonDatapointOutputUpdate | Mapping[str, Any] | UnsetType | None = UNSET
    output_schema: Any = UNSET
    name: str | UnsetType | None = UNSET
    tags: Mapping[str, str] | UnsetType | None = UNSET


UpdateDatapointRequest = UpdateChatDatapointRequest | UpdateJsonDatapointRequest


class UpdateDatapointMetadataRequest(Struct, frozen=True, kw_only=True):
    """A change of a datapoint that leaves it the same datapoint: null takes the name away."""

    id: Id
    name: str | UnsetType | None = UNSET


class CreateDatapointsFromInferenceRequestParamsInferenceIds(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag="inference_ids"
):
    """Datapoints of these inferences."""

    inference_ids: Sequence[Id]
    output_source: OutputSource | None = None


class CreateDatapointsFromInferenceRequestParamsInferenceQuery(
    ListInferencesRequest, frozen=True, kw_only=True, omit_defaults=True, tag="inference_query"
):
    """Datapoints of the inferences that `list_inferences` would give."""


CreateDatapointsFromInferenceRequestParams = (
    CreateDatapointsFromInferenceRequestParamsInferenceIds | CreateDatapointsFromInferenceRequestParamsInferenceQuery
)


class TagDatapointFilter(Struct, frozen=True, kw_only=True, tag="tag"):
    """A tag has, or has not, a value."""

    key: str
    value: str
    comparison_operator: Literal["=", "!="] = "="


class TimeDatapointFilter(Struct, frozen=True, kw_only=True, tag="time"):
    """The time of the last change compares."""

    time: datetime | str
    """With an offset, or RFC 3339."""
    comparison_operator: Comparison


class AndDatapointFilter(Struct, frozen=True, kw_only=True, tag="and"):
    """All hold."""

    children: Sequence[DatapointFilter]


class OrDatapointFilter(Struct, frozen=True, kw_only=True, tag="or"):
    """One holds."""

    children: Sequence[DatapointFilter]


class NotDatapointFilter(Struct, frozen=True, kw_only=True, tag="not"):
    """It does not hold."""

    child: DatapointFilter


DatapointFilter = TagDatapointFilter | TimeDatapointFilter | AndDatapointFilter | OrDatapointFilter | NotDatapointFilter


class ListDatapointsRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which datapoints, in which order."""

    function_name: str | None = None
    filter: DatapointFilter | Mapping[str, Any] | None = None
    order_by: Sequence[OrderByTimestamp | OrderBySearchRelevance | Mapping[str, Any]] | None = None
    limit: int | None = None
    page_size: int | None = None
    """The older name of `limit`."""
    offset: int | None = None
    search_query_experimental: str | None = None
    version: int | None = None
    """Ours: the dataset as it was then."""
    after: Id | None = None
    """Ours: those behind this id, the oldest first."""


class _Point(Struct, frozen=True, kw_only=True):
    id: str
    dataset_name: str
    function_name: str
    input: StoredInput
    updated_at: datetime
    is_deleted: bool = False
    is_custom: bool | None = False
    """Whether a person made or edited it."""
    staled_at: datetime | None = None
    """When another took its place, or it was deleted."""
    episode_id: str | None = None
    name: str | None = None
    source_inference_id: str | None = None
    auxiliary: str | None = None
    tags: dict[str, str] | None = None
    source: str | None = None
    """This and what follows is ours: where it came from (`inference`, `feedback`, `person`, `import`)."""
    source_feedback_id: str | None = None
    parent_id: str | None = None
    """In whose place it stands."""
    root_id: str | None = None
    """The first of those."""
    group_key: str | None = None
    """What keeps it on one side of a split."""
    content_hash: str | None = None
    actor: str | None = None
    since_version: int | None = None
    """The version of the dataset that has it first."""
    split: str | None = None
    """Null where the dataset is not split; of what is `sealed` nothing is told but ids and times."""


class DatapointChat(_Point, frozen=True, kw_only=True, tag="chat"):
    """A datapoint of a chat function."""

    output: tuple[OutputBlock, ...] | None = None
    allowed_tools: tuple[str, ...] | None = None
    additional_tools: tuple[dict[str, Any], ...] | None = None
    tool_choice: str | dict[str, str] | None = None
    parallel_tool_calls: bool | None = None
    provider_tools: tuple[dict[str, Any], ...] | None = None


class DatapointJson(_Point, frozen=True, kw_only=True, tag="json"):
    """A datapoint of a JSON function."""

    output: JsonInferenceOutput | None = None
    output_schema: Any = None


Datapoint = DatapointChat | DatapointJson


class CreateDatapointsResponse(Struct, frozen=True):
    """The ids of new datapoints, in the order of the request."""

    ids: tuple[str, ...]


class UpdateDatapointsResponse(Struct, frozen=True):
    """The ids of changed datapoints: new ones, but for changes of metadata."""

    ids: tuple[str, ...]


class GetDatapointsResponse(Struct, frozen=True):
    """Datapoints."""

    datapoints: tuple[Datapoint, ...]


class DeleteDatapointsResponse(Struct, frozen=True):
    """How many went."""

    num_deleted_datapoints: int


class CloneDatapointsResponse(Struct, frozen=True):
    """The ids of the copies, in the order asked; null for what there was none of."""

    datapoint_ids: tuple[str | None, ...]


class SplitShares(Struct, frozen=True, kw_only=True):
    """How many of a hundred groups each split has."""

    train: int
    val: int
    sealed: int
    canary: int


class DatasetSplitting(Struct, frozen=True, kw_only=True):
    """How a dataset is split."""

    shares: SplitShares
    newest_days: int | None = None
    """Only groups this new are sealed; null seals at any age."""
    since: datetime
    """When it was sealed."""


class DatasetInfo(Struct, frozen=True, kw_only=True):
    """What is known of one dataset."""

    name: str
    version: int
    datapoint_count: int
    group_by: str
    """What belongs together: `episode`, `datapoint`, or `tag::NAME`."""
    created_at: datetime
    updated_at: datetime
    splitting: DatasetSplitting | None = None
    """Null where it was not sealed: then all of it may be learnt from."""


class DatasetSummary(Struct, frozen=True, kw_only=True):
    """A dataset in a list."""

    dataset_name: str
    datapoint_count: int
    last_updated: datetime
    version: int | None = None
    """This and what follows is ours: TensorZero's gateway does not tell it."""
    group_by: str | None = None
    splitting: DatasetSplitting | None = None


class ListDatasetsResponse(Struct, frozen=True):
    """Datasets, the one changed last first."""

    datasets: tuple[DatasetSummary, ...]


class DatasetChange(Struct, frozen=True, kw_only=True):
    """What made a version of a dataset."""

    version: int
    at: datetime
    actor: str
    action: str
    added: int
    removed: int


class ListDatasetChangesResponse(Struct, frozen=True, kw_only=True):
    """A page of what was done to a dataset, the newest first."""

    changes: tuple[DatasetChange, ...]
    next: int | None = None
    """The `before` of the page behind it; null where there is none."""


def _at(dataset_name: str, rest: str = "") -> str:
    return f"/v1/datasets/{segment(dataset_name, 'dataset_name')}{rest}"


def create_datapoints(
    *, dataset_name: str, requests: Sequence[CreateDatapointRequest | Mapping[str, Any]]
) -> Call[CreateDatapointsResponse]:
    """Add datapoints; the dataset is made where there is none."""
    body = {"datapoints": list(requests)}
    return post(_at(dataset_name, "/datapoints"), body, CreateDatapointsResponse, repeat="unless_sent")


def create_datapoints_from_inferences(
    *,
    dataset_name: str,
    params: CreateDatapointsFromInferenceRequestParams | Mapping[str, Any],
    output_source: OutputSource | None = None,
) -> Call[CreateDatapointsResponse]:
    """Add datapoints that are made of recorded inferences. `output_source` stands here or in `params`.

    Raises:
        ValueError: it stands in both.
    """
    given: dict[str, Any] = dict(params) if isinstance(params, Mapping) else msgspec.to_builtins(params)
    if output_source is not None:
        if given.get("output_source") is not None:
            raise ValueError("`output_source` stands both beside `params` and in it; leave one out")
        given["output_source"] = output_source
    return post(_at(dataset_name, "/from_inferences"), given, CreateDatapointsResponse, repeat="unless_sent")


def update_datapoints(
    *, dataset_name: str, requests: Sequence[UpdateDatapointRequest | Mapping[str, Any]]
) -> Call[UpdateDatapointsResponse]:
    """Put changed datapoints in the place of those with these ids; the answer has the new ids."""
    body = {"datapoints": list(requests)}
    return send("PATCH", _at(dataset_name, "/datapoints"), body, UpdateDatapointsResponse, repeat="unless_sent")


def update_datapoints_metadata(
    *, dataset_name: str, requests: Sequence[UpdateDatapointMetadataRequest | Mapping[str, Any]]
) -> Call[UpdateDatapointsResponse]:
    """Change names of datapoints; their ids stay."""
    body = {"datapoints": list(requests)}
    return send("PATCH", _at(dataset_name, "/datapoints/metadata"), body, UpdateDatapointsResponse)


def get_datapoints(*, ids: Sequence[Id], dataset_name: str | None = None) -> Call[GetDatapointsResponse]:
    """Read datapoints by their ids, those included whose place others have taken."""
    path = "/v1/datasets/get_datapoints" if dataset_name is None else _at(dataset_name, "/get_datapoints")
    return post(path, {"ids": list(ids)}, GetDatapointsResponse)


def list_datapoints(
    *, dataset_name: str, request: ListDatapointsRequest | Mapping[str, Any]
) -> Call[GetDatapointsResponse]:
    """Read the datapoints of a dataset."""
    return post(_at(dataset_name, "/list_datapoints"), request, GetDatapointsResponse)


def delete_datapoints(*, dataset_name: str, ids: Sequence[Id]) -> Call[DeleteDatapointsResponse]:
    """Delete datapoints. Made again after a lost answer, it counts none."""
    return send("DELETE", _at(dataset_name, "/datapoints"), {"ids": list(ids)}, DeleteDatapointsResponse)


def delete_dataset(*, dataset_name: str) -> Call[DeleteDatapointsResponse]:
    """Delete a dataset with all its datapoints. Made again after a lost answer, it counts none."""
    return Call(method="DELETE", path=_at(dataset_name), read=_deleted)


def create_dataset(*, name: str, group_by: str | None = None) -> Call[DatasetInfo]:
    """Make an empty dataset. One that is added to is made by itself, grouped by episode."""
    return post("/v1/datasets", {"name": name, "group_by": group_by}, DatasetInfo, repeat="unless_sent")


def get_dataset(*, dataset_name: str) -> Call[DatasetInfo]:
    """Read what is known of a dataset."""
    return get(_at(dataset_name), DatasetInfo)


def list_datasets(
    *, function_name: str | None = None, limit: int | None = None, offset: int | None = None
) -> Call[ListDatasetsResponse]:
    """Read which datasets there are, the one changed last first."""
    return get("/internal/datasets", ListDatasetsResponse, function_name=function_name, limit=limit, offset=offset)


def list_dataset_changes(
    *, dataset_name: str, before: int | None = None, limit: int | None = None
) -> Call[ListDatasetChangesResponse]:
    """Read what was done to a dataset, the newest first; each change made a version."""
    return get(_at(dataset_name, "/versions"), ListDatasetChangesResponse, before=before, limit=limit)


def clone_datapoints(*, dataset_name: str, datapoint_ids: Sequence[Id]) -> Call[CloneDatapointsResponse]:
    """Copy datapoints, of any dataset, into this one; it is made where there is none."""
    path = f"/internal/datasets/{segment(dataset_name, 'dataset_name')}/datapoints/clone"
    return post(path, {"datapoint_ids": list(datapoint_ids)}, CloneDatapointsResponse, repeat="unless_sent")


_deleted = reader(DeleteDatapointsResponse)
