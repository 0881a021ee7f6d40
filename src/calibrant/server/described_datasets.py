"""What the routes of datasets take and answer; rows of `described.py`."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from calibrant.apischema import datapoints, native, told
from calibrant.apischema.options import ProviderToolBody
from calibrant.datasets.formats import Format
from calibrant.server.description import LIMIT, Described, Parameter

__all__ = ["DATASETS", "DATASETS_READ_AS"]

_NONE: Final = (404,)
_COUNT = Annotated[int, Meta(ge=0, le=2**53)]
_LINES: Final = "application/jsonl"
_TEXT: Final = {"type": "string", "description": "JSON, a line each."}
_ID: Final = "0196e6f4-0000-7000-8000-000000000000"
_INPUT: Final = {"messages": [{"role": "user", "content": "Say hello."}]}
_POINT: Final = {"type": "chat", "function_name": "my_function", "input": _INPUT, "output": "Hello."}
_OF_FUNCTION: Final = Parameter("function_name", str, "Of one function alone.")
_FORMAT = Literal["datapoints"] | Format
_GET: Final = Described(
    tag="datasets", body=datapoints.IdsBody, answer=told.Datapoints, fails=_NONE, example={"ids": [_ID]}
)

DATASETS: Final[dict[str, Described]] = {
    "POST /v1/datasets/{dataset_name}/reveal": _GET,
    "POST /v1/datasets": Described(
        tag="datasets", body=datapoints.NewDatasetBody, answer=datapoints.DatasetBody, example={"name": "support"}
    ),
    "GET /v1/datasets/{dataset_name}": Described(tag="datasets", answer=datapoints.DatasetBody, fails=_NONE),
    "DELETE /v1/datasets/{dataset_name}": Described(tag="datasets", answer=datapoints.Deleted, fails=_NONE),
    "GET /v1/datasets/{dataset_name}/versions": Described(
        tag="datasets",
        answer=datapoints.ChangePage,
        parameters=(
            Parameter("before", Annotated[int, Meta(ge=1, le=2**53)], "What `next` of the page before says."),
            LIMIT,
        ),
        fails=_NONE,
    ),
    "POST /v1/datasets/{dataset_name}/datapoints": Described(
        tag="datasets",
        body=datapoints.CreateBody,
        answer=datapoints.Made,
        fails=(404, 501),
        example={"datapoints": [_POINT]},
    ),
    "PATCH /v1/datasets/{dataset_name}/datapoints": Described(
        tag="datasets",
        body=datapoints.EditBody,
        answer=datapoints.Made,
        fails=(404, 501),
        example={"datapoints": [{"type": "chat", "id": _ID, "output": "Hi."}]},
    ),
    "DELETE /v1/datasets/{dataset_name}/datapoints": Described(
        tag="datasets", body=datapoints.IdsBody, answer=datapoints.Deleted, fails=_NONE, example={"ids": [_ID]}
    ),
    "PATCH /v1/datasets/{dataset_name}/datapoints/metadata": Described(
        tag="datasets",
        body=datapoints.RenameBody,
        answer=datapoints.Made,
        fails=_NONE,
        example={"datapoints": [{"id": _ID, "name": "greeting"}]},
    ),
    "POST /v1/datasets/{dataset_name}/from_inferences": Described(
        tag="datasets",
        body=datapoints.FromInferences,
        answer=datapoints.Made,
        fails=_NONE,
        example={"type": "inference_ids", "inference_ids": [_ID]},
    ),
    "POST /v1/datasets/{dataset_name}/list_datapoints": Described(
        tag="datasets", body=datapoints.ListBody, answer=told.Datapoints, fails=_NONE, example={"limit": 10}
    ),
    "POST /v1/datasets/{dataset_name}/get_datapoints": _GET,
    "POST /v1/datasets/get_datapoints": _GET,
    "GET /v1/datasets/{dataset_name}/export": Described(
        tag="datasets",
        answer=None,
        content_type=_LINES,
        parameters=(
            Parameter("format", _FORMAT, "What a line is; `datapoints` where it is left out."),
            Parameter("version", _COUNT, "As the dataset was then."),
            _OF_FUNCTION,
            Parameter("variant_name", str, "Whose templates render arguments."),
            Parameter("split", str, "Of a dataset that is split these, with commas between; else `train`."),
        ),
        fails=_NONE,
    ),
    "POST /v1/datasets/{dataset_name}/import": Described(
        tag="datasets",
        body=_TEXT,
        body_type=_LINES,
        answer=told.Imported,
        parameters=(
            Parameter("format", Literal["datapoints", "chat"], "What a line is; `datapoints` where it is left out."),
            Parameter("function_name", str, "Whose datapoints the lines of `chat` make."),
        ),
        fails=(404, 501),
        example='{"type": "chat", "function_name": "my_function", "input": {"messages": []}}',
    ),
    "GET /internal/datasets": Described(
        tag="datasets",
        answer=datapoints.DatasetList,
        parameters=(_OF_FUNCTION, LIMIT, Parameter("offset", _COUNT, "How many to leave out.")),
    ),
    "GET /internal/datasets/{dataset_name}/datapoints/count": Described(
        tag="datasets", answer=told.DatapointCount, parameters=(_OF_FUNCTION,), fails=_NONE
    ),
    "POST /internal/datasets/{dataset_name}/datapoints/clone": Described(
        tag="datasets",
        body=datapoints.CloneBody,
        answer=datapoints.ClonedBody,
        fails=_NONE,
        example={"datapoint_ids": [_ID]},
    ),
}

_OUTPUT = str | list[native.TextBlock | native.ToolCallBlock | native.ThoughtBlock | native.UnknownBlock] | None
_TOOLS: Final[dict[str, Any]] = {
    "allowed_tools": list[str] | None,
    "additional_tools": list[native.ToolBody] | None,
    "tool_choice": Literal["none", "off", "auto", "required"] | native.NamedTool | None,
    "parallel_tool_calls": bool | None,
    "provider_tools": list[ProviderToolBody] | None,
}
DATASETS_READ_AS: Final[dict[tuple[type, str], Any]] = {
    (datapoints.CreateChat, "input"): native.InputBody,
    (datapoints.CreateJson, "input"): native.InputBody,
    (datapoints.EditChat, "input"): native.InputBody | None,
    (datapoints.EditJson, "input"): native.InputBody | None,
    (datapoints.CreateChat, "output"): _OUTPUT,
    (datapoints.EditChat, "output"): _OUTPUT,
    **{(datapoints.CreateChat, name): kind for name, kind in _TOOLS.items()},
    **{(datapoints.EditChat, name): kind for name, kind in _TOOLS.items()},
}
