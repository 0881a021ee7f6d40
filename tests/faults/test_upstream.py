"""Whatever a provider does, the caller gets the right status and error, the record and the metrics say so, and the
next request works. One battery: a fault is a value.
"""

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import trustme
from tests.support.faults import (
    INPUT,
    TEXT,
    events,
    function,
    message_in,
    message_of,
    metric,
    model,
    native_text,
    no_traceback,
    openai_text,
)
from tests.support.gateway import gateway, until

from calibrant.base.ids import uuid7
from calibrant.testing.faults import Answer, Script, Tokens
from calibrant.testing.upstream import run_upstream

SHORT = "{ non_streaming = { total_ms = 250 }, streaming = { ttft_ms = 250, total_ms = 600 } }"


@dataclass(frozen=True)
class Fault:
    """A provider's fault and all that must come of it."""

    name: str
    stream: bool
    code: str | None
    """Error code of the failed call; null where the gateway makes a good answer of it all the same."""
    upstream_status: int | None = None
    """The provider's own status, as recorded; a stream that had begun had said 200."""
    begun: bool = False
    """It strikes when the caller has already seen a chunk."""
    says: str = ""
    """Part of the message."""
    short: bool = False
    """The model's time is short."""
    to: str = "upstream"
    tokens: int | None = None
    """Output tokens that were known by then."""

    @property
    def model(self):
        return f"{self.name.partition(',')[0]}_{'stream' if self.stream else 'plain'}".replace("-", "_")

    @property
    def timeout(self):
        return self.code == "timeout"


def plain(name, code, **more):
    return Fault(name, False, code, **more)


def stream(name, code, **more):
    return Fault(name, True, code, **more)


GONE, BAD, LATE = "provider_disconnected", "provider_bad_answer", "timeout"

FAULTS = [
    plain("refused", "provider_unreachable", to="refused", says="Connection refused"),
    stream("refused", "provider_unreachable", to="refused", says="Connection refused"),
    plain("dns", "provider_unreachable", to="dns", says="cannot resolve"),
    plain("tls", "provider_unreachable", to="tls", says="certificate"),
    stream("tls", "provider_unreachable", to="tls", says="certificate"),
    plain("deaf", LATE, to="deaf", short=True, says="the model 'deaf_plain' ran out of time"),
    stream("deaf", LATE, to="deaf", short=True, says="the model 'deaf_stream' ran out of time for the first chunk"),
    plain("reset_before_headers", GONE, says="before a byte"),
    stream("reset_before_headers", GONE, says="before a byte"),
    plain("reset_after_headers", GONE),
    stream("reset_after_headers", GONE),
    plain("reset_mid_body", GONE),
    stream("reset_mid_body", GONE, begun=True),
    plain("truncated", GONE, says="closed the connection"),
    stream("truncated", GONE, begun=True, says="closed the connection"),
    plain("length_too_long", GONE),
    stream("length_too_long", GONE),
    plain("length_too_short", BAD, upstream_status=200),
    plain("401", "provider_refused", upstream_status=401, says="answered 401"),
    plain("429", "provider_refused", upstream_status=429, says="answered 429"),
    stream("429", "provider_refused", upstream_status=429, says="answered 429"),
    plain("500", "provider_refused", upstream_status=500, says="answered 500"),
    stream("500", "provider_refused", upstream_status=500, says="answered 500"),
    plain("503", "provider_refused", upstream_status=503, says="answered 503"),
    plain("malformed_json", BAD, upstream_status=200, says="not a chat completion"),
    stream("malformed_json", BAD, begun=True, says="not a chunk"),
    plain("html", BAD, upstream_status=200, says="not a chat completion"),
    stream("html", BAD, upstream_status=200, says="not an event stream"),
    plain("empty", BAD, upstream_status=200),
    stream("empty", "provider_truncated"),
    plain("not_http", BAD, says="not HTTP"),
    stream("not_http", BAD, says="not HTTP"),
    plain("error_event", "provider_refused", upstream_status=200, says="sent an error"),
    stream("error_event,after_chunks=0", "provider_refused", upstream_status=200, says="sent an error"),
    plain("ended_early", BAD, upstream_status=200),
    stream("ended_early", "provider_truncated", begun=True, says="without [DONE]"),
    stream("missing_done", None),
    plain("split_utf8", None),
    stream("split_utf8", None),
    plain("slow_headers,delay_s=20", LATE, short=True, says="the model 'slow_headers_plain' ran out of time"),
    stream("slow_headers,delay_s=20", LATE, short=True, says="'slow_headers_stream' ran out of time for the first"),
    plain("slow_body,delay_s=20", LATE, short=True, says="the model 'slow_body_plain' ran out of time"),
    stream("slow_body,delay_s=20", LATE, short=True, says="the model 'slow_body_stream' ran out of time for the first"),
    plain("stall", LATE, short=True, says="the model 'stall_plain' ran out of time"),
    stream("stall", LATE, short=True, says="the model 'stall_stream' ran out of time for the first chunk"),
    plain("stall_mid_body", LATE, short=True, says="the model 'stall_mid_body_plain' ran out of time"),
    stream("stall_mid_body", LATE, short=True, begun=True, says="the model 'stall_mid_body_stream' ran out of time"),
]
# Role, three words, end, usage, and only then the error: what was known of the usage stays in the record.
LATE_ERROR = stream("error_event,after_chunks=6", "provider_refused", begun=True, tokens=8)


