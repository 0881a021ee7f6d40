"""OpenAI's Responses API: what is sent, what is answered."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.contract.providers import calls
from tests.contract.providers.calls import HELLO, PERSON, WEATHER_SCHEMA, user
from tests.contract.providers.cases import Answer, AnyCase, BrokenStream, Failure, Golden, Unservable

from calibrant.base.errors import BadAnswer, Refused, Truncated
from calibrant.types.call import ModelCall
from calibrant.types.content import File, Text, Thought, ToolCall, ToolResult, Unknown
from calibrant.types.message import Message
from calibrant.types.reply import Reply, Usage
from calibrant.types.request import Params
from calibrant.types.tool import ToolConfig

API = "platform.openai.com/docs/api-reference/responses"
STREAMING = "platform.openai.com/docs/api-reference/responses-streaming"
TOOLS = "platform.openai.com/docs/guides/function-calling?api-mode=responses"
REASONING = "platform.openai.com/docs/guides/reasoning?api-mode=responses"
OUTPUTS = "platform.openai.com/docs/guides/structured-outputs?api-mode=responses"
FILES = "platform.openai.com/docs/guides/pdf-files?api-mode=responses"
SEARCH = "platform.openai.com/docs/guides/tools-web-search?api-mode=responses"
READ = "2026-11-28"
URL = "https://api.openai.com/v1/responses"
FIELDS: dict[str, Any] = {"options": {"api_type": "responses"}}
ENCRYPTED: dict[str, Any] = {"options": {"api_type": "responses", "include_encrypted_reasoning": True}}
SEARCH_TOOL = {"type": "web_search"}
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city",
    "parameters": WEATHER_SCHEMA,
    "strict": True,
}
CLOCK = {
    "type": "function",
    "name": "get_time",
    "description": "The time of day",
    "parameters": calls.CLOCK.parameters,
    "strict": False,
}
SENT_HELLO = [{"type": "message", "role": "user", "content": "Hello"}]


def _golden(name: str, covers: tuple[str, ...], docs: str, call: ModelCall, **body: Any) -> Golden:
    return Golden(
        name,
        "openai",
        covers,
        docs,
        fields=body.pop("fields", FIELDS),
        call=call,
        url=URL,
        body={"model": "the-model", "input": SENT_HELLO} | body,
        headers=(("content-type", "application/json"),),
    )


GOLDENS = [
    _golden("plain", ("text",), API, calls.PLAIN),
    _golden("system", ("text",), API, calls.SYSTEM, instructions="Be brief."),
    _golden("stream", ("stream",), STREAMING, calls.STREAM, stream=True),
    _golden(
        "params",
        ("text", "reasoning"),
        API,
        calls.PARAMS,
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=100,
        reasoning={"effort": "high", "summary": "auto"},
        service_tier="flex",
        text={"verbosity": "low"},
    ),
    _golden(
        "encrypted reasoning",
        ("reasoning",),
        REASONING,
        calls.PLAIN,
        fields=ENCRYPTED,
        include=["reasoning.encrypted_content"],
        store=False,
    ),
    _golden(
        "required, one call at a time",
        ("tools", "forced tools", "parallel tools"),
        TOOLS,
        calls.TOOLS,
        tools=[WEATHER, CLOCK],
        tool_choice="required",
        parallel_tool_calls=False,
    ),
    _golden(
        "forced",
        ("forced tools",),
        TOOLS,
        calls.FORCED,
        tools=[WEATHER],
        tool_choice={"type": "function", "name": "get_weather"},
    ),
    _golden("tool_choice none (litellm#24443)", ("tools",), TOOLS, calls.NO_CALL, tools=[WEATHER], tool_choice="none"),
    _golden(
        "a provider's tool beside others",
        ("provider tools",),
        SEARCH,
        ModelCall(None, HELLO, tools=ToolConfig((calls.WEATHER,)), provider_tools=(SEARCH_TOOL,)),
        tools=[WEATHER, SEARCH_TOOL],
    ),
    _golden(
        "talk with reasoning and parallel calls",
        ("parallel tools", "reasoning"),
        REASONING,
        ModelCall(
            None,
            (
                user(Text("Weather in Rome and Oslo?")),
                Message(
                    "assistant",
                    (
                        Thought(
                            None,
                            "gAAAA+/enc=",
                            [{"type": "summary_text", "text": "Two calls."}],
                            "openai",
                            {"id": "rs_1"},
                        ),
                        Thought("of another", "x", provider_type="anthropic"),
                        Thought("without id or signature", provider_type="openai"),
                        Text("Let me look."),
                        ToolCall("call_rome", "get_weather", '{"city": "Rome"}'),
                        ToolCall("call_oslo", "get_weather", ""),
                    ),
                ),
                user(
                    ToolResult("call_rome", "get_weather", "sunny"),
                    ToolResult("call_oslo", "get_weather", "rain"),
                    Text("And?"),
                ),
            ),
        ),
        input=[
            {"type": "message", "role": "user", "content": "Weather in Rome and Oslo?"},
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "Two calls."}],
                "encrypted_content": "gAAAA+/enc=",
            },
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me look."}]},
            {"type": "function_call", "call_id": "call_rome", "name": "get_weather", "arguments": '{"city": "Rome"}'},
            {"type": "function_call", "call_id": "call_oslo", "name": "get_weather", "arguments": ""},
            {"type": "function_call_output", "call_id": "call_rome", "output": "sunny"},
            {"type": "function_call_output", "call_id": "call_oslo", "output": "rain"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And?"}]},
        ],
    ),
    _golden(
        "images",
        ("images",),
        API,
        calls.IMAGE,
        input=[
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is this?"},
                    {"type": "input_image", "image_url": "https://x.test/a.png", "detail": "low"},
                    {"type": "input_image", "image_url": "data:image/jpeg;base64,aGk="},
                ],
            }
        ],
    ),
    _golden(
        "documents",
        ("files",),
        FILES,
        ModelCall(
            None,
            (
                user(
                    File(data="aGk=", mime_type="application/pdf", filename="a.pdf"),
                    File(url="https://x.test/b.pdf"),
                ),
            ),
        ),
        input=[
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="},
                    {"type": "input_file", "file_url": "https://x.test/b.pdf"},
                ],
            }
        ],
    ),
    _golden(
        "a schema",
        ("structured output",),
        OUTPUTS,
        calls.JSON_STRICT,
        text={"format": {"type": "json_schema", "name": "response", "strict": True, "schema": PERSON}},
    ),
    _golden(
        "JSON without a schema",
        ("structured output",),
        OUTPUTS,
        calls.JSON_ON,
        instructions="Answer.\n\nRespond using JSON.",
        text={"format": {"type": "json_object"}},
    ),
    _golden(
        "the JSON tool",
        ("structured output",),
        TOOLS,
        calls.JSON_TOOL_CALL,
        tools=[
            {
                "type": "function",
                "name": "respond",
                "description": "Respond to the user with what this tool's parameters describe.",
                "parameters": PERSON,
                "strict": False,
            }
        ],
        tool_choice={"type": "function", "name": "respond"},
        parallel_tool_calls=False,
    ),
]

USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 15,
}
PLAIN_USAGE = Usage(10, 5, 0, None, 0)
_CACHED = USAGE | {"input_tokens_details": {"cached_tokens": 8}, "output_tokens_details": {"reasoning_tokens": 3}}


def body(output: list[Any], status: str = "completed", usage: Any = USAGE, **fields: Any) -> dict[str, Any]:
    """Return a response."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_767_225_600,
        "model": "served-model",
        "status": status,
        "output": output,
        "usage": usage,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        **fields,
    }


