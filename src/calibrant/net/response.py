"""An answer: what the connection has received of it, and the reading of its body.

The connection fills it and settles it; the caller reads it. It does not parse and knows no socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from calibrant.base.errors import CalibrantError, Disconnected
from calibrant.net.encoding import Decoder, decoder_for
from calibrant.net.settings import ClientSettings
from calibrant.types.call import Headers

__all__ = ["Answer", "Line"]


class Line(Protocol):
    """The connection that an answer comes in on."""

    def resume(self) -> None:
        """Read on, after too much lay unread."""
        ...

    def drop(self) -> None:
        """Close at once."""
        ...


class Answer:
    """Implements `types.call.Response`.

    `settled` is the one future of a call: it is done when the whole answer has come, or, for a
    stream, when its head has.
    """

    __slots__ = (
        "_arrival",
        "_settings",
        "bodiless",
        "complete",
        "error",
        "headers",
        "label",
        "line",
        "pieces",
        "settled",
        "status",
        "stream",
        "unread",
    )

    def __init__(
        self,
        label: str,
        *,
        stream: bool,
        bodiless: bool,
        settled: asyncio.Future[None],
        settings: ClientSettings,
    ) -> None:
        """Start an answer of which nothing has come.

        Args:
            label: Method and URL, for messages.
            stream: Whether the caller reads piece by piece.
            bodiless: Whether it answers a HEAD, so that no body follows whatever its head says.
            settled: A new future.
            settings: The limits.
        """
        self.status = 0
        self.headers: Headers = ()
        self.label = label
        self.stream = stream
        self.bodiless = bodiless
        self.settled = settled
        self.complete = False
        self.error: CalibrantError | None = None
        self.pieces: list[bytes] = []
        self.unread = 0
        """Bytes on the wire since the caller last took what there was."""
        self.line: Line | None = None
        """Null once the connection has gone its own way."""
        self._arrival: asyncio.Future[None] | None = None
        self._settings = settings

    async def read(self) -> bytes:
        """Return the whole body, decompressed.

        Raises:
            Disconnected: the connection broke first.
            BadAnswer: the body is too long, or cannot be decompressed.
            InferenceTimeout: the deadline passed first.
        """
        if self.stream:
            return b"".join([piece async for piece in self.chunks()])
        pieces = self.pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        decoder = self._decoder() if body else None
        if decoder is None:
            return body
        body = b"".join(decoder.feed(body))
        decoder.finish()
        return body

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, decompressed. Leaving the iteration early closes the connection.

        Raises:
            Disconnected: the connection broke; what came before it has been yielded.
            BadAnswer: the body is too long, or cannot be decompressed.
            InferenceTimeout: a deadline passed.
        """
        try:
            decoder = self._decoder()
            while True:
                if self.pieces:
                    data = self._take()
                    if decoder is None:
                        yield data
                    else:
                        for piece in decoder.feed(data):
                            yield piece
                elif self.error is not None:
                    raise self.error
                elif self.complete:
                    break
                else:
                    await self._wait()
            if decoder is not None:
                decoder.finish()
        finally:
            self.close()

    def close(self) -> None:
        """Give the connection up: one with an unread body on it cannot serve another call."""
        line = self.line
        if line is not None:
            self.line = None
            self.error = Disconnected(f"the answer to {self.label} was given up before its end")
            line.drop()
            if self._arrival is not None:
                # Somebody else than its reader gave it up: the reader must see the end.
                self.arrived()

    def arrived(self) -> None:
        """Wake the caller: there is more to read, or an end to see."""
        settled = self.settled
        if not settled.done():
            settled.set_result(None)
        elif self._arrival is not None:
            if not self._arrival.done():
                self._arrival.set_result(None)
            self._arrival = None

    def fail(self, error: CalibrantError) -> None:
        """Settle the answer with an error; a stream yields what came before it first."""
        self.line = None
        self.error = error
        if not self.settled.done():
            self.settled.set_exception(error)
        else:
            self.arrived()

    def _take(self) -> bytes:
        pieces = self.pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.unread = 0
        if self.line is not None:
            self.line.resume()
        return data

    async def _wait(self) -> None:
        self._arrival = asyncio.get_running_loop().create_future()
        await self._arrival

    def _decoder(self) -> Decoder | None:
        return decoder_for(
            self.headers,
            max_bytes=self._settings.max_response_bytes,
            max_expansion=self._settings.max_expansion,
        )
