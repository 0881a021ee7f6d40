"""Undoing a request's Content-Encoding, step by step and never past a limit.

A few kilobytes can unpack to gigabytes. So the content comes in small pieces, the caller may rest between them, and
the first piece past the limit is the last. The codecs themselves are those of the outbound edge.
"""

from __future__ import annotations

from collections.abc import Iterator

from calibrant.base.errors import BadAnswer, InvalidRequest, PayloadTooLarge, UnsupportedEncoding
from calibrant.net.encoding import Decoder

__all__ = ["ENCODINGS", "unpack"]

ENCODINGS = ("gzip", "br", "zstd", "deflate")
"""What a request's body may be compressed with."""

_SLICE = 64 * 1024
_UNBOUNDED = 2**62


def unpack(body: bytes, encoding: str, max_bytes: int) -> Iterator[bytes]:
    """Yield a compressed body's content in pieces.

    Args:
        body: The body as sent.
        encoding: The value of its Content-Encoding field.
        max_bytes: How much the content may come to.

    Raises:
        UnsupportedEncoding: the encoding is not one that we undo, or there are several.
        InvalidRequest: the data is corrupt or cut short.
        PayloadTooLarge: the content is larger than allowed.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        yield body
        return
    if name not in ENCODINGS and name != "x-gzip":
        raise UnsupportedEncoding(
            f"Content-Encoding {encoding[:80]!r} is not understood; send one of {', '.join(ENCODINGS)}, or none"
        )
    # A request that is mostly repetition is honest, so the size is the only limit here.
    decoder = Decoder(name, max_bytes=_UNBOUNDED, max_expansion=_UNBOUNDED)
    size = 0
    try:
        for start in range(0, len(body), _SLICE):
            for piece in decoder.feed(body[start : start + _SLICE]):
                size += len(piece)
                if size > max_bytes:
                    raise PayloadTooLarge(
                        f"The {name} body unpacks to more than the {max_bytes} bytes that are accepted"
                    )
                yield piece
        decoder.finish()
    except BadAnswer as fault:
        raise InvalidRequest(f"The {name} body is corrupt or cut short; compress it again or send it plain") from fault