def events(*parts: dict[str, Any]) -> bytes:
    """Return the events of a stream, numbered and named as the API sends them."""
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (part["type"].encode(), msgspec.json.encode({**part, "sequence_number": number}))
        for number, part in enumerate(parts)
    )


def _cut(text: str) -> list[str]:
    return [text[i : i + 5] for i in range(0, len(text), 5)]


def pieces(index: int, item: dict[str, Any], *, deltas: bool = True) -> list[dict[str, Any]]:
    """Return the events that write an item."""
    where = {"item_id": item["id"], "output_index": index}
    out: list[dict[str, Any]] = []
    start = dict(item)
    if item["type"] == "message":
        start["content"] = []
        for place, part in enumerate(item["content"]):
            kind, text = ("refusal", part["refusal"]) if "refusal" in part else ("output_text", part["text"])
            here = {**where, "content_index": place}
            out.append({"type": "response.content_part.added", **here, "part": {**part, _key(kind): ""}})
            out += [{"type": f"response.{kind}.delta", **here, "delta": each, "logprobs": []} for each in _cut(text)]
            out.append({"type": f"response.{kind}.done", **here, _key(kind): text, "logprobs": []})
            out.append({"type": "response.content_part.done", **here, "part": part})
    elif item["type"] == "function_call":
        start["arguments"] = ""
        if deltas:
            named = "response.function_call_arguments.delta"
            out += [{"type": named, **where, "delta": each} for each in _cut(item["arguments"])]
        out.append(
            {
                "type": "response.function_call_arguments.done",
                **where,
                "arguments": item["arguments"],
                "name": item["name"],
            }
        )
    elif item["type"] == "reasoning":
        start |= {"summary": [], "encrypted_content": None}
        for place, part in enumerate(item["summary"]):
            here = {**where, "summary_index": place}
            out.append({"type": "response.reasoning_summary_part.added", **here, "part": {**part, "text": ""}})
            named = "response.reasoning_summary_text.delta"
            out += [{"type": named, **here, "delta": each} for each in _cut(part["text"])]
            out.append({"type": "response.reasoning_summary_text.done", **here, "text": part["text"]})
            out.append({"type": "response.reasoning_summary_part.done", **here, "part": part})
        for place, part in enumerate(item.get("content") or ()):
            here = {**where, "content_index": place}
            out += [{"type": "response.reasoning_text.delta", **here, "delta": each} for each in _cut(part["text"])]
    added = {"type": "response.output_item.added", "output_index": index, "item": start}
    return [added, *out, {"type": "response.output_item.done", "output_index": index, "item": item}]


