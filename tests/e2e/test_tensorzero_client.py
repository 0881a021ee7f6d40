"""TensorZero's own Python client, unmodified, over HTTP."""

import asyncio

import pytest
from tensorzero import AsyncTensorZeroGateway, TensorZeroGateway

INPUT = {"messages": [{"role": "user", "content": "Hello there"}]}


@pytest.fixture
def client(running):
    with TensorZeroGateway.build_http(gateway_url=running.url) as made:
        yield made


def test_inference_by_model_and_by_function(client, running):
    answer = client.inference(model_name="plain", input=INPUT)
    assert answer.content[0].text == "Hello there"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 7)
    found = client.inference(function_name="extract", input=INPUT)
    assert found.output.parsed == {"name": "Ada", "age": 36}
    assert running.inference(str(found.inference_id))["function_type"] == "json"


def test_output_that_breaks_its_schema_is_null_and_no_error(client):
    answer = client.inference(function_name="broken_json", input=INPUT)
    assert answer.output.raw == "Hello there"
    assert answer.output.parsed is None


def test_a_stream(client):
    chunks = list(client.inference(model_name="plain", input=INPUT, stream=True))
    assert "".join(block.text for chunk in chunks for block in chunk.content) == "Hello there"
    assert chunks[-1].usage.output_tokens == 7
    assert len({chunk.inference_id for chunk in chunks}) == 1


def test_a_stream_of_json(client):
    chunks = list(client.inference(function_name="extract", input=INPUT, stream=True))
    assert "".join(chunk.raw for chunk in chunks if chunk.raw) == '{"name":"Ada","age":36}'


def test_feedback_of_every_kind(client, running):
    chat = client.inference(function_name="chat", input=INPUT)
    json = client.inference(function_name="extract", input=INPUT)
    ids = [
        client.feedback(metric_name="good", inference_id=chat.inference_id, value=True),
        client.feedback(metric_name="stars", episode_id=chat.episode_id, value=4.5),
        client.feedback(metric_name="comment", inference_id=chat.inference_id, value="fine"),
        client.feedback(metric_name="demonstration", inference_id=chat.inference_id, value="Better"),
        client.feedback(metric_name="demonstration", inference_id=json.inference_id, value={"name": "B", "age": 2}),
    ]
    running.settled()
    rows = {row["id"]: row for row in running.rows("SELECT * FROM feedback")}
    kinds = [rows[str(feedback.feedback_id)]["kind"] for feedback in ids]
    assert kinds == ["boolean", "float", "comment", "demonstration", "demonstration"]


def test_tool_calls_are_checked_against_their_schema(client):
    answer = client.inference(
        model_name="tools",
        input=INPUT,
        additional_tools=[
            {
                "name": "weather",
                "description": "The weather.",
                "parameters": {"type": "object", "properties": {"city": {"enum": ["Paris"]}}},
            }
        ],
    )
    paris, oslo = answer.content
    assert (paris.name, paris.arguments, paris.raw_name) == ("weather", {"city": "Paris"}, "weather")
    assert oslo.arguments is None
    assert oslo.raw_arguments == '{"city":"Oslo"}'


def test_the_async_client(running):
    async def main():
        made = AsyncTensorZeroGateway.build_http(gateway_url=running.url)
        async with await made if asyncio.iscoroutine(made) or hasattr(made, "__await__") else made as client:
            answer = await client.inference(model_name="plain", input=INPUT)
            stream = await client.inference(model_name="plain", input=INPUT, stream=True)
            text = "".join([block.text async for chunk in stream for block in chunk.content])
            return answer.content[0].text, text

    assert asyncio.run(main()) == ("Hello there", "Hello there")
