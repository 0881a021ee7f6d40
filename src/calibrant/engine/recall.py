"""What a request goes on from: an earlier answer of the record, put before the request's own input.

An answer of this worker may be in memory still; for others the store is asked, and while the watermark says that it
may be on its way there, asked again. Only the caller's own answers are found, and none that was not to be kept.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from calibrant.apischema.openai_responses import InputText, MessageItem
from calibrant.base.errors import InvalidRequest, ResponseNotFound, StoreUnavailable
from calibrant.base.ids import id_millis
from calibrant.engine.engine import Caller, Engine
from calibrant.types.content import InputBlock, OutputBlock, Text, ToolCall, ToolResult, Unknown
from calibrant.types.message import Input, Message
from calibrant.types.request import InferenceRequest, Recall
from calibrant.types.rows import InferenceRow
from calibrant.types.sent import Sent, SentMessage
from calibrant.wire.responses_ids import owner_of

__all__ = ["continued", "find_response", "output_of", "recorded"]

_POLL_S = 0.02
_PATIENCE_S = 3.0
"""How long an answer that may be on its way to the store is waited for."""
_CARRIED = "tensorzero::system_messages"

_input = msgspec.json.Decoder(Input).decode
_content = msgspec.json.Decoder(tuple[OutputBlock, ...]).decode
_json = msgspec.json.Encoder().encode


class _JsonOutput(msgspec.Struct):
    raw: str | None


_json_output = msgspec.json.Decoder(_JsonOutput).decode


async def continued(engine: Engine, request: InferenceRequest, recall: Recall, caller: Caller) -> InferenceRequest:
    """Return the request with what it refers to in its place.

    Raises:
        ResponseNotFound: there is no such answer, or it is not the caller's.
        InvalidRequest: it has no answer that could be gone on from, or no payload was recorded of it.
        StoreUnavailable: it may be on its way to the store, which does not have it in time.
    """
    messages, system, sent = request.input.messages, request.input.system, request.sent
    if recall.references:
        messages = await _resolved(engine, messages, recall, caller)
        if sent is not None:
            sent = sent.without({place for place, each in enumerate(messages) if each != request.input.messages[place]})
    if recall.previous_id is None:
        return replace(request, input=Input(messages, system), sent=sent)
    row = await find_response(engine, recall.previous_id, caller)
    before = _history(row)
    if recall.unnamed:
        messages = _named(before.messages, messages)
    carried = _carried(row, before)
    tags = request.tags
    if carried is not None:
        own = int(tags.get(_CARRIED, "0"))
        tags = {**tags, _CARRIED: str(len(carried) + (own + 1 if own else 0))}
        system = _joined(request, system, carried, own)
    return replace(
        request,
        input=Input((*before.messages, *messages), system),
        episode_id=request.episode_id or row.episode_id,
        tags=tags,
        sent=None if sent is None else _following(sent, before.messages, len(messages), carried),
    )


async def find_response(engine: Engine, inference_id: str, caller: Caller) -> InferenceRow:
    """Return the record of an answer that may be shown to the caller.

    Raises:
        ResponseNotFound: there is none, or it is another's.
        InvalidRequest: nothing is recorded.
        StoreUnavailable: it may be on its way to the store, which does not have it in time.
    """
    if engine.spool is None or engine.targets is None:
        raise InvalidRequest(
            "going on from an earlier response needs the record, which the configuration turns off "
            "(observability.enabled); send the whole conversation in `input`"
        )
    row = engine.recent.find(inference_id) or await recorded(engine, inference_id)
    if row is None or row.key_id != caller.key_id or row.tags.get("tensorzero::store") == "false":
        raise ResponseNotFound(f"Previous response with id 'resp_{inference_id}' not found.")
    return row


async def recorded(engine: Engine, inference_id: str) -> InferenceRow | None:
    """Return an inference of the record, or null once it is certain that there is none.

    Raises:
        StoreUnavailable: it may be on its way to the store, which does not have it in time.
    """
    targets = engine.targets
    if targets is None:
        return None
    arrived = engine.clock.wall_ms()
    patience = engine.clock.monotonic() + _PATIENCE_S
    while True:
        # Asked before the look: what was there then, the look must find.
        final = targets.watermark_ms() > arrived and id_millis(inference_id) <= arrived - targets.others_lag_ms
        late = engine.clock.monotonic() >= patience
        found = None
        try:
            found = await targets.inference(inference_id)
        except StoreUnavailable:
            # The recorder may be making the database just now.
            final = False
            if late:
                raise
        if final or (found is not None and (late or found.status != "running")):
            return found
        if late:
            raise StoreUnavailable(
                f"the response 'resp_{inference_id}' may be on its way to the database, which is behind; try again"
            )
        await asyncio.sleep(_POLL_S)


def _history(row: InferenceRow) -> Input:
    """Return an inference's input with its answer at the end."""
    asked, answer = _asked(row), output_of(row)
    return Input((*asked.messages, Message("assistant", cast("tuple[InputBlock, ...]", answer))), asked.system)


