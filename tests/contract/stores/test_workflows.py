"""What every catalogue does with workflow evaluations. Each back end runs the same tests."""

import shutil
from pathlib import Path

import pytest
from tests.support.homes import CATALOGUES

from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.workflow import Pinned, Project, WorkflowEpisode, WorkflowRun

FIXTURES = Path(__file__).parents[2] / "fixtures" / "catalogues"


def run(run_id="r1", **fields):
    return WorkflowRun(**{"id": run_id, "variants": {"f": "v"}, "snapshot_hash": "h", **fields})


def episode(episode_id="e1", run_id="r1", **fields):
    return WorkflowEpisode(**{"id": episode_id, "run_id": run_id, "snapshot_hash": "h", **fields})


FULL = {
    "variants": {"für 'Köln'": 'v"1'},
    "tags": {"a": "1", "b": "2"},
    "project_name": "zoo",
    "display_name": "Ärger 100% _!",
    "key_id": "k" * 12,
}


@pytest.fixture(params=sorted(CATALOGUES))
def catalogue(request, tmp_path):
    with CATALOGUES[request.param](tmp_path) as made:
        yield made


def keep(catalogue, *things):
    with catalogue.transaction() as tx:
        for thing in things:
            if isinstance(thing, WorkflowRun):
                tx.add_workflow_run(thing)
            else:
                tx.add_workflow_episode(thing)


def test_what_was_added_is_found_as_it_was(catalogue):
    keep(catalogue, run(), run("r2", **FULL), episode("e1", task_name="t", tags={"x": "y"}))
    with catalogue.reading() as view:
        assert view.workflow_run("r1") == run()
        assert view.workflow_run("r2") == run("r2", **FULL)
        assert view.workflow_run("R1") is None
        assert view.workflow_episodes("r1") == (episode("e1", task_name="t", tags={"x": "y"}),)


def test_an_episode_takes_its_run_s_pins_and_tags_and_wins_over_these(catalogue):
    keep(catalogue, run("r2", **FULL), episode("e1", "r2", tags={"b": "mine", "c": "3"}), episode("e2", "gone"))
    with catalogue.reading() as view:
        assert view.pinned("e1") == Pinned("r2", FULL["variants"], {"a": "1", "b": "mine", "c": "3"})
        assert view.pinned("e2") is None and view.pinned("r2") is None


def test_runs_by_ids_come_newest_first_and_unknown_ones_are_left_out(catalogue):
    keep(catalogue, run("r1"), run("r2", project_name="zoo"), run("r3"))
    with catalogue.reading() as view:
        assert [each.id for each in view.workflow_runs(("r1", "r3", "r9"))] == ["r3", "r1"]
        assert [each.id for each in view.workflow_runs(("r1", "r2"), project_name="zoo")] == ["r2"]
        assert view.workflow_runs(()) == ()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["r4", "r3", "r2", "r1"]),
        ({"limit": 2, "offset": 1}, ["r3", "r2"]),
        ({"project_name": "zoo"}, ["r4", "r2"]),
        ({"search": "äRGER"}, ["r2"]),
        ({"search": "100% _!"}, ["r2"]),
        ({"search": "%"}, ["r2"]),
        ({"search": "_"}, ["r2"]),
        ({"search": "!"}, ["r2"]),
        ({"search": "R3"}, ["r3"]),
        ({"search": "er", "project_name": "zoo"}, ["r2"]),
        ({"search": "er"}, ["r3", "r2"]),
    ],
)
def test_runs_are_listed_and_searched(catalogue, asked, found):
    keep(catalogue, run("r1"), run("r2", **FULL), run("r3", display_name="older"), run("r4", project_name="zoo"))
    with catalogue.reading() as view:
        assert [each.id for each in view.list_workflow_runs(**asked)] == found
        assert view.count_workflow_runs() == 4


def test_projects_are_those_that_have_a_name_the_newest_first(catalogue):
    keep(catalogue, run("r1", project_name="a"), run("r2", project_name="b"), run("r3", project_name="a"), run("r4"))
    with catalogue.reading() as view:
        assert view.workflow_projects() == (Project("a", 2, "r3"), Project("b", 1, "r2"))
        assert view.workflow_projects(limit=1, offset=1) == (Project("b", 1, "r2"),)
        assert view.count_workflow_projects() == 2


def test_tasks_are_counted_and_paged_over_several_runs(catalogue):
    keep(
        catalogue,
        run("r1"),
        run("r2"),
        run("r3"),
        episode("e1", "r1", task_name="t"),
        episode("e2", "r1"),
        episode("e3", "r2", task_name="t"),
        episode("e4", "r2", task_name="u"),
        episode("e5", "r3", task_name="u"),
        # A task whose name is another episode's id is not that episode.
        episode("e6", "r1", task_name="e2"),
    )
    with catalogue.reading() as view:
        both = ("r1", "r2")
        ids = [each.id for each in view.workflow_tasks(both, limit=10)]
        assert ids == ["e6", "e4", "e3", "e1", "e2"]
        assert view.count_workflow_tasks(both) == 4
        assert [each.id for each in view.workflow_tasks(both, limit=2, offset=1)] == ["e4", "e3", "e1"]
        assert view.workflow_tasks((), limit=10) == () and view.count_workflow_tasks(()) == 0
        assert view.count_workflow_episodes(("r1", "r2", "r9")) == {"r1": 3, "r2": 2}
        assert view.count_workflow_episodes(()) == {}
        assert [each.id for each in view.workflow_episodes("r1", limit=2, offset=1)] == ["e2", "e1"]


def test_a_catalogue_that_had_some_has_them_still(tmp_path):
    path = tmp_path / "catalogue.db"
    shutil.copy(FIXTURES / "schema_0004.db", path)
    mine = SqliteCatalogue(path)
    with mine.transaction() as tx:
        assert tx.workflow_run("r2") == run("r2", **FULL)
        assert tx.workflow_episodes("r2") == (episode("e1", "r2", task_name="t", tags={"x": "y"}),)
        tx.add_workflow_episode(episode("e2", "r2"))
    mine.close()
