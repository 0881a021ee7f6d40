"""Datasets by TensorZero's own client, and what is ours beside it, over HTTP."""

import asyncio

import httpx2 as httpx
import msgspec
import pytest
from tensorzero import (
    AsyncTensorZeroGateway,
    ContentBlockChatOutputText,
    CreateDatapointRequestChat,
    CreateDatapointRequestJson,
    CreateDatapointsFromInferenceRequestParamsInferenceIds,
    InferenceFilterOr,
    InferenceFilterTag,
    Input,
    InputMessage,
    InputMessageContentText,
    JsonDatapointOutputUpdate,
    ListDatapointsRequest,
    TensorZeroGateway,
    UpdateDatapointMetadataRequest,
)
from tensorzero.generated_types import (
    AndDatapointFilter,
    CreateDatapointsFromInferenceRequestParamsInferenceQuery,
    DatapointOrderByTimestamp,
    NotDatapointFilter,
    TagDatapointFilter,
    TimeDatapointFilter,
    UpdateChatDatapointRequest,
    UpdateJsonDatapointRequest,
)

import calibrant

INPUT = {"messages": [{"role": "user", "content": "Hello there"}]}


@pytest.fixture
def client(running):
    with TensorZeroGateway.build_http(gateway_url=running.url) as made:
        yield made


def said(text):
    return Input(messages=[InputMessage(role="user", content=[InputMessageContentText(text=text)])])


def chat(text, answer="Yes.", **fields):
    output = [ContentBlockChatOutputText(text=answer)]
    return CreateDatapointRequestChat(function_name="chat", input=said(text), output=output, **fields)


def listed(client, name, **fields):
    return client.list_datapoints(dataset_name=name, request=ListDatapointsRequest(**fields)).datapoints


def test_a_life_of_a_dataset(client):
    person = CreateDatapointRequestJson(
        function_name="extract",
        input=said("Ada, 36"),
        output=JsonDatapointOutputUpdate(raw='{"name":"Ada","age":36}'),
        name="ada",
        tags={"split": "a"},
    )
    made = client.create_datapoints(dataset_name="life", requests=[chat("one", tags={"user": "u"}), person])
    first, second = made.ids
    json, one = listed(client, "life")
    assert (one.id, json.id, one.type, json.type) == (first, second, "chat", "json")
    assert one.input.messages[0].content[0].text == "one" and one.output[0].text == "Yes." and one.is_custom
    assert (json.output.parsed, json.name, json.tags) == ({"name": "Ada", "age": 36}, "ada", {"split": "a"})
    assert json.output_schema["required"] == ["name", "age"]

    edits = [UpdateJsonDatapointRequest(id=second, output=JsonDatapointOutputUpdate(raw='{"name":1}'), name="bad")]
    (edited,) = client.update_datapoints(dataset_name="life", requests=edits).ids
    assert edited != second
    bad, _ = listed(client, "life")
    assert (bad.id, bad.output.raw, bad.output.parsed, bad.name) == (edited, '{"name":1}', None, "bad")
    named = client.update_datapoints_metadata(
        dataset_name="life", requests=[UpdateDatapointMetadataRequest(id=edited, name="ada again")]
    )
    assert named.ids == [edited]

    old, new = client.get_datapoints(dataset_name="life", ids=[second, edited]).datapoints
    assert old.staled_at is not None and old.output.parsed["age"] == 36 and old.name == "ada"
    assert new.staled_at is None and new.name == "ada again"
    with pytest.warns(DeprecationWarning, match="without a dataset name"):
        assert client.get_datapoints(ids=[first]).datapoints == [one]

    assert client.delete_datapoints(dataset_name="life", ids=[first, second]).num_deleted_datapoints == 1
    assert [each.id for each in listed(client, "life")] == [edited]
    assert client.delete_dataset(dataset_name="life").num_deleted_datapoints == 1
    assert listed(client, "life") == []
    assert client.delete_dataset(dataset_name="life").num_deleted_datapoints == 0


