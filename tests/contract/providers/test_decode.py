"""Every documented answer, whole and streamed: the same reply, however the bytes of the stream are cut."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from msgspec.structs import replace
from tests.contract.providers.answers import ANSWERS, Answer
from tests.contract.providers.calls import make

from calibrant.providers.compatible import COMPATIBLE
from calibrant.types.reply import Chunk, Reply, fold

answers = pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: f"{answer.kind}: {answer.name}")


def decoded(answer: Answer) -> Reply:
    return make(answer.kind, **answer.options).decode(200, (), answer.whole())


def streamed(answer: Answer, *pieces: bytes) -> list[Chunk]:
    decoder = make(answer.kind, **answer.options).decoder()
    chunks = [chunk for piece in pieces for chunk in decoder.feed(piece)]
    return chunks + decoder.close()


def same(reply: Reply) -> Reply:
    return replace(reply, raw=b"")


@answers
def test_the_whole_answer_means_what_it_should(answer: Answer) -> None:
    reply = decoded(answer)
    assert reply.content == answer.content
    assert reply.finish_reason == answer.finish
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == answer.tokens
    assert (reply.usage.cache_read_tokens, reply.usage.reasoning_tokens) == (answer.cached, answer.reasoning)
    assert reply.usage.raw == (b"" if answer.usage is None else msgspec.json.encode(answer.usage))
    assert (reply.model, reply.fingerprint, reply.request_id) == ("served-model", "fp_1", "answer-1")
    assert reply.raw == answer.whole()


@answers
def test_the_stream_folds_to_the_whole(answer: Answer) -> None:
    chunks = streamed(answer, answer.stream())
    assert same(fold(chunks)) == same(decoded(answer))
    assert [chunk.raw for chunk in chunks if chunk.raw] == [msgspec.json.encode(c) for c in answer.chunks()]


@answers
def test_the_chunks_are_the_same_byte_by_byte(answer: Answer) -> None:
    stream = answer.stream()
    assert streamed(answer, *(stream[i : i + 1] for i in range(len(stream)))) == streamed(answer, stream)


@answers
def test_the_chunks_are_the_same_for_every_cut(answer: Answer) -> None:
    stream = answer.stream()
    expected = streamed(answer, stream)
    for i in range(len(stream) + 1):
        assert streamed(answer, stream[:i], stream[i:]) == expected, i


@answers
def test_a_name_and_an_id_come_once(answer: Answer) -> None:
    names: dict[str, list[str]] = {}
    for chunk in streamed(answer, answer.stream()):
        for delta in chunk.content:
            if hasattr(delta, "raw_name") and delta.raw_name is not None:
                names.setdefault(delta.id, []).append(delta.raw_name)
    assert all(len(found) == 1 for found in names.values())


STANDARD = [
    answer
    for answer in ANSWERS
    if answer.name in ("text", "length", "two calls, streamed in turn", "text, then a call", "the JSON tool", "refusal")
]


@pytest.mark.parametrize("kind", sorted(COMPATIBLE))
@pytest.mark.parametrize("answer", STANDARD, ids=lambda answer: answer.name)
def test_every_vendor_may_answer_as_openai_does(kind: str, answer: Answer) -> None:
    answer = dataclasses.replace(answer, kind=kind)
    reply = decoded(answer)
    assert (reply.content, reply.finish_reason) == (answer.content, answer.finish)
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == answer.tokens
    stream = answer.stream()
    assert same(fold(streamed(answer, stream))) == same(reply)
    assert streamed(answer, *(stream[i : i + 1] for i in range(len(stream)))) == streamed(answer, stream)


def test_a_caller_may_have_a_tool_called_respond() -> None:
    answer = next(answer for answer in ANSWERS if answer.name == "the JSON tool")
    made = make("openai")
    reply = made.decode(200, (), answer.whole(), json_tool=False)
    decoder = made.decoder(json_tool=False)
    chunks = decoder.feed(answer.stream()) + decoder.close()
    assert same(fold(chunks)) == same(reply)
    assert reply.finish_reason == "tool_call"
    (call,) = reply.content
    assert call.raw_name == "respond" and call.raw_arguments == '{"name":"Ann"}'
