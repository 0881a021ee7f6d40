"""Fallback in its order: the next provider, then the variant again, then the next variant; and whose time ran out."""

import time

import pytest
from tests.support.faults import (
    INPUT,
    TEXT,
    events,
    function,
    many,
    message_in,
    message_of,
    metric,
    model,
    native_text,
    no_traceback,
)
from tests.support.gateway import gateway

from calibrant.testing.faults import Script
from calibrant.testing.upstream import run_upstream

TOTAL = "{ non_streaming = { total_ms = 200 }, streaming = { total_ms = 300 } }"
FIRST = "{ streaming = { ttft_ms = 200 } }"
RETRY = ", retries = { num_retries = 2, max_delay_s = 0.05 }"


def _config(up):
    bad, good, slow, broken = "fault:500", "plain", "fault:stall", "fault:reset_mid_body"
    models = [
        model("good", up),
        model("bad", up, upstream=bad),
        model("busy", up, upstream="busy"),
        model("denied", up, upstream="fault:401"),
        model("broken", up, upstream=broken),
        many("second", [("a", up, bad, ""), ("b", up, good, "")]),
        many("neither", [("a", up, bad, ""), ("b", up, "fault:reset_before_headers", "")]),
        many("mixed", [("a", up, "fault:401", ""), ("b", up, "fault:400", "")]),
        many("provider_late", [("a", up, slow, TOTAL), ("b", up, good, "")]),
        many("provider_late_first", [("a", up, slow, FIRST), ("b", up, good, "")]),
        many("only_late", [("a", up, slow, TOTAL)]),
        many("model_late", [("a", up, slow, ""), ("b", up, good, "")], timeouts=TOTAL),
        many("model_late_first", [("a", up, slow, ""), ("b", up, good, "")], timeouts=FIRST),
        model("slow", up, upstream=slow),
        many("stalls", [("a", up, "fault:stall_mid_body", TOTAL)]),
    ]
    functions = [
        function("retried", ("only", "busy", RETRY)),
        function("retried_in_vain", ("only", "neither", ", retries = { num_retries = 1, max_delay_s = 0.05 }")),
        function("not_retried", ("only", "mixed", RETRY)),
        function("next_variant", ("first", "bad", ""), ("then", "good", ""), fallbacks=["then"]),
        function("denied_then", ("first", "denied", RETRY), ("then", "good", ""), fallbacks=["then"]),
        function("nobody", ("first", "bad", ""), ("then", "denied", ""), fallbacks=["then"]),
        function("breaks", ("first", "broken", RETRY), ("then", "good", ""), fallbacks=["then"]),
        function("model_late", ("only", "model_late", "")),
        function("model_late_first", ("only", "model_late_first", "")),
        function("only_late", ("only", "only_late", "")),
        function("stalls", ("only", "stalls", "")),
        function("variant_late", ("only", "slow", f", timeouts = {TOTAL}")),
        function("variant_late_first", ("only", "slow", f", timeouts = {FIRST}")),
        function("variant_stalls", ("only", "stalls_long", f", timeouts = {TOTAL}")),
        function(
            "variant_late_then", ("first", "slow", f", timeouts = {TOTAL}"), ("then", "good", ""), fallbacks=["then"]
        ),
    ]
    models.append(model("stalls_long", up, upstream="fault:stall_mid_body"))
    return "\n".join(models + functions)


@pytest.fixture(scope="module")
def upstream():
    with run_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory, upstream):
    with gateway(tmp_path_factory.mktemp("fallback"), _config(upstream.url)) as started:
        yield started
        no_traceback(started)


def _answer(running, what, stream=False, pinned=False):
    body = {"input": INPUT, "stream": stream} | what
    return running.infer(body | ({"variant_name": "only"} if pinned else {}))


def _id(answer, stream):
    return (events(answer)[0] if stream else answer.json())["inference_id"]