def _ids(fault):
    return f"{fault.name}-{'stream' if fault.stream else 'plain'}"


@pytest.fixture(scope="module")
def places():
    """Where a provider can be: base addresses by kind."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    script = Script(answer=Answer(tokens=Tokens(prompt=12, completion=8)))
    with (
        run_upstream(script) as upstream,
        run_upstream(ssl_context=context) as secure,
        socket.socket() as closed,
        socket.socket() as deaf,
        socket.socket() as first,
        socket.socket() as second,
    ):
        closed.bind(("127.0.0.1", 0))
        deaf.bind(("127.0.0.1", 0))
        # With its short queue full, the kernel answers no more connections.
        deaf.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        yield {
            "upstream": upstream.url,
            "tls": secure.url,
            "refused": f"http://127.0.0.1:{closed.getsockname()[1]}/v1",
            "deaf": f"http://127.0.0.1:{deaf.getsockname()[1]}/v1",
            "dns": "http://nobody.invalid/v1",
        }


def _model(name, fault, places):
    timeouts = SHORT if fault.short else ""
    return model(name, places[fault.to], upstream=f"fault:{fault.name}", timeouts=timeouts) + function(
        name, ("only", name, "")
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory, places):
    config = model("good", places["upstream"])
    config += "".join(_model(fault.model, fault, places) for fault in FAULTS) + _model("late", LATE_ERROR, places)
    with gateway(tmp_path_factory.mktemp("upstream"), config) as started:
        yield started
        no_traceback(started)


@pytest.fixture(scope="module")
def pool():
    with ThreadPoolExecutor(3) as threads:
        yield threads


def _ask(running, fault, name, pinned=False, openai=False):
    """Send one request; return its answer and its episode, by which its row is found."""
    episode = uuid7()
    if openai:
        extra = {"tensorzero::episode_id": episode}
        body = {"model": f"tensorzero::function_name::{name}", "stream": fault.stream, **INPUT, **extra}
        return running.post("/openai/v1/chat/completions", body), episode
    body = {"function_name": name, "episode_id": episode, "stream": fault.stream, "input": INPUT}
    return running.infer(body | ({"variant_name": "only"} if pinned else {})), episode


def _row(running, episode):
    query = "SELECT * FROM inferences WHERE episode_id = ? AND status != 'running'"
    (row,) = until(lambda: running.rows(query, episode), "the inference to be stored")
    return row, running.model_inferences(row["id"])


def _check_call(call, fault):
    """A failed call is a row with its error."""
    assert (call["status"], call["error_code"]) == ("error", fault.code)
    assert call["http_status"] == (200 if fault.begun else fault.upstream_status)
    assert fault.says in call["error_message"]
    assert (call["attempt"], call["provider_name"], call["variant_name"]) == (1, "p", "only")
    if fault.tokens is not None:
        assert (call["usage_source"], call["output_tokens"]) == ("partial", fault.tokens)
    elif fault.begun:
        # Whoever broke off never counted: what had come is estimated, if any text had.
        assert call["usage_source"] == ("none" if call["output_tokens"] is None else "estimated")
        assert call["raw_usage"] is None
    else:
        assert (call["usage_source"], call["output_tokens"]) == ("none", None)


def _check_failed(running, fault, name, asked):
    """It failed before the caller saw anything: a status, an error, a row."""
    for (answer, episode), pinned, openai in zip(asked, (False, True, False), (False, False, True), strict=True):
        if pinned:
            expected = (408, "timeout") if fault.timeout else (500, "providers_exhausted")
        else:
            expected = (502, "all_variants_failed")
        message = message_of(answer, openai)
        assert answer.status_code == expected[0], message
        assert fault.says in message
        row, calls = _row(running, episode)
        assert (row["status"], row["error_code"], row["http_status"]) == ("error", expected[1], expected[0])
        assert row["error_message"] == message
        assert (row["variant_name"], row["assigned_variant"], row["fallback_reason"]) == ("only", "only", None)
        assert (row["dialect"] == "openai_chat") == openai
        (call,) = calls
        _check_call(call, fault)


def _check_broken(running, fault, name, asked):
    """It failed after a chunk: the stream ends with an error and its end marker, and what came is kept."""
    for (answer, episode), openai in zip(asked, (False, False, True), strict=True):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        *chunks, error, done = events(answer)
        assert done == "[DONE]"
        assert fault.says in message_in(error, openai)
        text = (openai_text if openai else native_text)(chunks)
        assert text
        assert TEXT.startswith(text)
        assert not any(chunk.get("usage") for chunk in chunks)
        row, calls = _row(running, episode)
        assert (row["status"], row["error_code"]) == ("error", fault.code)
        assert row["stream"] == 1
        assert row["ttft_ms"] is not None
        assert row["output_tokens"] == fault.tokens
        (call,) = calls
        _check_call(call, fault)


def _check_served(running, fault, name, asked):
    """The gateway knows better than the fault."""
    for (answer, episode), openai in zip(asked, (False, False, True), strict=True):
        assert answer.status_code == 200, answer.text
        if fault.stream:
            *chunks, done = events(answer)
            assert done == "[DONE]"
            assert (openai_text if openai else native_text)(chunks) == TEXT
        else:
            assert TEXT in answer.text
        row, calls = _row(running, episode)
        assert (row["status"], row["output_tokens"]) == ("ok", 8)
        assert [call["status"] for call in calls] == ["ok"]


def _check_metrics(running, fault, name):
    text = running.get("/metrics").text
    if fault.code is None:
        counted = {"ok": 3}
    elif fault.begun:
        counted = {fault.code: 3}
    else:
        counted = {"all_variants_failed": 2, "timeout" if fault.timeout else "providers_exhausted": 1}
    for prefix in ("calibrant", "tensorzero"):
        total = f"{prefix}_inferences_total"
        assert {s: metric(text, total, function_name=name, model_name=name, status=s) for s in counted} == counted
        assert metric(text, total, function_name=name) == 3
        errors = metric(text, f"{prefix}_provider_errors_total", model_name=name, provider_name="p")
        assert errors == (3 if fault.code else 0)
    if fault.code:
        assert metric(text, "calibrant_provider_errors_total", model_name=name, code=fault.code) == 3


@pytest.mark.parametrize("fault", FAULTS, ids=_ids)
def test_a_fault_of_a_provider(running, pool, fault):
    _battery(running, pool, fault, fault.model)


def test_usage_that_was_reported_before_the_error_is_kept(running, pool):
    _battery(running, pool, LATE_ERROR, "late")


def _battery(running, pool, fault, name):
    workers = running.children()["worker"]
    ways = ({}, {"pinned": True}, {"openai": True})
    asked = [future.result() for future in [pool.submit(_ask, running, fault, name, **way) for way in ways]]
    check = _check_served if fault.code is None else _check_broken if fault.begun else _check_failed
    check(running, fault, name, asked)
    _check_metrics(running, fault, name)
    good = running.infer({"model_name": "good", "input": INPUT})
    assert (good.status_code, good.json()["content"][0]["text"]) == (200, TEXT)
    assert running.children()["worker"] == workers


def test_nothing_was_lost_and_the_requests_are_counted_by_status(running):
    books = running.settled()
    assert (books["missing"], books["quarantined"]) == (0, 0)
    text = running.get("/metrics").text
    asked = sum(
        metric(text, "calibrant_requests_total", endpoint=endpoint)
        for endpoint in ("inference", "openai_chat_completions")
    )
    assert asked == running.rows("SELECT count(*) AS n FROM inferences")[0]["n"]
    statuses = {
        s
        for s in ("200", "401", "408", "429", "500", "502", "503")
        if metric(text, "calibrant_requests_total", status=s)
    }
    assert statuses == {"200", "408", "500", "502"}
