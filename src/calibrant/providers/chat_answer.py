"""From the body of a whole answer to a `Reply`; and what chunks read the same way: usage, finish reasons.

`Reply.request_id` is the body's `id`, so that a stream has it too; the header `x-request-id` stands in.
"""

from __future__ import annotations

from typing import Any

import msgspec

from calibrant.apischema.openai_chat import AnswerMessage, AnswerToolCall, ChatAnswer, ChatUsage, ChoiceEnd, TextPiece
from calibrant.providers.base import JSON_TOOL
from calibrant.providers.reasoning_details import DETAILS
from calibrant.providers.refusal import UNREADABLE, bad_answer, refusal_in, refusal_within
from calibrant.providers.think import ThinkSplitter
from calibrant.types.call import Headers
from calibrant.types.content import OutputBlock, Text, Thought, ToolCall, Unknown
from calibrant.types.reply import FinishReason, Reply, Usage

__all__ = [
    "called",
    "decode_answer",
    "finish_detail",
    "finish_reason",
    "mixed_content",
    "present",
    "settled_finish",
    "unique_id",
    "usage",
]

_decoder = msgspec.json.Decoder(ChatAnswer)
_usage_decoder = msgspec.json.Decoder(ChatUsage)
_encode = msgspec.json.Encoder().encode

_ABSENT = msgspec.Raw()
_NULL = msgspec.Raw(b"null")

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",  # Together
    "eos_token": "stop",  # TGI
    "stop_sequence": "stop_sequence",
    "length": "length",
    "model_length": "length",  # Mistral
    "tool_calls": "tool_call",
    "function_call": "tool_call",
    "content_filter": "content_filter",
}


def decode_answer(
    provider: str,
    provider_type: str,
    status: int,
    headers: Headers,
    body: bytes,
    *,
    think_blocks: bool,
    json_tool: bool,
) -> Reply:
    """Return the whole answer.

    Raises:
        Refused: the body is an error after all.
        BadAnswer: the body is not a chat completion.
    """
    try:
        answer = _decoder.decode(body)
    except UNREADABLE as error:
        raise refusal_in(provider, status, body) or bad_answer(
            provider, status, body, f"the answer is not a chat completion: {error}"
        ) from None
    if not answer.choices or present(answer.error):
        raise refusal_in(provider, status, body) or bad_answer(provider, status, body, "the answer has no choices")
    choice = answer.choices[0]
    if present(choice.error):
        raise refusal_within(provider, choice.error, body)
    content, only_json = _content(choice.message, provider_type, think_blocks=think_blocks, json_tool=json_tool)
    finish = finish_reason(choice, provider_type)
    if only_json or choice.message.refusal:
        finish = settled_finish(finish, refused=bool(choice.message.refusal), only_json=only_json)
    return Reply(
        content=content,
        usage=usage(answer.usage) or Usage(),
        finish_reason=finish,
        raw=body,
        model=answer.model or None,
        fingerprint=answer.system_fingerprint or None,
        request_id=answer.id or next((value for name, value in headers if name == "x-request-id"), None),
        finish_detail=finish_detail(finish, choice.content_filter_results),
    )


def finish_reason(choice: ChoiceEnd, provider_type: str) -> FinishReason | None:
    """Return our word for why the model stopped."""
    word = choice.finish_reason
    if word is None:
        return None
    reason = _FINISH.get(word, "unknown")
    if reason == "stop" and _at_a_sequence(choice, provider_type):
        return "stop_sequence"
    return reason


def _at_a_sequence(choice: ChoiceEnd, provider_type: str) -> bool:
    # Elsewhere `stop` stands for both, and the caller's sequences are not in the answer.
    return choice.native_finish_reason == "stop_sequence" or (
        provider_type == "vllm" and isinstance(choice.stop_reason, str)
    )


def finish_detail(finish: FinishReason | None, verdict: msgspec.Raw) -> bytes:
    """Return what a content filter found (Azure's `content_filter_results`), where it stopped the answer."""
    return bytes(verdict) if finish == "content_filter" and present(verdict) else b""


def settled_finish(finish: FinishReason | None, *, refused: bool, only_json: bool) -> FinishReason | None:
    """Return why the model stopped, where a refusal and the JSON tool have been given their due."""
    if refused and finish == "stop":
        return "content_filter"
    if only_json and finish == "tool_call":
        return "stop"
    return finish


def present(raw: msgspec.Raw) -> bool:
    """Return whether the field was there and not null."""
    return raw != _ABSENT and raw != _NULL


