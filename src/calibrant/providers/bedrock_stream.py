"""From the events of ConverseStream to chunks.

A stream is whole once `messageStop` has come; `metadata` with the usage comes after it, and may be missing. Ids of
blocks are their index, those of calls their own. The raw form of an event is an object with the event's name, as the
name stands in a header of the wire.

Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from __future__ import annotations

from typing import Any

import msgspec

from calibrant.apischema.bedrock_answer import (
    BlockDeltaEvent,
    BlockStartEvent,
    BlockStopEvent,
    MessageStopEvent,
    MetadataEvent,
)
from calibrant.base.errors import BadAnswer
from calibrant.providers.bedrock_answer import SERVER_TOOL, finish_detail, finish_reason, routed_model, usage
from calibrant.providers.bedrock_blocks import OpenBlocks
from calibrant.providers.chat_answer import present, settled_finish
from calibrant.providers.eventstream_decoder import EventStreamDecoder
from calibrant.providers.refusal import UNREADABLE, bad_answer
from calibrant.types.reply import Chunk, Delta, TextDelta

__all__ = ["ConverseStreamDecoder"]

_start = msgspec.json.Decoder(BlockStartEvent).decode
_delta = msgspec.json.Decoder(BlockDeltaEvent).decode
_stop = msgspec.json.Decoder(BlockStopEvent).decode
_message_stop = msgspec.json.Decoder(MessageStopEvent).decode
_metadata = msgspec.json.Decoder(MetadataEvent).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode
_json = msgspec.json.Decoder(msgspec.Raw).decode
_encode = msgspec.json.Encoder().encode


class ConverseStreamDecoder(EventStreamDecoder):
    """Decodes one streamed answer."""

    __slots__ = ("_blocks", "_finished", "_word")

    def __init__(self, provider: str, provider_type: str, *, json_tool: bool, discard_unknown: bool) -> None:
        """Start before the first byte."""
        super().__init__(provider)
        self._blocks = OpenBlocks(provider_type, json_tool=json_tool, discard_unknown=discard_unknown)
        self._finished = False
        self._word: str | None = None

    def _whole(self) -> bool:
        return self._finished

    def _event(self, kind: str, payload: bytes) -> list[Chunk]:
        raw = b"{%b:%b}" % (_encode(kind), payload)
        try:
            return [self._read(kind, payload, raw)]
        except UNREADABLE as error:
            why = f"the event {kind!r} of the stream cannot be read: {error}"
            raise bad_answer(self._provider, 200, payload, why) from None
        except BadAnswer as fault:
            raise bad_answer(self._provider, 200, payload, fault.message) from None

    def _read(self, kind: str, payload: bytes, raw: bytes) -> Chunk:
        match kind:
            case "contentBlockDelta":
                return self._block_delta(payload, raw)
            case "contentBlockStart":
                return self._block_start(payload, raw)
            case "contentBlockStop":
                return Chunk(tuple(self._blocks.stop(_stop(payload).content_block_index)), raw=raw)
            case "messageStop":
                return self._message_stop(payload, raw)
            case "metadata":
                return self._metadata(payload, raw)
            case _:
                _json(payload)
                return Chunk(raw=raw)

    def _block_start(self, payload: bytes, raw: bytes) -> Chunk:
        event = _start(payload)
        use = None if event.start is None else event.start.tool_use
        if use is not None and use.type != SERVER_TOOL:
            return Chunk(tuple(self._blocks.start_call(event.content_block_index, use)), raw=raw)
        if event.start is not None and (start := _object(payload)["start"]):
            self._blocks.start_unknown(event.content_block_index, start)
        return Chunk(raw=raw)

    def _block_delta(self, payload: bytes, raw: bytes) -> Chunk:
        event = _delta(payload)
        delta, index = event.delta, event.content_block_index
        if delta is None:
            return Chunk(raw=raw)
        if delta.text is not None:
            return Chunk((TextDelta(str(index), delta.text),) if delta.text else (), raw=raw)
        content: list[Delta] = []
        if delta.tool_use is not None:
            content = self._blocks.arguments(index, delta.tool_use.input or "")
        elif delta.reasoning_content is not None:
            content = self._blocks.reasoning(index, delta.reasoning_content)
        elif not present(delta.citation):
            content = self._blocks.unknown(index, _object(payload)["delta"], len(payload))
        return Chunk(tuple(content), raw=raw)

    def _message_stop(self, payload: bytes, raw: bytes) -> Chunk:
        self._word = _message_stop(payload).stop_reason
        content = tuple(self._blocks.stop_all())
        self._finished = True
        finish = settled_finish(finish_reason(self._word), refused=False, only_json=self._blocks.only_json)
        return Chunk(content, None, finish, raw, finish_detail=finish_detail(self._word, None))

    def _metadata(self, payload: bytes, raw: bytes) -> Chunk:
        event = _metadata(payload)
        detail = finish_detail(self._word, event.trace) if event.trace is not None else b""
        return Chunk((), usage(event.usage), None, raw, routed_model(event.trace), finish_detail=detail)
