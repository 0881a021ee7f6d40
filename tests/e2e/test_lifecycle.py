"""The life of the gateway's processes: start, reload, stop; and what their clients notice of it, which is nothing."""

import gzip
import os
import signal
import socket
import subprocess
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import brotli
import httpx2 as httpx
import pytest

try:
    from compression import zstd
except ImportError:
    from backports import zstd

from tests.support.faults import INPUT, TEXT, events, function, message_of, metric, model, native_text, no_traceback
from tests.support.gateway import Gateway, gateway, until
from tests.support.raw import request

from calibrant.testing.faults import Answer, Latency, Pace, Script
from calibrant.testing.upstream import run_upstream

SLOW = Script(latency=Latency(0.6))
PACED = Script(answer=Answer(text="one two three four five"), pace=Pace(interval_s=0.15))
SPOOL = "[spool]\nmin_free_bytes = 0\n"
CHAT = {"function_name": "chat", "input": INPUT}


@pytest.fixture(scope="module")
def upstream():
    with run_upstream(models={"slow": SLOW, "paced": PACED}) as running:
        yield running


@pytest.fixture
def config(upstream):
    models = [model(name, upstream.url, upstream=name) for name in ("plain", "slow", "paced")]
    return SPOOL + "".join(models) + function("chat", ("only", "plain", ""))


@pytest.fixture
def running(tmp_path, config):
    with gateway(tmp_path, config) as started:
        yield started
        no_traceback(started)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(12) as threads:
        yield threads


def _ask(running, name, stream=False):
    return running.infer({"model_name": name, "input": INPUT, "stream": stream})


def _arrived(upstream, count):
    until(lambda: len(upstream.captured) >= count, f"{count} calls of the provider")


def test_sigterm_finishes_what_runs(tmp_path, config, upstream, pool):
    upstream.playbook.forget()
    with gateway(tmp_path, config) as running:
        plain = [pool.submit(_ask, running, "slow") for _ in range(4)]
        streams = [pool.submit(_ask, running, "paced", True) for _ in range(4)]
        _arrived(upstream, 8)
        assert running.stop(signal.SIGTERM) == 0
        answers = [future.result() for future in plain]
        assert [answer.status_code for answer in answers] == [200] * 4
        chunks = [events(future.result()) for future in streams]
        assert [found[-1] for found in chunks] == ["[DONE]"] * 4
        assert {native_text(found[:-1]) for found in chunks} == {"one two three four five"}
        with pytest.raises(httpx.ConnectError):
            running.get("/status")
    ids = {answer.json()["inference_id"] for answer in answers} | {found[0]["inference_id"] for found in chunks}
    stored = {row["id"]: row["status"] for row in running.rows("SELECT id, status FROM inferences")}
    assert stored == dict.fromkeys(ids, "ok")
    assert list((running.data_dir / "spool").glob("*.seg*")) == []
    no_traceback(running)


def test_sigint_ends_it_just_as_well(tmp_path, config):
    with gateway(tmp_path, config) as running:
        made = running.infer(CHAT).json()
        running.settled()
        assert running.stop(signal.SIGINT) == 0
    assert [row["id"] for row in running.rows("SELECT id FROM inferences")] == [made["inference_id"]]


class Load:
    """Clients that ask without a pause, each on a connection of its own or on one that is kept."""

    def __init__(self, running):
        self.running = running
        self.answers = []
        self.stop = threading.Event()

    def run(self, keep):
        client = httpx.Client(timeout=30)
        while not self.stop.is_set():
            post = client.post if keep else httpx.post
            answer = post(self.running.url + "/inference", json=CHAT, timeout=30)
            self.answers.append(answer.status_code)
        client.close()
        return True

    def enough(self, more=20):
        wanted = len(self.answers) + more
        until(lambda: len(self.answers) >= wanted, "some more answers")


