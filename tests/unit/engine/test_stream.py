"""The line, chunk by chunk, and what is recorded of a stream whatever becomes of it."""

import asyncio
from time import monotonic

import msgspec
import pytest
from tests.support.engine import (
    USAGE,
    Answer,
    content,
    event,
    function,
    model,
    refusal,
    request,
    said,
    streamed,
    variant,
)

from calibrant.base.errors import AllVariantsFailed, Disconnected, InferenceTimeout, InternalError, SpoolFull, Truncated
from calibrant.engine.engine import Caller
from calibrant.engine.stream import open_stream
from calibrant.wire import native, openai_chat


def texts(chunks):
    return [delta.text for chunk in chunks for delta in chunk.content]


def test_a_stream_begins_in_the_record_before_its_first_chunk_and_ends_there_after_its_last(line):
    it = line(model() + function(), streamed("He", "llo"))
    stream, chunks = it.stream()
    assert texts(chunks) == ["He", "llo"]
    assert [record.inference.status for record in it.at_open] == ["running"]
    assert [record.inference.status for record in it.records] == ["running", "ok"]
    assert it.row.output == b'[{"type":"text","text":"Hello"}]'
    assert (it.row.input_tokens, it.row.finish_reason) == (7, "stop")
    assert content(stream.answered) == [{"type": "text", "text": "Hello"}]
    assert stream.error is None


def test_chunks_come_as_they_come(line):
    it = line(model() + function(), Answer(event({"content": "a"}) + event({"content": "b"}), event({}, finish="stop")))

    async def go():
        stream = await open_stream(it.engine, request(stream=True), Caller(), monotonic())
        return [len(chunks) async for chunks in stream.chunks()]

    assert asyncio.run(go()) == [2, 1]


def test_who_answers_is_known_before_the_first_chunk(line):
    extra = 'experimentation = { type = "static", candidate_variants = ["a"], fallback_variants = ["b"] }'
    it = line(model() + function(variant("a"), variant("b"), extra=extra), refusal(), streamed("x"))
    stream, _ = it.stream()
    assert (stream.head.variant_name, stream.head.inference_id) == ("b", it.row.id)
    assert it.row.fallback_reason == it.at_open[0].inference.fallback_reason
    assert "'p' answered 500" in it.row.fallback_reason


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ([Disconnected("cut")], Disconnected),
        ([], Truncated),
        ([InferenceTimeout("late")], InferenceTimeout),
        ([RuntimeError("ours")], InternalError),
    ],
)
def test_a_broken_stream_is_recorded_as_broken_with_what_arrived(line, end, error):
    answer = Answer(event({"content": "Hel"}, usage={"prompt_tokens": 5, "completion_tokens": 1}), *end)
    it = line(model() + function(), answer)
    stream, chunks = it.stream()
    assert texts(chunks) == ["Hel"]
    assert isinstance(stream.error, error)
    assert answer.closed
    (row,) = it.attempts
    assert (it.row.status, it.row.error_code, it.row.http_status) == ("error", error.code, error.status)
    assert it.row.output == b'[{"type":"text","text":"Hel"}]'
    assert (row.status, row.error_code, row.usage_source, row.input_tokens) == ("error", error.code, "partial", 5)
    assert b'"Hel"' in row.raw_response
    assert it.counted("provider_errors") == {("m", "p", error.code): 1}
    assert it.counted("inferences") == {("inference", "f", "m", error.code): 1}


def test_a_key_that_a_provider_quotes_after_the_first_chunk_is_struck_out(line):
    error = {"error": {"message": "key s3cret was revoked", "code": 401}}
    answer = Answer(event({"content": "Hel"}), b"data: " + msgspec.json.encode(error) + b"\n\n")
    it = line(model(key="dynamic::mine") + function(), answer)
    stream, chunks = it.stream(credentials={"mine": "s3cret"})
    assert dict(it.sender.calls[0].headers)["authorization"] == "Bearer s3cret"
    assert texts(chunks) == ["Hel"]
    assert "key *** was revoked" in stream.error.message and b"s3cret" not in stream.error.raw_response
    assert "s3cret" not in repr(it.records) and "***" in it.attempts[0].error_message


def test_a_stream_out_of_time_says_whose(line):
    class Slow(Answer):
        async def chunks(self):
            yield event({"content": "x"})
            await asyncio.sleep(0.06)
            raise InferenceTimeout("the deadline passed")

    it = line(model(extra="timeouts = { streaming = { total_ms = 50 } }") + function(), Slow())
    stream, _ = it.stream()
    assert stream.error.message == "the model 'm' ran out of time"


