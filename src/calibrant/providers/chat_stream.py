"""From the events of a streamed answer to chunks.

A stream is whole once `[DONE]` or a finish reason has come: servers that close the connection after the
finish reason without `[DONE]` have said all they had to say. Anything less is `Truncated`.

Ids of blocks: `0` the text, `1` the reasoning, a tool call its own. The JSON tool's text has the call's.
"""

from __future__ import annotations

from typing import Any

import msgspec

from calibrant.apischema.openai_chat import ChatChunk, ChoiceDelta, ChunkChoice
from calibrant.base.errors import Refused
from calibrant.providers.call_pieces import CallPieces
from calibrant.providers.chat_answer import finish_detail, finish_reason, mixed_content, present, settled_finish, usage
from calibrant.providers.reasoning_details import DETAILS, add_details
from calibrant.providers.refusal import MAX_MESSAGE, UNREADABLE, refusal_in, refusal_within
from calibrant.providers.sse_decoder import SseDecoder
from calibrant.providers.think import Piece, ThinkSplitter
from calibrant.types.reply import (
    Chunk,
    Delta,
    FinishReason,
    TextDelta,
    ThoughtDelta,
    UnknownDelta,
    Usage,
)

__all__ = ["ChatStreamDecoder"]

_decode = msgspec.json.Decoder(ChatChunk).decode

_TEXT = "0"
_THOUGHT = "1"
_DONE = b"[DONE]"


class ChatStreamDecoder(SseDecoder):
    """Decodes one streamed answer."""

    __slots__ = ("_calls", "_details", "_discard_unknown", "_refused", "_think", "_type", "_unknown")

    end_marker = "[DONE] or a finish reason"

    def __init__(
        self, provider: str, provider_type: str, *, think_blocks: bool, json_tool: bool, discard_unknown: bool
    ) -> None:
        """Start before the first byte."""
        super().__init__(provider)
        self._type = provider_type
        self._discard_unknown = discard_unknown
        self._think = ThinkSplitter() if think_blocks else None
        self._calls = CallPieces(json_tool=json_tool)
        self._details: list[dict[str, Any]] = []
        self._unknown = 0
        self._refused = False

    def _rest(self) -> Chunk | None:
        held = self._held()
        return Chunk(content=tuple(held)) if held else None

    def _chunk(self, event: bytes) -> Chunk | None:
        if event == _DONE:
            self._done = True
            return None
        try:
            chunk = _decode(event)
        except UNREADABLE as error:
            raise self._unreadable(event, f"an event of the stream is not a chunk: {error}") from None
        if present(chunk.error):
            return self._failed(event)
        content: list[Delta] = []
        finish: FinishReason | None = None
        detail = b""
        for choice in chunk.choices or ():
            if choice.index:
                continue
            if present(choice.error):
                raise refusal_within(self._provider, choice.error, event)
            if choice.delta is not None:
                self._delta(choice.delta, content)
            if choice.finish_reason is not None:
                finish = self._finish(choice, content)
                detail = finish_detail(finish, choice.content_filter_results)
        return Chunk(
            content=tuple(content),
            usage=self._counted(chunk, event),
            finish_reason=finish,
            raw=event,
            model=chunk.model or None,
            fingerprint=chunk.system_fingerprint or None,
            request_id=chunk.id or None,
            finish_detail=detail,
        )

    def _failed(self, event: bytes) -> Chunk:
        """Return what an event that is an error means.

        Raises:
            Refused: it is a failure.
        """
        raise self._unreadable(event, "an event of the stream has an error that cannot be read")

    def _counted(self, chunk: ChatChunk, event: bytes) -> Usage | None:
        counted = usage(chunk.usage)
        groq = chunk.x_groq
        if groq is not None:
            if groq.error is not None:
                raise Refused(
                    f"provider {self._provider!r} stopped the stream: {groq.error[:MAX_MESSAGE]}",
                    upstream_status=200,
                    raw_response=event,
                )
            return counted or usage(groq.usage)
        if counted is None and chunk.choices is None:
            refusal = refusal_in(self._provider, 200, event)
            if refusal is not None:
                raise refusal
        return counted

    def _finish(self, choice: ChunkChoice, content: list[Delta]) -> FinishReason | None:
        self._finished = True
        content += self._held()
        if self._details:
            extra = {DETAILS: self._details}
            content.append(ThoughtDelta(_THOUGHT, provider_type=self._type, extra_data=extra))
            self._details = []
        reason = finish_reason(choice, self._type)
        return settled_finish(reason, refused=self._refused, only_json=self._calls.only_json)

    def _held(self) -> list[Delta]:
        return [] if self._think is None else _deltas(self._think.close(), self._type)

    def _delta(self, delta: ChoiceDelta, content: list[Delta]) -> None:
        thought = delta.reasoning_content or delta.reasoning
        if thought:
            content.append(ThoughtDelta(_THOUGHT, thought, provider_type=self._type))
        if delta.reasoning_details:
            add_details(self._details, delta.reasoning_details)
        text = delta.content
        if text:
            if isinstance(text, str):
                self._text(text, content)
            else:
                self._mixed(text, content)
        if delta.refusal:
            self._refused = True
            content.append(TextDelta(_TEXT, delta.refusal))
        if delta.tool_calls:
            content += [added for piece in delta.tool_calls if (added := self._calls.add(piece)) is not None]

    def _text(self, text: str, content: list[Delta]) -> None:
        if self._think is None:
            content.append(TextDelta(_TEXT, text))
        else:
            content += _deltas(self._think.feed(text), self._type)

    def _mixed(self, parts: list[dict[str, Any]], content: list[Delta]) -> None:
        thought, text, others = mixed_content(parts)
        if thought:
            content.append(ThoughtDelta(_THOUGHT, thought, provider_type=self._type))
        if text:
            self._text(text, content)
        if not self._discard_unknown:
            for part in others:
                self._unknown += 1
                content.append(UnknownDelta(f"unknown_{self._unknown}", part))


def _deltas(pieces: list[Piece], provider_type: str) -> list[Delta]:
    return [
        TextDelta(_TEXT, piece) if kind == "text" else ThoughtDelta(_THOUGHT, piece, provider_type=provider_type)
        for kind, piece in pieces
    ]
