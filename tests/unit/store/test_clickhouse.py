"""What is ClickHouse's own: its schema, the age of rows, room, the order of arrival, and trouble."""

import threading

import pytest
from tests.contract.stores.test_events import batch
from tests.support.clickhouse import clickhouse_events, connect, new_database
from tests.support.records import feedback, inferred

from calibrant.base.clock import SystemClock
from calibrant.base.errors import StoreUnavailable
from calibrant.config.schema import Retention
from calibrant.store.clickhouse import ClickHouseEvents
from calibrant.store.clickhouse_link import Link, RowsRefused
from calibrant.store.clickhouse_migrate import keep_ages, migrate, schema_version, system_log_advice
from calibrant.store.clickhouse_schema import SCHEMA_VERSION, TABLES, Layout
from calibrant.store.retention import sweep
from calibrant.types.query import Query
from calibrant.types.rows import Inferred

DAY_MS = 86_400_000
NOW_MS = 1_800_000_000_000


class At:
    """A clock that stands."""

    def __init__(self, now_ms=NOW_MS):
        self.now_ms = now_ms

    def wall_ms(self):
        return self.now_ms

    def monotonic(self):
        return 0.0


@pytest.fixture
def link():
    with new_database() as connects:
        link = Link(connects, name="test")
        yield link
        link.close()


def old(days, **changes):
    stamp = f"{NOW_MS - days * DAY_MS:012x}"
    return inferred(id=f"{stamp[:8]}-{stamp[8:]}-7000-8000-{abs(hash((days, *changes))) % 16**12:012x}", **changes)


def ages(link):
    rows = link.all("SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()")
    return {name: int(text.split("toIntervalDay(")[1].split(")")[0]) for name, text in rows if "TTL" in text}


def test_two_that_start_at_once_make_one_schema(link):
    layout = Layout()
    database = link.all("SELECT currentDatabase()")[0][0]
    failures = []

    def start():
        own = Link(lambda: connect(database), name="test")
        try:
            migrate(own, layout)
        except StoreUnavailable as error:
            failures.append(error.message)
        finally:
            own.close()

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert schema_version(link) == SCHEMA_VERSION
    names = {row[0] for row in link.all("SELECT name FROM system.tables WHERE database = currentDatabase()")}
    assert names == {*TABLES, "calibrant_schema"}


def test_a_schema_that_is_newer_is_refused(link):
    migrate(link, Layout())
    link.run(f"INSERT INTO calibrant_schema (number) VALUES ({SCHEMA_VERSION + 1})")
    events = ClickHouseEvents(link)
    with pytest.raises(StoreUnavailable, match="newer version"):
        events.append(batch(inferred()))
    assert not events.health().ok and "schema 2" in events.health().detail


def test_a_schema_is_left_alone_where_that_is_configured(link):
    events = ClickHouseEvents(link, migrates=False)
    with pytest.raises(StoreUnavailable, match="disable_automatic_migrations"):
        events.append(batch(inferred()))
    assert "start the recorder" in events.health().detail
    migrate(link, Layout())
    assert events.append(batch(inferred())).stored == 1


def test_one_who_migrates_is_waited_for_and_a_lock_that_is_held_is_named(link, monkeypatch):
    link.run("CREATE TABLE calibrant_migrating (owner String) ENGINE = MergeTree ORDER BY owner")
    with pytest.raises(StoreUnavailable, match="DROP TABLE calibrant_migrating"):
        migrate(link, Layout(), patience_s=0.2)
    # Its owner died long ago.
    monkeypatch.setattr("calibrant.store.clickhouse_migrate._LOCK_OLD_S", -9)
    migrate(link, Layout(), patience_s=0.2)
    assert schema_version(link) == SCHEMA_VERSION


