"""Workflow evaluations: what a run is checked for, and what inferences and feedback of its episodes take from it."""

import asyncio

import pytest
from tests.support.engine import Line, Stored, function, model, request, variant

from calibrant.base.errors import Forbidden, InvalidRequest, NotFound, StoreUnavailable
from calibrant.base.ids import EVALUATED_FROM, evaluated_episode, uuid7
from calibrant.engine.engine import Caller
from calibrant.engine.workflow import evaluated, start_episode, start_run
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.key import Grants
from calibrant.types.workflow import Pinned, WorkflowEpisode, WorkflowRun

METRIC = 'metrics.happy = { type = "float", optimize = "max", level = "episode" }\n'
GOOD = 'metrics.good = { type = "boolean", optimize = "max", level = "episode" }\n'
TOML = METRIC + GOOD + model() + function(variant("v"), variant("w")) + function(name="g")
EPISODE = evaluated_episode()


class Known:
    """Workflows that are known; away where there is a fault."""

    def __init__(self, fault=None, **pins):
        self.fault = fault
        self.known = {EPISODE: Pinned("r1", pins, {"run": "r1", "who": "run"})}

    async def pinned(self, episode_id):
        if self.fault is not None:
            raise self.fault
        return self.known.get(episode_id)


@pytest.fixture
def catalogue(tmp_path):
    made = SqliteCatalogue(tmp_path / "catalogue.db")
    yield made
    made.close()


def wanted(**fields):
    return WorkflowRun(**{"id": "", "variants": {"f": "w"}, "snapshot_hash": "", **fields})


def test_a_run_and_its_episodes(tmp_path, catalogue):
    line = Line(tmp_path, TOML)
    run = start_run(line.engine, catalogue, wanted(tags={"a": "b"}), Caller(key_id="k"))
    asked = WorkflowEpisode(id="", run_id=run.id, task_name="t", tags={"c": "d"}, snapshot_hash="")
    first, second = (start_episode(line.engine, catalogue, asked) for _ in range(2))
    assert EVALUATED_FROM <= first.id < second.id
    assert (run.key_id, run.snapshot_hash, first.snapshot_hash) == ("k", *[line.config.hash] * 2)
    with catalogue.reading() as view:
        assert view.workflow_run(run.id) == run
        assert view.workflow_episodes(run.id) == (second, first)
        assert view.pinned(first.id) == Pinned(
            run.id,
            {"f": "w"},
            {
                "a": "b",
                "c": "d",
                "tensorzero::workflow_evaluation_run_id": run.id,
                "tensorzero::dynamic_evaluation_run_id": run.id,
            },
        )


@pytest.mark.parametrize(
    ("variants", "caller", "error", "says"),
    [
        ({"nope": "v"}, Caller(), NotFound, "Unknown function: 'nope'"),
        ({"f": "nope"}, Caller(), InvalidRequest, "has no variant 'nope'; it has v, w"),
        ({"f": "v"}, Caller(grants=Grants(functions=("g",))), Forbidden, "may not use the function 'f'"),
    ],
)
def test_a_run_that_makes_no_sense_is_refused(tmp_path, catalogue, variants, caller, error, says):
    line = Line(tmp_path, TOML)
    with pytest.raises(error, match=says):
        start_run(line.engine, catalogue, wanted(variants=variants), caller)
    with catalogue.reading() as view:
        assert view.count_workflow_runs() == 0


def test_an_episode_wants_a_run(tmp_path, catalogue):
    asked = WorkflowEpisode(id="", run_id=uuid7(), snapshot_hash="")
    with pytest.raises(NotFound, match="there is no workflow evaluation run"):
        start_episode(Line(tmp_path, TOML).engine, catalogue, asked)
    with catalogue.reading() as view:
        assert view.workflow_episodes(asked.run_id) == ()


def changed(tmp_path, workflows, **fields):
    line = Line(tmp_path, TOML, workflows=workflows)
    return asyncio.run(evaluated(line.engine, request(episode_id=EPISODE, **fields), EPISODE))


def test_a_request_takes_what_it_does_not_have(tmp_path):
    known = Known(f="w")
    plain = changed(tmp_path, known, tags={"who": "me"})
    assert (plain.variant_name, plain.tags) == ("w", {"run": "r1", "who": "me"})
    assert changed(tmp_path, known, variant_name="v").variant_name == "v"
    assert changed(tmp_path, known, function_name="g").variant_name is None
    assert changed(tmp_path, known, dynamic_variant={"type": "chat_completion"}, dryrun=True).variant_name is None
    assert changed(tmp_path, known, model_name="m").variant_name is None


def test_what_is_unknown_or_gone_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="pins the variant 'gone', which the function 'f' no longer has"):
        changed(tmp_path, Known(f="gone"))
    known = Known()
    known.known.clear()
    with pytest.raises(NotFound, match="there is no episode"):
        changed(tmp_path, known)


FED = {"episode_id": EPISODE}


def test_feedback_needs_no_inference_of_the_episode(tmp_path):
    # No watermark is asked, and no inference looked for: the catalogue knows.
    line = Line(tmp_path, TOML, targets=Stored(away=True), workflows=Known())
    line.feedback("happy", 2.5, **FED)
    line.feedback("comment", "fine", **FED)
    rows = [record.feedback for record in line.records]
    assert [(row.target_id, row.linked) for row in rows] == [(EPISODE, True)] * 2


def test_feedback_on_no_episode_is_refused(tmp_path):
    known = Known()
    known.known.clear()
    line = Line(tmp_path, TOML, targets=Stored(), workflows=known)
    with pytest.raises(InvalidRequest, match="there is no episode"):
        line.feedback("happy", 2.5, **FED)
    assert line.records == []


def test_feedback_outlives_a_catalogue_that_is_away(tmp_path):
    line = Line(tmp_path, TOML, targets=Stored(), workflows=Known(StoreUnavailable("away")))
    line.feedback("happy", 2.5, **FED)
    assert line.records[0].feedback.linked is False
