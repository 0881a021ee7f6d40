"""Calibrant's own client over what is recorded: stored inferences, datasets, workflow evaluations."""

import asyncio

import msgspec
import pytest

from calibrant import AsyncClient, Client
from calibrant.base.ids import uuid7
from calibrant.client import (
    BadRequest,
    CreateDatapointRequestChat,
    CreateDatapointRequestJson,
    CreateDatapointsFromInferenceRequestParamsInferenceIds,
    CreateDatapointsFromInferenceRequestParamsInferenceQuery,
    InferenceFilterAnd,
    InferenceFilterBooleanMetric,
    InferenceFilterNot,
    InferenceFilterTag,
    JsonDatapointOutputUpdate,
    JsonInferenceOutput,
    ListDatapointsRequest,
    ListInferencesRequest,
    NotFound,
    OrderByTimestamp,
    StoredInference,
    StoredInferenceChat,
    TagDatapointFilter,
    Text,
    UpdateChatDatapointRequest,
    UpdateDatapointMetadataRequest,
)

INPUT = {"messages": [{"role": "user", "content": "Hello there"}]}


@pytest.fixture
def client(running):
    with Client(running.url) as made:
        yield made


@pytest.fixture
def made(client, running):
    """Three inferences of one user: the first is bad, the second good, the third has a demonstration."""
    tags = {"user": uuid7()}
    chats = [client.inference(function_name="chat", input=INPUT, tags=tags) for _ in range(2)]
    chats.append(client.inference(function_name="extract", input=INPUT, tags=tags))
    client.feedback(metric_name="good", inference_id=chats[0].inference_id, value=False)
    client.feedback(metric_name="good", inference_id=chats[1].inference_id, value=True)
    client.feedback(metric_name="demonstration", inference_id=chats[2].inference_id, value={"name": "B", "age": 2})
    running.settled()
    return [each.inference_id for each in chats], InferenceFilterTag(key="user", value=tags["user"])


def test_stored_inferences_by_id(client, made):
    ids, _ = made
    found = {each.inference_id: each for each in client.get_inferences(ids=ids).inferences}
    assert set(found) == set(ids)
    first = found[ids[0]]
    assert isinstance(first, StoredInferenceChat)
    assert first.output == (Text("Hello there"),)
    assert first.input.messages[0].content == (Text("Hello there"),)
    assert first.usage.input_tokens == 11
    assert found[ids[2]].output == JsonInferenceOutput('{"name":"Ada","age":36}', {"name": "Ada", "age": 36})
    again = client.inference(function_name="chat", input=first.input, dryrun=True)
    assert again.content == first.output


def test_stored_inferences_by_question(client, made):
    ids, mine = made

    def asked(**fields):
        return [
            each.inference_id for each in client.list_inferences(request=ListInferencesRequest(**fields)).inferences
        ]

    assert asked(filters=mine, order_by=[OrderByTimestamp(direction="ascending")]) == ids
    assert asked(filters=mine, limit=1) == ids[2:]
    assert asked(filters=mine, before=ids[2], function_name="chat") == [ids[1], ids[0]]
    good = InferenceFilterBooleanMetric(metric_name="good", value=True)
    assert asked(filters=InferenceFilterAnd(children=[mine, good])) == [ids[1]]
    assert asked(filters=InferenceFilterAnd(children=[mine, InferenceFilterNot(child=good)])) == [ids[0]]
    (pair,) = client.list_inferences(
        request={"filters": mine, "function_name": "extract", "output_source": "demonstration"}
    ).inferences
    assert pair.output.parsed == {"name": "B", "age": 2}
    assert pair.dispreferred_outputs[0].parsed == {"name": "Ada", "age": 36}


