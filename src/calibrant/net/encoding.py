"""Undoing Content-Encoding: gzip, deflate, br and zstd, piece by piece and never past a limit.

A few kilobytes can unpack to gigabytes, so nothing here unpacks more than one step at a time, and the whole
is bounded both in bytes and in proportion to what was sent.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol, cast

import brotli

from calibrant.base.errors import BadAnswer
from calibrant.types.call import Headers

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["Decoder", "decoder_for"]

_STEP = 256 * 1024
_FREE = 2**20
"""Output below this is never held against the expansion limit: short texts may repeat a lot."""


class _Codec(Protocol):
    def unpack(self, data: bytes) -> Iterator[bytes]: ...

    @property
    def whole(self) -> bool: ...


class _Zlib:
    """gzip (of several members, as the format allows) and deflate."""

    def __init__(self, make: Callable[[bytes], zlib._Decompress]) -> None:  # pyright: ignore[reportPrivateUsage]
        self._make = make
        self._inner: zlib._Decompress | None = None  # pyright: ignore[reportPrivateUsage]

    def unpack(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._inner is None or self._inner.eof:
                self._inner = self._make(data)
            inner = self._inner
            piece = inner.decompress(data, _STEP)
            if piece:
                yield piece
            data = inner.unused_data if inner.eof else inner.unconsumed_tail
        # A full step may leave output inside the decompressor with no input left to show for it.
        while self._inner is not None and not self._inner.eof:
            piece = self._inner.decompress(b"", _STEP)
            if not piece:
                return
            yield piece

    @property
    def whole(self) -> bool:
        return self._inner is not None and self._inner.eof


class _BrotliDecompressor(Protocol):
    """What the brotli package's own class offers; the package ships no types."""

    def process(self, data: bytes, *, output_buffer_limit: int) -> bytes: ...
    def is_finished(self) -> bool: ...
    def can_accept_more_data(self) -> bool: ...


class _Brotli:
    def __init__(self) -> None:
        self._inner = cast("_BrotliDecompressor", brotli.Decompressor())  # pyright: ignore[reportUnknownMemberType]

    def unpack(self, data: bytes) -> Iterator[bytes]:
        while True:
            piece = self._inner.process(data, output_buffer_limit=_STEP)
            if piece:
                yield piece
            # After a full step there may be more inside, whatever the decompressor says of its input.
            if len(piece) < _STEP and (self._inner.is_finished() or self._inner.can_accept_more_data()):
                return
            data = b""

    @property
    def whole(self) -> bool:
        return self._inner.is_finished()


class _Zstd:
    def __init__(self) -> None:
        self._inner = zstd.ZstdDecompressor()

    def unpack(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._inner.eof:
                if not data:
                    return
                self._inner = zstd.ZstdDecompressor()
            piece = self._inner.decompress(data, _STEP)
            if piece:
                yield piece
            if self._inner.eof:
                data = self._inner.unused_data
            elif self._inner.needs_input:
                return
            else:
                data = b""

    @property
    def whole(self) -> bool:
        return self._inner.eof


def _gzip(_: bytes) -> zlib._Decompress:  # pyright: ignore[reportPrivateUsage]
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def _deflate(data: bytes) -> zlib._Decompress:  # pyright: ignore[reportPrivateUsage]
    # "deflate" means a zlib stream, but some servers send the raw one; the low four bits tell.
    return zlib.decompressobj(zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS)


_CODECS: dict[str, Callable[[], _Codec]] = {
    "gzip": lambda: _Zlib(_gzip),
    "x-gzip": lambda: _Zlib(_gzip),
    "deflate": lambda: _Zlib(_deflate),
    "br": _Brotli,
    "zstd": _Zstd,
}
_BROTLI_ERROR = cast("type[Exception]", brotli.error)  # pyright: ignore[reportUnknownMemberType]
_FAULTS = (zlib.error, _BROTLI_ERROR, zstd.ZstdError, EOFError)


class Decoder:
    """Undoes one Content-Encoding of one body."""

    __slots__ = ("_codec", "_max_bytes", "_max_expansion", "_name", "_packed", "_unpacked")

    def __init__(self, name: str, *, max_bytes: int, max_expansion: int) -> None:
        """Start at the beginning of a body.

        Raises:
            BadAnswer: the encoding is not one that can be undone.
        """
        make = _CODECS.get(name)
        if make is None:
            raise BadAnswer(f"the answer's Content-Encoding {name[:40]!r} is not one of {', '.join(_CODECS)}")
        self._name = name
        self._codec = make()
        self._max_bytes = max_bytes
        self._max_expansion = max_expansion
        self._packed = 0
        self._unpacked = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what more of the compressed body gives.

        Raises:
            BadAnswer: the data is corrupt, or gives more than the limits allow.
        """
        self._packed += len(data)
        try:
            for piece in self._codec.unpack(data):
                self._unpacked += len(piece)
                self._check()
                yield piece
        except _FAULTS as fault:
            raise BadAnswer(f"the answer's {self._name} body is corrupt: {fault}") from fault

    def finish(self) -> None:
        """Check that the body ended where its encoding ends.

        Raises:
            BadAnswer: it is cut short.
        """
        if self._packed and not self._codec.whole:
            raise BadAnswer(f"the answer's {self._name} body is cut short")

    def _check(self) -> None:
        if self._unpacked > self._max_bytes:
            raise BadAnswer(f"the answer's {self._name} body unpacks to more than {self._max_bytes} bytes")
        if self._unpacked > _FREE and self._unpacked > self._packed * self._max_expansion:
            raise BadAnswer(f"the answer's {self._name} body unpacks to more than {self._max_expansion} times its size")


def decoder_for(headers: Headers, *, max_bytes: int, max_expansion: int) -> Decoder | None:
    """Return a decoder for a body with these header fields, or None where there is nothing to undo.

    Raises:
        BadAnswer: it was encoded in a way that cannot be undone, or more than once.
    """
    fields = [value for name, value in headers if name == "content-encoding"]
    if not fields:
        return None
    names = [name.strip().lower() for name in ",".join(fields).split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if not names:
        return None
    if len(names) > 1:
        raise BadAnswer("the answer's body was encoded more than once; send it with one Content-Encoding")
    return Decoder(names[0], max_bytes=max_bytes, max_expansion=max_expansion)
