"""Weeks of the record in PostgreSQL: where rows go, what retention drops, what a question reads."""

import os
import re

import pytest
from tests.support.homes import appended
from tests.support.postgres import empty, fresh_postgres
from tests.support.records import feedback, inference, inferred, model_inference

from calibrant.base.clock import SystemClock
from calibrant.base.ids import first_id
from calibrant.store.dialect import POSTGRES
from calibrant.store.postgres import PostgresEvents
from calibrant.store.postgres_migrations import migrate
from calibrant.store.postgres_partitions import DATA_TABLES, PARTITIONED, ensure, week_of, weeks_of
from calibrant.store.sql_query import find_sql
from calibrant.store.sql_reader import WHOLE_COLUMNS
from calibrant.types.query import Query, Time
from calibrant.types.rows import Inferred

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
NOW = 1_790_000_000_000
"""A Monday afternoon, UTC."""
MONDAY = week_of(NOW)


class Clock(SystemClock):
    def __init__(self):
        self.now = NOW

    def wall_ms(self):
        return self.now


@pytest.fixture(scope="module")
def postgres():
    with fresh_postgres() as made:
        migrate(made)
        yield made


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def events(postgres, clock):
    with postgres.lent() as connection:
        for name in partitions(postgres):
            connection.execute(f"DROP TABLE {name}")
    empty(postgres)
    return PostgresEvents(postgres, clock=clock)


def partitions(postgres, table=""):
    """The weeks that there are, by the names of their tables."""
    query = "SELECT relname FROM pg_class WHERE relname ~ %s AND relnamespace = current_schema()::regnamespace "
    with postgres.lent() as connection:
        rows = connection.execute(query + "AND relkind = 'r' ORDER BY 1", (f"^{table}.*_[0-9]{{8}}$",))
        return [row[0] for row in rows]


def at(millis):
    """An inference of an instant, and its call."""
    tail = os.urandom(6).hex()
    row = inference(id=first_id(millis)[:15] + "7abc-8def-" + tail, input=b'"a needle"')
    return Inferred(row, (model_inference(row.id, id=first_id(millis)[:15] + "7abd-8def-" + tail),))


def where(postgres, record, table="inferences"):
    """The table in which a row stands."""
    with postgres.lent() as connection:
        query = f"SELECT tableoid::regclass::text FROM {table} WHERE id = %s"
        return [row[0] for row in connection.execute(query, (record.inference.id,))]


def test_a_week_begins_on_monday_and_ids_outlive_the_calendar():
    assert week_of(0) == -3 * DAY_MS
    assert week_of(4 * DAY_MS - 1) == -3 * DAY_MS
    assert week_of(4 * DAY_MS) == 4 * DAY_MS
    ids = ["", "t", "zzzzzzzz-zzzz-7", first_id(2**48 - 1), first_id(0), first_id(NOW), first_id(NOW + 40 * WEEK_MS)]
    assert weeks_of(ids, now_ms=NOW) == {MONDAY}


def test_rows_of_the_past_get_a_week_and_those_of_no_time_the_default(events, postgres):
    past, now = at(NOW - 150 * WEEK_MS), at(NOW)
    appended(events, [past, now])
    assert where(postgres, past) == ["inferences_20231106"]
    assert where(postgres, now) == ["inferences_20260921"]
    assert where(postgres, past, "inference_text") == ["inference_text_20231106"]
    assert events.health().detail == ""
    # Next week's stand ready.
    assert partitions(postgres, "inferences")[-1] == "inferences_20260928"
    odd = [at(NOW + 60 * WEEK_MS), at(2**48 - 1), at(0), inferred(id="no id at all")]
    appended(events, [*odd, feedback("t", id="t")], segment="w.00000002.seg", first=3)
    assert {name for record in odd for name in where(postgres, record)} == {"inferences_default"}
    assert len(partitions(postgres, "inferences")) == 3
    health = events.health()
    assert health.ok and "inferences_default" in health.detail and "retention is slow" in health.detail
    assert len(events.find(Query(limit=99))) == 6


def test_rows_that_came_too_early_move_to_their_week(events, postgres, clock):
    early = at(NOW + 10 * WEEK_MS)
    appended(events, [early])
    assert where(postgres, early) == ["inferences_default"]
    clock.now += 10 * WEEK_MS
    late = at(clock.now)
    appended(events, [late], segment="w.00000002.seg", first=2)
    for table in ("inferences", *DATA_TABLES[:2]):
        assert where(postgres, early, table) == where(postgres, late, table) == [f"{table}_20261130"]
    assert events.health().detail == ""
    assert events.get([early.inference.id])[0].input == b'"a needle"'
    assert len(events.model_inferences(early.inference.id)) == 1


