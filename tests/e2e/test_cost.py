"""Costs through real processes: on the wire, in the database, in the metrics, and worked out again."""

import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import msgspec
import pytest
from tests.support.gateway import gateway, until

from calibrant.testing.faults import Answer, Script, Tokens
from calibrant.testing.upstream import run_upstream

SCRIPTS = {
    "counted": Script(answer=Answer(tokens=Tokens(prompt=1000, completion=10, cached=400))),
    "silent": Script(answer=Answer(tokens=None)),
    "cut": Script(answer=Answer(tokens=None), fault="reset_mid_body"),
}
RULES = """cost = [
    { pointer = "/usage/prompt_tokens", cost_per_million = 2.5, required = true },
    { pointer = "/usage/prompt_tokens_details/cached_tokens", cost_per_million = -1.25 },
    { pointer = "/usage/completion_tokens", cost_per_million = 10 },
]
"""
COST = "0.0021"


def models(url, rules=RULES):
    return "\n".join(
        f'[models.{name}]\nrouting = ["p"]\n[models.{name}.providers.p]\ntype = "openai"\nmodel_name = "{name}"\n'
        f'api_base = "{url}"\napi_key_location = "none"\n{rules}'
        for name in SCRIPTS
    )


@pytest.fixture(scope="module")
def upstream():
    with run_upstream(models=SCRIPTS) as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory, upstream):
    with gateway(tmp_path_factory.mktemp("gateway"), models(upstream.url)) as started:
        yield started


def asked(name, **more):
    return {"model_name": name, "input": {"messages": [{"role": "user", "content": "Hello?"}]}, **more}


def test_a_whole_answer_has_its_cost(running):
    answer = running.infer(asked("counted"))
    assert f'"cost":{COST}' in answer.text
    row = running.inference(answer.json()["inference_id"])
    (call,) = running.model_inferences(row["id"])
    assert row["cost"] == call["cost"] == COST
    assert (call["price_version"], call["usage_source"]) == ("config", "reported")
    assert 'calibrant_unknown_costs_total{model_name="counted"} 0.0' in running.get("/metrics").text


def test_openais_clients_see_it_whole_and_streamed(running):
    body = {"model": "tensorzero::model_name::counted", "messages": [{"role": "user", "content": "Hello?"}]}
    assert f'"tensorzero_cost":{COST}' in running.post("/openai/v1/chat/completions", body).text
    body |= {"stream": True, "stream_options": {"include_usage": True}}
    assert f'"tensorzero_cost":{COST}' in running.post("/openai/v1/chat/completions", body).text


def test_a_client_that_leaves_is_billed_for_the_whole_answer(running):
    with httpx.stream("POST", f"{running.url}/inference", json=asked("counted", stream=True), timeout=30) as answer:
        first = next(answer.iter_lines())
    row = running.inference(msgspec.json.decode(first.removeprefix("data: "))["inference_id"])
    assert (row["status"], row["cost"]) == ("ok", COST)


def test_a_stream_that_breaks_is_estimated(running):
    answer = running.infer(asked("cut", stream=True))
    first = answer.text.partition("\n")[0].removeprefix("data: ")
    row = running.inference(msgspec.json.decode(first)["inference_id"])
    (call,) = running.model_inferences(row["id"])
    assert row["status"] == "error" and call["usage_source"] == "estimated"
    assert call["output_tokens"] > 0 and call["input_tokens"] > 0
    # The rule wants a number that never came.
    assert row["cost"] is call["cost"] is None


def test_workers_load_no_package_of_prices(running):
    assert len(list((running.data_dir / "run").glob("prices-*.json"))) == 1
    for pid in running.children()["worker"]:
        assert "pydantic" not in Path(f"/proc/{pid}/maps").read_text()


def test_new_rules_price_the_record_again_beside_the_gateway(running):
    answer = running.infer(asked("counted"))
    row = running.inference(answer.json()["inference_id"])
    before = running.model_inferences(row["id"])
    newer = running.folder / "newer.toml"
    newer.write_text(running.config.read_text().replace("cost_per_million = 10 ", "cost_per_million = 20 "))
    command = [sys.executable, "-m", "calibrant", "cost", "recompute", "--config", str(newer)]
    command += ["--data-dir", str(running.data_dir), "--json"]
    done = msgspec.json.decode(subprocess.run(command, capture_output=True, check=True, cwd=running.folder).stdout)
    assert done["changed"] == done["calls"] - done["unknown"] > 0
    assert until(lambda: running.inference(row["id"])["cost"] == "0.0022", "the new cost")
    after = running.model_inferences(row["id"])
    assert [{**call, "cost": None} for call in after] == [{**call, "cost": None} for call in before]
    assert f'"cost":{COST}' in running.infer(asked("counted")).text