def test_an_edit_that_says_null_clears(client):
    made = client.create_datapoints(dataset_name="cleared", requests=[chat("one", name="n", tags={"a": "b"})])
    client.update_datapoints(
        dataset_name="cleared", requests=[UpdateChatDatapointRequest(id=made.ids[0], input=said("two"))]
    )
    (found,) = listed(client, "cleared")
    # Its client cannot leave these out: it writes null, and null clears.
    assert found.input.messages[0].content[0].text == "two"
    assert (found.output, found.name, found.tags) == (None, None, {"a": "b"})


def test_lists_by_filter_order_and_page(client):
    requests = [chat(f"Number {n}", tags={"even": str(n % 2 == 0), "n": str(n)}) for n in range(5)]
    ids = client.create_datapoints(dataset_name="filtered", requests=requests).ids
    even = TagDatapointFilter(key="even", value="True", comparison_operator="=")
    past = TimeDatapointFilter(time="2026-01-01T00:00:00Z", comparison_operator=">")
    not_four = NotDatapointFilter(child=TagDatapointFilter(key="n", value="4", comparison_operator="="))
    both = AndDatapointFilter(children=[even, past, not_four])
    assert [each.id for each in listed(client, "filtered", filter=both)] == [ids[2], ids[0]]
    oldest = [DatapointOrderByTimestamp(direction="ascending")]
    assert [each.id for each in listed(client, "filtered", order_by=oldest, limit=2, offset=1)] == ids[1:3]
    assert [each.id for each in listed(client, "filtered", search_query_experimental="NUMBER 3")] == [ids[3]]
    assert listed(client, "filtered", function_name="extract") == []


@pytest.mark.parametrize("source", [None, "none", "demonstration"])
def test_from_inferences(client, running, source):
    one = client.inference(function_name="chat", input=INPUT, tags={"user": "u"})
    two = client.inference(function_name="extract", input=INPUT)
    if source == "demonstration":
        client.feedback(metric_name="demonstration", inference_id=one.inference_id, value="Better")
        client.feedback(metric_name="demonstration", inference_id=two.inference_id, value={"name": "Bo", "age": 1})
        running.settled()
    ids = [str(one.inference_id), str(two.inference_id)]
    name = f"from-{source}"
    params = CreateDatapointsFromInferenceRequestParamsInferenceIds(inference_ids=ids, output_source=source)
    # Without waiting for the recorder: what was answered can be made a datapoint.
    assert len(client.create_datapoints_from_inferences(dataset_name=name, params=params).ids) == 2
    json, chat_ = listed(client, name)
    assert [chat_.source_inference_id, json.source_inference_id] == ids
    assert chat_.episode_id == str(one.episode_id) and chat_.tags["user"] == "u" and not chat_.is_custom
    assert chat_.input.messages[0].content[0].text == "Hello there"
    said_ = {None: ("Hello there", 36), "none": (None, None), "demonstration": ("Better", 1)}[source]
    assert (chat_.output and chat_.output[0].text, json.output and json.output.parsed["age"]) == said_
    raw = httpx.post(f"{running.url}/v1/datasets/{name}/list_datapoints", json={}).json()["datapoints"]
    assert {each["source"] for each in raw} == {"feedback" if source == "demonstration" else "inference"}
    assert raw[1]["group_key"] == str(one.episode_id)


def test_from_a_question(client, running):
    made = [client.inference(function_name="chat", input=INPUT, tags={"q": str(n)}) for n in range(3)]
    client.feedback(metric_name="demonstration", inference_id=made[1].inference_id, value="Better")
    running.settled()
    asked = CreateDatapointsFromInferenceRequestParamsInferenceQuery(
        function_name="chat",
        filters=InferenceFilterOr(
            children=[InferenceFilterTag(key="q", value=str(n), comparison_operator="=") for n in (0, 1)]
        ),
    )
    client.create_datapoints_from_inferences(dataset_name="asked", params=asked)
    found = {each.source_inference_id: each for each in listed(client, "asked")}
    assert found.keys() == {str(each.inference_id) for each in made[:2]}
    asked.output_source = "demonstration"
    client.create_datapoints_from_inferences(dataset_name="shown", params=asked)
    (shown,) = listed(client, "shown")
    assert (shown.source_inference_id, shown.output[0].text) == (str(made[1].inference_id), "Better")


