"""API keys through the real gateway: made, used, disabled, in effect on every worker, and kept through kill -9."""

import os
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection

import httpx2 as httpx
import msgspec
import openai
import pytest
from tensorzero import TensorZeroError, TensorZeroGateway
from tests.support.faults import INPUT, function, model, no_traceback
from tests.support.gateway import gateway, until

from calibrant.base.ids import uuid7
from calibrant.testing.upstream import run_upstream

CHAT = {"function_name": "chat", "input": INPUT}
ON = "[gateway.auth]\nenabled = true\ncache.ttl_ms = 300\n[spool]\nmin_free_bytes = 0\n"
TRIES = 24
"""Enough new connections for each of two workers to have had one."""


@pytest.fixture(scope="module")
def upstream():
    with run_upstream(keep=1000) as running:
        yield running


def configured(upstream, head=ON):
    models = [model(name, upstream.url, upstream="plain") for name in ("plain", "other")]
    return head + "".join(models) + function("chat", ("only", "plain", ""))


def command(folder, *args, status=0, env=None):
    done = subprocess.run(
        [sys.executable, "-m", "calibrant", *args, "--data-dir", str(folder / "data")],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == status, done.stderr
    return done.stdout.strip()


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def everywhere(running, status, headers):
    """Whether each of many requests, each on its own connection, has this status."""
    body = msgspec.json.encode(CHAT)
    for _ in range(TRIES):
        with closing(HTTPConnection("127.0.0.1", running.port, timeout=30)) as connection:
            connection.request("POST", "/inference", body, headers)
            if connection.getresponse().status != status:
                return False
    return True


@pytest.fixture(scope="module")
def running(tmp_path_factory, upstream):
    folder = tmp_path_factory.mktemp("keys")
    with gateway(folder, configured(upstream), args=["--workers", "2"]) as started:
        yield started
        no_traceback(started)


@pytest.fixture(scope="module")
def admin(running):
    return command(running.folder, "key", "create", "--role", "admin")


def test_a_gateway_without_a_key_says_how_to_make_one(running):
    (said,) = [line for line in running.log if "warning" in line]
    assert "there is none yet" in said and f"calibrant key create --role admin --data-dir {running.data_dir}" in said


def test_a_key_is_used_at_once_and_refused_on_every_worker_once_disabled(running, admin, upstream):
    made = running.post("/v1/keys", {"description": "app", "roles": ["inference"]}, headers=bearer(admin)).json()
    key, public_id = made["key"], made["public_id"]
    for header in (bearer(key), {"x-api-key": key}, {"api-key": key}):
        assert everywhere(running, 200, header)
    assert running.get("/status").status_code == running.get("/health").status_code == 200
    answer = running.infer(CHAT)
    assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"].startswith("TensorZero authentication error: Authorization header is required")
    chat = running.post("/openai/v1/chat/completions", {"model": "tensorzero::function_name::chat", **INPUT})
    assert chat.status_code == 401 and "authentication" in chat.json()["error"]["message"]

    assert running.post(f"/v1/keys/{public_id}/disable", {}, headers=bearer(admin)).json()["disabled_at"]
    until(lambda: everywhere(running, 401, bearer(key)), "both workers to refuse the key")
    told = running.infer(CHAT, headers=bearer(key)).json()["error"]
    assert told.startswith("TensorZero authentication error: API key was disabled at: 20")
    assert running.post(f"/v1/keys/{public_id}/enable", {}, headers=bearer(admin)).status_code == 200
    until(lambda: everywhere(running, 200, bearer(key)), "both workers to take the key again")
    # The caller's key stays here.
    assert not [value for call in upstream.captured for value in dict(call.headers).values() if key in str(value)]


def test_a_key_of_the_command_line_beside_a_gateway_that_runs(running):
    assert everywhere(running, 401, bearer(f"sk-t0-{'a' * 12}-{'b' * 48}"))
    key = command(running.folder, "gateway", "--create-api-key", "--expiration", "2999-01-01T00:00:00Z")
    assert everywhere(running, 200, bearer(key))
    command(running.folder, "gateway", "--disable-api-key", key[6:18])
    until(lambda: everywhere(running, 401, bearer(key)), "both workers to refuse the key")


def test_rows_say_whose_key_it_was_and_lists_hold(running, admin):
    wanted = {"roles": ["inference", "feedback"], "models": ["plain"]}
    made = running.post("/v1/keys", wanted, headers=bearer(admin)).json()
    mine = bearer(made["key"])
    inference_id = running.infer(CHAT, headers=mine).json()["inference_id"]
    row = running.inference(inference_id)
    assert row["key_id"] == made["public_id"]
    assert msgspec.json.decode(row["tags"]) == {"tensorzero::api_key_public_id": made["public_id"]}
    refused = running.infer({"model_name": "other", "input": INPUT}, headers=mine)
    assert refused.status_code == 403 and "may not ask the model 'other'" in refused.json()["error"]
    assert running.get("/metrics").status_code == 401
    assert running.infer(CHAT, headers=bearer(made["key"][:-1] + "!")).status_code == 401
    feedback = {"metric_name": "comment", "value": "good", "inference_id": inference_id}
    assert running.post("/feedback", feedback, headers=mine).status_code == 200
    until(lambda: running.rows("SELECT 1 FROM feedback WHERE key_id = ?", made["public_id"]), "the feedback's row")
    reader = running.post("/v1/keys", {"roles": ["read"]}, headers=bearer(admin)).json()["key"]

    def counted():
        told = httpx.get(running.url + "/metrics", headers=bearer(reader)).text
        return all(f'auth_refused_total{{reason="{each}"}}' in told for each in ("missing", "malformed", "model"))

    # Workers publish their figures now and then.
    until(counted, "the refusals in the metrics of the host")


def test_the_clients_that_applications_use(running, monkeypatch):
    key = command(running.folder, "key", "create", "--role", "inference")
    with openai.OpenAI(base_url=f"{running.url}/openai/v1", api_key=key, max_retries=0) as client:
        assert client.chat.completions.create(model="tensorzero::function_name::chat", **INPUT).choices
        assert {each.id for each in client.models.list()} >= {"tensorzero::function_name::chat"}
        client.api_key = "sk-other"
        with pytest.raises(openai.AuthenticationError, match="Invalid API key"):
            client.models.list()
    monkeypatch.setenv("TENSORZERO_API_KEY", key)
    with TensorZeroGateway.build_http(gateway_url=running.url) as client:
        assert client.inference(function_name="chat", input=INPUT).inference_id
        with pytest.raises(TensorZeroError) as error:
            client.feedback(metric_name="comment", value="x", episode_id=uuid7())
        assert error.value.status_code == 403
    monkeypatch.setenv("TENSORZERO_API_KEY", key[:-1] + "!")
    with TensorZeroGateway.build_http(gateway_url=running.url) as client, pytest.raises(TensorZeroError) as error:
        client.inference(function_name="chat", input=INPUT)
    assert error.value.status_code == 401


def test_the_log_says_who_did_what(running, admin):
    made = running.post("/v1/keys", {}, headers=bearer(admin)).json()
    running_id = made["public_id"]
    httpx.patch(f"{running.url}/v1/keys/{running_id}", json={"description": "x"}, headers=bearer(admin))
    command(running.folder, "key", "disable", running_id)
    entries = httpx.get(f"{running.url}/v1/audit?limit=1000", headers=bearer(admin)).json()["entries"]
    mine = [(e["actor"], e["action"]) for e in entries if e["subject"] == running_id]
    boss = admin[6:18]
    assert mine == [("cli", "key.disable"), (boss, "key.change"), (boss, "key.create")]


@pytest.mark.slow
def test_keys_survive_kill_9_and_hold_for_a_new_supervisor(tmp_path, upstream):
    with gateway(tmp_path, configured(upstream), args=["--workers", "2"]) as running:
        admin = command(tmp_path, "key", "create", "--role", "admin")
        made = running.post("/v1/keys", {}, headers=bearer(admin)).json()
        gone = running.post("/v1/keys", {}, headers=bearer(admin)).json()
        running.post(f"/v1/keys/{gone['public_id']}/disable", {}, headers=bearer(admin))
        running.kill()
        running.start()
        assert everywhere(running, 200, bearer(made["key"]))
        assert everywhere(running, 401, bearer(gone["key"]))
        no_traceback(running)


def test_while_the_catalogue_is_away_nobody_is_let_in(tmp_path, upstream):
    with gateway(tmp_path, configured(upstream)) as running:
        key = command(tmp_path, "key", "create")
        assert running.infer(CHAT, headers=bearer(key)).status_code == 200
        path = tmp_path / "data" / "catalogue.db"
        path.rename(tmp_path / "elsewhere")
        path.mkdir()
        until(lambda: running.infer(CHAT, headers=bearer(key)).status_code == 503, "the refusal")
        told = running.infer(CHAT, headers=bearer(key)).json()["error"]
        assert told == "API keys cannot be checked now; try again"
        assert running.get("/status").status_code == 200
        health = running.get("/health")
        assert health.status_code == 503 and health.json()["keys"] == "error"
        path.rmdir()
        (tmp_path / "elsewhere").rename(path)
        assert running.infer(CHAT, headers=bearer(key)).status_code == 200
        assert running.get("/health").json()["keys"] == "ok"
        no_traceback(running)


@pytest.mark.slow
def test_off_by_default_on_loopback(tmp_path, upstream):
    config = configured(upstream, "[spool]\nmin_free_bytes = 0\n")
    with gateway(tmp_path, config, args=["--workers", "2"]) as running:
        assert running.infer(CHAT, headers=bearer("anything")).status_code == 200
        assert "warning" not in "".join(running.log) and not (tmp_path / "data" / "catalogue.db").exists()
        assert running.post("/v1/keys", {}).status_code == 403
        assert msgspec.json.decode(running.get("/v1/keys").content)["error"].startswith("keys are not managed by HTTP")
