"""What is ClickHouse's own about erasure: the text of mutations, waiting for them, and the parts that they replace."""

from pathlib import Path

import pytest
from tests.support.clickhouse import clickhouse_events
from tests.support.homes import appended
from tests.support.records import begun, feedback, inferred

from calibrant.base.errors import StoreUnavailable
from calibrant.base.ids import uuid7
from calibrant.store.clickhouse_erasure import AT_ONCE, Scrub, blanking, deletions, mutate
from calibrant.store.clickhouse_schema import TABLES, Layout
from calibrant.store.erasing import Removed
from calibrant.types.erasure import Whose

TEXTS = Path(__file__).parent / "clickhouse_mutations"
LAYOUTS = {
    "single": Layout(),
    "replicated": Layout(cluster="main", replicated=True),
    "sharded": Layout(cluster="main", replicated=True, sharded=True),
}
IDS = ["01a2246c-ad40-7006-93ac-892a10dc6aee", "01a2246d-0000-7009-9a3a-831700cca06b", r"it's \no id"]
BY = {"inferences": "id", "inference_data": "id", "model_inferences": "inference_id", "feedback": "target_id"}


@pytest.fixture
def events():
    with clickhouse_events() as opened:
        yield opened


def statements(layout):
    texts = [text for table, column in BY.items() for text in deletions(table, column, IDS, layout)]
    return [*texts, *blanking([(7, 1)], layout), *blanking([(7, 1), (2**53, 2)], layout)]


def rows(events, table, what="count()"):
    return events._link.all(f"SELECT {what} FROM {table}")


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_mutations_are_as_they_were_read_last(name):
    text = "\n\n".join(f"{statement};" for statement in statements(LAYOUTS[name])) + "\n"
    assert text == (TEXTS / f"{name}.sql").read_text()


def test_every_mutation_is_one_that_the_engine_can_read(events):
    for layout in LAYOUTS.values():
        for statement in statements(layout):
            (row,) = events._link.all("SELECT formatQuery({statement:String})", statement=statement)
            assert row[0].startswith("ALTER TABLE")


