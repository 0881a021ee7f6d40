"""What was recorded asked again, by the client and by the command, of a gateway that runs."""

import asyncio
import subprocess
import sys

import httpx
import msgspec
import pytest
from tests.support.gateway import gateway, until

from calibrant import AsyncClient, Client
from calibrant.client import BadRequest, ListInferencesRequest, ReplayCase, ReplayDataset, ReplayRun, ReplaySummary
from calibrant.testing.faults import Answer, Latency, Script
from calibrant.testing.upstream import run_upstream

CONFIG = """
[models.quick]
routing = ["p"]
[models.quick.providers.p]
type = "openai"
model_name = "quick"
api_base = "{url}"
api_key_location = "none"
[models.other]
routing = ["p"]
[models.other.providers.p]
type = "openai"
model_name = "other"
api_base = "{url}"
api_key_location = "none"

[functions.chat]
type = "chat"
variants.quick = {{ type = "chat_completion", model = "quick", templates.system.path = "system.minijinja" }}
variants.other = {{ type = "chat_completion", model = "other" }}
[functions.chat.experimentation]
type = "static"
candidate_variants = ["quick"]
"""
INPUT = {"messages": [{"role": "user", "content": "Hello there"}]}


@pytest.fixture(scope="module")
def upstream():
    scripts = {"quick": Script(), "other": Script(answer=Answer(text="Something else."))}
    with run_upstream(models=scripts) as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory, upstream):
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "system.minijinja").write_text("Be brief.")
    with gateway(folder, CONFIG.format(url=upstream.url)) as started:
        yield started


@pytest.fixture
def client(running):
    with Client(running.url) as made:
        yield made


@pytest.fixture
def made(client, running):
    found = [client.inference(function_name="chat", input=INPUT) for _ in range(3)]
    running.settled()
    return found


def calibrant(running, *arguments):
    command = [sys.executable, "-m", "calibrant", "replay", "--url", running.url, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=running.folder, timeout=50)


def test_another_variant_says_something_else(client, made):
    ids = [each.inference_id for each in made]
    with client.replay(inference_ids=ids, variant_name="other") as lines:
        begun, *cases, summary = lines
    assert isinstance(begun, ReplayRun) and begun.samples == 3 and isinstance(summary, ReplaySummary)
    assert all(isinstance(case, ReplayCase) and case.same_output is False for case in cases)
    assert sorted(case.sample_id for case in cases) == sorted(ids)
    assert summary.same_output.estimate == 0 and summary.same_output.low == 0 < summary.same_output.high < 1
    found = client.inference(function_name="chat", input=INPUT, variant_name="other", dryrun=True)
    assert cases[0].output == [msgspec.to_builtins(block) for block in found.content]


def test_the_run_is_in_the_record(client, running, made):
    *_, summary = client.replay(inference_ids=[made[0].inference_id], variant_name="other")
    running.settled()
    tag = {"type": "tag", "key": "tensorzero::replay_run_id", "value": summary.run_id, "comparison_operator": "="}
    (row,) = client.list_inferences(request=ListInferencesRequest(filters=tag)).inferences
    assert row.tags["tensorzero::replay_of"] == made[0].inference_id
    assert row.tags["tensorzero::replay_of_episode_id"] == made[0].episode_id
    # What was drawn is compared, and a replay was not.
    stored = running.inference(row.inference_id)
    assert (stored["assigned_variant"], stored["probability"]) == ("other", None)
    counts = httpx.get(f"{running.url}/internal/functions/chat/inference_count?group_by=variant").json()
    assert "other" not in {each["variant_name"] for each in counts["count_by_variant"]}
    assert httpx.get(f"{running.url}/internal/functions/chat/inference_count?variant_name=other").json() == {
        "inference_count": 0
    }
    plan = client.plan_erasure(episode_id=made[0].episode_id)
    assert plan.inferences == 2
    client.erase(episode_id=made[0].episode_id)
    assert client.list_inferences(request=ListInferencesRequest(filters=tag)).inferences == ()


def test_a_dataset_asynchronously(running, client, made):
    client.create_datapoints_from_inferences(
        dataset_name="replayed", params={"type": "inference_ids", "inference_ids": [made[0].inference_id]}
    )

    async def run():
        async with AsyncClient(running.url) as asked:
            lines = await asked.replay(dataset=ReplayDataset("replayed"), variant_name="quick", dryrun=True)
            return [line async for line in lines]

    begun, case, summary = asyncio.run(run())
    assert (begun.recorded, case.sample_type, case.same_output, summary.failed) == (False, "datapoint", True, 0)


