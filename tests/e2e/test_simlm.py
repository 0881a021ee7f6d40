"""SimLM as its user runs it: the official SDK is served, and through a gateway what is measured is what is true."""

import re
import signal
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from uuid import UUID

import httpx2 as httpx
import numpy as np
import openai
import pytest
from tests.support.gateway import gateway

from calibrant.demo.simlm.reading import read_world
from calibrant.demo.simlm.world import World
from calibrant.measure import compare_unpaired

pytestmark = pytest.mark.slow

PROMPTS = {"plain": "You sort wood.", "careful": "You sort wood. Think step by step."}
EPISODES = 120
WORLD = """
seed = 11
cluster_size = 5
rules.steps = { phrase = "step by step", words = 10 }
models.simlm = { input_price = 2.0, output_price = 8.0 }
judges.fair = { tpr = 0.9, tnr = 0.9 }

[target]
accuracy = 0.6
icc = 0.15
effects.steps = 0.2
"""
VARIANTS = """
[functions.sort]
type = "chat"
[functions.sort.variants]
plain = { type = "chat_completion", model = "simlm", temperature = 0, system_template = "plain.minijinja" }
careful = { type = "chat_completion", model = "simlm", temperature = 0, system_template = "careful.minijinja" }
[functions.sort.experimentation]
type = "static"
candidate_variants = { plain = 0.5, careful = 0.5 }
"""


@pytest.fixture(scope="module")
def simlm(tmp_path_factory):
    file = tmp_path_factory.mktemp("simlm") / "world.toml"
    file.write_text(WORLD)
    command = [sys.executable, "-m", "calibrant", "simlm", "--port", "0", "--config", str(file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = ""
            for line in process.stderr:
                said += line
                if line == 'optimize = "max"\n':
                    break
            url = re.search(r"simlm on (\S+)", said)[1]
            snippet = said[said.index("# SimLM:") :]
            yield SimpleNamespace(url=url, world=World(read_world(file)), snippet=snippet)
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(20)
    assert status == 0


def test_the_official_sdk(simlm):
    items = list(range(50))
    with openai.OpenAI(base_url=simlm.url, api_key="none", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["simlm", "judge-fair"]

        def ask(item, **fields):
            prompt, task = PROMPTS["careful"], simlm.world.text(item)
            messages = [{"role": "system", "content": prompt}, {"role": "user", "content": task}]
            return client.chat.completions.create(model="simlm", messages=messages, temperature=0, **fields)

        texts = [ask(item).choices[0].message.content for item in items]
        streamed = ["".join(c.choices[0].delta.content or "" for c in ask(i, stream=True)) for i in items[:10]]
    assert streamed == texts[:10]
    right = [text.split()[-1] == simlm.world.answer(item) for item, text in zip(items, texts, strict=True)]
    assert right == list(simlm.world.outcomes(items, PROMPTS["careful"]))
    with urllib.request.urlopen(simlm.url.removesuffix("v1") + "simlm") as answer:
        assert answer.read().decode() == simlm.world.describe()


@pytest.fixture(scope="module")
def running(simlm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    for name, text in PROMPTS.items():
        (folder / f"{name}.minijinja").write_text(text)
    with gateway(folder, simlm.snippet + VARIANTS) as started:
        yield started


def played(simlm, client, group):
    """One episode: the items of a group, answered by its variant, with feedback. It has the same id in every run."""
    size, rows = simlm.world.parameters.cluster_size, []
    episode = str(UUID(int=(0x0196_E6F4_0000_7000_8000 << 48) + group))
    for item in range(group * size, (group + 1) * size):
        messages = [{"role": "user", "content": simlm.world.text(item)}]
        body = {"function_name": "sort", "episode_id": episode, "input": {"messages": messages}}
        answer = client.post("/inference", json=body).json()
        right = answer["content"][0]["text"].split()[-1] == simlm.world.answer(item)
        feedback = {"metric_name": "correct", "value": right, "inference_id": answer["inference_id"]}
        assert client.post("/feedback", json=feedback).status_code == 200
        rows.append((answer["variant_name"], item, group, right, answer["inference_id"]))
    return rows


def test_through_a_gateway_the_interval_has_the_truth(simlm, running):
    with httpx.Client(base_url=running.url, timeout=30) as client, ThreadPoolExecutor(4) as pool:
        parts = pool.map(lambda group: played(simlm, client, group), range(EPISODES))
        rows = [row for part in parts for row in part]
    arms = {name: [row for row in rows if row[0] == name] for name in PROMPTS}
    for name, mine in arms.items():
        assert [row[3] for row in mine] == list(simlm.world.outcomes([row[1] for row in mine], PROMPTS[name]))
    before, after = (np.array([row[3] for row in arms[name]], dtype=float) for name in PROMPTS)
    groups = [[row[2] for row in arms[name]] for name in PROMPTS]
    found = compare_unpaired(before, after, *groups, "boolean").difference
    truth = simlm.world.true_effect(*PROMPTS.values())
    assert truth == pytest.approx(0.2)
    assert found.low <= truth <= found.high and found.low > 0

    # And the same out of the record.
    running.settled()
    asked = "/internal/functions/sort/variant_performances?metric_name=correct&time_window=cumulative"
    told = {each["variant_name"]: each for each in running.get(asked).json()["performances"]}
    for name, scores in (("plain", before), ("careful", after)):
        assert (told[name]["count"], told[name]["avg_metric"]) == (scores.size, pytest.approx(scores.mean()))
        interval = told[name]["interval"]
        assert interval["method"] == "cluster_wilson"
        assert interval["low"] <= simlm.world.accuracy(PROMPTS[name]) <= interval["high"]


def test_what_a_call_costs_is_recorded(simlm, running):
    answer = running.infer(
        {"function_name": "sort", "input": {"messages": [{"role": "user", "content": simlm.world.text(1)}]}}
    ).json()
    row = running.inference(answer["inference_id"])
    wanted = simlm.world.cost(row["input_tokens"], row["output_tokens"])
    assert float(row["cost"]) == pytest.approx(wanted) and wanted > 0


def test_a_judge_through_a_gateway(simlm, running):
    told = f"{simlm.world.text(1)}\n<output>{simlm.world.answer(1)}</output>"
    body = {"model_name": "judge-fair", "input": {"messages": [{"role": "user", "content": told}]}}
    passed = simlm.world.judge("fair", simlm.world.outputs([1], "", [True]))[0]
    assert running.infer(body).json()["content"][0]["text"] == ("pass" if passed else "fail")
