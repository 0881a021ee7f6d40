"""What every catalogue does with datasets. Each back end runs the same tests."""

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.support.homes import CATALOGUES

from calibrant.base.errors import InternalError
from calibrant.datasets.making import made
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, DatapointQuery, NewDatapoint, Origin
from calibrant.types.message import Input, Message
from calibrant.types.query import And, Demonstrated, Not, Or, Tagged, Time

FIXTURES = Path(__file__).parents[2] / "fixtures" / "catalogues"


def content(text="one", answer="Yes.", **fields):
    given = Input((Message("user", (Text(text),)),))
    return Content(**{"type": "chat", "function_name": "f", "input": given, "output": (Text(answer),), **fields})


def add(tx, *wanted, name="d", now=1000):
    """Add (id, what is wanted) in a version of its own; return the rows."""
    dataset = tx.change_dataset(name, "add", group_by="episode", actor="k", now_ms=now)
    fields = {"dataset_name": name, "version": dataset.version, "group_by": "episode", "actor": "k", "now_ms": now}
    rows = [made(each, id_, **fields) for id_, each in wanted]
    assert tx.add_datapoints(iter(rows)) == len(rows)
    return rows


def new(text="one", tags=(), **fields):
    return NewDatapoint(content(text), tags=dict(tags), **fields)


def ids(tx, **fields):
    return [each.id for each in tx.datapoints(DatapointQuery(**{"dataset_name": "d", **fields}))]