def _key(kind: str) -> str:
    return "refusal" if kind == "refusal" else "text"


def answer(
    name: str,
    covers: tuple[str, ...],
    docs: str,
    output: list[Any],
    reply: Reply,
    *,
    status: str = "completed",
    usage: Any = USAGE,
    json_tool: bool = False,
    deltas: bool = True,
    **fields: Any,
) -> Answer:
    """Return an answer in both forms."""
    whole = body(output, status, usage, **fields)
    begun = body([], "in_progress", None)
    written = [piece for index, item in enumerate(output) for piece in pieces(index, item, deltas=deltas)]
    last = {"type": f"response.{status}", "response": whole}
    return Answer(
        name,
        "openai",
        covers,
        docs,
        fields=FIELDS,
        read=READ,
        reply=reply,
        whole=msgspec.json.encode(whole),
        stream=events(
            {"type": "response.created", "response": begun},
            {"type": "response.in_progress", "response": begun},
            *written,
            last,
        ),
        judge="openai",
        json_tool=json_tool,
    )


def said(*content: Any, finish: Any = "stop", usage: Usage = PLAIN_USAGE, detail: Any = None) -> Reply:
    """Return what an answer means."""
    raw = b"" if detail is None else msgspec.json.encode(detail)
    return Reply(content, usage, finish, model="served-model", request_id="resp_1", finish_detail=raw)


