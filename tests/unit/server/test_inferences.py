"""What the handlers of recorded inferences show, and to whom."""

import asyncio
from unittest.mock import MagicMock

import msgspec
import pytest
from tests.support.homes import stored
from tests.support.records import begun, feedback, inferred

from calibrant.base.errors import InvalidRequest, NotFound
from calibrant.datasets import editing, holdout
from calibrant.datasets.editing import Actor
from calibrant.datasets.withheld import Withheld
from calibrant.server.datasets import DatasetDesk
from calibrant.server.http import HttpRequest
from calibrant.server.inference_files import InferenceFileDesk
from calibrant.server.inferences import InferenceDesk
from calibrant.server.lookups import LookupDesk
from calibrant.server.replay import ReplayDesk
from calibrant.server.visible import learnable, target_learnable
from calibrant.store.sqlite import SqliteEvents
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, NewDatapoint, Origin
from calibrant.types.key import DEFAULT_FUNCTION, Grants, Principal
from calibrant.types.message import Input, Message
from calibrant.types.split import Shares


class Direct:
    """Asks without a thread."""

    def __init__(self, reader):
        self.reader = reader

    async def ask(self, question):
        return question(self.reader)


@pytest.fixture
def records():
    return [
        inferred(function_name="public_one"),
        inferred(function_name="secret"),
        inferred(function_name="public_two", status="error", error_code="timeout", error_message="too late"),
        inferred(function_name=DEFAULT_FUNCTION),
    ]


@pytest.fixture
def desk(tmp_path, records):
    events = SqliteEvents(tmp_path / "events.db")
    stored(events, [*records, feedback(records[0].inference.id)])
    engine = MagicMock()
    engine.config.metrics = {}
    engine.config.functions = {}
    yield InferenceDesk(engine, Direct(events))
    events.close()


def ask(handler, body, grants=None, principal=True):
    who = Principal("k", frozenset(("read",)), grants) if principal else None
    answer = asyncio.run(handler(HttpRequest("POST", "/", body=msgspec.json.encode(body), principal=who)))
    assert answer.status == 200
    return msgspec.json.decode(answer.body)["inferences"], dict(answer.headers)


def names(found):
    return [one["function_name"] for one in found[0]]


def test_a_key_with_a_list_of_functions_sees_these_alone(desk, records):
    ids = [record.inference.id for record in records]
    for grants, seen in (
        (None, ["public_one", "secret", DEFAULT_FUNCTION]),
        (Grants(functions=("public_*",)), ["public_one"]),
        (Grants(functions=("secret", DEFAULT_FUNCTION)), ["secret", DEFAULT_FUNCTION]),
        (Grants(functions=()), []),
        (Grants(models=("m",)), ["public_one", "secret", DEFAULT_FUNCTION]),
    ):
        assert names(ask(desk.list, {}, grants)) == seen[::-1]
        assert names(ask(desk.get, {"ids": ids}, grants)) == seen
    assert names(ask(desk.list, {"function_name": "secret"}, Grants(functions=("public_*",)))) == []
    assert len(ask(desk.list, {}, principal=False)[0]) == 3


def test_failures_are_shown_to_those_who_ask(desk, records):
    failed = records[2].inference.id
    assert ask(desk.get, {"ids": [failed]})[0] == []
    (one,) = ask(desk.get, {"ids": [failed], "include_failed": True})[0]
    assert (one["status"], one["error_code"], one["error_message"]) == ("error", "timeout", "too late")
    assert len(ask(desk.list, {"include_failed": True})[0]) == 4
    assert "status" not in ask(desk.list, {})[0][0]


def test_a_search_says_how_far_the_index_is_behind(desk, records):
    events = desk.questions.reader
    asked = {"search_query_experimental": "xxxxx"}
    found, headers = ask(desk.list, asked)
    assert len(found) == 3
    assert headers == {}
    connection = events._connection()
    connection.execute("UPDATE text_index SET seq = seq - 3")
    assert ask(desk.list, asked)[1] == {"calibrant-search-behind": "3"}
    assert ask(desk.list, {})[1] == {}


def test_without_a_record_there_is_nothing_to_ask():
    engine = MagicMock()
    engine.config.metrics = {}
    with pytest.raises(InvalidRequest, match=r"observability\.enabled"):
        ask(InferenceDesk(engine, None).list, {})


def test_a_stream_that_runs_is_shown_to_those_who_ask_for_unfinished_ones(desk):
    open_stream = begun()
    stored(desk.questions.reader, [open_stream], segment="w.00000002.seg", first=50)
    (one,) = ask(desk.get, {"ids": [open_stream.inference.id], "include_failed": True})[0]
    assert one["status"] == "running"
    assert "input" not in one
    assert "output" not in one


