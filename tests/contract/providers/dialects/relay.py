"""Another gateway of the native dialect: what is sent, what is answered."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.contract.providers import calls
from tests.contract.providers.calls import HELLO, PERSON, WEATHER_SCHEMA, user
from tests.contract.providers.cases import Answer, AnyCase, BrokenStream, Embedded, Failure, Golden

from calibrant.base.errors import BadAnswer, Truncated
from calibrant.config.vendors import RELAY
from calibrant.types.call import EmbeddingCall, EmbeddingReply, ModelCall
from calibrant.types.content import CachePoint, File, Text, Thought, ToolCall, Unknown
from calibrant.types.message import Message
from calibrant.types.reply import Reply, Usage
from calibrant.types.tool import CustomTool, Grammar, ToolConfig

DOCS = "www.tensorzero.com/docs/gateway/api-reference/inference"
READ = "2026-11-28"
FIELDS: dict[str, Any] = {"api_base": "https://central.test/llm/"}
SENT_HELLO = [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city",
    "parameters": WEATHER_SCHEMA,
    "strict": True,
}
CLOCK = {"name": "get_time", "description": "The time of day", "parameters": calls.CLOCK.parameters}


def _golden(name: str, covers: tuple[str, ...], call: ModelCall, messages: Any = SENT_HELLO, **body: Any) -> Golden:
    given = {"messages": messages} | ({} if call.system is None else {"system": call.system})
    return Golden(
        name,
        RELAY,
        covers,
        DOCS,
        fields=FIELDS,
        call=call,
        url="https://central.test/llm/inference",
        body={"model_name": "the-model", "input": given} | body,
        headers=(("content-type", "application/json"),),
    )


def _chat(**params: Any) -> dict[str, Any]:
    return {"chat_completion": params}


_CALLS = [
    {"type": "tool_call", "id": f"call_{city.lower()}", "name": "get_weather", "arguments": f'{{"city":"{city}"}}'}
    for city in ("Rome", "Oslo")
]
_RESULTS = [
    {"type": "tool_result", "id": "call_rome", "name": "get_weather", "result": "sunny"},
    {"type": "tool_result", "id": "call_oslo", "name": "get_weather", "result": "rain"},
]

GOLDENS = [
    _golden("plain", ("text",), calls.PLAIN),
    _golden("system", ("text",), calls.SYSTEM),
    _golden("stream", ("stream",), calls.STREAM, stream=True),
    _golden(
        "params",
        ("text", "reasoning"),
        calls.PARAMS,
        params=_chat(
            temperature=0.5,
            max_tokens=100,
            seed=7,
            top_p=0.9,
            presence_penalty=0.1,
            frequency_penalty=0.2,
            stop_sequences=["END"],
            reasoning_effort="high",
            service_tier="flex",
            thinking_budget_tokens=512,
            verbosity="low",
        ),
    ),
    _golden(
        "required, one call at a time",
        ("tools", "forced tools", "parallel tools"),
        calls.TOOLS,
        additional_tools=[WEATHER, CLOCK],
        tool_choice="required",
        parallel_tool_calls=False,
    ),
    _golden(
        "forced",
        ("forced tools",),
        calls.FORCED,
        additional_tools=[WEATHER],
        tool_choice={"specific": "get_weather"},
    ),
    _golden("no call", ("tools",), calls.NO_CALL, additional_tools=[WEATHER], tool_choice="none"),
    _golden(
        "custom tools",
        ("tools",),
        ModelCall(
            None, HELLO, tools=ToolConfig(custom=(CustomTool("free"), CustomTool("sum", "Adds", Grammar("regex", "1"))))
        ),
        additional_tools=[
            {"type": "openai_custom", "name": "free", "format": {"type": "text"}},
            {
                "type": "openai_custom",
                "name": "sum",
                "description": "Adds",
                "format": {"type": "grammar", "grammar": {"syntax": "regex", "definition": "1"}},
            },
        ],
        tool_choice="auto",
    ),
    _golden(
        "some of the tools",
        ("tools",),
        ModelCall(None, HELLO, tools=ToolConfig((calls.WEATHER, calls.CLOCK), allowed=("get_time",))),
        additional_tools=[WEATHER, CLOCK],
        allowed_tools=["get_time"],
        tool_choice="auto",
    ),
    _golden(
        "a talk",
        ("tools", "parallel tools", "reasoning"),
        calls.TALK,
        [
            {"role": "user", "content": [{"type": "text", "text": "Weather in Rome and Oslo?"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thought", "text": "Two calls."},
                    {"type": "text", "text": "Let me look."},
                    *_CALLS,
                ],
            },
            {"role": "user", "content": [*_RESULTS, {"type": "text", "text": "And?"}]},
        ],
    ),
    _golden(
        "what only some providers know",
        ("reasoning",),
        ModelCall(
            None,
            (
                user(Text("Think.")),
                Message(
                    "assistant",
                    (
                        Thought("Hm.", "c2ln", [{"type": "summary_text", "text": "s"}], "anthropic", {"id": "rs_1"}),
                        Unknown({"type": "server_thing"}, "the-model", "anthropic"),
                        CachePoint("1h"),
                    ),
                ),
            ),
        ),
        [
            {"role": "user", "content": [{"type": "text", "text": "Think."}]},
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "thought",
                        "text": "Hm.",
                        "signature": "c2ln",
                        "summary": [{"type": "summary_text", "text": "s"}],
                        "provider_type": "anthropic",
                        "extra_data": {"id": "rs_1"},
                    },
                    {
                        "type": "unknown",
                        "data": {"type": "server_thing"},
                        "model_name": "the-model",
                        "provider_name": "anthropic",
                    },
                    {"type": "cache_point", "ttl": "1h"},
                ],
            },
        ],
    ),
    _golden(
        "images",
        ("images",),
        calls.IMAGE,
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "file", "file_type": "url", "url": "https://x.test/a.png", "detail": "low"},
                    {"type": "file", "file_type": "base64", "data": "aGk=", "mime_type": "image/jpeg"},
                ],
            }
        ],
    ),
    _golden(
        "a named document",
        ("files",),
        ModelCall(None, (user(File(data="JVBERi0=", mime_type="application/pdf", filename="a.pdf")),)),
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "file",
                        "file_type": "base64",
                        "data": "JVBERi0=",
                        "mime_type": "application/pdf",
                        "filename": "a.pdf",
                    }
                ],
            }
        ],
    ),
    *(
        _golden(
            f"JSON: {call.json_mode}",
            ("structured output",),
            call,
            params=_chat(json_mode=call.json_mode),
            # A gateway refuses a schema that nothing asks for.
            **({"output_schema": PERSON} if call.json_mode in ("strict", "tool") else {}),
        )
        for call in (calls.JSON_ON, calls.JSON_STRICT, calls.JSON_TOOL_CALL, calls.JSON_OFF)
    ),
    _golden(
        "JSON: tool, without a schema",
        ("structured output",),
        ModelCall(None, HELLO, json_mode="tool"),
        params=_chat(json_mode="tool"),
        output_schema={"type": "object"},
    ),
    _golden(
        "a provider's tool",
        ("provider tools",),
        ModelCall(None, HELLO, provider_tools=({"type": "web_search"},)),
        provider_tools=[{"tool": {"type": "web_search"}}],
    ),
]

_USAGE = {
    "input_tokens": 11,
    "output_tokens": 7,
    "cost": 0.0003,
    "provider_cache_read_input_tokens": 4,
    "provider_cache_write_input_tokens": 0,
}
_COUNTED = Usage(11, 7, 4, 0)
_WHO = {
    "inference_id": "0197a000-0000-7000-8000-000000000001",
    "episode_id": "0197a000-0000-7000-8000-000000000002",
    "variant_name": "the-model",
}


def _events(*events: Any) -> bytes:
    return b"".join(b"data: " + msgspec.json.encode(_WHO | event) + b"\n\n" for event in events)


def _said(*content: Any, finish: Any = "stop", usage: Usage = _COUNTED) -> Reply:
    return Reply(content, usage, finish, model="the-model", request_id=_WHO["inference_id"])


def _answer(
    name: str,
    covers: tuple[str, ...],
    content: list[Any],
    pieces: list[Any],
    reply: Reply,
    *,
    finish: str = "stop",
    json_tool: bool = False,
    usage: Any = _USAGE,
) -> Answer:
    end = {"content": [], "usage": usage, "finish_reason": finish}
    return Answer(
        name,
        RELAY,
        covers,
        DOCS,
        fields=FIELDS,
        read=READ,
        reply=reply,
        whole=msgspec.json.encode(_WHO | {"content": content, "usage": usage, "finish_reason": finish}),
        stream=_events(*({"content": [piece]} for piece in pieces), end) + b"data: [DONE]\n\n",
        json_tool=json_tool,
    )


def _called(own_id: str, name: str, arguments: str) -> dict[str, Any]:
    raw = {"raw_name": name, "raw_arguments": arguments}
    return {"type": "tool_call", "id": own_id, "name": None, "arguments": None} | raw


def _piece(own_id: str, arguments: str, name: str | None = None) -> dict[str, Any]:
    return {"type": "tool_call", "id": own_id, "raw_name": name, "raw_arguments": arguments}


ANSWERS = [
    _answer(
        "text",
        ("text", "stream", "usage", "cache tokens"),
        [{"type": "text", "text": "Hello, wörld."}],
        [{"type": "text", "id": "0", "text": "Hello, "}, {"type": "text", "id": "0", "text": "wörld."}],
        _said(Text("Hello, wörld.")),
    ),
    _answer(
        "nothing counted",
        ("usage",),
        [{"type": "text", "text": "Hi."}],
        [{"type": "text", "id": "0", "text": "Hi."}],
        _said(Text("Hi."), usage=Usage(3, None)),
        usage={"input_tokens": 3, "output_tokens": None, "cost": None},
    ),
    _answer(
        "two calls",
        ("tools", "parallel tools", "stop reasons"),
        [_called("call_a", "get_weather", '{"city":"Rome"}'), _called("call_b", "get_weather", '{"city":"Oslo"}')],
        [
            _piece("call_a", "", "get_weather"),
            _piece("call_a", '{"city":"Ro'),
            # Some gateways say the name with every piece.
            _piece("call_a", 'me"}', "get_weather"),
            _piece("call_b", '{"city":"Oslo"}', "get_weather"),
        ],
        _said(
            ToolCall("call_a", "get_weather", '{"city":"Rome"}'),
            ToolCall("call_b", "get_weather", '{"city":"Oslo"}'),
            finish="tool_call",
        ),
        finish="tool_call",
    ),
    _answer(
        "the JSON tool",
        ("structured output",),
        [_called("call_a", "respond", '{"name":"Ada"}')],
        [_piece("call_a", '{"name":', "respond"), _piece("call_a", '"Ada"}')],
        _said(Text('{"name":"Ada"}')),
        json_tool=True,
    ),
    _answer(
        "thoughts and what is unknown",
        ("reasoning",),
        [
            {
                "type": "thought",
                "text": "Hm.",
                "signature": "c2ln",
                "summary": [{"type": "summary_text", "text": "In short."}],
                "provider_type": "anthropic",
                "extra_data": {"id": "rs_1"},
            },
            {"type": "unknown", "data": {"type": "server_thing"}, "model_name": None, "provider_name": None},
            {"type": "text", "text": "So."},
        ],
        [
            {"type": "thought", "id": "0", "text": "H", "provider_type": "anthropic"},
            {"type": "thought", "id": "0", "text": "m."},
            {"type": "thought", "id": "0", "summary_id": "0", "summary_text": "In "},
            {"type": "thought", "id": "0", "summary_id": "0", "summary_text": "short."},
            {"type": "thought", "id": "0", "signature": "c2ln", "extra_data": {"id": "rs_1"}},
            {"type": "unknown", "id": "1", "data": {"type": "server_thing"}},
            {"type": "text", "id": "2", "text": "So."},
        ],
        _said(
            Thought("Hm.", "c2ln", [{"type": "summary_text", "text": "In short."}], "anthropic", {"id": "rs_1"}),
            Unknown({"type": "server_thing"}),
            Text("So."),
        ),
    ),
    _answer(
        "a block and a reason of a newer gateway",
        ("stop reasons",),
        [{"type": "hologram", "depth": 3}],
        [{"type": "hologram", "depth": 3}],
        _said(Unknown({"type": "hologram", "depth": 3}), finish="unknown"),
        finish="bored",
    ),
]

FAILURES = [
    Failure(
        "no key",
        RELAY,
        ("errors",),
        DOCS,
        fields=FIELDS,
        status=401,
        body=b'{"error":"TensorZero authentication error: API key does not exist in the database"}',
        says="does not exist in the database",
        retryable=False,
    ),
    Failure(
        "a limit of the other gateway",
        RELAY,
        ("errors",),
        DOCS,
        fields=FIELDS,
        status=429,
        body=b'{"error":"rate limit exceeded"}',
        headers=(("retry-after", "2"),),
        says="rate limit exceeded",
        retryable=True,
        retry_after=2.0,
    ),
    Failure(
        "all providers failed there",
        RELAY,
        ("errors",),
        DOCS,
        fields=FIELDS,
        status=502,
        body=b'{"error":"All variants failed","raw_response":[]}',
        says="All variants failed",
        retryable=True,
    ),
]
_FIRST = {"content": [{"type": "text", "id": "0", "text": "Hello, "}]}
_PARTIAL = Reply((Text("Hello, "),), Usage(), None, model="the-model", request_id=_WHO["inference_id"])
_BROKEN: dict[str, Any] = {"fields": FIELDS, "partial": _PARTIAL}
BROKEN = [
    BrokenStream(
        "an error in the midst",
        RELAY,
        ("errors",),
        DOCS,
        stream=_events(_FIRST) + b'data: {"error":"the provider hung up"}\n\ndata: [DONE]\n\n',
        says="the provider hung up",
        **_BROKEN,
    ),
    BrokenStream("no end", RELAY, ("errors",), DOCS, stream=_events(_FIRST), error=Truncated, says="[DONE]", **_BROKEN),
    BrokenStream(
        "no JSON",
        RELAY,
        ("errors",),
        DOCS,
        stream=_events(_FIRST) + b"data: {\n\n",
        error=BadAnswer,
        says="cannot be read",
        **_BROKEN,
    ),
]

EMBEDDED = [
    Embedded(
        "embeddings",
        RELAY,
        ("embeddings",),
        "www.tensorzero.com/docs/gateway/generate-embeddings",
        fields=FIELDS,
        call=EmbeddingCall(("Hello", "you"), 2, "float"),
        url="https://central.test/llm/openai/v1/embeddings",
        body={
            "model": "tensorzero::embedding_model_name::the-model",
            "input": ["Hello", "you"],
            "dimensions": 2,
            "encoding_format": "float",
        },
        answer=msgspec.json.encode(
            {
                "object": "list",
                "data": [
                    {"object": "embedding", "index": 0, "embedding": [0.5, -1.0]},
                    {"object": "embedding", "index": 1, "embedding": [0.25, 2.0]},
                ],
                "model": "tensorzero::embedding_model_name::the-model",
                "usage": {"prompt_tokens": 3, "total_tokens": 3, "tensorzero_cost": 0.0001},
            }
        ),
        reply=EmbeddingReply(((0.5, -1.0), (0.25, 2.0)), Usage(3), model="tensorzero::embedding_model_name::the-model"),
    )
]

CASES: tuple[AnyCase, ...] = (*GOLDENS, *ANSWERS, *FAILURES, *BROKEN, *EMBEDDED)
