"""Bad input: an answer in the protocol's error shape, never a traceback, a hang, a dead worker or a row."""

import gzip
import uuid
from dataclasses import dataclass

import brotli
import msgspec
import pytest

try:
    from compression import zstd
except ImportError:
    from backports import zstd

from tests.support.faults import INPUT, function, message_in, model, no_traceback
from tests.support.gateway import gateway, until
from tests.support.raw import connect, read, request, talk

from calibrant.base.ids import uuid7
from calibrant.testing.upstream import run_upstream

LIMIT = 100 * 2**20
CONFIG = """
[gateway]
header_timeout_s = 0.4
body_timeout_s = 0.4

[metrics.good]
type = "boolean"
optimize = "max"
level = "inference"

[metrics.stars]
type = "float"
optimize = "max"
level = "episode"

[functions.person]
type = "chat"
schemas.user.path = "person.json"
variants.only = { type = "chat_completion", model = "good", templates.user.path = "person.minijinja" }
"""
SCHEMA = '{"type":"object","properties":{"age":{"type":"integer"}},"required":["age"],"additionalProperties":false}'
DEEP = 100_000
FUTURE = "ffffffff-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("input")
    (folder / "person.json").write_text(SCHEMA)
    (folder / "person.minijinja").write_text("How old is {{ age }}?")
    with run_upstream() as upstream:
        config = CONFIG + model("good", upstream.url) + function("chat", ("only", "good", ""))
        with gateway(folder, config) as started:
            started.upstream = upstream
            started.first = started.children()["worker"]
            yield started
            no_traceback(started)
            assert started.settled()["missing"] == 0


@pytest.fixture(autouse=True)
def unharmed(running):
    """Whatever a test sent: no row, no call of the provider, the same worker, and the next request works."""
    running.upstream.playbook.forget()
    rows = _rows(running)
    yield
    assert not running.upstream.captured
    answer = running.infer({"function_name": "chat", "input": INPUT})
    assert answer.status_code == 200, answer.text
    until(lambda: _rows(running) == rows + 1, "the good request to be the only one that was stored")
    assert running.children()["worker"] == running.first


def _rows(running):
    found = running.rows("SELECT count(*) AS n FROM inferences")
    return found[0]["n"] if found else 0


def _refused(answer, status, *, openai=False, says=""):
    assert answer.status == status, answer.body[:500]
    assert answer.headers["content-type"].startswith("application/json")
    message = message_in(answer.json(), openai)
    assert says.lower() in message.lower(), message
    assert len(message) < 5000
    return message


@dataclass(frozen=True)
class Bad:
    """A body and what must come of it."""

    name: str
    body: bytes
    status: int = 400
    says: str = ""
    path: str = "/inference"

    @property
    def openai(self):
        return self.path.startswith("/openai/")


OPENAI = "/openai/v1/chat/completions"


def _native(name, status=400, says="", **fields):
    body = {"function_name": "chat", "input": INPUT} | fields
    return Bad(name, msgspec.json.encode({k: v for k, v in body.items() if v is not ...}), status, says)


def _chat(name, status=400, says="", **fields):
    body = {"model": "tensorzero::function_name::chat", **INPUT} | fields
    return Bad(name, msgspec.json.encode({k: v for k, v in body.items() if v is not ...}), status, says, OPENAI)


def _feedback(name, status=400, says="", **fields):
    body = {"metric_name": "good", "inference_id": uuid7(), "value": True} | fields
    return Bad(name, msgspec.json.encode({k: v for k, v in body.items() if v is not ...}), status, says, "/feedback")


def _everywhere(name, body, status=400, says=""):
    return [Bad(f"{name}-{path}", body, status, says, path) for path in ("/inference", OPENAI, "/feedback")]


def _said(text):
    """A native body whose user says something given as raw JSON."""
    return b'{"function_name":"chat","input":{"messages":[{"role":"user","content":%b}]}}' % text


def _params(text):
    return b'{"function_name":"chat","input":{"messages":[]},"params":{"chat_completion":%b}}' % text


