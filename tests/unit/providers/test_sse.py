from __future__ import annotations

import time

import pytest

from calibrant.base.errors import BadAnswer
from calibrant.providers.sse import EventParser


def read(*pieces: bytes) -> list[bytes]:
    parser = EventParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    last = parser.close()
    return events if last is None else [*events, last]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data:a\n\ndata:  b\n\n", [b"a", b" b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data: a\r\ndata: b\r\n\r\n", [b"a\nb"]),
        (b": hi\n\n:\n\ndata: a\n\n", [b"a"]),
        (b": hi\ndata: a\n: ho\n\n", [b"a"]),
        (b"event: error\nid: 1\nretry: 5\ndata: a\n\n", [b"a"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data\n\n", [b""]),
        (b"data:\n\n", [b""]),
        (b"datum: a\n\ndata2: a\n\n", []),
        (b"event: ping\n\n", []),
        (b"data: a\n\ndata: b", [b"a", b"b"]),
        (b"data: a\n\ndata: b\n", [b"a", b"b"]),
        (b"data: \xf0\x9f\x8c\x8d\n\n", ["🌍".encode()]),
        (b"", []),
        (b"\xef\xbb", []),
        (b"<html>\n<body>\n\n</html>", []),
    ],
)
def test_the_events_are_the_same_for_every_cut(stream: bytes, events: list[bytes]) -> None:
    assert read(stream) == events
    assert read(*(stream[i : i + 1] for i in range(len(stream)))) == events
    for i in range(len(stream) + 1):
        for j in range(i, len(stream) + 1):
            assert read(stream[:i], stream[i:j], stream[j:]) == events


def test_an_event_is_there_as_soon_as_its_blank_line_is() -> None:
    parser = EventParser()
    assert parser.feed(b"data: a\n") == []
    assert parser.feed(b"\n") == [b"a"]
    assert parser.feed(b"data: b\r\n\r") == [b"b"]
    assert parser.feed(b"\ndata: c\n\n") == [b"c"]


@pytest.mark.parametrize("piece", [b"x" * 40, b"\n: x" * 10, b"\ndata: x" * 5])
def test_an_event_may_not_grow_without_bound(piece: bytes) -> None:
    parser = EventParser(limit=100)
    with pytest.raises(BadAnswer, match="larger than 100 bytes"):
        for _ in range(10):
            parser.feed(piece)


def test_a_trickle_costs_no_more_than_a_flood() -> None:
    parser = EventParser()
    started = time.perf_counter()
    for _ in range(100_000):
        parser.feed(b"x" * 10)
    # Quadratic work would take minutes.
    assert time.perf_counter() - started < 10