def test_rendering(client, made):
    (stored,) = client.get_inferences(ids=[made[0].inference_id]).inferences
    (sample,) = client.experimental_render_samples(stored_samples=[stored], variants={"chat": "quick"})
    assert sample.input.system == "Be brief."
    (failed,) = client.render(inference_ids=[stored.inference_id], variants={"chat": "none"}).samples
    assert "none" in failed.error.message


def test_errors(client, made):
    with pytest.raises(BadRequest, match="exactly one of"):
        client.replay(variant_name="other")


def test_the_command(running, made):
    (running.folder / "long.minijinja").write_text("Be long.")
    done = calibrant(running, "--variant", "other", "--function", "chat", "--limit", "3", "--to", "cases.jsonl")
    assert done.returncode == 0, done.stderr
    assert "3 cases, 0 failed" in done.stdout and "same output" in done.stdout and "0.0%" in done.stdout
    assert "run " in done.stderr
    lines = (running.folder / "cases.jsonl").read_bytes().splitlines()
    assert len(lines) == 3 and msgspec.json.decode(lines[0])["output"][0]["text"] == "Something else."
    one = made[0].inference_id
    edited = calibrant(
        running, "--inference", one, "--variant", "quick", "--template", "system=long.minijinja", "--json"
    )
    assert edited.returncode == 0, edited.stderr
    assert msgspec.json.decode(edited.stdout)["same_output"]["n"] == 1 and "not recorded" in edited.stderr
    (running.folder / "v.toml").write_text('type = "chat_completion"\nmodel = "other"\n')
    other = calibrant(running, "--inference", one, "--variant-config", "v.toml", "--json")
    assert msgspec.json.decode(other.stdout)["same_output"]["estimate"] == 0


def test_the_command_says_why_all_failed(running, made):
    done = calibrant(running, "--variant", "none", "--function", "chat", "--limit", "3")
    assert done.returncode == 1 and "3 x Unknown variant: 'none'" in done.stdout
    assert "3 cases, 3 failed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--variant", "other", "--dataset", "none"), "no dataset"),
        (("--dataset", "d"), "exactly one of `variant_name`"),
        (("--variant", "v", "--inference", "x"), "no UUID"),
        (("--variant", "v", "--inference", "x", "--tag", "a=b"), "one of the three"),
        (("--variant", "v", "--template", "system"), "write NAME=FILE"),
        (("--variant", "v", "--template", "system=none.txt"), "none.txt"),
        (("--variant-config", "none.toml"), "none.toml"),
        (("--variant", "v", "--cache", "perhaps"), "enabled"),
        (("--variant", "v", "--url", "http://127.0.0.1:9"), "127.0.0.1:9"),
        (("--variant", "v", "--url", "http://127.0.0.1:9", "--to", "none/cases.jsonl"), "none/cases.jsonl"),
    ],
)
def test_what_is_wrong_is_said(running, arguments, said):
    done = calibrant(running, *arguments)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
    assert not done.stdout


def test_a_run_that_breaks_off_asks_nothing_more_and_records_what_it_asked(tmp_path):
    scripts = {"quick": Script(), "other": Script(latency=Latency(median_s=0.2))}
    with run_upstream(models=scripts) as upstream:
        (tmp_path / "system.minijinja").write_text("Be brief.")
        with gateway(tmp_path / "gw", CONFIG.format(url=upstream.url).replace('"system', '"../system')) as running:
            with Client(running.url) as client:
                ids = [client.inference(function_name="chat", input=INPUT).inference_id for _ in range(20)]
                running.settled()
                with client.replay(inference_ids=ids, variant_name="other", concurrency=2) as lines:
                    run_id = next(lines).run_id
                    next(lines)
                count = "SELECT count(*) AS n FROM inferences WHERE variant_name = 'other' AND status = 'ok'"
                until(lambda: running.rows(count)[0]["n"] >= 1, "the first case to be stored")
                running.settled()
                assert running.rows(count)[0]["n"] < 10
                assert run_id
            assert httpx.get(f"{running.url}/health").status_code == 200