def test_a_dataset_from_its_first_datapoint_to_its_end(client):
    created = client.create_datapoints(
        dataset_name="a set",
        requests=[
            CreateDatapointRequestChat(
                function_name="chat", input=INPUT, output=[Text("Ho")], tags={"k": "v"}, name="n"
            ),
            CreateDatapointRequestJson(
                function_name="extract", input=INPUT, output=JsonDatapointOutputUpdate(raw='{"name":"C","age":3}')
            ),
        ],
    )
    chat, json = created.ids
    by_tag = ListDatapointsRequest(filter=TagDatapointFilter(key="k", value="v"))
    (listed,) = client.list_datapoints(dataset_name="a set", request=by_tag).datapoints
    assert (listed.id, listed.name, listed.output) == (chat, "n", (Text("Ho"),))
    (renewed,) = client.update_datapoints(
        dataset_name="a set", requests=[UpdateChatDatapointRequest(id=chat, output=[Text("Hey")])]
    ).ids
    assert renewed != chat
    (kept,) = client.update_datapoints_metadata(
        dataset_name="a set", requests=[UpdateDatapointMetadataRequest(id=renewed, name=None)]
    ).ids
    assert kept == renewed
    old, new, other = (
        client.get_datapoints(dataset_name="a set", ids=[each]).datapoints[0] for each in (chat, renewed, json)
    )
    assert old.staled_at is not None
    assert (new.output, new.name, new.tags) == ((Text("Hey"),), None, {"k": "v"})
    assert other.output.parsed == {"name": "C", "age": 3}
    assert client.delete_datapoints(dataset_name="a set", ids=[json]).num_deleted_datapoints == 1
    assert client.delete_dataset(dataset_name="a set").num_deleted_datapoints == 1
    assert client.list_datapoints(dataset_name="a set", request={}).datapoints == ()


def test_a_dataset_has_versions_and_lends_copies(client):
    made = client.create_dataset(name="versioned", group_by="datapoint")
    assert (made.datapoint_count, made.group_by) == (0, "datapoint")
    with pytest.raises(BadRequest, match="is there already"):
        client.create_dataset(name="versioned")
    request = CreateDatapointRequestChat(function_name="chat", input=INPUT, output=[Text("Ho")])
    (point,) = client.create_datapoints(dataset_name="versioned", requests=[request]).ids
    before = client.get_dataset(dataset_name="versioned")
    client.delete_datapoints(dataset_name="versioned", ids=[point])
    after = client.get_dataset(dataset_name="versioned")
    assert (before.datapoint_count, after.datapoint_count) == (1, 0)
    assert after.version == before.version + 1
    page = client.list_dataset_changes(dataset_name="versioned", limit=1)
    assert [(each.version, each.removed) for each in page.changes] == [(after.version, 1)]
    rest = client.list_dataset_changes(dataset_name="versioned", before=page.next)
    assert rest.changes[0].added == 1
    assert rest.next is None
    was = ListDatapointsRequest(version=before.version)
    assert [each.id for each in client.list_datapoints(dataset_name="versioned", request=was).datapoints] == [point]
    copy, missing = client.clone_datapoints(
        dataset_name="copies", datapoint_ids=[point, "01a22375-872b-7002-a2b2-02fb8c11de7f"]
    ).datapoint_ids
    assert missing is None
    assert client.get_datapoints(ids=[copy]).datapoints[0].output == (Text("Ho"),)
    assert "copies" in {each.dataset_name for each in client.list_datasets(function_name="chat").datasets}


def test_datapoints_of_inferences(client, made):
    ids, mine = made
    by_id = CreateDatapointsFromInferenceRequestParamsInferenceIds(inference_ids=ids[:2])
    assert len(client.create_datapoints_from_inferences(dataset_name="of ids", params=by_id).ids) == 2
    by_query = CreateDatapointsFromInferenceRequestParamsInferenceQuery(function_name="extract", filters=mine)
    (made_of,) = client.create_datapoints_from_inferences(
        dataset_name="of a query", params=by_query, output_source="demonstration"
    ).ids
    (point,) = client.get_datapoints(ids=[made_of]).datapoints
    assert point.source_inference_id == ids[2]
    assert point.output.parsed == {"name": "B", "age": 2}


