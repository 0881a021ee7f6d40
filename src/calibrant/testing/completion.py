"""OpenAI's chat completions, from the provider's side: read a request, write the answer whole or as events.

Pure. Written apart from the gateway's own codecs on purpose: a fake that shares their code shares their
mistakes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, pairwise, zip_longest
from typing import Any, Literal

import msgspec
from msgspec import Struct

from calibrant.testing.faults import Answer, Pace, Script, Tokens, ToolUse

__all__ = [
    "DONE",
    "ChatRequest",
    "Dialect",
    "completion",
    "cut",
    "decode_request",
    "error_body",
    "event",
    "events",
    "models_body",
    "text_of",
]

Dialect = Literal["chat", "messages", "gemini"]
"""Whose routes the fake provider has."""

_CREATED = 1_767_225_600
"""A constant, so that equal requests get equal bytes."""

_ERRORS = {
    400: ("invalid_request_error", "The request is malformed."),
    401: ("authentication_error", "Incorrect API key provided."),
    404: ("not_found_error", "The model does not exist."),
    429: ("rate_limit_error", "Rate limit reached, slow down."),
    503: ("overloaded_error", "The engine is currently overloaded."),
}

DONE = b"data: [DONE]\n\n"
"""The event that ends a stream."""


class _Message(Struct):
    role: str = ""
    content: str | list[dict[str, Any]] | None = None


class _StreamOptions(Struct):
    include_usage: bool = False


class ChatRequest(Struct):
    """What the fake reads of a request; the rest is kept in the capture and not looked at."""

    model: str
    messages: list[_Message]
    stream: bool = False
    stream_options: _StreamOptions | None = None
    dialect: Dialect = "chat"
    """Which of the provider's routes was asked; not the client's to say."""

    @property
    def wants_usage(self) -> bool:
        """Whether a stream should end with the usage."""
        return self.stream_options is not None and self.stream_options.include_usage

    def echo(self) -> str:
        """Return the text of the last user message."""
        for message in reversed(self.messages):
            if message.role == "user":
                if isinstance(message.content, str):
                    return message.content
                return "".join(str(part.get("text", "")) for part in message.content or ())
        return ""


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(ChatRequest)


def decode_request(body: bytes, dialect: Dialect = "chat") -> ChatRequest:
    """Return the request in a body, of whichever dialect.

    Raises:
        ValueError: it is none.
    """
    try:
        request = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    request.dialect = dialect
    return request


def completion(request: ChatRequest, answer: Answer, number: int) -> bytes:
    """Return a whole answer as JSON."""
    message: dict[str, Any] = {"role": "assistant", "content": text_of(request, answer)}
    if answer.reasoning is not None:
        message["reasoning_content"] = answer.reasoning
    if answer.tool_calls:
        message["tool_calls"] = [
            {
                "id": call.id or f"call_{i}",
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for i, call in enumerate(answer.tool_calls)
        ]
    body: dict[str, Any] = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": _CREATED,
        "model": request.model,
        "system_fingerprint": "fp_fake",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(answer)}],
    }
    if answer.tokens is not None:
        body["usage"] = _usage(answer.tokens)
    return _encode(body)


def events(request: ChatRequest, script: Script, number: int, stamp: Callable[[], int]) -> Iterator[bytes | float]:
    """Yield the events of a streamed answer and the waits between them; `[DONE]` is left to the caller.

    Args:
        request: What was asked.
        script: What to answer, and at what pace.
        number: Makes the answer's id.
        stamp: The clock for `Pace.stamp`, read when a piece is due.
    """
    answer, pace = script.answer, script.pace

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event(_chunk(request, number, [choice]))

    yield chunk({"role": "assistant", "content": None if answer.tool_calls else ""})
    for piece in _words(answer.reasoning or ""):
        yield chunk({"reasoning_content": piece})
    text = text_of(request, answer)
    for i, piece in enumerate(() if text is None else cut(text, pace)):
        if i and pace.interval_s:
            yield pace.interval_s
        yield chunk({"content": f"@{stamp()};" if pace.stamp else piece})
    for delta in _tool_deltas(answer):
        yield chunk({"tool_calls": [delta]})
    yield chunk({}, _finish(answer))
    if request.wants_usage and answer.tokens is not None:
        yield event({**_chunk(request, number, []), "usage": _usage(answer.tokens)})


def event(data: dict[str, Any]) -> bytes:
    """Return one server-sent event."""
    return b"data: %b\n\n" % _encode(data)


def error_body(status: int, message: str | None = None) -> bytes:
    """Return an error in OpenAI's shape."""
    kind, text = _ERRORS.get(status, ("server_error", "The server had an error while processing your request."))
    return _encode({"error": {"message": message or text, "type": kind, "param": None, "code": None}})


def models_body(names: tuple[str, ...]) -> bytes:
    """Return the answer of `GET /models`."""
    data = [{"id": name, "object": "model", "created": _CREATED, "owned_by": "fake"} for name in names]
    return _encode({"object": "list", "data": data})


def _chunk(request: ChatRequest, number: int, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": request.model,
        "system_fingerprint": "fp_fake",
        "choices": choices,
    }


def text_of(request: ChatRequest, answer: Answer) -> str | None:
    """Return what an answer says: its text, the echo of the question, or null beside tool calls."""
    if answer.text is not None:
        return answer.text
    return None if answer.tool_calls else request.echo()


def _finish(answer: Answer) -> str:
    return answer.finish_reason or ("tool_calls" if answer.tool_calls else "stop")


def _words(text: str) -> list[str]:
    return [word if i == 0 else " " + word for i, word in enumerate(text.split(" "))] if text else []


def cut(text: str, pace: Pace) -> list[str]:
    """Return a text in the pieces that a stream has."""
    if not pace.chunks:
        return _words(text)
    # A text too short for its pieces leaves some empty: their number is what was asked for.
    bounds = [len(text) * i // pace.chunks for i in range(pace.chunks + 1)]
    return [text[start:end] for start, end in pairwise(bounds)]


def _tool_deltas(answer: Answer) -> Iterator[dict[str, Any]]:
    calls = [list(_call_deltas(place, call)) for place, call in enumerate(answer.tool_calls)]
    if not answer.calls_in_turn:
        return chain.from_iterable(calls)
    return (delta for turn in zip_longest(*calls) for delta in turn if delta is not None)


def _call_deltas(place: int, call: ToolUse) -> Iterator[dict[str, Any]]:
    head = {"name": call.name, "arguments": ""}
    yield {"index": place, "id": call.id or f"call_{place}", "type": "function", "function": head}
    for at in range(0, len(call.arguments), 8):
        yield {"index": place, "function": {"arguments": call.arguments[at : at + 8]}}


def _usage(tokens: Tokens) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion,
    }
    if tokens.cached is not None:
        usage["prompt_tokens_details"] = {"cached_tokens": tokens.cached, "audio_tokens": 0}
    if tokens.reasoning is not None:
        usage["completion_tokens_details"] = {"reasoning_tokens": tokens.reasoning}
    return usage
