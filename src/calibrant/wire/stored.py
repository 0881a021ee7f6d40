"""Recorded inferences as TensorZero's API shows them.

What the record has and that API does not is added beside it; what its clients would not understand (a tool call with a
raw name in an input, a file that was not kept, a cache point) is written in the nearest way that they do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from calibrant.apischema.inferences import StoredBody, UsageOfStored
from calibrant.base.ids import id_millis
from calibrant.types.content import CachePoint, File, InputBlock, ToolCall, Unknown
from calibrant.types.message import Input
from calibrant.types.query import OutputSource
from calibrant.types.rows import InferenceRow
from calibrant.types.tool import CustomTool, Tool, ToolConfig

__all__ = ["Configured", "encode_stored", "to_stored"]

_encode = msgspec.json.Encoder().encode
_builtins = msgspec.to_builtins
_input = msgspec.json.Decoder(Input).decode
_tools = msgspec.json.Decoder(ToolConfig).decode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_PARAMS = Raw(b'{"chat_completion":{}}')
_NULL = Raw(b"null")

Configured = Callable[[str], Collection[str]]
"""The names of the tools that a function has now, by its name."""


def encode_stored(
    rows: Iterable[InferenceRow], *, source: OutputSource, demonstrated: Mapping[str, bytes], configured: Configured
) -> bytes:
    """Return the body of an answer.

    Args:
        rows: The inferences, in their order.
        source: Which output to show. For a demonstration, inferences that have none are left out.
        demonstrated: The latest demonstration by inference.
        configured: Which tools a function has.
    """
    shown = [
        to_stored(row, source=source, demonstration=demonstrated.get(row.id), configured=configured)
        for row in rows
        if source != "demonstration" or row.id in demonstrated
    ]
    return _encode({"inferences": shown})


def to_stored(
    row: InferenceRow, *, source: OutputSource, demonstration: bytes | None, configured: Configured
) -> StoredBody:
    """Return one inference as it is shown."""
    output = demonstration if source == "demonstration" else row.output
    failed = row.status != "ok"
    return StoredBody(
        type=row.function_type,
        inference_id=row.id,
        function_name=row.function_name,
        variant_name=row.variant_name,
        episode_id=row.episode_id,
        timestamp=_timestamp(row.id),
        input=UNSET if row.input is None else _input_of(row.input),
        output=UNSET if source == "none" or output is None else _document(output),
        dispreferred_outputs=[_document(row.output)] if source == "demonstration" and row.output is not None else [],
        inference_params=_NO_PARAMS if row.inference_params is None else _document(row.inference_params),
        tags=row.tags,
        processing_time_ms=_whole(row.processing_ms),
        ttft_ms=_whole(row.ttft_ms),
        snapshot_hash=row.snapshot_hash,
        output_schema=_schema(row),
        usage=UsageOfStored(row.input_tokens, row.output_tokens, None if row.cost is None else Raw(row.cost.encode())),
        finish_reason=row.finish_reason,
        status=row.status if failed else UNSET,
        error_code=row.error_code,
        error_message=row.error_message,
        **_tool_fields(row, configured),
    )


def _timestamp(inference_id: str) -> str:
    moment = _EPOCH + timedelta(milliseconds=id_millis(inference_id))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _whole(millis: float | None) -> int | None:
    return None if millis is None else max(round(millis), 0)


def _document(payload: bytes) -> Raw:
    # A redaction hook may have left what is no JSON; it is text then, so that the answer stays one document.
    try:
        msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return Raw(_encode(payload.decode(errors="replace")))
    return Raw(payload)


def _schema(row: InferenceRow) -> Raw | msgspec.UnsetType:
    if row.output_schema is not None:
        return _document(row.output_schema)
    return _NULL if row.function_type == "json" else UNSET


def _input_of(payload: bytes) -> Any:
    try:
        given = _input(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return _document(payload)
    messages = [
        {"role": message.role, "content": [_block(block) for block in message.content]} for message in given.messages
    ]
    return {"messages": messages} if given.system is None else {"system": given.system, "messages": messages}


def _block(block: InputBlock) -> Any:
    match block:
        case ToolCall():
            return {"type": "tool_call", "id": block.id, "name": block.raw_name, "arguments": block.raw_arguments}
        case CachePoint():
            return Unknown(_builtins(block))
        case File(storage_path=None):
            kept = {"kind": {"type": "disabled"}, "path": ""}
            media = block.mime_type or "application/octet-stream"
            source = block.source_url or block.url
            fields = {"type": "file", "mime_type": media, "storage_path": kept, "source_url": source}
            return fields | {"detail": block.detail, "filename": block.filename}
        case _:
            return block


def _tool_fields(row: InferenceRow, configured: Configured) -> dict[str, Any]:
    if row.function_type != "chat":
        return {}
    if row.tool_params is None:
        return {"provider_tools": []}
    try:
        tools = _tools(row.tool_params)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return {"provider_tools": []}
    static = configured(row.function_name)
    names = [tool.name for tool in (*tools.tools, *tools.custom)]
    allowed = names if tools.allowed is None else list(tools.allowed)
    additional = [_function(tool) for tool in tools.tools if tool.name not in static]
    additional += [_custom(tool) for tool in tools.custom if tool.name not in static]
    return {
        "allowed_tools": [name for name in allowed if name in static] if static or tools.allowed is not None else None,
        "additional_tools": additional or None,
        "tool_choice": tools.choice,
        "parallel_tool_calls": tools.parallel,
        "provider_tools": [],
    }


def _function(tool: Tool) -> dict[str, Any]:
    return {"type": "function", **_builtins(tool)}


def _custom(tool: CustomTool) -> dict[str, Any]:
    if tool.grammar is None:
        kind: dict[str, Any] = {"type": "text"}
    else:
        kind = {"type": "grammar", "grammar": _builtins(tool.grammar)}
    return {"type": "openai_custom", "name": tool.name, "description": tool.description, "format": kind}
