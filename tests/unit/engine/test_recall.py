import asyncio

import msgspec
import pytest
from tests.support.engine import Line, Stored, content, function, model, said, variant

from calibrant.base.errors import InvalidRequest, ResponseNotFound, StoreUnavailable
from calibrant.base.ids import uuid7
from calibrant.engine import recall
from calibrant.engine.engine import Caller
from calibrant.types.content import Text, ToolCall, ToolResult, Unknown
from calibrant.types.message import Input, Message
from calibrant.types.request import InferenceRequest, Recall
from calibrant.types.sent import Sent, SentMessage

ASKED = Input((Message("user", (Text("q"),)),), "s")
NEXT = Input((Message("user", (Text("next"),)),))


@pytest.fixture
def line(tmp_path):
    def make(*steps, targets=None, toml=model() + function(), **fields):
        return Line(tmp_path, toml, *steps, targets=targets or Stored(), **fields)

    return make


def answered(line, caller=None, **fields):
    """The row of an inference in this dialect."""
    line.infer(caller, input=ASKED, dialect="openai_responses", **fields)
    return line.row


def go_on(line, row, caller=None, *, recalled=None, **fields):
    request = InferenceRequest(**{"input": NEXT, "function_name": "f", "dialect": "openai_responses", **fields})
    recalled = recalled or Recall(row.id)
    return asyncio.run(recall.continued(line.engine, request, recalled, caller or Caller()))


def forgotten(line):
    """The same line in a worker that did not give the answers itself."""
    object.__setattr__(line.engine, "recent", type(line.engine.recent)())
    return line


def test_the_answer_of_this_worker_needs_no_store(line):
    made = line(said("a"))
    row = answered(made)
    request = go_on(made, row)
    assert request.input == Input((*ASKED.messages, Message("assistant", (Text("a"),)), *NEXT.messages))
    assert request.episode_id == row.episode_id
    assert made.engine.targets.looks == 0


def test_instructions_are_the_requests_own(line):
    made = line(said("a"))
    row = answered(made)
    assert go_on(made, row).input.system is None
    assert go_on(made, row, input=Input(NEXT.messages, "mine")).input.system == "mine"


def test_other_dialects_answers_are_not_kept_in_memory(line):
    made = line(said("a"))
    made.infer(input=ASKED)
    assert made.engine.recent.find(made.row.id) is None


def test_another_workers_answer_is_waited_for(line):
    made = line(said("a"))
    row = answered(made)
    running = msgspec.structs.replace(row, status="running", output=None)
    object.__setattr__(made.engine, "targets", Stored(rows=(None, running, row)))
    request = go_on(forgotten(made), row)
    assert request.input.messages[1] == Message("assistant", (Text("a"),))
    assert made.engine.targets.looks == 3


def test_once_the_watermark_has_passed_nothing_is_waited_for(line):
    made = line(targets=Stored(watermarks=(2**60,)))
    with pytest.raises(ResponseNotFound, match="not found"):
        go_on(made, None, recalled=Recall(uuid7()))
    assert made.engine.targets.looks == 1


def test_a_store_that_is_behind_says_so(line, monkeypatch):
    monkeypatch.setattr(recall, "_PATIENCE_S", 0.0)
    made = line()
    with pytest.raises(StoreUnavailable, match="on its way"):
        go_on(made, None, recalled=Recall(uuid7()))
    object.__setattr__(made.engine, "targets", Stored(away=True))
    with pytest.raises(StoreUnavailable, match="away"):
        go_on(made, None, recalled=Recall(uuid7()))


def test_a_store_that_comes_back_in_time_is_asked_again(line):
    class Returning(Stored):
        async def inference(self, inference_id):
            self.away = self.looks < 2
            return await super().inference(inference_id)

    made = line(said("a"))
    row = answered(made)
    object.__setattr__(made.engine, "targets", Returning(rows=(row,), watermarks=(2**60,)))
    assert go_on(forgotten(made), row).episode_id == row.episode_id
    assert made.engine.targets.looks == 3


@pytest.mark.parametrize("stored", [False, True])
def test_only_the_callers_own(line, stored):
    made = line(said("a"))
    mine = Caller(key_id="mine")
    row = answered(made, mine)
    if stored:
        object.__setattr__(made.engine, "targets", Stored(rows=(row,)))
        forgotten(made)
    assert go_on(made, row, mine).episode_id == row.episode_id
    for other in (Caller(key_id="other"), Caller()):
        with pytest.raises(ResponseNotFound, match=row.id):
            go_on(made, row, other)


