"""Calibrant's own clients against a real gateway."""

import asyncio
from decimal import Decimal
from uuid import UUID

import pytest

from calibrant import AsyncClient, Client
from calibrant.client.blocks import JsonInferenceOutput
from calibrant.client.errors import BadRequest, NotFound
from calibrant.client.inference import ChatInferenceResponse, JsonChunk, JsonInferenceResponse

INPUT = {"messages": [{"role": "user", "content": "Hello there"}]}


@pytest.fixture
def client(running):
    with Client(running.url) as made:
        yield made


def test_inference_by_model_and_by_function(client, running):
    answer = client.inference(model_name="plain", input=INPUT)
    assert isinstance(answer, ChatInferenceResponse)
    assert answer.content[0].text == "Hello there"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 7)
    assert answer.finish_reason == "stop"
    found = client.inference(function_name="extract", input=INPUT, tags={"user": "u"})
    assert isinstance(found, JsonInferenceResponse)
    assert found.output == JsonInferenceOutput('{"name":"Ada","age":36}', {"name": "Ada", "age": 36})
    assert running.inference(found.inference_id)["function_type"] == "json"


def test_a_conversation_goes_on_with_the_answer_as_it_is(client):
    tools = [{"name": "weather", "description": "The weather.", "parameters": {"type": "object"}}]
    first = client.inference(model_name="tools", input=INPUT, additional_tools=tools)
    call = first.content[0]
    assert (call.name, call.arguments) == ("weather", {"city": "Paris"})
    messages = [
        *INPUT["messages"],
        {"role": "assistant", "content": first.content},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "id": each.id, "name": each.raw_name, "result": "sun"} for each in first.content
            ],
        },
    ]
    second = client.inference(
        model_name="plain", input={"messages": messages}, episode_id=UUID(first.episode_id), additional_tools=tools
    )
    assert second.episode_id == first.episode_id


def test_what_is_raw(client):
    answer = client.inference(model_name="plain", input=INPUT, include_raw_response=True, include_raw_usage=True)
    (raw,) = answer.raw_response
    assert (raw.provider_type, raw.api_type) == ("openai", "chat_completions")
    assert '"choices"' in raw.data
    assert answer.raw_usage[0].data["prompt_tokens"] == 11


def test_a_stream(client):
    with client.inference(model_name="plain", input=INPUT, stream=True, include_aggregated_response=True) as stream:
        chunks = list(stream)
    assert "".join(block.text for chunk in chunks for block in chunk.content) == "Hello there"
    assert chunks[-1].usage.output_tokens == 7
    assert chunks[-1].aggregated_response[0].text == "Hello there"
    assert len({chunk.inference_id for chunk in chunks}) == 1


def test_a_stream_of_json(client):
    chunks = list(client.inference(function_name="extract", input=INPUT, stream=True))
    assert all(isinstance(chunk, JsonChunk) for chunk in chunks)
    assert "".join(chunk.raw for chunk in chunks) == '{"name":"Ada","age":36}'


def test_feedback_of_every_kind(client, running):
    chat = client.inference(function_name="chat", input=INPUT)
    json = client.inference(function_name="extract", input=INPUT)
    given = [
        client.feedback(metric_name="good", inference_id=chat.inference_id, value=True),
        client.feedback(metric_name="stars", episode_id=UUID(chat.episode_id), value=4.5, tags={"by": "me"}),
        client.feedback(metric_name="comment", inference_id=chat.inference_id, value="fine"),
        client.feedback(metric_name="demonstration", inference_id=chat.inference_id, value=chat.content),
        client.feedback(metric_name="demonstration", inference_id=json.inference_id, value={"name": "B", "age": 2}),
    ]
    running.settled()
    rows = {row["id"]: row for row in running.rows("SELECT * FROM feedback")}
    kinds = [rows[each.feedback_id]["kind"] for each in given]
    assert kinds == ["boolean", "float", "comment", "demonstration", "demonstration"]


def test_embeddings(client):
    answer = client.embeddings(model_name="vectors", input=["one", "two"], include_raw_response=True)
    assert [each.index for each in answer.data] == [0, 1]
    assert all(isinstance(number, float) for each in answer.data for number in each.embedding)
    assert len(answer.data[0].embedding) == len(answer.data[1].embedding) > 0
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.cost is None or isinstance(answer.usage.cost, Decimal)
    assert answer.raw_response[0].provider_type == "openai"


def test_a_batch_from_its_start_to_its_end(client):
    from tests.support.gateway import until

    started = client.batch_inference(
        function_name="chat", inputs=[INPUT, INPUT], variant_name="a", tags=[{"n": "1"}, None]
    )

    def over():
        state = client.get_batch_inference(batch_id=started.batch_id)
        return state if type(state).__name__ != "PendingBatch" else None

    state = until(over, "the batch to be over")
    assert type(state).__name__ == "CompletedBatch"
    assert {each.inference_id for each in state.inferences} == set(started.inference_ids)
    assert state.inferences[0].content[0].text == "Hello there"
    one = client.get_batch_inference(batch_id=started.batch_id, inference_id=started.inference_ids[1])
    assert [each.inference_id for each in one.inferences] == [started.inference_ids[1]]
    assert client.cancel_batch_inference(batch_id=started.batch_id) == state
    page = client.list_batch_inferences(limit=1)
    assert (page.batches[0].batch_id, page.batches[0].completed) == (started.batch_id, 2)


def test_errors_say_what_the_gateway_said(client):
    with pytest.raises(NotFound, match=r"^POST /inference: 404: .*nobody") as missing:
        client.inference(function_name="nobody", input=INPUT)
    assert (missing.value.status, missing.value.code) == (404, "not_found")
    with pytest.raises(BadRequest, match="exactly one") as wrong:
        client.inference(input=INPUT, stream=True)
    assert wrong.value.status == 400


def test_status(client):
    told = client.status()
    assert told.status == "ok"
    assert told.config_hash


def test_the_async_client(running):
    async def main():
        async with AsyncClient(running.url) as client:
            answer = await client.inference(model_name="plain", input=INPUT)
            await client.feedback(metric_name="comment", inference_id=answer.inference_id, value="fine")
            async with await client.inference(model_name="plain", input=INPUT, stream=True) as stream:
                text = "".join([block.text async for chunk in stream for block in chunk.content])
        async with await AsyncClient.build_http(gateway_url=running.url) as client:
            status = await client.status()
        return answer.content[0].text, text, status.status

    assert asyncio.run(main()) == ("Hello there", "Hello there", "ok")
