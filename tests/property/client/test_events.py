"""A stream is read the same however its bytes are cut, and whatever line ends it has."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.client import BadReply, ChatChunk, ConnectionLost, StreamFailed, TextDelta
from calibrant.client.call import Call
from calibrant.client.errors import ClientError
from calibrant.client.events import ChunkDecoder, EventDecoder

CALL = Call(method="POST", path="/inference", read=bytes)
HEAD = {"inference_id": "i", "episode_id": "e", "variant_name": "v"}
ENDS = (b"\n", b"\r\n", b"\r")

texts = st.text(max_size=12)
contents = st.lists(texts, max_size=4)


def event(text: str) -> bytes:
    return msgspec.json.encode({**HEAD, "content": [{"type": "text", "id": "0", "text": text}]})


def chunk(text: str) -> ChatChunk:
    return ChatChunk(inference_id="i", episode_id="e", variant_name="v", content=(TextDelta("0", text),))


def pieces(data: bytes, cuts) -> list[bytes]:
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:], strict=False)]


def taken(stream) -> tuple[list, str | None]:
    """What comes of a stream: its chunks, and the error that ends it."""
    decoder = ChunkDecoder(CALL, {"x-request-id": "r"})
    chunks = []
    try:
        for piece in stream:
            for each in decoder.feed(piece):
                chunks.append(each)
        decoder.close()
    except ClientError as error:
        assert error.request_id == "r"
        return chunks, type(error).__name__
    return chunks, None


@given(contents, st.sampled_from(ENDS), st.lists(st.integers(0, 2000), max_size=8), st.booleans())
def test_chunks_for_every_cut(written, end, cuts, spaced):
    start = b"data: " if spaced else b"data:"
    stream = b"".join(start + event(text) + end + end for text in written) + b"data: [DONE]" + end + end
    assert taken(pieces(stream, cuts)) == ([chunk(text) for text in written], None)


@pytest.mark.parametrize("end", ENDS)
def test_one_stream_at_every_single_cut_and_byte_by_byte(end):
    lines = [b": keep-alive", b"event: message", b"id: 7", b"retry: 10", b"data: " + event("é\u2028"), b"", b""]
    lines += [
        b"data:" + event("x")[:1],
        b"data: " + event("x")[1:],
        b"",
        b"data: [DONE]",
        b"",
        b"data: ignored",
        b"",
        b"",
    ]
    stream = end.join(lines)
    expected = ([chunk("é\u2028"), chunk("x")], None)
    assert taken([bytes([byte]) for byte in stream]) == expected
    for cut in range(len(stream) + 1):
        assert taken([stream[:cut], stream[cut:]]) == expected
        assert taken([stream[:cut], b"", stream[cut:]]) == expected


@given(contents, st.sampled_from(["error", "garbage", "cut off"]), st.lists(st.integers(0, 2000), max_size=8))
def test_what_came_before_an_error_is_told_before_it_for_every_cut(written, how, cuts):
    stream = b"".join(b"data: " + event(text) + b"\n\n" for text in written)
    stream += {"error": b'data: {"error":"no"}\n\n', "garbage": b"data: <html>\n\n", "cut off": b"data: {"}[how]
    error = {"error": StreamFailed, "garbage": BadReply, "cut off": ConnectionLost}[how]
    assert taken(pieces(stream, cuts)) == ([chunk(text) for text in written], error.__name__)


# What means something to the decoder, in every order.
words = st.sampled_from([b"data", b":", b" ", b"\n", b"\r", b"\r\n", b"[DONE]", b'{"error":1}', event("x"), b"\xff"])
noise = st.one_of(st.binary(max_size=200), st.lists(words, max_size=30).map(b"".join))


@given(noise, st.lists(st.integers(0, 2000), max_size=8))
def test_any_bytes_give_chunks_or_one_of_our_errors(data, cuts):
    assert taken([data]) == taken(pieces(data, cuts))
    whole, cut = EventDecoder(), EventDecoder()
    assert list(whole.feed(data)) == [found for piece in pieces(data, cuts) for found in cut.feed(piece)]


def test_an_event_without_an_end_is_refused_and_many_small_ones_are_not():
    decoder = EventDecoder(max_event=100)
    for _ in range(50):
        assert list(decoder.feed(b": ping ping ping\ndata: " + b"x" * 50 + b"\n\ndata: y")) == [b"x" * 50]
        assert list(decoder.feed(b"z\n")) == []
        assert list(decoder.feed(b"\n")) == [b"yz"]
    for endless in (b"x" * 20, b"data: xxxxxxxxxxxxxx\n"):
        decoder = EventDecoder(max_event=100)
        with pytest.raises(BadReply, match="longer than 100"):
            for _ in range(10):
                list(decoder.feed(endless))
