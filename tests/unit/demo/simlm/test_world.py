"""The truth: what is drawn has the frequencies that the world says it has."""

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from scipy import integrate, stats

from calibrant.demo.simlm.calibrate import calibrated
from calibrant.demo.simlm.parameters import Assignment, Change, Drift, Feedback, Judge, Latency, Model, Parameters, Rule
from calibrant.demo.simlm.world import PURPOSE, World

STEPS = "Think step by step."
BASE = Parameters(
    seed=3,
    types={"short": 0.7, "long": 0.3},
    rules={
        "steps": Rule(phrase="step by step", weights={"short": 0.4, "long": 1.2}),
        "units": Rule(phrase="check the units", weight=0.5),
    },
)
WORLD = World(calibrated(BASE, accuracy=0.7, effects={"steps": 0.08}, icc=0.13))
MANY = np.arange(200_000)


def near(found, wanted, deviation):
    """Within four standard deviations of what was expected."""
    assert found == pytest.approx(wanted, abs=4 * deviation)


def test_the_formula():
    p = WORLD.parameters
    (shown,) = WORLD.probability([41], "check the units, step by step", at=5)
    u_and_b = np.log(WORLD.probability([41], "")[0] / (1 - WORLD.probability([41], "")[0])) - p.intercept
    kind = list(p.types)[WORLD.types([41])[0]]
    logit = p.intercept + p.rules["steps"].weights[kind] + 0.5 + u_and_b
    assert shown == pytest.approx(1 / (1 + np.exp(-logit)))
    dear = World(replace(p, token_cost=0.01))
    odds = dear.probability([41], "one two  three") / (1 - dear.probability([41], "one two  three"))
    assert np.log(odds) == pytest.approx(p.intercept + u_and_b - 0.03)


def test_difficulties_and_clusters_are_normal():
    only = World(replace(BASE, intercept=0.0, difficulty_sd=1.5))
    chances = only.probability(MANY, "")
    assert stats.kstest(np.log(chances / (1 - chances)) / 1.5, "norm").pvalue > 1e-3
    only = World(replace(BASE, intercept=0.0, difficulty_sd=0.0, cluster_sd=0.8, cluster_size=4))
    chances = only.probability(MANY, "").reshape(-1, 4)
    assert (chances == chances[:, :1]).all()
    assert stats.kstest(np.log(chances[:, 0] / (1 - chances[:, 0])) / 0.8, "norm").pvalue > 1e-3
    assert list(only.clusters([0, 3, 4])) == [0, 0, 1]
    near(np.mean(only.types(MANY) == 1), 0.3, np.sqrt(0.21 / MANY.size))


@pytest.mark.parametrize("rng", [None, np.random.default_rng(1)])
def test_frequencies_are_the_probabilities(rng):
    chances = WORLD.probability(MANY, STEPS)
    outcomes = WORLD.outcomes(MANY, STEPS, rng)
    # Ten bins of items alike: a chi-squared of ten degrees of freedom.
    bins = np.searchsorted(np.quantile(chances, np.linspace(0.1, 0.9, 9)), chances)
    excess = [outcomes[bins == b].sum() - chances[bins == b].sum() for b in range(10)]
    spread = [(chances * (1 - chances))[bins == b].sum() for b in range(10)]
    assert stats.chi2.sf(np.sum(np.square(excess) / spread), 10) > 1e-3


def test_at_temperature_0_an_outcome_is_a_hash():
    prompts = ["", STEPS, "something else"]
    once = WORLD.outcomes(MANY[:500], prompts)
    assert (once == WORLD.outcomes(MANY[:500], prompts)).all()
    assert (once[1] == WORLD.outcomes(MANY[:500], f"  {STEPS}\n")).all()
    assert (once[1][100:200] == WORLD.outcomes(MANY[100:200], STEPS)).all()
    assert once[2, 7] == WORLD.outcomes(7, "something else")
    # Nothing but the prompt's words differs between the first and the last.
    assert (once[0] != once[2]).any()
    other = World(replace(WORLD.parameters, seed=4)).outcomes(MANY[:500], prompts)
    assert (once != other).any()