def test_the_async_client(running):
    async def main():
        async with await AsyncTensorZeroGateway.build_http(gateway_url=running.url) as client:
            made = await client.create_datapoints(dataset_name="async", requests=[chat("one")])
            found = await client.get_datapoints(dataset_name="async", ids=made.ids)
            return made.ids, [each.id for each in found.datapoints]

    ids, found = asyncio.run(main())
    assert ids == found


def test_datasets_as_a_whole(running):
    url = f"{running.url}/v1/datasets"
    assert httpx.post(url, json={"name": "whole", "group_by": "tag::user"}).json()["version"] == 1
    point = {"type": "chat", "function_name": "chat", "input": INPUT, "tags": {"user": "u"}}
    (id_,) = httpx.post(f"{url}/whole/datapoints", json={"datapoints": [point]}).json()["ids"]
    clone = f"{running.url}/internal/datasets/copy/datapoints/clone"
    copied, nothing = httpx.post(clone, json={"datapoint_ids": [id_, "none"]}).json()["datapoint_ids"]
    assert nothing is None
    (row,) = httpx.post(f"{url}/copy/get_datapoints", json={"ids": [copied]}).json()["datapoints"]
    assert (row["parent_id"], row["root_id"], row["group_key"]) == (id_, id_, id_)
    internal = f"{running.url}/internal/datasets"
    names = {each["dataset_name"]: each for each in httpx.get(internal).json()["datasets"]}
    assert names["whole"]["datapoint_count"] == 1 and names["copy"]["version"] == 1
    assert httpx.get(f"{internal}/whole/datapoints/count?function_name=chat").json() == {"datapoint_count": 1}
    httpx.request("DELETE", f"{url}/whole/datapoints", json={"ids": [id_]})
    changes = httpx.get(f"{url}/whole/versions").json()["changes"]
    assert [(each["version"], each["action"], each["added"], each["removed"]) for each in changes] == [
        (3, "delete", 0, 1),
        (2, "add", 1, 0),
        (1, "create", 0, 0),
    ]
    then = httpx.post(f"{url}/whole/list_datapoints", json={"version": 2}).json()["datapoints"]
    assert [each["id"] for each in then] == [id_] and then[0]["group_key"] == "tag::user=u"
    assert httpx.post(f"{url}/whole/list_datapoints", json={}).json()["datapoints"] == []


@pytest.mark.parametrize("name", ["builder", "tensorzero::x", "calibrant::x"])
def test_reserved_names(running, name):
    answer = httpx.post(f"{running.url}/v1/datasets/{name}/datapoints", json={"datapoints": [{}]})
    assert answer.status_code == 400 and "Invalid request body" in answer.json()["error"]
    point = {"type": "chat", "function_name": "chat", "input": INPUT}
    answer = httpx.post(f"{running.url}/v1/datasets/{name}/datapoints", json={"datapoints": [point]})
    assert answer.status_code == 400 and "is reserved" in answer.json()["error"]


def test_export_and_import(running):
    url = f"{running.url}/v1/datasets"
    lines = b"".join(
        msgspec.json.encode({"type": "chat", "function_name": "chat", "input": INPUT, "output": [], "name": str(n)})
        + b"\n"
        for n in range(250)
    )
    answer = httpx.post(f"{url}/files/import", content=lines)
    assert answer.json() == {"num_imported_datapoints": 250}, answer.text
    with httpx.stream("GET", f"{url}/files/export") as streamed:
        assert streamed.headers["content-type"] == "application/jsonl"
        rows = [msgspec.json.decode(line) for line in streamed.read().splitlines()]
    assert [each["name"] for each in rows] == [str(n) for n in range(250)]
    assert len({each["content_hash"] for each in rows}) == 1
    told = httpx.get(f"{url}/files/export", params={"format": "chat", "version": 1}).content.splitlines()
    first = msgspec.json.decode(told[0])
    assert len(told) == 250 and first["messages"][1] == {"role": "assistant", "content": ""}
    assert [each["function"]["name"] for each in first["tools"]] == ["weather"]
    assert httpx.get(f"{url}/files/export", params={"version": 2}).status_code == 404
    assert httpx.get(f"{url}/none/export").status_code == 404
    assert "there are datapoints, chat" in httpx.get(f"{url}/files/export", params={"format": "x"}).json()["error"]
    bad = httpx.post(f"{url}/files/import", content=lines + b"{}\n")
    assert bad.status_code == 400 and bad.json()["error"].startswith("line 251: ")
    assert httpx.get(f"{url}/files").json()["version"] == 1


