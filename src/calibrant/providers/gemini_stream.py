"""From the events of a streamed answer to chunks: each event is an answer of its own, with what is new.

A stream is whole once a finish reason has come, or the news that the prompt was blocked. Usage may follow.
"""

from __future__ import annotations

import msgspec

from calibrant.apischema.gemini import GeminiAnswer
from calibrant.providers.gemini_answer import Parts, read_answer
from calibrant.providers.refusal import UNREADABLE
from calibrant.providers.sse_decoder import SseDecoder
from calibrant.types.reply import Chunk

__all__ = ["GeminiStreamDecoder"]

_decode = msgspec.json.Decoder(GeminiAnswer).decode


class GeminiStreamDecoder(SseDecoder):
    """Decodes one streamed answer."""

    __slots__ = ("_parts",)

    end_marker = "a finish reason"

    def __init__(self, provider: str, provider_type: str, *, json_tool: bool, discard_unknown: bool) -> None:
        """Start before the first byte."""
        super().__init__(provider)
        self._parts = Parts(provider_type, json_tool=json_tool, discard_unknown=discard_unknown)

    def _chunk(self, event: bytes) -> Chunk:
        try:
            chunk = read_answer(_decode(event), self._parts, event)
        except UNREADABLE as error:
            raise self._unreadable(event, f"an event of the stream cannot be read: {error}") from None
        if chunk is None:
            raise self._unreadable(event, "an event of the stream has an error that cannot be read")
        if chunk.finish_reason is not None:
            self._finished = True
        return chunk