def _message(*parts: dict[str, Any], own_id: str = "msg_1") -> dict[str, Any]:
    return {"type": "message", "id": own_id, "role": "assistant", "status": "completed", "content": list(parts)}


def _text(text: str = "Hello, world.") -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _function(call_id: str, city: str) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{call_id}",
        "call_id": call_id,
        "name": "get_weather",
        "arguments": f'{{"city":"{city}"}}',
        "status": "completed",
    }


_ROME, _OSLO = _function("call_a", "Rome"), _function("call_b", "Oslo")
_ROME_CALL = ToolCall("call_a", "get_weather", '{"city":"Rome"}')
_OSLO_CALL = ToolCall("call_b", "get_weather", '{"city":"Oslo"}')
_REASONED = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "First things."}, {"type": "summary_text", "text": "Then others."}],
    "encrypted_content": "gAAAA+/enc=",
}
_SEARCHED = {
    "type": "web_search_call",
    "id": "ws_1",
    "status": "completed",
    "action": {"type": "search", "query": "Rome"},
}
_HELLO = Text("Hello, world.")

ANSWERS = [
    answer("text", ("text", "stream", "usage"), API, [_message(_text())], said(_HELLO)),
    answer(
        "two parts of text", ("text",), API, [_message(_text("One."), _text("Two."))], said(Text("One."), Text("Two."))
    ),
    answer(
        "length",
        ("stop reasons",),
        API,
        [_message(_text())],
        said(_HELLO, finish="length", detail={"reason": "max_output_tokens"}),
        status="incomplete",
        incomplete_details={"reason": "max_output_tokens"},
    ),
    answer(
        "content_filter",
        ("stop reasons",),
        API,
        [],
        said(finish="content_filter", detail={"reason": "content_filter"}),
        status="incomplete",
        incomplete_details={"reason": "content_filter"},
    ),
    answer(
        "a refusal",
        ("stop reasons",),
        API,
        [_message({"type": "refusal", "refusal": "I cannot."})],
        said(Text("I cannot."), finish="content_filter"),
    ),
    answer("one call", ("tools",), TOOLS, [_ROME], said(_ROME_CALL, finish="tool_call")),
    answer(
        "text, then two calls",
        ("parallel tools",),
        TOOLS,
        [_message(_text()), _ROME, _OSLO],
        said(_HELLO, _ROME_CALL, _OSLO_CALL, finish="tool_call"),
    ),
    answer(
        "arguments that come only when they are done (litellm#25321)",
        ("tools",),
        TOOLS,
        [_ROME],
        said(_ROME_CALL, finish="tool_call"),
        deltas=False,
    ),
    answer(
        "the JSON tool",
        ("structured output",),
        TOOLS,
        [{**_ROME, "name": "respond", "arguments": '{"name":"Ann"}'}],
        said(Text('{"name":"Ann"}')),
        json_tool=True,
    ),
    answer(
        "reasoning with a summary",
        ("reasoning",),
        REASONING,
        [_REASONED, _message(_text())],
        said(Thought(None, "gAAAA+/enc=", _REASONED["summary"], "openai", {"id": "rs_1"}), _HELLO),
    ),
    answer(
        "reasoning that is shown, of an open model",
        ("reasoning",),
        REASONING,
        [
            {
                **_REASONED,
                "summary": [],
                "encrypted_content": None,
                "content": [{"type": "reasoning_text", "text": "Hm."}],
            },
            _message(_text()),
        ],
        said(Thought("Hm.", None, None, "openai", {"id": "rs_1"}), _HELLO),
    ),
    answer(
        "cached and reasoning tokens",
        ("cache tokens", "usage"),
        API,
        [_message(_text())],
        said(_HELLO, usage=Usage(10, 5, 8, None, 3)),
        usage=_CACHED,
    ),
    answer("web search", ("provider tools",), SEARCH, [_SEARCHED, _message(_text())], said(Unknown(_SEARCHED), _HELLO)),
]


