"""Confirmations whose process is silent, over every catalogue and its vault."""

import asyncio
import random
import shutil
import threading
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.clouds import ManualClock
from tests.support.engine import Line, said
from tests.support.homes import CATALOGUES

from calibrant.base.errors import ConfirmationRefused, NotFound, StoreUnavailable
from calibrant.base.ids import uuid7
from calibrant.datasets import editing, holdout
from calibrant.datasets.editing import Actor
from calibrant.datasets.reader import DatasetReader
from calibrant.evaluations import confirming, running
from calibrant.evaluations.confirming import confirm
from calibrant.evaluations.exact_match import ExactMatch
from calibrant.evaluations.ledger import confirmations
from calibrant.evaluations.running import HELD_MS, SLACK_MS, abandon, abandon_silent, confirmations_now, holding
from calibrant.evaluations.status import confirmation_named
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.confirmation import Proposal
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, DatapointQuery, NewDatapoint
from calibrant.types.message import Input, Message
from calibrant.types.split import Shares

FIXTURES = Path(__file__).parents[2] / "fixtures"
NOW = 1_900_000_000_000
ACTOR = Actor("tester", NOW)
EXACT = ExactMatch("exact")
PROPOSAL = Proposal(dataset_name="d", function_name="f", incumbent="old", candidate="new", claimed_gain=0.9)
OTHER = Proposal(dataset_name="d", function_name="f", incumbent="old", candidate="other", claimed_gain=0.9)
TOML = """
[models.m]
routing = ["p"]
[models.m.providers.p]
type = "openai"
model_name = "m"
api_base = "http://p.m/v1/"
api_key_location = "none"
[functions.f]
type = "chat"
[functions.f.variants]
old = { type = "chat_completion", model = "m" }
new = { type = "chat_completion", model = "m", temperature = 0.5 }
other = { type = "chat_completion", model = "m", temperature = 0.9 }
"""


def case(number):
    words = " ".join(random.Random(number).choices(["elm", "oak", "ash", "fir", "yew", "box", "bay", "fig"], k=40))
    return NewDatapoint(Content("chat", "f", Input((Message("user", (Text(words),)),)), (Text("yes"),)))


@pytest.fixture(params=sorted(CATALOGUES))
def catalogue(request, tmp_path):
    with CATALOGUES[request.param](tmp_path) as opened:
        editing.create(opened, "d", "datapoint", ACTOR)
        holdout.seal(opened, "d", Shares(train=0, val=0, sealed=100), None, ACTOR)
        editing.add(opened, "d", [case(n) for n in range(80)], ACTOR)
        yield opened


@pytest.fixture
def clock():
    return ManualClock(NOW / 1e3)


def begin(catalogue, clock, wanted=PROPOSAL):
    hashes = {name: f"{name} {wanted.candidate}" for name in ("config_hash", "incumbent_hash", "candidate_hash")}
    actor = Actor("tester", clock.wall_ms())
    return confirming._begin(catalogue, wanted, EXACT, actor, hashes, confirming.untouched, clock, uuid7())


def finish(catalogue, clock, begun, items, candidate=1.0):
    bad, good = ([confirming._Said((Text("yes"),), score)] * len(items) for score in (0.0, candidate))
    ended, answers = confirming._decided(begun, items, bad, good, EXACT)
    return confirming._finish(catalogue, ended, answers, clock)


def after(clock, ms):
    clock.now = (NOW + ms) / 1e3


def in_ledger(catalogue):
    with catalogue.reading() as view:
        return [each.status for each in confirmations(view)]


def told(catalogue, clock):
    with catalogue.reading() as view:
        found = confirmations_now(view, clock.wall_ms())
        assert [confirmation_named(view, each.id, clock.wall_ms()) for each in found] == found
        with pytest.raises(NotFound, match="no confirmation"):
            confirmation_named(view, "none", clock.wall_ms())
    return [each.status for each in found]


def splits(catalogue, items):
    shown = {each.id: each.split for each in DatasetReader(catalogue).stream(DatapointQuery(dataset_name="d"))}
    return {shown[each.item.id] for each in items}


def leases(catalogue):
    with catalogue.reading() as view:
        return view.confirmation_leases()


