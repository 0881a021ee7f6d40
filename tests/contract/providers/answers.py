"""Answers as the vendors document them, whole and streamed, with what they mean.

Written by hand after the pages named in `docs`; no recording of a live service is among them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from calibrant.types.content import OutputBlock, Text, Thought, ToolCall, Unknown
from calibrant.types.reply import FinishReason

_OPENAI = "platform.openai.com/docs/api-reference/chat"
_OPENAI_STREAM = "platform.openai.com/docs/api-reference/chat-streaming"


@dataclass(frozen=True)
class Answer:
    """What one vendor answers, in both forms, and what it means in ours."""

    name: str
    kind: str
    docs: str
    content: tuple[OutputBlock, ...]
    finish: FinishReason | None = "stop"
    tokens: tuple[int | None, int | None] = (10, 5)
    cached: int | None = None
    reasoning: int | None = None
    message: dict[str, Any] | None = None
    word: str | None = "stop"
    """The vendor's finish reason."""
    usage: dict[str, Any] | None = field(
        default_factory=lambda: {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    )
    deltas: tuple[dict[str, Any], ...] = ()
    events: tuple[dict[str, Any], ...] | None = None
    """The whole events, where deltas and the usual end do not say it."""
    usage_with_finish: bool = False
    done: bool = True
    newline: bytes = b"\n"
    comments: bool = False
    openai_types: bool = True
    """Whether OpenAI's own types can read it."""
    options: dict[str, Any] = field(default_factory=dict)

    def whole(self) -> bytes:
        """Return the body of the answer that is not streamed."""
        choice = {"index": 0, "message": {"role": "assistant", **(self.message or {})}, "finish_reason": self.word}
        body: dict[str, Any] = {
            "id": "answer-1",
            "object": "chat.completion",
            "created": 1_767_225_600,
            "model": "served-model",
            "choices": [choice],
            "system_fingerprint": "fp_1",
        }
        if self.usage is not None:
            body["usage"] = self.usage
        return msgspec.json.encode(body)

    def chunks(self) -> list[dict[str, Any]]:
        """Return the events of the stream."""
        if self.events is not None:
            return list(self.events)
        found = [event([_choice(delta)]) for delta in ({"role": "assistant", "content": ""}, *self.deltas)]
        last = event([_choice({}, self.word)])
        if self.usage_with_finish:
            return [*found, {**last, "usage": self.usage}]
        return [*found, last, {**event([]), "usage": self.usage}]

    def stream(self) -> bytes:
        """Return the bytes of the stream."""
        end = self.newline * 2
        parts = [b"data: " + msgspec.json.encode(chunk) for chunk in self.chunks()]
        if self.done:
            parts.append(b"data: [DONE]")
        if self.comments:
            parts = [piece for part in parts for piece in (b": OPENROUTER PROCESSING", part)]
        return b"".join(part + end for part in parts)


def event(choices: list[dict[str, Any]]) -> dict[str, Any]:
    """Return an event around choices."""
    return {
        "id": "answer-1",
        "object": "chat.completion.chunk",
        "created": 1_767_225_600,
        "model": "served-model",
        "system_fingerprint": "fp_1",
        "choices": choices,
    }


def _choice(delta: dict[str, Any], word: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": word}


def _call(own_id: str | None, name: str | None, arguments: Any, index: int | None = None) -> dict[str, Any]:
    call: dict[str, Any] = {} if index is None else {"index": index}
    if own_id is not None:
        call |= {"id": own_id, "type": "function"}
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return {**call, "function": function}


_TWO_CALLS = (
    ToolCall("call_a", "get_weather", '{"city":"Rome"}'),
    ToolCall("call_b", "get_time", "{}"),
)
_TWO_CALLS_WHOLE = {
    "content": None,
    "tool_calls": [
        {"id": "call_a", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'}},
        {"id": "call_b", "type": "function", "function": {"name": "get_time", "arguments": "{}"}},
    ],
}

ANSWERS = (
    Answer(
        name="text",
        kind="openai",
        docs=_OPENAI_STREAM,
        content=(Text("Hello, wörld 🌍!"),),
        message={"content": "Hello, wörld 🌍!", "refusal": None, "annotations": []},
        deltas=({"content": "Hello"}, {"content": ", wör"}, {"content": "ld 🌍!"}),
        usage={
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
        },
        cached=8,
        reasoning=2,
    ),
    Answer(
        name="length",
        kind="openai",
        docs=_OPENAI,
        content=(Text("Hel"),),
        message={"content": "Hel"},
        deltas=({"content": "Hel"},),
        word="length",
        finish="length",
    ),
    Answer(
        name="two calls, streamed in turn",
        kind="openai",
        docs=_OPENAI_STREAM,
        content=_TWO_CALLS,
        message=_TWO_CALLS_WHOLE,
        deltas=(
            {"tool_calls": [_call("call_a", "get_weather", "", 0)]},
            {"tool_calls": [_call(None, None, '{"city"', 0)]},
            {"tool_calls": [_call(None, None, ':"Rome"}', 0)]},
            {"tool_calls": [_call("call_b", "get_time", "", 1)]},
            {"tool_calls": [_call(None, None, "{}", 1)]},
        ),
        word="tool_calls",
        finish="tool_call",
    ),
    Answer(
        name="two calls, streamed at once",
        kind="xai",
        docs="docs.x.ai/docs/guides/function-calling: a call comes whole in one chunk",
        content=_TWO_CALLS,
        message=_TWO_CALLS_WHOLE,
        deltas=(
            {
                "tool_calls": [
                    _call("call_a", "get_weather", '{"city":"Rome"}', 0),
                    _call("call_b", "get_time", "{}", 1),
                ]
            },
        ),
        word="tool_calls",
        finish="tool_call",
    ),
    Answer(
        name="two calls, every one numbered 0",
        kind="mistral",
        docs="docs.mistral.ai/api: calls come whole; servers that number each of them 0 are common",
        content=_TWO_CALLS,
        message=_TWO_CALLS_WHOLE,
        deltas=(
            {"tool_calls": [_call("call_a", "get_weather", '{"city":', 0)]},
            {"tool_calls": [_call("", None, '"Rome"}', 0)]},
            {"tool_calls": [_call("call_b", "get_time", "{}", 0)]},
        ),
        word="tool_calls",
        finish="tool_call",
        usage_with_finish=True,
    ),
    Answer(
        name="two calls without numbers",
        kind="openrouter",
        docs="seen behind routers: no index at all",
        content=_TWO_CALLS,
        message=_TWO_CALLS_WHOLE,
        deltas=(
            {"tool_calls": [_call("call_a", "get_weather", '{"city":')]},
            {"tool_calls": [_call(None, None, '"Rome"}')]},
            {"tool_calls": [_call("call_b", "get_time", "{}")]},
        ),
        word="tool_calls",
        finish="tool_call",
        comments=True,
        openai_types=False,
    ),
    Answer(
        name="the id and the name in every piece",
        kind="sglang",
        docs="docs.sglang.io/docs/advanced_features/tool_parser",
        content=_TWO_CALLS,
        message=_TWO_CALLS_WHOLE,
        deltas=(
            {"tool_calls": [_call("call_a", "get_weather", '{"city":', 0)]},
            {"tool_calls": [_call("call_a", "get_weather", '"Rome"}', 0)]},
            {"tool_calls": [_call("call_b", "get_time", "{}", 1)]},
        ),
        word="tool_calls",
        finish="tool_call",
    ),
    Answer(
        name="calls without ids, and arguments as an object",
        kind="vllm",
        docs="seen with tool parsers of open servers",
        content=(
            ToolCall("call_0", "get_weather", '{"city":"Rome"}'),
            ToolCall("call_1", "get_time", ""),
        ),
        message={
            "tool_calls": [
                {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Rome"}}},
                {"type": "function", "function": {"name": "get_time"}},
            ]
        },
        deltas=(
            {"tool_calls": [{"index": 0, "function": {"name": "get_weather", "arguments": {"city": "Rome"}}}]},
            {"tool_calls": [{"index": 1, "function": {"name": "get_time"}}]},
        ),
        word="tool_calls",
        finish="tool_call",
        openai_types=False,
    ),
    Answer(
        name="two calls with one id",
        kind="openai",
        docs="seen with servers that take the function's name for the id",
        content=(ToolCall("f", "f", "{}"), ToolCall("f_1", "f", '{"a":1}')),
        message={"tool_calls": [_call("f", "f", "{}"), _call("f", "f", '{"a":1}')]},
        deltas=({"tool_calls": [_call("f", "f", "{}", 0)]}, {"tool_calls": [_call("f", "f", '{"a":1}', 1)]}),
        word="tool_calls",
        finish="tool_call",
    ),
    Answer(
        name="text, then a call",
        kind="openai",
        docs=_OPENAI,
        content=(Text("Looking."), ToolCall("c", "get_time", "{}")),
        message={"content": "Looking.", "tool_calls": [_call("c", "get_time", "{}")]},
        deltas=({"content": "Looking."}, {"tool_calls": [_call("c", "get_time", "{}", 0)]}),
        word="tool_calls",
        finish="tool_call",
    ),
    Answer(
        name="the JSON tool",
        kind="openai",
        docs=_OPENAI,
        content=(Text('{"name":"Ann"}'),),
        message={"content": None, "tool_calls": [_call("c", "respond", '{"name":"Ann"}')]},
        deltas=(
            {"tool_calls": [_call("c", "respond", "", 0)]},
            {"tool_calls": [_call(None, None, '{"name":', 0)]},
            {"tool_calls": [_call(None, None, '"Ann"}', 0)]},
        ),
        word="tool_calls",
        finish="stop",
    ),
    Answer(
        name="refusal",
        kind="openai",
        docs="platform.openai.com/docs/guides/structured-outputs#refusals",
        content=(Text("I cannot help with that."),),
        message={"content": None, "refusal": "I cannot help with that."},
        deltas=({"refusal": "I cannot "}, {"refusal": "help with that."}),
        finish="content_filter",
    ),
    Answer(
        name="reasoning_content",
        kind="deepseek",
        docs="api-docs.deepseek.com/guides/thinking_mode",
        content=(Thought("Let me see. Yes.", provider_type="deepseek"), Text("9.8 is greater.")),
        message={"reasoning_content": "Let me see. Yes.", "content": "9.8 is greater."},
        deltas=(
            {"reasoning_content": "Let me see.", "content": None},
            {"reasoning_content": " Yes.", "content": None},
            {"content": "9.8 is ", "reasoning_content": None},
            {"content": "greater.", "reasoning_content": None},
        ),
        usage={
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "prompt_cache_hit_tokens": 4,
            "prompt_cache_miss_tokens": 6,
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        cached=4,
        reasoning=3,
        usage_with_finish=True,
    ),
    Answer(
        name="insufficient_system_resource",
        kind="deepseek",
        docs="api-docs.deepseek.com/api/create-chat-completion",
        content=(Text("9"),),
        message={"content": "9"},
        deltas=({"content": "9"},),
        word="insufficient_system_resource",
        finish="unknown",
        openai_types=False,
    ),
    Answer(
        name="reasoning",
        kind="vllm",
        docs="docs.vllm.ai/en/v0.26.0/features/reasoning_outputs",
        content=(Thought("Hm.", provider_type="vllm"), Text("Yes.")),
        message={"reasoning": "Hm.", "content": "Yes."},
        deltas=({"reasoning": "H"}, {"reasoning": "m."}, {"content": "Yes."}),
    ),
    Answer(
        name="x_groq.usage",
        kind="groq",
        docs="console.groq.com/docs/api-reference",
        content=(Thought("Hm.", provider_type="groq"), Text("Yes.")),
        message={"reasoning": "Hm.", "content": "Yes."},
        usage={
            "queue_time": 0.05,
            "prompt_tokens": 10,
            "prompt_time": 0.01,
            "completion_tokens": 5,
            "completion_time": 0.02,
            "total_tokens": 15,
            "total_time": 0.03,
        },
        events=(
            {**event([_choice({"role": "assistant", "content": ""})]), "x_groq": {"id": "req_1"}},
            event([_choice({"reasoning": "Hm."})]),
            event([_choice({"content": "Yes."})]),
            {
                **event([_choice({}, "stop")]),
                "x_groq": {
                    "id": "req_1",
                    "usage": {
                        "queue_time": 0.05,
                        "prompt_tokens": 10,
                        "prompt_time": 0.01,
                        "completion_tokens": 5,
                        "completion_time": 0.02,
                        "total_tokens": 15,
                        "total_time": 0.03,
                    },
                },
            },
        ),
    ),
    Answer(
        name="thinking parts",
        kind="mistral",
        docs="docs.mistral.ai/capabilities/reasoning",
        content=(Thought("Hm. So.", provider_type="mistral"), Text("Yes, it is.")),
        message={
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}, {"type": "text", "text": " So."}]},
                {"type": "text", "text": "Yes, it is."},
            ]
        },
        deltas=(
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]},
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": " So."}]}]},
            {"content": [{"type": "text", "text": "Yes,"}]},
            {"content": " it is."},
        ),
        usage_with_finish=True,
        openai_types=False,
    ),
    Answer(
        name="parts of other kinds",
        kind="mistral",
        docs="docs.mistral.ai/api: ReferenceChunk",
        content=(Text("See"), Unknown({"type": "reference", "reference_ids": [1]})),
        message={
            "content": [{"type": "text", "text": "See"}, {"type": "reference", "reference_ids": [1]}],
        },
        deltas=({"content": "See"}, {"content": [{"type": "reference", "reference_ids": [1]}]}),
        openai_types=False,
    ),
    Answer(
        name="think blocks",
        kind="together",
        docs="docs.together.ai/docs/reasoning-overview",
        content=(Thought("So it is\n2.", provider_type="together"), Text("The answer: 2")),
        message={"content": "<think>\nSo it is\n2.\n</think>\n\nThe answer: 2"},
        deltas=tuple(
            {"content": piece}
            for piece in (
                "<th",
                "ink",
                ">\n",
                "So it",
                " is\n",
                "2.",
                "\n<",
                "/thin",
                "k>",
                "\n",
                "\nThe ",
                "answer: 2",
            )
        ),
        word="eos",
        usage_with_finish=True,
        openai_types=False,
    ),
    Answer(
        name="no end of thinking",
        kind="fireworks",
        docs="docs.fireworks.ai/guides/reasoning",
        content=(Thought("I wonder", provider_type="fireworks"),),
        message={"content": "<think>I wonder "},
        deltas=({"content": "<think>"}, {"content": "I wonder "}),
        word="length",
        finish="length",
    ),
    Answer(
        name="think blocks turned off",
        kind="together",
        docs="docs.together.ai/docs/reasoning-overview",
        content=(Text("<think>a</think>b"),),
        message={"content": "<think>a</think>b"},
        deltas=({"content": "<think>a"}, {"content": "</think>b"}),
        options={"parse_think_blocks": False},
    ),
    Answer(
        name="reasoning counted apart",
        kind="xai",
        docs="docs.x.ai/docs/guides/reasoning",
        content=(Thought("Hm.", provider_type="xai"), Text("Yes.")),
        message={"reasoning_content": "Hm.", "content": "Yes."},
        deltas=({"reasoning_content": "Hm."}, {"content": "Yes."}),
        usage={
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 115,
            "prompt_tokens_details": {"cached_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 100},
        },
        tokens=(10, 105),
        cached=1,
        reasoning=100,
    ),
    Answer(
        name="comments, CRLF and usage beside the last choice",
        kind="openrouter",
        docs="openrouter.ai/docs/api-reference/streaming",
        content=(Text("Hi"),),
        message={"content": "Hi"},
        deltas=({"content": "H"}, {"content": "i"}),
        usage_with_finish=True,
        comments=True,
        newline=b"\r\n",
    ),
    Answer(
        name="no [DONE]",
        kind="openai",
        docs="a fault that servers have: the finish reason came, the marker did not",
        content=(Text("Hi"),),
        message={"content": "Hi"},
        deltas=({"content": "Hi"},),
        done=False,
    ),
    Answer(
        name="stop_sequence and no usage",
        kind="tgi",
        docs="huggingface.co/docs/text-generation-inference/messages_api",
        content=(Text("Hi"),),
        message={"content": "Hi"},
        events=(event([_choice({"content": "Hi"})]), event([_choice({}, "stop_sequence")])),
        word="stop_sequence",
        finish="stop_sequence",
        usage=None,
        tokens=(None, None),
        openai_types=False,
    ),
    Answer(
        name="a finish reason nobody knows",
        kind="hyperbolic",
        docs="docs.hyperbolic.xyz/docs/rest-api",
        content=(Text("Hi"),),
        message={"content": "Hi"},
        deltas=({"content": "Hi"},),
        word="abort",
        finish="unknown",
        openai_types=False,
    ),
    Answer(
        name="content_filter and nothing said",
        kind="openai",
        docs=_OPENAI,
        content=(),
        message={"content": ""},
        word="content_filter",
        finish="content_filter",
    ),
)
