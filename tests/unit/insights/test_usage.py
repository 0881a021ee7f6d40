"""What functions and variants were used for, without replays. Models count those as well: they were paid for."""

import pytest
from tests.support.homes import stored
from tests.support.records import feedback, inferred

from calibrant.config.schema import Metric
from calibrant.insights import usage
from calibrant.insights.performance import feedback_counts
from calibrant.store.sqlite import SqliteEvents
from calibrant.types.replay import RUN_TAG

SHOWN = {"metric_name": "demonstration", "kind": "demonstration", "number": None, "document": b'"better"'}
METRIC = Metric("correct", "boolean", "max", "inference")


@pytest.fixture
def reader(tmp_path):
    """A function that served once and was replayed twice, by another variant too; and one that was only replayed."""
    events = SqliteEvents(tmp_path / "events.db")
    replay = {RUN_TAG: "019c8f00-0000-7000-8000-000000000001"}
    rows = [
        inferred(cost="1"),
        inferred(cost="10", tags=replay),
        inferred(cost="100", tags=replay, variant_name="other"),
        inferred(function_name="unserved", tags=replay),
    ]
    judged = [feedback(row.inference.id) for row in rows] + [feedback(row.inference.id, **SHOWN) for row in rows]
    yield stored(events, [*rows, *judged])
    events.close()


def test_functions_and_variants_are_counted_without_replays(reader):
    assert [(each.function_name, each.count) for each in usage.function_counts(reader, None)] == [("extract", 1)]
    assert [(each.variant_name, each.count) for each in usage.variant_counts(reader, "extract")] == [("small", 1)]
    assert usage.variant_counts(reader, "unserved") == []


@pytest.mark.parametrize("window", ["day", "cumulative"])
def test_what_variants_did_is_told_without_replays(reader, window):
    for tallies in (usage.throughput(reader, "extract", window, 3), usage.variant_usage(reader, "extract", window, 3)):
        assert [(tally.key[-1], tally.count, tally.cost) for tally in tallies] == [("small", 1, "1")]


def test_feedback_is_counted_without_that_on_replays(reader):
    assert feedback_counts(reader, "extract", METRIC, 0.0) == (1, 1)
    assert feedback_counts(reader, "extract", None, 0.0) == (1, 1)
    assert feedback_counts(reader, "unserved", METRIC, 0.0) == (0, 0)


def test_models_count_what_replays_called(reader):
    assert [tally.count for tally in usage.model_usage(reader, None, "cumulative", 1)] == [4]
