"""A secret goes to the provider and nowhere else: no row, spool frame, log line, metric or answer ever shows it.

Guaranteed for what the gateway writes of its own accord, and for what a provider says when it refuses a call. What a
model says in an answer that counts as good is the user's data, and is kept as it came.
"""

import base64
import sqlite3
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import msgspec
import pytest
from tests.support.clouds import private_key, service_account
from tests.support.faults import INPUT, TEXT, events, model, no_traceback
from tests.support.gateway import gateway
from tests.support.raw import request, talk

from calibrant.base.ids import uuid7
from calibrant.store.frame import decode_record, scan
from calibrant.store.payload import unpack
from calibrant.testing.upstream import run_upstream

KEYS = {
    "env": "canary-env-1f0c8a7e",
    "file": "canary-file-93bb2d41",
    "dynamic": "canary-dynamic-5e77a0c2",
    "proxy": "canary-proxy-77c01d9f",
    "AWS key id": "CANARYAWSID4C1E",
    "AWS secret": "canary-aws-secret/8d+20fe1",
    "AWS session": "canary-aws-session/19+b3d0a7==",
    "AWS bearer": "canary-aws-bearer-6f7a",
    "AWS dynamic id": "CANARYAWSDYN77E0",
    "AWS dynamic secret": "canary-aws-dynamic/3a+91",
    "AWS chain id": "CANARYAWSCHAIN2B",
    "AWS chain secret": "canary-aws-chain/5e+77",
    "GCP token": "ya29.canary-gcp-token-0d1b",
    "GCP dynamic token": "ya29.canary-gcp-dynamic-88fa",
    "GCP key": private_key().split("\n")[5],
    "GCP assertion": "canary-assertion",
}
DYNAMIC = {
    "mine": KEYS["dynamic"],
    "id": KEYS["AWS dynamic id"],
    "secret": KEYS["AWS dynamic secret"],
    "token": KEYS["GCP dynamic token"],
}
CLOUDS = ("aws_env", "aws_bearer", "aws_dynamic", "aws_chain", "gcp_env", "gcp_dynamic", "gcp_refused")
TIMES = "{ non_streaming = { total_ms = 200 }, streaming = { ttft_ms = 200, total_ms = 400 } }"
FAULTS = {
    "good": "plain",
    "denied": "fault:401",
    "failing": "fault:500",
    "late": "fault:stall",
    "reset": "fault:reset_before_headers",
    "broken": "fault:reset_mid_body",
    "malformed": "fault:malformed_json",
    "refusing": "fault:error_event",
}


class _Gossip(BaseHTTPRequestHandler):
    """A provider that repeats the keys it was given: at once, or under `/late` after the first chunk of a stream.

    Under `/token` it is the server that gives out Google's tokens, under `/refuse` one that gives none.
    """

    got: ClassVar[list] = []

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["content-length"])).decode()
        keys = " ".join(self.headers.get(name, "") for name in ("authorization", "x-amz-security-token")).strip()
        self.got.append((self.path, keys))
        error = {"error": {"message": f"Incorrect API key provided: {keys}", "code": keys}}
        if self.path.startswith("/token"):
            self._answer(200, {"access_token": KEYS["GCP token"], "expires_in": 3600, "token_type": "Bearer"})
        elif self.path.startswith("/refuse"):
            self._answer(400, {"error": "invalid_grant", "error_description": f"{KEYS['GCP assertion']} {sent}"})
        elif self.path.startswith("/late"):
            first = {"choices": [{"index": 0, "delta": {"content": TEXT}, "finish_reason": None}]}
            events = b"".join(b"data: %b\n\n" % msgspec.json.encode(each) for each in (first, error))
            self._send(200, "text/event-stream", events)
        else:
            self._answer(401, error | {"message": error["error"]["message"]})

    def _answer(self, status, body):
        self._send(status, "application/json", msgspec.json.encode(body))

    def _send(self, status, kind, body):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def gossip():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Gossip)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def upstream():
    with run_upstream() as running:
        yield running


def _config(folder, upstream, gossip):
    text = "[gateway]\ndebug = true\n[spool]\nmin_free_bytes = 0\n"
    (folder / "key").write_text(KEYS["file"] + "\n")
    for key, location in (("env", "env::CANARY"), ("file", "path::key"), ("dynamic", "dynamic::mine")):
        for name, fault in FAULTS.items():
            text += model(f"{key}_{name}", upstream, upstream=fault, timeouts=TIMES, key=location)
        text += model(f"{key}_gossip", f"{gossip}/v1", key=location)
        text += model(f"{key}_late_gossip", f"{gossip}/late", key=location)
    for name in CLOUDS:
        text += _cloud(name, gossip)
    text += model("proxied", "http://provider.invalid/v1", upstream="plain")
    text += model("proxied_late", "http://provider.invalid/v1", upstream="fault:stall", timeouts=TIMES)
    return text + model("tunnelled", "https://provider.invalid/v1", timeouts=TIMES)


