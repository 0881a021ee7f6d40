"""Frames: how one record stands in a spool file. Pure; files are `spool` and `recorder`.

A frame is, little-endian and without padding:

    length    u32   bytes that follow the checksum: 9 + payload
    checksum  u32   CRC-32 of those bytes
    version   u8    of this format
    sequence  u64   1, 2, 3 ... within one worker incarnation; of a `Shed`, the last number given up
    payload         a `types.rows.Record` in msgpack

Every version ever written must be readable for ever; `tests/fixtures/frames` holds one file of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct as Layout
from typing import Literal
from zlib import crc32

from msgspec import DecodeError, MsgspecError, Struct, ValidationError
from msgspec.msgpack import Decoder, Encoder

from calibrant.base.errors import InternalError
from calibrant.types.rows import Record, Shed

__all__ = [
    "FRAME_VERSION",
    "HEADER_BYTES",
    "MAX_FRAME_BYTES",
    "Frame",
    "Scan",
    "Undecodable",
    "decode_record",
    "encode_frame",
    "find_frame",
    "frame_bytes",
    "scan",
    "shed_count",
]

FRAME_VERSION = 1
MAX_FRAME_BYTES = 2**30
"""No frame is longer; a length beyond it is damage."""

_PREFIX = Layout("<II")
_HEAD = Layout("<BQ")
_WHOLE = Layout("<IIBQ")
HEADER_BYTES = _WHOLE.size
_SMALL = 64
"""A `Shed` is never longer than this."""

_encode = Encoder().encode
_pack_head = _HEAD.pack
_pack_prefix = _PREFIX.pack
_DECODERS = {1: Decoder(Record)}


class Frame(Struct, frozen=True):
    """One whole frame with a right checksum, found in a buffer. The payload is not yet decoded."""

    sequence: int
    version: int
    start: int
    end: int
    payload: bytes


class Scan(Struct, frozen=True):
    """What a buffer holds from an offset on, and why reading stopped."""

    frames: tuple[Frame, ...]
    end: int
    """Where the first byte stands that belongs to no frame above."""
    stop: Literal["end", "torn", "corrupt", "limit"]
    """`end`: nothing is left; `torn`: the last frame is not all there; `corrupt`: what stands here is no frame;
    `limit`: enough frames were found."""
    needed: int = 0
    """Of a torn frame whose length is known: bytes from `end` that it wants."""


class Undecodable(Struct, frozen=True):
    """Why the payload of a whole frame is no record that this version can read."""

    reason: str


def encode_frame(sequence: int, record: Record) -> bytes:
    """Return the frame of a record.

    Raises:
        InternalError: the record is longer than any frame may be.
    """
    payload = _encode(record)
    size = len(payload) + 9
    if size > MAX_FRAME_BYTES:
        raise InternalError(f"a record of {len(payload)} bytes is too long for the spool; keep payloads below 1 GiB")
    head = _pack_head(FRAME_VERSION, sequence)
    return _pack_prefix(size, crc32(payload, crc32(head))) + head + payload


def decode_record(frame: Frame) -> Record | Undecodable:
    """Return the record of a frame, or why there is none."""
    decoder = _DECODERS.get(frame.version)
    if decoder is None:
        return Undecodable(f"frame version {frame.version} is newer than this program knows")
    try:
        return decoder.decode(frame.payload)
    except (ValidationError, DecodeError, MsgspecError, ValueError) as error:
        return Undecodable(f"the frame is whole but its record cannot be read: {error}")


def shed_count(frame: Frame) -> int:
    """Return how many sequence numbers the frame says were given up; 0 for a frame that holds something."""
    if len(frame.payload) > _SMALL:
        return 0
    record = decode_record(frame)
    return record.count if isinstance(record, Shed) else 0


def frame_bytes(frame: Frame) -> bytes:
    """Return the frame as it stood in the file."""
    head = _pack_head(frame.version, frame.sequence)
    return _pack_prefix(len(frame.payload) + 9, crc32(frame.payload, crc32(head))) + head + frame.payload


def scan(buffer: bytes, offset: int = 0, *, limit: int = 2**63) -> Scan:
    """Read frames from an offset until the buffer, or what is readable of it, ends.

    Args:
        buffer: Part of a spool file that begins at a frame.
        offset: Where to begin.
        limit: How many frames are enough.
    """
    frames: list[Frame] = []
    size = len(buffer)
    position = offset
    while len(frames) < limit:
        if position == size:
            return Scan(tuple(frames), position, "end")
        found = _frame_at(buffer, position)
        if isinstance(found, Frame):
            frames.append(found)
            position = found.end
        elif found is None:
            return Scan(tuple(frames), position, "corrupt")
        else:
            return Scan(tuple(frames), position, "torn", found)
    return Scan(tuple(frames), position, "limit")


def find_frame(buffer: bytes, offset: int, *, after: int) -> Frame | None:
    """Return the first whole frame at or past an offset whose sequence number comes after the one given.

    This is how reading goes on behind damage: any byte may begin a frame, the checksum decides.
    """
    for position in _candidates(buffer, offset):
        found = _frame_at(buffer, position)
        if isinstance(found, Frame) and found.sequence > after:
            return found
    return None


def _candidates(buffer: bytes, offset: int) -> Iterator[int]:
    # The version byte is the one landmark of a header; there are few versions and `find` is fast.
    versions = [bytes([version]) for version in _DECODERS]
    for version in versions:
        position = buffer.find(version, offset + 8)
        while position != -1:
            yield position - 8
            position = buffer.find(version, position + 1)


def _frame_at(buffer: bytes, position: int) -> Frame | int | None:
    """Return the frame, or the bytes that it wants (0: not even a header), or None for damage."""
    left = len(buffer) - position
    if left < HEADER_BYTES:
        return 0
    length, checksum, version, sequence = _WHOLE.unpack_from(buffer, position)
    if not 9 < length <= MAX_FRAME_BYTES or sequence == 0:
        return None
    if length + 8 > left:
        return length + 8
    end = position + 8 + length
    payload = bytes(buffer[position + HEADER_BYTES : end])
    if crc32(payload, crc32(_pack_head(version, sequence))) != checksum:
        return None
    return Frame(sequence, version, position, end, payload)
