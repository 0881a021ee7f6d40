"""From the events of another gateway's stream to chunks.

A stream is whole once `[DONE]` or a finish reason has come. Pieces have the ids of their blocks already; a call of the
JSON tool becomes text.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from calibrant.apischema.native_answer import AnswerBlock, GatewayAnswer
from calibrant.providers.base import JSON_TOOL
from calibrant.providers.refusal import UNREADABLE, refusal_within
from calibrant.providers.relay_answer import block_of, finish_of, usage_in
from calibrant.providers.sse_decoder import SseDecoder
from calibrant.types.reply import Chunk, Delta, TextDelta, ThoughtDelta, ToolCallDelta, UnknownDelta

__all__ = ["RelayStreamDecoder"]

_decode = msgspec.json.Decoder(GatewayAnswer).decode
_any_decode = msgspec.json.Decoder().decode
_DONE = b"[DONE]"


class RelayStreamDecoder(SseDecoder):
    """Decodes one streamed answer."""

    __slots__ = ("_json_calls", "_json_tool", "_named", "_unknown")

    end_marker = "[DONE] or a finish reason"

    def __init__(self, provider: str, *, json_tool: bool) -> None:
        """Start before the first byte."""
        super().__init__(provider)
        self._json_tool = json_tool
        self._json_calls: set[str] = set()
        self._named: set[str] = set()
        self._unknown = 0

    def _chunk(self, event: bytes) -> Chunk | None:
        if event == _DONE:
            self._done = True
            return None
        try:
            answer = _decode(event)
            if bytes(answer.error) != b"null":
                raise refusal_within(self._provider, answer.error, event)
            content = [delta for raw in answer.content or () if (delta := self._delta(raw)) is not None]
            usage = usage_in(answer.usage)
        except UNREADABLE as error:
            raise self._unreadable(event, f"an event of the stream cannot be read: {error}") from None
        finish = finish_of(answer.finish_reason)
        self._finished = self._finished or finish is not None
        return Chunk(
            content=tuple(content),
            usage=usage,
            finish_reason=finish,
            raw=event,
            model=answer.variant_name,
            request_id=answer.inference_id,
        )

    def _delta(self, raw: Raw) -> Delta | None:
        piece = block_of(raw)
        match piece.type:
            case "text":
                return TextDelta(piece.id or "0", piece.text) if piece.text else None
            case "tool_call":
                return self._call(piece)
            case "thought":
                return ThoughtDelta(
                    piece.id or "0",
                    piece.text,
                    piece.signature,
                    piece.provider_type,
                    piece.summary_id,
                    piece.summary_text,
                    piece.extra_data,
                )
            case "unknown":
                return UnknownDelta(piece.id or self._next(), piece.data, piece.model_name, piece.provider_name)
            case _:
                return UnknownDelta(self._next(), _any_decode(raw))

    def _call(self, piece: AnswerBlock) -> Delta | None:
        own, name = piece.id or "0", piece.raw_name or None
        if self._json_tool and (name == JSON_TOOL or own in self._json_calls):
            self._json_calls.add(own)
            return TextDelta(own, piece.raw_arguments) if piece.raw_arguments else None
        if own in self._named:
            # Some gateways repeat the name with every piece.
            name = None
        elif name is not None:
            self._named.add(own)
        return ToolCallDelta(own, piece.raw_arguments or "", name)

    def _next(self) -> str:
        self._unknown += 1
        return f"unknown_{self._unknown}"
