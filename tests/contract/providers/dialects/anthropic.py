"""Anthropic's Messages API: what is sent, what is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from tests.contract.providers import calls
from tests.contract.providers.calls import HELLO, PERSON, WEATHER_SCHEMA, user
from tests.contract.providers.cases import Answer, AnyCase, BrokenStream, Failure, Golden, Unservable

from calibrant.base.errors import BadAnswer, Refused, Truncated
from calibrant.types.call import ModelCall
from calibrant.types.content import CachePoint, File, Template, Text, Thought, ToolCall, ToolResult, Unknown
from calibrant.types.message import Message
from calibrant.types.reply import Reply, Usage
from calibrant.types.request import Params
from calibrant.types.tool import Tool, ToolConfig

KINDS = ("anthropic", "gcp_vertex_anthropic")
API = "platform.claude.com/docs/en/api/messages"
STREAMING = "platform.claude.com/docs/en/build-with-claude/streaming"
THINKING = "platform.claude.com/docs/en/build-with-claude/extended-thinking"
CACHING = "platform.claude.com/docs/en/build-with-claude/prompt-caching"
TOOLS = "platform.claude.com/docs/en/agents-and-tools/tool-use"
OUTPUTS = "platform.claude.com/docs/en/build-with-claude/structured-outputs"
VISION = "platform.claude.com/docs/en/build-with-claude/vision"
PDF = "platform.claude.com/docs/en/build-with-claude/pdf-support"
ERRORS = "platform.claude.com/docs/en/api/errors"
SEARCH = "platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool"
READ = "2026-11-28"

URL = "https://api.anthropic.com/v1/messages"
VERTEX = (
    "https://us-east5-aiplatform.googleapis.com/v1/projects/proj/locations/us-east5"
    "/publishers/anthropic/models/the-model:"
)
FIELDS: dict[str, dict[str, Any]] = {
    "anthropic": {},
    "gcp_vertex_anthropic": {"options": {"location": "us-east5", "project_id": "proj"}},
}
LIMITED = Params(max_tokens=100)
SENT_HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"name": "get_weather", "input_schema": WEATHER_SCHEMA, "description": "The weather of a city"}
STRICT_TOOL = {**TOOL, "input_schema": {**WEATHER_SCHEMA, "additionalProperties": False}, "strict": True}
CLOCK = {"name": "get_time", "input_schema": calls.CLOCK.parameters, "description": "The time of day"}
WEATHER = Tool("get_weather", "The weather of a city", WEATHER_SCHEMA)
SEARCH_TOOL = {"type": "web_search_20260318", "name": "web_search", "max_uses": 2}


def _call(messages: tuple[Message, ...] = HELLO, system: str | None = None, **fields: Any) -> ModelCall:
    return ModelCall(system, messages, **{"params": LIMITED, **fields})


def _thinks(tools: ToolConfig | None = None, **params: Any) -> ModelCall:
    return _call(params=Params(**{"max_tokens": 4096, **params}), tools=tools)


_LIMIT = {"max_tokens": 4096}
_ENABLED = {"thinking": {"type": "enabled", "budget_tokens": 2048}}
THOUGHTS: tuple[tuple[str, str, ModelCall, dict[str, Any]], ...] = (
    (
        "an effort",
        "claude-opus-4-6",
        _thinks(reasoning_effort="minimal"),
        _LIMIT | {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
    ),
    (
        "an effort and a required call",
        "claude-opus-4-8",
        _thinks(ToolConfig((WEATHER,), "required"), reasoning_effort="high"),
        _LIMIT | {"output_config": {"effort": "high"}, "tools": [TOOL], "tool_choice": {"type": "any"}},
    ),
    (
        "an effort",
        "claude-opus-4-5",
        _thinks(reasoning_effort="max"),
        _LIMIT | {"output_config": {"effort": "max"}},
    ),
    ("a budget", "claude-opus-4-5", _thinks(thinking_budget_tokens=2048), _LIMIT | _ENABLED),
    ("a budget", "claude-sonnet-4-6", _thinks(thinking_budget_tokens=2048), _LIMIT | _ENABLED),
    (
        "no effort",
        "claude-haiku-5-5",
        _thinks(reasoning_effort="none"),
        _LIMIT | {"thinking": {"type": "disabled"}},
    ),
    (
        "no effort",
        "claude-sonnet-5-5",
        _thinks(reasoning_effort="none"),
        _LIMIT | {"thinking": {"type": "between_tools"}},
    ),
)
"""What is asked for, of which model, and what is sent; the ids of models decide."""


def _by_address(golden: Callable[..., Golden]) -> list[Golden]:
    """Return what Anthropic alone is sent: files by their address."""
    png = {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}}
    jpeg = {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "aGk="}}
    pdf = {"type": "document", "source": {"type": "url", "url": "https://x.test/b.pdf?x=1"}}
    return [
        golden(
            "images",
            ("images",),
            VISION,
            _call(calls.IMAGE.messages),
            messages=[{"role": "user", "content": [{"type": "text", "text": "What is this?"}, png, jpeg]}],
        ),
        golden(
            "a document by its address",
            ("files",),
            PDF,
            _call((user(File(url="https://x.test/b.pdf?x=1")),)),
            messages=[{"role": "user", "content": [pdf]}],
        ),
    ]


def _goldens(kind: str) -> list[Golden]:
    def golden(
        name: str, covers: tuple[str, ...], docs: str, call: ModelCall, model: str = "the-model", **body: Any
    ) -> Golden:
        own: dict[str, Any] = {"max_tokens": 100, "messages": SENT_HELLO}
        if kind == "anthropic":
            url = URL
            own["model"] = model
            headers = (("content-type", "application/json"), ("anthropic-version", "2023-06-01"))
        else:
            url = VERTEX.replace("the-model", model) + ("streamRawPredict" if call.stream else "rawPredict")
            own["anthropic_version"] = "vertex-2023-10-16"
            headers = (("content-type", "application/json"),)
        fields = FIELDS[kind] | {"model_name": model}
        return Golden(name, kind, covers, docs, fields=fields, call=call, url=url, body=own | body, headers=headers)

    return [
        *(_by_address(golden) if kind == "anthropic" else ()),
        *(
            golden(f"{word} for {model}", ("reasoning",), THINKING, call, model, **body)
            for word, model, call, body in THOUGHTS
        ),
        golden("plain", ("text",), API, _call()),
        golden("system", ("text",), API, _call(system="Be brief."), system="Be brief."),
        golden("stream", ("stream",), STREAMING, _call(stream=True), stream=True),
        golden(
            "params",
            ("text",),
            API,
            _call(
                params=Params(
                    temperature=0.5,
                    max_tokens=4096,
                    seed=7,
                    top_p=0.9,
                    presence_penalty=0.1,
                    stop_sequences=("END",),
                    reasoning_effort="high",
                    service_tier="priority",
                    thinking_budget_tokens=2048,
                    verbosity="low",
                )
            ),
            max_tokens=4096,
            temperature=0.5,
            top_p=0.9,
            stop_sequences=["END"],
            thinking={"type": "enabled", "budget_tokens": 2048},
            output_config={"effort": "high"},
            service_tier="auto",
        ),
        golden(
            "no thinking",
            ("reasoning",),
            THINKING,
            _call(params=Params(max_tokens=100, thinking_budget_tokens=0, service_tier="default")),
            thinking={"type": "disabled"},
            service_tier="standard_only",
        ),
        golden(
            "required, one call at a time",
            ("tools", "forced tools"),
            TOOLS,
            _call(tools=calls.TOOLS.tools),
            tools=[STRICT_TOOL, CLOCK],
            tool_choice={"type": "any", "disable_parallel_tool_use": True},
        ),
        golden(
            "forced",
            ("forced tools",),
            TOOLS,
            _call(tools=calls.FORCED.tools),
            tools=[STRICT_TOOL],
            tool_choice={"type": "tool", "name": "get_weather"},
        ),
        golden("auto", ("tools",), TOOLS, _call(tools=ToolConfig((WEATHER,))), tools=[TOOL]),
        golden(
            "tool_choice none (litellm#24443)",
            ("tools",),
            TOOLS,
            _call(tools=ToolConfig((WEATHER,), "none")),
            tools=[TOOL],
            tool_choice={"type": "none"},
        ),
        golden(
            "parallel_tool_calls false is not dropped (bifrost#7348)",
            ("parallel tools",),
            TOOLS,
            _call(tools=ToolConfig((WEATHER,), parallel=False)),
            tools=[TOOL],
            tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        ),
        golden(
            "a provider's tool beside others (bifrost#3596)",
            ("provider tools",),
            SEARCH,
            _call(tools=ToolConfig((WEATHER,)), provider_tools=(SEARCH_TOOL,)),
            tools=[TOOL, SEARCH_TOOL],
        ),
        golden(
            "talk with parallel calls",
            ("parallel tools",),
            TOOLS,
            _call(
                (
                    user(Text("Weather in Rome and Oslo?")),
                    Message(
                        "assistant",
                        (
                            Thought("Two calls.", "c2lnbmF0dXJl+/=", provider_type=kind),
                            Thought(None, "b3BhcXVl", provider_type=kind),
                            Thought("of another", "x", provider_type="openai"),
                            Text("Let me look."),
                            ToolCall("toolu_a", "get_weather", '{"city":"Rome"}'),
                            ToolCall("toolu_b", "get_weather", '{"city": "Oslo", "n": 1.10}'),
                        ),
                    ),
                    user(ToolResult("toolu_a", "get_weather", "sunny"), Text("And?")),
                    user(ToolResult("toolu_b", "get_weather", "rain")),
                )
            ),
            messages=[
                {"role": "user", "content": "Weather in Rome and Oslo?"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "Two calls.", "signature": "c2lnbmF0dXJl+/="},
                        {"type": "redacted_thinking", "data": "b3BhcXVl"},
                        {"type": "text", "text": "Let me look."},
                        {"type": "tool_use", "id": "toolu_a", "name": "get_weather", "input": {"city": "Rome"}},
                        {
                            "type": "tool_use",
                            "id": "toolu_b",
                            "name": "get_weather",
                            "input": {"city": "Oslo", "n": 1.10},
                        },
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "toolu_a", "content": "sunny"},
                        {"type": "tool_result", "tool_use_id": "toolu_b", "content": "rain"},
                        {"type": "text", "text": "And?"},
                    ],
                },
            ],
        ),
        golden(
            "a call without arguments in the history (litellm#25561)",
            ("tools",),
            TOOLS,
            _call((user(Text("a")), Message("assistant", (ToolCall("t", "get_time", ""),)), user(Text("b")))),
            messages=[
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "get_time", "input": {}}]},
                {"role": "user", "content": "b"},
            ],
        ),
        golden(
            "turns of one role are joined, empty text is left out",
            ("text",),
            API,
            _call((user(Text("a")), user(Text("")), user(Text("b")), Message("assistant", (Text(""),)))),
            messages=[{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
        ),
        golden(
            "an image as bytes",
            ("images",),
            VISION,
            _call((user(Text("What is this?"), File(data="aGk=", mime_type="image/jpg")),)),
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is this?"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "aGk="}},
                    ],
                }
            ],
        ),
        golden(
            "documents",
            ("files",),
            PDF,
            _call(
                (
                    user(
                        File(data="aGk=", mime_type="application/pdf", filename="a.pdf"),
                        File(data="aGk=", mime_type="text/plain; charset=utf-8"),
                    ),
                )
            ),
            messages=[
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "document",
                            "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
                            "title": "a.pdf",
                        },
                        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}},
                    ],
                }
            ],
        ),
        golden(
            "ids of another provider's calls (bifrost#5097)",
            ("tools",),
            TOOLS,
            _call(
                (
                    user(Text("a")),
                    Message("assistant", (ToolCall("functions.get_time:0", "get_time", "{}"),)),
                    user(ToolResult("functions.get_time:0", "get_time", "noon")),
                )
            ),
            messages=[
                {"role": "user", "content": "a"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "tool_use", "id": "functions_get_time_0_0e00d1fe", "name": "get_time", "input": {}}
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "functions_get_time_0_0e00d1fe", "content": "noon"}
                    ],
                },
            ],
        ),
        golden(
            "cache points",
            ("cache tokens",),
            CACHING,
            _call(
                (user(CachePoint("1h"), Text("long"), CachePoint(), Text("short")),),
                "Be brief.",
                tools=ToolConfig((WEATHER,)),
            ),
            system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
            tools=[TOOL],
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}},
                        {"type": "text", "text": "short"},
                    ],
                }
            ],
        ),
        golden(
            "a cache point after tools alone",
            ("cache tokens",),
            CACHING,
            _call((user(CachePoint(), Text("Hello")),), tools=ToolConfig((WEATHER,))),
            tools=[{**TOOL, "cache_control": {"type": "ephemeral"}}],
            messages=[{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
        ),
        golden(
            "a cache point at the start of a later turn",
            ("cache tokens",),
            CACHING,
            _call((user(Text("long")), Message("assistant", (CachePoint(), Text("yes"))), user(Text("and?")))),
            messages=[
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}}],
                },
                {"role": "assistant", "content": [{"type": "text", "text": "yes"}]},
                {"role": "user", "content": "and?"},
            ],
        ),
        golden(
            "a cache point after what may not carry it",
            ("cache tokens",),
            CACHING,
            _call(
                (
                    user(Text("a")),
                    Message(
                        "assistant",
                        (Unknown(SEARCH_USE), Thought("t", "c2ln", provider_type=kind), CachePoint(), Text("b")),
                    ),
                    user(Text("c")),
                )
            ),
            messages=[
                {"role": "user", "content": "a"},
                {
                    "role": "assistant",
                    "content": [
                        {**SEARCH_USE, "cache_control": {"type": "ephemeral"}},
                        {"type": "thinking", "thinking": "t", "signature": "c2ln"},
                        {"type": "text", "text": "b"},
                    ],
                },
                {"role": "user", "content": "c"},
            ],
        ),
        golden(
            "a schema",
            ("structured output",),
            OUTPUTS,
            _call(json_mode="strict", output_schema=PERSON),
            output_config={"format": {"type": "json_schema", "schema": PERSON}},
        ),
        golden(
            "JSON without a schema",
            ("structured output",),
            OUTPUTS,
            _call(system="Answer.", json_mode="on", output_schema=PERSON),
            system="Answer.\n\nRespond using JSON.",
        ),
        golden(
            "the JSON tool",
            ("structured output",),
            TOOLS,
            _call(json_mode="tool", output_schema=PERSON),
            tools=[
                {
                    "name": "respond",
                    "input_schema": PERSON,
                    "description": "Respond to the user with what this tool's parameters describe.",
                }
            ],
            tool_choice={"type": "tool", "name": "respond", "disable_parallel_tool_use": True},
        ),
        golden(
            "unknown blocks go back as they came",
            ("provider tools",),
            SEARCH,
            _call(
                (
                    user(Text("a")),
                    Message("assistant", (Unknown(SEARCH_USE), Unknown({"type": "x"}, None, "other"), Text("b"))),
                    user(Text("c")),
                )
            ),
            messages=[
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": [SEARCH_USE, {"type": "text", "text": "b"}]},
                {"role": "user", "content": "c"},
            ],
        ),
    ]


SEARCH_USE = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "Rome"}}
SEARCH_RESULT = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [
        {
            "type": "web_search_result",
            "url": "https://x.test/",
            "title": "Rome",
            "encrypted_content": "enc",
            "page_age": None,
        }
    ],
}
USAGE = {"input_tokens": 10, "output_tokens": 5, "cache_creation_input_tokens": None, "cache_read_input_tokens": None}
PLAIN_USAGE = Usage(10, 5)


def _message(content: list[dict[str, Any]], stop: str | None, usage: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "served-model",
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
        **fields,
    }


def events(*parts: dict[str, Any]) -> bytes:
    """Return the events of a stream, each with its name as the API sends it."""
    return b"".join(b"event: %s\ndata: %s\n\n" % (part["type"].encode(), msgspec.json.encode(part)) for part in parts)


def _pieces(index: int, block: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events that write a block, in pieces of five characters."""
    start, deltas = dict(block), []
    if block["type"] == "text":
        start = {**block, "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in _cut(block["text"])]
    elif block["type"] == "thinking":
        start = {**block, "thinking": "", "signature": ""}
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _cut(block["thinking"])]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    elif block["type"] in ("tool_use", "server_tool_use"):
        start = {**block, "input": {}}
        text = msgspec.json.encode(block["input"]).decode() if block["input"] else ""
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *_cut(text))]
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def _cut(text: str) -> list[str]:
    return [text[i : i + 5] for i in range(0, len(text), 5)]


