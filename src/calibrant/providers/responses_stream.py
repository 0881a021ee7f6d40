"""From the events of a streamed response to chunks.

A stream is whole once `response.completed` or `response.incomplete` has come. Ids of blocks: `OUTPUT.CONTENT` a part
of a message, the call's id a call, the item's place for the rest. Some servers send a call's arguments, or a whole
item, only when it is done: what was not streamed is made up for then.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from calibrant.apischema.openai_responses import Item, ResponseAnswer, ResponseEvent
from calibrant.providers.base import JSON_TOOL
from calibrant.providers.refusal import UNREADABLE, refusal_in
from calibrant.providers.responses_answer import Ending, failure_in, item_of, summary_of, text_of, usage_of
from calibrant.providers.sse_decoder import SseDecoder
from calibrant.types.reply import Chunk, Delta, TextDelta, ThoughtDelta, ToolCallDelta, UnknownDelta

__all__ = ["ResponsesStreamDecoder"]

_decode = msgspec.json.Decoder(ResponseEvent).decode
_any_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_DONE = b"[DONE]"
_UNTOLD = "?"
_CALLS = ("function_call", "custom_tool_call")


class _Open(Struct):
    """An item that is being written."""

    kind: str
    id: str
    seen: set[str] = set()
    """What of it has been streamed."""


class ResponsesStreamDecoder(SseDecoder):
    """Decodes one streamed answer."""

    __slots__ = ("_discard_unknown", "_ending", "_json_tool", "_open", "_type")

    end_marker = "response.completed"

    def __init__(self, provider: str, provider_type: str, *, json_tool: bool, discard_unknown: bool) -> None:
        """Start before the first byte."""
        super().__init__(provider)
        self._type = provider_type
        self._json_tool = json_tool
        self._discard_unknown = discard_unknown
        self._ending = Ending()
        self._open: dict[int, _Open] = {}

    def _chunk(self, event: bytes) -> Chunk | None:
        if event == _DONE:
            self._done = self._finished
            return None
        try:
            return self._read(_decode(event), event)
        except UNREADABLE as error:
            raise self._unreadable(event, f"an event of the stream cannot be read: {error}") from None

    def _read(self, event: ResponseEvent, raw: bytes) -> Chunk:
        match event.type:
            case (
                "response.output_text.delta"
                | "response.refusal.delta"
                | "response.function_call_arguments.delta"
                | "response.custom_tool_call_input.delta"
                | "response.reasoning_summary_text.delta"
                | "response.reasoning_text.delta"
            ):
                return Chunk(self._delta(event, event.delta or ""), raw=raw)
            case "response.function_call_arguments.done":
                return Chunk(self._arguments(event.output_index, event.arguments or ""), raw=raw)
            case "response.custom_tool_call_input.done":
                return Chunk(self._arguments(event.output_index, event.input or ""), raw=raw)
            case "response.output_item.added":
                return Chunk(self._begin(event.output_index, item_of(event.item)), raw=raw)
            case "response.output_item.done":
                return Chunk(self._end(event.output_index, event.item), raw=raw)
            case "response.completed" | "response.incomplete" | "response.failed" if event.response is not None:
                return self._last_event(event.response, raw)
            case "error":
                raise refusal_in(self._provider, 200, _as_error(raw)) or self._unreadable(raw, "an error without words")
            case _:
                found = event.response
                if found is None:
                    return Chunk(raw=raw)
                return Chunk(raw=raw, model=found.model or None, request_id=found.id or None)

    def _last_event(self, answer: ResponseAnswer, raw: bytes) -> Chunk:
        failure = failure_in(self._provider, answer, raw)
        if failure is not None:
            raise failure
        finish, detail = self._ending.reason(answer)
        self._finished = True
        return Chunk((), usage_of(answer.usage), finish, raw, answer.model or None, None, answer.id or None, detail)

    def _begin(self, index: int, item: Item) -> tuple[Delta, ...]:
        if item.type not in _CALLS:
            self._open[index] = _Open(item.type, str(index), set())
            if item.type == "reasoning" and item.id is not None:
                # Whoever passes the reasoning on needs its id from the first piece.
                return (ThoughtDelta(str(index), None, None, self._type, extra_data={"id": item.id}),)
            return ()
        is_json = self._json_tool and item.name == JSON_TOOL and item.type == "function_call"
        self._ending.called = self._ending.called or not is_json
        own = item.call_id or item.id or f"call_{index}"
        self._open[index] = _Open("json" if is_json else "function_call", own, set())
        return () if is_json else (ToolCallDelta(own, "", item.name or ""),)

    def _delta(self, event: ResponseEvent, delta: str) -> tuple[Delta, ...]:
        index = event.output_index
        item = self._open.get(index)
        if item is None:
            # A beginning that never came; what the item is, the event tells well enough.
            item = self._open[index] = _Open(_UNTOLD, str(index), set())
        match event.type:
            case "response.output_text.delta" | "response.refusal.delta":
                item.seen.add(f"content {event.content_index}")
                self._ending.refused = self._ending.refused or event.type == "response.refusal.delta"
                return (TextDelta(f"{index}.{event.content_index}", delta),) if delta else ()
            case "response.reasoning_summary_text.delta":
                item.seen.add("summary")
                place = str(event.summary_index)
                return (ThoughtDelta(item.id, None, None, self._type, place, delta),)
            case "response.reasoning_text.delta":
                item.seen.add("text")
                return (ThoughtDelta(item.id, delta, None, self._type),)
            case _:
                item.seen.add("arguments")
                return self._piece(item, delta)

    def _piece(self, item: _Open, text: str) -> tuple[Delta, ...]:
        if not text:
            return ()
        return (TextDelta(item.id, text),) if item.kind == "json" else (ToolCallDelta(item.id, text),)

    def _arguments(self, index: int, arguments: str) -> tuple[Delta, ...]:
        item = self._open.get(index)
        if item is None or "arguments" in item.seen:
            return ()
        item.seen.add("arguments")
        return self._piece(item, arguments)

    def _end(self, index: int, raw: Raw) -> tuple[Delta, ...]:
        item = item_of(raw)
        begun = self._begun(index, item)
        known = self._open.pop(index)
        match item.type:
            case "message":
                return (*begun, *self._unseen_text(index, item, known))
            case "function_call" | "custom_tool_call":
                rest = () if "arguments" in known.seen else self._piece(known, item.arguments or item.input or "")
                return (*begun, *rest)
            case "reasoning":
                return (*begun, *self._reasoned(item, known))
            case _:
                return () if self._discard_unknown else (UnknownDelta(str(index), _any_decode(raw)),)

    def _begun(self, index: int, item: Item) -> tuple[Delta, ...]:
        """Return what a beginning that never came would have said."""
        known = self._open.get(index)
        if known is None:
            return self._begin(index, item)
        if known.kind != _UNTOLD or item.type not in _CALLS:
            return ()
        # Its pieces have gone out under the item's place; the name and the call go there too.
        self._ending.called = True
        known.kind = item.type
        return (ToolCallDelta(known.id, "", item.name or ""),)

    def _unseen_text(self, index: int, item: Item, known: _Open) -> list[Delta]:
        out: list[Delta] = []
        for place, part in enumerate(item.content or ()):
            text = part.refusal or part.text
            if text and f"content {place}" not in known.seen:
                self._ending.refused = self._ending.refused or bool(part.refusal)
                out.append(TextDelta(f"{index}.{place}", text))
        return out

    def _reasoned(self, item: Item, known: _Open) -> list[Delta]:
        out: list[Delta] = []
        if "summary" not in known.seen:
            for place, part in enumerate(summary_of(item.summary) or ()):
                out.append(ThoughtDelta(known.id, None, None, self._type, str(place), part["text"]))
        text = None if "text" in known.seen else text_of(item.content)
        extra = None if item.id is None else {"id": item.id}
        out.append(ThoughtDelta(known.id, text, item.encrypted_content or None, self._type, extra_data=extra))
        return out


def _as_error(raw: bytes) -> bytes:
    """Return an event that is an error in the shape that errors have elsewhere."""
    told = cast("dict[str, Any]", _any_decode(raw))
    return _encode({"error": told.get("error") or {key: told.get(key) for key in ("message", "code")}})