def test_inferences_as_a_file(client, made, tmp_path):
    ids, mine = made
    with client.export_inferences(filters=mine, model_inferences=True) as lines, (tmp_path / "out").open("wb") as file:
        file.writelines(lines)
    found = [msgspec.json.decode(line) for line in (tmp_path / "out").read_bytes().splitlines()]
    assert [each["inference_id"] for each in found] == ids
    assert [[said["value"] for said in each["feedback"]] for each in found[:2]] == [[False], [True]]
    assert [each["model_inferences"][0]["status"] for each in found] == ["ok"] * 3
    assert [msgspec.convert(each, StoredInference).usage.input_tokens for each in found[:1]] == [11]
    after = lines.following
    assert list(client.export_inferences(filters=mine, after=after)) == []
    (pair,) = map(msgspec.json.decode, client.export_inferences(format="preference", filters=mine))
    assert pair["preferred_output"] == [{"role": "assistant", "content": '{"name":"B","age":2}'}]
    assert pair["non_preferred_output"] == [{"role": "assistant", "content": '{"name":"Ada","age":36}'}]
    chats = [*map(msgspec.json.decode, client.export_inferences(format="chat", filters=mine, function_name="chat"))]
    assert [[each["content"] for each in line["messages"]] for line in chats] == [["Hello there"] * 2] * 2
    assert chats[0]["tools"][0]["function"]["name"] == "weather"
    with pytest.raises(BadRequest, match="format"):
        client.export_inferences(format="parquet")


def test_a_dataset_out_and_in_again(client):
    request = CreateDatapointRequestChat(function_name="chat", input=INPUT, output=[Text("Ho")], tags={"k": "v"})
    (point,) = client.create_datapoints(dataset_name="out", requests=[request]).ids
    version = client.get_dataset(dataset_name="out").version
    client.delete_datapoints(dataset_name="out", ids=[point])
    assert list(client.export_dataset(dataset_name="out")) == []
    (line,) = client.export_dataset(dataset_name="out", version=version)
    other = {"type": "chat", "function_name": "chat", "input": INPUT}
    assert client.import_dataset(dataset_name="in", lines=[line, other]).num_imported_datapoints == 2
    copy, _ = client.list_datapoints(
        dataset_name="in", request={"after": "0" * 8 + "-0000-7000-8000-" + "0" * 12}
    ).datapoints
    assert (copy.output, copy.tags, copy.parent_id) == ((Text("Ho"),), {"k": "v"}, point)
    tuning = b"".join(client.export_dataset(dataset_name="in", format="chat"))
    taken = client.import_dataset(dataset_name="tuned", lines=tuning, format="chat", function_name="chat")
    assert taken.num_imported_datapoints == 1
    with pytest.raises(BadRequest, match="line 1"):
        client.import_dataset(dataset_name="in", lines=b"{}")
    with pytest.raises(NotFound):
        client.export_dataset(dataset_name="nowhere")


def test_a_user_is_forgotten(client, made):
    ids, mine = made
    tag = (mine.key, mine.value)
    plan = client.plan_erasure(tag=tag)
    assert (plan.plan, plan.inferences, plan.feedback) == (True, 3, 3)
    assert len(client.get_inferences(ids=ids).inferences) == 3
    done = client.erase(tag=tag)
    assert (done.plan, done.inferences, done.model_inferences) == (False, 3, 3)
    assert client.get_inferences(ids=ids).inferences == ()
    assert list(client.export_inferences(filters=mine)) == []
    assert client.erase(tag=tag).inferences == 0


def test_a_workflow_evaluation_pins_its_variants(client):
    run = client.workflow_evaluation_run(variants={"chat": "a"}, project_name="p", display_name="d", tags={"x": "y"})
    served = set()
    for n in range(8):
        episode = client.workflow_evaluation_run_episode(run_id=run.run_id, task_name=f"task {n}")
        served.add(client.inference(function_name="chat", input=INPUT, episode_id=episode.episode_id).variant_name)
    assert served == {"a"}
    with pytest.raises(NotFound):
        client.workflow_evaluation_run_episode(run_id="01a22375-872b-7002-a2b2-02fb8c11de7f")


def test_the_async_client(running):
    async def main():
        async with AsyncClient(running.url) as client:
            request = CreateDatapointRequestChat(function_name="chat", input=INPUT)
            await client.create_datapoints(dataset_name="async", requests=[request])
            found = await client.list_datapoints(dataset_name="async", request={})
            run = await client.workflow_evaluation_run(variants={})
            await client.workflow_evaluation_run_episode(run_id=run.run_id)
            listed = await client.list_inferences(request={"limit": 1})
            async with await client.export_dataset(dataset_name="async") as lines:
                assert len([line async for line in lines]) == len(found.datapoints)
            return len(found.datapoints), len(listed.inferences)

    points, inferences = asyncio.run(main())
    assert points == 1
    assert inferences <= 1