def _cloud(name, gossip):
    """A model on AWS or GCP whose provider repeats its keys."""
    aws = f'type = "aws_bedrock"\nmodel_id = "m"\nregion = "us-east-1"\nendpoint_url = "{gossip}"\n'
    gcp = (
        'type = "gcp_vertex_gemini"\nmodel_id = "m"\nlocation = "us-central1"\nproject_id = "p"\n'
        f'api_base = "{gossip}/v1"\ncredential_location = '
    )
    provider = {
        "aws_env": aws + 'access_key_id = "env::ID"\nsecret_access_key = "env::KEY"\nsession_token = "env::SESSION"',
        "aws_bearer": aws + 'api_key = "env::BEARER"',
        "aws_dynamic": aws + 'access_key_id = "dynamic::id"\nsecret_access_key = "dynamic::secret"',
        "aws_chain": aws,
        "gcp_env": gcp + '"env::ACCOUNT"',
        "gcp_dynamic": gcp + '"dynamic::token"',
        "gcp_refused": gcp + '"env::REFUSED"',
    }[name]
    return f'[models.{name}]\nrouting = ["p"]\n[models.{name}.providers.p]\n{provider}\n'


def _cloud_environment(folder, gossip):
    (folder / "chain").write_text(
        f"[default]\naws_access_key_id = {KEYS['AWS chain id']}\naws_secret_access_key = {KEYS['AWS chain secret']}\n"
    )
    return {
        "ID": KEYS["AWS key id"],
        "KEY": KEYS["AWS secret"],
        "SESSION": KEYS["AWS session"],
        "BEARER": KEYS["AWS bearer"],
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "chain"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "ACCOUNT": service_account(f"{gossip}/token"),
        "REFUSED": service_account(f"{gossip}/refuse"),
    }


