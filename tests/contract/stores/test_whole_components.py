"""What is nearly the same is never in two splits, whoever lets go of it, in every catalogue and its vault."""

import random

import pytest
from msgspec.structs import replace
from tests.support.homes import CATALOGUES

from calibrant.base.clock import SystemClock
from calibrant.base.ids import id_millis, uuid7
from calibrant.datasets import editing, holdout
from calibrant.datasets.editing import Actor
from calibrant.datasets.reader import DatasetReader
from calibrant.evaluations import confirming
from calibrant.evaluations.drawing import drawn
from calibrant.evaluations.exact_match import ExactMatch
from calibrant.evaluations.running import abandon
from calibrant.types.confirmation import Proposal
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, DatapointQuery, NewDatapoint
from calibrant.types.message import Input, Message
from calibrant.types.query import Not, Tagged
from calibrant.types.split import Shares

NOW = 1_900_000_000_000
DAY = 86_400_000
ACTOR = Actor("tester", NOW)
EARLIER = Actor("tester", 1_700_000_000_000)
ALL_SEALED = Shares(train=0, val=0, sealed=100)
EXACT = ExactMatch("exact")
PROPOSAL = Proposal(dataset_name="d", function_name="f", incumbent="old", candidate="new", claimed_gain=0.9)
OTHER = Proposal(dataset_name="d", function_name="f", incumbent="old", candidate="other", claimed_gain=0.9)


def said(number, more=""):
    return (
        " ".join(
            random.Random(number).choices(["elm", "oak", "ash", "fir", "yew", "box", "bay", "fig", "nut", "may"], k=60)
        )
        + more
    )


def new(text, **fields):
    return NewDatapoint(Content("chat", "f", Input((Message("user", (Text(text),)),)), (Text("yes"),)), **fields)


@pytest.fixture(params=sorted(CATALOGUES))
def catalogue(request, tmp_path):
    with CATALOGUES[request.param](tmp_path) as opened:
        yield opened


def sealed(catalogue, name, points, shares=ALL_SEALED, newest_days=None, actor=ACTOR):
    editing.create(catalogue, name, "datapoint", actor)
    holdout.seal(catalogue, name, shares, newest_days, actor)
    return editing.add(catalogue, name, points, actor)


def splits(catalogue, name, ids):
    found = {each.id: each.split for each in DatasetReader(catalogue).stream(DatapointQuery(dataset_name=name))}
    return [found[each] for each in ids]


def begin(catalogue, wanted=PROPOSAL):
    hashes = {name: f"{name} {wanted.candidate}" for name in ("config_hash", "incumbent_hash", "candidate_hash")}
    return confirming._begin(catalogue, wanted, EXACT, ACTOR, hashes, confirming.untouched, SystemClock(), uuid7())


def test_the_twin_of_what_a_confirmation_reads_now_is_not_fresh_and_goes_with_it(catalogue):
    ids = sealed(catalogue, "d", [new(said(n)) for n in range(100)])
    begun, items = begin(catalogue)
    read = items[0].item
    (twin,) = editing.add(catalogue, "d", [new(said(ids.index(read.id), " or"))], ACTOR)
    with catalogue.reading() as view:
        component = view.group_splits("d", [twin])[twin].component
        assert component == view.group_splits("d", [read.group_key])[read.group_key].component
        assert component not in {each.component for each in view.fresh_components("d", "f")}
        again, _ = drawn(catalogue, view, OTHER, 10, "seed", confirming.untouched)
        assert not {each.item.id for each in again} & {twin, *(each.item.id for each in items)}
    abandon(catalogue, begun.id, NOW)
    assert splits(catalogue, "d", [read.id, twin]) == ["val", "val"]


def test_what_is_too_old_leaves_when_the_newest_of_its_near_duplicates_is(catalogue):
    (young,) = sealed(catalogue, "d", [new(said(1))], newest_days=14, actor=EARLIER)
    now = id_millis(young)
    with catalogue.transaction() as tx:
        (group,) = tx.group_splits("d", [young]).values()
        old = "01800000-0000-7000-8000-000000000000"
        tx.put_groups("d", [replace(group, group_key=old, newest_ms=now - 20 * DAY)])
    with catalogue.reading() as view:
        splitting = view.dataset("d").splitting
        assert holdout.too_old(view, "d", splitting, now) == ()
        assert len(holdout.too_old(view, "d", splitting, now + 15 * DAY)) == 2


