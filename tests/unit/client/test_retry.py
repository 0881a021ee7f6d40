"""When a call is made again: only where that is safe, and no sooner than the gateway asks."""

import httpx2
import pytest
from tests.support.clients import without_waiting

from calibrant.client import (
    BadReply,
    BadRequest,
    CannotConnect,
    ConfirmationRefused,
    Conflict,
    ConnectionLost,
    GatewayFailed,
    NotFound,
    RateLimited,
    TimedOut,
    Unauthorized,
)

INPUT = {"messages": []}
CHAT = {"inference_id": "i", "episode_id": "e", "variant_name": "v", "content": [], "usage": {}}
CALLS = {
    "always": ("get_inferences", {"ids": []}, {"inferences": []}),
    "unless_begun": ("inference", {"model_name": "m", "input": INPUT}, CHAT),
    "unless_sent": ("create_datapoints", {"dataset_name": "d", "requests": []}, {"ids": []}),
}


class Gateway:
    """Answers what it is told, one after the other: a status, or an exception; then well."""

    def __init__(self, answer, *outcomes, headers=None):
        self.answer, self.outcomes, self.headers = answer, list(outcomes), headers or {}
        self.asked = 0

    def __call__(self, request):
        self.asked += 1
        outcome = self.outcomes.pop(0) if self.outcomes else 200
        if isinstance(outcome, type):
            raise outcome("so it is", request=request)
        if outcome == 200:
            return httpx2.Response(200, json=self.answer)
        return httpx2.Response(outcome, json={"error": "No"}, headers=self.headers)


AGAIN = {
    "always": {429, 502, 503, 504, httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ReadError, httpx2.WriteError,
               httpx2.RemoteProtocolError, httpx2.PoolTimeout},
    "unless_begun": {429, 503, httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout},
    "unless_sent": {429, httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout},
}  # fmt: skip
ONCE = {400, 401, 404, 408, 409, 500, 501, httpx2.ReadTimeout, httpx2.WriteTimeout}
ALL = ONCE | AGAIN["always"]


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("outcome", sorted(ALL, key=str), ids=lambda o: getattr(o, "__name__", str(o)))
def test_a_call_is_made_again_where_that_is_safe(connect, monkeypatch, kind, outcome):
    pauses = without_waiting(monkeypatch)
    name, arguments, answer = CALLS[kind]
    gateway = Gateway(answer, outcome)
    client = connect(gateway)
    if outcome in AGAIN[kind]:
        client.call(name, **arguments)
        assert (gateway.asked, len(pauses)) == (2, 1)
        assert 0.25 <= pauses[0] <= 0.5
    else:
        with pytest.raises((BadRequest, Unauthorized, NotFound, Conflict, GatewayFailed, ConnectionLost, TimedOut)):
            client.call(name, **arguments)
        assert (gateway.asked, pauses) == (1, [])


@pytest.mark.parametrize(
    ("name", "kind"),
    [("feedback", "unless_begun"), ("embeddings", "unless_begun"), ("batch_inference", "unless_sent")]
    + [(name, "unless_sent") for name in ("create_datapoints_from_inferences", "update_datapoints")]
    + [(name, "unless_sent") for name in ("workflow_evaluation_run", "workflow_evaluation_run_episode")]
    + [(name, "always") for name in ("status", "list_inferences", "list_datapoints", "get_datapoints")]
    + [(name, "unless_sent") for name in ("create_dataset", "clone_datapoints")]
    + [(name, "always") for name in ("get_dataset", "list_datasets", "list_dataset_changes")]
    + [(name, "always") for name in ("delete_datapoints", "delete_dataset", "update_datapoints_metadata")]
    + [(name, "always") for name in ("get_batch_inference", "list_batch_inferences", "cancel_batch_inference")]
    + [(name, "unless_sent") for name in ("confirm", "create_key", "health")]
    + [(name, "always") for name in ("list_confirmations", "get_confirmation", "get_holdout", "reveal_datapoints")]
    + [(name, "always") for name in ("list_keys", "change_key", "disable_key", "enable_key", "list_audit")]
    + [(name, "always") for name in ("list_feedback", "list_models", "purge_cache")],
)
def test_which_calls_are_safe_to_repeat(name, kind):
    from tests.unit.client.test_requests import CASES

    from calibrant.client import batches, confirmations, datasets, inferences, keys, routes

    arguments = next(arguments for method, arguments, *_ in CASES.values() if method == name)
    modules = (batches, confirmations, datasets, inferences, keys, routes)
    (build,) = [getattr(m, name) for m in modules if hasattr(m, name)]
    assert build(**arguments).repeat == kind


