"""LangChain, unmodified, on each of the gateway's public dialects; its providers speak four."""

import asyncio
import json

import pytest
from pydantic import BaseModel
from tests.support.fake_vendors import CITIES, DIALECTS, ENCRYPTED, SIGNATURE, fakes
from tests.support.gateway import gateway

pytestmark = pytest.mark.slow
reason = "LangChain is not installed (group judges of pyproject.toml)"
langchain_openai = pytest.importorskip("langchain_openai", reason=reason)
langchain_anthropic = pytest.importorskip("langchain_anthropic", reason=reason)
messages = pytest.importorskip("langchain_core.messages", reason=reason)
tools = pytest.importorskip("langchain_core.tools", reason=reason)

QUESTION = messages.HumanMessage("The weather?")
NAMED = "tensorzero::model_name::"


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


@tools.tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"{city}: sun"


@pytest.fixture(scope="module")
def providers():
    with fakes() as running:
        yield running


@pytest.fixture(scope="module")
def url(tmp_path_factory, providers):
    with gateway(tmp_path_factory.mktemp("gateway"), providers.models()) as started:
        yield started.url


def chat(url, model):
    return langchain_openai.ChatOpenAI(
        model=NAMED + model, base_url=f"{url}/openai/v1", api_key="none", max_retries=0, stream_usage=True
    )


def responses(url, model):
    return langchain_openai.ChatOpenAI(
        model=model, base_url=f"{url}/v1", api_key="none", max_retries=0, use_responses_api=True
    )


def anthropic(url, model):
    return langchain_anthropic.ChatAnthropic(model=model, base_url=url, api_key="none", max_retries=0, max_tokens=999)


each_dialect = pytest.mark.parametrize("speak", [chat, responses, anthropic], ids=lambda speak: speak.__name__)
each_provider = pytest.mark.parametrize("model", DIALECTS)


def said(model, turn, *, streamed):
    """The answer, whole or put together by LangChain from its stream."""
    if not streamed:
        return model.invoke(turn)
    first, *others = model.stream(turn)
    for other in others:
        first = first + other
    return first


@each_dialect
@each_provider
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_conversation_with_parallel_tools(url, providers, speak, model, streamed):
    bound = speak(url, model).bind_tools([get_weather])
    first = said(bound, [QUESTION], streamed=streamed)
    assert first.text == "Let me look."
    assert [(call["name"], call["args"]) for call in first.tool_calls] == [
        ("get_weather", {"city": city}) for city in CITIES
    ]
    assert first.invalid_tool_calls == []
    assert (first.usage_metadata["input_tokens"], first.usage_metadata["output_tokens"]) == (10, 5)
    results = [get_weather.invoke(call) for call in first.tool_calls]
    turn = [QUESTION, first, *results]
    second = said(bound, turn, streamed=streamed)
    assert second.text == "Rome: sun; Oslo: sun"
    assert second.tool_calls == []
    if speak is not chat:
        # What the model thought goes back to it as its provider wants it.
        assert {"chat": "call_Rome", "responses": ENCRYPTED}.get(model, SIGNATURE) in json.dumps(providers.last)
    third = said(bound, [*turn, second, messages.HumanMessage("Thanks")], streamed=streamed)
    assert third.text == "You said 'Thanks'; I remember 2."


@each_dialect
@each_provider
def test_structured_output(url, speak, model):
    parsed = speak(url, model).with_structured_output(Person, method="json_schema").invoke("Who?")
    assert parsed == Person(name="Ada", age=36)


@each_dialect
def test_the_async_client(url, speak):
    async def main():
        model = speak(url, "chat")
        return [piece.text async for piece in model.astream("Hello")], (await model.ainvoke("Hello")).text

    pieces, whole = asyncio.run(main())
    assert "".join(pieces) == whole == "You said 'Hello'; I remember 1."
