"""Real processes: calls go around sick providers, models take over, streams stall, clients leave."""

import socket
import struct

import msgspec
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
    openai_text,
)
from tests.support.gateway import gateway, until

from calibrant.testing.faults import Latency, Script
from calibrant.testing.upstream import run_upstream

IDLE = "{ streaming = { idle_ms = 200 } }"
FIRST = "{ streaming = { ttft_ms = 300 } }"
PINGS = "fault:only_pings,after_chunks=3,delay_s=0.05"
GATEWAY = """
[gateway]
global_outbound_http_intra_stream_read_timeout_ms = 500
on_client_disconnect = "%s"
"""


def _with(text, keys):
    """A model with further keys."""
    head, _, rest = text.partition("\n")
    return f"{head}\n{keys}\n{rest}"


def _config(up, on_leaving):
    bad, good = "fault:500", "plain"
    two = [("a", up, bad, ""), ("b", up, good, "")]
    models = [
        model("good", up),
        many("pinging", [("a", up, PINGS, FIRST), ("b", up, good, "")]),
        many("pinging_then_quiet", [("a", up, PINGS, IDLE), ("b", up, good, "")]),
        model("stalls", up, upstream="fault:stall_mid_body", timeouts=IDLE),
        model("stalls_anyhow", up, upstream="fault:stall_mid_body"),
        _with(many("flaky", two), "breaker = { failures = 2, open_s = 600, max_open_s = 600 }"),
        _with(many("sick", [("a", up, bad, ""), ("b", up, bad, "")]), "breaker = { failures = 1 }"),
        _with(many("drawn", two), 'routing_strategy = "weighted"\nweights = { a = 0, b = 1 }'),
        _with(many("fast", [("a", up, "slow", ""), ("b", up, good, "")]), 'routing_strategy = "least_latency"'),
        _with(model("backed", up, upstream=bad), 'fallback_models = ["backing"]'),
        _with(model("backing", up, upstream="fault:reset_before_headers"), 'fallback_models = ["good"]'),
        _with(model("lost", up, upstream=bad), 'fallback_models = ["lost_too"]'),
        model("lost_too", up, upstream="fault:401"),
        model("hangs", up, upstream="fault:stall"),
        model("waits", up, upstream="slow"),
        model("trickles", up, upstream="fault:slow_body,delay_s=0.25"),
    ]
    functions = [
        function("backed", ("only", "backed", "")),
        function("lost", ("only", "lost", "")),
        function("hangs", ("only", "hangs", ""), ("then", "good", ""), fallbacks=["then"]),
    ]
    return GATEWAY % on_leaving + "\n".join(models + functions)


@pytest.fixture(scope="module")
def upstream():
    with run_upstream(models={"slow": Script(latency=Latency(0.4))}) as running:
        yield running


def _running(folder, upstream, on_leaving):
    with gateway(folder, _config(upstream.url, on_leaving)) as started:
        yield started
        no_traceback(started)


@pytest.fixture(scope="module")
def running(tmp_path_factory, upstream):
    yield from _running(tmp_path_factory.mktemp("draining"), upstream, "drain")


@pytest.fixture(scope="module")
def cancelling(tmp_path_factory, upstream):
    yield from _running(tmp_path_factory.mktemp("cancelling"), upstream, "cancel")


def _answer(running, stream=False, **what):
    return running.infer({"input": INPUT, "stream": stream, **what})


def _id(answer, stream):
    return (events(answer)[0] if stream else answer.json())["inference_id"]


def _calls(running, inference_id):
    running.inference(inference_id)
    rows = running.model_inferences(inference_id)
    return [(row["model_name"], row["provider_name"], row["status"]) for row in rows]


def _served(running, stream=False, **what):
    answer = _answer(running, stream, **what)
    assert answer.status_code == 200, answer.text
    text = native_text(events(answer)[:-1]) if stream else answer.json()["content"][0]["text"]
    assert text == TEXT
    return _calls(running, _id(answer, stream))


# Breakers and strategies