def _start(usage: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message_start", "message": _message([], None, {**usage, "output_tokens": 1})}


def _end(stop: str, usage: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    delta = {"stop_reason": stop, "stop_sequence": None, **fields}
    return [
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": usage["output_tokens"]}},
        {"type": "message_stop"},
    ]


def answer(
    name: str,
    covers: tuple[str, ...],
    docs: str,
    blocks: list[dict[str, Any]],
    reply: Reply,
    *,
    stop: str = "end_turn",
    usage: dict[str, Any] = USAGE,
    kinds: tuple[str, ...] = KINDS,
    json_tool: bool = False,
    options: dict[str, Any] | None = None,
    **fields: Any,
) -> list[Answer]:
    """Return the answer in both forms, of each provider type."""
    pieces = [piece for index, block in enumerate(blocks) for piece in _pieces(index, block)]
    stream = events(_start(usage), {"type": "ping"}, *pieces, *_end(stop, usage, **fields))
    return [
        Answer(
            name,
            kind,
            covers,
            docs,
            fields=FIELDS[kind] | (options or {}),
            read=READ,
            reply=msgspec.structs.replace(reply, content=tuple(_of(kind, block) for block in reply.content)),
            whole=msgspec.json.encode(_message(blocks, stop, usage, **fields)),
            stream=stream,
            judge="anthropic",
            json_tool=json_tool,
        )
        for kind in kinds
    ]


def _of(kind: str, block: Any) -> Any:
    return msgspec.structs.replace(block, provider_type=kind) if isinstance(block, Thought) else block


def said(*content: Any, finish: Any = "stop", usage: Usage = PLAIN_USAGE, detail: bytes = b"") -> Reply:
    """Return what an answer means."""
    return Reply(content, usage, finish, model="served-model", request_id="msg_1", finish_detail=detail)


def _hello(finish: Any) -> Reply:
    return said(Text("Hello, world."), finish=finish)


_TEXT = {"type": "text", "text": "Hello, world."}
_ROME = {"type": "tool_use", "id": "toolu_a", "name": "get_weather", "input": {"city": "Rome"}}
_OSLO = {"type": "tool_use", "id": "toolu_b", "name": "get_weather", "input": {"city": "Oslo"}}
_REFUSAL = {"type": "refusal", "category": "cyber", "explanation": "no"}
_CACHED = {
    "input_tokens": 10,
    "output_tokens": 5,
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 1000,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 0},
    "output_tokens_details": {"thinking_tokens": 3},
}

ANSWERS: list[Answer] = [
    *answer("text", ("text", "stream", "usage"), STREAMING, [_TEXT], said(Text("Hello, world."))),
    *answer(
        "a stop sequence",
        ("stop reasons",),
        API,
        [_TEXT],
        _hello("stop_sequence"),
        stop="stop_sequence",
    ),
    *answer("length", ("stop reasons",), API, [_TEXT], _hello("length"), stop="max_tokens"),
    *answer(
        "the window is full",
        ("stop reasons",),
        API,
        [_TEXT],
        _hello("length"),
        stop="model_context_window_exceeded",
    ),
    *answer("paused", ("stop reasons",), API, [_TEXT], _hello("unknown"), stop="pause_turn"),
    *answer(
        "a reason of the future",
        ("stop reasons",),
        API,
        [_TEXT],
        _hello("unknown"),
        stop="bored",
    ),
    *answer(
        "one call, its arguments in pieces (litellm#18238, #29491, #36262)",
        ("tools", "stream"),
        TOOLS,
        [_ROME],
        said(ToolCall("toolu_a", "get_weather", '{"city":"Rome"}'), finish="tool_call"),
        stop="tool_use",
    ),
    *answer(
        "text, then two calls (Portkey#1275)",
        ("parallel tools",),
        TOOLS,
        [_TEXT, _ROME, _OSLO],
        said(
            Text("Hello, world."),
            ToolCall("toolu_a", "get_weather", '{"city":"Rome"}'),
            ToolCall("toolu_b", "get_weather", '{"city":"Oslo"}'),
            finish="tool_call",
        ),
        stop="tool_use",
    ),
    *answer(
        "a call without arguments (litellm#25836)",
        ("tools",),
        TOOLS,
        [{"type": "tool_use", "id": "toolu_a", "name": "get_time", "input": {}}],
        said(ToolCall("toolu_a", "get_time", "{}"), finish="tool_call"),
        stop="tool_use",
    ),
    *answer(
        "the JSON tool",
        ("structured output",),
        TOOLS,
        [{"type": "tool_use", "id": "toolu_a", "name": "respond", "input": {"name": "Ann"}}],
        said(Text('{"name":"Ann"}')),
        stop="tool_use",
        json_tool=True,
    ),
    *answer(
        "a caller's tool called respond",
        ("tools",),
        TOOLS,
        [{"type": "tool_use", "id": "toolu_a", "name": "respond", "input": {"name": "Ann"}}],
        said(ToolCall("toolu_a", "respond", '{"name":"Ann"}'), finish="tool_call"),
        stop="tool_use",
    ),
    *answer(
        "thinking with its signature",
        ("reasoning",),
        THINKING,
        [{"type": "thinking", "thinking": "Step by step.", "signature": "EqQB+/sig=="}, _TEXT],
        said(Thought("Step by step.", "EqQB+/sig=="), Text("Hello, world.")),
    ),
    *answer(
        "thinking that is not shown (bifrost#5185)",
        ("reasoning",),
        THINKING,
        [{"type": "thinking", "thinking": "", "signature": "EqQB+/sig=="}, _TEXT],
        said(Thought("", "EqQB+/sig=="), Text("Hello, world.")),
    ),
    *answer(
        "redacted thinking",
        ("reasoning",),
        THINKING,
        [{"type": "redacted_thinking", "data": "b3BhcXVl"}, _TEXT],
        said(Thought(None, "b3BhcXVl"), Text("Hello, world.")),
    ),
    *answer(
        "cached tokens, which the API counts apart",
        ("cache tokens", "usage"),
        CACHING,
        [_TEXT],
        said(Text("Hello, world."), usage=Usage(1110, 5, 1000, 100, 3)),
        usage=_CACHED,
    ),
    *answer(
        "a refusal",
        ("stop reasons",),
        "platform.claude.com/docs/en/test-and-evaluate/strengthen-guardrails/handle-streaming-refusals",
        [],
        said(finish="content_filter", detail=msgspec.json.encode(_REFUSAL)),
        stop="refusal",
        stop_details=_REFUSAL,
    ),
    *answer(
        "web search",
        ("provider tools",),
        SEARCH,
        [SEARCH_USE, SEARCH_RESULT, _TEXT],
        said(Unknown(SEARCH_USE), Unknown(SEARCH_RESULT), Text("Hello, world.")),
    ),
]


def _lone(kind: str) -> list[AnyCase]:
    fields = FIELDS[kind]
    start, text = _start(USAGE), _pieces(0, _TEXT)
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    invalid = {"type": "error", "error": {"type": "invalid_request_error", "message": "no such thing"}}
    begun = Reply((Text("Hello"),), Usage(10, 1), None, model="served-model", request_id="msg_1")
    bad_json = [
        start,
        {"type": "content_block_start", "index": 0, "content_block": {**_ROME, "input": {}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"city":'}},
        {"type": "content_block_stop", "index": 0},
        *_end("max_tokens", USAGE),
    ]
    odd = [
        start,
        start,
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "b"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {"x": 1}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "future_delta", "what": 1}},
        {"type": "of_the_future", "what": 1},
        *_end("end_turn", USAGE),
    ]

    def one(name: str, stream: bytes, reply: Reply, covers: tuple[str, ...] = ("stream",), **fields_: Any) -> Answer:
        return Answer(
            name, kind, covers, STREAMING, fields=fields | fields_, read=READ, reply=reply, stream=stream, judge=None
        )

    return [
        one(
            "arguments that are no JSON (fine-grained streaming)",
            events(*bad_json),
            said(ToolCall("toolu_a", "get_weather", '{"city":'), finish="length"),
            ("tools",),
        ),
        one("blocks that take turns, and events of the future", events(*odd), said(Text("b"), Text("a"))),
        one(
            "unknown blocks may be discarded",
            events(start, *_pieces(0, SEARCH_USE), *_pieces(1, _TEXT), *_end("end_turn", USAGE)),
            said(Text("Hello, world.")),
            discard_unknown_chunks=True,
        ),
        one(
            "a block of the future, in pieces",
            events(
                start,
                {"type": "content_block_start", "index": 0, "content_block": {"type": "compaction", "content": "a"}},
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "compaction_delta", "content": "b", "encrypted_content": "x", "n": None},
                },
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "compaction_delta", "content": "c", "parts": [1]},
                },
                {"type": "content_block_stop", "index": 0},
                *_end("end_turn", USAGE),
            ),
            said(Unknown({"type": "compaction", "content": "abc", "encrypted_content": "x", "parts": [1]})),
            ("provider tools",),
        ),
        one(
            "blocks that nobody ended",
            events(
                start,
                {"type": "content_block_start", "index": 0, "content_block": {**_ROME, "input": {}}},
                {"type": "content_block_start", "index": 1, "content_block": SEARCH_USE},
                {
                    "type": "content_block_delta",
                    "index": 1,
                    "delta": {"type": "input_json_delta", "partial_json": '{"query'},
                },
                *_end("tool_use", USAGE),
            ),
            said(
                ToolCall("toolu_a", "get_weather", "{}"),
                Unknown({**SEARCH_USE, "input": '{"query'}),
                finish="tool_call",
            ),
            ("tools",),
        ),
        one(
            "text that never began",
            events(
                start,
                {"type": "content_block_delta", "index": 0, "delta": {"type": "future_delta", "text": "?"}},
                {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "t"}},
                {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
                {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "a"}},
                {"type": "content_block_stop", "index": 7},
                *_end("end_turn", USAGE),
            ),
            said(Thought("t", "s", provider_type=kind), Text("a")),
            ("reasoning",),
        ),
        one(
            "an end that says nothing but the usage",
            events(
                start,
                *text,
                {"type": "message_delta", "usage": {"output_tokens": 5}},
                {"type": "message_stop"},
                {"type": "of_the_future"},
            ),
            said(Text("Hello, world."), finish=None),
            ("usage",),
        ),
        one(
            "no message_stop, but a stop reason",
            events(start, *text, _end("end_turn", USAGE)[0]),
            said(Text("Hello, world.")),
        ),
        one(
            "usage that repeats in message_delta",
            events(
                {"type": "message_start", "message": _message([], None, {**_CACHED, "output_tokens": 1})},
                *text,
                {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": _CACHED},
                {"type": "message_stop"},
            ),
            said(Text("Hello, world."), usage=Usage(1110, 5, 1000, 100, 3)),
            ("usage", "cache tokens"),
        ),
        BrokenStream(
            "overloaded in the middle (Portkey#1142)",
            kind,
            ("errors",),
            ERRORS,
            fields=fields,
            stream=events(start, *text[:2], overloaded),
            says="Overloaded",
            partial=begun,
        ),
        BrokenStream(
            "refused in the middle",
            kind,
            ("errors",),
            ERRORS,
            fields=fields,
            stream=events(start, *text[:2], invalid),
            says="no such thing",
            retryable=False,
            partial=begun,
        ),
        BrokenStream(
            "a key that was taken away in the middle",
            kind,
            ("errors",),
            ERRORS,
            fields=fields,
            stream=events(
                start, *text[:2], {"type": "error", "error": {"type": "permission_error", "message": "gone"}}
            ),
            says="gone",
            retryable=False,
            partial=begun,
        ),
        BrokenStream(
            "pieces of a call that never began",
            kind,
            ("errors",),
            STREAMING,
            fields=fields,
            stream=events(
                start,
                *text[:2],
                {
                    "type": "content_block_delta",
                    "index": 4,
                    "delta": {"type": "input_json_delta", "partial_json": "{}"},
                },
            ),
            error=BadAnswer,
            says="index 4",
            partial=begun,
        ),
        BrokenStream(
            "cut in the middle",
            kind,
            ("errors",),
            STREAMING,
            fields=fields,
            stream=events(start, *text[:2]),
            error=Truncated,
            says="message_stop",
            partial=begun,
        ),
        BrokenStream(
            "garbage in the middle",
            kind,
            ("errors",),
            STREAMING,
            fields=fields,
            stream=events(start, *text[:2]) + b"data: {]\n\n",
            error=BadAnswer,
            partial=begun,
        ),
        BrokenStream(
            "a whole error instead of a stream",
            kind,
            ("errors",),
            ERRORS,
            fields=fields,
            stream=msgspec.json.encode(overloaded),
            error=Refused,
            says="Overloaded",
            partial=Reply((), Usage(), None),
        ),
        *(
            Failure(
                f"{status} {word}",
                kind,
                ("errors",),
                ERRORS,
                fields=fields,
                status=status,
                body=msgspec.json.encode({"type": "error", "error": {"type": word, "message": f"said {word}"}}),
                says=f"answered {status}: said {word}",
                retryable=retryable,
                headers=(("retry-after", "7"),) if status == 429 else (),
                retry_after=7.0 if status == 429 else None,
            )
            for status, word, retryable in (
                (400, "invalid_request_error", False),
                (401, "authentication_error", False),
                (402, "billing_error", False),
                (403, "permission_error", False),
                (404, "not_found_error", False),
                (413, "request_too_large", False),
                (429, "rate_limit_error", True),
                (500, "api_error", True),
                (504, "timeout_error", True),
                (529, "overloaded_error", True),
            )
        ),
        *_unservable(kind, fields),
    ]


