"""The record in order of arrival, in every home: no inference twice, none left out, as plain Python has it."""

import random

from hypothesis import given
from hypothesis import strategies as st
from tests.contract.stores.test_queries import MANY, fresh, id_at, passed_over
from tests.support.homes import appended
from tests.support.records import begun, feedback, inference, model_inference

from calibrant.store.sql_arrivals import SqlArrivals
from calibrant.types.query import And, BooleanMetric, MetricKey, Query, Tagged
from calibrant.types.rows import Inferred

__all__ = ["fresh"]

START_MS = 1_772_000_000_000
EVERYTHING = Query(include_failed=True)


def pages(events, which, *, limit, after=0, until=None):
    """Every page up to the end of now."""
    until = events.latest().seq if until is None else until
    found = []
    while page := events.arrived(which, after=after, until=until, limit=limit):
        assert [each.seq for each in page] == sorted(each.seq for each in page)
        found += [each.inference_id for each in page]
        after = page[-1].seq
    return found


def numbered(rng, count):
    """Inferences whose ids are in another order than they come."""
    return [
        inference(
            id=id_at(rng, START_MS + rng.randrange(10**9)),
            function_name=rng.choice(["f", "g"]),
            variant_name=rng.choice(["a", "b"]),
            status=rng.choice(["ok", "ok", "error"]),
            tags=rng.choice([{}, {"user": "1"}]),
        )
        for _ in range(count)
    ]


@given(st.integers(0, 2**64))
@MANY
def test_pages_in_order_of_arrival(fresh, seed):
    if passed_over(fresh, seed):
        return
    rng = random.Random(seed)
    rows = numbered(rng, rng.randrange(40))
    judged = [row for row in rows if rng.random() < 0.3]
    events = fresh()
    appended(events, [feedback(inference().id)])
    assert events.latest().seq == 0
    half = len(rows) // 2
    appended(events, [Inferred(row, ()) for row in rows[:half]], segment="w.00000002.seg", first=100)
    appended(events, [Inferred(row, ()) for row in rows[half:]], segment="w.00000003.seg", first=200)
    appended(events, [feedback(row.id) for row in judged], segment="w.00000004.seg", first=300)
    correct = BooleanMetric(MetricKey("correct", "inference"), value=True)
    for which, fits in (
        (EVERYTHING, lambda _: True),
        (Query(), lambda row: row.status == "ok"),
        (Query(function_name="f", variant_name="a"), lambda row: (row.function_name, row.variant_name) == ("f", "a")),
        (Query(functions=("g",)), lambda row: row.function_name == "g"),
        (
            Query(filters=And((Tagged("user", "1"), correct))),
            lambda row: row.tags.get("user") == "1" and row in judged,
        ),
    ):
        wanted = [row.id for row in rows if fits(row) and (which.include_failed or row.status == "ok")]
        assert pages(events, which, limit=rng.randrange(1, 9)) == wanted, which


def test_what_is_rare_is_found_stretch_by_stretch(fresh, monkeypatch):
    monkeypatch.setattr(SqlArrivals, "stretch", 3)
    events, rows = fresh(), [inference(function_name="f" if at in (0, 9, 10, 19) else "g") for at in range(20)]
    appended(events, [Inferred(row, ()) for row in rows])
    assert pages(events, Query(function_name="f"), limit=5) == [rows[at].id for at in (0, 9, 10, 19)]
    assert pages(events, Query(function_name="none"), limit=5) == []
    assert pages(events, EVERYTHING, limit=2) == [row.id for row in rows]


def test_what_comes_later_is_behind_the_end(fresh):
    events, rows = fresh(), [inference() for _ in range(4)]
    appended(events, [Inferred(row, ()) for row in rows[:3]])
    end = events.latest()
    assert end.settled <= end.seq
    appended(events, [Inferred(rows[3], ())], segment="w.00000002.seg", first=9)
    assert pages(events, EVERYTHING, limit=2, until=end.seq) == [row.id for row in rows[:3]]
    assert pages(events, EVERYTHING, limit=2, after=end.seq) == [rows[3].id]


def test_a_stream_comes_again_when_it_ends(fresh):
    events, first, second = fresh(), begun(), inference()
    appended(events, [first, Inferred(second, ())])
    end = events.latest()
    assert pages(events, Query(), limit=5) == [second.id]
    assert pages(events, EVERYTHING, limit=5) == [first.inference.id, second.id]
    done = inference(id=first.inference.id, episode_id=first.inference.episode_id)
    appended(events, [Inferred(done, ())], segment="w.00000002.seg", first=9)
    assert pages(events, Query(), limit=5, after=end.seq) == [done.id]


def test_feedback_and_calls_of_several(fresh):
    events, rows = fresh(), [inference() for _ in range(3)]
    calls = {
        row.id: tuple(model_inference(row.id, attempt=attempt, raw_usage=None) for attempt in (1, 2)) for row in rows
    }
    judged = [
        feedback(rows[0].id),
        feedback(rows[0].episode_id, metric_name="stars", kind="float", level="episode", number=4.5),
        feedback(rows[1].id, metric_name="comment", kind="comment", number=None, document=b'"fine"'),
        feedback(rows[0].id, number=0.0),
    ]
    # The calls of the last are kept without what was said in them.
    bare = model_inference(rows[2].id, raw_request=None, raw_response=None)
    records = [Inferred(row, calls[row.id]) for row in rows[:2]]
    appended(events, [*records, Inferred(rows[2], (bare,)), *judged])
    wanted = sorted((each.feedback for each in judged[:2] + judged[3:]), key=lambda row: row.id)
    assert list(events.feedback_on([rows[0].episode_id, rows[0].id])) == wanted
    assert events.feedback_on([]) == ()
    assert events.feedback_on([rows[2].id]) == ()
    found = events.calls_for([rows[2].id, rows[0].id])
    assert list(found) == sorted([*calls[rows[0].id], bare], key=lambda row: (row.inference_id, row.attempt, row.id))
    assert {row.raw_response for row in found if row.inference_id == rows[0].id} == {b"\xff not text" * 50}
    assert events.calls_for([]) == ()


def test_more_ids_than_one_statement_takes(fresh):
    events, rows = fresh(), [inference(output=b"{}") for _ in range(1100)]
    appended(events, [Inferred(row, (model_inference(row.id),)) for row in rows])
    assert pages(events, EVERYTHING, limit=400) == [row.id for row in rows]
    assert [call.inference_id for call in events.calls_for([row.id for row in rows])] == sorted(row.id for row in rows)
