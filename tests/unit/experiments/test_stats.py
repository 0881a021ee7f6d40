"""How variants did: what counts for whom, and which rows are independent."""

import pytest
from tests.support.experiments import answers, traffic
from tests.support.experiments import outcome as drawn

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


def known(rows, judged=None, good=(0.6, 0.8), **more):
    values = answers(99, rows, good=dict(zip("abc", good, strict=False)), judged=judged)
    return function_stats("f", rows, [GOOD], {"good": values}, **more)


def test_a_known_difference_names_its_winner():
    found = known(traffic(1, 500))
    (difference,), (verdict,) = found.differences, found.verdicts
    assert not found.sample_ratio.failed and not found.feedback_parity[0].failed
    assert difference.differs and difference.better and difference.always_valid.low < 0.2 < difference.always_valid.high
    assert (verdict.outcome, verdict.winner, found.comparisons.count, found.unit) == ("winner", "b", 1, "episode")
    assert found.variants[0].metrics[0].design_effect == found.variants[0].metrics[0].estimate.design_effect > 1


def test_a_faulty_split_names_nobody():
    found = known(traffic(2, 2500, share=0.45, told=0.5))
    assert found.sample_ratio.failed
    assert found.differences[0].estimate.low > 0.1 and not found.differences[0].differs
    assert (found.verdicts[0].outcome, found.verdicts[0].doubts) == ("not_trusted", ("sample_ratio",))


def test_feedback_that_is_missing_on_one_side_names_nobody_by_that_metric():
    rows = traffic(3, 500)
    good = answers(4, rows, good={"a": 0.6, "b": 0.8}, judged={"a": 0.9, "b": 0.5})
    found = stats(rows, GOOD, SCORE, good=good, score=answers(5, rows, good={"a": 0.4, "b": 0.7}))
    assert [check.failed for check in found.feedback_parity] == [True, False]
    assert [(each.outcome, each.winner, each.doubts) for each in found.verdicts] == [
        ("not_trusted", None, ("feedback_parity",)),
        ("winner", "a", ()),
    ]
    assert found.comparisons.count == 2


def test_variants_that_do_not_differ_have_no_winner():
    found = known(traffic(6, 300), good=(0.7, 0.72))
    assert found.verdicts[0].outcome == "undecided" and found.differences[0].needed > 2000


def test_weights_that_changed_name_a_winner_by_what_was_drawn_at_equal_odds():
    rows = [*traffic(7, 400, share=0.1, snapshot="x"), *traffic(8, 400, share=0.5, snapshot="y")]
    found = known(rows)
    assert (found.verdicts[0].outcome, found.verdicts[0].winner) == ("winner", "b")
    assert [(part.share, part.weight) for part in found.differences[0].strata] == [(0.1, 0.5), (0.5, 0.5)]


def test_what_was_asked_for_is_counted_and_not_compared():
    rows = [*traffic(9, 200), *(drawn(f"p{i}", f"p{i}", "b", chance=None) for i in range(300))]
    found = known(rows)
    a, b = found.variants
    assert (a.asked_for, b.asked_for, b.n) == (0, 300, len(rows) - a.n)
    assert (a.drawn, b.drawn) == (a.n, b.n - 300)
    assert b.metrics[0].units == b.n - 300 == found.differences[0].estimate.n - a.metrics[0].units
    found = known([row for row in rows if row.probability or row.assigned_variant == "b"][-300:])
    assert (found.variants[0].metrics[0].units, found.differences, found.verdicts[0].outcome) == (
        300,
        (),
        "nothing_to_compare",
    )


def test_what_a_fallback_answered_counts_for_the_variant_that_was_drawn():
    rows = [drawn(i, f"e{i}", "ab"[i % 2], served="b") for i in range(100)]
    a, b = known(rows).variants
    assert (a.n, a.served_by_others, b.n, b.served_by_others) == (50, 50, 50, 0)


def test_inferences_of_a_user_are_a_cluster():
    rows = [drawn(i, f"e{i}", "a", unit=f"user {i // 10}") for i in range(100)]
    found = known(rows)
    assert (found.unit, found.variants[0].metrics[0].estimate.clusters, found.variants[0].episodes) == ("unit", 10, 100)


def test_an_experiment_that_is_over_is_looked_at_once():
    rows = traffic(13, 150)
    watched, over = (known(rows, good=(0.65, 0.75), live=lambda name: here).differences[0] for here in (True, False))
    assert (watched.watched, over.watched) == (True, False)
    assert over.differs and not watched.differs and over.p_value < watched.p_value