def usage(raw: msgspec.Raw) -> Usage | None:
    """Return the usage, or null where there is none. A usage that cannot be read is kept as it came."""
    if not present(raw):
        return None
    text = bytes(raw)
    try:
        found = _usage_decoder.decode(text)
    except UNREADABLE:
        return Usage(raw=text)
    prompt, completion = found.prompt_tokens_details, found.completion_tokens_details
    cached = prompt.cached_tokens if prompt is not None else None
    reasoning = completion.reasoning_tokens if completion is not None else None
    if reasoning is None:
        reasoning = found.reasoning_tokens
    return Usage(
        input_tokens=found.prompt_tokens,
        output_tokens=_output_tokens(found, reasoning) if reasoning else found.completion_tokens,
        cache_read_tokens=found.prompt_cache_hit_tokens if cached is None else cached,
        cache_write_tokens=None if prompt is None else prompt.cache_write_tokens,
        reasoning_tokens=reasoning,
        raw=text,
    )


def _output_tokens(found: ChatUsage, reasoning: int) -> int | None:
    output, prompt = found.completion_tokens, found.prompt_tokens
    if output is None or prompt is None:
        return output
    # xAI counts reasoning beside the completion; the total gives it away.
    return output + reasoning if found.total_tokens == prompt + output + reasoning else output


def unique_id(id: str | None, taken: set[str], place: int) -> str:  # noqa: A002 - the wire's own word
    """Return an id for the tool call at this place: its own, unless it has none or shares it with another."""
    own = id or f"call_{place}"
    while own in taken:
        own = f"{own}_{place}"
    taken.add(own)
    return own


def _arguments_text(arguments: str | dict[str, Any] | None) -> str:
    """Return a call's arguments as the JSON text that they should have been."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else _encode(arguments).decode()


def called(call: AnswerToolCall) -> tuple[str | None, str]:
    """Return the name that a call has, and its arguments, or the text where it calls a custom tool."""
    custom, function = call.custom, call.function
    if custom is not None:
        return custom.name or None, custom.input or ""
    return (None, "") if function is None else (function.name or None, _arguments_text(function.arguments))


def mixed_content(parts: list[dict[str, Any]]) -> tuple[str, str, list[Any]]:
    """Return the reasoning, the text and the parts of other kinds in a content that is a list (Mistral)."""
    thought: list[str] = []
    text: list[str] = []
    others: list[Any] = []
    for part in parts:
        kind = part.get("type")
        if kind == "text":
            text += _texts([part])
        elif kind == "thinking":
            thought += _texts(part.get("thinking"))
        else:
            others.append(part)
    return "".join(thought), "".join(text), others


def _texts(parts: Any) -> list[str]:
    if isinstance(parts, str):
        return [parts]
    try:
        return [part.text for part in msgspec.convert(parts, list[TextPiece]) if part.text is not None]
    except msgspec.ValidationError:
        return []


def _content(
    message: AnswerMessage, provider_type: str, *, think_blocks: bool, json_tool: bool
) -> tuple[tuple[OutputBlock, ...], bool]:
    thought = message.reasoning_content or message.reasoning or ""
    content = message.content
    others: list[Any] = []
    if isinstance(content, list):
        inner, text, others = mixed_content(content)
        thought += inner
    else:
        text = content or ""
    if think_blocks and text:
        inner, text = _split(text)
        thought += inner
    text += message.refusal or ""
    blocks: list[OutputBlock] = []
    if thought or message.reasoning_details:
        details = message.reasoning_details
        extra = {DETAILS: details} if details else None
        blocks.append(Thought(thought or None, provider_type=provider_type, extra_data=extra))
    if text:
        blocks.append(Text(text))
    blocks += [Unknown(part) for part in others]
    if not message.tool_calls:
        return tuple(blocks), False
    calls = _calls(message.tool_calls, json_tool=json_tool)
    return (*blocks, *calls), not any(isinstance(call, ToolCall) for call in calls)


def _split(text: str) -> tuple[str, str]:
    splitter = ThinkSplitter()
    found = {"thought": "", "text": ""}
    for kind, piece in splitter.feed(text) + splitter.close():
        found[kind] += piece
    return found["thought"], found["text"]


def _calls(calls: list[AnswerToolCall], *, json_tool: bool) -> list[OutputBlock]:
    blocks: list[OutputBlock] = []
    taken: set[str] = set()
    for place, call in enumerate(calls):
        name, arguments = called(call)
        own_id = unique_id(call.id, taken, place)
        if json_tool and name == JSON_TOOL:
            blocks.append(Text(arguments))
        else:
            blocks.append(ToolCall(own_id, name or "", arguments))
    return blocks
