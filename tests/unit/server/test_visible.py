"""A key with a list of functions is shown what is of these alone."""

import asyncio

import pytest
from tests.support.engine import Line, function, model
from tests.support.records import feedback, inferred
from tests.support.stores import drained, spooled

from calibrant.base.errors import Forbidden, InvalidRequest
from calibrant.base.ids import uuid7
from calibrant.datasets.making import made
from calibrant.server.http import HttpRequest
from calibrant.server.lookups import LookupDesk
from calibrant.server.statistics import StatisticsDesk
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.store.sqlite_reader import SqliteReader
from calibrant.types.datapoint import Content, NewDatapoint
from calibrant.types.key import Grants, Principal
from calibrant.types.message import Input

METRIC = 'metrics.correct = { type = "boolean", optimize = "max", level = "inference" }\n'
TOML = METRIC + model() + function(name="seen") + function(name="hidden")


class Now:
    """Questions answered at once."""

    def __init__(self, reader):
        self.reader = reader

    async def ask(self, question):
        return question(self.reader)


class World:
    """One inference of each of two functions, each with feedback."""

    def __init__(self, folder):
        self.seen, self.hidden = inferred(function_name="seen"), inferred(function_name="hidden")
        self.judged = {name: feedback(getattr(self, name).inference.id) for name in ("seen", "hidden")}
        spooled(folder / "spool", self.seen, self.hidden, *self.judged.values())
        drained(folder / "spool", folder / "events.db")
        engine = Line(folder, TOML).engine
        questions = Now(SqliteReader(folder / "events.db"))
        self.lookups = LookupDesk(engine, questions, SqliteCatalogue(folder / "catalogue.db"))
        self.statistics = StatisticsDesk(engine, questions)
        self.off = LookupDesk(engine, None, None)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def asked(handler, query="", functions=("se*",), body=b"{}", **params):
    principal = Principal("k" * 12, frozenset({"read"}), None if functions is None else Grants(functions=functions))
    http = HttpRequest("GET", "/", query, body=body, params=params, principal=principal)
    return asyncio.run(handler(http)).body.decode()


@pytest.mark.parametrize("name", ["seen", "hidden"])
def test_what_is_of_one_inference(world, name):
    row = getattr(world, name).inference
    call = getattr(world, name).model_inferences[0]
    told = [
        asked(world.lookups.feedback, target_id=row.id),
        asked(world.lookups.latest_feedback, target_id=row.id),
        asked(world.lookups.model_inferences, inference_id=row.id),
        asked(world.lookups.resolve, id=row.id),
        asked(world.lookups.resolve, id=row.episode_id),
        asked(world.lookups.resolve, id=world.judged[name].feedback.id),
        asked(world.lookups.resolve, id=call.id),
    ]
    empty = ['{"feedback":[]}', '{"feedback_id_by_metric":{}}', '{"model_inferences":[]}']
    for number, text in enumerate(told):
        nothing = text in empty if number < 3 else '"object_types":[]' in text
        assert nothing == (name == "hidden"), text
    assert asked(world.lookups.count_feedback, target_id=row.id) == f'{{"count":{int(name == "seen")}}}'
    assert asked(world.lookups.count_feedback, functions=None, target_id=row.id) == '{"count":1}'


def test_a_datapoint_is_found_by_its_id(world):
    ids = {name: uuid7() for name in ("seen", "hidden")}
    with world.lookups.catalogue.transaction() as tx:
        begun = tx.change_dataset("d", "add", group_by="episode", actor="k", now_ms=1)
        tx.add_datapoints(
            made(
                NewDatapoint(Content(type="chat", function_name=name, input=Input(()))),
                id_,
                dataset_name="d",
                version=begun.version,
                group_by="episode",
                actor="k",
                now_ms=1,
            )
            for name, id_ in ids.items()
        )
    found = '"object_types":[{"type":"chat_datapoint","function_name":"%s","dataset_name":"d"}]'
    assert found % "seen" in asked(world.lookups.resolve, id=ids["seen"])
    assert '"object_types":[]' in asked(world.lookups.resolve, id=ids["hidden"])
    assert found % "hidden" in asked(world.lookups.resolve, functions=None, id=ids["hidden"])


def test_lists_and_counts(world):
    seen, hidden = world.seen.inference, world.hidden.inference
    for handler in (world.lookups.metadata, world.lookups.list_episodes, world.lookups.find_episodes):
        assert seen.episode_id in asked(handler) and hidden.episode_id not in asked(handler)
        assert hidden.episode_id in asked(handler, functions=None)
    assert asked(world.lookups.count_inferences) == '{"count":1}'
    assert asked(world.lookups.count_inferences, functions=None) == '{"count":2}'
    assert '"count":1' in asked(world.lookups.episode_bounds)
    assert asked(world.lookups.count_episode, episode_id=hidden.episode_id) == '{"inference_count":0}'
    assert '"hidden"' not in asked(world.statistics.function_counts)
    assert '"count":1' in asked(world.statistics.model_usage, "time_window=day")
    assert '"count":2' in asked(world.statistics.model_usage, "time_window=day", functions=None)


def test_a_function_of_another_is_refused(world):
    for handler, query in (
        (world.statistics.inference_count, ""),
        (world.statistics.metrics, ""),
        (world.statistics.variant_usage, "time_window=day"),
        (world.statistics.performances, "time_window=day&metric_name=correct"),
    ):
        assert asked(handler, query, function_name="seen")
        with pytest.raises(Forbidden, match="may not use the function 'hidden'"):
            asked(handler, query, function_name="hidden")
    with pytest.raises(Forbidden, match="a configuration has all of them"):
        asked(world.lookups.config)
    assert '"hidden"' in asked(world.lookups.config, functions=None)


def test_without_a_record_there_is_nothing_to_ask(world):
    with pytest.raises(InvalidRequest, match=r"observability\.enabled"):
        asked(world.off.episode_bounds)
