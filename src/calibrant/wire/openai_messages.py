"""Messages of OpenAI's chat dialect, brought into the order of our own.

- All `system` and `developer` messages, wherever they stand, become one system prompt, joined by line breaks.
- `tool` messages in a row become one user message of tool results, named by the calls that they answer.
- Thoughts and unknown blocks come back from `tensorzero_extra_content`, each at its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from calibrant.apischema import openai_request as shape
from calibrant.base.errors import InvalidRequest
from calibrant.types.content import (
    File,
    InputBlock,
    RawText,
    Template,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Unknown,
)
from calibrant.types.message import Input, Message, Role
from calibrant.wire import files
from calibrant.wire.body import invalid, unbuilt

__all__ = ["to_input"]

_AUDIO = {"mp3": "audio/mpeg", "mpga": "audio/mpeg", "m4a": "audio/mp4"}


def to_input(messages: Sequence[shape.OpenAIMessage]) -> Input:
    """Return the input that the messages make.

    Raises:
        InvalidRequest: a part stands where it cannot, or a result answers a tool call that was never made.
        NotImplementedYet: a file by its id.
    """
    turns: list[Message] = []
    system: list[str | dict[str, Any]] = []
    names: dict[str, str] = {}
    results: list[InputBlock] = []
    for index, message in enumerate(messages):
        if isinstance(message, shape.SystemMessage):
            system += _instructions(message, index)
        elif isinstance(message, shape.ToolMessage):
            results.append(_result(message, names, index))
        else:
            if results:
                turns.append(Message("user", tuple(results)))
                results = []
            if isinstance(message, shape.UserMessage):
                turns.append(Message("user", _content(message.content, "user", index)))
            else:
                turns.append(_assistant(message, names, index))
    if results:
        turns.append(Message("user", tuple(results)))
    return Input(tuple(turns), _system(system) if system else None)


def _system(pieces: list[str | dict[str, Any]]) -> str | dict[str, Any]:
    texts = [piece for piece in pieces if isinstance(piece, str)]
    if len(texts) == len(pieces):
        return texts[0] if len(texts) == 1 else "\n".join(texts)
    if len(pieces) == 1:
        return pieces[0]
    raise InvalidRequest(
        "Invalid request body: the system and developer messages together must be text, or the arguments of "
        "one template; merge them"
    )


def _instructions(message: shape.SystemMessage, index: int) -> list[str | dict[str, Any]]:
    if isinstance(message.content, str):
        return [message.content]
    pieces: list[str | dict[str, Any]] = []
    for block in _content(message.content, "system", index):
        if isinstance(block, Text):
            pieces.append(block.text)
        elif isinstance(block, Template) and block.name == "system":
            pieces.append(block.arguments)
        else:
            raise invalid(
                "a system message takes text and the arguments of the template `system`",
                f"$.messages[{index}].content",
            )
    return pieces


def _assistant(message: shape.AssistantMessage, names: dict[str, str], index: int) -> Message:
    blocks: list[InputBlock] = []
    # Beside tool calls, empty text is how some clients write "no text".
    if message.content or (message.content is not None and not message.tool_calls):
        blocks += _content(message.content, "assistant", index)
    for call in message.tool_calls or ():
        block = _call(call, index)
        names[block.id] = block.raw_name
        blocks.append(block)
    extra = message.calibrant_extra_content or message.tensorzero_extra_content
    if extra:
        _insert(blocks, extra)
    return Message("assistant", tuple(blocks))


def _insert(blocks: list[InputBlock], extra: list[shape.ExtraBlock]) -> None:
    """Put the blocks where they were. In order of their places, each finds those before it already there."""
    placed = [(block.insert_index, block) for block in extra if block.insert_index is not None]
    for place, block in sorted(placed, key=lambda pair: pair[0]):
        blocks.insert(place, _extra(block))
    blocks += [_extra(block) for block in extra if block.insert_index is None]


def _extra(block: shape.ExtraBlock) -> InputBlock:
    if isinstance(block, shape.ThoughtExtra):
        return Thought(block.text, block.signature, _summary(block.summary), block.provider_type, block.extra_data)
    return Unknown(block.data, block.model_name, block.provider_name)


def _summary(summary: list[Any] | None) -> list[Any] | None:
    """Return a summary without the numbers that a client keeps from a stream's pieces."""
    if summary is None:
        return None
    return [
        {key: value for key, value in cast("dict[str, Any]", part).items() if key != "index"}
        if isinstance(part, dict)
        else part
        for part in summary
    ]


