"""How variants did: what counts for whom, and which rows are independent."""

import pytest

from calibrant.config.schema import Metric
from calibrant.experiments.stats import function_stats
from calibrant.measure.summary import mean_interval
from calibrant.store.base import Outcome

GOOD = Metric("good", "boolean", "max", "inference")
SCORE = Metric("score", "float", "min", "inference")
HAPPY = Metric("happy", "float", "max", "episode")


def outcome(number, episode, variant="a", status="ok", ms=10.0, tokens=(7, 3)):
    return Outcome(f"i{number}", episode, variant, status, ms, None, *tokens, None)


def stats(rows, *metrics, **feedback):
    return function_stats("f", rows, metrics, feedback)


def only(rows, metric, values):
    """The figures of a metric of the only variant."""
    (variant,) = stats(rows, metric, **{metric.name: values}).variants
    return variant.metrics[0]


def test_nothing_is_no_variant():
    assert stats([]).variants == ()


def test_variants_are_sorted_and_counted_with_their_errors():
    rows = [outcome(1, "e1", "b"), outcome(2, "e2"), outcome(3, "e2", status="error"), outcome(4, "e3", ms=30.0)]
    a, b = stats(iter(rows)).variants
    assert (a.variant_name, a.n, a.errors, a.episodes) == ("a", 3, 1, 2)
    assert (b.variant_name, b.n, b.errors, b.episodes) == ("b", 1, 0, 1)


def test_the_latency_is_that_of_what_was_answered():
    rows = [outcome(i, f"e{i}", ms=float(i)) for i in range(1, 101)]
    rows += [outcome(200, "x", status="error", ms=9999.0), outcome(201, "y", ms=None)]
    (a,) = stats(rows).variants
    assert (a.latency_p50_ms.estimate, a.latency_p95_ms.estimate, a.latency_p50_ms.n) == (50, 95, 100)
    assert a.latency_p50_ms.low < 50 < a.latency_p50_ms.high


def test_without_an_answer_there_is_no_latency():
    (a,) = stats([outcome(1, "e", status="error")]).variants
    assert a.latency_p50_ms.estimate is None


def test_tokens_are_null_while_no_provider_reported_them():
    (a,) = stats([outcome(1, "e", tokens=(None, None)), outcome(2, "e", tokens=(None, 0))]).variants
    assert (a.input_tokens, a.output_tokens) == (None, 0)
    (a,) = stats([outcome(1, "e", tokens=(None, 1)), outcome(2, "e")]).variants
    assert (a.input_tokens, a.output_tokens) == (7, 4)


@pytest.mark.parametrize(("metric", "method"), [(GOOD, "wilson"), (SCORE, "student")])
def test_inferences_of_an_episode_each_are_independent(metric, method):
    rows = [outcome(i, f"e{i}") for i in range(30)]
    values = {f"i{i}": float(i % 2) for i in range(30)}
    found = only(rows, metric, values)
    assert found.estimate.method == method
    assert found.estimate == mean_interval(list(values.values()), list("abcdefghijklmnopqrstuvwxyz0123"), metric.type)


@pytest.mark.parametrize(("metric", "method"), [(GOOD, "cluster_wilson"), (SCORE, "cluster_student")])
def test_inferences_that_share_episodes_are_clustered_and_the_interval_is_wider(metric, method):
    rows = [outcome(i, f"e{i // 5}") for i in range(200)]
    values = {f"i{i}": float(i // 5 % 2) for i in range(200)}
    found = only(rows, metric, values).estimate
    naive = mean_interval(list(values.values()), None, metric.type)
    assert (found.method, found.n, found.clusters) == (method, 200, 40)
    assert found.estimate == naive.estimate == 0.5
    assert found.high - found.low > 1.5 * (naive.high - naive.low)


def test_feedback_on_an_episode_counts_once_for_its_variant():
    rows = [outcome(1, "e1"), outcome(2, "e1"), outcome(3, "e2")]
    found = only(rows, HAPPY, {"e1": 1.0, "e2": 3.0})
    assert (found.estimate.estimate, found.estimate.n, found.units, found.feedback_rate) == (2.0, 2, 2, 1.0)


def test_an_episode_that_several_variants_served_counts_for_none_of_them():
    rows = [outcome(1, "mixed"), outcome(2, "mixed", "b"), outcome(3, "pure")]
    found = stats(rows, HAPPY, GOOD, happy={"mixed": 5.0, "pure": 1.0}, good={"i1": 1.0, "i2": 0.0})
    a, b = found.variants
    assert found.mixed_episodes == 1
    assert (a.metrics[0].estimate.estimate, a.metrics[0].units) == (1.0, 1)
    assert (b.metrics[0].estimate.estimate, b.metrics[0].units, b.metrics[0].feedback_rate) == (None, 0, None)
    # At the level of inferences each variant keeps its own.
    assert (a.metrics[1].estimate.estimate, b.metrics[1].estimate.estimate) == (1.0, 0.0)


def test_a_failed_inference_mixes_its_episode_too():
    found = stats([outcome(1, "e"), outcome(2, "e", "b", status="error")], HAPPY, happy={"e": 1.0})
    assert [variant.metrics[0].units for variant in found.variants] == [0, 0]


def test_the_feedback_rate_is_the_share_of_all_inferences_that_were_judged():
    found = only([outcome(i, f"e{i}") for i in range(4)], GOOD, {"i0": 1.0, "elsewhere": 0.0})
    assert (found.units, found.feedback_rate, found.estimate.n) == (4, 0.25, 1)


def test_a_metric_without_feedback_is_shown_as_unmeasured():
    found = only([outcome(1, "e")], GOOD, {})
    assert (found.estimate.estimate, found.feedback_rate) == (None, 0.0)
    assert [warning.code for warning in found.estimate.warnings] == ["no_rows"]
    assert (found.type, found.level, found.optimize) == ("boolean", "inference", "max")
