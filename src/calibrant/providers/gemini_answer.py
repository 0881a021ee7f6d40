"""From an answer of Gemini to a `Reply`; and what a stream reads the same way: parts, usage, finish reasons.

Parts of one kind that follow each other are one block, in a whole answer as in a stream. A signature on text or on a
call becomes a thought without text before it, see `gemini_contents.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from calibrant.apischema.gemini import Candidate, GeminiAnswer, GeminiUsage, PromptFeedback, ReadCall, ReadPart
from calibrant.providers.base import JSON_TOOL
from calibrant.providers.refusal import bad_answer, refusal_in
from calibrant.types.call import Headers
from calibrant.types.reply import (
    Chunk,
    Delta,
    FinishReason,
    Reply,
    TextDelta,
    ThoughtDelta,
    ToolCallDelta,
    UnknownDelta,
    Usage,
    fold,
)

__all__ = ["UNREADABLE", "Parts", "decode_gemini", "read_answer"]

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_answer_decoder = msgspec.json.Decoder(GeminiAnswer)
_part_decoder = msgspec.json.Decoder(ReadPart)
_usage_decoder = msgspec.json.Decoder(GeminiUsage)
_feedback_decoder = msgspec.json.Decoder(PromptFeedback)
_any_decoder = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode

_FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        (
            *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"),
            *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
        ),
        "content_filter",
    ),
}


class Parts:
    """Reads the parts of one answer, in one go or as they come."""

    __slots__ = ("_blocks", "_calls", "_discard_unknown", "_json_tool", "_kind", "_type", "saw_json", "saw_tool")

    def __init__(self, provider_type: str, *, json_tool: bool, discard_unknown: bool = False) -> None:
        """Start before the first part."""
        self._type = provider_type
        self._json_tool = json_tool
        self._discard_unknown = discard_unknown
        self._blocks = 0
        self._calls = 0
        self._kind = ""
        self.saw_json = False
        self.saw_tool = False

    def read(self, raws: Iterable[Raw]) -> list[Delta]:
        """Return what the parts add.

        Raises:
            msgspec.DecodeError: one of them is none.
        """
        out: list[Delta] = []
        for raw in raws:
            self._part(raw, out)
        return out

    def _part(self, raw: Raw, out: list[Delta]) -> None:
        part = _part_decoder.decode(raw)
        signature = part.thought_signature or None
        if part.function_call is not None:
            self._sign(signature, out)
            self._call(part.function_call, out)
        elif part.text is not None and part.thought:
            out.append(ThoughtDelta(self._block("thought"), part.text, signature, self._type))
            if signature is not None:
                self._kind = ""
        elif part.text is not None:
            self._sign(signature, out)
            if part.text:
                out.append(TextDelta(self._block("text"), part.text))
        elif signature is not None and bytes(raw).count(b":") == 1:
            self._sign(signature, out)
        elif not self._discard_unknown:
            self._kind = ""
            out.append(UnknownDelta(self._block("unknown"), _any_decoder.decode(raw)))
            self._kind = ""

    def _block(self, kind: str) -> str:
        if kind != self._kind:
            self._kind = kind
            self._blocks += 1
        return str(self._blocks - 1)

    def _sign(self, signature: str | None, out: list[Delta]) -> None:
        if signature is not None:
            self._kind = ""
            out.append(ThoughtDelta(self._block("mark"), None, signature, self._type))
            self._kind = ""

    def _call(self, call: ReadCall, out: list[Delta]) -> None:
        self._kind = ""
        self._blocks += 1
        id_ = call.id or f"call_{self._calls}"
        self._calls += 1
        arguments = bytes(call.args).decode() if bytes(call.args) not in (b"", b"null") else "{}"
        if self._json_tool and call.name == JSON_TOOL:
            self.saw_json = True
            out.append(TextDelta(id_, arguments))
        else:
            self.saw_tool = True
            out.append(ToolCallDelta(id_, arguments, call.name or ""))

    def finish(self, word: str | None) -> FinishReason | None:
        """Return our word for why the model stopped."""
        if word is None or word == "FINISH_REASON_UNSPECIFIED":
            return None
        found = _FINISH.get(word, "unknown")
        return "tool_call" if found == "stop" and self.saw_tool else found


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
            content += parts.read(candidate.content.parts)
        finish = parts.finish(candidate.finish_reason) or finish
        detail = _detail(candidate) if finish in ("content_filter", "unknown") else b""
    feedback = bytes(answer.prompt_feedback)
    if feedback not in (b"", b"null") and _feedback_decoder.decode(feedback).block_reason is not None:
        finish, detail = "content_filter", feedback
    return Chunk(
        content=tuple(content),
        usage=_usage(answer.usage_metadata),
        finish_reason=finish,
        raw=raw,
        model=answer.model_version or None,
        request_id=answer.response_id or None,
        finish_detail=detail,
    )


def _detail(candidate: Candidate) -> bytes:
    said: dict[str, Any] = {"finishReason": candidate.finish_reason}
    if candidate.finish_message:
        said["finishMessage"] = candidate.finish_message
    if bytes(candidate.safety_ratings) not in (b"", b"null"):
        said["safetyRatings"] = candidate.safety_ratings
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