def _call(call: shape.OpenAIToolCall, index: int) -> ToolCall:
    path = f"$.messages[{index}].tool_calls"
    if call.type == "custom":
        if call.custom is None:
            raise invalid("a tool call of type 'custom' needs `custom`", path)
        return ToolCall(call.id, call.custom.name, call.custom.input)
    if call.function is None:
        raise invalid("a tool call needs `function`", path)
    return ToolCall(call.id, call.function.name, call.function.arguments)


def _result(message: shape.ToolMessage, names: dict[str, str], index: int) -> ToolResult:
    name = names.get(message.tool_call_id)
    if name is None:
        raise invalid(
            f"tool call id not found: no earlier assistant message calls {message.tool_call_id!r}",
            f"$.messages[{index}].tool_call_id",
        )
    if isinstance(message.content, str):
        return ToolResult(message.tool_call_id, name, message.content)
    blocks = _content(message.content, "user", index)
    texts = [block.text for block in blocks if isinstance(block, Text)]
    if len(texts) != len(blocks):
        raise invalid("a tool's answer takes text only", f"$.messages[{index}].content")
    return ToolResult(message.tool_call_id, name, "\n".join(texts))


def _content(content: str | list[shape.Part], role: Role | str, index: int) -> tuple[InputBlock, ...]:
    if isinstance(content, str):
        return (Text(content),)
    path = f"$.messages[{index}].content"
    return tuple(
        [
            _part(part, role, f"{path}[{place}]")
            for place, part in enumerate(content)
            if not isinstance(part, shape.RefusalPart)
        ]
    )


def _part(part: shape.InputPart, role: str, path: str) -> InputBlock:
    match part:
        case shape.TextPart():
            return _text(part, role, path)
        case shape.ImagePart():
            return _image(part.image_url, f"{path}.image_url")
        case shape.FilePart():
            return _file(part.file, f"{path}.file")
        case shape.AudioPart():
            return _audio(part.input_audio, f"{path}.input_audio")
        case shape.RawTextPart():
            return RawText(part.value)
        case shape.TemplatePart():
            return Template(part.name, part.arguments)


def _text(part: shape.TextPart, role: str, path: str) -> InputBlock:
    arguments = part.tensorzero_arguments if part.calibrant_arguments is None else part.calibrant_arguments
    if part.text is not None and arguments is None:
        return Text(part.text)
    if arguments is not None and part.text is None:
        return Template(role, arguments)
    raise invalid("a text part needs exactly one of `text` and `tensorzero::arguments`", path)


def _image(image: shape.ImageUrl, path: str) -> File:
    return files.from_url(
        image.url,
        path=f"{path}.url",
        mime_type=image.calibrant_mime_type or image.tensorzero_mime_type,
        detail=image.detail,
    )


def _file(file: shape.InlineFile, path: str) -> File:
    if file.file_id is not None:
        raise unbuilt(f"{path}.file_id", "send the file itself in `file_data`")
    if file.file_data is None:
        raise invalid("a file needs `file_data`", path)
    make = files.from_url if file.file_data.startswith("data:") else files.from_base64
    return make(file.file_data, path=f"{path}.file_data", filename=file.filename)


def _audio(sound: shape.Sound, path: str) -> File:
    if not sound.format.isalnum():
        raise invalid(f"{sound.format!r} is no audio format; send 'wav' or 'mp3'", f"{path}.format")
    media = _AUDIO.get(sound.format, f"audio/{sound.format}")
    return files.from_base64(sound.data, path=f"{path}.data", mime_type=media)