def test_ages_follow_the_configuration(link):
    migrate(link, Layout(payload_days=30))
    assert ages(link) == {"inference_data": 30, "model_inference_data": 30}
    keep_ages(link, Layout(payload_days=7, metadata_days=400, feedback_days=9))
    data = {"inference_data": 7, "model_inference_data": 7}
    assert ages(link) == data | {"inferences": 400, "model_inferences": 400, "feedback": 9}
    ClickHouseEvents(link, layout=Layout(metadata_days=400)).cursor("w", "s")
    assert ages(link) == {"inferences": 400, "model_inferences": 400}


def test_what_is_too_old_goes_each_kind_by_its_own_clock(link):
    layout = Layout(payload_days=20, feedback_days=1)
    ancient, fresh = inferred(id="01900000-0000-7000-8000-000000000000"), inferred()
    events = ClickHouseEvents(link, layout=layout)
    events.append(batch(ancient, fresh, feedback(fresh.inference.id, id="01900000-0000-7000-8000-000000000001")))
    for name in ("inference_data", "model_inference_data", "feedback", "inferences"):
        link.run(f"OPTIMIZE TABLE {name} FINAL")
    assert [row.output is None for row in events.get([ancient.inference.id, fresh.inference.id])] == [True, False]
    assert events.model_inferences(ancient.inference.id)[0].raw_request is None
    assert events.model_inferences(fresh.inference.id)[0].raw_request is not None
    assert events.feedback_for(fresh.inference.id) == ()


def test_room_is_made_by_the_month_and_never_in_the_one_that_is_written():
    with clickhouse_events(clock=At()) as events:
        events.append(batch(old(0), old(35), old(35, variant_name="b"), old(70)))
        assert events.drop_payloads(limit=1, before_ms=NOW_MS - 300 * DAY_MS) == 0
        before = events.used_bytes()
        assert events.drop_payloads(limit=1, before_ms=NOW_MS - 36 * DAY_MS) == 2
        assert events.used_bytes() < before
        assert events.drop_payloads(limit=1) == 4
        assert events.drop_payloads(limit=1) == 0
        rows = events.find(Query(limit=9))
        assert [row.output is None for row in rows] == [False, True, True, True]
        assert events.shrink(max_pages=9) == 0


def test_the_sweep_stops_when_there_is_nothing_left_to_drop():
    with clickhouse_events(clock=At()) as events:
        events.append(batch(old(0), old(35)))
        policy = Retention(payload_days=0, max_database_bytes=1)
        steps = []
        while not steps or steps[-1].more:
            steps.append(sweep(events, policy, now_ms=NOW_MS))
        assert [step.dropped for step in steps] == [2, 0]
        assert "no payload is left to drop" in steps[-1].warning


@pytest.mark.parametrize(("age_s", "seen"), [(0, 0), (3_600, 1)])
def test_who_follows_the_order_of_arrival_sees_a_row_when_no_earlier_one_can_come(age_s, seen):
    target = inferred()
    judged = feedback(
        target.inference.id, metric_name="demonstration", kind="demonstration", number=None, document=b'"x"'
    )
    now_ms = SystemClock().wall_ms()
    with clickhouse_events(clock=At(now_ms - age_s * 1_000), follow_lag_s=60) as events:
        events.append(batch(target, judged))
        assert len(events.demonstrations("extract", after=0, limit=9)) == seen
        assert len(events.feedback_for(target.inference.id)) == 1


@pytest.mark.parametrize(("age_s", "settled"), [(0, False), (3_600, True)])
def test_what_has_just_come_is_seen_and_not_settled(age_s, settled):
    now_ms = SystemClock().wall_ms()
    with clickhouse_events(clock=At(now_ms - age_s * 1_000), follow_lag_s=60) as events:
        row = inferred().inference
        events.append(batch(Inferred(row, ())))
        latest = events.latest()
        assert (latest.settled == latest.seq) is settled
        (seen,) = events.arrived(Query(), after=0, until=latest.seq, limit=9)
        assert (seen.seq, seen.inference_id) == (latest.seq, row.id)
        # Who goes on behind what is settled is given it again, or not.
        assert bool(events.arrived(Query(), after=latest.settled, until=latest.seq, limit=9)) is not settled


