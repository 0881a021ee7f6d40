"""The export of inferences over HTTP: what is asked, to whom it is shown, and how it ends."""

import asyncio
from unittest.mock import MagicMock
from urllib.parse import urlencode

import msgspec
import pytest
from tests.support.homes import stored
from tests.support.records import feedback, inferred

from calibrant.base.errors import InvalidRequest
from calibrant.config.schema import Metric
from calibrant.datasets import editing, holdout
from calibrant.datasets.editing import Actor
from calibrant.datasets.withheld import Withheld
from calibrant.server.dataset_files import HELD_BACK
from calibrant.server.http import HttpRequest
from calibrant.server.inference_files import NEXT, InferenceFileDesk
from calibrant.server.inferences import InferenceDesk
from calibrant.store.sqlite import SqliteEvents
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, NewDatapoint, Origin
from calibrant.types.key import Grants, Principal
from calibrant.types.message import Input, Message
from calibrant.types.split import Shares

ACTOR = Actor("t", 1_900_000_000_000)


class Direct:
    """Asks without a thread, and counts."""

    def __init__(self, reader):
        self.reader = reader
        self.asked = 0

    async def ask(self, question):
        self.asked += 1
        return question(self.reader)


@pytest.fixture
def records():
    return [
        inferred(function_name="public_one", tags={"user": "1"}),
        inferred(function_name="secret"),
        inferred(function_name="public_two", status="error", error_code="timeout", error_message="too late"),
    ]


@pytest.fixture
def desk(tmp_path, records):
    events = SqliteEvents(tmp_path / "events.db")
    stored(events, [*records, feedback(records[0].inference.id)])
    engine = MagicMock()
    engine.config.metrics = {"correct": Metric("correct", "boolean", "max", "inference")}
    engine.compiler.function.return_value.function.tools = {}
    yield InferenceFileDesk(InferenceDesk(engine, Direct(events)))
    events.close()


def asked(desk, grants=None, **query):
    who = Principal("k", frozenset(("read",)), grants)
    request = HttpRequest("GET", "/", query=urlencode(query), principal=who)

    async def take():
        answer = await desk.export(request)
        assert (answer.status, answer.content_type) == (200, "application/jsonl")
        return b"".join([piece async for piece in answer.chunks]), dict(answer.headers)

    body, headers = asyncio.run(take())
    return [msgspec.json.decode(line) for line in body.splitlines()], headers


def names(desk, grants=None, **query):
    return [line["function_name"] for line in asked(desk, grants, **query)[0]]


def test_a_key_with_a_list_of_functions_is_given_these_alone(desk):
    assert names(desk) == ["public_one", "secret"]
    assert names(desk, Grants(functions=("public_*",))) == ["public_one"]
    assert names(desk, Grants(functions=("public_*",)), function_name="secret") == []


def test_what_is_asked(desk, records):
    assert names(desk, include_failed="true") == ["public_one", "secret", "public_two"]
    tag = {"type": "tag", "key": "user", "value": "1", "comparison_operator": "="}
    judged = {"type": "boolean_metric", "metric_name": "correct", "value": True}
    both = msgspec.json.encode({"type": "and", "children": [tag, judged]}).decode()
    assert names(desk, filters=both) == ["public_one"]
    assert names(desk, episode_id=records[1].inference.episode_id) == ["secret"]
    (line, _), _ = asked(desk, model_inferences="true")
    assert line["feedback"][0]["metric_name"] == "correct"
    assert line["model_inferences"][0]["model_name"] == "m"
    (_, line), _ = asked(desk, output_source="none")
    assert "output" not in line and "model_inferences" not in line


def test_the_header_says_where_the_next_one_goes_on(desk):
    _, headers = asked(desk)
    assert int(headers[NEXT]) > 0
    assert asked(desk, after=headers[NEXT]) == ([], headers)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"format": "parquet"}, "format is 'parquet'; write one of inferences, chat, preference"),
        ({"filters": "{"}, "filters is no JSON"),
        ({"filters": '{"type":"tag"}'}, "filters"),
        ({"filters": '{"type":"boolean_metric","metric_name":"x","value":true}'}, "there is no metric 'x'"),
        ({"episode_id": "x"}, "no UUID"),
        ({"include_failed": "yes"}, "write one of false, true"),
        ({"after": "-1"}, "after is '-1'"),
        ({"limit": "3"}, "'limit' is unknown"),
        ({"output_source": "best"}, "output_source"),
    ],
)
def test_mistakes_are_told_before_anything_is_sent(desk, query, said):
    with pytest.raises(InvalidRequest, match=said):
        asked(desk, **query)


def test_what_is_read_is_read_piece_by_piece(desk, tmp_path):
    events = SqliteEvents(tmp_path / "many.db")
    stored(events, [inferred() for _ in range(200)])
    questions = Direct(events)
    many = InferenceFileDesk(InferenceDesk(desk.desk.engine, questions))

    async def main():
        answer = await many.export(HttpRequest("GET", "/"))
        assert not answer.outlives_client
        # It was opened, and its first lines were read; the others are, when these have been sent.
        assert questions.asked == 2
        sizes = [piece.count(b"\n") async for piece in answer.chunks]
        assert sum(sizes) == 200 and max(sizes) <= 50 and questions.asked == 1 + len(sizes) + 1

    asyncio.run(main())
    events.close()


def test_what_a_split_holds_back_is_counted_behind_the_lines(desk, records, tmp_path):
    first = records[0].inference
    content = Content("chat", first.function_name, Input((Message("user", (Text("Something of its own"),)),)))
    point = NewDatapoint(content, episode_id=first.episode_id, origin=Origin("inference", first.id))
    catalogue = SqliteCatalogue(tmp_path / "catalogue.db")
    editing.create(catalogue, "d", "episode", ACTOR)
    editing.add(catalogue, "d", [point], ACTOR)
    holdout.seal(catalogue, "d", Shares(train=0, val=0, sealed=100), None, ACTOR)

    async def told(desk):
        answer = await desk.export(HttpRequest("GET", "/"))
        lines = b"".join([piece async for piece in answer.chunks]).splitlines()
        return [msgspec.json.decode(line)["function_name"] for line in lines], answer.trailers()

    names, trailers = asyncio.run(told(desk))
    assert (names, trailers) == (["public_one", "secret"], ())
    split = InferenceFileDesk(InferenceDesk(desk.desk.engine, desk.desk.questions, Withheld(catalogue)))
    names, trailers = asyncio.run(told(split))
    assert (names, trailers) == (["secret"], ((HELD_BACK, "sealed=1"),))
    catalogue.close()


def test_no_record_is_a_mistake_of_the_caller():
    with pytest.raises(InvalidRequest, match="no record"):
        asked(InferenceFileDesk(InferenceDesk(MagicMock(), None)))
