"""Calibrant's own clients confirm a candidate at a real gateway, and learn why they may not."""

import random
import subprocess
import sys

import msgspec
import pytest
from tests.support.canned import Reply, canned
from tests.support.clients import KINDS
from tests.support.gateway import gateway

from calibrant.client import BadRequest, ConfirmationRefused, CreateDatapointRequestChat, NotFound, Text

pytestmark = pytest.mark.slow

TOML = """
[models.echo]
routing = ["p"]
[models.echo.providers.p]
type = "openai"
model_name = "echo"
api_base = "{base}/v1"
api_key_location = "none"
[functions.say]
type = "chat"
[functions.say.variants]
wrong = {{ type = "chat_completion", model = "echo", system_template = "wrong.minijinja" }}
as_wrong = {{ type = "chat_completion", model = "echo", system_template = "as_wrong.minijinja" }}
right = {{ type = "chat_completion", model = "echo", system_template = "right.minijinja" }}
"""
ASKED = {"function_name": "say", "incumbent": "wrong", "evaluator": "exact_match"}


def echo(seen):
    """Say what the user says where the prompt asks for it, else something else."""
    system, user = (each["content"] for each in msgspec.json.decode(seen.body)["messages"])
    said = user if "the same" in system else "I do not know."
    choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "echo", "choices": [choice]}
    return Reply(msgspec.json.encode({**answer, "usage": usage}))


def point(number):
    draw = random.Random(number)
    text = " ".join("".join(draw.choices("abcdefghijklmnop", k=6)) for _ in range(30))
    said = {"messages": [{"role": "user", "content": text}]}
    return CreateDatapointRequestChat(function_name="say", input=said, output=[Text(text)])


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("client")
    for name, text in {"wrong": "Say.", "as_wrong": "Say on.", "right": "Say the same."}.items():
        (folder / f"{name}.minijinja").write_text(text)
    with canned(echo) as house, gateway(folder, TOML.format(base=house.base)) as started:
        yield started


@pytest.fixture(scope="module", params=KINDS, ids=["sync", "async"])
def client(request, running):
    made = request.param(base_url=running.url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def sealed(client, running):
    """A sealed dataset of the client's own."""
    name = f"words of {type(client).__name__}"
    client.call("create_dataset", name=name, group_by="datapoint")
    first = 1000 * KINDS.index(type(client))
    client.call("create_datapoints", dataset_name=name, requests=[point(first + n) for n in range(80)])
    command = [sys.executable, "-m", "calibrant", "dataset", "seal", name, "--data-dir", str(running.data_dir)]
    command += ["--train", "0", "--val", "0", "--sealed", "100"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return name


def test_one_that_is_better_passes_and_is_not_asked_again(client, sealed):
    asked = {**ASKED, "dataset_name": sealed, "candidate": "right", "claimed_gain": 1.0, "alpha": 0.01}
    passed = client.call("confirm", **asked)
    assert (passed.status, passed.interval[1], passed.failures) == ("passed", 1.0, (0, 0))
    with pytest.raises(ConfirmationRefused, match="was held against 'wrong' before") as refused:
        client.call("confirm", **asked)
    assert (refused.value.status, refused.value.code) == (409, "confirmation_refused")
    assert client.call("list_confirmations").confirmations[0] == passed
    assert client.call("get_confirmation", confirmation_id=passed.id) == passed
    with pytest.raises(NotFound, match="no confirmation"):
        client.call("get_confirmation", confirmation_id="none")


def test_one_that_is_the_same_fails_and_what_makes_no_sense_is_told(client, sealed):
    asked = {**ASKED, "dataset_name": sealed, "candidate": "as_wrong", "claimed_gain": 0.9, "alpha": 0.01}
    failed = client.call("confirm", **asked)
    assert failed.status == "failed"
    assert failed.interval[0] <= 0 <= failed.interval[1]
    with pytest.raises(BadRequest, match="claimed_gain"):
        client.call("confirm", **{**asked, "claimed_gain": 0.0})


def test_what_is_sealed_and_what_leaves_the_seal(client, sealed):
    shown = client.call("get_holdout", dataset_name=sealed)
    assert (shown.shares.sealed, shown.broken_at) == (100, None)
    assert {each.function_name: each.budget for each in shown.budgets} == {"say": 0.05}
    before = {each.split: each.datapoints for each in shown.splits}
    listed = client.call("list_datapoints", dataset_name=sealed, request={"limit": 100}).datapoints
    one = next(each for each in listed if each.split == "sealed")
    assert one.output is None
    (revealed,) = client.call("reveal_datapoints", dataset_name=sealed, ids=[one.id]).datapoints
    assert (revealed.id, revealed.split, len(revealed.output)) == (one.id, "train", 1)
    after = {each.split: each.datapoints for each in client.call("get_holdout", dataset_name=sealed).splits}
    assert after["sealed"] == before["sealed"] - 1
    client.call("create_dataset", name=f"open {sealed}")
    with pytest.raises(BadRequest, match="is not split"):
        client.call("get_holdout", dataset_name=f"open {sealed}")