def test_numbers_of_arrival_go_on_where_a_recorder_with_another_clock_left_off(link):
    for now_ms in (NOW_MS, NOW_MS - 3_600_000):
        events = ClickHouseEvents(link, writer="one", clock=At(now_ms))
        events.append(batch(inferred(), segment=f"w.{now_ms}.seg"))
    seqs = [row[0] for row in link.all("SELECT seq FROM inferences ORDER BY id")]
    assert seqs == sorted(seqs) and len(set(seqs)) == 2


def test_two_demonstrations_with_one_number_come_in_one_page(link):
    records = [inferred() for _ in range(3)]
    shown = {"metric_name": "demonstration", "kind": "demonstration", "number": None, "document": b'"x"'}
    events = ClickHouseEvents(link, follow_lag_s=0)
    events.append(batch(*records, *[feedback(each.inference.id, **shown) for each in records]))
    link.run("CREATE TABLE twin AS feedback")
    last = link.all("SELECT max(seq) FROM feedback")[0][0]
    link.run(f"INSERT INTO twin SELECT * REPLACE (if(seq = {last}, seq - 1, seq) AS seq) FROM feedback")
    link.run("EXCHANGE TABLES twin AND feedback")
    first = events.demonstrations("extract", after=0, limit=2)
    assert len(first) == 3
    assert events.demonstrations("extract", after=first[-1].seq, limit=2) == ()


def test_the_same_block_sent_again_is_stored_once(link):
    events = ClickHouseEvents(link)
    record = inferred()
    events.append(batch(record))
    link.run("TRUNCATE TABLE spool_ledger")
    events.append(batch(record))
    assert link.all("SELECT count() FROM inferences")[0][0] == 1
    assert link.all("SELECT count() FROM model_inference_data")[0][0] == 1


def test_advice_for_logs_that_are_kept_for_ever(link, monkeypatch, caplog):
    class Server:
        name = "test"

        def all(self, query, **_):
            if "system.tables" in query and "'system'" in query:
                return [("query_log",), ("trace_log",)]
            return [(SCHEMA_VERSION,)]

    assert system_log_advice(Server()) == (
        "ALTER TABLE system.query_log MODIFY TTL event_date + INTERVAL 7 DAY",
        "ALTER TABLE system.trace_log MODIFY TTL event_date + INTERVAL 7 DAY",
    )
    monkeypatch.setattr("calibrant.store.clickhouse.system_log_advice", lambda _: ("ALTER TABLE system.x",))
    ClickHouseEvents(link).cursor("w", "s")
    assert "run: ALTER TABLE system.x" in caplog.text
    health = ClickHouseEvents(Server())
    health._sequencer = object()
    told = health.health()
    assert told.ok and "fill its disk" in told.detail and "system.trace_log MODIFY TTL" in told.detail


def test_the_question_for_logs_is_one_that_the_engine_answers(link):
    assert system_log_advice(link) == ()
    migrate(link, Layout())
    health = ClickHouseEvents(link).health()
    assert (health.ok, health.detail, health.schema_version) == (True, "", str(SCHEMA_VERSION))


def test_text_that_is_none_is_refused_and_not_a_reason_to_wait(link):
    migrate(link, Layout())
    types = TABLES["spool_incarnations"].types
    with pytest.raises(RowsRefused):
        link.insert("spool_incarnations", types, [["\ud800"], [1], [1], [1], [1]])


def test_trouble_is_told_in_one_line_and_the_next_question_is_answered():
    def fails():
        raise ConnectionRefusedError("no")

    with new_database() as connects:
        ways = [fails, connects]
        link = Link(lambda: ways.pop(0)(), name="host:8123/x")
        events = ClickHouseEvents(link)
        with pytest.raises(StoreUnavailable, match="ClickHouse at host:8123/x: no"):
            events.append(batch(inferred()))
        assert events.append(batch(inferred())).stored == 1
        with pytest.raises(StoreUnavailable, match="UNKNOWN_TABLE|Unknown table") as caught:
            link.all("SELECT * FROM nowhere")
        assert "\n" not in caught.value.message
        link.close()
