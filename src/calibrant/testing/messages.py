"""Anthropic's Messages API, from the provider's side: the same scripts, answered whole or as events.

Pure, and written apart from the gateway's own codecs, as `completion.py` is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from calibrant.testing.completion import ChatRequest, cut, text_of
from calibrant.testing.faults import Answer, Script, Tokens

__all__ = ["MESSAGE_STOP", "message", "message_error", "message_events"]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "overloaded_error",
}
_FINISH = {"length": "max_tokens", "stop": "end_turn", "tool_calls": "tool_use", "content_filter": "refusal"}
_SIGNATURE = "c2lnbmF0dXJl"

MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
"""The event that ends a stream."""


def message(request: ChatRequest, answer: Answer, number: int) -> bytes:
    """Return a whole answer as JSON."""
    content = [block for block, _ in _blocks(request, answer)]
    return _encode(_message(request, number, content, _finish(answer), answer.tokens))


def message_events(
    request: ChatRequest, script: Script, number: int, stamp: Callable[[], int]
) -> Iterator[bytes | float]:
    """Yield the events of a streamed answer and the waits between them; `message_stop` is left to the caller.

    Args:
        request: What was asked.
        script: What to answer, and at what pace.
        number: Makes the answer's id.
        stamp: The clock for `Pace.stamp`, read when a piece is due.
    """
    answer, pace = script.answer, script.pace
    started = None if answer.tokens is None else msgspec.structs.replace(answer.tokens, completion=1)
    yield _event("message_start", message=_message(request, number, [], None, started))
    for index, (block, key) in enumerate(_blocks(request, answer)):
        kind, value = block["type"], block[key]
        empty: Any = {} if kind == "tool_use" else ""
        yield _event("content_block_start", index=index, content_block={**block, key: empty})
        for place, piece in enumerate(_pieces(kind, value, script)):
            if kind == "text" and place and pace.interval_s:
                yield pace.interval_s
            said = f"@{stamp()};" if kind == "text" and pace.stamp else piece
            yield _event("content_block_delta", index=index, delta=_delta(kind, said))
        if kind == "thinking":
            signed = {"type": "signature_delta", "signature": _SIGNATURE}
            yield _event("content_block_delta", index=index, delta=signed)
        yield _event("content_block_stop", index=index)
    ended = {"stop_reason": _finish(answer), "stop_sequence": None}
    # Running totals, of the input too.
    yield _event("message_delta", delta=ended, usage=_usage(answer.tokens or Tokens(completion=0)))


def message_error(status: int, text: str | None = None) -> bytes:
    """Return an error in Anthropic's shape."""
    kind = _ERRORS.get(status, "api_error")
    return _encode({"type": "error", "error": {"type": kind, "message": text or f"The request failed: {kind}."}})


def _blocks(request: ChatRequest, answer: Answer) -> list[tuple[dict[str, Any], str]]:
    """Return the blocks, each with the field that a stream sends in pieces."""
    out: list[tuple[dict[str, Any], str]] = []
    if answer.reasoning is not None:
        out.append(({"type": "thinking", "thinking": answer.reasoning, "signature": _SIGNATURE}, "thinking"))
    text = text_of(request, answer)
    if text is not None:
        out.append(({"type": "text", "text": text}, "text"))
    for place, call in enumerate(answer.tool_calls):
        used = {"type": "tool_use", "id": call.id or f"toolu_{place}", "name": call.name}
        out.append(({**used, "input": _decode(call.arguments or "{}")}, "input"))
    return out


def _pieces(kind: str, value: Any, script: Script) -> list[str]:
    if kind == "text":
        return cut(value, script.pace)
    text = value if isinstance(value, str) else _encode(value).decode()
    return [text[at : at + 8] for at in range(0, len(text), 8)]


def _delta(kind: str, piece: str) -> dict[str, str]:
    match kind:
        case "text":
            return {"type": "text_delta", "text": piece}
        case "thinking":
            return {"type": "thinking_delta", "thinking": piece}
        case _:
            return {"type": "input_json_delta", "partial_json": piece}


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode({"type": kind, **fields}))


def _message(
    request: ChatRequest, number: int, content: list[dict[str, Any]], stop: str | None, tokens: Tokens | None
) -> dict[str, Any]:
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": _usage(tokens or Tokens()),
    }


def _usage(tokens: Tokens) -> dict[str, Any]:
    cached = tokens.cached or 0
    return {
        "input_tokens": tokens.prompt - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": tokens.completion,
    }


def _finish(answer: Answer) -> str:
    word = answer.finish_reason or ("tool_calls" if answer.tool_calls else "stop")
    return _FINISH.get(word, word)
