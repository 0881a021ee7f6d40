"""Which inferences are held back from whatever learns, by every catalogue; and that no export has one."""

import random
import string
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.homes import CATALOGUES, stored
from tests.support.records import inference

from calibrant.base.ids import uuid7
from calibrant.datasets import editing, holdout
from calibrant.datasets.editing import Actor
from calibrant.datasets.inference_exporting import ExportRequest, InferenceExporter
from calibrant.datasets.making import group_key
from calibrant.datasets.reader import DatasetReader
from calibrant.datasets.splitting import by_hash
from calibrant.datasets.withheld import Withheld, recorded
from calibrant.store.splits import SplitMark
from calibrant.store.sqlite import SqliteEvents
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, DatapointQuery, NewDatapoint, Origin
from calibrant.types.message import Input, Message
from calibrant.types.query import Query
from calibrant.types.replay import EPISODE_TAG, OF_TAG
from calibrant.types.rows import Inferred
from calibrant.types.split import Shares

NOW = 1_900_000_000_000
ACTOR = Actor("tester", NOW)
SEALED, VAL, TRAIN = (
    Shares(train=0, val=0, sealed=100),
    Shares(train=0, val=100, sealed=0),
    Shares(train=100, val=0, sealed=0),
)
HALF = Shares(train=50, val=0, sealed=50)
WORDS = ["".join(random.Random(n).choices(string.ascii_lowercase, k=6)) for n in range(400)]


class At:
    """A clock that stands."""

    def __init__(self, now_ms=NOW):
        self.now_ms = now_ms

    def wall_ms(self):
        return self.now_ms

    def monotonic(self):
        return 0.0


def text(number, words=30):
    """Return a text that has nothing in common with that of another number."""
    return " ".join(random.Random(number).choices(WORDS, k=words))


def asked(said):
    return Input((Message("user", (Text(said),)),))


def row(said, *, function="f", **fields):
    given = None if said is None else msgspec.json.encode(asked(said))
    return inference(function_name=function, input=given, **fields)


def point(said, *, function="f", origin=None, **fields):
    return NewDatapoint(
        Content("chat", function, asked(said), (Text("yes"),)), origin=origin or Origin("person"), **fields
    )


@pytest.fixture(params=sorted(CATALOGUES))
def catalogue(request, tmp_path):
    with CATALOGUES[request.param](tmp_path) as opened:
        yield opened


def dataset(catalogue, points, shares=SEALED, *, name="d", group_by="episode", newest_days=None):
    editing.create(catalogue, name, group_by, ACTOR)
    ids = editing.add(catalogue, name, points, ACTOR)
    holdout.seal(catalogue, name, shares, newest_days, ACTOR)
    return ids


def held(catalogue, *rows, clock=None, **options):
    found = Withheld(catalogue, clock or At()).of([recorded(each) for each in rows], **options)
    return [found.get(each.id) for each in rows]


def test_where_nothing_is_split_nothing_is_held_back(catalogue):
    editing.add(catalogue, "d", [point(text(1))], ACTOR)
    assert held(catalogue, row(text(1))) == [None]
    assert Withheld(catalogue).mark() == SplitMark()


def test_asking_makes_no_catalogue(tmp_path):
    catalogue = SqliteCatalogue(tmp_path / "catalogue.db")
    withheld = Withheld(catalogue)
    assert withheld.of([recorded(row("a"))]) == {} and withheld.mark() == SplitMark()
    assert not (tmp_path / "catalogue.db").exists()
    catalogue.close()


def test_the_mark_changes_with_what_could_change_an_answer(catalogue):
    withheld = Withheld(catalogue)
    marks = [withheld.mark()]
    ids = dataset(catalogue, [point(text(1))], VAL)
    marks.append(withheld.mark())
    holdout.move(catalogue, "d", ids, "train", ACTOR)
    marks.append(withheld.mark())
    editing.add(catalogue, "d", [point(text(2))], ACTOR)
    marks.append(withheld.mark())
    editing.add(catalogue, "open", [point(text(2))], ACTOR)
    assert len(set(marks)) == 4 and withheld.mark() == marks[-1]


def test_the_source_of_a_datapoint_is_in_its_split_by_whatever_the_dataset_groups(catalogue):
    for name, shares in (("one", SEALED), ("two", VAL), ("three", TRAIN)):
        source = row(None)
        made = point(text(len(name)), origin=Origin("inference", source.id), episode_id=uuid7())
        dataset(catalogue, [made], shares, name=name, group_by="datapoint")
        expected = {"one": "sealed", "two": "val", "three": None}[name]
        assert held(catalogue, source, row(None)) == [expected, None]


