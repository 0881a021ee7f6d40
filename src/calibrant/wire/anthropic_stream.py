"""Streamed answers in Anthropic's dialect: one `message_start`, blocks, one `message_delta`, one `message_stop`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calibrant.base.errors import CalibrantError
from calibrant.types.answer import Answered, Head
from calibrant.types.reply import Chunk, Delta, TextDelta, ToolCallDelta, Usage
from calibrant.types.rows import ModelInferenceRow
from calibrant.wire.anthropic_answer import cost_fields, envelope, stop_reason, usage_body
from calibrant.wire.anthropic_blocks import Blocks, event
from calibrant.wire.error import encode_error
from calibrant.wire.raw import RawFields

__all__ = ["Events", "Frame"]

_PING = event("ping", {})
_STOP = event("message_stop", {})
_NOTHING = Usage()
_JSON = "json"


class Frame:
    """What all streams of the dialect have in common: how they begin and how they end."""

    __slots__ = ("_broken", "_head", "_raw", "_started")

    def __init__(self, head: Head) -> None:
        """Start before the first event."""
        self._head = head
        self._raw = RawFields.asked(head.request)
        self._started = False
        self._broken = False

    def chunk(self, chunk: Chunk) -> bytes:
        """Return the events of a chunk; a caller who wants what is raw gets one for every one of the provider's."""
        start = b"" if self._started else self._begin(chunk)
        self._started = True
        found = start + self._added(chunk)
        if self._raw is None or not chunk.raw:
            return found
        return self._raw.chunk(found or _PING, chunk)

    def preceding(self, calls: Sequence[ModelInferenceRow]) -> bytes:
        """Return the event that tells what is raw of the calls before the one that streams."""
        return b"" if self._raw is None else self._raw.preceding(_PING, calls)

    def final(self, answered: Answered) -> bytes:
        """Return the events that end what is open, and the one with stop reason and usage."""
        start = b"" if self._started else self._begin(Chunk())
        rest = self._rest()
        delta = event("message_delta", self._ending(answered))
        return start + rest + (delta if self._raw is None else self._raw.final(delta, answered.calls))

    def error(self, err: CalibrantError) -> bytes:
        """Return the event that says that the stream broke; nothing ends it after that."""
        self._broken = True
        return b"event: error\ndata: " + encode_error(err, "anthropic") + b"\n\n"

    def done(self) -> bytes:
        """Return the event that ends a whole stream."""
        return b"" if self._broken else _STOP

    def _begin(self, chunk: Chunk) -> bytes:
        return event("message_start", {"message": self._message(chunk.usage or _NOTHING)})

    def _message(self, usage: Usage) -> dict[str, Any]:
        return {
            **envelope(self._head),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_body(usage),
        }

    def _added(self, chunk: Chunk) -> bytes:
        """Return the events of a chunk once the stream has begun."""
        raise NotImplementedError

    def _rest(self) -> bytes:
        """Return the events that end what is open."""
        raise NotImplementedError

    def _ending(self, answered: Answered) -> dict[str, Any]:
        """Return the fields of `message_delta`."""
        raise NotImplementedError


class Events(Frame):
    """Writes what a provider of another dialect answers."""

    __slots__ = ("_blocks",)

    def __init__(self, head: Head) -> None:
        """Start before the first event."""
        super().__init__(head)
        self._blocks = Blocks()

    def _added(self, chunk: Chunk) -> bytes:
        if not chunk.content:
            return b""
        if self._head.function_type == "chat":
            return b"".join([self._blocks.add(delta) for delta in chunk.content])
        return b"".join([self._blocks.add(TextDelta(_JSON, _text(delta))) for delta in chunk.content])

    def _rest(self) -> bytes:
        return self._blocks.end()

    def _ending(self, answered: Answered) -> dict[str, Any]:
        reason = stop_reason(answered.finish_reason, calls=self._blocks.called, head=self._head)
        return {
            "delta": {"stop_reason": reason, "stop_sequence": None},
            "usage": {**usage_body(answered.usage), **cost_fields(answered.cost, self._head)},
        }


def _text(delta: Delta) -> str:
    if isinstance(delta, TextDelta):
        return delta.text
    # A JSON function that is served by a tool call has its text in the call's arguments.
    return delta.raw_arguments if isinstance(delta, ToolCallDelta) else ""