@pytest.fixture(scope="module")
def told(tmp_path_factory, upstream, gossip):
    """Everything that anybody but the provider got to see, by where it was seen."""
    folder = tmp_path_factory.mktemp("secrets")
    proxy = f"http://user:{KEYS['proxy']}@127.0.0.1:{upstream.port}"
    env = {"CANARY": KEYS["env"], "HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "NO_PROXY": "127.0.0.1"}
    env |= {"http_proxy": "", "https_proxy": "", "no_proxy": ""}
    env |= _cloud_environment(folder, gossip)
    config = _config(folder, upstream.url, gossip)
    seen: dict[str, bytes] = {}
    with gateway(folder, config, env=env, args=["--no-recorder"]) as running:
        _talk(running, seen)
        for path in ("/metrics", "/status", "/health", "/openai/v1/models", "/internal/accounting"):
            seen[path] = running.get(path).content
        _look_at_spool(running, seen)
    no_traceback(running)
    seen["log"] = "".join(running.log).encode()
    with gateway(folder, config, env=env) as running:
        running.settled()
    seen["log of another"] = "".join(running.log).encode()
    _look_at_database(running.data_dir / "events.db", seen)
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in ("key", "chain"):
            seen[f"file {path.name}"] = path.read_bytes()
    return seen


def _talk(running, seen):
    for key in ("env", "file", "dynamic"):
        for name in (*FAULTS, "gossip", "late_gossip"):
            for stream in (False, True):
                _ask(running, seen, f"{key}_{name}", stream)
    for name in CLOUDS:
        for stream in (False, True):
            _ask(running, seen, name, stream)
    for name in ("proxied", "proxied_late", "tunnelled"):
        _ask(running, seen, name, False)
    dynamic = KEYS["dynamic"]
    wrong = {
        "another name": {"credentials": {"other": dynamic}},
        "unknown field": {"credentials": {"mine": dynamic}, "surprise": 1},
        "no function": {"credentials": {"mine": dynamic}, "model_name": "nope"},
        "key in a list": {"credentials": [dynamic]},
        "key that is two lines": {"credentials": {"mine": f"{dynamic}\r\nX-Evil: 1"}},
        "key that is no text": {"credentials": {"mine": {"deep": dynamic}}},
    }
    for what, fields in wrong.items():
        answer = running.infer({"model_name": "dynamic_good", "input": INPUT} | fields)
        assert answer.status_code in (400, 502), what
        seen[what] = answer.content
    for what, body in (("cut", b'{"credentials":{"mine":"%b"'), ("bare", b"%b"), ("number", b'{"credentials":%b}')):
        seen[what] = talk(running.port, request(body % dynamic.encode())).body
    headers = {"Authorization": f"Bearer {dynamic}", "X-Api-Key": dynamic}
    seen["as a header"] = running.infer({"model_name": "env_good", "input": INPUT}, headers=headers).content


def _ask(running, seen, name, stream):
    credentials = DYNAMIC if "dynamic" in name else {}
    body = {"model_name": name, "input": INPUT, "stream": stream, "credentials": credentials}
    answer = running.infer(body)
    seen[f"{name} {stream}"] = answer.content + str(answer.headers).encode()
    openai = {"model": f"tensorzero::model_name::{name}", "stream": stream, **INPUT}
    openai["tensorzero::credentials"] = credentials
    openai["tensorzero::episode_id"] = uuid7()
    again = running.post("/openai/v1/chat/completions", openai)
    assert again.status_code == answer.status_code
    seen[f"openai {name} {stream}"] = again.content
    if name.endswith(("good", "proxied")):
        assert answer.status_code == 200, answer.text
        assert not stream or events(answer)[-1] == "[DONE]"


def _look_at_spool(running, seen):
    frames = 0
    for path in (running.data_dir / "spool").iterdir():
        seen[f"spool {path.name}"] = path.read_bytes()
        for frame in scan(seen[f"spool {path.name}"]).frames:
            frames += 1
            seen[f"frame {path.name} {frame.sequence}"] = msgspec.json.encode(decode_record(frame), enc_hook=repr)
    assert frames > 100


def _look_at_database(path, seen):
    cells = 0
    with closing(sqlite3.connect(path)) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for number, row in enumerate(db.execute(f'SELECT * FROM "{table}"')):
                for cell in row:
                    if isinstance(cell, str | bytes):
                        cells += 1
                        key = f"table {table}"
                        seen[key] = seen.get(key, b"") + (unpack(cell) or b"") + b"\n"
    assert cells > 1000
    assert b"env_gossip" in seen["table model_inferences"]
    assert b'"role":"user"' in seen["table model_inference_data"]


@pytest.mark.parametrize("key", KEYS)
def test_a_secret_is_seen_nowhere(told, key):
    value = KEYS[key].encode()
    forms = [value, value.hex().encode(), base64.b64encode(b"user:" + value), base64.b64encode(value)]
    assert len(told) > 150
    leaks = [where for where, what in told.items() for form in forms if form in what]
    assert leaks == []


def test_the_provider_got_the_secrets(told, upstream):
    keys = {captured.header("authorization") for captured in upstream.captured}
    assert {f"Bearer {KEYS[key]}" for key in ("env", "file", "dynamic")} | {None} == keys
    proxied = {captured.header("proxy-authorization") for captured in upstream.captured} - {None}
    assert proxied == {"Basic " + base64.b64encode(f"user:{KEYS['proxy']}".encode()).decode()}


@pytest.mark.parametrize(
    "where",
    ["env_gossip False", "env_gossip True", "table model_inference_data"]
    + [f"{key}_late_gossip True" for key in ("env", "file", "dynamic")]
    + ["aws_bearer False", "gcp_env False", "gcp_env True", "gcp_dynamic False"],
)
def test_a_provider_that_repeats_the_key_is_quoted_without_it(told, where):
    assert b"Incorrect API key provided: Bearer ***" in told[where]


@pytest.mark.parametrize("name", ["aws_env", "aws_dynamic", "aws_chain"])
def test_a_signature_is_quoted_without_the_key(told, name):
    for stream in (False, True):
        assert b"provided: AWS4-HMAC-SHA256 Credential=***/" in told[f"{name} {stream}"]


def test_the_clouds_got_the_secrets(told):
    got = {keys.removeprefix("Bearer ") for _, keys in _Gossip.got}
    assert {KEYS[key] for key in ("env", "file", "dynamic", "AWS bearer", "GCP token", "GCP dynamic token")} <= got
    signed = " ".join(got)
    for key in ("AWS key id", "AWS session", "AWS dynamic id", "AWS chain id"):
        assert KEYS[key] in signed
    assert "invalid_grant" in told["gcp_refused False"].decode()
    assert not any(path.startswith("/v1/projects") and not keys for path, keys in _Gossip.got)
