"""AWS's event streams: our fake writes what botocore reads, we read what our fake writes, however it is cut."""

from __future__ import annotations

from typing import Any

from botocore.eventstream import EventStreamBuffer, ParserError
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.base.errors import BadAnswer
from calibrant.providers.eventstream import EventMessage, MessageParser
from calibrant.testing.eventstream import encode_message

values = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.binary(max_size=20)
    | st.text(st.characters(codec="utf-8"), max_size=10)
)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
headers = st.dictionaries(names, values, max_size=4)
messages = st.lists(st.tuples(headers, st.binary(max_size=60)), max_size=4)


def cut(data: bytes, points: list[int]) -> list[bytes]:
    bounds = [0, *sorted(point % (len(data) + 1) for point in points), len(data)]
    return [data[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


def read(pieces: list[bytes]) -> tuple[list[EventMessage], str]:
    parser = MessageParser(4096)
    found: list[EventMessage] = []
    try:
        for piece in pieces:
            found += parser.feed(piece)
        parser.close()
    except BadAnswer as error:
        return found, error.message
    return found, ""


@given(sent=messages, points=st.lists(st.integers(0, 500), max_size=6))
@settings(max_examples=200, deadline=None)
def test_both_read_what_the_fake_writes(sent: list[Any], points: list[int]) -> None:
    data = b"".join(encode_message(head, payload) for head, payload in sent)
    found, error = read(cut(data, points))
    assert error == ""
    assert [(message.headers, message.payload) for message in found] == sent
    theirs = EventStreamBuffer()
    theirs.add_data(data)
    assert [(message.headers, message.payload) for message in theirs] == sent


@given(
    sent=messages,
    points=st.lists(st.integers(0, 500), max_size=6),
    at=st.integers(0, 500),
    noise=st.binary(min_size=1, max_size=8),
)
@settings(max_examples=200, deadline=None)
def test_a_wound_is_found_where_botocore_finds_it(sent: list[Any], points: list[int], at: int, noise: bytes) -> None:
    data = b"".join(encode_message(head, payload) for head, payload in sent)
    at %= len(data) + 1
    wounded = data[:at] + noise + data[at + len(noise) :]
    found, error = read([wounded])
    assert read(cut(wounded, points)) == (found, error)
    theirs = EventStreamBuffer()
    theirs.add_data(wounded)
    whole: list[Any] = []
    try:
        whole.extend((message.headers, message.payload) for message in theirs)
    except ParserError:
        assert error
    assert [(message.headers, message.payload) for message in found] == whole


@given(data=st.binary(max_size=200), points=st.lists(st.integers(0, 200), max_size=6))
@settings(max_examples=200, deadline=None)
def test_noise(data: bytes, points: list[int]) -> None:
    assert read([data]) == read(cut(data, points))


@given(block=st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_headers_that_are_noise(block: bytes) -> None:
    # With good checksums around them, so that they are looked at.
    message = encode_message({}, block)
    prelude = message[:4] + len(block).to_bytes(4)
    read([_framed(prelude, block)])


def _framed(prelude: bytes, rest: bytes) -> bytes:
    from zlib import crc32

    message = prelude + crc32(prelude).to_bytes(4) + rest
    return message + crc32(message).to_bytes(4)