def _text(answer, stream):
    if stream:
        return native_text(events(answer)[:-1])
    return answer.json()["content"][0]["text"]


def _calls(running, inference_id):
    calls = running.model_inferences(inference_id)
    assert [call["attempt"] for call in calls] == list(range(1, len(calls) + 1))
    return [(call["variant_name"], call["provider_name"], call["status"]) for call in calls]


def _failed(running, name):
    """The row of the only failed inference of a function, and its calls."""
    running.settled()
    row = running.rows("SELECT * FROM inferences WHERE function_name = ? ORDER BY id DESC LIMIT 1", name)[0]
    return row, _calls(running, row["id"])


@pytest.mark.parametrize("stream", [False, True])
def test_the_next_provider_takes_over(running, stream):
    answer = _answer(running, {"model_name": "second"}, stream)
    assert (answer.status_code, _text(answer, stream)) == (200, TEXT)
    row = running.inference(_id(answer, stream))
    assert (row["status"], row["fallback_reason"]) == ("ok", None)
    assert _calls(running, row["id"]) == [("second", "a", "error"), ("second", "b", "ok")]
    (failed, _) = running.model_inferences(row["id"])
    assert (failed["error_code"], failed["http_status"]) == ("provider_refused", 500)


@pytest.mark.parametrize("stream", [False, True])
def test_a_busy_provider_is_asked_again_and_its_advice_is_capped(running, upstream, stream):
    busy = Script(status=429, retry_after=30)
    upstream.playbook.forget()
    upstream.playbook.queue.extend([busy, busy])
    began = time.monotonic()
    answer = _answer(running, {"function_name": "retried"}, stream)
    # Retry-After says half a minute, `max_delay_s` says no.
    assert time.monotonic() - began < 10
    assert (answer.status_code, _text(answer, stream)) == (200, TEXT)
    assert len(upstream.captured) == 3
    row = running.inference(_id(answer, stream))
    assert _calls(running, row["id"]) == [("only", "p", "error"), ("only", "p", "error"), ("only", "p", "ok")]
    assert [call["http_status"] for call in running.model_inferences(row["id"])] == [429, 429, 200]
    assert (row["status"], row["variant_name"], row["fallback_reason"]) == ("ok", "only", None)


@pytest.mark.parametrize("stream", [False, True])
def test_all_providers_are_tried_again_in_their_order(running, stream):
    answer = _answer(running, {"function_name": "retried_in_vain"}, stream, pinned=True)
    assert answer.status_code == 500
    message = message_of(answer)
    assert "a: provider 'a' answered 500" in message
    assert "b: the connection broke" in message
    row, calls = _failed(running, "retried_in_vain")
    assert row["error_code"] == "providers_exhausted"
    assert calls == [("only", name, "error") for name in ("a", "b", "a", "b")]


def test_what_cannot_succeed_is_not_tried_again(running, upstream):
    upstream.playbook.forget()
    answer = _answer(running, {"function_name": "not_retried"}, pinned=True)
    assert answer.status_code == 500
    assert len(upstream.captured) == 2
    _, calls = _failed(running, "not_retried")
    assert calls == [("only", "a", "error"), ("only", "b", "error")]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["next_variant", "denied_then", "variant_late_then"])
def test_the_next_variant_takes_over(running, name, stream):
    answer = _answer(running, {"function_name": name}, stream)
    assert (answer.status_code, _text(answer, stream)) == (200, TEXT)
    row = running.inference(_id(answer, stream))
    assert (row["status"], row["assigned_variant"], row["variant_name"]) == ("ok", "first", "then")
    assert row["probability"] == 1.0
    assert row["fallback_reason"].startswith("first: ")
    assert _calls(running, row["id"]) == [("first", "p", "error"), ("then", "p", "ok")]