def test_calls_go_around_a_sick_provider(running):
    before = running.get("/metrics").text
    asked = [[call[1] for call in _served(running, model_name="flaky")] for _ in range(4)]
    assert asked == [["a", "b"], ["a", "b"], ["b"], ["b"]]
    after = until(lambda: _if(running.get("/metrics").text, breaker_skipped=2), "the figures to be published")
    for name, times in (("opened", 1), ("skipped", 2), ("closed", 0)):
        labels = {"model_name": "flaky", "provider_name": "a"}
        full = f"calibrant_breaker_{name}_total"
        assert metric(after, full, **labels) - metric(before, full, **labels) == times
    assert any("models.flaky.providers.a: calls go around it for 600 s (provider_refused)" in x for x in running.log)


def _if(text, **counted):
    return all(metric(text, f"calibrant_{name}_total", model_name="flaky") >= n for name, n in counted.items()) and text


def test_where_all_are_sick_all_are_asked_all_the_same(running):
    for _ in range(3):
        answer = _answer(running, model_name="sick")
        assert answer.status_code == 502
        assert "a: provider 'a' answered 500" in message_of(answer)
        assert "b: provider 'b' answered 500" in message_of(answer)


def test_a_draw_by_weight_decides(running):
    for stream in (False, True):
        assert _served(running, stream, model_name="drawn") == [("drawn", "b", "ok")]


@pytest.mark.parametrize("stream", [False, True])
def test_the_faster_provider_serves(running, stream):
    # Each shows what it can do; then there is no more doubt.
    asked = [_served(running, stream, model_name="fast")[0][1] for _ in range(4)]
    assert asked == ["a", "b", "b", "b"]


# Models that take over


@pytest.mark.parametrize("pinned", [{}, {"variant_name": "only"}])
@pytest.mark.parametrize("stream", [False, True])
def test_models_take_over_from_each_other(running, stream, pinned):
    assert _served(running, stream, function_name="backed", **pinned) == [
        ("backed", "p", "error"),
        ("backing", "p", "error"),
        ("good", "p", "ok"),
    ]


@pytest.mark.parametrize(("pinned", "status"), [({}, 502), ({"variant_name": "only"}, 500)])
def test_when_none_can_the_status_is_that_of_one_model(running, pinned, status):
    answer = _answer(running, function_name="lost", **pinned)
    assert answer.status_code == status
    for name in ("lost", "lost_too"):
        assert f"all providers of the model '{name}' failed" in message_of(answer)


# Streams that stall


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("pinging", "the provider 'a' ran out of time for the first chunk"),
        ("pinging_then_quiet", "nothing came for 200 ms, the most that the provider 'a' allows"),
    ],
)
def test_pings_and_then_nothing_make_room_for_the_next(running, name, says):
    answer = _answer(running, True, model_name=name)
    assert native_text(events(answer)[:-1]) == TEXT
    inference_id = _id(answer, True)
    assert [call[1:] for call in _calls(running, inference_id)] == [("a", "error"), ("b", "ok")]
    stalled = running.model_inferences(inference_id)[0]
    assert stalled["error_code"] == "timeout" and says in stalled["error_message"]


WHOSE = {
    "stalls": "200 ms, the most that the model 'stalls' allows",
    "stalls_anyhow": "500 ms, the most that the gateway allows",
}


@pytest.mark.parametrize("openai", [False, True])
@pytest.mark.parametrize("name", WHOSE)
def test_a_stream_that_stalls_ends_with_an_error_and_the_record_has_what_had_come(running, name, openai):
    if openai:
        body = {"model": f"tensorzero::model_name::{name}", "messages": INPUT["messages"], "stream": True}
        answer = running.post("/openai/v1/chat/completions", body)
    else:
        answer = _answer(running, True, model_name=name)
    *chunks, error, done = events(answer)
    assert done == "[DONE]" and answer.text.count("[DONE]") == 1
    assert f"nothing came for {WHOSE[name]}" in message_in(error, openai)
    text = openai_text(chunks) if openai else native_text(chunks)
    assert text and TEXT.startswith(text.strip())
    _stalled(running, chunks[0]["id" if openai else "inference_id"])


def _stalled(running, inference_id):
    row = running.inference(inference_id)
    assert (row["status"], row["error_code"]) == ("error", "timeout")
    (call,) = running.model_inferences(row["id"])
    assert (call["status"], call["error_code"], call["usage_source"]) == ("error", "timeout", "estimated")
    assert call["output_tokens"] > 0


