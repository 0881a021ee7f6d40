"""Tools that are called with text, and a choice among some tools: natively at OpenAI, or refused and narrowed."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.contract.providers import answers as given
from tests.contract.providers.calls import CLOCK, HELLO, WEATHER, user
from tests.contract.providers.cases import Answer, AnyCase, Golden, Unservable
from tests.contract.providers.dialects import (
    anthropic,
    bedrock,
    gemini,
    openai_chat,
    openai_responses,
    sagemaker,
)

from calibrant.config.vendors import VENDORS
from calibrant.providers.compatible import COMPATIBLE
from calibrant.types.call import ModelCall
from calibrant.types.content import Text, ToolCall, ToolResult
from calibrant.types.message import Message
from calibrant.types.reply import Reply, Usage
from calibrant.types.request import Params
from calibrant.types.tool import CustomTool, Grammar, Specific, ToolConfig

CHAT = "platform.openai.com/docs/api-reference/chat/create"
GUIDE = "platform.openai.com/docs/guides/function-calling#custom-tools"
READ = "2026-11-28"
SQL = CustomTool("run_sql", "Runs a query", Grammar("lark", 'start: "SELECT 1"'))
NOTE = CustomTool("note")
BOTH = ToolConfig((WEATHER,), custom=(SQL, NOTE))
LIMITED = Params(max_tokens=100)
TALK = (
    user(Text("One?")),
    Message("assistant", (ToolCall("call_1", "run_sql", "SELECT 1"), ToolCall("call_2", "get_weather", "{}"))),
    user(ToolResult("call_1", "run_sql", "1"), ToolResult("call_2", "get_weather", "sun")),
)
SOME = ToolConfig((WEATHER, CLOCK), custom=(SQL,), allowed=("get_time", "run_sql"))
"""Of three tools, two."""
SOME_FUNCTIONS = ToolConfig((WEATHER, CLOCK), allowed=("get_time",))

_CHAT_TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city",
            "parameters": WEATHER.parameters,
            "strict": True,
        },
    },
    {
        "type": "function",
        "function": {"name": "get_time", "description": "The time of day", "parameters": CLOCK.parameters},
    },
]
_GRAMMAR = {"syntax": "lark", "definition": 'start: "SELECT 1"'}
_CHAT_SQL = {
    "type": "custom",
    "custom": {
        "name": "run_sql",
        "description": "Runs a query",
        "format": {"type": "grammar", "grammar": _GRAMMAR},
    },
}
_CHAT_NOTE = {"type": "custom", "custom": {"name": "note"}}
_SQL = {"type": "custom", "name": "run_sql", "description": "Runs a query", "format": {"type": "grammar", **_GRAMMAR}}


def _chat(name: str, covers: tuple[str, ...], call: ModelCall, **body: Any) -> Golden:
    sent = {"model": "the-model", "messages": [{"role": "user", "content": "Hello"}]} | body
    url = "https://api.openai.com/v1/chat/completions"
    return Golden(name, "openai", covers, CHAT, call=call, url=url, body=sent)


def _responses(name: str, covers: tuple[str, ...], call: ModelCall, **body: Any) -> Golden:
    sent = {"model": "the-model", "input": openai_responses.SENT_HELLO} | body
    return Golden(
        name,
        "openai",
        covers,
        openai_responses.TOOLS,
        fields=openai_responses.FIELDS,
        call=call,
        url=openai_responses.URL,
        body=sent,
    )


def _asked(tools: ToolConfig, choice: Any = "auto") -> ModelCall:
    return ModelCall(None, HELLO, tools=msgspec.structs.replace(tools, choice=choice))


_OPENAI: tuple[AnyCase, ...] = (
    _chat(
        "custom tools and a conversation that has used one",
        ("custom tools", "tools"),
        ModelCall(None, TALK, tools=BOTH),
        tools=[_CHAT_TOOLS[0], _CHAT_SQL, _CHAT_NOTE],
        messages=[
            {"role": "user", "content": "One?"},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "call_1", "type": "custom", "custom": {"name": "run_sql", "input": "SELECT 1"}},
                    {"id": "call_2", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}},
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "1"},
            {"role": "tool", "tool_call_id": "call_2", "content": "sun"},
        ],
    ),
    _chat(
        "a forced custom tool",
        ("custom tools", "forced tools"),
        _asked(BOTH, Specific("note")),
        tools=[_CHAT_TOOLS[0], _CHAT_SQL, _CHAT_NOTE],
        tool_choice={"type": "custom", "custom": {"name": "note"}},
    ),
    _chat(
        "all tools, some of which may be called",
        ("allowed tools", "custom tools"),
        _asked(SOME, "required"),
        tools=[*_CHAT_TOOLS, _CHAT_SQL],
        tool_choice={
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "required",
                "tools": [
                    {"type": "function", "function": {"name": "get_time"}},
                    {"type": "custom", "custom": {"name": "run_sql"}},
                ],
            },
        },
    ),
    _chat(
        "one of some tools is forced",
        ("allowed tools",),
        _asked(SOME_FUNCTIONS, Specific("get_time")),
        tools=_CHAT_TOOLS,
        tool_choice={"type": "function", "function": {"name": "get_time"}},
    ),
    _chat("none of some", ("allowed tools",), _asked(SOME_FUNCTIONS, "none"), tools=_CHAT_TOOLS, tool_choice="none"),
    _chat(
        "a choice among the provider's own tools",
        ("provider tools", "forced tools"),
        ModelCall(None, HELLO, tools=ToolConfig(choice="required"), provider_tools=({"type": "web_search"},)),
        tools=[{"type": "web_search"}],
        tool_choice="required",
    ),
    _chat("a choice among nothing", ("tools",), ModelCall(None, HELLO, tools=ToolConfig(choice="required"))),
    _responses(
        "custom tools and a conversation that has used one",
        ("custom tools", "tools"),
        ModelCall(None, TALK, tools=ToolConfig((WEATHER,), custom=(SQL, NOTE))),
        tools=[openai_responses.WEATHER, _SQL, {"type": "custom", "name": "note"}],
        input=[
            {"type": "message", "role": "user", "content": "One?"},
            {"type": "custom_tool_call", "call_id": "call_1", "name": "run_sql", "input": "SELECT 1"},
            {"type": "function_call", "call_id": "call_2", "name": "get_weather", "arguments": "{}"},
            {"type": "custom_tool_call_output", "call_id": "call_1", "output": "1"},
            {"type": "function_call_output", "call_id": "call_2", "output": "sun"},
        ],
    ),
    _responses(
        "a forced custom tool",
        ("custom tools", "forced tools"),
        _asked(ToolConfig(custom=(SQL,)), Specific("run_sql")),
        tools=[_SQL],
        tool_choice={"type": "custom", "name": "run_sql"},
    ),
    _responses(
        "all tools, some of which may be called",
        ("allowed tools", "custom tools"),
        _asked(SOME),
        tools=[openai_responses.WEATHER, openai_responses.CLOCK, _SQL],
        tool_choice={
            "type": "allowed_tools",
            "mode": "auto",
            "tools": [{"type": "function", "name": "get_time"}, {"type": "custom", "name": "run_sql"}],
        },
    ),
    _responses(
        "a choice among the provider's own tools",
        ("provider tools", "forced tools"),
        ModelCall(None, HELLO, tools=ToolConfig(choice="required"), provider_tools=({"type": "web_search"},)),
        tools=[{"type": "web_search"}],
        tool_choice="required",
    ),
)

_CALLED = given.Answer(
    name="a call of a custom tool",
    kind="openai",
    docs=GUIDE,
    content=(Text("Let me look."), ToolCall("call_1", "run_sql", 'SELECT "a"')),
    finish="tool_call",
    word="tool_calls",
    message={
        "content": "Let me look.",
        "tool_calls": [{"id": "call_1", "type": "custom", "custom": {"name": "run_sql", "input": 'SELECT "a"'}}],
    },
    deltas=(
        {"content": "Let me look."},
        {
            "tool_calls": [
                {"index": 0, "id": "call_1", "type": "custom", "custom": {"name": "run_sql", "input": ""}},
            ]
        },
        {"tool_calls": [{"index": 0, "custom": {"input": "SELECT "}}]},
        {"tool_calls": [{"index": 0, "custom": {"input": '"a"'}}]},
    ),
)
_MEANT = Reply(
    _CALLED.content,
    Usage(10, 5),
    "tool_call",
    model="served-model",
    fingerprint="fp_1",
    request_id="answer-1",
)


def _said(name: str, *, whole: bytes | None, stream: bytes | None, judge: str | None) -> Answer:
    return Answer(
        name, "openai", ("custom tools",), GUIDE, read=READ, reply=_MEANT, whole=whole, stream=stream, judge=judge
    )


_ITEM = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "run_sql", "input": 'SELECT "a"'}


def _written(*, deltas: bool) -> list[dict[str, Any]]:
    where = {"item_id": "ctc_1", "output_index": 0}
    pieces = [{"type": "response.custom_tool_call_input.delta", **where, "delta": part} for part in ("SELECT ", '"a"')]
    return [
        {"type": "response.created", "response": openai_responses.body([], "in_progress", None)},
        {"type": "response.output_item.added", "output_index": 0, "item": {**_ITEM, "input": ""}},
        *(pieces if deltas else ()),
        {"type": "response.custom_tool_call_input.done", **where, "input": _ITEM["input"]},
        {"type": "response.output_item.done", "output_index": 0, "item": _ITEM},
        {"type": "response.completed", "response": openai_responses.body([_ITEM])},
    ]


_ANSWERS: tuple[AnyCase, ...] = (
    _said("a call of a custom tool", whole=_CALLED.whole(), stream=None, judge="openai"),
    # OpenAI's own types know no piece of such a call.
    _said("a call of a custom tool, streamed", whole=None, stream=_CALLED.stream(), judge=None),
    *(
        Answer(
            f"a call of a custom tool, {how}",
            "openai",
            ("custom tools",),
            openai_responses.STREAMING,
            fields=openai_responses.FIELDS,
            read=READ,
            reply=openai_responses.said(ToolCall("call_1", "run_sql", 'SELECT "a"'), finish="tool_call"),
            whole=msgspec.json.encode(openai_responses.body([_ITEM])),
            stream=openai_responses.events(*_written(deltas=how == "in pieces")),
            judge="openai",
        )
        for how in ("in pieces", "at its end")
    ),
)


def _narrowing() -> list[AnyCase]:
    """Gemini is told of all where one must be called, and else of those alone."""
    declared = {"functionDeclarations": [gemini.DECLARED, gemini.CLOCK]}
    found: list[AnyCase] = []
    for kind, url in gemini.URLS.items():
        for choice, tools, config in (
            ("required", declared, {"mode": "ANY", "allowedFunctionNames": ["get_time"]}),
            (Specific("get_time"), declared, {"mode": "ANY", "allowedFunctionNames": ["get_time"]}),
            ("auto", {"functionDeclarations": [gemini.CLOCK]}, None),
        ):
            body: dict[str, Any] = {"contents": gemini.SENT_HELLO, "tools": [tools]}
            if config is not None:
                body["toolConfig"] = {"functionCallingConfig": config}
            found.append(
                Golden(
                    f"some of the tools, {choice}",
                    kind,
                    ("allowed tools",),
                    gemini.TOOLS,
                    fields=gemini.FIELDS[kind],
                    call=_asked(SOME_FUNCTIONS, choice),
                    url=f"{url}:generateContent",
                    body=body,
                )
            )
    return found


FIELDS: dict[str, dict[str, Any]] = {
    **anthropic.FIELDS,
    "aws_bedrock": bedrock.FIELDS,
    **gemini.FIELDS,
    **openai_chat.FIELDS,
    "aws_sagemaker": sagemaker.fields(),
}


def _refusals() -> list[AnyCase]:
    """Everybody else says that it has no such tool, and which; unless that may not be called anyway."""
    found: list[AnyCase] = []
    for kind in VENDORS:
        vendor = COMPATIBLE.get(kind)
        if kind == "openai" or (vendor is not None and not vendor.tools):
            continue
        call = ModelCall(None, HELLO, LIMITED, BOTH)
        found.append(
            Unservable(
                "a custom tool",
                kind,
                (),
                GUIDE,
                fields=FIELDS.get(kind, {}),
                call=call,
                says="has no custom tools, so it cannot be given 'run_sql'",
            )
        )
    return found


CASES: tuple[AnyCase, ...] = (*_OPENAI, *_ANSWERS, *_narrowing(), *_refusals())