def _asked(row: InferenceRow) -> Input:
    if row.status != "ok":
        state = {"running": "has not ended", "interrupted": "was interrupted"}.get(row.status, "failed")
        raise InvalidRequest(
            f"previous_response_id: the response 'resp_{row.id}' {state}; go on from the one before it"
        )
    if row.input is None or row.output is None:
        raise InvalidRequest(
            f"previous_response_id: what was said in 'resp_{row.id}' is not in the record: the configuration does not "
            "keep payloads (record.payloads), or no longer; send the whole conversation in `input`"
        )
    try:
        return _input(row.input)
    except msgspec.MsgspecError as error:
        raise _unreadable(row, error) from None


def output_of(row: InferenceRow) -> tuple[OutputBlock, ...]:
    """Return the content of a recorded answer; none where none is recorded.

    Raises:
        InvalidRequest: it is not readable as it was recorded.
    """
    if row.output is None:
        return ()
    try:
        if row.function_type != "json":
            return _content(row.output)
        raw = _json_output(row.output).raw
    except msgspec.MsgspecError as error:
        raise _unreadable(row, error) from None
    return () if raw is None else (Text(raw),)


def _unreadable(row: InferenceRow, error: Exception) -> InvalidRequest:
    return InvalidRequest(
        f"previous_response_id: what was said in 'resp_{row.id}' is not readable as it was recorded ({error}); "
        "send the whole conversation in `input`"
    )


def _carried(row: InferenceRow, before: Input) -> str | None:
    """Return the system messages of the conversation so far. Unlike instructions, they stay."""
    length = row.tags.get(_CARRIED)
    if length is None or not isinstance(before.system, str):
        return None
    return before.system[-int(length) :]


def _joined(request: InferenceRequest, system: Any, carried: str, own: int) -> str:
    """Return the system prompt: the request's instructions, the conversation's messages, the request's own."""
    text = system if isinstance(system, str) else ""
    instructions, mine = (text[: -own - 1], text[-own:]) if own else (text, "")
    return "\n".join(piece for piece in (instructions, carried, mine) if piece)


async def _resolved(
    engine: Engine, messages: tuple[Message, ...], recall: Recall, caller: Caller
) -> tuple[Message, ...]:
    """Return the messages with the items of earlier answers in the places where they are named."""
    outputs = {
        inference_id: output_of(await find_response(engine, inference_id, caller))
        for inference_id in set(recall.references.values())
    }

    def found(block: InputBlock) -> InputBlock:
        name = _reference(block)
        if name is None:
            return block
        owner = owner_of(name)
        content = outputs[owner[0]] if owner is not None else ()
        if owner is None or owner[1] >= len(content):
            raise InvalidRequest(f"input: there is no item {name!r} in the record")
        return content[owner[1]]

    return tuple(Message(message.role, tuple(found(block) for block in message.content)) for message in messages)


def _reference(block: InputBlock) -> str | None:
    if not isinstance(block, Unknown) or not isinstance(block.data, dict):
        return None
    data: dict[str, Any] = cast("dict[str, Any]", block.data)  # pyright: ignore[reportUnknownMemberType]
    return data.get("id") if data.get("type") == "item_reference" else None


def _following(sent: Sent, before: tuple[Message, ...], own: int, carried: str | None) -> Sent:
    """Return what the caller wrote, as its own messages, after what the record says."""
    moved = sent.moved({place: len(before) + place for place in range(own)})
    said = [] if carried is None else [SentMessage(_json(MessageItem("developer", [InputText(carried)])), None)]
    recalled = [SentMessage(None, place) for place in range(len(before))]
    return replace(moved, messages=(*said, *recalled, *moved.messages))


def _named(before: tuple[Message, ...], messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return the messages with the tools' names that stand in the conversation before them."""
    calls = {block.id: block.raw_name for message in before for block in message.content if isinstance(block, ToolCall)}

    def named(block: InputBlock) -> InputBlock:
        if not isinstance(block, ToolResult) or block.name:
            return block
        if block.id not in calls:
            raise InvalidRequest(f"input: no earlier item calls a tool with the id {block.id!r}")
        return ToolResult(block.id, calls[block.id], block.result)

    return tuple(Message(message.role, tuple(named(block) for block in message.content)) for message in messages)
