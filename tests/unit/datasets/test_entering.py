"""What comes in and unseals something is noted by marks of groups, never by their keys."""

import pytest

from calibrant.datasets import editing, holdout
from calibrant.datasets.editing import Actor
from calibrant.datasets.entering import group_marks
from calibrant.datasets.splitting import group_mark
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, NewDatapoint
from calibrant.types.message import Input, Message
from calibrant.types.split import Shares

ACTOR = Actor("tester", 1_900_000_000_000)
KEY = "tag::user_id=somebody"
SAID = "what somebody said of rivers and of stones, and of a lantern in the evening"


@pytest.fixture
def catalogue(tmp_path):
    opened = SqliteCatalogue(tmp_path / "catalogue.db")
    editing.create(opened, "d", "tag::user_id", ACTOR)
    holdout.seal(opened, "d", Shares(train=0, val=0, sealed=100), None, ACTOR)
    editing.add(opened, "d", [case(SAID, "somebody")], ACTOR)
    yield opened
    opened.close()


def case(said, user):
    given = Input((Message("user", (Text(said),)),))
    return NewDatapoint(Content("chat", "f", given, (Text("yes"),)), tags={"user_id": user})


def last_line(catalogue):
    with catalogue.reading() as view:
        return view.ledger("d")[-1], view.dataset("d").splitting.salt


def test_a_copy_elsewhere_is_noted_by_a_mark_with_the_salt_of_the_sealed_dataset(catalogue):
    editing.add(catalogue, "elsewhere", [case(SAID, "another")], ACTOR)
    line, salt = last_line(catalogue)
    assert (line.act, line.detail) == ("taint", {"reason": "seen_before", "groups": [group_mark(salt, KEY)]})


def test_a_near_duplicate_of_another_split_is_noted_by_a_mark(catalogue):
    editing.add(catalogue, "elsewhere", [case("something else, of which nobody has said a word", "b")], ACTOR)
    editing.add(catalogue, "d", [case("something else, of which nobody has said a word", "b")], ACTOR)
    editing.add(catalogue, "d", [case(f"{SAID}, now", "b")], ACTOR)
    line, salt = last_line(catalogue)
    assert (line.act, line.detail) == ("taint", {"reason": "near_duplicate", "groups": [group_mark(salt, KEY)]})


def test_a_dataset_that_is_not_split_has_no_marks(catalogue):
    editing.add(catalogue, "open", [case("whatever", "c")], ACTOR)
    with catalogue.reading() as view:
        assert group_marks(view, "open", [KEY]) == [] == group_marks(view, "none", [KEY])
        assert group_marks(view, "d", [KEY]) == [group_mark(view.dataset("d").splitting.salt, KEY)]