def test_one_that_was_silent_for_too_long_is_told_as_abandoned_before_anybody_writes_it(catalogue, clock):
    begun, items = begin(catalogue, clock)
    assert leases(catalogue) == {begun.id: NOW + HELD_MS}
    after(clock, HELD_MS + SLACK_MS - 1)
    assert told(catalogue, clock) == ["running"]
    abandon_silent(catalogue, clock.wall_ms())
    assert in_ledger(catalogue) == ["running"] and splits(catalogue, items) == {"sealed"}
    after(clock, HELD_MS + SLACK_MS)
    assert told(catalogue, clock) == ["abandoned"] and in_ledger(catalogue) == ["running"]


def test_the_next_one_writes_it_and_lets_its_items_go(catalogue, clock):
    begun, items = begin(catalogue, clock)
    after(clock, HELD_MS + SLACK_MS)
    other, others = begin(catalogue, clock, OTHER)
    assert in_ledger(catalogue) == told(catalogue, clock) == ["abandoned", "running"]
    assert splits(catalogue, items) == {"val"} and splits(catalogue, others) == {"sealed"}
    assert list(leases(catalogue)) == [other.id] and begun.alpha > other.alpha
    with catalogue.reading() as view:
        assert holdout.broken_at(holdout.ledger_lines(view)) is None


def test_what_renews_its_lease_runs_on_however_long_it_takes(catalogue, clock):
    begun, items = begin(catalogue, clock)
    for _ in range(5):
        after(clock, clock.wall_ms() - NOW + HELD_MS - 1)
        assert running._renew(catalogue, begun.id, clock)
    begin(catalogue, clock, OTHER)
    assert told(catalogue, clock) == ["running", "running"]
    assert finish(catalogue, clock, begun, items).status == "passed"
    assert told(catalogue, clock) == ["passed", "running"]


def test_a_lease_that_is_over_is_not_renewed_and_nobody_finishes_by_it(catalogue, clock):
    begun, items = begin(catalogue, clock)
    after(clock, HELD_MS)
    assert not running._renew(catalogue, begun.id, clock)
    # Nobody else has called it abandoned yet, but from now on somebody may.
    with pytest.raises(ConfirmationRefused, match=f"{begun.id} said nothing for more than 90 s"):
        finish(catalogue, clock, begun, items)
    assert in_ledger(catalogue) == ["abandoned"] and splits(catalogue, items) == {"val"} and leases(catalogue) == {}
    assert catalogue.vault.answers(begun.id) == ()


def test_what_was_abandoned_meanwhile_is_not_passed_later(catalogue, clock):
    begun, items = begin(catalogue, clock)
    ended = abandon(catalogue, begun.id, NOW)
    assert ended.status == "abandoned" and not running._renew(catalogue, begun.id, clock)
    with pytest.raises(ConfirmationRefused, match="counts as broken off"):
        finish(catalogue, clock, begun, items)
    assert in_ledger(catalogue) == ["abandoned"]


def test_what_has_ended_is_not_ended_again(catalogue, clock):
    begun, items = begin(catalogue, clock)
    ended = finish(catalogue, clock, begun, items, candidate=0.0)
    # Somebody who saw it run a moment ago takes it for broken off.
    assert abandon(catalogue, begun.id, NOW + 1) == ended
    # Nor by whoever ended it and could not know.
    assert finish(catalogue, clock, begun, items) == ended
    after(clock, 10 * HELD_MS)
    assert told(catalogue, clock) == in_ledger(catalogue) == [ended.status] == ["failed"]
    assert abandon(catalogue, "none", NOW) is None


def test_two_that_race_for_its_end_end_it_once(catalogue, clock):
    begun, items = begin(catalogue, clock)
    came = []

    def finished():
        try:
            came.append(finish(catalogue, clock, begun, items).status)
        except ConfirmationRefused:
            came.append("refused")

    threads = [threading.Thread(target=finished) for _ in range(3)]
    threads.append(threading.Thread(target=abandon, args=(catalogue, begun.id, NOW)))
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    with catalogue.reading() as view:
        (end,) = view.acts("confirm.end")
    assert came == ["refused" if end.detail["status"] == "abandoned" else "passed"] * 3