def test_when_all_variants_fail_each_is_named(running):
    answer = _answer(running, {"function_name": "nobody"})
    assert answer.status_code == 502
    message = message_of(answer)
    assert "first: all providers of the model 'bad' failed" in message
    assert "then: all providers of the model 'denied' failed" in message
    row, calls = _failed(running, "nobody")
    assert (row["error_code"], row["assigned_variant"], row["variant_name"]) == ("all_variants_failed", "first", "then")
    assert calls == [("first", "p", "error"), ("then", "p", "error")]


def test_nothing_takes_over_after_the_first_chunk(running, upstream):
    upstream.playbook.forget()
    answer = _answer(running, {"function_name": "breaks"}, stream=True)
    assert answer.status_code == 200
    *chunks, error, done = events(answer)
    assert done == "[DONE]"
    assert "the connection broke" in message_in(error)
    assert native_text(chunks) == TEXT.split()[0]
    assert len(upstream.captured) == 1
    row = running.inference(chunks[0]["inference_id"])
    assert (row["status"], row["variant_name"], row["error_code"]) == ("error", "first", "provider_disconnected")
    assert _calls(running, row["id"]) == [("first", "p", "error")]


@pytest.mark.parametrize(("name", "stream"), [("provider_late", False), ("provider_late_first", True)])
def test_a_provider_that_is_late_makes_room_for_the_next(running, name, stream):
    answer = _answer(running, {"model_name": name}, stream)
    assert (answer.status_code, _text(answer, stream)) == (200, TEXT)
    running.inference(_id(answer, stream))
    (late, served) = running.model_inferences(_id(answer, stream))
    assert (late["provider_name"], late["error_code"], served["status"]) == ("a", "timeout", "ok")
    assert "the provider 'a' ran out of time" in late["error_message"]


LATE = {
    "only_late": (False, 500, "the provider 'a' ran out of time"),
    "model_late": (False, 408, "the model 'model_late' ran out of time"),
    "model_late_first": (True, 408, "the model 'model_late_first' ran out of time for the first chunk"),
    "variant_late": (False, 408, "the variant 'only' ran out of time"),
    "variant_late_first": (True, 408, "the variant 'only' ran out of time for the first chunk"),
}


@pytest.mark.parametrize("pinned", [True, False])
@pytest.mark.parametrize("name", LATE)
def test_whose_time_ran_out_is_named(running, upstream, name, pinned):
    stream, status, says = LATE[name]
    upstream.playbook.forget()
    answer = _answer(running, {"function_name": name}, stream, pinned)
    assert answer.status_code == (status if pinned else 502)
    assert says in message_of(answer)
    # The time of a model or a variant is over for all of its providers.
    assert len(upstream.captured) == 1
    row, calls = _failed(running, name)
    assert row["status"] == "error"
    assert says in row["error_message"]
    assert [status for *_, status in calls] == ["error"]
    assert running.model_inferences(row["id"])[0]["error_code"] == "timeout"


@pytest.mark.parametrize(
    ("name", "whose"),
    [("stalls", "the provider 'a' ran out of time"), ("variant_stalls", "the variant 'only' ran out")],
)
def test_whose_time_ran_out_in_the_middle_of_a_stream_is_named(running, name, whose):
    answer = _answer(running, {"function_name": name}, stream=True)
    *chunks, error, done = events(answer)
    assert done == "[DONE]"
    assert whose in message_in(error)
    row = running.inference(chunks[0]["inference_id"])
    assert (row["status"], row["error_code"]) == ("error", "timeout")
    assert whose in row["error_message"]


def test_each_failed_call_is_counted(running):
    before = running.get("/metrics").text
    _answer(running, {"model_name": "neither"})
    after = running.get("/metrics").text
    for provider, code in (("a", "provider_refused"), ("b", "provider_disconnected")):
        labels = {"model_name": "neither", "provider_name": provider, "code": code}
        name = "calibrant_provider_errors_total"
        assert metric(after, name, **labels) - metric(before, name, **labels) == 1
