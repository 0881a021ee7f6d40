"""Datasets on the wire: bodies to datapoints that are wanted, edits and questions.

What a datapoint shares with an inference is read as a body of `POST /inference`, so that it is checked alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, assert_never, cast

import msgspec
from msgspec import UNSET, Raw, UnsetType
from msgspec.structs import replace

from calibrant.apischema import datapoints as shape
from calibrant.base.errors import InvalidRequest
from calibrant.config.schema import Metric
from calibrant.types.content import CachePoint, File, InputBlock, OutputBlock, Text, Thought, ToolCall, Unknown
from calibrant.types.datapoint import (
    Content,
    DatapointEdit,
    DatapointQuery,
    JsonValue,
    NewDatapoint,
    Origin,
    ToolParams,
)
from calibrant.types.message import Input
from calibrant.types.query import And, Filter, Not, Or, OutputSource, Tagged, Time
from calibrant.types.request import InferenceRequest
from calibrant.wire import body as checks
from calibrant.wire import native
from calibrant.wire.body import invalid
from calibrant.wire.inferences import Listing
from calibrant.wire.inferences import decode_list as decode_question

__all__ = [
    "decode_clone",
    "decode_create",
    "decode_edit",
    "decode_from_inferences",
    "decode_ids",
    "decode_list",
    "decode_rename",
    "to_new",
]

_CREATE = msgspec.json.Decoder(shape.CreateBody)
_EDIT = msgspec.json.Decoder(shape.EditBody)
_RENAME = msgspec.json.Decoder(shape.RenameBody)
_IDS = msgspec.json.Decoder(shape.IdsBody)
_CLONE = msgspec.json.Decoder(shape.CloneBody)
_LIST = msgspec.json.Decoder(shape.ListBody)
_FROM = msgspec.json.Decoder(shape.FromInferences)
_RAW = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_MAX_FILTERS = 100
_LONGEST_TEXT = 10_000
_TOOLS = ("allowed_tools", "additional_tools", "tool_choice", "parallel_tool_calls", "provider_tools")
_PERSON = Origin("person")
_UNKNOWN = "application/octet-stream"
_NOTHING = Raw(b'{"messages":[]}')


def decode_create(body: bytes, *, now_ms: int) -> list[NewDatapoint]:
    """Return the datapoints that a body brings.

    Raises:
        InvalidRequest: it is malformed; the message has the JSON path.
    """
    asked = checks.parse(_CREATE, body)
    return [to_new(each, f"$.datapoints[{at}]", now_ms=now_ms) for at, each in enumerate(asked.datapoints)]


def to_new(
    asked: shape.CreateChat | shape.CreateJson,
    path: str,
    *,
    now_ms: int,
    origin: Origin = _PERSON,
    internal: bool = False,
) -> NewDatapoint:
    """Return a datapoint that is wanted.

    Args:
        asked: Its body.
        path: Where that stands, for messages.
        now_ms: Unix time.
        origin: Where it came from.
        internal: Whether reserved tags may be among its tags.

    Raises:
        InvalidRequest: it is malformed; the message has the JSON path.
    """
    checks.check_names([(f"{path}.function_name", asked.function_name), (f"{path}.name", asked.name or "")])
    fields: dict[str, Any] = {"input": asked.input, "tags": asked.tags, "episode_id": asked.episode_id}
    fields |= {"internal": True} if internal else {}
    if isinstance(asked, shape.CreateChat):
        fields |= {name: getattr(asked, name) for name in _TOOLS}
    else:
        fields["output_schema"] = asked.output_schema
    request = _as_inference(fields, path, now_ms=now_ms)
    content = Content(
        "chat" if isinstance(asked, shape.CreateChat) else "json",
        checks.stored_name(asked.function_name),
        request.input,
        _output(asked.output, path),
        _tool_params(request),
        request.output_schema,
    )
    return NewDatapoint(content, asked.name, request.episode_id, request.tags, origin)


def decode_edit(body: bytes, *, now_ms: int) -> list[DatapointEdit]:
    """Return the edits that a body asks for.

    Raises:
        InvalidRequest: it is malformed; the message has the JSON path.
    """
    asked = checks.parse(_EDIT, body)
    return [_to_edit(each, f"$.datapoints[{at}]", now_ms) for at, each in enumerate(asked.datapoints)]


def decode_rename(body: bytes) -> list[tuple[str, str | UnsetType | None]]:
    """Return ids with their new names, which are unset where they stay as they are.

    Raises:
        InvalidRequest: it is malformed; the message has the JSON path.
    """
    asked = checks.parse(_RENAME, body)
    checks.check_names([(f"$.datapoints[{at}].name", each.name or "") for at, each in enumerate(asked.datapoints)])
    return [(each.id, each.name) for each in asked.datapoints]


def decode_ids(body: bytes) -> list[str]:
    """Return the ids that a body names.

    Raises:
        InvalidRequest: it is malformed; the message has the JSON path.
    """
    return _checked_ids(checks.parse(_IDS, body).ids, "$.ids")


def decode_clone(body: bytes) -> list[str]:
    """Return the ids of the datapoints that are to be copied.

    Raises:
        InvalidRequest: it is malformed; the message has the JSON path.
    """
    return _checked_ids(checks.parse(_CLONE, body).datapoint_ids, "$.datapoint_ids")


def decode_from_inferences(
    body: bytes, metrics: Mapping[str, Metric]
) -> tuple[tuple[str, ...], OutputSource] | Listing:
    """Return the inferences that a body names and which output is wanted, or the question that it asks for them.

    Raises:
        InvalidRequest: it is malformed; the message has the JSON path.
    """
    asked = checks.parse(_FROM, body)
    if isinstance(asked, shape.FromIds):
        ids = _checked_ids(asked.inference_ids, "$.inference_ids")
        return tuple(dict.fromkeys(ids)), asked.output_source or "inference"
    fields = checks.parse(_RAW, body)
    return decode_question(_encode({name: value for name, value in fields.items() if name != "type"}), metrics)


def decode_list(dataset_name: str, body: bytes) -> DatapointQuery:
    """Return which datapoints of a dataset a body asks for.

    Raises:
        InvalidRequest: it is malformed or contradicts itself; the message has the JSON path.
    """
    asked = checks.parse(_LIST, body or b"{}")
    order = asked.order_by or []
    text = asked.search_query_experimental
    if text is not None and not 0 < len(text) <= _LONGEST_TEXT:
        problem = f"a text to search for has 1 to {_LONGEST_TEXT} characters, this one has {len(text)}"
        raise invalid(problem, "$.search_query_experimental")
    if any(term.by == "search_relevance" for term in order) and text is None:
        raise invalid("there is no relevance without `search_query_experimental`", "$.order_by")
    if asked.after is not None and (asked.offset or order):
        raise InvalidRequest(
            "`after` gives pages by id, the oldest first; it goes with neither `offset` nor `order_by`"
        )
    limit = asked.page_size if asked.limit is None else asked.limit
    checks.check_names([("$.function_name", asked.function_name or ""), ("$.after", asked.after or "")])
    # Relevance is not told from any other match, so what is left of such an order is the id.
    by_time = next((term for term in order if term.by == "timestamp"), None)
    return DatapointQuery(
        dataset_name=dataset_name,
        function_name=None if asked.function_name is None else checks.stored_name(asked.function_name),
        version=asked.version,
        filters=None if asked.filter is None else _Tree().filter(asked.filter, "$.filter"),
        text=text,
        after=asked.after,
        descending=asked.after is None and (by_time is None or by_time.direction != "ascending"),
        limit=20 if limit is None else limit,
        offset=asked.offset or 0,
    )


def _checked_ids(ids: list[str], path: str) -> list[str]:
    checks.check_names([(f"{path}[{at}]", each) for at, each in enumerate(ids)])
    return ids


def _as_inference(fields: dict[str, Any], path: str, *, now_ms: int) -> InferenceRequest:
    """Return what is shared with an inference, read as one; messages name the place in the datapoint."""
    given = {name: value for name, value in fields.items() if not _null(value)}
    if "input" not in given:
        raise invalid("a datapoint needs an `input`", f"{path}.input")
    try:
        request = native.decode(_encode({"model_name": "", **given}), now_ms=now_ms)
        return replace(request, input=_restored(request.input))
    except InvalidRequest as error:
        raise InvalidRequest(error.message.replace("`$.", f"`{path}.")) from None


def _null(value: object) -> bool:
    return value is None or (isinstance(value, Raw) and bytes(value) == b"null")


def _tool_params(request: InferenceRequest) -> ToolParams:
    return ToolParams(
        request.allowed_tools,
        request.tools,
        request.custom_tools,
        request.tool_choice,
        request.parallel_tool_calls,
        request.provider_tools,
    )


def _output(given: Raw | shape.JsonOutputBody | None, path: str) -> tuple[OutputBlock, ...] | JsonValue | None:
    if given is None or _null(given):
        return None
    if isinstance(given, shape.JsonOutputBody):
        return JsonValue(given.raw)
    said = Raw(b'{"messages":[{"role":"assistant","content":%s}]}' % bytes(given))
    try:
        request = native.decode(_encode({"model_name": "", "input": said}), now_ms=0)
    except InvalidRequest as error:
        raise InvalidRequest(error.message.replace("`$.input.messages[0].content", f"`{path}.output")) from None
    blocks = request.input.messages[0].content
    for at, block in enumerate(blocks):
        if not isinstance(block, (Text, ToolCall, Thought, Unknown)):
            raise invalid("an output has blocks of type text, tool_call, thought and unknown", f"{path}.output[{at}]")
    return cast("tuple[OutputBlock, ...]", blocks)


def _to_edit(asked: shape.EditChat | shape.EditJson, path: str, now_ms: int) -> DatapointEdit:
    same = _null(asked.input)
    fields: dict[str, Any] = {"input": _NOTHING if same else asked.input, "tags": asked.tags}
    tools: dict[str, Any] = {}
    if isinstance(asked, shape.EditChat):
        changed = {name: value for name in _TOOLS if (value := getattr(asked, name)) is not UNSET}
        fields |= changed
        request = _as_inference(fields, path, now_ms=now_ms)
        tools = _changed_tools(changed, _tool_params(request))
        output: Any = asked.output if asked.output is UNSET else _output(asked.output, path)
    else:
        fields["output_schema"] = asked.output_schema
        request = _as_inference(fields, path, now_ms=now_ms)
        output = asked.output if asked.output is UNSET else _output(asked.output, path)
    checks.check_names([(f"{path}.id", asked.id), (f"{path}.name", asked.name or "")])
    return DatapointEdit(
        id=asked.id,
        type="chat" if isinstance(asked, shape.EditChat) else "json",
        input=UNSET if same else request.input,
        output=output,
        tools=tools,
        output_schema=UNSET if request.output_schema is None else request.output_schema,
        tags=UNSET if asked.tags is None else request.tags,
        name=asked.name,
    )


def _changed_tools(changed: dict[str, Any], params: ToolParams) -> dict[str, Any]:
    """Return the fields of `ToolParams` that an edit changes. Null leaves lists of tools as they are."""
    tools: dict[str, Any] = {}
    for name in ("allowed_tools", "tool_choice", "parallel_tool_calls"):
        if name in changed:
            tools[name] = getattr(params, name)
    if not _null(changed.get("additional_tools")):
        tools |= {"tools": params.tools, "custom_tools": params.custom_tools}
    if not _null(changed.get("provider_tools")):
        tools["provider_tools"] = params.provider_tools
    return tools


def _restored(given: Input) -> Input:
    """Return an input as it is kept: with the cache points that `datapoint_answer` writes as unknown blocks.

    A file's type that nobody gave, and that does not show, is said to be unknown: clients want one.
    """
    if not any(isinstance(block, (Unknown, File)) for message in given.messages for block in message.content):
        return given
    messages = [replace(each, content=tuple(map(_kept, each.content))) for each in given.messages]
    return replace(given, messages=tuple(messages))


def _kept(block: InputBlock) -> InputBlock:
    if isinstance(block, File):
        return block if block.data is None or block.mime_type else replace(block, mime_type=_UNKNOWN)
    if not isinstance(block, Unknown):
        return block
    try:
        return msgspec.convert(block.data, CachePoint)
    except msgspec.ValidationError:
        return block


class _Tree:
    """Makes filters of their bodies, and counts them."""

    def __init__(self) -> None:
        self._nodes = 0

    def filter(self, body: shape.FilterBody, path: str) -> Filter:
        self._nodes += 1
        if self._nodes > _MAX_FILTERS:
            raise invalid(f"there are more than {_MAX_FILTERS} filters; send fewer", path)
        match body:
            case shape.AndBody(children):
                return And(self._children(children, path))
            case shape.OrBody(children):
                return Or(self._children(children, path))
            case shape.NotBody(child):
                return Not(self.filter(child, f"{path}.child"))
            case shape.TagBody(key, value, comparison):
                checks.check_names([(f"{path}.key", key), (f"{path}.value", value)])
                return Tagged(checks.stored_name(key), value, same=comparison == "=")
            case shape.TimeBody(time, comparison):
                return Time(comparison, (time - _EPOCH) // _MICRO)
            case _:
                assert_never(body)

    def _children(self, children: list[shape.FilterBody], path: str) -> tuple[Filter, ...]:
        return tuple([self.filter(child, f"{path}.children[{at}]") for at, child in enumerate(children)])
