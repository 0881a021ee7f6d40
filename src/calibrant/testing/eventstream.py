"""AWS's binary event streams, from the provider's side: messages as bytes.

Written apart from the gateway's own reader on purpose: a fake that shares its code shares its mistakes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ["encode_event", "encode_exception", "encode_message"]


def encode_message(headers: Mapping[str, bool | int | bytes | str], payload: bytes) -> bytes:
    """Return one message. An integer gets the smallest type that holds it.

    Args:
        headers: Names and values.
        payload: What the message carries.
    """
    block = b"".join(_header(name, value) for name, value in headers.items())
    total = 12 + len(block) + len(payload) + 4
    prelude = struct.pack("!II", total, len(block))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + block + payload
    return message + struct.pack("!I", zlib.crc32(message))


def encode_event(kind: str, data: Any) -> bytes:
    """Return an event: `data` as JSON, or as it is where it is bytes."""
    raw = isinstance(data, bytes)
    return encode_message(
        {
            ":event-type": kind,
            ":content-type": "application/octet-stream" if raw else "application/json",
            ":message-type": "event",
        },
        data if isinstance(data, bytes) else msgspec.json.encode(data),
    )


def encode_exception(kind: str, data: Any) -> bytes:
    """Return an exception, which ends a stream."""
    return encode_message(
        {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"},
        msgspec.json.encode(data),
    )


def _header(name: str, value: bool | int | bytes | str) -> bytes:
    label = name.encode()
    return bytes([len(label)]) + label + _value(value)


def _value(value: bool | int | bytes | str) -> bytes:
    if isinstance(value, bool):
        return b"\0" if value else b"\1"
    if isinstance(value, int):
        return _number(value)
    data = value if isinstance(value, bytes) else value.encode()
    return (b"\6" if isinstance(value, bytes) else b"\7") + struct.pack("!H", len(data)) + data


def _number(value: int) -> bytes:
    for kind, layout, bits in ((2, "!b", 7), (3, "!h", 15), (4, "!i", 31)):
        if -(1 << bits) <= value < 1 << bits:
            return bytes([kind]) + struct.pack(layout, value)
    return b"\5" + struct.pack("!q", value)
