from __future__ import annotations

import pytest
from tests.contract.providers.calls import make

from calibrant.base.errors import BadAnswer, ProviderError, Refused, Truncated
from calibrant.providers.base import StreamDecoder
from calibrant.types.content import Text
from calibrant.types.reply import Chunk, TextDelta, UnknownDelta, fold

HI = b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
STOP = b'data: {"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
ERROR = b'data: {"error":{"message":"The server is overloaded","type":"server_error","code":503}}\n\n'


def outcome(decoder: StreamDecoder, *pieces: bytes) -> tuple[list[Chunk], ProviderError | None]:
    chunks: list[Chunk] = []
    try:
        for piece in pieces:
            chunks += decoder.feed(piece)
        chunks += decoder.close()
    except ProviderError as error:
        return chunks, error
    return chunks, None


def every_cut(stream: bytes) -> tuple[list[Chunk], ProviderError | None]:
    """Return what comes of the stream, after a check that it is the same for every cut."""
    chunks, error = outcome(make("openai").decoder(), stream)
    for i in range(len(stream) + 1):
        again, other = outcome(make("openai").decoder(), stream[:i], stream[i:])
        assert (again, type(other), str(other)) == (chunks, type(error), str(error)), i
    return chunks, error


def text(chunks: list[Chunk]) -> str:
    return "".join(block.text for block in fold(chunks).content if isinstance(block, Text))


@pytest.mark.parametrize(
    "stream", [HI + STOP + DONE, HI + STOP, HI + DONE, HI + STOP[:-1], HI + STOP[:-2], HI + DONE[:-2]]
)
def test_a_finish_reason_or_done_is_an_end(stream: bytes) -> None:
    chunks, error = every_cut(stream)
    assert error is None
    assert text(chunks) == "Hi"


@pytest.mark.parametrize("stream", [b"", b"\n\n", HI, HI + HI[:-1], HI + STOP[:40], HI + b": wait\n\n"])
def test_anything_less_is_truncated(stream: bytes) -> None:
    chunks, error = every_cut(stream)
    assert isinstance(error, Truncated)
    assert error.retryable
    assert text(chunks) == "Hi" * (1 if stream[:4] == HI[:4] else 0)


def test_an_event_that_was_cut_is_not_a_bad_one() -> None:
    chunks, error = every_cut(HI + b'data: {"id":"a","choi')
    assert isinstance(error, Truncated)
    assert text(chunks) == "Hi"


@pytest.mark.parametrize("stream", [ERROR, HI + ERROR, HI + HI + ERROR + HI, HI + ERROR.rstrip()])
def test_an_error_event_is_a_refusal_and_what_came_before_is_kept(stream: bytes) -> None:
    chunks, error = every_cut(stream)
    assert isinstance(error, Refused)
    assert "The server is overloaded" in error.message
    assert error.retryable
    assert text(chunks) == "Hi" * stream.split(b"error")[0].count(b"Hi")


def test_an_error_is_raised_again() -> None:
    decoder = make("openai").decoder()
    with pytest.raises(Refused):
        decoder.feed(ERROR)
    with pytest.raises(Refused):
        decoder.feed(HI)
    with pytest.raises(Refused):
        decoder.close()


@pytest.mark.parametrize(
    "event",
    [
        b"data: {broken\n\n",
        b"data: <p>\n\n",
        b"data: []\n\n",
        b"data: 5\n\n",
        b'data: {"choices":[{"delta":{"content":5}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{"content":"\xff"}}]}\n\n',
        b'data: {"error":5}\n\n',
        b'data: {"x":' + b"[" * 500 + b"\n\n",
    ],
)
def test_an_unreadable_event_is_a_bad_answer(event: bytes) -> None:
    chunks, error = every_cut(HI + event + STOP + DONE)
    assert isinstance(error, BadAnswer)
    assert error.raw_response == event[6:-2]
    assert text(chunks) == "Hi"


def test_a_page_is_no_stream() -> None:
    _, error = every_cut(b"<!doctype html>\n<title>Sign in</title>\n\n<p>Please</p>")
    assert isinstance(error, BadAnswer)
    assert b"Sign in" in error.raw_response


def test_a_body_with_an_error_is_a_refusal() -> None:
    _, error = every_cut(b'{"error":{"message":"No such model","code":404}}')
    assert isinstance(error, Refused)
    assert "No such model" in error.message
    assert not error.retryable


def test_a_huge_event_is_a_bad_answer() -> None:
    decoder = make("openai").decoder()
    with pytest.raises(BadAnswer, match="larger than"):
        for _ in range(20):
            decoder.feed(b"x" * 2**20)


def test_groq_says_why_it_stopped() -> None:
    _, error = outcome(make("groq").decoder(), b'data: {"choices":[],"x_groq":{"id":"r","error":"over capacity"}}\n\n')
    assert isinstance(error, Refused)
    assert "over capacity" in error.message


def test_what_follows_done_is_not_read() -> None:
    chunks, error = every_cut(HI + DONE + b"data: {broken\n\n" + HI)
    assert error is None
    assert text(chunks) == "Hi"


def test_other_choices_are_left_alone() -> None:
    other = b'data: {"choices":[{"index":1,"delta":{"content":"No"},"finish_reason":"stop"}]}\n\n'
    chunks, error = every_cut(HI + other + STOP)
    assert error is None
    assert text(chunks) == "Hi"


def test_running_totals_of_the_usage_are_all_passed_on() -> None:
    counted = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":%d}}\n\n'
    chunks, _ = every_cut(counted % 1 + counted % 2 + STOP + counted % 3)
    assert [chunk.usage.output_tokens for chunk in chunks if chunk.usage] == [1, 2, 3]
    assert fold(chunks).usage.output_tokens == 3


def test_parts_that_nobody_knows_are_passed_on_or_discarded() -> None:
    stream = b'data: {"choices":[{"delta":{"content":[{"type":"chart","x":1}]},"finish_reason":"stop"}]}\n\n'
    (chunk,) = make("mistral").decoder().feed(stream)
    assert chunk.content == (UnknownDelta("unknown_1", {"type": "chart", "x": 1}),)
    (chunk,) = make("mistral", discard_unknown_chunks=True).decoder().feed(stream)
    assert chunk.content == ()


def test_text_held_by_the_think_parser_comes_with_the_end() -> None:
    stream = b'data: {"choices":[{"delta":{"content":"<thi"}}]}\n\n'
    decoder = make("together").decoder()
    assert [chunk.content for chunk in decoder.feed(stream)] == [()]
    assert decoder.feed(DONE) == []
    assert decoder.close() == [Chunk(content=(TextDelta("0", "<thi"),))]
    decoder = make("together").decoder()
    decoder.feed(stream)
    assert [chunk.content for chunk in decoder.feed(STOP)] == [(TextDelta("0", "<thi"),)]


def test_an_unreadable_usage_does_not_cost_the_answer() -> None:
    chunks, error = every_cut(HI + b'data: {"choices":[],"usage":{"prompt_tokens":"many"}}\n\n' + STOP)
    assert error is None
    usage = fold(chunks).usage
    assert usage.input_tokens is None
    assert usage.raw == b'{"prompt_tokens":"many"}'