@contextmanager
def _load(running, pool):
    load = Load(running)
    clients = [pool.submit(load.run, keep) for keep in (True, True, False, False)]
    try:
        load.enough()
        yield load
        load.enough()
    finally:
        load.stop.set()
    # A request that failed ended its client with an exception.
    assert all(client.result() for client in clients)
    assert set(load.answers) == {200}


def _hash(running):
    return running.get("/status").json()["config_hash"]


def test_a_reload_under_load_fails_nobody(running, config, pool, upstream):
    old = _hash(running)
    upstream.playbook.forget()
    with _load(running, pool):
        long = pool.submit(_ask, running, "paced", True)
        until(lambda: any('"paced"' in captured.body for captured in upstream.captured), "the long stream")
        (worker,) = running.children()["worker"]
        running.config.write_text(config + function("more", ("only", "plain", "")))
        running.process.send_signal(signal.SIGHUP)
        until(lambda: running.children()["worker"] not in ([worker], []), "a new worker")
        until(lambda: _hash(running) != old, "the new configuration")
        until(lambda: len(running.children()["worker"]) == 1, "the old worker to end")
    assert running.children()["worker"] != [worker]
    chunks = events(long.result())
    assert (native_text(chunks[:-1]), chunks[-1]) == ("one two three four five", "[DONE]")
    new = _hash(running)
    assert running.infer(CHAT | {"function_name": "more"}).status_code == 200
    books = running.settled()
    assert (books["missing"], books["quarantined"]) == (0, 0)
    assert {row["hash"] for row in running.rows("SELECT hash FROM config_snapshots")} == {old, new}
    row = running.inference(chunks[0]["inference_id"])
    assert (row["snapshot_hash"], row["status"]) == (old, "ok")
    assert {row["snapshot_hash"] for row in running.rows("SELECT snapshot_hash FROM inferences")} == {old, new}
    text = running.get("/metrics").text
    rows = running.rows("SELECT count(*) AS n FROM inferences")[0]["n"]
    # The sums of the host do not fall when a worker goes.
    assert metric(text, "calibrant_requests_total", endpoint="inference", status="200") == rows


@pytest.mark.parametrize("bad", ["[functions.broken", "[gateway]\nnonsense = 1\n", '[functions.x]\ntype = "poem"\n'])
def test_an_invalid_new_configuration_is_refused_and_the_old_one_stays(running, config, pool, bad):
    old = _hash(running)
    workers = running.children()["worker"]
    with _load(running, pool):
        running.config.write_text(config + bad)
        running.process.send_signal(signal.SIGHUP)
        until(lambda: "the old one stays" in "".join(running.log), "the refusal in the log")
    assert "calibrant.toml" in "".join(running.log)
    assert (_hash(running), running.children()["worker"]) == (old, workers)
    # Set right, it is taken.
    running.config.write_text(config + function("more", ("only", "plain", "")))
    running.process.send_signal(signal.SIGHUP)
    until(lambda: _hash(running) != old, "the mended configuration")


def test_two_workers_are_one_host(tmp_path, config, upstream, pool):
    upstream.playbook.forget()
    with gateway(tmp_path, config, args=["--workers", "2"]) as running:
        assert len(running.children()["worker"]) == 2

        def spread():
            answers = list(pool.map(lambda _: _ask(running, "plain"), range(24)))
            assert {answer.status_code for answer in answers} == {200}
            running.settled()
            return len(running.rows("SELECT DISTINCT worker FROM inferences")) == 2

        until(spread, "both workers to have answered")
        asked = len(upstream.captured)
        for _ in range(6):
            # Whichever worker answers, it speaks for both.
            until(lambda: metric(running.get("/metrics").text, "calibrant_requests_total") == asked, "the sums")
            books = running.accounting()
            assert (books["missing"], books["stored"], len(books["incarnations"])) == (0, asked + 2, 2)
        # One of them dies: the other serves, and another takes its place.
        victim = running.children()["worker"][0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in running.children()["worker"], "the worker to be gone")
        assert _ask(running, "plain").status_code == 200
        until(lambda: len(running.children()["worker"]) == 2, "another worker")
        assert running.settled()["missing"] == 0