@pytest.fixture(params=sorted(CATALOGUES))
def catalogue(request, tmp_path):
    with CATALOGUES[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture
def tx(catalogue):
    with catalogue.transaction() as open_tx:
        yield open_tx


def test_what_was_added_is_found_as_it_was(tx):
    whole = NewDatapoint(
        content("ü \0 '; --" + "long " * 99), "n", "e", {"a": "b", "": "ü"}, Origin("feedback", "i", "f", "p", "r")
    )
    one, two = add(tx, ("1", new()), ("2", whole))
    assert tx.find_datapoints(["2", "1", "none", "2"]) == (two, one)
    assert tx.datapoints(DatapointQuery(dataset_name="d")) == (two, one)
    assert (one.group_key, two.group_key) == ("1", "e")
    assert tx.find_datapoints(["1"], dataset_name="other") == ()


def test_a_dataset_counts_its_versions_and_datapoints(tx):
    assert tx.dataset("d") is None and tx.count_datapoints("d") == 0
    add(tx, ("1", new()), ("2", new()))
    add(tx, ("3", new()), now=2000)
    found = tx.dataset("d")
    assert (found.version, found.datapoints, found.group_by) == (2, 3, "episode")
    assert (found.created_at, found.updated_at) == (1000, 2000)
    assert tx.change_dataset("d", "edit", group_by="datapoint", actor="", now_ms=3).group_by == "episode"
    assert [(c.version, c.action, c.added, c.actor) for c in tx.dataset_changes("d")] == [
        (3, "edit", 0, ""),
        (2, "add", 1, "k"),
        (1, "add", 2, "k"),
    ]
    assert [c.version for c in tx.dataset_changes("d", before=3, limit=1)] == [2]


def test_rows_end_and_versions_stay(tx):
    one, two, three = add(tx, ("1", new()), ("2", new()), ("3", new()))
    begun = tx.change_dataset("d", "delete", group_by="episode", actor="", now_ms=5)
    assert tx.end_datapoints("d", ["2", "none", "2"], version=begun.version, staled_at=5) == 1
    assert tx.end_datapoints("other", ["1"], version=begun.version, staled_at=5) == 0
    assert ids(tx) == ["3", "1"] and ids(tx, version=1) == ["3", "2", "1"] and ids(tx, version=0) == []
    assert tx.find_datapoints(["2"]) == (replace(two, until=2, staled_at=5),)
    assert tx.end_datapoints("d", None, version=3, staled_at=6) == 2
    assert ids(tx) == [] and ids(tx, version=2) == ["3", "1"]


def test_a_row_that_another_follows_is_not_stale(tx):
    (one,) = add(tx, ("1", new()))
    begun = tx.change_dataset("d", "rename", group_by="episode", actor="", now_ms=5)
    tx.end_datapoints("d", ["1"], version=begun.version, staled_at=None)
    named = replace(one, name="n", since=begun.version)
    tx.add_datapoints([named])
    assert tx.find_datapoints(["1"]) == (named,)
    assert [each.name for each in tx.datapoints(DatapointQuery(dataset_name="d", version=1))] == [None]
    assert tx.count_datapoints("d") == 1
    assert [(c.added, c.removed) for c in tx.dataset_changes("d")] == [(1, 1), (1, 0)]


def test_pages(tx):
    add(tx, *((str(n), new()) for n in range(6)))
    assert ids(tx, limit=2) == ["5", "4"] and ids(tx, limit=2, offset=4) == ["1", "0"]
    assert ids(tx, descending=False, after="3") == ["4", "5"] and ids(tx, limit=0) == []


def test_more_than_one_page_of_rows_at_once(tx):
    many = [(f"{n:05}", new(str(n % 3), {"n": str(n)})) for n in range(1201)]
    rows = add(tx, *many)
    assert tx.dataset("d").datapoints == 1201 and tx.dataset_changes("d")[0].added == 1201
    assert tx.find_datapoints([each.id for each in rows]) == tuple(rows)
    assert tx.end_datapoints("d", [each.id for each in rows], version=2, staled_at=1) == 1201


def test_filters(tx):
    add(tx, ("1", new("Apfel 100%", {"a": "x"})), ("2", new("birne_", {"a": "y", "b": "x"})), now=1000)
    add(tx, ("3", replace(new("Kirsche"), content=content("Kirsche", function_name="g"))), now=2000)
    a = Tagged("a", "x")
    assert ids(tx, filters=a) == ["1"] and ids(tx, filters=Not(a)) == ["3", "2"]
    assert ids(tx, filters=Tagged("a", "x", same=False)) == ["3", "2"]
    assert ids(tx, filters=And((Tagged("a", "y"), Tagged("b", "x")))) == ["2"]
    assert ids(tx, filters=Or((a, Tagged("b", "x")))) == ["2", "1"]
    assert ids(tx, filters=And(())) == ["3", "2", "1"] and ids(tx, filters=Or(())) == []
    assert ids(tx, function_name="g") == ["3"]
    assert ids(tx, functions=("g", "h")) == ["3"] and ids(tx, functions=("f*",)) == ["2", "1"]
    assert ids(tx, functions=()) == [] and ids(tx, functions=("*",)) == ["3", "2", "1"]
    with pytest.raises(InternalError):
        ids(tx, filters=Demonstrated(has=True))


@pytest.mark.parametrize(
    ("comparison", "at_1000", "half_a_millisecond_later"),
    [
        ("<", [], ["1"]),
        ("<=", ["1"], ["1"]),
        ("=", ["1"], []),
        (">=", ["2", "1"], ["2"]),
        (">", ["2"], ["2"]),
        ("!=", ["2"], ["2", "1"]),
    ],
)
def test_times(tx, comparison, at_1000, half_a_millisecond_later):
    add(tx, ("1", new()), now=1000)
    add(tx, ("2", new()), now=2000)
    assert ids(tx, filters=Time(comparison, 1_000_000)) == at_1000
    assert ids(tx, filters=Time(comparison, 1_000_500)) == half_a_millisecond_later


@pytest.mark.parametrize(
    ("text", "found"),
    [("apfel", ["1"]), ("100%", ["1"]), ("%", ["1"]), ("_", ["2"]), ("!", ["2"]), ("YES", ["2", "1"]), ("text", [])],
)
def test_text(tx, text, found):
    add(tx, ("1", new("Apfel 100%")), ("2", new("birne_!")))
    assert ids(tx, text=text) == found


def test_lists_of_datasets(tx):
    add(tx, ("1", new()), name="a", now=1)
    add(tx, ("2", new()), ("3", replace(new(), content=content(function_name="g"))), name="b", now=3)
    tx.change_dataset("empty", "create", group_by="tag::t", actor="", now_ms=2)
    assert [(each.name, each.datapoints) for each in tx.list_datasets()] == [("b", 2), ("empty", 0), ("a", 1)]
    assert [(each.name, each.datapoints) for each in tx.list_datasets(function_name="g")] == [("b", 1)]
    assert [each.name for each in tx.list_datasets(limit=1, offset=1)] == ["empty"]
    tx.close_dataset("b")
    assert [each.name for each in tx.list_datasets()] == ["empty", "a"]
    add(tx, ("4", new()), name="b", now=4)
    assert [each.name for each in tx.list_datasets()][0] == "b"


def test_contents_stand_once(tx, catalogue):
    add(tx, ("1", new()), ("2", new("one", {"other": "tags"})), ("3", new("two")))
    assert tx._connection.execute("SELECT count(*) FROM datapoint_contents").fetchone() == (2,)


def test_nothing_of_a_transaction_that_fails(catalogue):
    with pytest.raises(RuntimeError), catalogue.transaction() as tx:
        add(tx, ("1", new()))
        raise RuntimeError
    with catalogue.reading() as view:
        assert view.dataset("d") is None and view.find_datapoints(["1"]) == ()


def test_the_datasets_of_a_past_catalogue_are_there(tmp_path):
    shutil.copy(FIXTURES / "schema_0003.db", tmp_path / "catalogue.db")
    mine = SqliteCatalogue(tmp_path / "catalogue.db")
    with mine.transaction() as tx:
        found = tx.dataset("d")
        assert (found.version, found.group_by, found.datapoints) == (4, "tag::user", 2)
        then = tx.datapoints(DatapointQuery(dataset_name="d", version=2, descending=False))
        assert [each.content.input.messages[0].content[0].text for each in then] == ["one", "two"]
        assert then[0].group_key == "tag::user=u" and then[0].content.output == (Text("Yes."),)
        now = tx.datapoints(DatapointQuery(dataset_name="d"))
        assert (now[0].content.output, now[0].origin.parent_id) == (None, then[0].id)
        assert (now[1].name, now[1].origin.source) == ("second", "inference")
        add(tx, ("new", new()))
    mine.close()
