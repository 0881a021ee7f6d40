"""What the handlers of recorded inferences show, and to whom."""

import asyncio
from unittest.mock import MagicMock

import msgspec
import pytest
from tests.support.homes import stored
from tests.support.records import begun, feedback, inferred

from calibrant.base.errors import InvalidRequest
from calibrant.server.http import HttpRequest
from calibrant.server.inferences import InferenceDesk
from calibrant.store.sqlite import SqliteEvents
from calibrant.types.key import DEFAULT_FUNCTION, Grants, Principal


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
