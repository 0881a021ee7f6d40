from __future__ import annotations

import msgspec
import pytest
from tests.contract.providers.cases import provider

from calibrant.base.errors import BadAnswer, ProviderError, Refused
from calibrant.providers.catalog import adapter
from calibrant.types.content import Text, Thought, ToolCall, Unknown
from calibrant.types.reply import Chunk, Reply, fold

DONE = {"type": "response.completed", "response": {"status": "completed", "output": []}}
SEARCHED = {"type": "web_search_call", "id": "ws_1"}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "now", "arguments": "{}"}


def lines(*events: object) -> bytes:
    return b"".join(b"data: " + msgspec.json.encode(event) + b"\n\n" for event in events)


def read(*events: object, json_tool: bool = True, **fields: object) -> list[Chunk]:
    made = adapter(provider("openai", options={"api_type": "responses"}, **fields))
    decoder = made.decoder(json_tool=json_tool)
    return decoder.feed(lines(*events)) + decoder.close()


def whole(*events: object, **fields: object) -> Reply:
    return fold(read(*events, **fields))


def test_one_event_is_one_chunk_with_its_bytes() -> None:
    events = ({"type": "response.queued"}, {"type": "response.a_thing_of_tomorrow", "x": 1}, DONE)
    chunks = read(*events)
    assert [chunk.raw for chunk in chunks] == [msgspec.json.encode(event) for event in events]
    assert [chunk.content for chunk in chunks] == [(), (), ()]


def test_pieces_of_a_call_that_never_began() -> None:
    piece = {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{}"}
    reply = whole(piece, {"type": "response.output_item.done", "output_index": 0, "item": CALL}, DONE)
    assert reply.content == (ToolCall("0", "now", "{}"),)
    assert reply.finish_reason == "tool_call"


def test_text_that_never_began() -> None:
    piece = {"type": "response.output_text.delta", "output_index": 3, "content_index": 0, "delta": "Hi"}
    assert whole(piece, DONE).content == (Text("Hi"),)


def test_arguments_stand_once_however_often_they_are_told() -> None:
    begun = {"type": "response.output_item.added", "output_index": 0, "item": {**CALL, "arguments": ""}}
    piece = {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{}"}
    done = {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": "{}"}
    end = {"type": "response.output_item.done", "output_index": 0, "item": CALL}
    for events in ((begun, piece, done, end), (begun, done, end), (begun, end), (end,), (begun, done, done, end)):
        assert whole(*events, DONE).content == (ToolCall("call_a", "now", "{}"),)


def test_unknown_items_may_be_discarded() -> None:
    end = {"type": "response.output_item.done", "output_index": 0, "item": SEARCHED}
    assert whole(end, DONE).content == (Unknown(SEARCHED),)
    assert whole(end, DONE, discard_unknown_chunks=True).content == ()


def test_a_tool_called_respond_is_the_callers_own() -> None:
    end = {"type": "response.output_item.done", "output_index": 0, "item": {**CALL, "name": "respond"}}
    assert whole(end, DONE).content == (Text("{}"),)
    assert whole(end, DONE, json_tool=False).content == (ToolCall("call_a", "respond", "{}"),)


def test_reasoning_keeps_its_place_beside_what_it_is_for() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gA+/="}
    reply = whole({"type": "response.output_item.done", "output_index": 0, "item": item}, DONE)
    assert reply.content == (Thought(None, "gA+/=", None, "openai", {"id": "rs_1"}),)


@pytest.mark.parametrize(
    ("event", "error", "says"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "slow down"}, Refused, "slow down"),
        ({"type": "error", "error": {"message": "slow down"}}, Refused, "slow down"),
        ({"type": "error"}, ProviderError, "my_openai"),
        ({"type": "response.failed", "response": {"status": "failed"}}, BadAnswer, "does not say why"),
        ({"type": "response.output_item.added", "output_index": 0, "item": 5}, BadAnswer, "cannot be read"),
        ({"type": "response.output_text.delta", "delta": 5}, BadAnswer, "cannot be read"),
        (
            {"type": "response.completed", "response": {"status": "incomplete", "incomplete_details": 5}},
            BadAnswer,
            "read",
        ),
        ([], BadAnswer, "cannot be read"),
    ],
)
def test_what_goes_wrong_is_told(event: object, error: type[ProviderError], says: str) -> None:
    with pytest.raises(error, match=says):
        read(event)