def _broken(name: str, stream: bytes, **fields: Any) -> BrokenStream:
    partial = Reply((Text("Hello"),), Usage(), None, model="served-model", request_id="resp_1")
    return BrokenStream(
        name, "openai", ("errors",), STREAMING, fields=FIELDS, stream=stream, **{"partial": partial, **fields}
    )


_CREATED = {"type": "response.created", "response": body([], "in_progress", None)}
_BEGUN = (_CREATED, *pieces(0, _message(_text()))[:3])
_FAILED = body([], "failed", None, error={"code": "server_error", "message": "The server had an error."})
_QUOTA = body([], "failed", None, error={"code": "insufficient_quota", "message": "No money left."})
_ONLY_ITEMS = [
    {"type": "response.output_item.done", "output_index": 0, "item": _message(_text())},
    {"type": "response.output_item.done", "output_index": 1, "item": _REASONED},
    {"type": "response.output_item.done", "output_index": 2, "item": _ROME},
    {"type": "response.completed", "response": body([], usage=USAGE)},
]

CASES: tuple[AnyCase, ...] = (
    *GOLDENS,
    *ANSWERS,
    Answer(
        "items that come only when they are done, and [DONE]",
        "openai",
        ("stream",),
        STREAMING,
        fields=FIELDS,
        read=READ,
        reply=said(
            _HELLO,
            Thought(None, "gAAAA+/enc=", _REASONED["summary"], "openai", {"id": "rs_1"}),
            _ROME_CALL,
            finish="tool_call",
        ),
        stream=events(*_ONLY_ITEMS) + b"data: [DONE]\n\n",
    ),
    _broken(
        "failed in the middle",
        events(*_BEGUN, {"type": "response.failed", "response": _FAILED}),
        says="The server had an error.",
    ),
    _broken(
        "no money left in the middle",
        events(*_BEGUN, {"type": "response.failed", "response": _QUOTA}),
        says="No money left.",
        retryable=False,
    ),
    _broken(
        "an error event",
        events(*_BEGUN, {"type": "error", "code": "server_error", "message": "Oh no.", "param": None}),
        says="Oh no.",
    ),
    _broken("cut in the middle", events(*_BEGUN), error=Truncated, says="response.completed"),
    _broken("garbage in the middle", events(*_BEGUN) + b"data: {]\n\n", error=BadAnswer),
    _broken(
        "a whole error instead of a stream",
        msgspec.json.encode({"error": {"message": "Slow down.", "type": "requests", "code": "rate_limit_exceeded"}}),
        error=Refused,
        says="Slow down.",
        partial=Reply((), Usage(), None),
    ),
    *(
        Failure(
            f"{status}",
            "openai",
            ("errors",),
            API,
            fields=FIELDS,
            status=status,
            body=msgspec.json.encode({"error": {"message": f"said {status}", "type": "x", "code": None}}),
            says=f"answered {status}: said {status}",
            retryable=status in (429, 500),
        )
        for status in (400, 401, 404, 429, 500)
    ),
    Unservable(
        "sound",
        "openai",
        (),
        API,
        fields=FIELDS,
        call=ModelCall(None, (user(File(data="aGk=", mime_type="audio/mpeg")),)),
        says="audio/mpeg",
    ),
    Golden(
        "verbosity beside a schema",
        "openai",
        ("structured output",),
        OUTPUTS,
        fields=FIELDS,
        call=ModelCall(None, HELLO, Params(verbosity="high"), json_mode="strict", output_schema=PERSON),
        url=URL,
        body={
            "model": "the-model",
            "input": SENT_HELLO,
            "text": {
                "format": {"type": "json_schema", "name": "response", "strict": True, "schema": PERSON},
                "verbosity": "high",
            },
        },
    ),
)