def test_a_refused_confirmation_is_told_by_a_class_of_its_own(connect):
    from tests.unit.client.test_requests import ASKED

    gateway = Gateway({}, 409)
    with pytest.raises(ConfirmationRefused, match="409: No") as refused:
        connect(gateway).call("confirm", **ASKED)
    assert (refused.value.code, refused.value.status, gateway.asked) == ("confirmation_refused", 409, 1)


def test_pauses_grow_and_end(connect, monkeypatch):
    pauses = without_waiting(monkeypatch)
    gateway = Gateway({"inferences": []}, *[503] * 20)
    with pytest.raises(GatewayFailed) as failed:
        connect(gateway, max_retries=8).call("get_inferences", ids=[])
    assert failed.value.status == 503
    assert gateway.asked == 9
    longest = [0.5, 1, 2, 4, 8, 8, 8, 8]
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, longest, strict=True))
    assert len(set(pauses)) > 1


def test_none_where_none_is_wanted(connect, monkeypatch):
    pauses = without_waiting(monkeypatch)
    gateway = Gateway({}, httpx2.ConnectError)
    with pytest.raises(CannotConnect):
        connect(gateway, max_retries=0).call("status")
    assert (gateway.asked, pauses) == (1, [])


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "Sat, 28 Nov 2026 12:00:30 GMT", "date": "Sat, 28 Nov 2026 12:00:00 GMT"}, 30.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:07 GMT"}, 7.0),
        ({"retry-after": "Fri, 15 Jan 2021 08:00:07 GMT"}, 0.0),
    ],
)
def test_retry_after_is_kept(connect, monkeypatch, headers, pause):
    pauses = without_waiting(monkeypatch, now=1_800_000_000.0)  # 2027-01-15 08:00:00
    gateway = Gateway(CHAT, 429, headers=headers)
    connect(gateway).call("inference", model_name="m", input=INPUT)
    assert pauses == [pause]


@pytest.mark.parametrize("text", ["soon", "-3", "1e3", "٣", "", "Mon, 99 Foo 2026"])
def test_a_retry_after_that_says_nothing_is_none(connect, monkeypatch, text):
    pauses = without_waiting(monkeypatch)
    gateway = Gateway(CHAT, 429, headers={"retry-after": text.encode()})
    connect(gateway).call("inference", model_name="m", input=INPUT)
    assert len(pauses) == 1
    assert 0.25 <= pauses[0] <= 0.5


def test_who_asks_for_more_patience_than_we_have_gets_an_error_at_once(connect, monkeypatch):
    pauses = without_waiting(monkeypatch)
    gateway = Gateway(CHAT, 429, headers={"retry-after": "3600", "x-request-id": "r-1"})
    with pytest.raises(RateLimited) as limited:
        connect(gateway).call("inference", model_name="m", input=INPUT)
    assert (limited.value.retry_after, limited.value.request_id, limited.value.retryable) == (3600.0, "r-1", True)
    assert (gateway.asked, pauses) == (1, [])