_TEXT_AT_AN_ADDRESS = user(File(url="https://x.test/a.txt", mime_type="text/plain"))


def _unservable(kind: str, fields: dict[str, Any]) -> list[Unservable]:
    def refuse(name: str, says: str, call: ModelCall, model: str = "the-model") -> Unservable:
        return Unservable(name, kind, (), API, fields=fields | {"model_name": model}, call=call, says=says)

    sound = user(File(data="aGk=", mime_type="audio/mpeg"))
    broken = Message("assistant", (ToolCall("t", "get_time", '{"a":'),))
    return [
        refuse("sound", "audio/mpeg", _call((sound,))),
        refuse("no max_tokens for a model that nobody knows", "`max_tokens`", ModelCall(None, HELLO)),
        refuse(
            "a budget below 1024 (bifrost#1479)",
            "`thinking_budget_tokens`",
            _call(params=Params(max_tokens=4096, thinking_budget_tokens=512)),
        ),
        refuse(
            "a budget above max_tokens",
            "`thinking_budget_tokens`",
            _call(params=Params(max_tokens=2048, thinking_budget_tokens=2048)),
        ),
        refuse(
            "a forced tool while it thinks",
            "`tool_choice`",
            _call(params=Params(max_tokens=4096, thinking_budget_tokens=2048), tools=calls.FORCED.tools),
        ),
        refuse(
            "a budget for a model that takes none",
            "`reasoning_effort`",
            _call(params=Params(max_tokens=4096, thinking_budget_tokens=2048)),
            "claude-opus-4-7",
        ),
        refuse(
            "the JSON tool while it thinks",
            "`json_mode`",
            _call(params=Params(max_tokens=4096, thinking_budget_tokens=2048), json_mode="tool"),
        ),
        refuse("text that is no UTF-8", "UTF-8", _call((user(File(data="/w==", mime_type="text/plain")),))),
        refuse("a file that nobody can name", "octet-stream", _call((user(File(data="aGk=")),))),
        refuse("a template", "Template", _call((Message("user", (Template("t", {}),)),))),
        *(
            [refuse("a file by its address", "`url`", _call((user(File(url="https://x.test/a.png")),)))]
            if kind == "gcp_vertex_anthropic"
            else [refuse("text by its address", "text/plain", _call((_TEXT_AT_AN_ADDRESS,)))]
        ),
        refuse("arguments that are no object", "`arguments`", _call((*HELLO, broken, *HELLO))),
        refuse("no message", "`messages`", _call(())),
    ]


CASES: tuple[AnyCase, ...] = (
    *(case for kind in KINDS for case in _goldens(kind)),
    *ANSWERS,
    *(case for kind in KINDS for case in _lone(kind)),
)