def test_above_it_draws_are_fresh():
    rng = np.random.default_rng(2)
    chances = WORLD.probability(MANY, "")
    first, second = (WORLD.outcomes(MANY, "", rng) for _ in range(2))
    near(np.mean(first != second), np.mean(2 * chances * (1 - chances)), 0.5 / np.sqrt(MANY.size))
    again = np.random.default_rng(2)
    assert (WORLD.outcomes(MANY, "", again) == first).all()


def test_the_population_is_an_integral():
    p = WORLD.parameters
    spread = np.hypot(p.difficulty_sd, p.cluster_sd)

    def mean(logit):
        value, _ = integrate.quad(lambda z: stats.norm.pdf(z) / (1 + np.exp(-(logit + spread * z))), -12, 12)
        return value

    weights = p.rules["steps"].weights
    wanted = 0.7 * mean(p.intercept + weights["short"]) + 0.3 * mean(p.intercept + weights["long"])
    assert WORLD.accuracy(STEPS) == pytest.approx(wanted, abs=1e-9)
    assert WORLD.true_effect("", STEPS) == pytest.approx(0.08, abs=1e-9)
    some = WORLD.true_effect("", STEPS, MANY)
    assert some == WORLD.accuracy(STEPS, MANY) - WORLD.accuracy("", MANY)
    assert some == pytest.approx(0.08, abs=5e-4)


def test_the_correlation_within_clusters_is_as_asked():
    rows = WORLD.outcomes(MANY, "").reshape(-1, WORLD.parameters.cluster_size).astype(float)
    size, clusters = rows.shape[1], rows.shape[0]
    between = size * rows.mean(axis=1).var(ddof=1)
    within = rows.var(axis=1, ddof=1).mean()
    # One-way analysis of variance.
    near((between - within) / (between + (size - 1) * within), 0.13, 2 / np.sqrt(clusters * size))
    assert WORLD.icc("") == pytest.approx(0.13, abs=1e-6)
    assert World(BASE).icc("") == pytest.approx(0, abs=1e-12)


def test_drift_and_waves():
    drifting = World(replace(BASE, drift=Drift(slope=-2, after=100)))
    early, late = drifting.probability([5, 5, 5], "", at=[0, 100, 600])[[0, 2]]
    assert drifting.probability(5, "", at=100) == early
    assert np.log(late / (1 - late)) == pytest.approx(np.log(early / (1 - early)) - 1)
    wave = World(replace(BASE, drift=Drift(amplitude=0.5, period=40)))
    assert wave.accuracy("", at=10) > wave.accuracy("", at=20) > wave.accuracy("", at=30)
    assert wave.accuracy("", at=40) == pytest.approx(wave.accuracy(""))
    moments = np.arange(MANY.size) % 1000
    found = drifting.outcomes(MANY, "", np.random.default_rng(0), at=moments)
    wanted = drifting.probability(MANY, "", at=moments)
    near(found[moments > 900].mean(), wanted[moments > 900].mean(), 0.5 / np.sqrt((moments > 900).sum()))
    assert found[moments < 100].mean() - found[moments > 900].mean() > 0.2


def test_a_silent_change_is_another_model():
    changed = World(replace(WORLD.parameters, changes=(Change(at=1000, shift=-0.6, factor=0.0),)))
    assert changed.true_effect("", STEPS, at=999) == pytest.approx(0.08, abs=1e-9)
    assert changed.true_effect("", STEPS, at=1000) == 0
    assert changed.accuracy("", at=1000) < 0.65
    before, after = (changed.outcomes(MANY[:2000], "", at=at) for at in (999, 1000))
    assert (before == WORLD.outcomes(MANY[:2000], "")).all()
    # Items go both ways: it is no shift of the same answers.
    assert (before & ~after).any() and (after & ~before).any()
    mixed = changed.outcomes(MANY[:2000], "", at=np.where(MANY[:2000] < 1000, 0, 1000))
    assert (mixed[:1000] == before[:1000]).all() and (mixed[1000:] == after[1000:]).all()


