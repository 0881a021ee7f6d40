"""Calibrant's own client over what is recorded: stored inferences, datasets, workflow evaluations."""

import asyncio

import pytest

from calibrant import AsyncClient, Client
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
    tags = {"user": str(id(client))}
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
            return len(found.datapoints), len(listed.inferences)

    points, inferences = asyncio.run(main())
    assert points == 1
    assert inferences <= 1
