"""What every decoder of server-sent events does alike: it cuts, keeps good chunks, and tells how a stream ended.

A dialect says what one event means (`_chunk`), and sets `_finished` once the answer is whole and `_done` once nothing
more may follow.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from calibrant.base.errors import BadAnswer, ProviderError, Refused, Truncated
from calibrant.providers.refusal import bad_answer, refusal_in
from calibrant.providers.sse import EventParser
from calibrant.types.reply import Chunk

__all__ = ["SseDecoder"]

_HEAD_BYTES = 4096
"""How much of an answer that is no event stream is kept to say what it was."""


class SseDecoder(ABC):
    """Decodes one streamed answer."""

    __slots__ = ("_done", "_events", "_failure", "_finished", "_head", "_provider")

    end_marker = "its end"
    """What the stream has to bring to be whole, for the message where it does not."""

    def __init__(self, provider: str) -> None:
        """Start before the first byte."""
        self._provider = provider
        self._events = EventParser()
        self._head: bytes | None = b""
        self._finished = False
        self._done = False
        self._failure: ProviderError | None = None

    @abstractmethod
    def _chunk(self, event: bytes) -> Chunk | None:
        """Return what an event means; null where it is the end marker and nothing else.

        Raises:
            Refused: the event is an error.
            BadAnswer: it cannot be read.
        """

    def _rest(self) -> Chunk | None:
        """Return what was held back until the stream is over."""
        return None

    def feed(self, data: bytes) -> list[Chunk]:
        """Return the chunks that these bytes complete.

        Raises:
            Refused: the provider sent an error.
            BadAnswer: what came is not what the protocol promises.
        """
        if self._failure is not None:
            raise self._failure
        if self._head is not None and len(self._head) < _HEAD_BYTES:
            self._head += data[:_HEAD_BYTES]
        try:
            events = self._events.feed(data)
        except BadAnswer as error:
            self._failure = bad_answer(self._provider, 200, b"", error.message)
            raise self._failure from None
        return self._chunks(events)

    def close(self) -> list[Chunk]:
        """Return what was held back.

        Raises:
            Truncated: the answer never came to its end.
            Refused, BadAnswer: as for `feed`.
        """
        if self._failure is not None:
            raise self._failure
        last = self._events.close()
        chunks = self._last(last) if last is not None and not self._done else []
        rest = self._rest()
        if rest is not None:
            chunks.append(rest)
        if not self._finished and not self._done:
            raise self._broken_off()
        return chunks

    def _last(self, event: bytes) -> list[Chunk]:
        try:
            return self._chunks([event])
        except BadAnswer:
            # Without the blank line after it, an event that cannot be read was cut rather than wrong.
            self._failure = None
            return []

    def _broken_off(self) -> ProviderError:
        head = (self._head or b"").strip()
        if not head:
            return Truncated(f"provider {self._provider!r}: the stream ended without {self.end_marker}")
        return refusal_in(self._provider, 200, head) or bad_answer(
            self._provider, 200, head, "the answer is not an event stream"
        )

    def _chunks(self, events: list[bytes]) -> list[Chunk]:
        chunks: list[Chunk] = []
        for event in events:
            self._head = None
            if self._done:
                break
            try:
                chunk = self._chunk(event)
            except (BadAnswer, Refused) as error:
                self._failure = error
                if chunks:
                    break
                raise
            if chunk is not None:
                chunks.append(chunk)
        return chunks

    def _unreadable(self, event: bytes, why: str) -> ProviderError:
        return refusal_in(self._provider, 200, event) or bad_answer(self._provider, 200, event, why)
