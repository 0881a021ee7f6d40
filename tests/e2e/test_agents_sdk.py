"""The OpenAI Agents SDK, unmodified, on the gateway: its loop of tools, streaming, sessions and structured output."""

import asyncio
import json

import pytest
from pydantic import BaseModel
from tests.support.fake_vendors import DIALECTS, fakes
from tests.support.gateway import gateway

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
agents = pytest.importorskip("agents", reason="the Agents SDK is not installed (group judges of pyproject.toml)")
openai = pytest.importorskip("openai")

each_dialect = pytest.mark.parametrize("model", DIALECTS)


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture(scope="module")
def providers():
    with fakes() as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory, providers):
    with gateway(tmp_path_factory.mktemp("gateway"), providers.models()) as started:
        yield started


def run(running, work):
    """Do the work with a client of the gateway, in a loop of its own."""

    async def main():
        async with openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0) as client:
            return await work(client)

    agents.set_tracing_disabled(True)
    return asyncio.run(main())


def weather_agent(client, model, **fields):
    asked = []

    @agents.function_tool
    def get_weather(city: str) -> str:
        """The weather of a city."""
        asked.append(city)
        return f"{city}: sun"

    model = agents.OpenAIResponsesModel(model=model, openai_client=client)
    return agents.Agent(
        name="meteorologist", instructions="Be kind.", model=model, tools=[get_weather], **fields
    ), asked


@each_dialect
def test_the_loop_calls_both_tools_and_tells_what_they_said(running, model):
    async def work(client):
        agent, asked = weather_agent(client, model)
        result = await agents.Runner.run(agent, "The weather?")
        assert sorted(asked) == ["Oslo", "Rome"]
        assert result.final_output == "Rome: sun; Oslo: sun"
        kinds = [item.type for item in result.new_items]
        assert kinds.count("tool_call_item") == kinds.count("tool_call_output_item") == 2
        usage = result.context_wrapper.usage
        assert (usage.requests, usage.input_tokens, usage.output_tokens) == (2, 20, 10)
        return result

    run(running, work)


@each_dialect
def test_the_loop_streams(running, model):
    async def work(client):
        agent, asked = weather_agent(client, model)
        result = agents.Runner.run_streamed(agent, "The weather?")
        text, names = [], []
        async for event in result.stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                text.append(event.data.delta)
            elif event.type == "run_item_stream_event":
                names.append(event.name)
        assert sorted(asked) == ["Oslo", "Rome"]
        assert "".join(text) == "Let me look.Rome: sun; Oslo: sun"
        assert result.final_output == "Rome: sun; Oslo: sun"
        assert names.count("tool_called") == names.count("tool_output") == 2

    run(running, work)


@each_dialect
def test_the_conversation_goes_on_from_the_record(running, providers, model):
    async def work(client):
        agent, _ = weather_agent(client, model)
        first = await agents.Runner.run(agent, "The weather?", auto_previous_response_id=True)
        second = await agents.Runner.run(agent, "Thanks", previous_response_id=first.last_response_id)
        assert second.final_output == "You said 'Thanks'; I remember 2."
        assert "Rome: sun; Oslo: sun" in json.dumps(providers.last)

    run(running, work)


@each_dialect
def test_structured_output(running, model):
    async def work(client):
        model_ = agents.OpenAIResponsesModel(model=model, openai_client=client)
        agent = agents.Agent(name="biographer", model=model_, output_type=Person)
        result = await agents.Runner.run(agent, "Who?")
        assert result.final_output == Person(name="Ada", age=36)

    run(running, work)


def test_a_handoff(running):
    async def work(client):
        expert, asked = weather_agent(client, "anthropic", handoff_description="Knows the weather.")
        model = agents.OpenAIResponsesModel(model="chat", openai_client=client)
        settings = agents.ModelSettings(store=False, response_include=["reasoning.encrypted_content"])
        desk = agents.Agent(name="desk", model=model, handoffs=[expert], model_settings=settings)
        result = await agents.Runner.run(desk, "Hello")
        assert result.final_output == "You said 'Hello'; I remember 1."
        assert asked == []

    run(running, work)


def test_the_chat_model_of_the_sdk(running):
    async def work(client):
        agent, asked = weather_agent(client, "chat")
        agent.model = agents.OpenAIChatCompletionsModel(model="tensorzero::model_name::chat", openai_client=client)
        result = await agents.Runner.run(agent, "The weather?")
        assert sorted(asked) == ["Oslo", "Rome"]
        assert result.final_output == "Rome: sun; Oslo: sun"

    run(running, work)
