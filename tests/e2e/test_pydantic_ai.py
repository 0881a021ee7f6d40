"""Pydantic AI, unmodified, on each of the gateway's public dialects; its providers speak four."""

import asyncio

import pytest
from pydantic import BaseModel
from tests.support.fake_vendors import DIALECTS, fakes
from tests.support.gateway import gateway

pytestmark = pytest.mark.slow
reason = "Pydantic AI is not installed (group judges of pyproject.toml)"
pydantic_ai = pytest.importorskip("pydantic_ai", reason=reason)
openai_models = pytest.importorskip("pydantic_ai.models.openai", reason=reason)
anthropic_models = pytest.importorskip("pydantic_ai.models.anthropic", reason=reason)
openai_provider = pytest.importorskip("pydantic_ai.providers.openai", reason=reason)
anthropic_provider = pytest.importorskip("pydantic_ai.providers.anthropic", reason=reason)
openai = pytest.importorskip("openai")
anthropic_sdk = pytest.importorskip("anthropic")

WEATHER = "Rome: sun; Oslo: sun"


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with fakes() as providers, gateway(tmp_path_factory.mktemp("gateway"), providers.models()) as started:
        yield started.url


def chat(url, model):
    client = openai.AsyncOpenAI(base_url=f"{url}/openai/v1", api_key="none", max_retries=0)
    provider = openai_provider.OpenAIProvider(openai_client=client)
    return client, openai_models.OpenAIChatModel(f"tensorzero::model_name::{model}", provider=provider)


def responses(url, model):
    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    provider = openai_provider.OpenAIProvider(openai_client=client)
    return client, openai_models.OpenAIResponsesModel(model, provider=provider)


def anthropic(url, model):
    client = anthropic_sdk.AsyncAnthropic(base_url=url, api_key="none", max_retries=0)
    provider = anthropic_provider.AnthropicProvider(anthropic_client=client)
    # Of models that it does not know by name, it thinks that they cannot do it.
    profile = {"supports_json_schema_output": True}
    return client, anthropic_models.AnthropicModel(model, provider=provider, profile=profile)


each_dialect = pytest.mark.parametrize("speak", [chat, responses, anthropic], ids=lambda speak: speak.__name__)
each_provider = pytest.mark.parametrize("model", DIALECTS)


def run(url, speak, model, work, **fields):
    """Do the work with an agent, in a loop of its own; return what its tool was asked."""
    asked = []

    async def main():
        client, spoken = speak(url, model)
        agent = pydantic_ai.Agent(spoken, instructions="Be kind.", **fields)

        @agent.tool_plain
        def get_weather(city: str) -> str:
            """The weather of a city."""
            asked.append(city)
            return f"{city}: sun"

        async with client:
            await work(agent)

    asyncio.run(main())
    return asked


@each_dialect
@each_provider
def test_a_conversation_with_parallel_tools(url, speak, model):
    async def work(agent):
        first = await agent.run("The weather?")
        assert first.output == WEATHER
        assert (first.usage.requests, first.usage.input_tokens, first.usage.output_tokens) == (2, 20, 10)
        second = await agent.run("Thanks", message_history=first.all_messages())
        assert second.output == "You said 'Thanks'; I remember 2."

    assert sorted(run(url, speak, model, work)) == ["Oslo", "Rome"]


@each_dialect
@each_provider
def test_a_streamed_conversation_with_parallel_tools(url, speak, model):
    async def work(agent):
        calls, pieces, before = 0, [], None
        async with agent.iter("The weather?") as steps:
            async for step in steps:
                if not pydantic_ai.Agent.is_model_request_node(step):
                    continue
                pieces.append("")
                async with step.stream(steps.ctx) as stream:
                    async for event in stream:
                        match event:
                            case pydantic_ai.PartStartEvent(part=pydantic_ai.ToolCallPart()):
                                calls += 1
                            case pydantic_ai.PartStartEvent(part=pydantic_ai.TextPart(content=text)):
                                pieces[-1] += text
                            case pydantic_ai.PartDeltaEvent(delta=pydantic_ai.TextPartDelta(content_delta=text)):
                                pieces[-1] += text
            before = steps.result
        assert calls == 2
        assert pieces == ["Let me look.", WEATHER]
        assert before.output == WEATHER
        async with agent.run_stream("Thanks", message_history=before.all_messages()) as after:
            assert await after.get_output() == "You said 'Thanks'; I remember 2."

    assert sorted(run(url, speak, model, work)) == ["Oslo", "Rome"]


@each_dialect
@each_provider
def test_structured_output(url, speak, model):
    async def work(agent):
        assert (await agent.run("Who?")).output == Person(name="Ada", age=36)

    assert run(url, speak, model, work, output_type=pydantic_ai.NativeOutput(Person)) == []
