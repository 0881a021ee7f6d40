"""Gemini's API, from the provider's side: the same scripts, answered whole or as events.

Pure, and written apart from the gateway's own codecs, as `completion.py` is. The model and whether to stream stand in
the address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from calibrant.testing.completion import ChatRequest, cut, decode_request, text_of
from calibrant.testing.faults import Answer, Script, Tokens

__all__ = ["asked_of_gemini", "generated", "generated_events", "generation_error"]

_encode = msgspec.json.Encoder().encode

_ERRORS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
_FINISH = {"length": "MAX_TOKENS", "stop": "STOP", "tool_calls": "STOP", "content_filter": "SAFETY"}
_SIGNATURE = "c2lnbmF0dXJl"
_ROLES = {"user": "user", "model": "assistant"}


class _Content(Struct):
    role: str = "user"
    parts: list[dict[str, Any]] = []


class _Body(Struct):
    contents: list[_Content]


_decode = msgspec.json.Decoder(_Body).decode


def asked_of_gemini(path: bytes, body: bytes) -> ChatRequest:
    """Return the request in an address and a body.

    Raises:
        ValueError: it is none.
    """
    model, _, method = path.rpartition(b"/")[2].decode("latin-1").partition(":")
    try:
        contents = _decode(body).contents
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    messages = [
        {
            "role": _ROLES.get(content.role, content.role),
            "content": [{"type": "text", "text": part["text"]} for part in content.parts if "text" in part],
        }
        for content in contents
    ]
    chat = {"model": model, "messages": messages, "stream": method == "streamGenerateContent"}
    return decode_request(_encode(chat), "gemini")


def generated(request: ChatRequest, answer: Answer, number: int) -> bytes:
    """Return a whole answer as JSON."""
    parts = [part for part, _ in _parts(request, answer)]
    return _encode(_answer(request, number, parts, _finish(answer), answer.tokens))


def generated_events(
    request: ChatRequest, script: Script, number: int, stamp: Callable[[], int]
) -> Iterator[bytes | float]:
    """Yield the events of a streamed answer and the waits between them.

    Args:
        request: What was asked.
        script: What to answer, and at what pace.
        number: Makes the answer's id.
        stamp: The clock for `Pace.stamp`, read when a piece is due.
    """
    answer, pace = script.answer, script.pace
    for part, in_pieces in _parts(request, answer):
        for place, piece in enumerate(cut(part["text"], pace) if in_pieces else [""]):
            if in_pieces and place and pace.interval_s:
                yield pace.interval_s
            said = {**part, "text": f"@{stamp()};" if pace.stamp else piece} if in_pieces else part
            yield _event(_answer(request, number, [said], None, None))
    yield _event(_answer(request, number, [], _finish(answer), answer.tokens))


def generation_error(status: int, text: str | None = None) -> bytes:
    """Return an error in Google's shape."""
    kind = _ERRORS.get(status, "INTERNAL")
    return _encode({"error": {"code": status, "message": text or f"The request failed: {kind}.", "status": kind}})


def _parts(request: ChatRequest, answer: Answer) -> list[tuple[dict[str, Any], bool]]:
    """Return the parts, each with whether a stream cuts its text; the first call is signed."""
    out: list[tuple[dict[str, Any], bool]] = []
    if answer.reasoning is not None:
        out.append(({"text": answer.reasoning, "thought": True}, False))
    text = text_of(request, answer)
    if text is not None:
        out.append(({"text": text}, True))
    for place, call in enumerate(answer.tool_calls):
        made: dict[str, Any] = {"name": call.name, "args": msgspec.json.decode(call.arguments or "{}")}
        if call.id:
            made["id"] = call.id
        out.append(({"functionCall": made, **({} if place else {"thoughtSignature": _SIGNATURE})}, False))
    return out


def _answer(
    request: ChatRequest, number: int, parts: list[dict[str, Any]], finish: str | None, tokens: Tokens | None
) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    body: dict[str, Any] = {
        "candidates": [candidate],
        "modelVersion": request.model,
        "responseId": f"gen-{number}",
    }
    if tokens is not None:
        body["usageMetadata"] = _usage(tokens)
    return body


def _usage(tokens: Tokens) -> dict[str, int]:
    thoughts = tokens.reasoning or 0
    usage = {
        "promptTokenCount": tokens.prompt,
        "candidatesTokenCount": tokens.completion - thoughts,
        "totalTokenCount": tokens.prompt + tokens.completion,
    }
    if thoughts:
        usage["thoughtsTokenCount"] = thoughts
    if tokens.cached:
        usage["cachedContentTokenCount"] = tokens.cached
    return usage


def _event(document: dict[str, Any]) -> bytes:
    return b"data: %b\r\n\r\n" % _encode(document)


def _finish(answer: Answer) -> str:
    word = answer.finish_reason or ("tool_calls" if answer.tool_calls else "stop")
    return _FINISH.get(word, word)
