"""Lines of files to datapoints that are wanted: our own lines, and OpenAI's for chat tuning."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from calibrant.apischema.datapoints import CreateChat, CreateJson
from calibrant.base.errors import InvalidRequest
from calibrant.types.content import OutputBlock, Text, Thought, ToolCall, Unknown
from calibrant.types.datapoint import Content, JsonValue, NewDatapoint, Origin, ToolParams
from calibrant.wire import body as checks
from calibrant.wire import openai_chat
from calibrant.wire.datapoints import to_new

__all__ = ["decode_chat_line", "decode_line"]

_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_NEW = msgspec.json.Decoder(CreateChat | CreateJson)
_encode = msgspec.json.Encoder().encode
_KNOWN = frozenset(("type", *CreateChat.__struct_fields__, *CreateJson.__struct_fields__))


class _ChatLine(Struct, frozen=True):
    messages: Raw
    tools: Raw = Raw(b"null")
    parallel_tool_calls: bool | None = None


class _Before(Struct, frozen=True):
    """What a line of ours says of where it came from."""

    id: str | None = None
    root_id: str | None = None
    source_inference_id: str | None = None


_BEFORE = msgspec.json.Decoder(_Before)
_CHAT = msgspec.json.Decoder(_ChatLine)


def decode_line(line: bytes, *, now_ms: int) -> NewDatapoint:
    """Return the datapoint of a line as lists and exports have it; fields that nobody wants are passed over.

    Raises:
        InvalidRequest: it is malformed; the message has the JSON path.
    """
    fields = {name: value for name, value in checks.parse(_FIELDS, line).items() if name in _KNOWN}
    asked = checks.parse(_NEW, _encode(fields))
    before = checks.parse(_BEFORE, line)
    parent = _uuid(before.id)
    # So that a copy stays in the group of what it was copied from.
    origin = Origin("import", _uuid(before.source_inference_id), None, parent, _uuid(before.root_id) or parent)
    return to_new(asked, "$", now_ms=now_ms, origin=origin, internal=True)


def decode_chat_line(
    line: bytes, function_name: str, kind: str, own_tools: Collection[str], *, now_ms: int
) -> NewDatapoint:
    """Return the datapoint of a line of OpenAI's format for chat tuning.

    Args:
        line: The line; where its last message is the assistant's, that is the output.
        function_name: Whose datapoint it becomes.
        kind: Of the function, `chat` or `json`.
        own_tools: Names of the tools that the function has; those need not be repeated.
        now_ms: Unix time.

    Raises:
        InvalidRequest: it is malformed; the message has the JSON path.
    """
    asked = checks.parse(_CHAT, line)
    body: dict[str, Any] = {"model": "tensorzero::model_name::none", "messages": asked.messages}
    if bytes(asked.tools) != b"null":
        body["tools"] = asked.tools
    request = openai_chat.decode(_encode(body), now_ms=now_ms)
    messages = request.input.messages
    output: tuple[OutputBlock, ...] | JsonValue | None = None
    if messages and messages[-1].role == "assistant":
        said = messages[-1].content
        if not all(isinstance(block, (Text, ToolCall, Thought, Unknown)) for block in said):
            raise InvalidRequest(f"$.messages[{len(messages) - 1}]: an answer has text and calls of tools")
        output = cast("tuple[OutputBlock, ...]", said)
        if kind == "json":
            output = JsonValue("".join(block.text for block in said if isinstance(block, Text)))
        messages = messages[:-1]
    tools = ToolParams(
        tools=tuple(tool for tool in request.tools if tool.name not in own_tools),
        custom_tools=tuple(tool for tool in request.custom_tools if tool.name not in own_tools),
        parallel_tool_calls=asked.parallel_tool_calls,
    )
    content = Content(
        "json" if kind == "json" else "chat",
        function_name,
        msgspec.structs.replace(request.input, messages=messages),
        output,
        ToolParams() if kind == "json" else tools,
    )
    return NewDatapoint(content, origin=Origin("import"))


def _uuid(text: str | None) -> str | None:
    try:
        return None if text is None else str(UUID(text))
    except ValueError:
        return None
