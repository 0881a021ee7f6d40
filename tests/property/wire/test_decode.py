"""Whatever comes in, a decoder returns a value that can be written again, or raises an error of the request."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.base.errors import RequestError
from calibrant.wire import anthropic_messages, native, openai_chat, openai_responses

NOW = 1_780_000_000_000
EPISODE = "0196ffff-0000-7000-8000-000000000000"
DECODERS = [
    native.decode,
    native.decode_feedback,
    openai_chat.decode,
    openai_responses.decode,
    anthropic_messages.decode,
]

TEXT = st.text(st.characters(exclude_categories=()), max_size=8)
WORDS = st.sampled_from(
    [
        "role",
        "user",
        "assistant",
        "system",
        "tool",
        "content",
        "type",
        "text",
        "arguments",
        "template",
        "name",
        "tool_call",
        "tool_result",
        "file",
        "image",
        "url",
        "data",
        "https://a",
        "aGk=",
        "id",
        "result",
        "raw_text",
        "value",
        "thought",
        "signature",
        "summary",
        "unknown",
        "tool_calls",
        "function",
        "tool_call_id",
        "image_url",
        "tensorzero::raw_text",
        "calibrant::template",
        "tensorzero_extra_content",
        "insert_index",
        "message",
        "input_text",
        "input_image",
        "input_file",
        "input_audio",
        "output_text",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "item_reference",
        "reasoning",
        "encrypted_content",
        "calibrant.1.e30=",
        "call_id",
        "output",
        "custom",
        "format",
        "allowed_tools",
        f"msg_{EPISODE}_0",
        "source",
        "base64",
        "media_type",
        "thinking",
        "redacted_thinking",
        "tool_use",
        "tool_use_id",
        "input",
        "cache_control",
        "ephemeral",
        "search_result",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | WORDS
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | TEXT, inner, max_size=4), max_leaves=12
)

VALID = {
    native.decode: {
        "function_name": "f",
        "input": {
            "system": {"a": [1]},
            "messages": [
                {"role": "user", "content": "a"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "tool_call", "id": "1", "name": "n", "arguments": {"a": 1}},
                        {"type": "thought", "text": "t", "summary": []},
                        {"type": "file", "data": "aGk="},
                    ],
                },
            ],
        },
        "episode_id": EPISODE,
        "params": {"chat_completion": {"max_tokens": 1, "temperature": 0.1, "stop_sequences": ["a"]}},
        "tags": {"a": "b"},
        "additional_tools": [{"name": "t", "description": "d", "parameters": {"type": "object"}}],
        "tool_choice": {"specific": "t"},
        "output_schema": {},
        "internal": True,
    },
    native.decode_feedback: {"metric_name": "m", "value": [1], "episode_id": EPISODE, "tags": {"a": "b"}},
    openai_chat.decode: {
        "model": "tensorzero::function_name::f",
        "messages": [
            {"role": "system", "content": "a"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "tensorzero::arguments": {}}]},
            {
                "role": "assistant",
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "n", "arguments": "{}"}}],
                "tensorzero_extra_content": [{"type": "thought", "insert_index": 0, "text": "t"}],
            },
            {"role": "tool", "tool_call_id": "1", "content": "r"},
        ],
        "tools": [{"type": "function", "function": {"name": "t", "parameters": {}}}],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
        "response_format": {"type": "json_schema", "json_schema": {"schema": {}}},
        "stop": "x",
        "calibrant::tags": {"a": "b"},
        "tensorzero::params": {"chat_completion": {}},
    },
    openai_responses.decode: {
        "model": "m",
        "instructions": "i",
        "input": [
            {"role": "developer", "content": [{"type": "input_text", "text": "a"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": "https://a"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "calibrant.1.e30="},
            {"type": "function_call", "call_id": "1", "name": "n", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "1", "output": [{"type": "input_text", "text": "r"}]},
            {"type": "custom_tool_call", "call_id": "2", "name": "c", "input": "x"},
            {"type": "custom_tool_call_output", "call_id": "2", "output": "r"},
            {"type": "item_reference", "id": f"msg_{EPISODE}_0"},
            {"type": "web_search_call", "id": "ws_1", "action": {}},
        ],
        "previous_response_id": f"resp_{EPISODE}",
        "tools": [
            {"type": "function", "name": "n", "parameters": {}},
            {"type": "custom", "name": "c", "format": {"type": "grammar", "syntax": "lark", "definition": "d"}},
            {"type": "web_search"},
        ],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "n"}]},
        "text": {"format": {"type": "json_schema", "name": "f", "schema": {}}, "verbosity": "low"},
        "reasoning": {"effort": "low"},
        "metadata": {"a": "b"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "truncation": "auto",
        "calibrant::tags": {"a": "b"},
        "tensorzero::params": {"chat_completion": {}},
    },
    anthropic_messages.decode: {
        "model": "claude",
        "max_tokens": 100,
        "system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "aGk="}}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "t", "signature": "calibrant.thought.e30="},
                    {"type": "redacted_thinking", "data": "d"},
                    {"type": "tool_use", "id": "1", "name": "n", "input": {"a": 1}},
                    {"type": "server_tool_use", "id": "2", "name": "web_search", "input": {}},
                    {"type": "unknown", "data": {"a": 1}},
                ],
            },
            {"role": "system", "content": "b"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "x"},
                    {"type": "text", "tensorzero::arguments": {}},
                    {
                        "type": "tool_result",
                        "tool_use_id": "1",
                        "is_error": True,
                        "content": [
                            {"type": "text", "text": "r"},
                            {"type": "document", "source": {"type": "text", "data": "d"}},
                        ],
                    },
                    {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "c"}]}},
                ],
            },
        ],
        "tools": [
            {"name": "n", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"type": "web_search_20250305", "name": "web_search"},
        ],
        "tool_choice": {"type": "tool", "name": "n", "disable_parallel_tool_use": True},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {}}},
        "stop_sequences": ["x"],
        "metadata": {"user_id": "u"},
        "top_k": 3,
        "calibrant::tags": {"a": "b"},
        "tensorzero::params": {"chat_completion": {}},
    },
}


def survives(decode, body):
    try:
        request = decode(body, now_ms=NOW)
    except RequestError as error:
        error.message.encode()
        return None
    msgspec.json.encode(request)
    if isinstance(getattr(request, "value", None), int):
        float(request.value)
    return request


def paths(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from paths(child, (*path, key))


def replaced(value, path, new):
    if not path:
        return new
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = replaced(copy[key], rest, new)
    return copy


each_decoder = pytest.mark.parametrize("decode", DECODERS, ids=lambda d: f"{d.__module__}.{d.__name__}")


@each_decoder
def test_the_seed_is_valid(decode):
    assert survives(decode, json.dumps(VALID[decode]).encode()) is not None


@each_decoder
@settings(deadline=None)
@given(body=st.binary())
def test_any_bytes(decode, body):
    survives(decode, body)


@each_decoder
@settings(deadline=None)
@given(value=ANYTHING)
def test_any_json(decode, value):
    survives(decode, json.dumps(value).encode())


@each_decoder
@settings(deadline=None)
@given(data=st.data())
def test_a_valid_body_with_one_value_replaced(decode, data):
    path = data.draw(st.sampled_from(list(paths(VALID[decode]))))
    body = replaced(VALID[decode], path, data.draw(ANYTHING))
    # Python's own encoder writes lone surrogates, NaN and infinity, as a careless client may.
    survives(decode, json.dumps(body).encode())


@each_decoder
@settings(deadline=None)
@given(data=st.data())
def test_a_valid_body_cut_or_with_bytes_changed(decode, data):
    body = json.dumps(VALID[decode]).encode()
    start = data.draw(st.integers(0, len(body)))
    stop = data.draw(st.integers(start, min(start + 4, len(body))))
    survives(decode, body[:start] + data.draw(st.binary(max_size=4)) + body[stop:])


@each_decoder
@settings(deadline=None)
@given(data=st.data(), depth=st.integers(0, 3000), kind=st.sampled_from([b"[]", b"{}"]))
def test_a_valid_body_with_something_deep(decode, data, depth, kind):
    path = data.draw(st.sampled_from(list(paths(VALID[decode]))))
    deep = b"[" * depth + b"]" * depth if kind == b"[]" else b'{"a":' * depth + b"1" + b"}" * depth
    body = json.dumps(replaced(VALID[decode], path, "@@")).encode().replace(b'"@@"', deep)
    survives(decode, body)