@pytest.mark.parametrize(("name", "stream"), [("slow", False), ("slow", True), ("paced", True)])
def test_a_client_that_leaves_early_is_recorded_to_the_end(running, upstream, name, stream):
    upstream.playbook.forget()
    body = httpx.Request("POST", running.url, json={"model_name": name, "input": INPUT, "stream": stream}).content
    with socket.create_connection(("127.0.0.1", running.port)) as sock:
        sock.sendall(request(body))
        _arrived(upstream, 1)
        if name == "paced":
            assert sock.recv(1)
    running.settled()
    (row,) = until(lambda: running.rows("SELECT * FROM inferences WHERE status != 'running'"), "the inference")
    assert (row["status"], row["output_tokens"]) == ("ok", 8)
    (call,) = running.model_inferences(row["id"])
    assert call["status"] == "ok"
    assert upstream.playbook.abandoned == 0
    assert running.get("/status").status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate"])
def test_compressed_bodies_are_accepted(shared, encoding):
    body = httpx.Request("POST", shared.url, json=CHAT).content
    answer = httpx.post(
        shared.url + "/inference", content=_squeeze(encoding, body), headers={"content-encoding": encoding}, timeout=30
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"][0]["text"] == TEXT


def _squeeze(encoding, body):
    squeeze = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstd.compress, "deflate": zlib.compress}
    return squeeze[encoding](body)


@pytest.fixture(scope="module")
def shared(tmp_path_factory, upstream):
    config = SPOOL + model("plain", upstream.url) + function("chat", ("only", "plain", ""))
    with gateway(tmp_path_factory.mktemp("shared"), config) as started:
        yield started
        no_traceback(started)


def test_one_connection_serves_many_requests(shared):
    with httpx.Client(base_url=shared.url, timeout=30) as client:
        for _ in range(5):
            answer = client.post("/inference", json=CHAT)
            assert answer.status_code == 200
            assert answer.headers.get("connection") is None
            stream = client.post("/inference", json=CHAT | {"stream": True})
            assert events(stream)[-1] == "[DONE]"
            assert client.get("/status").status_code == 200
            assert client.post("/inference", json={}).status_code == 400
        # httpx would have opened another connection without a word, so ask the kernel.
        assert _established(shared.port) == 1


def _established(port):
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(1 for line in lines if line[1].endswith(f":{port:04X}") and line[3] == "01")


def test_every_answer_names_the_version(shared):
    for path in ("/status", "/nowhere"):
        headers = shared.get(path).headers
        assert headers["x-tensorzero-gateway-version"] == headers["x-calibrant-version"]


def test_base_path(tmp_path, config):
    with gateway(tmp_path, '[gateway]\nbase_path = "/llm/v2"\n' + config) as running:
        assert running.post("/llm/v2/inference", CHAT).status_code == 200
        body = {"model": "tensorzero::function_name::chat", **INPUT}
        assert running.post("/llm/v2/openai/v1/chat/completions", body).status_code == 200
        assert running.get("/llm/v2/status").status_code == 200
        assert running.infer(CHAT).status_code == 404
        assert "Route not found" in message_of(running.post("/llm/v2/openai/v1/nothing", {}), openai=True)


def _free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def _variant(*flags):
    """A gateway started with these flags alone."""

    class Started(Gateway):
        def flags(self):
            return ["--data-dir", str(self.data_dir), *flags]

    return Started


def test_tensorzeros_flags(tmp_path, config):
    port = _free_port()
    kind = _variant("--config-file", "calibrant.toml", "--bind-address", f"127.0.0.1:{port}")
    with gateway(tmp_path, config, kind=kind) as running:
        assert running.port == port
        assert running.infer(CHAT).status_code == 200


