"""The blocks of a streamed answer while they are open: what each is, and what is owed when it ends.

A call without arguments gets `{}`, reasoning that only the provider can read and blocks that we do not model come
whole when they end, as a whole answer has them.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct

from calibrant.apischema.bedrock_answer import AnswerToolUse, ReasoningDelta
from calibrant.base.errors import BadAnswer
from calibrant.providers.base import JSON_TOOL
from calibrant.providers.bedrock_answer import NO_ARGUMENTS
from calibrant.providers.chat_answer import unique_id
from calibrant.providers.eventstream import MAX_MESSAGE_BYTES
from calibrant.types.reply import Delta, TextDelta, ThoughtDelta, ToolCallDelta, UnknownDelta

__all__ = ["OpenBlocks"]

_decode = msgspec.json.Decoder().decode
_MAX_OPEN = 256
_Kind = Literal["call", "json", "thought", "unknown"]


class _Block(Struct):
    """An open block."""

    kind: _Kind
    id: str
    spoke: bool = False
    """Whether anything of it has been passed on."""
    redacted: bytes = b""
    start: dict[str, Any] = {}
    """How a block that we do not model began."""
    pieces: list[Any] = []


class OpenBlocks:
    """Every block that has begun and not ended."""

    __slots__ = ("_blocks", "_calls", "_discard_unknown", "_held", "_json", "_json_tool", "_taken", "_type")

    def __init__(self, provider_type: str, *, json_tool: bool, discard_unknown: bool) -> None:
        """Start with none."""
        self._type = provider_type
        self._json_tool = json_tool
        self._discard_unknown = discard_unknown
        self._blocks: dict[int, _Block] = {}
        self._taken: set[str] = set()
        self._calls = 0
        self._json = 0
        self._held = 0

    @property
    def only_json(self) -> bool:
        """Whether the JSON tool was called and no other."""
        return self._json > 0 and self._calls == 0

    def start_call(self, index: int, use: AnswerToolUse) -> list[Delta]:
        """Begin a tool call."""
        own = unique_id(use.tool_use_id, self._taken, index)
        if self._json_tool and use.name == JSON_TOOL:
            self._json += 1
            self._add(index, _Block("json", own))
            return []
        self._calls += 1
        self._add(index, _Block("call", own))
        return [ToolCallDelta(own, "", use.name or "")]

    def start_unknown(self, index: int, start: dict[str, Any]) -> None:
        """Begin a block that we do not model, such as the call of a tool that the provider runs itself."""
        self._add(index, _Block("unknown", f"unknown_{index}", start=start))

    def arguments(self, index: int, piece: str) -> list[Delta]:
        """Take a piece of a call's arguments."""
        block = self._blocks.get(index)
        deltas: list[Delta] = []
        if block is None or block.kind == "thought":
            # A call whose beginning never came still has arguments.
            deltas = self.start_call(index, AnswerToolUse())
            block = self._blocks[index]
        if block.kind == "unknown":
            self._keep(block, {"toolUse": {"input": piece}}, len(piece))
        elif piece:
            block.spoke = True
            deltas.append(TextDelta(block.id, piece) if block.kind == "json" else ToolCallDelta(block.id, piece))
        return deltas

    def reasoning(self, index: int, piece: ReasoningDelta) -> list[Delta]:
        """Take a piece of reasoning."""
        block = self._blocks.get(index)
        if block is None or block.kind != "thought":
            block = self._add(index, _Block("thought", str(index)))
        if piece.redacted_content:
            self._redacted(block, piece.redacted_content)
        if not piece.text and not piece.signature:
            return []
        # A thought of which only the signature is shown is one without words; without text it would be a redacted one.
        text = piece.text or (None if block.spoke else "")
        block.spoke = True
        return [ThoughtDelta(block.id, text, piece.signature or None, self._type)]

    def unknown(self, index: int, delta: dict[str, Any], size: int) -> list[Delta]:
        """Take a piece of a block that we do not model."""
        if not delta:
            return []
        block = self._blocks.get(index)
        if block is None or block.kind != "unknown":
            block = self._add(index, _Block("unknown", f"unknown_{index}"))
        self._keep(block, delta, size)
        return []

    def stop(self, index: int) -> list[Delta]:
        """End a block."""
        block = self._blocks.pop(index, None)
        return [] if block is None else self._end(block)

    def stop_all(self) -> list[Delta]:
        """End every block that is still open."""
        return [delta for index in list(self._blocks) for delta in self.stop(index)]

    def _add(self, index: int, block: _Block) -> _Block:
        if len(self._blocks) >= _MAX_OPEN:
            raise BadAnswer(f"the stream has more than {_MAX_OPEN} blocks open")
        self._blocks[index] = block
        return block

    def _end(self, block: _Block) -> list[Delta]:
        if block.kind == "call":
            return [] if block.spoke else [ToolCallDelta(block.id, NO_ARGUMENTS)]
        if block.kind == "json":
            return [] if block.spoke else [TextDelta(block.id, NO_ARGUMENTS)]
        if block.kind == "thought":
            if block.spoke or not block.redacted:
                return []
            signature = b64encode(block.redacted).decode()
            self._held -= len(block.redacted)
            return [ThoughtDelta(block.id, None, signature, self._type)]
        return [] if self._discard_unknown else [UnknownDelta(block.id, _assembled(block))]

    def _redacted(self, block: _Block, piece: str) -> None:
        try:
            # The pieces are bytes, and base64 of each is no base64 of the whole.
            data = b64decode(piece, validate=True)
        except (Base64Error, ValueError):
            raise BadAnswer("redacted reasoning is not base64") from None
        self._hold(len(data))
        block.redacted += data

    def _keep(self, block: _Block, piece: Any, size: int) -> None:
        if self._discard_unknown:
            return
        self._hold(size)
        block.pieces.append(piece)

    def _hold(self, size: int) -> None:
        self._held += size
        if self._held > MAX_MESSAGE_BYTES:
            raise BadAnswer(f"blocks of the stream are larger than {MAX_MESSAGE_BYTES} bytes")


def _assembled(block: _Block) -> dict[str, Any]:
    """Return a block as a whole answer has it: what its start said, with the pieces put in their place."""
    whole: dict[str, Any] = {kind: dict(_object(value)) for kind, value in block.start.items()}
    for piece in block.pieces:
        for kind, value in _object(piece).items():
            _put(whole.setdefault(kind, {}), value)
    tool = whole.get("toolUse")
    if isinstance(tool, dict):
        tool["input"] = _parsed(cast("dict[str, Any]", tool).get("input"))
    return whole


def _put(into: dict[str, Any], value: Any) -> None:
    if isinstance(value, list):
        # A tool's result comes as a list of pieces of its content.
        into["content"] = [*into.get("content", ()), *cast("list[Any]", value)]
        return
    for name, part in _object(value).items():
        before = into.get(name)
        into[name] = before + part if isinstance(before, str) and isinstance(part, str) else part


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _parsed(text: Any) -> Any:
    if not isinstance(text, str) or not text.strip():
        return {}
    try:
        return _decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
