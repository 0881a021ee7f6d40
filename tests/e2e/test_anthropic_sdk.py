"""The official Anthropic SDK, unmodified, against the gateway, whose provider speaks one of three dialects."""

import asyncio
import base64

import anthropic
import msgspec
import pydantic
import pytest
from tests.support.fake_vendors import SCRIPTED, SCRIPTS, scripted
from tests.support.gateway import gateway

from calibrant.testing.upstream import run_upstream

HELLO = [{"role": "user", "content": "Hello there"}]
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(16)).decode()
WEATHER = {
    "name": "weather",
    "description": "The weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
FUNCTION = """
[functions.extract]
type = "json"
output_schema = "person.json"
variants.only = { type = "chat_completion", model = "openai-json", json_mode = "strict" }
"""
PERSON = '{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},"required":["name","age"]}'


class Person(pydantic.BaseModel):
    name: str
    age: int


@pytest.fixture(scope="module")
def upstream():
    with run_upstream(models=SCRIPTS) as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory, upstream):
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "person.json").write_text(PERSON)
    with gateway(folder, scripted(upstream) + FUNCTION) as started:
        yield started


@pytest.fixture(scope="module")
def client(running):
    with anthropic.Anthropic(base_url=running.url, api_key="sk-secret", max_retries=0) as made:
        yield made


each_dialect = pytest.mark.parametrize("kind", SCRIPTED)


def both(client, **fields):
    """A message asked for whole and streamed; the SDK puts the stream together."""
    asked = {"max_tokens": 4000, "messages": HELLO, **fields}
    whole = client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        return whole, stream.get_final_message()


def blocks(message):
    return [{key: value for key, value in block.to_dict().items() if value is not None} for block in message.content]


@each_dialect
def test_a_plain_call(client, running, kind):
    for message in both(client, model=f"{kind}-plain"):
        assert blocks(message) == [{"type": "text", "text": "Hello there"}]
        assert (message.stop_reason, message.role, message.model) == ("end_turn", "assistant", f"{kind}-plain")
        # Anthropic does not count what was read from the cache as input.
        assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (7, 4)
        assert message.usage.output_tokens == 7
        assert message.id == f"msg_{message.inference_id}"
        row = running.inference(message.inference_id)
        assert (row["input_tokens"], row["output_tokens"], row["dialect"]) == (11, 7, "anthropic_messages")
        assert row["episode_id"] == message.episode_id


@each_dialect
def test_each_event_of_the_frame_comes_once(client, kind):
    stream = client.messages.create(model=f"{kind}-tools", max_tokens=100, messages=HELLO, tools=[WEATHER], stream=True)
    events = list(stream)
    kinds = [event.type for event in events]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    assert [kinds.count(each) for each in ("message_start", "message_delta", "message_stop")] == [1, 1, 1]
    started = [event.index for event in events if event.type == "content_block_start"]
    stopped = [event.index for event in events if event.type == "content_block_stop"]
    # What Gemini signs its first call with stands in a block of its own.
    assert started == stopped == list(range(4 if kind == "google_ai_studio_gemini" else 3))
    assert events[0].message.usage.output_tokens is not None
    assert events[-2].usage.output_tokens == 8 and events[-2].usage.input_tokens in (12, None)