def test_our_own_client(running):
    with calibrant.Client(running.url) as client:
        point = {"type": "chat", "function_name": "chat", "input": INPUT, "output": [], "name": "n", "tags": {"a": "b"}}
        (one,) = client.create_datapoints(dataset_name="own", requests=[point]).ids
        (two,) = client.update_datapoints(
            dataset_name="own", requests=[{"type": "chat", "id": one, "input": INPUT, "tags": {}}]
        ).ids
        assert client.update_datapoints_metadata(dataset_name="own", requests=[{"id": two, "name": "m"}]).ids == (two,)
        (found,) = client.list_datapoints(dataset_name="own", request={"limit": 5}).datapoints
        # What is left out stays, since this client can leave out.
        assert (found.id, found.name, found.output, found.tags) == (two, "m", (), {})
        old, new = client.get_datapoints(ids=[one, two]).datapoints
        assert old.staled_at is not None and new == found
        assert client.delete_datapoints(dataset_name="own", ids=[two]).num_deleted_datapoints == 1
        assert client.delete_dataset(dataset_name="own").num_deleted_datapoints == 0


def test_tools_and_files_as_their_client_reads_them(client, running):
    tool = {"name": "own", "description": "d", "parameters": {"type": "object"}, "strict": True}
    blocks = [
        {"type": "file", "data": "aGk="},
        {"type": "file", "url": "https://x/y.png", "detail": "low"},
        {"type": "thought", "text": "hm"},
        {"type": "cache_point"},
        {"type": "tool_result", "id": "1", "name": "own", "result": "r"},
    ]
    point = {
        "type": "chat",
        "function_name": "chat",
        "input": {"system": "s", "messages": [{"role": "user", "content": blocks}]},
        "output": [{"type": "tool_call", "id": "2", "name": "weather", "arguments": '{"city":"Rome"}'}],
        "allowed_tools": ["weather"],
        "additional_tools": [tool, {"type": "openai_custom", "name": "text", "format": {"type": "text"}}],
        "tool_choice": {"specific": "own"},
        "parallel_tool_calls": True,
        "provider_tools": [{"tool": {"type": "web"}}, {"tool": {}, "scope": {"model_name": "plain"}}],
    }
    answer = httpx.post(f"{running.url}/v1/datasets/tools/datapoints", json={"datapoints": [point]})
    assert answer.status_code == 200, answer.text
    (found,) = listed(client, "tools")
    assert (found.allowed_tools, found.tool_choice.specific, found.parallel_tool_calls) == (["weather"], "own", True)
    assert [each.name for each in found.additional_tools] == ["own", "text"] and found.additional_tools[0].strict
    assert [each.tool for each in found.provider_tools] == [{"type": "web"}, {}]
    assert found.provider_tools[1].scope.model_name == "plain"
    kinds = [each.type for each in found.input.messages[0].content]
    assert kinds == ["file", "file", "thought", "unknown", "tool_result"]
    assert (found.output[0].name, found.output[0].arguments) == ("weather", {"city": "Rome"})
    # As it came, it goes back.
    (copy,) = client.update_datapoints(
        dataset_name="tools",
        requests=[UpdateChatDatapointRequest(id=found.id, output=found.output, tool_choice=found.tool_choice)],
    ).ids
    (again,) = listed(client, "tools")
    assert (again.id, again.output, again.tool_choice) == (copy, found.output, found.tool_choice)
    assert again.input == found.input and again.additional_tools == found.additional_tools