def test_tensorzeros_environment(tmp_path, config):
    port = _free_port()
    env = {"TENSORZERO_GATEWAY_BIND_ADDRESS": f"127.0.0.1:{port}"}
    with gateway(tmp_path, config, kind=_variant("--config", "calibrant.toml"), env=env) as running:
        assert running.port == port
        assert running.infer(CHAT).status_code == 200
    env |= {"CALIBRANT_GATEWAY_BIND_ADDRESS": "127.0.0.1:0"}
    with gateway(tmp_path, config, kind=_variant("--config", "calibrant.toml"), env=env) as running:
        assert running.port != port


def test_the_configuration_may_be_many_files(tmp_path, upstream):
    parts = tmp_path / "conf" / "functions"
    parts.mkdir(parents=True)
    (parts.parent / "models.toml").write_text(SPOOL + model("plain", upstream.url))
    (parts / "chat.toml").write_text(function("chat", ("only", "plain", "")))
    kind = _variant("--config", "conf/**/*.toml", "--port", "0")
    with gateway(tmp_path, "this = [is not read", kind=kind) as running:
        assert running.infer(CHAT).status_code == 200


@pytest.mark.parametrize("name", ["calibrant.toml", "config/tensorzero.toml"])
def test_the_configuration_is_found_by_itself(tmp_path, config, name):
    (tmp_path / "config").mkdir()
    kind = _variant("--port", "0")

    class Found(kind):
        def start(self):
            self.config.unlink()
            (self.folder / "config" / "tensorzero.toml").write_text(config if "/" in name else "this = [is not read")
            if "/" not in name:
                self.config.write_text(config)
            return super().start()

    with gateway(tmp_path, config, kind=Found) as running:
        assert running.infer(CHAT).status_code == 200


BROKEN = """
[gateway]
nonsense = 1

[functions.chat]
type = "chat"
variants.only = { type = "chat_completion", model = "nobody", temperature = "hot" }

[functions.poem]
type = "poem"

[models.m]
routing = ["p", "q"]
providers.p = { type = "openai", model_name = "x" }

[metrics.good]
type = "boolean"
optimize = "sideways"
level = "inference"
"""


def test_check_tells_all_mistakes_at_once(tmp_path, config):
    def check(text):
        (tmp_path / "calibrant.toml").write_text(text)
        command = [sys.executable, "-m", "calibrant", "check", "--config", "calibrant.toml"]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=30)

    fine = check(config)
    assert (fine.returncode, "is fine" in fine.stdout) == (0, True)
    broken = check(BROKEN)
    assert broken.returncode == 2
    said = broken.stdout + broken.stderr
    assert "Traceback" not in said
    for place in (
        "gateway.nonsense",
        "functions.chat.variants.only.temperature",
        "functions.poem",
        "metrics.good.optimize",
    ):
        assert any("calibrant.toml" in line and place in line for line in said.splitlines()), (place, said)
    command = [sys.executable, "-m", "calibrant", "gateway", "--config", "calibrant.toml", "--port", "0"]
    started = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=30)
    assert (started.returncode, "gateway.nonsense" in started.stderr) == (2, True)


def test_a_port_that_is_taken_is_named(tmp_path, config, shared):
    (tmp_path / "calibrant.toml").write_text(config)
    command = [sys.executable, "-m", "calibrant", "gateway", "--port", str(shared.port)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=30)
    assert done.returncode != 0
    assert f"cannot listen on 127.0.0.1:{shared.port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_gateway_that_stops_as_soon_as_it_runs_has_stored_all(tmp_path, config):
    # Its recorder may still be starting then.
    with gateway(tmp_path, config) as running:
        made = running.infer(CHAT).json()
        assert running.stop() == 0
    assert [row["id"] for row in running.rows("SELECT id FROM inferences")] == [made["inference_id"]]
    no_traceback(running)
