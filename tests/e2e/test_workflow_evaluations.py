"""Evaluations of workflows, by TensorZero's own Python client against real processes."""

import asyncio
import json

import pytest
from openai import OpenAI
from tensorzero import AsyncTensorZeroGateway, TensorZeroError, TensorZeroGateway

from calibrant.base.ids import EVALUATED_FROM, evaluated_episode

INPUT = {"messages": [{"role": "user", "content": "Hello there"}]}
INTERNAL = {"tensorzero::internal": "true"}
"""A tag that the client gives every run."""
LOOKUP = "/internal/workflow_evaluations"


@pytest.fixture
def client(running):
    with TensorZeroGateway.build_http(gateway_url=running.url) as made:
        yield made


def look(running, path):
    answer = running.get(LOOKUP + path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_inferences_of_an_episode_take_variant_and_tags_from_its_run(client, running):
    run = client.workflow_evaluation_run(
        variants={"chat": "a"}, tags={"who": "run", "run": "1"}, project_name="zoo", display_name="First"
    )
    episode = client.workflow_evaluation_run_episode(
        run_id=run.run_id, task_name="task 1", tags={"who": "episode", "task": "1"}
    )
    assert str(episode.episode_id) >= EVALUATED_FROM
    made = [client.inference(function_name="chat", input=INPUT, episode_id=episode.episode_id) for _ in range(5)]
    other = client.inference(function_name="extract", input=INPUT, episode_id=episode.episode_id)
    own = client.inference(
        function_name="chat", input=INPUT, episode_id=episode.episode_id, variant_name="b", tags={"who": "me"}
    )
    assert {answer.variant_name for answer in made} == {"a"} and own.variant_name == "b"
    assert {str(answer.episode_id) for answer in (*made, other, own)} == {str(episode.episode_id)}
    run_tags = {
        "tensorzero::workflow_evaluation_run_id": str(run.run_id),
        "tensorzero::dynamic_evaluation_run_id": str(run.run_id),
    }
    row = running.inference(str(made[0].inference_id))
    assert (row["assigned_variant"], row["probability"]) == ("a", None)
    assert tags_of(running, row) == run_tags | INTERNAL | {
        "who": "episode",
        "run": "1",
        "task": "1",
        "tensorzero::variant_pinned": "a",
    }
    assert running.inference(str(other.inference_id))["probability"] == 1.0
    assert tags_of(running, running.inference(str(own.inference_id)))["who"] == "me"


def tags_of(running, row):
    return json.loads(row["tags"])


def test_a_stream_and_openai_s_dialect_too(client, running):
    run = client.workflow_evaluation_run(variants={"chat": "a"})
    episode = client.workflow_evaluation_run_episode(run_id=run.run_id)
    chunks = list(client.inference(function_name="chat", input=INPUT, episode_id=episode.episode_id, stream=True))
    assert {chunk.variant_name for chunk in chunks} == {"a"}
    openai = OpenAI(base_url=f"{running.url}/openai/v1", api_key="none")
    answer = openai.chat.completions.create(
        model="tensorzero::function_name::chat",
        messages=[{"role": "user", "content": "Hello there"}],
        extra_body={"tensorzero::episode_id": str(episode.episode_id)},
    )
    assert answer.model == "tensorzero::function_name::chat::variant_name::a"


def test_feedback_on_an_episode_that_failed_before_its_first_inference(client, running):
    run = client.workflow_evaluation_run(variants={}, project_name="judged", display_name="Göttingen 100%")
    run_id = str(run.run_id)
    first, second = (
        str(client.workflow_evaluation_run_episode(run_id=run.run_id, task_name="t").episode_id) for _ in range(2)
    )
    client.inference(function_name="chat", input=INPUT, episode_id=first)
    for episode, value in ((first, 4.0), (first, 5.0), (second, 1.5)):
        client.feedback(metric_name="stars", episode_id=episode, value=value)
    client.feedback(metric_name="comment", episode_id=first, value="fine")
    running.settled()
    shown = look(running, f"/run_episodes?run_id={run_id}")["episodes"]
    assert [(e["episode_id"], e["feedback_metric_names"], e["feedback_values"]) for e in shown] == [
        (second, ["stars"], ["1.5"]),
        (first, ["comment", "stars"], ["fine", "5.0"]),
    ]
    assert shown[0]["timestamp"].startswith("20") and shown[0]["task_name"] == "t"
    assert look(running, f"/run_episodes/count?run_id={run_id}") == {"count": 2}
    assert running.accounting()["quarantined"] == 0
    groups = look(running, f"/episodes_by_task_name?run_ids={run_id}")["episodes"]
    assert [[e["episode_id"] for e in group] for group in groups] == [[second, first]]
    assert groups[0][0]["group_key"] == "t"
    assert look(running, f"/episodes_by_task_name/count?run_ids={run_id}") == {"count": 1}


def test_runs_and_projects_are_found(client, running):
    ids = [
        str(client.workflow_evaluation_run(variants={"chat": "b"}, project_name="found", display_name=name).run_id)
        for name in ("Ära 100%", "other")
    ]
    assert [run["id"] for run in look(running, "/list_runs?project_name=found")["runs"]] == ids[::-1]
    assert look(running, "/list_runs?project_name=found&limit=1&offset=1")["runs"][0] == {
        "name": "Ära 100%",
        "id": ids[0],
        "variant_pins": {"chat": "b"},
        "tags": INTERNAL,
        "project_name": "found",
        "num_episodes": 0,
        "timestamp": look(running, f"/get_runs?run_ids={ids[0]}")["runs"][0]["timestamp"],
    }
    assert [run["id"] for run in look(running, "/runs/search?q=%C3%A4RA%20100%25")["runs"]] == ids[:1]
    assert look(running, f"/get_runs?run_ids={','.join(ids)}&project_name=zoo")["runs"] == []
    mine = [project for project in look(running, "/projects")["projects"] if project["name"] == "found"]
    assert [project["count"] for project in mine] == [2]
    assert look(running, "/projects/count")["count"] >= 1
    assert look(running, "/runs/count")["count"] >= 2


def test_what_does_not_exist_is_said_clearly(client, running):
    with pytest.raises(TensorZeroError, match=r"(?s)404.*Unknown function: 'nope'"):
        client.workflow_evaluation_run(variants={"nope": "a"})
    with pytest.raises(TensorZeroError, match=r"(?s)400.*has no variant 'c'; it has a, b"):
        client.workflow_evaluation_run(variants={"chat": "c"})
    refused = running.post("/workflow_evaluation_run", {"variants": {}, "tags": {"tensorzero::x": "y"}})
    assert refused.status_code == 400 and "reserved prefix" in refused.text
    run = client.workflow_evaluation_run(variants={})
    with pytest.raises(TensorZeroError, match=r"(?s)404.*there is no workflow evaluation run"):
        client.workflow_evaluation_run_episode(run_id=str(run.run_id)[:-4] + "0000")
    unknown = evaluated_episode()
    with pytest.raises(TensorZeroError, match=r"(?s)404.*there is no episode"):
        client.inference(function_name="chat", input=INPUT, episode_id=unknown)
    with pytest.raises(TensorZeroError, match=r"(?s)400.*there is no episode"):
        client.feedback(metric_name="stars", episode_id=unknown, value=1.0)
    assert running.get(f"{LOOKUP}/run_episodes").status_code == 400


def test_the_async_client(running):
    async def main():
        made = AsyncTensorZeroGateway.build_http(gateway_url=running.url)
        async with await made if hasattr(made, "__await__") else made as client:
            run = await client.workflow_evaluation_run(variants={"chat": "a"})
            episode = await client.workflow_evaluation_run_episode(run_id=run.run_id)
            answer = await client.inference(function_name="chat", input=INPUT, episode_id=episode.episode_id)
            return answer.variant_name

    assert asyncio.run(main()) == "a"