@pytest.fixture
def split(tmp_path, records, desk):
    """The dataset `d` holds the first inference back, and all else of its function and its episode."""
    catalogue = SqliteCatalogue(tmp_path / "catalogue.db")
    first = records[0].inference
    content = Content("chat", first.function_name, Input((Message("user", (Text("Something of its own"),)),)))
    point = NewDatapoint(content, episode_id=first.episode_id, origin=Origin("inference", first.id))
    editing.create(catalogue, "d", "episode", Actor("t", 1_900_000_000_000))
    editing.add(catalogue, "d", [point], Actor("t", 1_900_000_000_000))
    holdout.seal(catalogue, "d", Shares(train=0, val=100, sealed=0), None, Actor("t", 1_900_000_000_000))
    yield InferenceDesk(desk.engine, desk.questions, Withheld(catalogue)), catalogue
    catalogue.close()


def as_key(*roles, **fields):
    return HttpRequest("GET", "/", principal=Principal("k", frozenset(roles)), **fields)


def test_to_an_optimizer_what_is_held_back_is_not_there(split, records):
    desk, _ = split
    ids = [record.inference.id for record in records]

    def seen(handler, body, *roles):
        answer = asyncio.run(handler(as_key(*roles, body=msgspec.json.encode(body))))
        return [each["inference_id"] for each in msgspec.json.decode(answer.body)["inferences"]]

    for roles, gone in ((("optimizer", "read"), 1), (("optimizer", "admin"), 0), (("read",), 0)):
        assert seen(desk.list, {}, *roles) == [ids[3], ids[1], *ids[:1][gone:]]
        assert seen(desk.get, {"ids": ids}, *roles) == [*ids[:1][gone:], ids[1], ids[3]]


def test_an_export_leaves_out_what_is_held_back_whoever_asks(split, records):
    desk, _ = split

    async def exported():
        answer = await InferenceFileDesk(desk).export(as_key("admin"))
        return b"".join([piece async for piece in answer.chunks])

    lines = asyncio.run(exported()).splitlines()
    written = [msgspec.json.decode(line)["inference_id"] for line in lines]
    assert written == [records[1].inference.id, records[3].inference.id]


def test_to_an_optimizer_there_is_no_feedback_on_it_and_no_call_for_it(split, records):
    desk, catalogue = split
    desk.engine.clock.wall_ms.return_value = 4_000_000_000_000
    lookups = LookupDesk(desk.engine, desk.questions, catalogue, desk.withheld)
    first, second = records[0].inference, records[1].inference

    def count(key, *roles):
        http = as_key(*roles)
        http.params = {"target_id": key, "inference_id": key}
        told = asyncio.run(lookups.feedback(http)), asyncio.run(lookups.model_inferences(http))
        return [len(next(iter(msgspec.json.decode(each.body).values()))) for each in told]

    assert count(first.id, "read") == [1, len(records[0].model_inferences)]
    assert count(first.id, "optimizer") == [0, 0]
    assert count(second.id, "optimizer") == [0, len(records[1].model_inferences)]
    for each, seen in ((first, False), (second, True)):
        assert target_learnable(as_key("optimizer"), desk.withheld, desk.questions.reader, each.episode_id) is seen
        assert target_learnable(as_key("read"), desk.withheld, desk.questions.reader, each.episode_id)


def test_an_optimizer_comes_by_it_through_no_dataset_and_no_replay(split, records):
    desk, catalogue = split
    first = records[0].inference
    rows = desk.questions.reader.get([first.id])
    assert learnable(as_key("optimizer"), desk.withheld, rows) == []
    assert learnable(as_key("optimizer"), desk.withheld, rows, besides="d") == list(rows)
    desk.engine.targets = None
    desk.engine.clock.wall_ms.return_value = 1_900_000_000_000
    datasets = DatasetDesk(desk.engine, catalogue, desk.questions, desk.questions.reader, desk.withheld)
    body = msgspec.json.encode({"type": "inference_ids", "inference_ids": [first.id], "output_source": "none"})
    http = as_key("optimizer", body=body)
    http.params = {"dataset_name": "mine"}
    with pytest.raises(NotFound, match=first.id):
        asyncio.run(datasets.gather(http))
    replays = ReplayDesk(desk.engine, desk.questions, datasets)
    for role, found in (("optimizer", set()), ("read", {first.id})):
        assert asyncio.run(replays._found([first.id], None, as_key(role))).keys() == found
