"""Batches through the real gateway: made in the background by one of its workers, through kill -9 of it; cancelled."""

import os
import signal

import pytest
from tests.support.faults import INPUT, function, model
from tests.support.gateway import gateway, until

from calibrant.testing.batches import BatchHouse, run_batch_house
from calibrant.testing.faults import Answer, Latency, Script
from calibrant.testing.upstream import run_upstream

HEAD = "[gateway]\nworkers = 2\nbatch = { concurrency = 4, lease_s = 1.0 }\n[spool]\nmin_free_bytes = 0\n"


@pytest.fixture(scope="module")
def upstream():
    scripts = {"slow": Script(answer=Answer(text="slow"), latency=Latency(median_s=0.1))}
    with run_upstream(models=scripts, keep=1000) as running:
        yield running


def configured(upstream, name="plain"):
    return HEAD + model(name, upstream.url, upstream=name) + function("chat", ("only", name, ""))


def of(count, **fields):
    return {"function_name": "chat", "inputs": [INPUT] * count, **fields}


def ended(running, batch_id):
    def look():
        told = running.get(f"/batch_inference/{batch_id}").json()
        return told if told["status"] != "pending" else None

    return until(look, f"batch {batch_id} to end")


def listed(running, batch_id):
    return next(b for b in running.get("/batch_inference").json()["batches"] if b["batch_id"] == batch_id)


def test_every_element_is_stored_once_though_the_worker_is_killed_in_the_middle(tmp_path, upstream):
    with gateway(tmp_path, configured(upstream, "slow")) as running:
        started = running.post("/batch_inference", of(50, tags=[{"n": str(n)} for n in range(50)])).json()
        ids = started["inference_ids"]
        assert len(set(ids)) == len(set(started["episode_ids"])) == 50
        until(lambda: listed(running, started["batch_id"])["completed"] >= 5, "some to be made")
        for pid in running.children()["worker"]:
            os.kill(pid, signal.SIGKILL)
        assert listed(running, started["batch_id"])["completed"] < 50
        told = ended(running, started["batch_id"])
        assert told["status"] == "completed" and "failures" not in told
        assert [each["inference_id"] for each in told["inferences"]] == ids
        assert [each["episode_id"] for each in told["inferences"]] == started["episode_ids"]
        assert {each["content"][0]["text"] for each in told["inferences"]} == {"slow"}
        books = running.settled()
        assert books["missing"] == 0 and books["quarantined"] == 0
        rows = running.rows("SELECT id, status, tags FROM inferences ORDER BY id")
        assert [row["id"] for row in rows] == sorted(ids) and {row["status"] for row in rows} == {"ok"}
        assert all(started["batch_id"] in row["tags"] for row in rows)
        calls = running.rows("SELECT inference_id, count(*) AS n FROM model_inferences GROUP BY inference_id")
        assert len(calls) == 50 and {row["n"] for row in calls} == {1}


def test_what_is_cancelled_is_not_made(tmp_path, upstream):
    with gateway(tmp_path, configured(upstream, "slow")) as running:
        started = running.post("/batch_inference", of(200)).json()
        batch_id = started["batch_id"]
        until(lambda: listed(running, batch_id)["completed"] >= 1, "one to be made")
        stopped = running.post(f"/batch_inference/{batch_id}/cancel", {}).json()
        assert stopped["status"] == "cancelled" and stopped["cancelled"] > 0
        counts = until(
            lambda: (b := listed(running, batch_id))["completed"] + b["cancelled"] == 200 and b, "the rest to finish"
        )
        told = running.get(f"/batch_inference/{batch_id}").json()
        assert told["status"] == "cancelled" and len(told["inferences"]) == counts["completed"] < 200
        running.settled()
        assert running.rows("SELECT count(*) AS n FROM inferences") == [{"n": counts["completed"]}]
        assert running.get(f"/batch_inference/{batch_id}/inference/{started['inference_ids'][0]}").json()[
            "inferences"
        ] == [told["inferences"][0]]


def test_a_stopped_gateway_goes_on_where_it_was(tmp_path, upstream):
    with gateway(tmp_path, configured(upstream, "slow")) as running:
        started = running.post("/batch_inference", of(30)).json()
        until(lambda: listed(running, started["batch_id"])["completed"] >= 1, "one to be made")
    with gateway(tmp_path, configured(upstream, "slow")) as running:
        assert len(ended(running, started["batch_id"])["inferences"]) == 30
        running.settled()
        assert running.rows("SELECT count(*) AS n FROM model_inferences") == [{"n": 30}]


NATIVE = """
[models.{name}]
routing = ["p"]
[models.{name}.providers.p]
type = "{name}"
model_name = "{model}"
api_base = "{url}"
api_key_location = "env::VENDOR_KEY"
batch_cost = [{{ pointer = "{pointer}", cost_per_million = 1.0 }}]
[functions.{name}]
type = "chat"
variants.only = {{ type = "chat_completion", model = "{name}" }}
"""


def test_batches_that_vendors_make(tmp_path):
    house = BatchHouse()
    with run_batch_house(house) as url:
        head = HEAD.replace("concurrency = 4", 'native = "always"')
        head += NATIVE.format(name="openai", model="gpt-5", url=url, pointer="/usage/prompt_tokens")
        head += NATIVE.format(name="anthropic", model="claude-sonnet-4-6", url=url, pointer="/usage/input_tokens")
        with gateway(tmp_path, head, env={"VENDOR_KEY": "sk-secret"}) as running:
            started = [
                running.post("/batch_inference", of(12, function_name=name)).json() for name in ("openai", "anthropic")
            ]
            assert [listed(running, each["batch_id"])["kind"] for each in started] == ["native", "native"]
            for each in started:
                assert running.get(f"/batch_inference/{each['batch_id']}").json() == {"status": "pending"}
            for pid in running.children()["worker"]:
                os.kill(pid, signal.SIGKILL)
            house.finish()
            for each in started:
                told = ended(running, each["batch_id"])
                assert [one["inference_id"] for one in told["inferences"]] == each["inference_ids"]
                assert {one["usage"]["cost"] for one in told["inferences"]} == {0.000012}
            assert running.settled()["missing"] == 0
            calls = running.rows("SELECT cost, price_version, count(*) AS n FROM model_inferences GROUP BY 1, 2")
            assert [(row["cost"], row["price_version"], row["n"]) for row in calls] == [
                ("0.000012", "config+processing=batch", 24)
            ]
            assert {"x-api-key", "authorization"} <= {name for headers in house.headers for name in headers}
            for path in tmp_path.rglob("*"):
                assert path.is_dir() or b"sk-secret" not in path.read_bytes(), path