def test_all_of_an_episode_are_where_their_datapoint_is(catalogue):
    episode = uuid7()
    ids = dataset(catalogue, [point(text(1), episode_id=episode)], VAL)
    mates = [row(text(9), episode_id=episode), row(None, episode_id=episode)]
    assert held(catalogue, *mates) == ["val", "val"]
    holdout.move(catalogue, "d", ids, "train", ACTOR)
    assert held(catalogue, *mates) == [None, None]


def test_all_of_a_user_are_where_his_datapoint_is(catalogue):
    dataset(catalogue, [point(text(1), tags={"user": "7"})], HALF, group_by="tag::user")
    keys = {user: group_key("tag::user", root_id="", episode_id=None, tags={"user": user}) for user in "0123456789"}
    with catalogue.reading() as view:
        splitting = view.dataset("d").splitting
    rows = {user: row(text(100 + int(user)), tags={"user": user}) for user in keys}
    expected = [by_hash(splitting, key, newest_ms=NOW, now_ms=NOW) for key in keys.values()]
    assert held(catalogue, *rows.values()) == [None if each == "train" else each for each in expected]
    assert len(set(expected)) == 2


def test_what_is_in_no_dataset_is_hashed_as_it_would_be_when_it_enters(catalogue):
    dataset(catalogue, [point(text(0))], HALF)
    rows = [row(text(n)) for n in range(1, 60)]
    before = held(catalogue, *rows)
    assert 10 < before.count("sealed") < 50
    points = [
        point(text(n), origin=Origin("inference", each.id), episode_id=each.episode_id)
        for n, each in enumerate(rows, 1)
    ]
    ids = editing.add(catalogue, "d", points, ACTOR, action="from_inferences")
    found = {each.id: each.split for each in DatasetReader(catalogue).stream(DatapointQuery(dataset_name="d"))}
    assert [None if found[each] == "train" else found[each] for each in ids] == before
    assert held(catalogue, *rows) == before


def test_only_the_newest_are_sealed_where_the_dataset_says_so(catalogue):
    dataset(catalogue, [point(text(0))], HALF, newest_days=7)
    rows = [row(text(n)) for n in range(1, 30)]
    born = int(rows[0].id.replace("-", "")[:12], 16)
    new = held(catalogue, *rows, clock=At(born + 86_400_000))
    old = held(catalogue, *rows, clock=At(born + 30 * 86_400_000))
    assert "sealed" in new and set(old) == {None}


def test_what_is_nearly_the_same_is_held_back(catalogue):
    dataset(catalogue, [point(text(n, 40)) for n in range(5)], group_by="datapoint")
    rows = [row(text(n, 40) + " or") for n in range(5)] + [row(text(n, 40)) for n in range(3, 9)]
    assert held(catalogue, *rows) == ["sealed"] * 7 + [None] * 4


def test_an_input_that_cannot_be_read_is_held_back_by_its_episode_alone(catalogue):
    episode = uuid7()
    dataset(catalogue, [point(text(1), episode_id=episode)], VAL)
    mine, other = (inference(function_name="f", input=b"{", episode_id=each) for each in (episode, uuid7()))
    assert held(catalogue, mine) == ["val"]
    dataset(catalogue, [point(text(2))], VAL, name="e", group_by="datapoint")
    assert held(catalogue, row(text(2)), other, besides="d") == ["val", None]


def test_a_replay_is_held_back_with_what_it_asked_again(catalogue):
    episode, source = uuid7(), row(None)
    made = [point(text(1), episode_id=episode), point(text(2), origin=Origin("inference", source.id))]
    dataset(catalogue, made, VAL)
    dataset(catalogue, [point(text(3), function="g")], VAL, name="g", group_by="datapoint")
    again = row(None, tags={OF_TAG: uuid7(), EPISODE_TAG: episode})
    of_source = row(None, tags={OF_TAG: source.id})
    assert held(catalogue, again, of_source) == ["val", "val"]
    # Of a datapoint that is a group of its own.
    with catalogue.reading() as view:
        (key,) = view.groups_with("g", [each.content_hash for each in view.group_contents("g")]).values()
    asked_again = row(None, function="g", tags={OF_TAG: key[0]})
    assert held(catalogue, asked_again, row(None, function="g")) == ["val", None]


