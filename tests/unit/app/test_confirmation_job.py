"""A worker has something confirmed by a process of its own, and says what became of it when that process dies."""

import asyncio
import subprocess
import sys
from contextlib import closing

import pytest
from msgspec.structs import replace

from calibrant.app import confirmation_job
from calibrant.app.confirmation_job import Job, ask_confirmation
from calibrant.app.options import Options
from calibrant.base.clock import SystemClock
from calibrant.base.errors import InternalError, StoreUnavailable
from calibrant.datasets import editing, holdout
from calibrant.datasets.editing import Actor
from calibrant.evaluations import running
from calibrant.evaluations.ledger import beginning, confirmations
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.confirmation import Confirmation, Proposal
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, NewDatapoint
from calibrant.types.message import Input, Message
from calibrant.types.split import Shares

ACTOR = Actor("tester", 1_800_000_000_000)
PROPOSAL = Proposal(dataset_name="d", function_name="f", incumbent="old", candidate="new", claimed_gain=0.9)
BEGUN = Confirmation(
    id="",
    status="running",
    at=1_800_000_000_000,
    dataset_name="d",
    function_name="f",
    incumbent="old",
    candidate="new",
    evaluator="exact_match",
    items=30,
    clusters=30,
    alpha=0.03,
    period="2027Q1",
    number=1,
    claimed_gain=0.9,
)


@pytest.fixture
def catalogue(tmp_path):
    with closing(SqliteCatalogue(tmp_path / "catalogue.db")) as opened:
        editing.create(opened, "d", "datapoint", ACTOR)
        holdout.seal(opened, "d", Shares(train=0, val=0, sealed=100), None, ACTOR)
        yield opened


def ask(tmp_path, catalogue):
    options = Options(data_dir=str(tmp_path))
    return asyncio.run(ask_confirmation(options, catalogue, SystemClock(), PROPOSAL, "exact_match", "k"))


@pytest.fixture
def dying(catalogue, monkeypatch):
    """A process that dies: after it began, and did what is given, under the id that it was told."""

    def with_act(act):
        async def died(_module, job):
            id_ = confirmation_job.msgspec.json.decode(job, type=Job).confirmation_id
            with catalogue.transaction() as tx:
                tx.write_ledger(beginning(replace(BEGUN, id=id_), {}))
                tx.lease_confirmation(id_, 10**15)
            act(id_)
            return b"", -9

        monkeypatch.setattr(confirmation_job, "in_process", died)

    return with_act


def statuses(catalogue):
    with catalogue.reading() as view:
        return [each.status for each in confirmations(view)]


def test_one_that_was_killed_is_abandoned_at_once_and_the_caller_is_told(tmp_path, catalogue, dying):
    dying(lambda _id: None)
    with pytest.raises(
        InternalError, match=r"was killed by signal 9, and it is abandoned: the 0.0300 of .* the 30 items"
    ):
        ask(tmp_path, catalogue)
    assert statuses(catalogue) == ["abandoned"]


def test_one_that_was_killed_after_its_last_word_to_the_ledger_has_done_its_work(tmp_path, catalogue, dying):
    def passed(id_):
        with catalogue.transaction() as tx:
            ended = replace(BEGUN, id=id_, status="passed", interval=(0.1, 0.3))
            running.end(catalogue, tx, ended, ACTOR.now_ms)

    dying(passed)
    found = ask(tmp_path, catalogue)
    assert found.status == "passed" and found.interval == (0.1, 0.3) and statuses(catalogue) == ["passed"]


def test_one_of_which_nothing_can_be_written_now_is_told_by_its_id(tmp_path, catalogue, dying, monkeypatch):
    dying(lambda _id: None)

    def away(*_asked):
        raise StoreUnavailable("the catalogue is away")

    monkeypatch.setattr(confirmation_job, "abandon", away)
    with pytest.raises(InternalError, match=r"count as abandoned within 120 s.*the catalogue is away"):
        ask(tmp_path, catalogue)


def test_one_that_ends_before_it_began_has_spent_nothing(tmp_path, catalogue, monkeypatch):
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(InternalError, match=r"ended with status 1 .* before it began; nothing is spent"):
        ask(tmp_path, catalogue)
    assert statuses(catalogue) == []
    monkeypatch.setattr("sys.executable", "/none")
    with pytest.raises(StoreUnavailable, match="no process"):
        ask(tmp_path, catalogue)


def test_a_worker_loads_no_numpy_for_it(tmp_path, catalogue):
    content = Content("chat", "f", Input((Message("user", (Text("sealed"),)),)), (Text("yes"),))
    (id_,) = editing.add(catalogue, "d", [NewDatapoint(content)], ACTOR)
    with catalogue.transaction() as tx:
        tx.take_groups("d", [id_], "c")
        tx.write_ledger(beginning(replace(BEGUN, id="c"), {}))
    code = f"""
import sys
from pathlib import Path
from calibrant.app.confirmation_job import abandon
from calibrant.store.sqlite_catalogue import SqliteCatalogue
print(abandon(SqliteCatalogue(Path({str(catalogue.path)!r})), "c", 1).status)
print([name for name in ("numpy", "scipy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["abandoned", "[]"]
    with catalogue.reading() as view:
        assert view.group_splits("d", [id_])[id_].split == "val"
