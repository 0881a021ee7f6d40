"""What every decoder of AWS's event streams does alike: it keeps good chunks, and tells errors from events.

A dialect says what one event means (`_event`) and whether the answer is whole (`_whole`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from calibrant.base.errors import BadAnswer, ProviderError, Truncated
from calibrant.providers.aws_refusal import aws_refusal_in, refused_in_stream
from calibrant.providers.eventstream import EventMessage, MessageParser
from calibrant.providers.refusal import bad_answer
from calibrant.types.reply import Chunk

__all__ = ["EventStreamDecoder"]

_HEAD_BYTES = 4096
"""How much of an answer that is no event stream is kept to say what it was."""
_HIGHEST_FIRST_BYTE = 1
"""A stream starts with a length, and that of the largest message starts with this byte."""
_STREAM_OK = 200


class EventStreamDecoder(ABC):
    """Decodes one streamed answer."""

    __slots__ = ("_failure", "_fresh", "_messages", "_provider", "_text")

    def __init__(self, provider: str) -> None:
        """Start before the first byte."""
        self._provider = provider
        self._messages = MessageParser()
        self._failure: ProviderError | None = None
        self._fresh = True
        self._text: bytes | None = None
        """The answer's head, where it is no event stream."""

    @abstractmethod
    def _event(self, kind: str, payload: bytes) -> list[Chunk]:
        """Return what an event means.

        Raises:
            Refused: the event is an error.
            BadAnswer: it cannot be read.
        """

    @abstractmethod
    def _whole(self) -> bool:
        """Return whether the answer has come to its end."""

    def _rest(self) -> list[Chunk]:
        """Return what was held back until the stream is over."""
        return []

    def feed(self, data: bytes) -> list[Chunk]:
        """Return the chunks that these bytes complete.

        Raises:
            Refused: the provider sent an error.
            BadAnswer: what came is not what the protocol promises.
        """
        if self._failure is not None:
            raise self._failure
        if self._fresh and data:
            self._fresh = False
            if data[0] > _HIGHEST_FIRST_BYTE:
                self._text = b""
        if self._text is not None:
            self._text += data[: _HEAD_BYTES - len(self._text)]
            return []
        try:
            messages = self._messages.feed(data)
        except BadAnswer as fault:
            raise self._broken(fault) from None
        return self._chunks(messages)

    def close(self) -> list[Chunk]:
        """Return what was held back.

        Raises:
            Truncated: the answer never came to its end.
            Refused, BadAnswer: as for `feed`.
        """
        if self._failure is not None:
            raise self._failure
        if self._text is not None:
            raise aws_refusal_in(self._provider, self._text) or bad_answer(
                self._provider, _STREAM_OK, self._text, "the answer is not an event stream"
            )
        try:
            self._messages.close()
        except BadAnswer as fault:
            raise self._broken(fault) from None
        rest = self._rest()
        if not self._whole():
            raise Truncated(f"provider {self._provider!r}: the stream ended without the end of the message")
        return rest

    def _broken(self, fault: BadAnswer) -> ProviderError:
        self._failure = bad_answer(self._provider, _STREAM_OK, b"", fault.message)
        return self._failure

    def _chunks(self, messages: list[EventMessage]) -> list[Chunk]:
        chunks: list[Chunk] = []
        for message in messages:
            try:
                chunks += self._message(message)
            except ProviderError as error:
                self._failure = error
                if chunks:
                    break
                raise
        return chunks

    def _message(self, message: EventMessage) -> list[Chunk]:
        headers = message.headers
        kind = headers.get(":message-type")
        if kind == "exception":
            raise refused_in_stream(self._provider, str(headers.get(":exception-type", "")), message.payload)
        if kind == "error":
            raise refused_in_stream(
                self._provider,
                str(headers.get(":error-code", "")),
                message.payload,
                str(headers.get(":error-message", "")),
            )
        return self._event(str(headers.get(":event-type", "")), message.payload)
