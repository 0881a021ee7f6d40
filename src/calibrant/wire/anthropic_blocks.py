"""Pieces of blocks, in whatever order a provider sends them, as Anthropic's events: one block after the other.

A block ends when another begins. Only calls may come in mixed pieces, since servers stream parallel calls that way:
while the arguments of the one that is open are no whole object yet, what belongs to others is kept back. Text or
reasoning that goes on after something else came between goes on in a block of its own.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from calibrant.types.content import Thought
from calibrant.types.reply import Delta, TextDelta, ThoughtDelta, ToolCallDelta, UnknownDelta
from calibrant.wire import anthropic_thought
from calibrant.wire.anthropic_answer import foreign
from calibrant.wire.call_order import Arguments

__all__ = ["Blocks", "event"]

_json = msgspec.json.Encoder().encode


def event(kind: str, fields: dict[str, Any]) -> bytes:
    """Return one event of a stream."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _json({"type": kind, **fields}))


class _Text(Struct):
    """A text that is open."""


class _Call(Struct):
    """A call that is open."""

    id: str
    name: str = ""
    arguments: Arguments = msgspec.field(default_factory=Arguments)
    told: bool = False
    """Whether its start has been sent; it needs the name."""

    def complete(self) -> bool:
        """Return whether nothing can be missing from it."""
        return self.told and self.arguments.whole()


class _Reasoning(Struct):
    """A thought that is open."""

    text: str | None = None
    signatures: list[str] = []
    provider_type: str | None = None
    summary: dict[str, list[str]] = {}
    extra_data: Any = None
    told: bool = False
    empty: str | None = None
    """The id of the first text without a character that came after it."""

    def piece(self, delta: ThoughtDelta) -> str:
        """Keep a piece, and return what of it a reader sees."""
        self.provider_type = self.provider_type or delta.provider_type
        if delta.signature:
            self.signatures.append(delta.signature)
        if delta.extra_data is not None:
            self.extra_data = delta.extra_data
        if delta.text is not None:
            self.text = (self.text or "") + delta.text
        if delta.summary_text is None:
            return delta.text or ""
        paragraph = delta.summary_id or ""
        start = "" if paragraph in self.summary or not self.summary else anthropic_thought.BREAK
        self.summary.setdefault(paragraph, []).append(delta.summary_text)
        return delta.text or start + delta.summary_text

    def thought(self) -> Thought:
        """Return the whole."""
        summary = [{"type": "summary_text", "text": "".join(text)} for text in self.summary.values()]
        signature = "".join(self.signatures) or None
        return Thought(self.text, signature, summary or None, self.provider_type, self.extra_data)


_Key = tuple[type[Delta], str]