def test_models_differ_in_what_they_know_and_cost():
    two = World(replace(BASE, models={"small": Model(input_price=1, output_price=2), "large": Model(shift=1.0)}))
    assert two.model == "small" and two.accuracy("", model="large") > two.accuracy("") == World(BASE).accuracy("")
    assert (two.outcomes(MANY[:200], "") != two.outcomes(MANY[:200], "", model="large")).any()
    assert two.cost(1_000_000, 500_000) == 2.0 and two.cost(5, 5, model="large") == 0
    with pytest.raises(KeyError, match="none"):
        two.accuracy("", model="none")


def test_latency():
    rng = np.random.default_rng(0)
    slow = World(Parameters(latency=Latency(first_ms=200, token_ms=5, spread=0.5)))
    firsts = np.array([slow.latency_s(rng)[0] for _ in range(4000)])
    near(np.log(firsts).mean(), np.log(0.2), 0.5 / np.sqrt(4000))
    near(np.log(firsts).std(), 0.5, 0.5 / np.sqrt(8000))
    assert slow.latency_s(rng)[1] == 0.005 and World().latency_s(rng) == (0, 0)


def test_feedback_is_missing_not_at_random_and_late():
    users = Feedback(rate_right=0.2, rate_wrong=0.6, flipped=0.1, repeated=0.3, delay_right_s=10, delay_wrong_s=100)
    world, right = World(replace(BASE, feedback=users)), np.arange(100_000) % 2 == 0
    found = world.feedback(right, np.random.default_rng(0))
    half = right.size / 2
    near(found.given[right].mean(), 0.2, 0.5 / np.sqrt(half))
    near(found.given[~right].mean(), 0.6, 0.5 / np.sqrt(half))
    given = found.given
    near(np.mean(found.value[given] != right[given]), 0.1, 0.4 / np.sqrt(given.sum()))
    near(found.repeated[given].mean(), 0.3, 0.5 / np.sqrt(given.sum()))
    assert not found.repeated[~given].any() and np.isinf(found.delay_s[~given]).all()
    for side, mean in ((given & right, 10), (given & ~right, 100)):
        assert stats.kstest(found.delay_s[side] / mean, "expon").pvalue > 1e-3
    whole = World(BASE).feedback(right, np.random.default_rng(0))
    assert (whole.value == right).all() and whole.given.all() and not whole.delay_s.any()


def test_a_bug_of_assignment():
    units = np.arange(100_000)
    fair = World(BASE).assign(units, [1, 3])
    assert stats.binomtest(int(fair.sum()), units.size, 0.75).pvalue > 1e-3
    buggy = World(replace(BASE, assignment=Assignment(skew=(1.0, 0.9))))
    assert buggy.weights_done([1, 1]) == pytest.approx([1 / 1.9, 0.9 / 1.9])
    drawn = buggy.assign(units, [1, 1])
    assert stats.binomtest(int(drawn.sum()), units.size, 0.9 / 1.9).pvalue > 1e-3
    assert stats.binomtest(int(drawn.sum()), units.size, 0.5).pvalue < 1e-9
    assert (drawn == buggy.assign(units, [1, 1])).all()
    for weights, wrong in (([1, -1], "weights"), ([0, 0], "weights"), ([1, 1, 1], "2 variants, and 3")):
        with pytest.raises(ValueError, match=wrong):
            buggy.assign(units, weights)


def test_what_is_no_item_is_refused():
    for items in ([-1], [0.5], ["x"]):
        with pytest.raises(ValueError, match="integers from 0 on"):
            WORLD.probability(items, "")
    assert WORLD.outcomes([], ["", STEPS]).shape == (2, 0)


def test_it_describes_itself_and_can_be_made_again_of_that():
    world = World(replace(WORLD.parameters, judges={"j": Judge()}))
    told = msgspec.json.decode(world.describe())
    assert world.describe() == World(world.parameters).describe()
    assert told["purpose"] == PURPOSE and "never" in PURPOSE
    assert told["truth"] == {
        "accuracy": 0.7,
        "icc": 0.13,
        "effects": {"steps": 0.08, "units": round(world.true_effect("", "check the units"), 6)},
    }
    again = World(msgspec.convert(told["parameters"], Parameters))
    assert (again.outcomes(MANY[:500], [STEPS, ""]) == world.outcomes(MANY[:500], [STEPS, ""])).all()
    assert again.describe() == world.describe()