BODIES = [
    *_everywhere("empty", b""),
    *_everywhere("broken", b'{"function_name":'),
    *_everywhere("trailing", b'{} {"more": 1}'),
    *_everywhere("array", b"[]"),
    *_everywhere("null", b"null"),
    *_everywhere("text", b'"hello"'),
    *_everywhere("not-utf8", b'{"model": "\xff\xfe"}'),
    *_everywhere("surrogate-bytes", b'{"model": "\xed\xa0\x80"}'),
    *_everywhere("nan", b'{"value": NaN}'),
    *_everywhere("nul-byte", b'{"model": "a\x00b"}'),
    *_everywhere("deep-open", b"[" * DEEP),
    *_everywhere("deep", b'{"input":' * DEEP + b"1" + b"}" * DEEP),
    *_everywhere("bom-utf16", '{"model": "x"}'.encode("utf-16")),
    _native("no-target", function_name=..., says="function_name"),
    _native("two-targets", model_name="good", says="model_name"),
    _native("unknown-field", surprise=1, says="surprise"),
    _native("unknown-function", 404, "nope", function_name="nope"),
    _native("nul-function", function_name="ch\0at", says="NUL"),
    _native("unknown-variant", 404, "nope", variant_name="nope"),
    _native("unknown-model", function_name=..., model_name="nope", says="nope"),
    _native("model-that-is-a-shorthand-of-nobody", function_name=..., model_name="nobody::x", says="nobody::x"),
    _native("function-is-a-number", function_name=7),
    _native("input-is-a-number", input=5, says="input"),
    _native("messages-are-an-object", input={"messages": {}}, says="messages"),
    _native("role", input={"messages": [{"role": "king", "content": "x"}]}, says="role"),
    _native("content-is-a-number", input={"messages": [{"role": "user", "content": 3}]}),
    _native("unknown-block", input={"messages": [{"role": "user", "content": [{"type": "smell"}]}]}),
    _native("stream-is-a-word", stream="yes", says="stream"),
    _native("episode-is-no-uuid", episode_id="nope", says="episode_id"),
    _native("episode-is-a-number", episode_id=7, says="episode_id"),
    _native("episode-is-uuid4", episode_id=str(uuid.UUID(int=0x1234 << 64 | 4 << 76 | 8 << 60, version=4))),
    _native("episode-in-the-future", episode_id=FUTURE, says="episode_id"),
    _native("tags", tags={"a": 1}, says="tags"),
    _native("reserved-tag", tags={"tensorzero::x": "1"}, says="tensorzero::"),
    _native("tool-choice", tool_choice="maybe"),
    _native("unknown-tool", allowed_tools=["nope"], says="nope"),
    _native("tool-schema", additional_tools=[{"name": "t", "description": "", "parameters": {"type": "nothing"}}]),
    _native(
        "arguments",
        function_name="person",
        input={
            "messages": [{"role": "user", "content": [{"type": "template", "name": "user", "arguments": {"age": "x"}}]}]
        },
        says="age",
    ),
    Bad("huge-integer", _params(b'{"max_tokens": %d}' % 10**400)),
    Bad("huge-float", _params(b'{"temperature": 1e999}')),
    Bad("longer-than-python-likes", _params(b'{"seed": %b}' % (b"9" * 10_000))),
    Bad("negative", _params(b'{"max_tokens": -1}')),
    Bad("lone-surrogate", _said(b'"\\ud800"')),
    Bad("lone-low-surrogate", _said(b'"x\\udc00y"')),
    Bad("surrogate-in-a-name", b'{"function_name":"\\ud800","input":{"messages":[]}}'),
    _chat("no-model", model=..., says="model"),
    _chat("foreign-model", model="gpt-4o", says="tensorzero::function_name"),
    _chat("unknown-function", 404, "nope", model="tensorzero::function_name::nope"),
    _chat("no-messages", messages=..., says="messages"),
    _chat("messages-are-text", messages="hi", says="messages"),
    _chat("role", messages=[{"role": "king", "content": "x"}]),
    _chat("temperature", temperature="hot", says="temperature"),
    _chat("max-tokens", max_tokens=-5),
    _chat("several-answers", n=7),
    _chat("episode", **{"tensorzero::episode_id": "nope"}),
    _chat("future-episode", **{"tensorzero::episode_id": FUTURE}),
    _chat("denied-unknown", surprise=1, **{"tensorzero::deny_unknown_fields": True}, says="surprise"),
    Bad(
        "lone-surrogate",
        b'{"model":"tensorzero::model_name::good","messages":[{"role":"user","content":"\\ud800"}]}',
        path=OPENAI,
    ),
    Bad("huge-integer", b'{"model":"tensorzero::model_name::good","messages":[],"seed":%d}' % 10**400, path=OPENAI),
    _feedback("unknown-metric", 404, "nope", metric_name="nope"),
    _feedback("no-id", inference_id=...),
    _feedback("wrong-level", inference_id=..., episode_id=uuid7()),
    _feedback("bad-id", inference_id="nope", says="inference_id"),
    _feedback("value-type", value="yes", says="boolean"),
    _feedback("no-value", value=..., says="value"),
    _feedback("float-for-text", metric_name="stars", inference_id=..., episode_id=uuid7(), value="9"),
    Bad(
        "huge-value",
        b'{"metric_name":"stars","episode_id":"%b","value":%d}' % (uuid7().encode(), 10**400),
        path="/feedback",
    ),
    Bad(
        "infinite-value",
        b'{"metric_name":"stars","episode_id":"%b","value":1e999}' % uuid7().encode(),
        path="/feedback",
    ),
    _feedback("unknown-field", surprise=1, says="surprise"),
]


