"""Who is called next: providers in routing order, then retries with a pause between them."""

import asyncio
import time

import msgspec
import pytest
from tests.support.engine import Answer, event, function, model, refusal, said, streamed, variant

from calibrant.base.errors import (
    Disconnected,
    InferenceTimeout,
    MissingCredential,
    ProvidersExhausted,
    Truncated,
    Unreachable,
)

RETRIES = "retries = { num_retries = 2, max_delay_s = 4 }"


def test_providers_are_asked_in_routing_order_until_one_answers(line):
    it = line(model("m", "a", "b", "c") + function(), Unreachable("gone"), refusal(401), said("At last."))
    assert it.infer(variant_name="v").content[0].text == "At last."
    assert it.sender.asked == ["a.m", "b.m", "c.m"]
    assert [(row.attempt, row.provider_name, row.status, row.error_code, row.http_status) for row in it.attempts] == [
        (1, "a", "error", "provider_unreachable", None),
        (2, "b", "error", "provider_refused", 401),
        (3, "c", "ok", None, 200),
    ]
    assert it.counted("provider_errors") == {
        ("m", "a", "provider_unreachable"): 1,
        ("m", "b", "provider_refused"): 1,
    }


def test_a_round_is_retried_after_a_growing_pause(line, pauses):
    it = line(model() + function(variant(extra=RETRIES)), refusal(), refusal(), said())
    it.infer()
    assert it.sender.asked == ["p.m"] * 3
    assert [row.attempt for row in it.attempts] == [1, 2, 3]
    assert len(pauses) == 2
    assert 0.5 <= pauses[0] <= 1 <= pauses[1] <= 2


def test_retries_end_and_the_last_round_is_the_error(line, pauses):
    it = line(model() + function(variant(extra=RETRIES)), refusal(message="first"), refusal(message="last"))
    with pytest.raises(ProvidersExhausted, match="'p' answered 500: last"):
        it.infer(variant_name="v")
    assert len(it.sender.calls) == 3
    assert len(pauses) == 2


def test_what_a_second_try_cannot_mend_is_not_retried(line, pauses):
    it = line(model("m", "a", "b") + function(variant(extra=RETRIES)), refusal(400), refusal(403))
    with pytest.raises(ProvidersExhausted):
        it.infer(variant_name="v")
    assert it.sender.asked == ["a.m", "b.m"]
    assert pauses == []


def test_one_retryable_failure_of_several_is_enough_to_try_again(line, pauses):
    it = line(model("m", "a", "b") + function(variant(extra=RETRIES)), refusal(400), refusal(503), said())
    it.infer()
    assert it.sender.asked == ["a.m", "b.m", "a.m"]


@pytest.mark.parametrize(("asked", "waited"), [("3", 3), ("3600", 4)])
def test_a_provider_may_ask_for_a_longer_pause_up_to_the_cap(line, pauses, asked, waited):
    slow = refusal(429, headers=(("retry-after", asked),))
    it = line(model() + function(variant(extra=RETRIES)), slow, said())
    it.infer()
    assert pauses == [waited]


def test_a_pause_never_outlasts_the_variant(line, pauses):
    timed = RETRIES + ", timeouts = { non_streaming = { total_ms = 200 } }"
    it = line(model() + function(variant(extra=timed)), refusal(429, headers=(("retry-after", "3"),)), said())
    it.infer()
    assert pauses[0] <= 0.2


@pytest.mark.parametrize(
    ("where", "says", "asked"),
    [
        ("variant", "the variant 'v' ran out of time", ["a.m"]),
        ("model", "the model 'm' ran out of time", ["a.m"]),
        ("provider", "a: the provider 'a' ran out of time; b: the deadline", ["a.m", "b.m"]),
    ],
)
def test_a_network_timeout_names_whose_time_it_was(line, where, says, asked):
    def late(call):
        time.sleep(0.003)
        return InferenceTimeout("the deadline passed")

    timed = "timeouts = { non_streaming = { total_ms = 1 } }"
    toml = model("m", "a", "b", extra=timed if where == "model" else "")
    if where == "provider":
        toml = toml.replace('api_key_location = "none"', 'api_key_location = "none"\n' + timed, 1)
    it = line(toml + function(variant(extra=timed if where == "variant" else "")), late)
    with pytest.raises((InferenceTimeout, ProvidersExhausted), match=says) as caught:
        it.infer(variant_name="v")
    assert it.sender.asked == asked
    assert it.row.http_status == caught.value.status == (500 if where == "provider" else 408)
    assert {row.error_code for row in it.attempts} == {"timeout"}


