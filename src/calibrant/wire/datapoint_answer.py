"""Datapoints as they are answered, and as lines of a file.

What TensorZero's clients would not understand (a tool call with a raw name in an input, a cache point) is written in
the nearest way that they do, and read back by `datapoints.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from calibrant.apischema import datapoints as shape
from calibrant.types.content import CachePoint, File, InputBlock, ToolCall, Unknown
from calibrant.types.datapoint import BY_TAG, Content, Datapoint
from calibrant.types.message import Input
from calibrant.types.tool import CustomTool, Tool
from calibrant.wire.keys import moment

__all__ = [
    "block_shown",
    "encode_cloned",
    "encode_datapoint",
    "encode_datapoints",
    "encode_deleted",
    "encode_made",
    "input_shown",
    "tool_shown",
]

_encode = msgspec.json.Encoder().encode
_builtins = msgspec.to_builtins
_UNKNOWN = "application/octet-stream"


def encode_made(ids: Sequence[str]) -> bytes:
    """Return the ids of what was made or changed."""
    return _encode(shape.Made(tuple(ids)))


def encode_cloned(ids: Sequence[str | None]) -> bytes:
    """Return the ids of copies."""
    return _encode(shape.ClonedBody(tuple(ids)))


def encode_deleted(number: int) -> bytes:
    """Return how many datapoints were deleted."""
    return _encode(shape.Deleted(number))


def encode_datapoints(rows: Iterable[Datapoint]) -> bytes:
    """Return datapoints as an answer."""
    return _encode({"datapoints": [_body(row) for row in rows]})


def encode_datapoint(row: Datapoint) -> bytes:
    """Return one datapoint, as it stands in an answer and as a line of a file."""
    return _encode(_body(row))


def _body(row: Datapoint) -> shape.DatapointBody:
    content, origin = row.content, row.origin
    return shape.DatapointBody(
        type=content.type,
        dataset_name=row.dataset_name,
        function_name=content.function_name,
        id=row.id,
        name=row.name,
        episode_id=row.episode_id,
        input=input_shown(content.input),
        output=content.output,
        tags=row.tags,
        is_custom=origin.source in ("person", "import"),
        source_inference_id=origin.inference_id,
        staled_at=None if row.staled_at is None else moment(row.staled_at),
        updated_at=moment(row.updated_at),
        source=origin.source,
        source_feedback_id=origin.feedback_id,
        parent_id=origin.parent_id,
        root_id=origin.root_id or row.id,
        # A tag that it is grouped by is one of those that are not shown.
        group_key=None if row.split == "sealed" and row.group_key.startswith(BY_TAG) else row.group_key,
        content_hash=row.content_hash or None,
        actor=row.actor,
        since_version=row.since,
        split=row.split,
        **_own(content),
    )


def _own(content: Content) -> dict[str, Any]:
    """Return the fields that only one type of datapoint has."""
    if content.type == "json":
        return {"output_schema": content.output_schema}
    tools = content.tools
    added = [tool_shown(tool) for tool in (*tools.tools, *tools.custom_tools)]
    return {
        "allowed_tools": tools.allowed_tools,
        "additional_tools": added or None,
        "tool_choice": tools.tool_choice,
        "parallel_tool_calls": tools.parallel_tool_calls,
        "provider_tools": [_provider_tool(_builtins(each)) for each in tools.provider_tools],
    }


def tool_shown(tool: Tool | CustomTool) -> dict[str, Any]:
    """Return a tool as a request brings one."""
    if isinstance(tool, Tool):
        return {"type": "function", **_builtins(tool)}
    kind: dict[str, Any] = {"type": "text"}
    if tool.grammar is not None:
        kind = {"type": "grammar", "grammar": _builtins(tool.grammar)}
    return {"type": "openai_custom", "name": tool.name, "description": tool.description, "format": kind}


def _provider_tool(tool: dict[str, Any]) -> dict[str, Any]:
    scope = {name: value for name, value in tool["scope"].items() if value is not None}
    return {"tool": tool["tool"], "scope": scope or None}


def input_shown(given: Input) -> dict[str, Any]:
    """Return an input as it can be sent back."""
    messages = [
        {"role": message.role, "content": [block_shown(block) for block in message.content]}
        for message in given.messages
    ]
    return {"messages": messages} if given.system is None else {"system": given.system, "messages": messages}


def block_shown(block: InputBlock) -> Any:
    """Return a block of an input as TensorZero's clients understand it, and as it can be sent back."""
    match block:
        case ToolCall():
            return {"type": "tool_call", "id": block.id, "name": block.raw_name, "arguments": block.raw_arguments}
        case CachePoint():
            return Unknown(_builtins(block))
        case File():
            return _file(block)
        case _:
            return block


def _file(file: File) -> dict[str, Any]:
    kept = ("mime_type", "detail", "filename", "source_url")
    fields: dict[str, Any] = {"type": "file", **{name: getattr(file, name) for name in kept}}
    if file.data is not None:
        return {**fields, "mime_type": file.mime_type or _UNKNOWN, "file_type": "base64", "data": file.data}
    if file.url is not None:
        return {**{name: fields[name] for name in fields if name != "source_url"}, "file_type": "url", "url": file.url}
    return {**fields, "file_type": "object_storage_pointer", "storage_path": file.storage_path}
