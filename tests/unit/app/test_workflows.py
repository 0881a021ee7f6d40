"""What a worker remembers of workflow evaluations."""

import asyncio
import threading

import pytest

from calibrant.app.workflows import CatalogueWorkflows
from calibrant.base.errors import StoreUnavailable
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.workflow import Pinned, WorkflowEpisode, WorkflowRun


class Counting(SqliteCatalogue):
    """A catalogue that says who asks it."""

    def __init__(self, path):
        super().__init__(path)
        self.asked = []

    def reading(self):
        self.asked.append(threading.current_thread().name)
        return super().reading()


@pytest.fixture
def catalogue(tmp_path):
    made = Counting(tmp_path / "catalogue.db")
    with made.transaction() as tx:
        tx.add_workflow_run(WorkflowRun(id="r", variants={"f": "v"}, snapshot_hash="h"))
        for number in range(3):
            tx.add_workflow_episode(WorkflowEpisode(id=f"e{number}", run_id="r", snapshot_hash="h"))
    yield made
    made.close()


def looked_up(catalogue, *ids, kept=10):
    workflows = CatalogueWorkflows(catalogue, kept=kept)

    async def main():
        return [await workflows.pinned(each) for each in ids]

    try:
        return asyncio.run(main())
    finally:
        workflows.close()


def test_an_episode_is_looked_up_once_and_off_the_event_loop(catalogue):
    assert looked_up(catalogue, "e0", "e0", "e1") == [Pinned("r", {"f": "v"}, {})] * 3
    assert len(catalogue.asked) == 2 and all(name.startswith("workflows") for name in catalogue.asked)


def test_an_unknown_one_is_asked_for_again(catalogue):
    assert looked_up(catalogue, "e9", "e9") == [None, None]
    assert len(catalogue.asked) == 2


def test_only_so_many_are_remembered_and_the_oldest_goes(catalogue):
    looked_up(catalogue, "e0", "e1", "e2", "e2", "e1", "e0", kept=2)
    assert len(catalogue.asked) == 4


def test_a_catalogue_that_is_away_says_so(catalogue):
    catalogue.close()
    catalogue.path.write_bytes(b"no database, by far" * 99)
    with pytest.raises(StoreUnavailable):
        looked_up(catalogue, "e0")