def test_thousands_of_ids_go_in_blocks_that_a_statement_has_room_for(events):
    ids = [uuid7() for _ in range(2 * AT_ONCE + 1)]
    texts = list(deletions("inferences", "id", ids, Layout()))
    assert [text.count("', '") + 1 for text in texts] == [AT_ONCE, AT_ONCE, 1]
    assert all(sum(each in text for text in texts) == 1 for each in ids[:: AT_ONCE // 2])
    long = ["x" * 50_000 + str(number) for number in range(7)]
    assert [text.count("', '") + 1 for text in deletions("f", "id", long, Layout())] == [3, 3, 1]
    assert list(deletions("inferences", "id", [], Layout())) == []
    # The engine takes one of full length.
    mine = [inferred(id=each) for each in (ids[0], ids[AT_ONCE], ids[-1])]
    appended(events, [*mine, inferred()])
    assert events.erase(ids, ()).inferences == 3
    assert rows(events, "inferences") == [(1,)]


def test_all_versions_of_a_row_go_from_all_tables(events):
    stream = begun()
    ended = inferred(id=stream.inference.id, stream=True)
    judged = feedback(stream.inference.id)
    appended(events, [stream])
    appended(events, [ended, judged], segment="w.00000002.seg", first=2)
    assert rows(events, "inferences") == [(2,)]
    assert events.erase([stream.inference.id], ()) == Removed(1, 1, 1)
    tables = ("inferences", "inference_data", "model_inferences", "model_inference_data", "feedback")
    assert [rows(events, table) for table in tables] == [[(0,)]] * 5


def test_a_row_belongs_as_it_is_when_merged(events):
    stream = begun(tags={"user": "x"})
    appended(events, [stream])
    appended(events, [inferred(id=stream.inference.id, stream=True, tags={})], segment="w.00000002.seg", first=2)
    whose = Whose(tag=("user", "x"))
    assert events.erasable(whose, "inferences", after="", limit=9).rows == ()


def test_pages_of_what_belongs_follow_one_another(events):
    mine = [inferred(tags={"user": "x"}) for _ in range(5)]
    appended(events, [each for row in mine for each in (row, inferred())])
    found, after, pages = [], "", 0
    while after is not None:
        page = events.erasable(Whose(tag=("user", "x")), "inferences", after=after, limit=2)
        found += page.rows
        after, pages = page.after, pages + 1
    assert [each.id for each in found] == [each.inference.id for each in mine] and pages == 3


def test_frames_that_were_given_up_or_stored_or_taken_out_are_emptied(events):
    names = tuple(TABLES["quarantine"].columns)
    entry = dict.fromkeys(names, 1) | dict.fromkeys(("incarnation", "segment", "state", "reason"), "w")
    entry |= {"frame": b"words", "deleted": 0, "state": "refused"}
    every = [tuple({**entry, "id": number, "start": number}.values()) for number in range(4)]
    events._ready()
    events._insert("quarantine", every)
    assert events.mark(0, "dropped", "erased")
    events._change(events._entry(1), state="resolved", frame=b"")
    events._insert("quarantine", [tuple({**entry, "id": 2, "start": 2, "version": 2, "deleted": 1}.values())])
    before = rows(events, "quarantine FINAL", "id, state, version, frame")
    while events.scrub() == "more":
        pass
    kept = rows(events, "quarantine", "id, version, frame")
    assert sorted(kept) == [
        (0, 1, b""),
        (0, 2, b""),
        (1, 1, b""),
        (1, 2, b""),
        (2, 1, b""),
        (2, 2, b""),
        (3, 1, b"words"),
    ]
    assert sorted(rows(events, "quarantine FINAL", "id, state, version, frame")) == sorted(before)
    mutations = "SELECT count() FROM system.mutations WHERE database = currentDatabase()"
    assert events._link.all(mutations) == [(1,)]
    assert events.scrub() == "done" and events._link.all(mutations) == [(1,)]


def old_parts(events):
    return events._link.all("SELECT count() FROM system.parts WHERE database = currentDatabase() AND NOT active")[0][0]


def test_parts_that_were_replaced_are_waited_for(events):
    mine = inferred()
    appended(events, [mine, inferred()])
    events.erase([mine.inference.id], ())
    assert old_parts(events) == 4
    assert events.scrub() == "more"
    while (state := events.scrub()) == "more":
        pass
    assert state == "done" and old_parts(events) == 0


def test_parts_that_a_server_keeps_for_long_are_not_waited_for(events):
    mine = inferred()
    appended(events, [mine, inferred()])
    events._link.run("ALTER TABLE inference_data MODIFY SETTING old_parts_lifetime = 480")
    events.erase([mine.inference.id], ())
    assert events.scrub() == "later"


class Told:
    """A server whose answers are written down: errors of `run`, and what its mutations say."""

    name = "told"

    def __init__(self, errors, under_way):
        self.errors, self.under_way, self.asked = errors, under_way, []

    def run(self, statement):
        self.asked.append(statement)
        if self.errors.pop(0):
            raise StoreUnavailable("no answer in time")

    def all(self, query, **values):
        if "currentDatabase" in query:
            return [("d",)]
        self.asked.append((query.partition(" WHERE")[0].split(" FROM ")[1], values["database"], values["table"]))
        return [(reason,) for reason in self.under_way.pop(0)]


def test_a_mutation_that_takes_longer_than_an_answer_is_waited_for(monkeypatch):
    monkeypatch.setattr("calibrant.store.clickhouse_erasure._LOOK_S", 0)
    link = Told([True, False], [[""], ["", ""], [""], []])
    mutate(link, LAYOUTS["sharded"], "feedback", "ALTER")
    look = ("clusterAllReplicas('main', system.mutations)", "d", "feedback_local")
    assert link.asked == ["ALTER", look, look, look, look, "ALTER"]


@pytest.mark.parametrize("under_way", [[], ["", "Cannot write"]])
def test_a_mutation_that_is_not_under_way_or_fails_is_trouble(under_way):
    link = Told([True], [under_way])
    with pytest.raises(StoreUnavailable, match="in time"):
        mutate(link, Layout(), "feedback", "ALTER")
    assert link.asked == ["ALTER", ("system.mutations", "d", "feedback")]


class Parts:
    """Servers of a cluster whose old parts are written down, look by look."""

    def __init__(self, *looks):
        self.looks, self.asked = list(looks), []

    def run(self, statement):
        self.asked.append(statement)
        raise StoreUnavailable("not allowed")

    def all(self, query, **values):
        if "currentDatabase()" in query and "system.tables" not in query:
            return [("d",)]
        if "system.parts" in query:
            assert "clusterAllReplicas('main', system.parts)" in query and "feedback_local" in values["tables"]
            return [("h", "feedback_local", name) for name in self.looks.pop(0)]
        return [("1",)] if "old_parts_lifetime" in query else []


def test_only_what_was_old_at_first_is_waited_for(monkeypatch):
    monkeypatch.setattr("calibrant.store.clickhouse_erasure._LOOK_S", 0)
    clock = iter(range(100))
    monkeypatch.setattr("calibrant.store.clickhouse_erasure.monotonic", lambda: next(clock))
    link = Parts("ab", "bc", "bd", "ce")
    scrub = Scrub(link, LAYOUTS["sharded"])
    assert [scrub.step() for _ in range(4)] == ["more", "more", "more", "done"]
    # Who may not have the server hurry waits all the same.
    assert "ALTER TABLE quarantine_local ON CLUSTER 'main' DROP PARTITION ID 'none'" in link.asked


def test_parts_that_somebody_reads_on_and_on_are_left_to_the_server(monkeypatch):
    monkeypatch.setattr("calibrant.store.clickhouse_erasure._LOOK_S", 0)
    clock = iter(range(0, 1000, 20))
    monkeypatch.setattr("calibrant.store.clickhouse_erasure.monotonic", lambda: next(clock))
    scrub = Scrub(Parts(*["a"] * 9), LAYOUTS["sharded"])
    states = [scrub.step()]
    while states[-1] == "more":
        states.append(scrub.step())
    assert states[-1] == "later"