def test_the_tightest_limit_reaches_the_network(line):
    timeouts = "timeouts = { non_streaming = { total_ms = 1000 }, streaming = { ttft_ms = 500, total_ms = 2000 } }"
    it = line(model(extra=timeouts) + function(), said(), streamed("x"))
    it.infer()
    it.stream()
    whole, stream = it.sender.deadlines
    assert whole.first_byte is None
    assert 1 < stream.total - stream.first_byte < 2


def test_a_provider_whose_credential_was_not_sent_is_passed_over(line):
    toml = model("m", "a", "b", key="dynamic::mine").replace('"dynamic::mine"', '"none"', 2)
    toml = toml.replace('"none"', '"dynamic::mine"', 1)
    it = line(toml + function(), said())
    it.infer()
    assert it.sender.asked == ["b.m"]
    assert [(row.provider_name, row.error_code, row.http_status) for row in it.attempts] == [
        ("a", "missing_credential", None),
        ("b", None, 200),
    ]


def test_when_no_provider_had_its_credential_the_request_is_at_fault(line, pauses):
    it = line(model("m", "a", "b", key="dynamic::mine") + function(variant(extra=RETRIES)))
    with pytest.raises(MissingCredential, match="'mine'"):
        it.infer(variant_name="v")
    assert it.sender.calls == []
    assert pauses == []


def test_a_key_that_a_provider_quotes_is_struck_out(line):
    it = line(model(key="dynamic::mine") + function(), refusal(401, "bad key s3cret"))
    with pytest.raises(ProvidersExhausted) as caught:
        it.infer(variant_name="v", credentials={"mine": "s3cret"})
    assert dict(it.sender.calls[0].headers)["authorization"] == "Bearer s3cret"
    assert "bad key ***" in caught.value.message
    assert "s3cret" not in repr(it.records)


def test_a_stream_counts_as_answered_with_its_first_chunk(line):
    broken = Answer(event({"content": "He"}), Disconnected("cut"))
    it = line(model("m", "a", "b") + function(variant(extra=RETRIES)), broken, streamed("never"))
    stream, chunks = it.stream()
    assert [delta.text for chunk in chunks for delta in chunk.content] == ["He"]
    assert it.sender.asked == ["a.m"]
    assert isinstance(stream.error, Disconnected)


@pytest.mark.parametrize("first", [Answer(), Answer(b": nothing yet\n\n"), Answer(Disconnected("x")), refusal(500)])
def test_a_stream_that_fails_before_its_first_chunk_goes_to_the_next_provider(line, first):
    it = line(model("m", "a", "b") + function(), first, streamed("Hi"))
    stream, _ = it.stream()
    assert stream.answered.content[0].text == "Hi"
    assert it.sender.asked == ["a.m", "b.m"]
    assert first.closed


def test_an_empty_stream_is_truncated(line):
    it = line(model() + function(), Answer())
    with pytest.raises(ProvidersExhausted):
        it.stream(variant_name="v")
    assert it.attempts[0].error_code == Truncated.code


def test_a_stream_that_keeps_its_first_chunk_back_runs_out_of_time(line):
    class Stalled(Answer):
        async def chunks(self):
            yield b": wait\n\n"
            await asyncio.Event().wait()

    stalled = Stalled()
    timeouts = "timeouts = { streaming = { ttft_ms = 20 } }"
    it = line(model(extra=timeouts) + function(), stalled)
    with pytest.raises(InferenceTimeout, match="the model 'm' ran out of time for the first chunk"):
        it.stream(variant_name="v")
    assert stalled.closed


AZURE = """
[models.m]
routing = ["p"]
[models.m.providers.p]
type = "azure"
deployment_id = "d"
endpoint = "http://azure.test"
api_key_location = "none"
"""


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_azure_s_filter_stops_is_an_answer(line, stream):
    verdict = {"hate": {"filtered": True, "severity": "high"}}
    told = {"error": {"code": "content_filter", "message": "no", "innererror": {"content_filter_result": verdict}}}
    it = line(AZURE + function(), Answer(msgspec.json.encode(told), status=400))
    answered = it.stream()[0].answered if stream else it.infer()
    assert (answered.content, answered.finish_reason) == ((), "content_filter")
    (row,) = it.attempts
    assert (row.status, row.finish_reason) == ("ok", "content_filter")
    assert msgspec.json.decode(row.finish_detail) == verdict