def test_payloads_go_by_weeks_and_then_by_rows(events, postgres):
    old = [at(NOW - weeks * WEEK_MS) for weeks in (9, 8, 8)]
    # Of the week that the limit falls into: some before it, some after.
    before, after = [at(NOW - 5 * WEEK_MS - ms) for ms in (1, 2, 3)], [at(NOW - 5 * WEEK_MS + 1), at(NOW)]
    records = [*old, *before, *after]
    appended(events, [*records, feedback(old[0].inference.id)])
    limit = NOW - 5 * WEEK_MS
    for _ in range(2 * len(DATA_TABLES)):
        assert events.drop_payloads(limit=2, before_ms=limit) > 0
    left = {name[-8:] for table in DATA_TABLES for name in partitions(postgres, table)}
    assert left == {"20260817", "20260921", "20260928"}
    # Two of each table, the oldest first.
    assert events.drop_payloads(limit=2, before_ms=limit) == 6
    assert [record.inference.id for record in before if where(postgres, record, "inference_data")] == [
        before[0].inference.id
    ]
    assert events.drop_payloads(limit=2, before_ms=limit) == 3
    assert events.drop_payloads(limit=2, before_ms=limit) == 0
    rows = {row.id: row for row in events.get([record.inference.id for record in records])}
    assert len(rows) == len(records)
    gone = {record.inference.id for record in (*old, *before)}
    assert {id_ for id_, row in rows.items() if row.input is None} == gone
    assert {row.id for row in events.find(Query(text="needle"))} == rows.keys() - gone
    for record in records:
        (call,) = events.model_inferences(record.inference.id)
        assert (call.raw_request is None) == (record.inference.id in gone)
    assert len(events.feedback_for(old[0].inference.id)) == 1


def test_for_room_the_oldest_week_goes_and_this_one_never(events, postgres, clock):
    records = [at(NOW - 2 * WEEK_MS), at(NOW - WEEK_MS), at(NOW)]
    appended(events, records)
    assert events.drop_payloads(limit=1) > 0
    assert [bool(where(postgres, record, "inference_data")) for record in records] == [False, True, True]
    while events.drop_payloads(limit=1):
        pass
    assert [bool(where(postgres, record, "inference_data")) for record in records] == [False, False, True]
    # What comes late for a week that is gone gets one again.
    late = at(NOW - 2 * WEEK_MS)
    appended(events, [late], segment="w.00000002.seg", first=4)
    assert where(postgres, late, "inference_data") == ["inference_data_20260907"]
    clock.now += 3 * WEEK_MS
    while events.drop_payloads(limit=1):
        pass
    assert events.used_bytes() > 0
    assert not any(row.input for row in events.find(Query(limit=9)))
    assert len(events.find(Query(limit=9))) == 4


def test_a_question_with_bounds_of_time_reads_only_their_weeks(events, postgres):
    appended(events, [at(NOW - weeks * WEEK_MS) for weeks in range(8)])
    micros = (NOW - 5 * WEEK_MS) * 1000
    for query in (
        Query(function_name="extract", filters=Time(">=", micros), before=first_id(NOW - 4 * WEEK_MS)),
        Query(after=first_id(NOW - 5 * WEEK_MS), before=first_id(NOW - 4 * WEEK_MS)),
    ):
        asked = find_sql(query, POSTGRES, WHOLE_COLUMNS)
        with postgres.lent() as connection:
            plan = connection.execute(f"EXPLAIN {asked.text}".encode(), asked.parameters).fetchall()
        read = set(re.findall(r"on (inferences_\w+)", "\n".join(row[0] for row in plan)))
        assert read - {"inferences_default"} == {"inferences_20260817", "inferences_20260824"}
        assert len(events.find(query)) == 1


def test_two_sessions_that_make_a_week_at_once_do_not_meet(postgres, events):
    """Both have seen that it is missing, which a session remembers."""
    weeks = {MONDAY + 3 * WEEK_MS}
    with postgres.lent() as one, postgres.lent() as other:
        other.execute("SELECT to_regclass('inferences_20261012')")
        ensure(one, weeks)
        ensure(other, weeks)
        ensure(one, weeks)
    assert len([name for name in partitions(postgres) if name.endswith("_20261012")]) == len(PARTITIONED)
