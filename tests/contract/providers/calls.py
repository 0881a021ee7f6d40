"""Calls that exercise every part of a request, for the batteries."""

from __future__ import annotations

from calibrant.config.schema import Provider
from calibrant.providers.catalog import adapter
from calibrant.providers.openai_chat import OpenAIChat
from calibrant.types.call import ModelCall
from calibrant.types.content import File, Text, Thought, ToolCall, ToolResult
from calibrant.types.message import Message
from calibrant.types.request import Params
from calibrant.types.tool import Specific, Tool, ToolConfig

WEATHER_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("get_weather", "The weather of a city", WEATHER_SCHEMA, strict=True)
CLOCK = Tool("get_time", "The time of day", {"type": "object", "properties": {}})
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}

EVERY_PARAM = Params(
    temperature=0.5,
    max_tokens=100,
    seed=7,
    top_p=0.9,
    presence_penalty=0.1,
    frequency_penalty=0.2,
    stop_sequences=("END",),
    reasoning_effort="high",
    service_tier="flex",
    thinking_budget_tokens=512,
    verbosity="low",
)


def user(*content: Text | File | ToolResult) -> Message:
    return Message("user", content)


def make(kind: str, **fields: object) -> OpenAIChat:
    settings = {"name": f"my_{kind}", "type": kind, "model_name": "the-model", **fields}
    if kind in ("vllm", "sglang", "tgi"):
        settings.setdefault("api_base", "http://server.test:8000/v1")
    if kind == "azure":
        settings.setdefault("options", {"endpoint": "https://my.openai.azure.com"})
    made = adapter(Provider(**settings))
    assert isinstance(made, OpenAIChat)
    return made


HELLO = (user(Text("Hello")),)
PLAIN = ModelCall(system=None, messages=HELLO)
SYSTEM = ModelCall(system="Be brief.", messages=HELLO)
STREAM = ModelCall(system=None, messages=HELLO, stream=True)
PARAMS = ModelCall(system=None, messages=HELLO, params=EVERY_PARAM)
TOOLS = ModelCall(system=None, messages=HELLO, tools=ToolConfig((WEATHER, CLOCK), choice="required", parallel=False))
AUTO_TOOLS = ModelCall(system=None, messages=HELLO, tools=ToolConfig((WEATHER,)))
FORCED = ModelCall(system=None, messages=HELLO, tools=ToolConfig((WEATHER,), choice=Specific("get_weather")))
NO_CALL = ModelCall(system=None, messages=HELLO, tools=ToolConfig((WEATHER,), choice="none"))
TALK = ModelCall(
    system=None,
    messages=(
        user(Text("Weather in Rome and Oslo?")),
        Message(
            "assistant",
            (
                Thought("Two calls."),
                Text("Let me look."),
                ToolCall("call_rome", "get_weather", '{"city":"Rome"}'),
                ToolCall("call_oslo", "get_weather", '{"city":"Oslo"}'),
            ),
        ),
        user(
            ToolResult("call_rome", "get_weather", "sunny"),
            ToolResult("call_oslo", "get_weather", "rain"),
            Text("And?"),
        ),
    ),
)
JSON_ON = ModelCall(system="Answer.", messages=HELLO, json_mode="on", output_schema=PERSON)
JSON_STRICT = ModelCall(system=None, messages=HELLO, json_mode="strict", output_schema=PERSON)
JSON_TOOL_CALL = ModelCall(system=None, messages=HELLO, json_mode="tool", output_schema=PERSON)
JSON_OFF = ModelCall(system=None, messages=HELLO, json_mode="off", output_schema=PERSON)
IMAGE = ModelCall(
    system=None,
    messages=(
        user(
            Text("What is this?"),
            File(url="https://x.test/a.png", detail="low"),
            File(data="aGk=", mime_type="image/jpeg"),
        ),
    ),
)