def test_what_was_not_to_be_stored_is_not_found(line):
    made = line(said("a"))
    row = answered(made, tags={"tensorzero::store": "false"})
    with pytest.raises(ResponseNotFound):
        go_on(made, row)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"status": "error"}, "failed"),
        ({"status": "interrupted"}, "interrupted"),
        ({"input": None}, "record.payloads"),
        ({"output": None}, "record.payloads"),
        ({"input": b"{"}, "not readable"),
        ({"output": b'{"redacted":1}'}, "not readable"),
    ],
)
def test_what_cannot_be_gone_on_from(line, changes, match):
    made = line(said("a"))
    row = msgspec.structs.replace(answered(made), **changes)
    object.__setattr__(made.engine, "targets", Stored(rows=(row,)))
    with pytest.raises(InvalidRequest, match=match):
        go_on(forgotten(made), row)


def test_without_a_record_there_is_nothing_to_go_on_from(line):
    with pytest.raises(InvalidRequest, match=r"observability\.enabled"):
        go_on(line(spool=False), None, recalled=Recall(uuid7()))


def test_results_get_the_names_of_the_calls_before_them(line):
    made = line(said(None, calls=[("weather", "{}")]))
    row = answered(made)
    results = Input((Message("user", (ToolResult("call_0", "", "sun"),)),))
    request = go_on(made, row, input=results, recalled=Recall(row.id, unnamed=True))
    assert request.input.messages[-1].content == (ToolResult("call_0", "weather", "sun"),)
    assert isinstance(request.input.messages[1].content[0], ToolCall)
    stray = Input((Message("user", (ToolResult("other", "", "sun"),)),))
    with pytest.raises(InvalidRequest, match="'other'"):
        go_on(made, row, input=stray, recalled=Recall(row.id, unnamed=True))


def test_an_item_is_put_where_it_is_named(line):
    made = line(said("a"))
    row = answered(made)
    name = f"msg_{row.id}_0"
    asked = Input((Message("assistant", (Unknown({"type": "item_reference", "id": name}),)),))
    written = Sent("openai_responses", "f", {}, (SentMessage(None, 0), SentMessage(b"1", 0), SentMessage(b"2", None)))
    request = go_on(made, row, input=asked, recalled=Recall(None, {name: row.id}), sent=written)
    assert request.input.messages == (Message("assistant", (Text("a"),)),)
    assert request.sent.messages == (SentMessage(None, 0), SentMessage(None, 0), SentMessage(b"2", None))
    stray = f"msg_{row.id}_5"
    asked = Input((Message("assistant", (Unknown({"type": "item_reference", "id": stray}),)),))
    with pytest.raises(InvalidRequest, match=stray):
        go_on(made, row, input=asked, recalled=Recall(None, {stray: row.id}))


def test_what_the_caller_wrote_follows_what_is_recorded(line):
    made = line(said("a"))
    row = answered(made)
    written = Sent("openai_responses", "f", {}, (SentMessage(b"1", 0),))
    messages = go_on(made, row, sent=written).sent.messages
    assert messages == (SentMessage(None, 0), SentMessage(None, 1), SentMessage(b"1", 2))


def test_system_messages_stay_with_the_conversation(line):
    made = line(said("a"))
    row = answered(made)
    length = {"tensorzero::system_messages": "1"}
    kept = msgspec.structs.replace(row, tags=length)
    made.engine.recent.keep(kept)
    request = go_on(made, row, input=Input(NEXT.messages, "mine\nnew"), tags={"tensorzero::system_messages": "3"})
    assert request.input.system == "mine\ns\nnew"
    assert request.tags["tensorzero::system_messages"] == "5"
    assert go_on(made, row).input.system == "s"


def test_a_json_functions_answer_is_its_text(line):
    made = line(said('{"a":1}'), toml=model() + function(variant(extra='json_mode = "on"'), kind="json"))
    row = answered(made)
    assert go_on(made, row).input.messages[1] == Message("assistant", (Text('{"a":1}'),))


def test_a_stream_is_kept_as_well(line):
    made = line(said("a"))
    assert content(made.infer(input=ASKED, dialect="openai_responses"))[0]["text"] == "a"
    assert made.engine.recent.find(made.row.id).output == made.row.output
