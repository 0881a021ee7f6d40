"""From the events of a streamed answer to chunks.

A stream is whole once `message_stop` has come, or a `message_delta` with a stop reason. Ids of blocks: their index; a
tool call's own id for a call. The JSON tool's text has the call's id.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from calibrant.apischema.anthropic import AnswerDelta, AnthropicEvent
from calibrant.providers.anthropic_answer import block_of, detail_of, finish_reason, has, usage_of
from calibrant.providers.base import JSON_TOOL
from calibrant.providers.refusal import UNREADABLE
from calibrant.providers.sse_decoder import SseDecoder
from calibrant.types.content import Text, Thought, ToolCall, Unknown
from calibrant.types.reply import (
    Chunk,
    Delta,
    FinishReason,
    TextDelta,
    ThoughtDelta,
    ToolCallDelta,
    UnknownDelta,
)

__all__ = ["AnthropicStreamDecoder"]

_decode = msgspec.json.Decoder(AnthropicEvent).decode
_decode_any = msgspec.json.Decoder().decode


class _Block(Struct):
    """A block that is being written."""

    id: str
    kind: str
    start: Any = None
    """Of a call, the arguments that came with its start; of a block that we do not model, the block."""
    pieces: dict[str, list[str]] = {}
    """Of such a block, what came in pieces, by the field that it belongs to."""
    begun: bool = False
    """Whether a call's arguments have come in pieces."""


class _Delta(Struct):
    """The piece of a block that we do not model."""

    delta: dict[str, Any]


_decode_delta = msgspec.json.Decoder(_Delta).decode


