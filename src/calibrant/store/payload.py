"""How payloads stand in a database column: text while small, zstd when large. Pure.

What is stored says by itself what it is, so that no column is needed for it and old rows stay readable:
text is the payload; bytes that begin with zstd's magic number are compressed; other bytes are the payload.
"""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdCompressor, ZstdError, decompress
else:
    from backports.zstd import ZstdCompressor, ZstdError, decompress

__all__ = ["Packer", "ZstdError", "unpack"]

_MAGIC = b"\x28\xb5\x2f\xfd"
_PLAIN_BELOW = 200
"""Compressing less than this saves under a hundred bytes."""
_LEVEL = -1
"""Measured on payloads of 1.2 KB: 2.8 microseconds and 51 % of the size; level 1 takes 5.0 for 40 %, level 3 6.6."""


class Packer:
    """Packs payloads, with one compressor for all of them: making one costs ten times a compression.

    Not for two threads at once.
    """

    __slots__ = ("_compressor",)

    def __init__(self) -> None:
        """Make the compressor."""
        self._compressor = ZstdCompressor(level=_LEVEL)

    def __call__(self, payload: bytes | None) -> str | bytes | None:
        """Return what to store; `unpack` gives the payload back."""
        if payload is None:
            return None
        if len(payload) >= _PLAIN_BELOW or payload.startswith(_MAGIC):
            return self._compressor.compress(payload, ZstdCompressor.FLUSH_FRAME)
        try:
            return payload.decode()
        except UnicodeDecodeError:
            return bytes(payload)


def unpack(stored: str | bytes | None) -> bytes | None:
    """Return the payload that was packed.

    Raises:
        ZstdError: it is damaged.
    """
    if stored is None:
        return None
    if isinstance(stored, str):
        return stored.encode()
    return decompress(stored) if stored.startswith(_MAGIC) else stored