def test_other_functions_and_the_dataset_that_is_entered_do_not_count(catalogue):
    dataset(catalogue, [point(text(1))])
    mine = row(text(1))
    assert held(catalogue, mine, row(text(1), function="g")) == ["sealed", None]
    assert held(catalogue, mine, besides="d") == [None]


def test_of_two_datasets_the_stricter_counts(catalogue):
    episode = uuid7()
    for name, shares in (("one", VAL), ("two", TRAIN), ("three", SEALED)):
        dataset(catalogue, [point(text(len(name) + ord(name[0])), episode_id=episode)], shares, name=name)
        if name == "two":
            assert held(catalogue, row(text(99), episode_id=episode)) == ["val"]
    assert held(catalogue, row(text(99), episode_id=episode)) == ["sealed"]


def test_a_dataset_that_gets_another_function_is_noticed(catalogue):
    withheld = Withheld(catalogue, At())
    dataset(catalogue, [point(text(1))])
    mine = recorded(row(text(2), function="g"))
    assert withheld.of([mine]) == {}
    editing.add(catalogue, "d", [point(text(3), function="g")], ACTOR)
    assert withheld.of([mine]) == {mine.id: "sealed"}


def test_counts_by_split_are_of_what_is_asked_for(catalogue):
    ids = dataset(catalogue, [point(text(n)) for n in range(40)], Shares(train=40, val=30, sealed=30))
    editing.add(catalogue, "open", [point(text(99))], ACTOR)
    found = {each.id: each.split for each in DatasetReader(catalogue).stream(DatapointQuery(dataset_name="d"))}
    counted = {split: list(found.values()).count(split) for split in set(found.values())}
    val = [each for each, split in found.items() if split == "val"]
    with catalogue.reading() as view:
        assert view.count_by_split(DatapointQuery(dataset_name="d", limit=1)) == counted
        assert view.count_by_split(DatapointQuery(dataset_name="d", function_name="g")) == {}
        assert view.count_by_split(DatapointQuery(dataset_name="open")) == {}
    editing.delete(catalogue, "d", val, ACTOR)
    with catalogue.reading() as view:
        assert "val" not in view.count_by_split(DatapointQuery(dataset_name="d"))
        assert view.count_by_split(DatapointQuery(dataset_name="d", version=2)) == counted
    assert len(ids) == sum(counted.values())


_TAGS = st.dictionaries(st.just("user"), st.sampled_from("abc"))
_SAID = st.lists(st.tuples(st.integers(0, 5), _TAGS, st.integers(0, 40), st.booleans()), min_size=1, max_size=25)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=_SAID, group_by=st.sampled_from(("episode", "datapoint", "tag::user")), late=st.booleans())
def test_nothing_that_is_exported_shares_a_group_or_its_words_with_what_is_sealed(said, group_by, late):
    episodes = [uuid7() for _ in range(6)]
    rows = [row(text(n), episode_id=episodes[at], tags=tags) for at, tags, n, _ in said]
    points = [
        point(text(n), episode_id=episodes[at], tags=tags, origin=Origin("inference", each.id))
        for each, (at, tags, n, enters) in zip(rows, said, strict=True)
        if enters
    ]
    with TemporaryDirectory() as folder:
        events = stored(SqliteEvents(Path(folder) / "events.db"), [Inferred(each, ()) for each in rows])
        catalogue = SqliteCatalogue(Path(folder) / "catalogue.db")
        ids = dataset(catalogue, points[:1] if late else points, HALF, group_by=group_by)
        if late and points[1:]:
            ids += editing.add(catalogue, "d", points[1:], ACTOR)
        exporter = InferenceExporter(events, None, ExportRequest(which=Query()), Withheld(catalogue, At()))
        written = {msgspec.json.decode(line)["inference_id"] for line in exporter.lines()}
        exported = [each for each in rows if each.id in written]
        sealed = [each for each in DatasetReader(catalogue).get(ids) if each.split == "sealed"]
        sources = {each.id: each for each in rows}
        for each in sealed:
            of = sources[each.origin.inference_id]
            assert of.input not in {other.input for other in exported}
            for other in exported:
                if group_by == "episode":
                    assert other.episode_id != each.episode_id
                if group_by == "tag::user":
                    assert other.tags.get("user", other.episode_id) != of.tags.get("user", of.episode_id)
        assert len(exported) + sum(exporter.held.values()) == len(rows)
        catalogue.close()
        events.close()