class AnthropicStreamDecoder(SseDecoder):
    """Decodes one streamed answer."""

    __slots__ = ("_blocks", "_calls", "_counted", "_discard_unknown", "_json_tool", "_type")

    end_marker = "message_stop"

    def __init__(self, provider: str, provider_type: str, *, json_tool: bool, discard_unknown: bool) -> None:
        """Start before the first byte."""
        super().__init__(provider)
        self._type = provider_type
        self._json_tool = json_tool
        self._discard_unknown = discard_unknown
        self._blocks: dict[int, _Block] = {}
        self._calls = {"json": 0, "tool": 0}
        self._counted = Raw()

    def _chunk(self, event: bytes) -> Chunk:
        try:
            found = _decode(event)
            return self._read(found, event)
        except UNREADABLE as error:
            raise self._unreadable(event, f"an event of the stream cannot be read: {error}") from None

    def _read(self, event: AnthropicEvent, raw: bytes) -> Chunk:
        match event.type:
            case "content_block_delta" if event.delta is not None:
                return Chunk(self._delta(event.index, event.delta, raw), raw=raw)
            case "content_block_start":
                return Chunk(self._start(event.index, event.content_block), raw=raw)
            case "content_block_stop":
                return Chunk(self._stop(event.index), raw=raw)
            case "message_start" if event.message is not None:
                message = event.message
                self._counted = message.usage
                usage = usage_of(message.usage)
                return Chunk((), usage, None, raw, message.model or None, None, message.id or None)
            case "message_delta":
                return self._message_delta(event.delta or _NOTHING, event.usage, raw)
            case "message_stop":
                self._finished = self._done = True
                return Chunk(raw=raw)
            case "error":
                raise self._unreadable(raw, "an event of the stream has an error that cannot be read")
            case _:
                # `ping`, and events of the future: the API's versioning policy says to skip them.
                return Chunk(raw=raw)

    def _message_delta(self, delta: AnswerDelta, usage: Raw, raw: bytes) -> Chunk:
        finish = finish_reason(delta.stop_reason)
        content: tuple[Delta, ...] = ()
        if finish is not None:
            self._finished = True
            # Blocks that nobody has ended: they are over now.
            content = tuple(piece for index in list(self._blocks) for piece in self._stop(index))
        detail = detail_of(delta.stop_details)
        # Its counts are running totals, but some stand in `message_start` alone.
        both = usage_of(Raw(_merged(self._counted, usage))) if has(usage) else None
        return Chunk(content, both, self._settled(finish), raw, finish_detail=detail)

    def _settled(self, finish: FinishReason | None) -> FinishReason | None:
        if finish == "tool_call" and self._calls["json"] and not self._calls["tool"]:
            return "stop"
        return finish

    def _start(self, index: int, raw: Raw) -> tuple[Delta, ...]:
        block = block_of(raw, self._type)
        own = str(index)
        match block:
            case Text(text):
                self._blocks[index] = _Block(own, "text")
                return (TextDelta(own, text),) if text else ()
            case Thought(text, signature):
                self._blocks[index] = _Block(own, "thought")
                return (ThoughtDelta(own, text, signature, self._type),)
            case ToolCall(id, name, arguments):
                return self._start_call(index, id or f"call_{index}", name, arguments)
            case Unknown(data):
                self._blocks[index] = _Block(own, "unknown", None if self._discard_unknown else data)
                return ()

    def _start_call(self, index: int, id: str, name: str, arguments: str) -> tuple[Delta, ...]:  # noqa: A002
        is_json = self._json_tool and name == JSON_TOOL
        self._calls["json" if is_json else "tool"] += 1
        self._blocks[index] = _Block(id, "json" if is_json else "tool", arguments)
        return () if is_json else (ToolCallDelta(id, "", name),)

    def _delta(self, index: int, delta: AnswerDelta, raw: bytes) -> tuple[Delta, ...]:
        block = self._blocks.get(index) or self._unbegun(index, delta, raw)
        match block.kind:
            case "text":
                return (TextDelta(block.id, delta.text),) if delta.text else ()
            case "thought":
                return (ThoughtDelta(block.id, delta.thinking, delta.signature or None, self._type),)
            case "unknown":
                _add(block, raw)
                return ()
            case kind:
                if not delta.partial_json:
                    return ()
                block.begun = True
                piece = delta.partial_json
                return (ToolCallDelta(block.id, piece) if kind == "tool" else TextDelta(block.id, piece),)

    def _unbegun(self, index: int, delta: AnswerDelta, raw: bytes) -> _Block:
        """Return a block whose start never came: what it would have said is in the pieces, but for a call's name.

        Raises:
            BadAnswer: the pieces are those of a call.
        """
        if delta.partial_json:
            raise self._unreadable(raw, f"the stream goes on with a call that it has not begun, at index {index}")
        block = _Block(str(index), _KINDS.get(delta.type or "", "unknown"))
        if block.kind != "unknown":
            self._blocks[index] = block
        return block

    def _stop(self, index: int) -> tuple[Delta, ...]:
        block = self._blocks.pop(index, None)
        if block is None:
            return ()
        if block.kind in ("tool", "json") and not block.begun:
            # A call without arguments: the whole answer would have `{}`.
            arguments = block.start or "{}"
            return (ToolCallDelta(block.id, arguments) if block.kind == "tool" else TextDelta(block.id, arguments),)
        if block.kind != "unknown" or block.start is None:
            return ()
        return (UnknownDelta(block.id, _whole(block)),)


_NOTHING = AnswerDelta()
_KINDS = {
    "text_delta": "text",
    "thinking_delta": "thought",
    "signature_delta": "thought",
}


def _merged(first: Raw, last: Raw) -> bytes:
    """Return one usage object made of two; what the last says counts."""
    start: Any = msgspec.json.decode(first) if has(first) else {}
    end = msgspec.json.decode(last)
    if not isinstance(start, dict) or not isinstance(end, dict):
        return bytes(last)
    said = {key: value for key, value in cast("dict[str, Any]", end).items() if value is not None}
    return msgspec.json.encode({**cast("dict[str, Any]", start), **said})


def _add(block: _Block, event: bytes) -> None:
    """Keep a piece of a block that we do not model: text grows, anything else takes the place of what was there."""
    if block.start is None:
        return
    for key, value in _decode_delta(event).delta.items():
        if key == "type" or value is None:
            continue
        if isinstance(value, str):
            block.pieces.setdefault("input" if key == "partial_json" else key, []).append(value)
        else:
            block.start[key] = value


def _whole(block: _Block) -> Any:
    """Return a block that we do not model as it would be in a whole answer."""
    data = block.start
    for key, pieces in block.pieces.items():
        text = "".join(pieces)
        if key == "input":
            data[key] = _input(text, data.get(key))
        else:
            before = data.get(key)
            data[key] = before + text if isinstance(before, str) else text
    return data


def _input(text: str, before: Any) -> Any:
    if not text:
        return before
    try:
        return _decode_any(text)
    except UNREADABLE:
        return text