@pytest.mark.parametrize(
    ("path", "body", "last"),
    [
        ("/v1/responses", {"input": TEXT}, "response.failed"),
        ("/v1/messages", {"messages": INPUT["messages"], "max_tokens": 9}, "error"),
    ],
)
def test_dialects_without_an_end_marker_end_with_the_error(running, path, body, last):
    answer = running.post(path, {"model": "tensorzero::model_name::stalls", "stream": True, **body})
    *before, final = [each for each in answer.text.split("\n\n") if each]
    assert final.startswith(f"event: {last}\n") and "[DONE]" not in answer.text
    assert f"nothing came for {WHOSE['stalls']}" in final
    assert any("delta" in event for event in before) and not any(f"event: {last}\n" in event for event in before)


# Clients that leave


def _leave(running, upstream, body, *, begun, reset):
    """Ask, wait until the provider has been asked (and of a stream, the first event has come), and leave."""
    upstream.playbook.forget()
    data = msgspec.json.encode({"input": INPUT, **body})
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as sock:
        sock.sendall(b"POST /inference HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data))
        until(lambda: upstream.captured, "the provider to be asked")
        while begun and b"data: " not in sock.recv(65536):
            pass
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _last(running, **where):
    """The row of the inference that was begun last, once it is over."""

    def found():
        rows = running.rows("SELECT * FROM inferences ORDER BY id DESC LIMIT 1")
        over = rows and rows[0]["status"] != "running" and rows[0]["id"] not in where["but"]
        return rows[0] if over else None

    return until(found, "the inference to be recorded")


def _known(running):
    running.settled()
    return {row["id"] for row in running.rows("SELECT id FROM inferences")}


@pytest.mark.parametrize("reset", [False, True])
def test_a_stream_whose_client_has_left_ends_and_what_had_come_is_recorded(cancelling, upstream, reset):
    known = _known(cancelling)
    _leave(cancelling, upstream, {"model_name": "trickles", "stream": True}, begun=True, reset=reset)
    until(lambda: upstream.playbook.abandoned == 1, "the provider's connection to be closed")
    row = _last(cancelling, but=known)
    assert (row["status"], row["error_code"], row["http_status"]) == ("error", "client_disconnected", 499)
    (call,) = cancelling.model_inferences(row["id"])
    assert (call["status"], call["error_code"], call["http_status"]) == ("error", "client_disconnected", 200)
    assert call["usage_source"] == "estimated" and call["input_tokens"] > 0
    books = cancelling.settled()
    assert books["missing"] == 0


@pytest.mark.parametrize("name", ["only", None])
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_whose_client_has_left_ends_and_no_other_follows(cancelling, upstream, stream, name):
    known = _known(cancelling)
    body = {"function_name": "hangs", "stream": stream} | ({"variant_name": name} if name else {})
    _leave(cancelling, upstream, body, begun=False, reset=False)
    until(lambda: upstream.playbook.abandoned == 1, "the provider's connection to be closed")
    row = _last(cancelling, but=known)
    assert (row["status"], row["error_code"], row["variant_name"]) == ("error", "client_disconnected", "only")
    (call,) = cancelling.model_inferences(row["id"])
    assert (call["error_code"], call["usage_source"], call["http_status"]) == ("client_disconnected", "none", None)
    assert len(upstream.captured) == 1
    # Who stays is served.
    assert _served(cancelling, stream, model_name="good") == [("good", "p", "ok")]


@pytest.mark.parametrize(("name", "stream"), [("trickles", True), ("waits", False)])
def test_where_nothing_is_said_the_inference_goes_on_to_its_end(running, upstream, name, stream):
    known = _known(running)
    _leave(running, upstream, {"model_name": name, "stream": stream}, begun=stream, reset=True)
    row = _last(running, but=known)
    assert (row["status"], row["error_code"]) == ("ok", None)
    (call,) = running.model_inferences(row["id"])
    assert (call["finish_reason"], call["usage_source"]) == ("stop", "reported")
    assert upstream.playbook.abandoned == 0