def test_a_copy_elsewhere_takes_the_near_duplicates_out_of_the_seal_too(catalogue):
    ids = sealed(catalogue, "d", [new(said(1)), new(said(1, " or")), new(said(2))])
    editing.add(catalogue, "elsewhere", [new(said(1))], ACTOR)
    assert splits(catalogue, "d", ids) == ["train", "train", "sealed"]


def test_what_leaves_one_seal_leaves_every_other_that_has_it(catalogue):
    first = sealed(catalogue, "a", [new(said(1)), new(said(3))])
    second = sealed(catalogue, "b", [new(said(1)), new(said(1, " or")), new(said(2))])
    third = sealed(catalogue, "c", [new(said(1, " or")), new(said(3))])
    holdout.reveal(catalogue, [first[0]], ACTOR)
    assert splits(catalogue, "a", first) == ["train", "sealed"]
    assert splits(catalogue, "b", second) == ["train", "train", "sealed"]
    assert splits(catalogue, "c", third) == ["train", "sealed"]
    told = told_of(catalogue)
    assert told[3:5] == [("a", "reveal", "revealed"), ("b", "taint", "seen_before")]
    assert told[5:] == [("c", "taint", "near_duplicate")]
    assert len(catalogue.vault.hashes(after="", limit=9)) == 2


def lengthened(words):
    """Return the first words of a text: 40, 46 and 53 of them are each nearly the next, and the first not the last."""
    draw = random.Random(7)
    return " ".join(["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(60)][:words])


def told_of(catalogue):
    with catalogue.reading() as view:
        return [(each.dataset_name, each.act, each.detail.get("reason")) for each in holdout.ledger_lines(view)]


def test_what_is_nearly_the_same_in_a_dataset_that_is_not_split_takes_it_out_of_the_seal(catalogue):
    ids = sealed(catalogue, "d", [new(said(1)), new(said(2)), new(said(1, " then"))])
    editing.add(catalogue, "open", [new(said(1, " or")), new(said(3))], ACTOR)
    assert splits(catalogue, "d", ids) == ["train", "sealed", "train"]
    assert told_of(catalogue)[1:] == [("d", "taint", "near_duplicate")]
    (row,) = DatasetReader(catalogue).get([ids[0]])
    assert row.content.input == Input((Message("user", (Text(said(1)),)),))
    with catalogue.reading() as view:
        assert {each.reason for each in view.group_splits("d", [ids[0], ids[2]]).values()} == {"near_duplicate"}


def test_what_is_nearly_the_same_in_another_seal_stays_under_both(catalogue):
    first = sealed(catalogue, "a", [new(said(1))])
    second = sealed(catalogue, "b", [new(said(1, " or"))])
    assert splits(catalogue, "a", first) == splits(catalogue, "b", second) == ["sealed"]
    holdout.reveal(catalogue, second, ACTOR)
    assert splits(catalogue, "a", first) == splits(catalogue, "b", second) == ["train"]
    assert told_of(catalogue)[2:] == [("b", "reveal", "revealed"), ("a", "taint", "near_duplicate")]


def test_what_is_nearly_the_same_as_what_left_a_seal_leaves_its_own(catalogue):
    first = sealed(catalogue, "a", [new(lengthened(46)), new(said(1))])
    second = sealed(catalogue, "b", [new(lengthened(53)), new(said(1))])
    editing.add(catalogue, "open", [new(lengthened(40))], ACTOR)
    assert splits(catalogue, "a", first) == splits(catalogue, "b", second) == ["train", "sealed"]


def test_a_part_that_may_be_learnt_from_takes_what_is_nearly_the_same_out_of_another_seal(catalogue):
    ids = sealed(catalogue, "a", [new(said(1)), new(said(2))])
    sealed(catalogue, "b", [new(said(1, " or"))], Shares(train=100, val=0, sealed=0))
    assert splits(catalogue, "a", ids) == ["train", "sealed"]


def test_no_filter_tells_which_tags_a_sealed_one_has(catalogue):
    ids = sealed(catalogue, "d", [new(said(n), tags={"label": "spam"}) for n in range(3)])
    spam = Tagged("label", "spam", True)

    def asked(filters):
        return [each.id for each in DatasetReader(catalogue).page(DatapointQuery(dataset_name="d", filters=filters))]

    assert asked(spam) == [] and sorted(asked(Not(spam))) == sorted(ids)
    assert sorted(asked(Tagged("label", "spam", False))) == sorted(ids)
    assert DatasetReader(catalogue, purpose="training").left_out(DatapointQuery(dataset_name="d", filters=spam)) == {}
    holdout.reveal(catalogue, [ids[0]], ACTOR)
    assert asked(spam) == [ids[0]]