@each_dialect
def test_parallel_tools_and_their_answers(client, upstream, kind):
    for message in both(client, model=f"{kind}-tools", tools=[WEATHER], tool_choice={"type": "auto"}):
        text, *calls = [block for block in message.content if block.type in ("text", "tool_use")]
        assert text.text == "Let me see." and message.stop_reason == "tool_use"
        assert [(call.name, call.input) for call in calls] == [
            ("weather", {"city": "Paris"}),
            ("weather", {"city": "Oslo"}),
        ]
        assert len({call.id for call in calls}) == 2
        # The conversation goes on with the results.
        results = [
            {"type": "tool_result", "tool_use_id": call.id, "content": f"sun {n}"} for n, call in enumerate(calls)
        ]
        turn = [*HELLO, {"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
        again = client.messages.create(model=f"{kind}-plain", max_tokens=100, messages=turn, tools=[WEATHER])
        assert again.stop_reason == "end_turn"
        sent = upstream.captured[-1].body
        assert sent.index("sun 0") < sent.index("sun 1")
        for call in calls:
            assert kind == "google_ai_studio_gemini" or sent.count(call.id) == 2


@each_dialect
def test_thinking_comes_back_as_it_was(client, upstream, kind):
    for message in both(
        client, model=f"{kind}-thinking", tools=[WEATHER], thinking={"type": "enabled", "budget_tokens": 1024}
    ):
        thoughts = [block for block in message.content if block.type in ("thinking", "redacted_thinking")]
        assert thoughts[0].thinking == "Hm, well."
        (call,) = [block for block in message.content if block.type == "tool_use"]
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "sun"}
        turn = [*HELLO, {"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}]
        client.messages.create(model=f"{kind}-plain", max_tokens=4000, messages=turn, tools=[WEATHER])
        body = msgspec.json.decode(upstream.captured[-1].body)
        if kind == "anthropic":
            block = body["messages"][1]["content"][0]
            assert block == {"type": "thinking", "thinking": "Hm, well.", "signature": "c2lnbmF0dXJl"}
        elif kind == "google_ai_studio_gemini":
            thought, _, called = body["contents"][1]["parts"]
            assert thought == {"text": "Hm, well.", "thought": True}
            assert called["thoughtSignature"] == "c2lnbmF0dXJl"
        else:
            # OpenAI takes no reasoning back.
            assert body["messages"][1]["content"] == "Yes."


@each_dialect
def test_an_image(client, upstream, kind):
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]
    client.messages.create(model=f"{kind}-plain", max_tokens=100, messages=[{"role": "user", "content": content}])
    assert PNG in upstream.captured[-1].body


@each_dialect
def test_a_system_prompt_of_several_texts(client, upstream, kind):
    system = [
        {"type": "text", "text": "Be terse."},
        {"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}},
    ]
    client.messages.create(model=f"{kind}-plain", max_tokens=100, messages=HELLO, system=system)
    captured = upstream.captured[-1]
    assert "Be terse." in captured.body and "Be kind." in captured.body
    if kind == "anthropic":
        assert msgspec.json.decode(captured.body)["system"] == system
    assert "sk-secret" not in captured.body + str(captured.headers)


@each_dialect
def test_structured_output(client, kind):
    parsed = client.messages.parse(model=f"{kind}-json", max_tokens=100, messages=HELLO, output_format=Person)
    assert parsed.parsed_output == Person(name="Ada", age=36)


def test_a_json_function(client):
    for message in both(client, model="tensorzero::function_name::extract"):
        assert Person.model_validate_json(message.content[0].text) == Person(name="Ada", age=36)
        assert message.model == "tensorzero::function_name::extract"


@each_dialect
def test_stop_reasons(client, kind):
    for message in both(client, model=f"{kind}-long"):
        assert message.stop_reason == "max_tokens"


def test_tokens_are_counted(client):
    counted = client.messages.count_tokens(model="anthropic-plain", messages=HELLO, system="s", tools=[WEATHER])
    assert counted.input_tokens == 11 and "estimated" not in counted.to_dict()
    for kind in ("openai", "google_ai_studio_gemini"):
        estimate = client.messages.count_tokens(
            model=f"{kind}-plain", messages=[{"role": "user", "content": "a " * 400}]
        )
        assert estimate.input_tokens > 150 and estimate.to_dict()["estimated"] is True


def test_betas_and_versions_go_to_anthropic(client, upstream):
    client.beta.messages.create(
        model="anthropic-plain",
        max_tokens=100,
        messages=HELLO,
        betas=["context-management-2025-06-27"],
        extra_body={"top_k": 5},
    )
    captured = upstream.captured[-1]
    assert captured.header("anthropic-beta") == "context-management-2025-06-27"
    assert captured.header("anthropic-version") == "2026-10-21"
    assert msgspec.json.decode(captured.body) == {"model": "plain", "max_tokens": 100, "messages": HELLO, "top_k": 5}


def test_models_are_listed(client):
    listed = client.models.list()
    assert listed.has_more is False and listed.first_id == listed.data[0].id
    names = [model.id for model in listed]
    assert "anthropic-plain" in names and "tensorzero::function_name::extract" in names


def test_errors_are_the_sdks_own(client, running):
    with pytest.raises(anthropic.BadRequestError, match="top_k") as refused:
        client.messages.create(model="openai-plain", max_tokens=9, messages=HELLO, extra_body={"top_k": 3})
    assert refused.value.body["error"]["type"] == "invalid_request_error"
    with pytest.raises(anthropic.BadRequestError, match="no model"):
        client.messages.create(model="claude-nobody", max_tokens=9, messages=HELLO)
    with pytest.raises(anthropic.NotFoundError, match="nope"):
        client.messages.create(model="tensorzero::function_name::nope", max_tokens=9, messages=HELLO)
    with pytest.raises(anthropic.InternalServerError):
        client.messages.create(model="anthropic-away", max_tokens=9, messages=HELLO)
    with pytest.raises(anthropic.BadRequestError, match="cache_options"):
        extra = {"calibrant::cache_options": {"enabled": "maybe"}}
        client.messages.create(model="openai-plain", max_tokens=9, messages=HELLO, extra_body=extra)


@each_dialect
def test_a_stream_that_breaks_raises_in_the_client(client, kind):
    asked = client.messages.stream(model=f"{kind}-breaks", max_tokens=9, messages=HELLO)
    with pytest.raises(anthropic.APIStatusError, match="api_error") as broken, asked as stream:
        stream.get_final_message()
    assert "message_stop" not in str(broken.value)


def test_our_own_fields(client, running):
    extra = {
        "calibrant::tags": {"user": "7"},
        "calibrant::include_raw_usage": True,
        "calibrant::include_raw_response": True,
    }
    for message in both(client, model="openai-plain", extra_body=extra):
        assert message.stop_reason == "end_turn"
        assert '"user":"7"' in running.inference(message.inference_id)["tags"].replace(" ", "")
    whole = client.messages.create(model="anthropic-plain", max_tokens=9, messages=HELLO, extra_body=extra)
    assert whole.calibrant_raw_usage[0]["data"]["input_tokens"] == 7
    assert msgspec.json.decode(whole.calibrant_raw_response[0]["data"])["type"] == "message"
    feedback = {"metric_name": "comment", "value": "good", "inference_id": whole.inference_id}
    assert running.post("/feedback", feedback).status_code == 200


def test_the_async_client(running):
    async def main():
        async with anthropic.AsyncAnthropic(base_url=running.url, api_key="none", max_retries=0) as client:
            asked = {"model": "google_ai_studio_gemini-tools", "max_tokens": 99, "messages": HELLO, "tools": [WEATHER]}
            whole = await client.messages.create(**asked)
            async with client.messages.stream(**asked) as stream:
                return whole, await stream.get_final_message()

    whole, streamed = asyncio.run(main())
    assert [block["type"] for block in blocks(whole)] == [block["type"] for block in blocks(streamed)]
    assert [block.input for block in streamed.content if block.type == "tool_use"] == [
        {"city": "Paris"},
        {"city": "Oslo"},
    ]
