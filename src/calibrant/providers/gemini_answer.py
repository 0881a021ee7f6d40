"""From an answer of Gemini to a `Reply`; and what a stream reads the same way: usage, finish reasons."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from calibrant.apischema.gemini import Candidate, GeminiAnswer, GeminiUsage, PromptFeedback
from calibrant.providers.gemini_parts import Parts
from calibrant.providers.refusal import UNREADABLE, bad_answer, refusal_in
from calibrant.types.call import Headers
from calibrant.types.reply import Chunk, Delta, FinishReason, Reply, Usage, fold

__all__ = ["decode_gemini", "read_answer"]


_answer_decoder = msgspec.json.Decoder(GeminiAnswer)
_usage_decoder = msgspec.json.Decoder(GeminiUsage)
_feedback_decoder = msgspec.json.Decoder(PromptFeedback)
_decode_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

_FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        (
            *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "ESCALATION"),
            *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
        ),
        "content_filter",
    ),
}


def decode_gemini(
    provider: str, provider_type: str, status: int, headers: Headers, body: bytes, *, json_tool: bool
) -> Reply:
    """Return the whole answer.

    Raises:
        Refused: the body is an error after all.
        BadAnswer: the body is no answer.
    """
    try:
        answer = _answer_decoder.decode(body)
        chunk = read_answer(answer, Parts(provider_type, json_tool=json_tool), body)
    except UNREADABLE as error:
        raise refusal_in(provider, status, body) or bad_answer(
            provider, status, body, f"the answer is not one of generateContent: {error}"
        ) from None
    if chunk is None or (not answer.candidates and chunk.finish_reason is None):
        raise refusal_in(provider, status, body) or bad_answer(provider, status, body, "the answer has no candidates")
    reply = fold([chunk])
    request_id = reply.request_id or next((value for name, value in headers if name == "x-request-id"), None)
    return msgspec.structs.replace(reply, request_id=request_id)


def read_answer(answer: GeminiAnswer, parts: Parts, raw: bytes) -> Chunk | None:
    """Return what a whole answer, or an event of a stream, says; null where it is an error.

    Raises:
        msgspec.DecodeError: it cannot be read.
    """
    if bytes(answer.error) not in (b"", b"null"):
        return None
    content: list[Delta] = []
    finish: FinishReason | None = None
    detail = b""
    for candidate in answer.candidates or ():
        if candidate.index:
            continue
        if candidate.content is not None and candidate.content.parts:
            content += parts.read(candidate.content.parts, answer.response_id)
        finish = _finish(candidate.finish_reason, parts) or finish
        detail = _detail(candidate) if finish in ("content_filter", "unknown") else b""
    blocked = _blocked(answer.prompt_feedback)
    if blocked:
        finish, detail = "content_filter", blocked
    return Chunk(
        content=tuple(content),
        usage=_usage(answer.usage_metadata),
        finish_reason=finish,
        raw=raw,
        model=answer.model_version or None,
        request_id=answer.response_id or None,
        finish_detail=detail,
    )


def _blocked(feedback: Raw) -> bytes:
    """Return why the prompt was blocked, or nothing where it was not."""
    text = bytes(feedback)
    if text in (b"", b"null") or _feedback_decoder.decode(text).block_reason is None:
        return b""
    return _encode(_decode_any(text))


def _finish(word: str | None, parts: Parts) -> FinishReason | None:
    if word is None or word == "FINISH_REASON_UNSPECIFIED":
        return None
    found = _FINISH.get(word, "unknown")
    return "tool_call" if found == "stop" and parts.saw_tool else found


def _detail(candidate: Candidate) -> bytes:
    said: dict[str, Any] = {"finishReason": candidate.finish_reason}
    if candidate.finish_message:
        said["finishMessage"] = candidate.finish_message
    if bytes(candidate.safety_ratings) not in (b"", b"null"):
        # Read to the end: what is kept has to be JSON.
        said["safetyRatings"] = _decode_any(candidate.safety_ratings)
    return _encode(said)


def _usage(raw: Raw) -> Usage | None:
    text = bytes(raw)
    if text in (b"", b"null"):
        return None
    try:
        found = _usage_decoder.decode(text)
    except UNREADABLE:
        return Usage(raw=text)
    prompt, tools = found.prompt_token_count, found.tool_use_prompt_token_count
    sent = None if prompt is None else prompt + (tools or 0)
    thoughts, made = found.thoughts_token_count, found.candidates_token_count
    if made is None and thoughts is None:
        # A count of 0 is left out, but the total tells it.
        output = found.total_token_count - sent if found.total_token_count is not None and sent is not None else None
    else:
        output = (made or 0) + (thoughts or 0)
    return Usage(sent, output, found.cached_content_token_count, None, thoughts, text)
