"""Scripts become steps: what is written, when, and how it ends, without a socket."""

from __future__ import annotations

import zlib

import msgspec
import pytest

from calibrant.testing.completion import decode_request
from calibrant.testing.faults import Latency, Pace, Script
from calibrant.testing.steps import End, answer_bytes, steps


def request(text="é und ü", *, stream):
    return decode_request(
        msgspec.json.encode({"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]})
    )


def play(script, *, stream=False, text="é und ü"):
    return list(steps(request(text, stream=stream), script, 1, lambda: 42))


def written(played):
    return [step for step in played if isinstance(step, bytes)]


def unchunk(body):
    """Undo chunked transfer coding, strictly."""
    out = b""
    while True:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            assert rest == b"\r\n"
            return out
        assert rest[length : length + 2] == b"\r\n"
        out, body = out + rest[:length], rest[length + 2 :]


def test_a_plain_answer_is_one_write_with_its_true_length():
    (whole,) = play(Script())
    head, _, body = whole.partition(b"\r\n\r\n")
    assert b"content-length: %d" % len(body) in head


def test_a_stream_is_well_formed_and_keeps_its_pace():
    played = play(Script(pace=Pace(chunks=4, interval_s=0.25)), stream=True)
    assert [step for step in played if isinstance(step, float)] == [0.25] * 3
    _, _, body = b"".join(written(played)).partition(b"\r\n\r\n")
    assert unchunk(body).endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("stream", [False, True])
def test_characters_are_split_and_nothing_is_lost(stream):
    pieces = written(play(Script(fault="split_utf8"), stream=stream))
    broken = 0
    for piece in pieces:
        try:
            piece.decode()
        except UnicodeDecodeError:
            broken += 1
    assert broken >= 2
    assert "é" in b"".join(pieces).decode()
    whole = play(Script(), stream=stream)
    assert b"".join(pieces) == b"".join(written(whole))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "end"),
    [
        ("reset_before_headers", End.RESET),
        ("reset_after_headers", End.RESET),
        ("reset_mid_body", End.RESET),
        ("truncated", End.CLOSE),
        ("stall", End.HANG),
        ("stall_mid_body", End.HANG),
        ("only_pings", End.HANG),
    ],
)
def test_ends(fault, end, stream):
    assert next(step for step in play(Script(fault=fault), stream=stream) if isinstance(step, End)) is end


def test_pings_say_nothing():
    played = play(Script(fault="only_pings", after_chunks=2, delay_s=0.5), stream=True)
    assert played[1:6] == [*[0.5, b"8\r\n: ping\n\n\r\n"] * 2, End.HANG]


def test_lengths_that_lie():
    for fault, by in (("length_too_long", 16), ("length_too_short", -16)):
        head, _, body = play(Script(fault=fault))[0].partition(b"\r\n\r\n")
        assert b"content-length: %d" % (len(body) + by) in head


def test_gzip_in_a_stream_can_be_read_event_by_event():
    played = written(play(Script(gzip=True), stream=True))
    assert b"content-encoding: gzip" in played[0]
    inflate = zlib.decompressobj(31)
    _, _, chunk = played[1].partition(b"\r\n")
    assert inflate.decompress(chunk.removesuffix(b"\r\n")).startswith(b"data: {")


def test_latency_is_left_to_the_connection():
    assert not [s for s in play(Script(latency=Latency(5.0))) if isinstance(s, float)]


def test_retry_after_may_be_a_fraction():
    assert b"retry-after: 0.5\r\n" in play(Script(status=429, retry_after=0.5))[0]
    assert answer_bytes(b"x", status=599).startswith(b"HTTP/1.1 599 Error\r\n")