def test_after_the_first_chunk_its_limit_says_nothing_any_more(line):
    class Idle(Answer):
        async def chunks(self):
            yield event({"content": "x"})
            await asyncio.sleep(0.03)
            raise InferenceTimeout("the deadline passed")

    it = line(model(extra="timeouts = { streaming = { ttft_ms = 20 } }") + function(), Idle())
    assert it.stream()[0].error.message == "the deadline passed"


def test_a_stream_whose_end_cannot_be_recorded_says_so_before_the_end(line):
    it = line(model() + function(), streamed("x"))

    async def go():
        stream = await open_stream(it.engine, request(stream=True), Caller(), monotonic())
        it.spool.broken = True
        return stream, [chunks async for chunks in stream.chunks()]

    stream, chunks = asyncio.run(go())
    assert len(chunks) == 3
    assert isinstance(stream.error, SpoolFull)


def test_a_stream_that_no_variant_could_open_is_recorded_without_a_beginning(line):
    it = line(model() + function(), refusal())
    with pytest.raises(AllVariantsFailed):
        it.stream()
    assert [record.inference.status for record in it.records] == ["error"]


def test_a_stream_whose_beginning_cannot_be_recorded_lets_go_of_its_provider(line):
    answer = streamed("x")
    it = line(model() + function(), answer)
    it.spool.broken = True
    with pytest.raises(SpoolFull):
        it.stream()
    assert answer.closed


def test_a_reader_that_leaves_at_the_first_chunk_lets_go_of_the_provider(line):
    answer = streamed("x", "y")
    it = line(model() + function(), answer)

    async def go():
        stream = await open_stream(it.engine, request(stream=True), Caller(), monotonic())
        chunks = stream.chunks()
        await anext(chunks)
        await chunks.aclose()

    asyncio.run(go())
    assert answer.closed


def test_a_json_function_is_parsed_when_the_stream_is_over(line):
    toml = model() + function(variant(extra='json_mode = "on"'), kind="json")
    it = line(toml, streamed('{"a":', " 1}"))
    stream, _ = it.stream()
    assert (stream.answered.raw, bytes(stream.answered.parsed)) == ('{"a": 1}', b'{"a": 1}')
    assert msgspec.json.decode(it.row.output) == {"raw": '{"a": 1}', "parsed": {"a": 1}}


def test_usage_is_asked_for_whatever_the_caller_wants(line):
    it = line(model() + function(), streamed("x"))
    stream, _ = it.stream(include_usage=False)
    assert it.sender.bodies[0]["stream_options"] == {"include_usage": True}
    assert stream.answered.usage.input_tokens == USAGE["prompt_tokens"]


def test_a_stream_and_a_whole_answer_leave_the_same_rows(line):
    it = line(model() + function(), said("Hello", usage=USAGE), streamed("Hel", "lo"))
    it.infer()
    it.stream()
    whole, streamed_row = it.records[0].inference, it.row
    differ = {name for name in whole.__struct_fields__ if getattr(whole, name) != getattr(streamed_row, name)}
    assert differ <= {"id", "episode_id", "unit", "stream", "processing_ms", "ttft_ms", "durations"}


def test_a_streams_last_event_has_the_whole_answer_where_asked_for(line):
    it = line(model() + function(), streamed("Hel", "lo."))
    stream, _ = it.stream(include_aggregated_response=True)
    last = native.Events(stream.head).final(stream.answered)
    assert b'"aggregated_response":[{"type":"text","text":"Hello."}]' in last
    it = line(model() + function(variant(extra='json_mode = "on"'), kind="json"), streamed('{"x"', ": 1}"))
    stream, _ = it.stream(include_aggregated_response=True)
    last = native.Events(stream.head).final(stream.answered)
    assert b'"aggregated_response":{"raw":"{\\"x\\": 1}","parsed":{"x": 1}}' in last
    stream, _ = it.stream()
    assert b"aggregated" not in native.Events(stream.head).final(stream.answered)


@pytest.mark.parametrize("codec", [native, openai_chat])
def test_what_was_over_before_the_stream_is_told_before_it(line, codec):
    it = line(model("m", "one", "two") + function(), refusal(500, "broken"), streamed("Hi."))
    stream, _ = it.stream(include_raw_response=True, include_raw_usage=True)
    events = codec.Events(stream.head)
    early = events.preceding(stream.preceding)
    assert [row.provider_name for row in stream.preceding] == ["one"]
    assert b"broken" in early and b"raw_response" in early
    stream, _ = it.stream()
    assert stream.preceding == ()
