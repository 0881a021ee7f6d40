"""A streamed answer in the Responses dialect: typed events in their order, each with its number.

An item begins with `response.output_item.added` and keeps its place to its end. Text and reasoning end when the next
item begins; calls stay open to the end of the stream, since some providers send pieces of parallel calls in turn, which
come one call after the other here (`call_order.py`). The last event holds the whole response; there is no `[DONE]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from calibrant.base.errors import CalibrantError
from calibrant.types.answer import Answered, Head
from calibrant.types.content import Thought
from calibrant.types.reply import (
    Chunk,
    Delta,
    TextDelta,
    ThoughtDelta,
    ToolCallDelta,
    UnknownDelta,
    fold,
)
from calibrant.types.rows import ModelInferenceRow
from calibrant.wire.call_order import CallOrder
from calibrant.wire.raw import RawFields
from calibrant.wire.responses_ids import item_id
from calibrant.wire.responses_items import (
    Status,
    call_item,
    custom_names,
    message_item,
    output_text,
    reasoning_item,
    response_body,
    status_of,
    unknown_item,
)
from calibrant.wire.thought_seal import own_id

__all__ = ["Events"]

_json = msgspec.json.Encoder().encode


class _Item:
    """An item of the output that has begun."""

    __slots__ = ("begun", "call_id", "deltas", "done", "id", "kind", "name", "paragraphs", "place", "text", "whole")

    def __init__(self, kind: str, place: int) -> None:
        self.kind = kind
        self.place = place
        self.id = ""
        self.begun = False
        """Whether clients have been told of it."""
        self.call_id = ""
        self.name = ""
        self.text: list[str] = []
        """What has come of its text, arguments or reasoning."""
        self.deltas: list[Delta] = []
        """Of reasoning, all of them."""
        self.paragraphs: dict[str, list[str]] = {}
        self.done = False
        self.whole: dict[str, Any] | None = None


class Events:
    """Writes a streamed answer."""

    __slots__ = ("_chat", "_custom", "_head", "_items", "_number", "_open", "_order", "_raw", "_started")

    def __init__(self, head: Head) -> None:
        """Start before the first event."""
        self._head = head
        self._chat = head.function_type == "chat"
        self._custom = custom_names(head)
        self._raw = RawFields.asked(head.request)
        self._items: list[_Item] = []
        self._open: dict[tuple[str, str], _Item] = {}
        self._order = CallOrder(free=bool(self._custom))
        self._number = 0
        self._started = False

    def chunk(self, chunk: Chunk) -> bytes:
        """Return the events for what the chunk adds.

        A caller who wants what is raw gets an event for every one of the provider's.
        """
        out = [self._start()]
        for delta in chunk.content:
            self._add(delta, out)
        events = b"".join(out)
        if self._raw is None or not chunk.raw:
            return events
        return self._raw.chunk(events or self._lifecycle("response.in_progress", "in_progress"), chunk)

    def preceding(self, calls: Sequence[ModelInferenceRow]) -> bytes:
        """Return the events that tell what is raw of the calls before the one that streams."""
        if self._raw is None:
            return b""
        started = self._start()
        told = self._raw.preceding(self._lifecycle("response.in_progress", "in_progress"), calls)
        if not told:
            self._number -= 1
        return started + told

    def final(self, answered: Answered) -> bytes:
        """Return the events that end what is open, and the one that holds the whole response."""
        out = [self._start()]
        status, details = status_of(answered.finish_reason)
        self._close_all(out, complete=status == "completed")
        body = response_body(
            self._head, self._output(), status, details=details, usage=answered.usage, cost=answered.cost
        )
        if self._raw is not None:
            body = self._raw.whole(body, answered.calls)
        out.append(self._event(f"response.{status}", b'"response":' + body))
        return b"".join(out)

    def error(self, err: CalibrantError) -> bytes:
        """Return the event that says that the stream broke, with what had come."""
        out = [self._start()]
        self._close_all(out, complete=False)
        message = err.message.encode("utf-8", "replace").decode("utf-8")
        why = {"code": "server_error", "message": message}
        body = response_body(self._head, self._output(), "failed", error=why)
        out.append(self._event("response.failed", b'"response":' + body))
        return b"".join(out)

    def done(self) -> bytes:
        """Return nothing: the last event is the end."""
        return b""

    def _start(self) -> bytes:
        if self._started:
            return b""
        self._started = True
        created = self._lifecycle("response.created", "in_progress")
        return created + self._lifecycle("response.in_progress", "in_progress")

    def _lifecycle(self, kind: str, status: Status) -> bytes:
        return self._event(kind, b'"response":' + response_body(self._head, self._output(), status))

    def _output(self) -> list[dict[str, Any]]:
        return [item.whole for item in self._items if item.whole is not None]

    def _event(self, kind: str, rest: bytes) -> bytes:
        number = self._number
        self._number += 1
        name = kind.encode()
        return b'event: %s\ndata: {"type":"%s","sequence_number":%d,%s}\n\n' % (name, name, number, rest)

    def _of(self, item: _Item, kind: str, fields: dict[str, Any]) -> bytes:
        return self._event(kind, _json({"item_id": item.id, "output_index": item.place, **fields})[1:-1])

    def _whole_item(self, item: _Item, kind: str, value: dict[str, Any]) -> bytes:
        return self._event(kind, _json({"output_index": item.place, "item": value})[1:-1])

    def _add(self, delta: Delta, out: list[bytes]) -> None:
        match delta:
            case TextDelta(id, text):
                self._text(id, text, out)
            case ToolCallDelta(id, raw_arguments):
                if self._chat:
                    for due in self._order.add(delta):
                        self._call(due, out)
                else:
                    # A JSON function that is served by a tool call has its text in the call's arguments.
                    self._text(id, raw_arguments, out)
            case ThoughtDelta():
                if self._chat:
                    self._thought(delta, out)
            case UnknownDelta(id, data):
                if self._chat and ("unknown", id) not in self._open:
                    item = self._begin("unknown", id, out)
                    item.begun = item.done = True
                    item.whole = unknown_item(item_id("unk", self._head.inference_id, item.place), data)
                    out.append(self._whole_item(item, "response.output_item.added", item.whole))
                    out.append(self._whole_item(item, "response.output_item.done", item.whole))

    def _begin(self, kind: str, key: str, out: list[bytes]) -> _Item:
        if kind != "call":
            self._call_all(out)
        for other in self._items:
            if not other.done and other.kind in ("text", "thought"):
                self._close(other, out, complete=True)
        item = _Item(kind, len(self._items))
        self._items.append(item)
        self._open[kind, key] = item
        return item

    def _held(self, kind: str, key: str, out: list[bytes]) -> _Item:
        """Return the item that a piece belongs to; a piece that comes after its item's end begins another."""
        found = self._open.get((kind, key))
        return self._begin(kind, key, out) if found is None or found.done else found

    def _text(self, key: str, text: str, out: list[bytes]) -> None:
        item = self._held("text", key if self._chat else "", out)
        if not item.begun:
            item.begun = True
            item.id = item_id("msg", self._head.inference_id, item.place)
            empty = message_item(item.id, [], "in_progress")
            out.append(self._whole_item(item, "response.output_item.added", empty))
            out.append(self._of(item, "response.content_part.added", {"content_index": 0, "part": output_text("")}))
        if text:
            item.text.append(text)
            out.append(
                self._of(item, "response.output_text.delta", {"content_index": 0, "delta": text, "logprobs": []})
            )

    def _call(self, delta: ToolCallDelta, out: list[bytes]) -> None:
        item = self._open.get(("call", delta.id))
        if item is None:
            item = self._begin("call", delta.id, out)
            item.call_id = delta.id
        if not item.begun and delta.raw_name:
            self._name_call(item, delta.raw_name, out)
        if delta.raw_arguments:
            item.text.append(delta.raw_arguments)
            if item.begun:
                out.append(self._written(item, delta.raw_arguments))

    def _call_all(self, out: list[bytes]) -> None:
        """Tell of the calls that wait: items stand in the order in which they came."""
        for delta in self._order.rest():
            self._call(delta, out)

    def _name_call(self, item: _Item, name: str, out: list[bytes]) -> None:
        """Tell of a call, whose kind is known by its name alone; what came before the name comes now."""
        item.begun = True
        item.name = name
        is_custom = name in self._custom
        item.id = item_id("ctc" if is_custom else "fc", self._head.inference_id, item.place)
        empty = call_item(item.id, item.call_id, name, "", "in_progress", is_custom=is_custom)
        out.append(self._whole_item(item, "response.output_item.added", empty))
        if item.text:
            out.append(self._written(item, "".join(item.text)))

    def _written(self, item: _Item, piece: str) -> bytes:
        what = "custom_tool_call_input" if item.name in self._custom else "function_call_arguments"
        return self._of(item, f"response.{what}.delta", {"delta": piece})

    def _thought(self, delta: ThoughtDelta, out: list[bytes]) -> None:
        before = self._open.get(("thought", delta.id))
        item = self._held("thought", delta.id, out)
        if before is not None and before is not item and (delta.signature or delta.extra_data is not None):
            # A signature that comes after its item's end is worth nothing without what it signs.
            item.deltas += before.deltas
        item.deltas.append(delta)
        if not item.begun:
            item.begun = True
            thought = _folded(item.deltas)
            item.id = own_id(thought) or item_id("rs", self._head.inference_id, item.place)
            empty: dict[str, Any] = {"type": "reasoning", "id": item.id, "summary": []}
            out.append(self._whole_item(item, "response.output_item.added", empty))
        if delta.summary_text is not None:
            self._summary(item, delta.summary_id or "", delta.summary_text, out)
        if delta.text is not None:
            if not item.text:
                part = {"type": "reasoning_text", "text": ""}
                out.append(self._of(item, "response.content_part.added", {"content_index": 0, "part": part}))
            item.text.append(delta.text)
            out.append(self._of(item, "response.reasoning_text.delta", {"content_index": 0, "delta": delta.text}))

    def _summary(self, item: _Item, key: str, text: str, out: list[bytes]) -> None:
        paragraph = item.paragraphs.get(key)
        index = len(item.paragraphs) if paragraph is None else list(item.paragraphs).index(key)
        if paragraph is None:
            paragraph = item.paragraphs[key] = []
            part = {"type": "summary_text", "text": ""}
            out.append(self._of(item, "response.reasoning_summary_part.added", {"summary_index": index, "part": part}))
        paragraph.append(text)
        out.append(self._of(item, "response.reasoning_summary_text.delta", {"summary_index": index, "delta": text}))

    def _close_all(self, out: list[bytes], *, complete: bool) -> None:
        self._call_all(out)
        last = len(self._items) - 1
        for item in self._items:
            if not item.done:
                self._close(item, out, complete=complete or item.place < last)

    def _close(self, item: _Item, out: list[bytes], *, complete: bool) -> None:
        item.done = True
        status: Status = "completed" if complete else "incomplete"
        match item.kind:
            case "text":
                part = output_text("".join(item.text))
                end: dict[str, Any] = {"content_index": 0, "text": part["text"], "logprobs": []}
                out.append(self._of(item, "response.output_text.done", end))
                out.append(self._of(item, "response.content_part.done", {"content_index": 0, "part": part}))
                item.whole = message_item(item.id, [part], status)
            case "call":
                if not item.begun:
                    self._name_call(item, "", out)
                item.whole = self._end_call(item, status, out)
            case _:
                item.whole = self._end_thought(item, out)
        out.append(self._whole_item(item, "response.output_item.done", item.whole))

    def _end_call(self, item: _Item, status: Status, out: list[bytes]) -> dict[str, Any]:
        written = "".join(item.text)
        is_custom = item.name in self._custom
        if is_custom:
            out.append(self._of(item, "response.custom_tool_call_input.done", {"input": written}))
        else:
            end = {"name": item.name, "arguments": written}
            out.append(self._of(item, "response.function_call_arguments.done", end))
        return call_item(item.id, item.call_id, item.name, written, status, is_custom=is_custom)

    def _end_thought(self, item: _Item, out: list[bytes]) -> dict[str, Any]:
        for index, paragraph in enumerate(item.paragraphs.values()):
            text = "".join(paragraph)
            end = {"summary_index": index, "text": text}
            out.append(self._of(item, "response.reasoning_summary_text.done", end))
            part = {"type": "summary_text", "text": text}
            out.append(self._of(item, "response.reasoning_summary_part.done", {"summary_index": index, "part": part}))
        if item.text:
            text = "".join(item.text)
            out.append(self._of(item, "response.reasoning_text.done", {"content_index": 0, "text": text}))
            part = {"type": "reasoning_text", "text": text}
            out.append(self._of(item, "response.content_part.done", {"content_index": 0, "part": part}))
        # The first event had the id, which may have been made before the provider told its own.
        return reasoning_item(item.id, _folded(item.deltas))


def _folded(deltas: Sequence[Delta]) -> Thought:
    (block,) = fold([Chunk(tuple(deltas))]).content
    assert isinstance(block, Thought)
    return block