@pytest.mark.parametrize("bad", BODIES, ids=lambda bad: f"{bad.path.rpartition('/')[2]}-{bad.name.partition('-/')[0]}")
def test_a_bad_body_is_answered_with_what_is_wrong(running, bad):
    answer = talk(running.port, request(bad.body, "Content-Type: application/json", path=bad.path))
    _refused(answer, bad.status, openai=bad.openai, says=bad.says)
    # The request was whole, so the connection lives on.
    assert not answer.closed


@dataclass(frozen=True)
class Raw:
    """Bytes that are no proper request."""

    name: str
    data: bytes
    status: int
    says: str = ""
    openai: bool = False
    closed: bool = True


def _lines(name, status, *lines, says="", body=b"{}", **more):
    return Raw(name, request(body, *lines, **more), status, says)


RAW = [
    _lines("length-and-chunks", 400, "Content-Length: 2", "Transfer-Encoding: chunked", length=False),
    _lines("chunks-and-length", 400, "Transfer-Encoding: chunked", "Content-Length: 2", length=False),
    _lines("two-lengths", 400, "Content-Length: 2", "Content-Length: 5", length=False),
    _lines("length-list", 400, "Content-Length: 2, 2", length=False),
    _lines("negative-length", 400, "Content-Length: -1", length=False),
    _lines("signed-length", 400, "Content-Length: +2", length=False),
    _lines("hex-length", 400, "Content-Length: 0x2", length=False),
    _lines("huge-length", 400, "Content-Length: " + "9" * 40, length=False),
    _lines("gzip-chunked", 400, "Transfer-Encoding: gzip, chunked", length=False),
    _lines("chunked-identity", 400, "Transfer-Encoding: chunked, identity", length=False),
    _lines("chunk-size", 400, "Transfer-Encoding: chunked", length=False, body=b"zz\r\n{}\r\n0\r\n\r\n"),
    _lines("chunk-size-overflow", 400, "Transfer-Encoding: chunked", length=False, body=b"f" * 20 + b"\r\n"),
    _lines("two-hosts", 400, "Host: y", says="Host"),
    _lines("space-before-colon", 400, "X-A : 1"),
    _lines("folded", 400, "X-A: 1\r\n folded"),
    _lines("nul-in-a-field", 400, "X-A: a\0b"),
    _lines("bare-cr", 400, "X-A: a\rb"),
    _lines("expect", 417, "Expect: miracles"),
    _lines("many-fields", 431, *(f"X-{i}: 1" for i in range(200))),
    _lines("long-field", 431, "X-A: " + "a" * 70_000),
    _lines("long-target", 431, path="/" + "a" * 70_000),
    Raw("bare-lf", b"POST /inference HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}", 400),
    Raw("no-host", b"POST /inference HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400, "Host"),
    Raw("not-http", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "HTTP/1.1"),
    Raw("http2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    Raw("no-version", b"GET /status\r\nHost: x\r\n\r\n", 400),
    Raw("connect", b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n", 405, "CONNECT"),
    Raw("openai-shape", b"POST /openai/v1/chat/completions HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400, openai=True),
    _lines("too-long-to-begin", 413, f"Content-Length: {LIMIT + 1}", length=False, body=b"", says=str(LIMIT)),
]


@pytest.mark.parametrize("raw", RAW, ids=lambda raw: raw.name)
def test_what_is_no_proper_request_is_refused_and_the_connection_ends(running, raw):
    answer = talk(running.port, raw.data)
    _refused(answer, raw.status, openai=raw.openai, says=raw.says)
    assert answer.closed


@pytest.mark.parametrize(
    ("method", "path", "status", "openai"),
    [
        ("GET", "/nowhere", 404, False),
        ("POST", "/openai/v1/nowhere", 404, True),
        ("POST", "/inference/", 404, False),
        ("POST", "/INFERENCE", 404, False),
        ("POST", "/%2e%2e/inference", 404, False),
        ("POST", "/a/../inference", 404, False),
        ("GET", "/%zz", 400, False),
        ("GET", "/%00", 400, False),
        ("GET", "/inference", 405, False),
        ("DELETE", "/inference", 405, False),
        ("GET", "/openai/v1/chat/completions", 405, True),
        ("POST", "/status", 405, False),
        ("BREW", "/inference", 400, False),
        ("TRACE", "/inference", 405, False),
    ],
)
def test_unknown_routes_and_methods(running, method, path, status, openai):
    answer = talk(running.port, request(path=path, method=method))
    message = _refused(answer, status, openai=openai)
    if status == 404:
        assert message.startswith("Route not found")
    if status == 405:
        assert "OPTIONS" in answer.headers["allow"]


def test_repeated_fields_that_may_repeat_are_fine(running):
    body = msgspec.json.encode({"function_name": "nope", "input": INPUT})
    answer = talk(running.port, request(body, "X-A: 1", "X-A: 2", "Accept: a", "Accept: b"))
    _refused(answer, 404)
    assert not answer.closed


def test_a_body_one_byte_too_long_however_it_comes(running):
    with connect(running.port) as sock:
        # Chunked, so that only what comes can tell how much it is.
        sock.sendall(request(b"", "Transfer-Encoding: chunked", length=False))
        piece = b"100000\r\n" + b" " * 2**20 + b"\r\n"
        for _ in range(100):
            sock.sendall(piece)
        sock.sendall(b"1\r\n \r\n")
        answer = read(sock)
    _refused(answer, 413, says=str(LIMIT))
    assert answer.closed


@pytest.mark.parametrize("path", ["/inference", OPENAI])
def test_a_body_of_just_the_limit_is_read(running, path):
    body = b" " * (LIMIT - 2) + b"[]"
    answer = talk(running.port, request(body, path=path))
    _refused(answer, 400, openai=path == OPENAI)


SQUEEZE = {
    "gzip": lambda data: gzip.compress(data, 6),
    "br": lambda data: brotli.compress(data, quality=1),
    "zstd": zstd.compress,
}


@pytest.mark.parametrize("encoding", SQUEEZE)
def test_a_bomb_goes_off_nowhere(running, encoding):
    bomb = SQUEEZE[encoding](bytes(LIMIT + 2**20))
    assert len(bomb) < 2**20
    answer = talk(running.port, request(bomb, f"Content-Encoding: {encoding}"))
    _refused(answer, 413, says="unpacks")


@pytest.mark.parametrize("encoding", SQUEEZE)
def test_a_corrupt_or_cut_body_is_refused(running, encoding):
    whole = SQUEEZE[encoding](msgspec.json.encode({"function_name": "chat", "input": INPUT}))
    for body in (whole[:-3], b"nonsense", b""):
        answer = talk(running.port, request(body, f"Content-Encoding: {encoding}"))
        _refused(answer, 400)


def test_an_unknown_encoding_says_which_are_known(running):
    answer = talk(running.port, request(b"{}", "Content-Encoding: compress"))
    _refused(answer, 415, says="gzip")
    assert answer.headers["accept-encoding"] == "gzip, br, zstd, deflate"


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        (b"POST /inf", "/inference"),
        (b"POST /inference HTTP/1.1\r\nHost: x\r\nX-", "/inference"),
        (b"POST /inference HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{", "/inference"),
        (b"POST /openai/v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{", OPENAI),
        (b"POST /inference HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", "/inference"),
    ],
)
def test_a_request_that_does_not_come_is_not_waited_for(running, sent, path):
    answer = talk(running.port, sent)
    _refused(answer, 408, openai=path == OPENAI)
    assert answer.closed


def test_a_request_that_trickles_in_is_not_waited_for(running):
    with connect(running.port) as sock:
        sock.settimeout(0.1)
        for piece in [b"POST /inference HTTP/1.1\r\nHost: x\r\n", *[b"X-A: 1\r\n"] * 50]:
            sock.sendall(piece)
            try:
                early = sock.recv(1, 2)  # MSG_PEEK
            except TimeoutError:
                continue
            assert early
            break
        sock.settimeout(10)
        _refused(read(sock), 408)


def test_a_client_that_goes_away_in_the_middle_of_its_request_leaves_nothing(running):
    whole = request(msgspec.json.encode({"function_name": "chat", "input": INPUT}))
    for end in (1, 20, len(whole) - 1):
        with connect(running.port) as sock:
            sock.sendall(whole[:end])


def test_many_bad_requests_on_one_connection(running):
    bad = request(b"{")
    with connect(running.port) as sock:
        for _ in range(20):
            sock.sendall(bad)
            _refused(read(sock), 400)
