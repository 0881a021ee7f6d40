from __future__ import annotations

import tracemalloc

import pytest

from calibrant.base.errors import BadAnswer
from calibrant.providers.eventstream import MessageParser
from calibrant.testing.eventstream import encode_event, encode_message

HEADERS = {"yes": True, "no": False, "b": -1, "s": 300, "i": 70_000, "l": 2**40, "raw": b"\0\xff", "text": "☃"}


def test_headers_of_every_type() -> None:
    (message,) = MessageParser().feed(encode_message(HEADERS, b"payload"))
    assert message.headers == HEADERS
    assert message.payload == b"payload"


def test_a_timestamp_and_a_uuid() -> None:
    # Types that no integer or string of ours becomes: their bytes, framed by hand.
    headers = b"\x01t\x08" + (1_700_000_000_000).to_bytes(8) + b"\x01u\x09" + b"\x07" * 16
    (message,) = MessageParser().feed(framed(headers))
    assert message.headers == {"t": 1_700_000_000_000, "u": b"\x07" * 16}


def framed(headers: bytes, payload: bytes = b"", *, claimed: int | None = None) -> bytes:
    from zlib import crc32

    total = 16 + len(headers) + len(payload)
    prelude = total.to_bytes(4) + (len(headers) if claimed is None else claimed).to_bytes(4)
    message = prelude + crc32(prelude).to_bytes(4) + headers + payload
    return message + crc32(message).to_bytes(4)


@pytest.mark.parametrize(
    "headers",
    [
        b"\x01t\x0a",
        b"\x01t",
        b"\x05t\x00",
        b"\x01\xff\x00",
        b"\x01t\x07\x00\x05abc",
        b"\x01t\x07\x00\x01\xff",
        b"\x01t\x05\x00",
        b"\x01t\x09\x00",
        b"\x01t\x06\x00",
    ],
)
def test_headers_that_cannot_be_read(headers: bytes) -> None:
    with pytest.raises(BadAnswer, match="headers"):
        MessageParser().feed(framed(headers))


def test_headers_longer_than_the_message() -> None:
    with pytest.raises(BadAnswer, match="shorter"):
        MessageParser().feed(framed(b"", b"", claimed=9))


def test_a_message_that_is_too_large_is_refused_before_it_has_come() -> None:
    parser = MessageParser(100)
    with pytest.raises(BadAnswer, match="larger than 100"):
        parser.feed(encode_message({}, b"x" * 100)[:12])


def test_good_messages_come_before_the_fault() -> None:
    good = encode_event("a", {"x": 1})
    bad = bytearray(encode_event("b", {}))
    bad[-1] ^= 255
    parser = MessageParser()
    assert len(parser.feed(good + good + bytes(bad))) == 2
    for again in (lambda: parser.feed(good), parser.close, lambda: parser.feed(b"")):
        with pytest.raises(BadAnswer, match="checksum"):
            again()


def test_headers_that_repeat_are_read_once() -> None:
    parser = MessageParser()
    first, second = parser.feed(encode_event("a", {"x": 1}) + encode_event("a", {"x": 2}))
    assert first.headers is second.headers


def test_headers_that_never_repeat_are_not_kept() -> None:
    parser = MessageParser()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(2000):
            parser.feed(encode_message({"id": f"{number:050}"}, b""))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 60_000


def test_a_trickle_holds_one_message() -> None:
    parser = MessageParser()
    data = encode_event("a", b"x" * 50_000)
    found = [message for i in range(0, len(data), 7) for message in parser.feed(data[i : i + 7])]
    assert [message.payload for message in found] == [b"x" * 50_000]
