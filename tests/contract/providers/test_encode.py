"""Golden requests: the whole body of each call, vendor by vendor, compared as JSON values."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.contract.providers import calls
from tests.contract.providers.calls import CLOCK, PERSON, WEATHER_SCHEMA, make

from calibrant.base.errors import ProviderError
from calibrant.config.secret import Secret
from calibrant.providers.compatible import COMPATIBLE
from calibrant.types.call import ModelCall

ALL = sorted(COMPATIBLE)
WITH_TOOLS = [kind for kind in ALL if COMPATIBLE[kind].tools]
HELLO = [{"role": "user", "content": "Hello"}]

URLS = {
    "openai": "https://api.openai.com/v1/chat/completions",
    "azure": "https://my.openai.azure.com/openai/deployments/the-model/chat/completions?api-version=2025-04-01-preview",
    "groq": "https://api.groq.com/openai/v1/chat/completions",
    "mistral": "https://api.mistral.ai/v1/chat/completions",
    "deepseek": "https://api.deepseek.com/chat/completions",
    "together": "https://api.together.xyz/v1/chat/completions",
    "fireworks": "https://api.fireworks.ai/inference/v1/chat/completions",
    "xai": "https://api.x.ai/v1/chat/completions",
    "openrouter": "https://openrouter.ai/api/v1/chat/completions",
    "hyperbolic": "https://api.hyperbolic.xyz/v1/chat/completions",
    "vllm": "http://server.test:8000/v1/chat/completions",
    "sglang": "http://server.test:8000/v1/chat/completions",
    "tgi": "http://server.test:8000/v1/chat/completions",
}

COMMON = {
    "temperature": 0.5,
    "top_p": 0.9,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.2,
    "stop": ["END"],
}
PARAMS: dict[str, dict[str, Any]] = {
    "openai": {
        "max_completion_tokens": 100,
        "seed": 7,
        "reasoning_effort": "high",
        "service_tier": "flex",
        "verbosity": "low",
    },
    "azure": {
        "max_completion_tokens": 100,
        "seed": 7,
        "reasoning_effort": "high",
        "service_tier": "flex",
        "verbosity": "low",
    },
    "groq": {"max_completion_tokens": 100, "seed": 7, "reasoning_effort": "high", "service_tier": "flex"},
    "mistral": {"max_tokens": 100, "random_seed": 7, "reasoning_effort": "high"},
    "deepseek": {"max_tokens": 100, "reasoning_effort": "high", "thinking": {"type": "enabled"}},
    "together": {"max_tokens": 100, "seed": 7, "reasoning_effort": "high"},
    "fireworks": {
        "max_tokens": 100,
        "reasoning_effort": "high",
        "thinking": {"type": "enabled", "budget_tokens": 512},
    },
    "xai": {"max_completion_tokens": 100, "seed": 7, "reasoning_effort": "high"},
    "openrouter": {"max_tokens": 100, "seed": 7, "reasoning": {"max_tokens": 512}, "verbosity": "low"},
    "hyperbolic": {"max_tokens": 100, "seed": 7},
    "vllm": {"max_tokens": 100, "seed": 7, "reasoning_effort": "high"},
    "sglang": {"max_tokens": 100, "seed": 7, "reasoning_effort": "high"},
    "tgi": {"max_tokens": 100, "seed": 7},
}

STRICT_FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "response", "strict": True, "schema": PERSON},
}
ASK = {"role": "system", "content": "Respond using JSON."}


def body(kind: str, call: ModelCall, **fields: object) -> dict[str, Any]:
    http = make(kind, **fields).encode(call)
    assert b"null" not in http.body
    found = msgspec.json.decode(http.body)
    assert found.pop("model") == "the-model"
    return found


@pytest.mark.parametrize("kind", ALL)
def test_a_plain_call_is_nothing_but_model_and_messages(kind: str) -> None:
    http = make(kind).encode(calls.PLAIN)
    assert (http.method, http.url, http.stream) == ("POST", URLS[kind], False)
    assert http.headers == (("content-type", "application/json"),)
    assert http.body == b'{"model":"the-model","messages":[{"role":"user","content":"Hello"}]}'


@pytest.mark.parametrize("kind", ALL)
def test_the_system_prompt_comes_first(kind: str) -> None:
    assert body(kind, calls.SYSTEM) == {"messages": [{"role": "system", "content": "Be brief."}, *HELLO]}


@pytest.mark.parametrize("kind", ALL)
def test_a_stream_asks_for_its_usage(kind: str) -> None:
    http = make(kind).encode(calls.STREAM)
    assert http.stream
    asked = {} if kind == "mistral" else {"stream_options": {"include_usage": True}}
    assert body(kind, calls.STREAM) == {"messages": HELLO, "stream": True, **asked}


@pytest.mark.parametrize("kind", ALL)
def test_each_parameter_goes_where_the_vendor_looks_for_it(kind: str) -> None:
    assert body(kind, calls.PARAMS) == {"messages": HELLO, **COMMON, **PARAMS[kind]}


@pytest.mark.parametrize("kind", WITH_TOOLS)
def test_tools(kind: str) -> None:
    weather: dict[str, Any] = {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": WEATHER_SCHEMA,
    }
    if kind in ("openai", "azure", "openrouter", "vllm", "sglang"):
        weather["strict"] = True
    clock = {"name": "get_time", "description": "The time of day", "parameters": CLOCK.parameters}
    expected: dict[str, Any] = {
        "messages": HELLO,
        "tools": [{"type": "function", "function": weather}, {"type": "function", "function": clock}],
        "tool_choice": {"mistral": "any"}.get(kind, "required"),
    }
    if kind not in ("deepseek", "fireworks"):
        expected["parallel_tool_calls"] = False
    assert body(kind, calls.TOOLS) == expected


@pytest.mark.parametrize("kind", WITH_TOOLS)
def test_tool_choice(kind: str) -> None:
    forced = body(kind, calls.FORCED)
    assert forced["tool_choice"] == {"type": "function", "function": {"name": "get_weather"}}
    assert "tool_choice" not in body(kind, calls.AUTO_TOOLS)
    kept = body(kind, calls.NO_CALL)
    if kind == "together":
        assert kept == {"messages": HELLO}
    else:
        assert kept["tool_choice"] == "none" and len(kept["tools"]) == 1


@pytest.mark.parametrize("kind", ["hyperbolic", "tgi"])
@pytest.mark.parametrize("call", [calls.TOOLS, calls.JSON_TOOL_CALL], ids=["tools", "json"])
def test_a_vendor_without_tools_says_so(kind: str, call: ModelCall) -> None:
    with pytest.raises(ProviderError, match=f"my_{kind}.*takes no `tools`") as caught:
        make(kind).encode(call)
    assert not caught.value.retryable


@pytest.mark.parametrize("kind", ALL)
def test_a_conversation_with_tool_calls(kind: str) -> None:
    short = kind == "mistral"
    messages = body(kind, calls.TALK)["messages"]
    rome, oslo = (call["id"] for call in messages[1]["tool_calls"])
    if short:
        assert all(len(each) == 9 and each.isalnum() for each in (rome, oslo)) and rome != oslo
    else:
        assert (rome, oslo) == ("call_rome", "call_oslo")
    said: dict[str, Any] = {"role": "assistant", "content": "Let me look."}
    if kind in ("deepseek", "fireworks", "sglang"):
        said["reasoning_content"] = "Two calls."
    elif kind in ("groq", "openrouter", "vllm"):
        said["reasoning"] = "Two calls."
    elif kind == "mistral":
        said["content"] = [
            {"type": "thinking", "thinking": [{"type": "text", "text": "Two calls."}]},
            {"type": "text", "text": "Let me look."},
        ]
    said["tool_calls"] = [
        {"type": "function", "id": each, "function": {"name": "get_weather", "arguments": f'{{"city":"{city}"}}'}}
        for each, city in ((rome, "Rome"), (oslo, "Oslo"))
    ]
    assert messages == [
        {"role": "user", "content": "Weather in Rome and Oslo?"},
        said,
        {"role": "tool", "tool_call_id": rome, "content": "sunny"},
        {"role": "tool", "tool_call_id": oslo, "content": "rain"},
        {"role": "user", "content": "And?"},
    ]


@pytest.mark.parametrize("kind", ALL)
def test_json_mode_on(kind: str) -> None:
    found = body(kind, calls.JSON_ON)
    if kind == "hyperbolic":
        system = {"role": "system", "content": "Answer.\n\nRespond using JSON."}
        assert found == {"messages": [system, *HELLO]}
    elif kind == "tgi":
        assert found["response_format"] == {"type": "json_object", "value": PERSON}
    else:
        system = {"role": "system", "content": "Answer.\n\nRespond using JSON."}
        assert found == {"messages": [system, *HELLO], "response_format": {"type": "json_object"}}


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind != "hyperbolic"])
def test_json_mode_strict(kind: str) -> None:
    found = body(kind, calls.JSON_STRICT)
    if kind == "tgi":
        assert found == {"messages": HELLO, "response_format": {"type": "json_object", "value": PERSON}}
    elif kind == "deepseek":
        assert found == {"messages": [ASK, *HELLO], "response_format": {"type": "json_object"}}
    else:
        assert found == {"messages": HELLO, "response_format": STRICT_FORMAT}


@pytest.mark.parametrize("kind", WITH_TOOLS)
def test_json_mode_tool(kind: str) -> None:
    found = body(kind, calls.JSON_TOOL_CALL)
    (tool,) = found["tools"]
    assert tool["function"]["name"] == "respond"
    assert tool["function"]["parameters"] == PERSON
    assert found["tool_choice"] == {"type": "function", "function": {"name": "respond"}}
    assert "response_format" not in found


@pytest.mark.parametrize("kind", ALL)
def test_json_mode_off_says_nothing(kind: str) -> None:
    assert body(kind, calls.JSON_OFF) == {"messages": HELLO}


@pytest.mark.parametrize("kind", ALL)
def test_images(kind: str) -> None:
    if COMPATIBLE[kind].files is None:
        with pytest.raises(ProviderError, match="takes no image"):
            make(kind).encode(calls.IMAGE)
        return
    assert body(kind, calls.IMAGE)["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,aGk="}},
            ],
        }
    ]


@pytest.mark.parametrize("kind", ALL)
def test_the_secret_is_in_the_signed_request_alone(kind: str) -> None:
    made = make(kind)
    http = made.encode(calls.PLAIN)
    signed = made.sign(http, Secret("sk-canary"), 0.0)
    key = ("api-key", "sk-canary") if kind == "azure" else ("authorization", "Bearer sk-canary")
    assert signed.headers == (*http.headers, key)
    assert (signed.url, signed.body, signed.method, signed.stream) == (http.url, http.body, "POST", False)
    assert "sk-canary" not in repr(http)
    assert made.sign(http, None, 0.0) is http


def test_groq_and_mistral_options_are_sent() -> None:
    assert body("groq", calls.PLAIN, options={"reasoning_format": "parsed"}) == {
        "messages": HELLO,
        "reasoning_format": "parsed",
    }
    assert body("mistral", calls.PLAIN, options={"prompt_mode": "reasoning"})["prompt_mode"] == "reasoning"
    assert body("openai", calls.PLAIN, options={"reasoning_format": "parsed"}) == {"messages": HELLO}
