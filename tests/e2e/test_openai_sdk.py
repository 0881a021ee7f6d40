"""The official OpenAI SDK, unmodified, against the gateway."""

import asyncio

import msgspec
import openai
import pytest
from pydantic import BaseModel
from tests.support.gateway import gateway

from calibrant.testing.faults import Answer, Script, ToolUse
from calibrant.testing.upstream import run_upstream

HELLO = [{"role": "user", "content": "Hello there"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture
def client(running):
    with openai.OpenAI(base_url=f"{running.url}/openai/v1", api_key="none", max_retries=0) as made:
        yield made


@pytest.mark.parametrize("prefix", ["tensorzero", "calibrant"])
def test_a_plain_call(client, running, prefix):
    answer = client.chat.completions.create(model=f"{prefix}::model_name::plain", messages=HELLO)
    assert answer.choices[0].message.content == "Hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == f"{prefix}::model_name::plain"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (11, 7, 18)
    assert answer.usage.prompt_tokens_details.cached_tokens == 4
    row = running.inference(answer.id)
    assert (row["function_name"], row["variant_name"], row["status"]) == ("tensorzero::default", "plain", "ok")
    assert (row["input_tokens"], row["output_tokens"]) == (11, 7)
    (call,) = running.model_inferences(answer.id)
    assert call["reasoning_tokens"] == 2


def test_a_stream_with_and_without_usage(client, running):
    for include in (True, False):
        stream = client.chat.completions.create(
            model="tensorzero::model_name::plain",
            messages=HELLO,
            stream=True,
            **({"stream_options": {"include_usage": True}} if include else {}),
        )
        chunks = list(stream)
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert text == "Hello there"
        assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
        usages = [c.usage for c in chunks if c.usage]
        assert len(usages) == include
        # Usage is asked for upstream and recorded, whoever asked.
        row = running.inference(chunks[0].id)
        assert (row["input_tokens"], row["output_tokens"], row["stream"]) == (11, 7, 1)
        assert row["ttft_ms"] is not None


def test_parallel_tool_calls(client, running):
    answer = client.chat.completions.create(model="tensorzero::model_name::tools", messages=HELLO, tools=[TOOL])
    calls = answer.choices[0].message.tool_calls
    assert [(c.function.name, c.function.arguments) for c in calls] == [
        ("weather", '{"city":"Paris"}'),
        ("weather", '{"city":"Oslo"}'),
    ]
    assert answer.choices[0].finish_reason == "tool_calls"
    # The conversation goes on with the results.
    turn = [
        *HELLO,
        answer.choices[0].message,
        *({"role": "tool", "tool_call_id": c.id, "content": "sun"} for c in calls),
    ]
    again = client.chat.completions.create(model="tensorzero::model_name::plain", messages=turn, tools=[TOOL])
    assert again.choices[0].message.content is not None


def test_streamed_tool_calls(client):
    stream = client.chat.completions.create(
        model="tensorzero::model_name::tools", messages=HELLO, tools=[TOOL], stream=True
    )
    arguments: dict[int, str] = {}
    names: dict[int, str] = {}
    for chunk in stream:
        for call in chunk.choices[0].delta.tool_calls or [] if chunk.choices else []:
            arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
            if call.function.name:
                assert call.index not in names
                names[call.index] = call.function.name
    assert arguments == {0: '{"city":"Paris"}', 1: '{"city":"Oslo"}'}
    assert names == {0: "weather", 1: "weather"}


@pytest.mark.parametrize("model", ["tensorzero::model_name::json", "tensorzero::function_name::extract"])
def test_parse_with_a_pydantic_model(client, model):
    answer = client.chat.completions.parse(model=model, messages=HELLO, response_format=Person)
    assert answer.choices[0].message.parsed == Person(name="Ada", age=36)


def test_the_models_are_listed(client):
    names = [model.id for model in client.models.list()]
    assert "tensorzero::model_name::plain" in names
    assert "tensorzero::function_name::extract" in names


def test_errors_are_the_sdks_own(client):
    with pytest.raises(openai.BadRequestError, match="tensorzero::function_name"):
        client.chat.completions.create(model="gpt-4o", messages=HELLO)
    with pytest.raises(openai.NotFoundError, match="nope"):
        client.chat.completions.create(model="tensorzero::function_name::nope", messages=HELLO)


def test_the_async_client(running):
    async def main():
        async with openai.AsyncOpenAI(base_url=f"{running.url}/openai/v1", api_key="none", max_retries=0) as client:
            answer = await client.chat.completions.create(model="tensorzero::model_name::plain", messages=HELLO)
            stream = await client.chat.completions.create(
                model="tensorzero::model_name::plain", messages=HELLO, stream=True
            )
            text = "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])
            parsed = await client.chat.completions.parse(
                model="tensorzero::model_name::json", messages=HELLO, response_format=Person
            )
            tools = await client.chat.completions.create(
                model="tensorzero::model_name::tools", messages=HELLO, tools=[TOOL]
            )
            return answer.choices[0].message.content, text, parsed, tools

    content, text, parsed, tools = asyncio.run(main())
    assert content == text == "Hello there"
    assert parsed.choices[0].message.parsed.name == "Ada"
    assert len(tools.choices[0].message.tool_calls) == 2


def test_a_function_gets_extras_and_sticks_to_its_variant(client, running):
    episode = None
    variants = set()
    for _ in range(4):
        extra = {"tensorzero::tags": {"user": "7"}} | ({"tensorzero::episode_id": episode} if episode else {})
        answer = client.chat.completions.create(
            model="tensorzero::function_name::chat", messages=HELLO, extra_body=extra
        )
        episode = answer.episode_id
        variants.add(answer.model)
        row = running.inference(answer.id)
        assert row["assigned_variant"] == row["variant_name"]
        assert row["probability"] in (0.25, 0.75)
        assert '"user":"7"' in row["tags"].replace(" ", "")
    assert len(variants) == 1


@pytest.fixture(scope="module")
def thinker(tmp_path_factory):
    """A gateway whose model thinks, signs what it thought, and calls a tool; and the provider."""
    script = Script(answer=Answer(text="Sunny.", reasoning="The sky is blue.", tool_calls=(ToolUse(name="weather"),)))
    with run_upstream(script) as upstream:
        config = (
            '[models.thinker]\nrouting = ["p"]\n[models.thinker.providers.p]\ntype = "anthropic"\n'
            f'model_name = "claude-opus-4-6"\napi_base = "{upstream.url}"\napi_key_location = "none"\n'
        )
        with gateway(tmp_path_factory.mktemp("thinker"), config) as running:
            yield running, upstream


@pytest.mark.parametrize("prefix", ["tensorzero", "calibrant"])
@pytest.mark.parametrize("streamed", [False, True])
def test_what_openai_has_no_word_for_goes_round(thinker, prefix, streamed):
    running, upstream = thinker
    asked = {"model": f"{prefix}::model_name::thinker", "messages": HELLO, "tools": [TOOL]}
    with openai.OpenAI(base_url=f"{running.url}/openai/v1", api_key="none", max_retries=0) as client:
        if streamed:
            # The SDK adds the pieces up itself.
            with client.chat.completions.stream(**asked) as stream:
                message = stream.get_final_completion().choices[0].message
        else:
            message = client.chat.completions.create(**asked).choices[0].message
        (thought,) = getattr(message, f"{prefix}_extra_content")
        assert (thought["type"], thought["insert_index"], thought["text"]) == ("thought", 0, "The sky is blue.")
        (call,) = message.tool_calls
        turn = [*HELLO, message, {"role": "tool", "tool_call_id": call.id, "content": "sun"}]
        client.chat.completions.create(**asked | {"messages": turn})
    sent = msgspec.json.decode(upstream.captured[-1].body)["messages"]
    first, second, third = sent[1]["content"]
    assert first == {"type": "thinking", "thinking": "The sky is blue.", "signature": thought["signature"]}
    assert (second["type"], second["text"], third["type"], third["id"]) == ("text", "Sunny.", "tool_use", call.id)
    assert [part["type"] for part in sent[2]["content"]] == ["tool_result"]
