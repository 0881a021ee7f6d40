"""Each kind of fact goes by a clock of its own, whichever engine the record stands on."""

import psycopg
import pytest
from tests.support.homes import HOMES, appended, stored
from tests.support.postgres import fresh_postgres
from tests.support.records import feedback, inferred

from calibrant.base.ids import first_id, id_millis, uuid7
from calibrant.config.schema import Retention
from calibrant.store.postgres import PostgresEvents
from calibrant.store.postgres_migrations import migrate
from calibrant.store.retention import sweep
from calibrant.types.query import Aggregate, MetricKey, Query, Scored

DAY_MS = 86_400_000
NOW_MS = id_millis(uuid7())
FOREVER = Retention(payload_days=0, metadata_days=0, feedback_days=0, max_database_bytes=0)


@pytest.fixture(params=sorted(HOMES), scope="module")
def home(request, tmp_path_factory):
    with HOMES[request.param](tmp_path_factory.mktemp("home")) as fresh:
        yield fresh


@pytest.fixture
def events(home):
    return home()


def aged(days):
    """An id of so many days ago."""
    made = uuid7()
    return first_id(NOW_MS - days * DAY_MS)[:14] + made[14:]


def fact(days, **changes):
    made = inferred(id=aged(days), **changes)
    calls = tuple(type(call)(**{**_fields(call), "id": aged(days)}) for call in made.model_inferences)
    return type(made)(made.inference, calls)


def demonstration(of, document, **changes):
    kind = {"metric_name": "demonstration", "kind": "demonstration", "number": None}
    return feedback(of.inference.id, document=document, **kind, **changes)


def _fields(struct):
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def swept(events, policy):
    total = 0
    for _ in range(100):
        done = sweep(events, policy, now_ms=NOW_MS)
        total += done.dropped
        if not done.more:
            return total
    raise AssertionError("a sweep that never ends")


@pytest.fixture
def record(events):
    """Facts of a year ago, of half a year ago and of today; feedback as old as its target."""
    old, middle, young = (fact(days, input=b'"needle"') for days in (400, 200, 0))
    values = [feedback(each.inference.id, id=aged(days)) for each, days in ((old, 400), (middle, 200), (young, 0))]
    stored(events, [old, middle, young, *values])
    return tuple(each.inference.id for each in (old, middle, young))


def kept(events, record):
    found = {row.id: row for row in events.find(Query(limit=100))}
    return {
        "rows": [id_ in found for id_ in record],
        "payloads": [id_ in found and found[id_].input is not None for id_ in record],
        "calls": [bool(events.model_inferences(id_)) for id_ in record],
        "feedback": [bool(events.feedback_for(id_)) for id_ in record],
    }


ALL, GONE, NEWEST, OLDEST_GONE = [True] * 3, [False] * 3, [False, False, True], [False, True, True]


def test_0_keeps_everything(events, record):
    assert swept(events, FOREVER) == 0
    assert kept(events, record) == {"rows": ALL, "payloads": ALL, "calls": ALL, "feedback": ALL}


def test_each_kind_has_its_clock(events, record):
    assert swept(events, Retention(payload_days=100, metadata_days=300, feedback_days=0)) > 0
    assert kept(events, record) == {"rows": OLDEST_GONE, "payloads": NEWEST, "calls": OLDEST_GONE, "feedback": ALL}
    assert swept(events, Retention(payload_days=100, metadata_days=300, feedback_days=100)) > 0
    assert kept(events, record)["feedback"] == NEWEST


def test_metadata_takes_its_payloads_along(events, record):
    swept(events, Retention(payload_days=0, metadata_days=100, feedback_days=0))
    assert kept(events, record) == {"rows": NEWEST, "payloads": NEWEST, "calls": NEWEST, "feedback": ALL}
    assert [row.id for row in events.find(Query(text="needle"))] == [record[2]]


def test_questions_are_answered_where_targets_are_gone(events, record):
    swept(events, Retention(payload_days=0, metadata_days=100, feedback_days=0))
    assert [outcome.inference_id for outcome in events.outcomes("extract")] == [record[2]]
    assert [score.target_id for score in events.scores("extract", "correct", "inference")] == [record[2]]
    assert [(seen.metric_name, seen.targets) for seen in events.metrics("extract")] == [("correct", 1)]
    assert events.target(record[0], "inference") is None
    assert sum(tally.count for tally in events.aggregate(Aggregate(Query()))) == 1
    (about,) = events.moments(Scored("extract", MetricKey("correct", "inference")))
    assert about.n == 1


def test_what_comes_after_everything_went_is_followed_and_found(events):
    """Followers go by the order of arrival: it goes on where it was, though no row is left to say where."""
    first = [fact(50), fact(50)]
    given = [demonstration(each, b'"a"', id=aged(50)) for each in first]
    stored(events, [*first, *given])
    last = max(each.seq for each in events.demonstrations("extract", after=0, limit=10))
    swept(events, Retention(payload_days=10, metadata_days=10, feedback_days=10))
    assert events.find(Query(limit=100)) == ()
    target = fact(0, input=b'"a new needle"')
    again = demonstration(target, b'"b"')
    stored(events, [target, again], segment="w.00000002.seg", first=5)
    assert [each.output for each in events.demonstrations("extract", after=last, limit=10)] == [b'"b"']
    assert [row.id for row in events.find(Query(text="needle"))] == [target.inference.id]
    assert events.search_behind() == 0


def test_rows_of_a_time_that_is_over_may_still_come_and_go(events):
    """A spool that waited brings facts for a partition that was dropped."""
    for number in (1, 2):
        appended(events, [fact(100), fact(100)], segment=f"w.0000000{number}.seg", first=2 * number - 1)
        swept(events, Retention(payload_days=10, metadata_days=20))
        assert events.find(Query(limit=100)) == ()
    assert events.health().detail == ""


def test_a_partition_that_is_being_read_is_not_waited_for():
    """Whoever waits for the whole table keeps everybody waiting who comes later; its rows go one by one instead."""
    with fresh_postgres() as postgres:
        migrate(postgres)
        events = PostgresEvents(postgres)
        appended(events, [fact(100), fact(100)])
        with psycopg.connect(postgres.settings.url) as reader:
            reader.execute(f"SELECT count(*) FROM {postgres.settings.schema}.inferences")
            swept(events, Retention(payload_days=0, metadata_days=10))
            assert events.find(Query(limit=10)) == ()
            partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass(%s)"
            table = (f"{postgres.settings.schema}.inferences",)
            before = reader.execute(partitions, table).fetchone()[0]
        assert events.drop_inferences(limit=10, before_ms=NOW_MS - 10 * DAY_MS) > 0
        with psycopg.connect(postgres.settings.url) as reader:
            while events.drop_inferences(limit=10, before_ms=NOW_MS - 10 * DAY_MS):
                pass
            assert reader.execute(partitions, table).fetchone()[0] == before - 1
