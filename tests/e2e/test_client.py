"""Calibrant's own clients against a real gateway."""

import asyncio
import subprocess
import sys
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest
from tests.e2e.conftest import CONFIG, PERSON, SCRIPTS, WEATHER, models
from tests.support.canned import Reply, canned
from tests.support.gateway import gateway, until

from calibrant import AsyncClient, Client
from calibrant.client.batches import CompletedBatch, PendingBatch
from calibrant.client.blocks import JsonInferenceOutput
from calibrant.client.errors import BadRequest, CannotConnect, NotFound, Unauthorized
from calibrant.client.inference import ChatInferenceResponse, JsonChunk, JsonInferenceResponse

INPUT = {"messages": [{"role": "user", "content": "Hello there"}]}


EMBEDDING = """
[embedding_models.vectors]
routing = ["p"]
[embedding_models.vectors.providers.p]
type = "openai"
model_name = "v"
api_base = "{base}/v1"
api_key_location = "none"
cost = [{{ pointer = "/usage/prompt_tokens", cost_per_million = 0.02, required = true }}]
"""


def embedder(seen):
    """Answer as OpenAI does."""
    texts = msgspec.json.decode(seen.body)["input"]
    data = [{"object": "embedding", "index": n, "embedding": [len(text), 0.5]} for n, text in enumerate(texts)]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return Reply(msgspec.json.encode({"object": "list", "data": data, "model": "v", "usage": usage}))


@pytest.fixture(scope="module")
def running(tmp_path_factory, upstream):
    folder = tmp_path_factory.mktemp("client")
    (folder / "person.json").write_text(PERSON)
    (folder / "weather.json").write_text(WEATHER)
    config = CONFIG.format(models=models(upstream.url, SCRIPTS))
    with canned(embedder) as house, gateway(folder, config + EMBEDDING.format(base=house.base)) as started:
        yield started


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
    answer = client.embeddings(model_name="vectors", input=["one", "four"], include_raw_response=True)
    assert [(each.index, each.embedding) for each in answer.data] == [(0, (3.0, 0.5)), (1, (4.0, 0.5))]
    assert answer.model == "tensorzero::embedding_model_name::vectors"
    assert (answer.usage.prompt_tokens, answer.usage.cost) == (5, Decimal("0.0000001"))
    assert answer.raw_response[0].provider_type == "openai"


def test_a_batch_from_its_start_to_its_end(client):
    started = client.batch_inference(
        function_name="chat", inputs=[INPUT, INPUT], variant_name="a", tags=[{"n": "1"}, None]
    )

    def over():
        state = client.get_batch_inference(batch_id=started.batch_id)
        return state if not isinstance(state, PendingBatch) else None

    state = until(over, "the batch to be over")
    assert isinstance(state, CompletedBatch)
    assert {each.inference_id for each in state.inferences} == set(started.inference_ids)
    assert state.inferences[0].content[0].text == "Hello there"
    one = client.get_batch_inference(batch_id=started.batch_id, inference_id=started.inference_ids[1])
    assert [each.inference_id for each in one.inferences] == [started.inference_ids[1]]
    page = client.list_batch_inferences(limit=1)
    assert (page.batches[0].batch_id, page.batches[0].completed) == (started.batch_id, 2)
    assert client.cancel_batch_inference(batch_id=started.batch_id) == page.batches[0]


def test_errors_say_what_the_gateway_said(client):
    with pytest.raises(NotFound, match=r"^POST /inference: 404: .*nobody") as missing:
        client.inference(function_name="nobody", input=INPUT)
    assert (missing.value.status, missing.value.code) == (404, "not_found")
    with pytest.raises(BadRequest, match="exactly one") as wrong:
        client.inference(input=INPUT, stream=True)
    assert wrong.value.status == 400


@pytest.mark.slow
def test_a_client_goes_on_when_its_gateway_has_been_restarted(tmp_path, upstream):
    with gateway(tmp_path, models(upstream.url, ["plain"])) as started, Client(started.url) as client:
        before = client.inference(model_name="plain", input=INPUT)
        assert started.stop() == 0
        with pytest.raises(CannotConnect), Client(started.url, max_retries=0) as hasty:
            hasty.status()
        started.start()
        after = client.inference(model_name="plain", input=INPUT, episode_id=before.episode_id)
        assert after.episode_id == before.episode_id


@pytest.mark.slow
def test_a_key(tmp_path, upstream):
    config = "[gateway.auth]\nenabled = true\n" + models(upstream.url, ["plain"])
    with gateway(tmp_path, config) as started:
        command = [sys.executable, "-m", "calibrant", "key", "create", "--data-dir", str(started.data_dir)]
        key = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        with Client(started.url, api_key=key) as client:
            assert client.inference(model_name="plain", input=INPUT).content[0].text == "Hello there"
        for wrong in ("", key[:-1] + ("x" if key[-1] != "x" else "y")):
            with Client(started.url, api_key=wrong) as client, pytest.raises(Unauthorized, match="401") as refused:
                client.inference(model_name="plain", input=INPUT)
            assert not wrong or wrong not in str(refused.value)


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
