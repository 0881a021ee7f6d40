"""Two gateways, each with its own spool and recorder, on one PostgreSQL: they behave as one."""

import os
import subprocess
import sys

import httpx2 as httpx
import pytest
from tests.support.faults import INPUT, function, model, no_traceback
from tests.support.gateway import gateway, until
from tests.support.postgres import fresh_database

from calibrant.testing.upstream import run_upstream

pytestmark = pytest.mark.slow

METRIC = '[metrics.good]\ntype = "boolean"\nlevel = "inference"\noptimize = "max"\n'
AUTH = "[gateway.auth]\nenabled = true\n"
CANARY = "s3cret-canary"


@pytest.fixture(scope="module")
def upstream():
    with run_upstream() as running:
        yield running


@pytest.fixture
def environment():
    with fresh_database(CANARY) as address:
        yield {"CALIBRANT_POSTGRES_URL": address}


def command(environment, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "calibrant", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def config(upstream, name):
    models = model("plain", upstream.url, upstream=name)
    return AUTH + models + function("chat", ("only", "plain", "")) + METRIC


def test_without_a_schema_nothing_starts_and_it_is_said_what_to_run(environment, tmp_path):
    done = command(environment, "gateway", "--default-config", "--port", "0", "--data-dir", str(tmp_path))
    assert done.returncode == 2 and "run `calibrant migrate`" in done.stderr and CANARY not in done.stderr
    assert command(environment, "migrate", "--check").returncode == 1
    assert command(environment, "migrate").returncode == 0
    assert command(environment, "migrate", "--check").returncode == 0


def test_two_gateways_are_one(environment, upstream, tmp_path):
    assert command(environment, "migrate").returncode == 0
    made = command(environment, "key", "create", "--role", "admin", "--data-dir", str(tmp_path / "one" / "data"))
    key = next(word for word in made.stdout.split() if word.startswith("sk-t0-"))
    head = {"authorization": f"Bearer {key}"}
    with (
        gateway(tmp_path / "one", config(upstream, "plain"), env=environment) as one,
        gateway(tmp_path / "two", config(upstream, "other"), env=environment) as two,
    ):
        answered = one.post("/inference", {"function_name": "chat", "input": INPUT}, headers=head)
        assert answered.status_code == 200, answered.text
        inference_id = answered.json()["inference_id"]
        judged = {"metric_name": "good", "value": True, "inference_id": inference_id}
        # At once: the other host cannot know yet whether there is such an inference.
        assert two.post("/feedback", judged, headers=head).status_code == 200
        wanted = {"filters": {"type": "boolean_metric", "metric_name": "good", "value": True}}

        def found(gateway_):
            answer = gateway_.post("/v1/inferences/list_inferences", wanted, headers=head)
            return [each["inference_id"] for each in answer.json()["inferences"]] or None

        assert until(lambda: found(two), "the judged inference") == [inference_id]
        assert found(one) == [inference_id]
        asked = {"type": "inference_ids", "inference_ids": [inference_id]}
        assert one.post("/v1/datasets/d/from_inferences", asked, headers=head).status_code == 200
        points = two.post("/v1/datasets/d/list_datapoints", {}, headers=head).json()["datapoints"]
        assert [each["source_inference_id"] for each in points] == [inference_id]
        hashes = {each.get("/status").json()["config_hash"] for each in (one, two)}
        assert len(hashes) == 2
        until(lambda: settled(one, head) and settled(two, head), "every record to be stored")
        wrong = httpx.get(f"{two.url}/v1/keys", headers={"authorization": f"Bearer {key[:-1]}x"})
        assert wrong.status_code == 401
        for each in (one, two):
            no_traceback(each)
            assert CANARY not in "".join(each.log)


def settled(gateway_, head):
    books = httpx.get(f"{gateway_.url}/internal/accounting", headers=head).json()
    return books["spooled"] == 0 and books["missing"] == 0 and books["stored"] == books["accepted"]
