"""The stream of a provider that speaks Anthropic's dialect itself: its events pass as they are.

What is ours are the message's id and model, the cost, and the framing: one `message_start`, one `message_delta`,
one `message_stop`, whatever the provider sends; and the end waits until the inference has been recorded.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from calibrant.types.answer import Answered, Head
from calibrant.types.reply import Chunk, Usage
from calibrant.wire.anthropic_answer import cost_fields, envelope, stop_reason, usage_body
from calibrant.wire.anthropic_blocks import event
from calibrant.wire.anthropic_stream import Frame

__all__ = ["Relay"]

_NOTHING = Raw(b"{}")


class _Delta(Struct, frozen=True):
    type: str = ""


class _Event(Struct, frozen=True):
    type: str = ""
    index: int = -1
    message: dict[str, Raw] | None = None
    delta: Raw = _NOTHING
    usage: Raw = _NOTHING


_decode = msgspec.json.Decoder(_Event).decode
_delta = msgspec.json.Decoder(_Delta).decode
_fields = msgspec.json.Decoder(dict[str, Raw])
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_EMPTY: dict[str, dict[str, Any]] = {
    "text_delta": {"type": "text", "text": ""},
    "thinking_delta": {"type": "thinking", "thinking": "", "signature": ""},
    "signature_delta": {"type": "thinking", "thinking": "", "signature": ""},
}
"""How a block begins whose beginning the provider left out."""


class Relay(Frame):
    """Passes one stream on."""

    __slots__ = ("_delta", "_fields", "_indexes", "_usage")

    def __init__(self, head: Head) -> None:
        """Start before the first event."""
        super().__init__(head)
        self._indexes: dict[int, None] = {}
        self._delta: dict[str, Raw] = {}
        self._usage: dict[str, Raw] = {}
        self._fields: dict[str, Raw] = {}

    def _begin(self, chunk: Chunk) -> bytes:
        found = self._read(chunk.raw)
        if found is None or found.message is None:
            return super()._begin(chunk)
        usage = {**usage_body(chunk.usage or Usage()), **_object(found.message.get("usage", _NOTHING))}
        return event("message_start", {"message": {**found.message, **envelope(self._head), "usage": usage}})

    def _added(self, chunk: Chunk) -> bytes:
        found = self._read(chunk.raw)
        if found is None:
            return b""
        match found.type:
            case "message_start" | "message_stop" | "error" | "message" | "":
                return b""
            case "message_delta":
                self._keep(found, chunk.raw)
                return b""
            case "content_block_start":
                self._indexes[found.index] = None
                return _passed(found.type, chunk.raw)
            case "content_block_delta" if found.index not in self._indexes:
                self._indexes[found.index] = None
                return self._unbegun(found) + _passed(found.type, chunk.raw)
            case "content_block_stop":
                ended = found.index in self._indexes
                self._indexes.pop(found.index, None)
                return _passed(found.type, chunk.raw) if ended else b""
            case _:
                return _passed(found.type, chunk.raw)

    def _rest(self) -> bytes:
        return b"".join([event("content_block_stop", {"index": index}) for index in self._indexes])

    def _ending(self, answered: Answered) -> dict[str, Any]:
        reason = stop_reason(answered.finish_reason, calls=False, head=self._head)
        counted = {"output_tokens": usage_body(answered.usage)["output_tokens"]}
        return {
            **self._fields,
            "delta": {"stop_reason": reason, "stop_sequence": None, **self._delta},
            "usage": {**counted, **self._usage, **cost_fields(answered.cost, self._head)},
        }

    def _keep(self, found: _Event, raw: bytes) -> None:
        """Keep what a `message_delta` says: there may be more than one, and totals grow."""
        self._delta |= _object(found.delta)
        self._usage |= _object(found.usage)
        self._fields |= {
            key: value for key, value in _fields.decode(raw).items() if key not in _Event.__struct_fields__
        }

    def _unbegun(self, found: _Event) -> bytes:
        block = _EMPTY.get(_delta(found.delta).type, _EMPTY["text_delta"])
        return event("content_block_start", {"index": found.index, "content_block": block})

    def _read(self, raw: bytes) -> _Event | None:
        try:
            return _decode(raw) if raw else None
        except _UNREADABLE:
            # The provider's codec has let it pass, so nothing hangs on it.
            return None


def _object(raw: Raw) -> dict[str, Raw]:
    try:
        return _fields.decode(raw)
    except _UNREADABLE:
        return {}


def _passed(kind: str, raw: bytes) -> bytes:
    # Line breaks in JSON are white space.
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), raw.replace(b"\r", b" ").replace(b"\n", b" "))
