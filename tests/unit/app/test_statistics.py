"""From the record to the statistics of a function."""

import pytest
from tests.support.engine import function, model
from tests.support.records import feedback, inferred
from tests.support.stores import drained, spooled

from calibrant.app.options import Options
from calibrant.app.statistics import read_stats
from calibrant.base.errors import InvalidRequest, NotFound, StoreUnavailable
from calibrant.base.ids import first_id
from calibrant.config.load import load
from calibrant.experiments.strata import LeftOut
from calibrant.types.rows import SnapshotRecord


@pytest.fixture
def read(tmp_path):
    """Store records and read the statistics of `extract` under a configuration."""

    def _read(*records, toml="", name="extract"):
        file = tmp_path / "calibrant.toml"
        file.write_text(toml)
        spooled(tmp_path / "spool", *records)
        drained(tmp_path / "spool", tmp_path / "events.db")
        return read_stats(Options(str(tmp_path)), load(str(file), environ={}), name)

    return _read


def metric(name, kind, level="inference", optimize="max"):
    return f'metrics.{name} = {{ type = "{kind}", optimize = "{optimize}", level = "{level}" }}\n'


def test_a_metric_is_as_the_configuration_has_it(read):
    one = inferred()
    judged = (
        feedback(one.inference.id, metric_name="good"),
        feedback(one.inference.id, metric_name="comment", kind="comment"),
    )
    (variant,) = read(one, *judged, toml=metric("good", "boolean", optimize="min") + metric("unused", "float")).variants
    (found,) = variant.metrics
    assert (found.metric_name, found.type, found.optimize, found.estimate.estimate) == ("good", "boolean", "min", 1.0)


def test_a_metric_that_only_the_record_knows_is_taken_as_it_holds_it(read):
    one = inferred()
    (variant,) = read(one, feedback(one.inference.episode_id, kind="float", level="episode", number=0.5)).variants
    (found,) = variant.metrics
    assert (found.type, found.level, found.optimize, found.estimate.estimate) == ("float", "episode", "max", 0.5)


@pytest.mark.parametrize("now", [metric("correct", "boolean"), metric("correct", "float", "episode")])
def test_feedback_is_read_as_it_was_given_whatever_the_metric_has_become(read, now):
    one = inferred()
    (variant,) = read(one, feedback(one.inference.id, kind="float", number=0.5), toml=now).variants
    (found,) = variant.metrics
    assert (found.type, found.level, found.estimate.estimate) == ("float", "inference", 0.5)


def test_a_metric_of_both_types_is_read_as_numbers(read):
    one, other = inferred(), inferred()
    judged = feedback(one.inference.id), feedback(other.inference.id, kind="float", number=0.5)
    (variant,) = read(one, other, *judged, toml=metric("correct", "boolean")).variants
    assert [(found.type, found.estimate.estimate) for found in variant.metrics] == [("float", 0.75)]


def test_the_latest_feedback_counts(read):
    one = inferred()
    (variant,) = read(one, feedback(one.inference.id, number=0.0), feedback(one.inference.id, number=1.0)).variants
    assert (variant.metrics[0].estimate.estimate, variant.metrics[0].estimate.n) == (1.0, 1)


def test_a_value_that_no_mean_can_be_taken_of_is_named(read):
    one = inferred()
    with pytest.raises(InvalidRequest, match=f"'correct' has the value 1e\\+160 for {one.inference.id}"):
        read(one, feedback(one.inference.id, kind="float", number=1e160))


def test_such_a_value_may_be_left_out_by_the_time(read, tmp_path):
    one, other = (inferred(id=first_id(1_790_000_000_000 + at)) for at in (0, 1))
    judged = (feedback(each.inference.id, kind="float", number=n) for each, n in ((one, 0.5), (other, 1e160)))
    with pytest.raises(InvalidRequest):
        read(one, other, *judged)
    found = read_stats(Options(str(tmp_path)), load(None, environ={}), "extract", until_ms=1_790_000_000_001)
    assert found.variants[0].metrics[0].estimate.estimate == 0.5


def test_a_function_without_inferences_is_empty_and_an_unknown_one_an_error(read):
    toml = model() + function(name="extract")
    assert read(toml=toml).variants == ()
    with pytest.raises(NotFound, match=r"'nope', in the configuration \(extract\)"):
        read(toml=toml, name="nope")


def test_a_function_that_is_no_longer_configured_is_still_in_the_record(read):
    assert read(inferred()).variants[0].n == 1


def test_without_a_database_the_store_is_away(tmp_path):
    with pytest.raises(StoreUnavailable):
        read_stats(Options(str(tmp_path)), load(None, environ={}), "f")


SEGMENTS = """
[functions.extract]
type = "chat"
variants.a = { type = "chat_completion", model = "openai::m" }
variants.b = { type = "chat_completion", model = "openai::m" }
variants.c = { type = "chat_completion", model = "openai::m" }
[functions.extract.experimentation]
type = "static"
candidate_variants = { a = 0.5, b = 0.5 }
[[functions.extract.experimentation.segments]]
tags = { tier = "x" }
candidate_variants = { a = 0.2, b = 0.6, c = 0.2 }
"""


@pytest.mark.parametrize("kept", [True, False])
def test_the_odds_of_segments_are_those_of_the_configuration_of_then(read, tmp_path, kept):
    file = tmp_path / "then.toml"
    file.write_text(SEGMENTS)
    then = load(str(file), environ={"OPENAI_API_KEY": "k"})
    rows = [
        inferred(variant_name=name, probability=chance, snapshot_hash=then.hash)
        for name, chance in (("a", 0.5), ("b", 0.5), ("a", 0.2), ("b", 0.6), ("c", 0.2))
    ]
    judged = [feedback(row.inference.id) for row in rows]
    snapshot = [SnapshotRecord(then.hash, then.canonical, "1")] if kept else []
    # By now nobody knows the function.
    found = {each.second: each for each in read(*snapshot, *rows, *judged).differences}
    assert found["b"].doubts == found["c"].doubts == (() if kept else ("unknown_odds",))
    if kept:
        # Of one unit each, the first stratum is shown.
        assert [part.share for part in found["b"].strata] == [0.5] and found["b"].left_out == LeftOut(thin=2)
        assert [part.share for part in found["c"].strata] == [0.5] and found["c"].left_out == LeftOut(apart=1)
