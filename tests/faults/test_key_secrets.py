"""A caller's API key is checked and forgotten: no row, spool frame, log line, answer, metric or file ever shows it, and
no provider gets it. Its digest stands in the catalogue alone."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import httpx2 as httpx
import msgspec
import pytest
from tests.support.faults import INPUT, model, no_traceback
from tests.support.gateway import gateway, until
from tests.support.raw import request, talk

from calibrant.store.frame import decode_record, scan
from calibrant.store.payload import unpack
from calibrant.testing.upstream import run_upstream
from calibrant.types.key import digest_of

CONFIG = "[gateway]\ndebug = true\nunstable_error_json = true\nauth.enabled = true\n[spool]\nmin_free_bytes = 0\n"


class Told:
    """What everybody got to see, by where; and the keys that were used."""

    def __init__(self):
        self.seen: dict[str, bytes] = {}
        self.keys: dict[str, str] = {}
        self.forwarded: list[bytes] = []


def _talk(running, told):
    with httpx.Client(base_url=running.url, timeout=30) as client:
        for name, key in told.keys.items():
            for header in ({"authorization": f"Bearer {key}"}, {"x-api-key": key}, {"api-key": key}):
                _ask_all(running, client, told, f"{name} {next(iter(header))}", header)
        admin = {"authorization": f"Bearer {told.keys['admin']}"}
        for name, key in told.keys.items():
            for method, path in (("PATCH", f"/v1/keys/{key}"), ("POST", f"/v1/keys/{key}/disable")):
                answer = client.request(method, path, json={"description": "x"}, headers=admin)
                assert answer.status_code == 400
                told.seen[f"{name} in {method}"] = answer.content
        for path in ("/metrics", "/v1/keys", "/v1/audit", "/openai/v1/models"):
            answer = client.get(path, headers=admin)
            assert answer.status_code == 200, path
            told.seen[path] = answer.content + str(answer.headers).encode()


def _ask_all(running, client, told, what, headers):
    for target in ("good", "denied", "broken", "nope"):
        for stream in (False, True):
            body = {"model_name": target, "input": INPUT, "stream": stream}
            answer = client.post("/inference", json=body, headers=headers)
            told.seen[f"{what} {target} {stream}"] = answer.content + str(answer.headers).encode()
            chat = {"model": f"tensorzero::model_name::{target}", "stream": stream, **INPUT}
            again = client.post("/openai/v1/chat/completions", json=chat, headers=headers)
            told.seen[f"{what} {target} {stream} openai"] = again.content
    (field,) = headers.items()
    told.seen[f"{what} cut"] = talk(running.port, request(b'{"input":', ": ".join(field))).body
    comment = {"metric_name": "comment", "value": "v", "episode_id": "nope"}
    told.seen[f"{what} feedback"] = client.post("/feedback", json=comment, headers=headers).content


def _look_at_spool(running, told):
    for path in (running.data_dir / "spool").iterdir():
        told.seen[f"spool {path.name}"] = path.read_bytes()
        for frame in scan(told.seen[f"spool {path.name}"]).frames:
            record = msgspec.json.encode(decode_record(frame), enc_hook=repr)
            told.seen[f"frame {path.name} {frame.sequence}"] = record


def _look_at_database(path, told):
    with closing(sqlite3.connect(path)) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in db.execute(f'SELECT * FROM "{table}"'):
                cells = [unpack(cell) or b"" for cell in row if isinstance(cell, str | bytes)]
                told.seen[f"table {table}"] = told.seen.get(f"table {table}", b"") + b"\n".join(cells)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    told = Told()
    with run_upstream(keep=1000) as upstream:
        config = CONFIG + model("good", upstream.url, upstream="plain")
        config += model("denied", upstream.url, upstream="fault:401")
        config += model("broken", upstream.url, upstream="fault:reset_mid_body")
        with gateway(folder, config, args=["--no-recorder"]) as running:
            for name in ("admin", "disabled"):
                role = ["key", "create", "--role", "admin", "--data-dir", str(running.data_dir)]
                made = subprocess.run([sys.executable, "-m", "calibrant", *role], capture_output=True, check=True)
                told.keys[name] = made.stdout.decode().strip()
                told.seen[f"making of {name}"] = made.stderr
            off = ["key", "disable", told.keys["disabled"][6:18], "--data-dir", str(running.data_dir)]
            subprocess.run([sys.executable, "-m", "calibrant", *off], capture_output=True, check=True)
            told.keys["wrong"] = told.keys["admin"][:19] + "W" * 48
            told.keys["unknown"] = f"sk-t0-{'u' * 12}-{'U' * 48}"
            _talk(running, told)
            _look_at_spool(running, told)
        told.seen["log"] = "".join(running.log).encode()
        no_traceback(running)
        with gateway(folder, config) as running:
            admin = {"authorization": f"Bearer {told.keys['admin']}"}
            books = running.url + "/internal/accounting"
            until(lambda: httpx.get(books, headers=admin).json().get("spooled") == 0, "the spool to be drained")
        told.seen["log of another"] = "".join(running.log).encode()
        told.forwarded = [repr(call).encode() for call in upstream.captured]
    _look_at_database(folder / "data" / "events.db", told)
    for path in folder.rglob("*"):
        if path.is_file():
            told.seen[f"file {path.name}"] = path.read_bytes()
    return told


@pytest.mark.parametrize("name", ["admin", "disabled", "wrong", "unknown"])
def test_a_key_is_seen_nowhere(told, name):
    secret = told.keys[name][19:]
    assert len(told.seen) > 120
    assert [where for where, what in told.seen.items() if secret.encode() in what] == []
    digest = digest_of(secret)
    forms = (digest, digest.hex().encode())
    shown = {where for where, what in told.seen.items() for form in forms if form in what}
    stored = {where for where in shown if where.startswith("file catalogue.db")}
    assert shown == stored and bool(stored) == (name in ("admin", "disabled"))


def test_the_tour_saw_what_it_should(told):
    admin, disabled = told.keys["admin"][6:18].encode(), told.keys["disabled"][6:18].encode()
    assert admin in told.seen["table inferences"] and disabled not in told.seen["table inferences"]
    assert b'"role":"user"' in told.seen["table model_inference_data"]
    assert b"disabled at" in told.seen["disabled x-api-key good False"]
    assert b"does not exist" in told.seen["wrong api-key good True openai"]
    assert b'"inference_id"' in told.seen["admin authorization good False"]


def test_no_provider_got_a_key(told):
    assert len(told.forwarded) >= 18
    secrets = [key[19:].encode() for key in told.keys.values()]
    assert [call for call in told.forwarded for secret in secrets if secret in call] == []