class Blocks:
    """The blocks of one streamed answer."""

    __slots__ = ("_called", "_index", "_key", "_open", "_waiting")

    def __init__(self) -> None:
        """Start with no block."""
        self._open: _Text | _Call | _Reasoning | None = None
        self._key: _Key | None = None
        self._index = 0
        self._called: set[str] = set()
        self._waiting: dict[_Key, list[Delta]] = {}

    @property
    def called(self) -> bool:
        """Whether the answer has a call."""
        return bool(self._called)

    def add(self, delta: Delta) -> bytes:
        """Return the events that a piece makes; empty where it says nothing, or has to wait."""
        key: _Key = (type(delta), delta.id)
        if isinstance(self._open, _Call) and key != self._key and not self._open.complete():
            self._waiting.setdefault(key, []).append(delta)
            return b""
        out = self._put(key, delta)
        while self._waiting and not (isinstance(self._open, _Call) and not self._open.complete()):
            first = next(iter(self._waiting))
            out += b"".join([self._put(first, each) for each in self._waiting.pop(first)])
        return out

    def end(self) -> bytes:
        """Return the events that end what is open, and say what had to wait."""
        out = self._close()
        for key, deltas in self._waiting.items():
            # What is open closes with the next one: only then is it known what came after it.
            out += b"".join([self._put(key, each) for each in deltas])
        self._waiting = {}
        return out + self._close()

    def _put(self, key: _Key, delta: Delta) -> bytes:
        if key == self._key and self._open is not None:
            return self._go_on(delta)
        if isinstance(delta, TextDelta) and not delta.text:
            if isinstance(self._open, _Reasoning) and self._open.text is None and self._open.empty is None:
                self._open.empty = delta.id
            return b""
        if isinstance(self._open, _Reasoning) and isinstance(delta, TextDelta) and delta.id == self._open.empty:
            # The text that began empty is none that stays so.
            self._open.empty = None
        if isinstance(delta, ToolCallDelta) and delta.id in self._called:
            # Its arguments were whole, so nothing but white space can follow.
            return b""
        out = self._close()
        self._key = key
        match delta:
            case TextDelta():
                self._open = _Text()
                return out + self._start({"type": "text", "text": ""}) + self._go_on(delta)
            case ToolCallDelta():
                self._called.add(delta.id)
                self._open = _Call(delta.id)
                return out + self._go_on(delta)
            case ThoughtDelta():
                self._open = _Reasoning()
                return out + self._go_on(delta)
            case UnknownDelta():
                return out + self._start(foreign(delta.data)) + self._stop()

    def _go_on(self, delta: Delta) -> bytes:
        block = self._open
        if isinstance(delta, TextDelta):
            return self._delta({"type": "text_delta", "text": delta.text}) if delta.text else b""
        if isinstance(delta, ToolCallDelta) and isinstance(block, _Call):
            return self._call(block, delta)
        if isinstance(delta, ThoughtDelta) and isinstance(block, _Reasoning):
            return self._thought(block, delta)
        return b""

    def _call(self, block: _Call, delta: ToolCallDelta) -> bytes:
        block.arguments.add(delta.raw_arguments)
        if block.told:
            return self._arguments(delta.raw_arguments)
        if not delta.raw_name:
            return b""
        block.name = delta.raw_name
        return self._begin(block)

    def _begin(self, block: _Call) -> bytes:
        block.told = True
        start = self._start({"type": "tool_use", "id": block.id, "name": block.name, "input": {}})
        return start + self._arguments(str(block.arguments))

    def _arguments(self, piece: str) -> bytes:
        return self._delta({"type": "input_json_delta", "partial_json": piece}) if piece else b""

    def _thought(self, block: _Reasoning, delta: ThoughtDelta) -> bytes:
        seen = block.piece(delta)
        if not seen:
            return b""
        start = b"" if block.told else self._start({"type": "thinking", "thinking": "", "signature": ""})
        block.told = True
        return start + self._delta({"type": "thinking_delta", "thinking": seen})

    def _close(self) -> bytes:
        block = self._open
        self._open = self._key = None
        match block:
            case None:
                return b""
            case _Call():
                return (b"" if block.told else self._begin(block)) + self._stop()
            case _Reasoning():
                return self._end_of_thought(block)
            case _Text():
                return self._stop()

    def _end_of_thought(self, block: _Reasoning) -> bytes:
        opaque = anthropic_thought.sealed(block.thought(), alone=block.empty is not None)
        if not block.told and not opaque:
            return b""
        if not block.told and block.text is None:
            return self._start({"type": "redacted_thinking", "data": opaque}) + self._stop()
        start = b"" if block.told else self._start({"type": "thinking", "thinking": "", "signature": ""})
        # In one piece: clients keep the last one and do not join them.
        signed = self._delta({"type": "signature_delta", "signature": opaque}) if opaque else b""
        return start + signed + self._stop()

    def _start(self, block: dict[str, Any]) -> bytes:
        return event("content_block_start", {"index": self._index, "content_block": block})

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return event("content_block_delta", {"index": self._index, "delta": delta})

    def _stop(self) -> bytes:
        self._index += 1
        return event("content_block_stop", {"index": self._index - 1})