def test_a_confirmation_that_lost_its_lease_asks_no_more_and_is_abandoned(catalogue, clock, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "_RENEW_S", 0.01)

    def answer(_call):
        # As if the machine had been suspended in the middle of it.
        after(clock, HELD_MS)
        return said("yes")

    line = Line(tmp_path, TOML, answer, clock=clock)

    class Slow(ExactMatch):
        def score(self, item, output):
            stopped.wait(10)
            return super().score(item, output)

    stopped = threading.Event()

    async def run():
        try:
            await confirm(line.engine, catalogue, PROPOSAL, Slow("exact"), ACTOR)
        finally:
            stopped.set()

    with pytest.raises(ConfirmationRefused, match="was suspended"):
        asyncio.run(run())
    assert in_ledger(catalogue) == ["abandoned"] and len(line.sender.calls) < 20


def test_a_catalogue_that_cannot_be_written_for_a_moment_costs_nothing(catalogue, clock, monkeypatch, caplog):
    begun, _ = begin(catalogue, clock)
    monkeypatch.setattr(running, "_RENEW_S", 0.001)
    renewed, tries = threading.Event(), []

    def renew(*asked):
        tries.append(asked)
        if len(tries) == 1:
            raise StoreUnavailable("no disk")
        try:
            return real(*asked)
        finally:
            renewed.set()

    real = running._renew
    monkeypatch.setattr(running, "_renew", renew)

    async def run():
        async with holding(catalogue, begun.id, clock):
            after(clock, 1000)
            await asyncio.to_thread(renewed.wait, 10)

    asyncio.run(run())
    assert "was not renewed: no disk" in caplog.text
    assert leases(catalogue) == {begun.id: NOW + 1000 + HELD_MS}


@pytest.mark.parametrize("written", [False, True])
def test_what_came_of_it_is_written_by_another_try(catalogue, clock, tmp_path, monkeypatch, written):
    monkeypatch.setattr(confirming, "_AGAIN_S", 0.0)
    line = Line(tmp_path, TOML, lambda _call: said("yes"), clock=clock)
    tries = []

    def finish(*asked):
        tries.append(asked)
        if len(tries) == 1:
            if written:
                real(*asked)
            raise StoreUnavailable("locked")
        return real(*asked)

    real = confirming._finish
    monkeypatch.setattr(confirming, "_finish", finish)
    ended = asyncio.run(confirm(line.engine, catalogue, PROPOSAL, EXACT, ACTOR))
    assert len(tries) == 2 and ended.status == "failed"
    with catalogue.reading() as view:
        assert confirmations(view) == [ended]


def test_what_cannot_be_written_while_the_lease_lasts_is_told(catalogue, clock, tmp_path, monkeypatch):
    monkeypatch.setattr(confirming, "_AGAIN_S", 0.0)
    line = Line(tmp_path, TOML, lambda _call: said("yes"), clock=clock)

    def finish(*_asked):
        monkeypatch.setattr(confirming, "monotonic", lambda: float("inf"))
        raise StoreUnavailable("locked")

    monkeypatch.setattr(confirming, "_finish", finish)
    with pytest.raises(StoreUnavailable, match="locked"):
        asyncio.run(confirm(line.engine, catalogue, PROPOSAL, EXACT, ACTOR))
    after(clock, HELD_MS + SLACK_MS)
    assert told(catalogue, clock) == ["abandoned"]


def test_one_of_which_no_renewal_is_written_ends_when_its_lease_does(catalogue, clock, monkeypatch):
    begun, _ = begin(catalogue, clock)
    monkeypatch.setattr(running, "HELD_MS", 50)

    def renew(*_asked):
        raise StoreUnavailable("no disk")

    monkeypatch.setattr(running, "_renew", renew)

    async def run():
        async with holding(catalogue, begun.id, clock):
            await asyncio.Event().wait()

    with pytest.raises(ConfirmationRefused, match="could not be written"):
        asyncio.run(run())


def test_a_fault_of_the_block_is_told_as_it_is(catalogue, clock):
    begun, _ = begin(catalogue, clock)

    async def run():
        async with holding(catalogue, begun.id, clock):
            raise TimeoutError("a model's")

    with pytest.raises(TimeoutError, match="a model's"):
        asyncio.run(run())


def test_a_confirmation_that_a_past_catalogue_left_running_is_told_as_abandoned(tmp_path):
    shutil.copy(FIXTURES / "catalogues" / "schema_0006.db", tmp_path / "catalogue.db")
    with closing(SqliteCatalogue(tmp_path / "catalogue.db")) as mine, mine.reading() as view:
        ((id_, until),) = view.confirmation_leases().items()
        assert confirmation_named(view, id_, until).status == "running"
        assert confirmation_named(view, id_, until + SLACK_MS).status == "abandoned"
