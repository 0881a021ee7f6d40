from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.contract.providers import calls
from tests.contract.providers.calls import HELLO, make

from calibrant.types.call import ModelCall
from calibrant.types.content import Text
from calibrant.types.message import Message
from calibrant.types.request import Params
from calibrant.types.tool import ToolConfig


def body(kind: str, call: ModelCall, **fields: object) -> dict[str, Any]:
    return msgspec.json.decode(make(kind, **fields).encode(call).body)


def test_equal_calls_have_equal_bytes_and_field_order() -> None:
    body = make("openai").encode(calls.PARAMS).body
    assert body == make("openai").encode(calls.PARAMS).body
    assert list(msgspec.json.decode(body))[:4] == ["model", "messages", "temperature", "top_p"]


@pytest.mark.parametrize("text", ["as JSON please", "as json"])
def test_json_is_asked_for_once(text: str) -> None:
    call = ModelCall(system=None, messages=(Message("user", (Text(text),)),), json_mode="on")
    assert [message["role"] for message in body("openai", call)["messages"]] == ["user"]
    call = ModelCall(system=text, messages=HELLO, json_mode="on")
    assert body("openai", call)["messages"][0] == {"role": "system", "content": text}


def test_strict_without_a_schema_is_plain_json() -> None:
    call = ModelCall(system=None, messages=HELLO, json_mode="strict")
    assert body("openai", call)["response_format"] == {"type": "json_object"}
    assert "response_format" not in body("tgi", call)


def test_the_json_tool_without_a_schema_takes_any_object() -> None:
    call = ModelCall(system=None, messages=HELLO, json_mode="tool")
    (tool,) = body("openai", call)["tools"]
    assert tool["function"]["parameters"] == {"type": "object"}


def test_openrouter_takes_an_effort_or_a_budget() -> None:
    effort = ModelCall(system=None, messages=HELLO, params=Params(reasoning_effort="low"))
    assert body("openrouter", effort)["reasoning"] == {"effort": "low"}
    assert "reasoning" not in body("openrouter", calls.PLAIN)


@pytest.mark.parametrize("kind", ["deepseek", "fireworks"])
def test_no_budget_is_no_thinking(kind: str) -> None:
    call = ModelCall(system=None, messages=HELLO, params=Params(thinking_budget_tokens=0))
    assert body(kind, call)["thinking"] == {"type": "disabled"}


def test_no_tools_means_no_field_for_them() -> None:
    call = ModelCall(system=None, messages=HELLO, tools=ToolConfig((), parallel=True))
    for kind in ("openai", "hyperbolic"):
        assert set(body(kind, call)) == {"model", "messages"}


def test_a_server_with_one_model_needs_no_name() -> None:
    assert body("tgi", calls.PLAIN, model_name="")["model"] == "tgi"
    assert "model" not in body("vllm", calls.PLAIN, model_name="")


def test_zero_and_empty_are_not_nothing() -> None:
    params = Params(temperature=0.0, seed=0, max_tokens=0, stop_sequences=())
    found = body("openai", ModelCall(system="", messages=HELLO, params=params))
    assert (found["temperature"], found["seed"], found["max_completion_tokens"]) == (0.0, 0, 0)
    assert "stop" not in found
    assert found["messages"][0] == {"role": "system", "content": ""}


@pytest.mark.parametrize(
    ("tier", "openai", "groq"),
    [
        ("auto", "auto", "auto"),
        ("default", "default", "on_demand"),
        ("flex", "flex", "flex"),
        ("priority", "priority", "performance"),
    ],
)
def test_service_tiers_in_the_vendors_words(tier: str, openai: str, groq: str) -> None:
    call = ModelCall(None, HELLO, Params(service_tier=tier))
    assert body("openai", call)["service_tier"] == openai
    assert body("groq", call)["service_tier"] == groq
    assert "service_tier" not in body("mistral", call)