def test_a_stream_is_opened_again_and_never_begun_again(connect, monkeypatch):
    pauses = without_waiting(monkeypatch)
    asked = []

    def gateway(request):
        asked.append(request)
        if len(asked) == 1:
            return httpx2.Response(503, json={"error": "No room"})
        return httpx2.Response(200, content=b'data: {"error":"broken"}\n\ndata: [DONE]\n\n')

    from calibrant.client import StreamFailed

    with pytest.raises(StreamFailed):
        connect(gateway).chunks(model_name="m", input=INPUT)
    assert (len(asked), len(pauses)) == (2, 1)


ERRORS = [
    (400, b'{"error":"Wrong"}', BadRequest, "invalid_request", "Wrong"),
    (413, b'{"error":"Large"}', BadRequest, "invalid_request", "Large"),
    (401, b'{"error":"Who?"}', Unauthorized, "unauthorized", "Who?"),
    (403, b'{"error":"You?"}', Unauthorized, "unauthorized", "You?"),
    (404, b'{"error":"Where?"}', NotFound, "not_found", "Where?"),
    (409, b'{"error":"Late"}', Conflict, "conflict", "Late"),
    (500, b'{"error":"Ow","error_json":{"RenderError":{"code":"render_error"}}}', GatewayFailed, "render_error", "Ow"),
    (400, b'{"error":{"message":"M","code":"c"}}', BadRequest, "c", "M"),
    (400, b'{"error":{"message":"M","error_json":{"X":{"code":"d"}}}}', BadRequest, "d", "M"),
    (502, b"<html>\n<b>Bad gateway</b>\n</html>", GatewayFailed, "gateway_failed", "<html> <b>Bad gateway</b> </html>"),
    (500, b"", GatewayFailed, "gateway_failed", "the answer is empty"),
    (500, b"\xff[" + b"[" * 100_000, GatewayFailed, "gateway_failed", "[[["),
    (500, b'{"error":{"message":3}}', GatewayFailed, "gateway_failed", '{"error":{"message":3}}'),
    (500, b"[1]", GatewayFailed, "gateway_failed", "[1]"),
]


@pytest.mark.parametrize(("status", "body", "kind", "code", "said"), ERRORS, ids=lambda v: str(v)[:20])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_errors_of_the_gateway(connect, status, body, kind, code, said, stream):
    client = connect(lambda request: httpx2.Response(status, content=body), max_retries=0)
    with pytest.raises(kind) as failed:
        if stream:
            client.chunks(model_name="m", input=INPUT)
        else:
            client.call("inference", model_name="m", input=INPUT)
    error = failed.value
    assert type(error) is kind
    assert (error.status, error.code) == (status, code)
    assert str(error).startswith(f"POST /inference: {status}: ")
    assert said in str(error)
    assert len(str(error)) < 400
    assert error.text == body.decode("utf-8", "replace")


def test_a_redirect_is_not_followed_and_says_where_to(connect):
    def gateway(request):
        return httpx2.Response(308, headers={"location": "https://elsewhere.test/inference"})

    with pytest.raises(GatewayFailed, match="elsewhere.test"):
        connect(gateway).call("inference", model_name="m", input=INPUT)


def test_no_connection_says_why(connect):
    gateway = Gateway({}, httpx2.ConnectError)
    with pytest.raises(
        CannotConnect, match=r"^GET /status: there is no connection to the gateway: so it is$"
    ) as failed:
        connect(gateway, max_retries=0).call("status")
    assert (failed.value.status, failed.value.code) == (0, "cannot_connect")


def test_errors_survive_a_trip_to_another_process():
    import pickle

    error = pickle.loads(pickle.dumps(RateLimited("m", status=429, code="c", retry_after=2.0, text="t")))
    assert (str(error), error.status, error.code, error.retry_after, error.text) == ("m", 429, "c", 2.0, "t")


def test_an_answer_that_cannot_be_decompressed_is_a_broken_one(connect):
    def gateway(request):
        return httpx2.Response(200, headers={"content-encoding": "gzip"}, stream=httpx2.ByteStream(b"no gzip"))

    with pytest.raises((ConnectionLost, BadReply)):
        connect(gateway).call("inference", model_name="m", input=INPUT)
