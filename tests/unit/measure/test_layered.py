"""Differences out of strata, where the truth is known."""

import numpy as np
import pytest

from calibrant.measure.layered import Layer, compare_layers
from calibrant.measure.unpaired import compare_unpaired


def worlds(rounds, *, kind, units, odds, level, effect, size=1):
    """Experiments with several strata, each `[(weight, first, second, units of the first, units of the second)]`."""
    draw = np.random.default_rng(7)
    for _ in range(rounds):
        strata, before = [], 0
        for n, share, base, more in zip(units, odds, level, effect, strict=True):
            rows = np.repeat(np.arange(n), draw.integers(1, 2 * size, n))
            second = (draw.random(n) < share)[rows]
            mean = base + more * second + draw.normal(0, 0.1 if size > 1 else 0.0, n)[rows]
            values = (draw.random(rows.size) < mean).astype(float) if kind == "boolean" else draw.gamma(4, mean / 4)
            rows = rows + before
            strata.append((n, values[~second], values[second], rows[~second], rows[second]))
            before += n
        yield strata


def layers(strata):
    return [Layer(weight=n, first=a, second=b, clusters_first=c, clusters_second=d) for n, a, b, c, d in strata]


def covered(kind, rounds, effect, **world):
    """The shares of experiments in which the interval has the truth: ours, and that of all rows thrown together."""
    units = world["units"]
    truth = float(np.dot(units, effect)) / sum(units)
    ours, pooled = 0, 0
    for strata in worlds(rounds, kind=kind, effect=effect, **world):
        found = compare_layers(layers(strata), kind).difference
        ours += found.low <= truth <= found.high
        together = [np.concatenate([each[at] for each in strata]) for at in range(1, 5)]
        naive = compare_unpaired(*together, kind).difference
        pooled += naive.low <= truth <= naive.high
    return ours / rounds, pooled / rounds


# A ramp-up while everything gets better: the second variant's units are the later ones.
RAMPS = [
    ("boolean", {"units": (400, 400), "odds": (0.1, 0.5), "level": (0.5, 0.8), "effect": (0.0, 0.0)}),
    ("float", {"units": (300, 300), "odds": (0.2, 0.5), "level": (1.0, 2.0), "effect": (0.2, 0.2)}),
    ("boolean", {"units": (600, 600), "odds": (0.05, 0.5), "level": (0.85, 0.93), "effect": (0.03, 0.03)}),
    (
        "boolean",
        {
            "units": (500, 300, 300),
            "odds": (0.05, 0.2, 0.5),
            "level": (0.3, 0.5, 0.7),
            "effect": (0.0, 0.1, 0.05),
            "size": 3,
        },
    ),
]


def test_a_trend_between_strata_does_not_bias_the_difference_as_it_does_where_all_rows_are_thrown_together():
    kind, world = RAMPS[0]
    ours, pooled = covered(kind, 40, **world)
    # Fewer than 35 of 40 are of an interval of 95 % with a chance of 1 in 300.
    assert ours >= 35 / 40 and pooled <= 5 / 40


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "world"), RAMPS)
def test_the_interval_covers_as_often_as_it_says(kind, world):
    ours, pooled = covered(kind, 400, **world)
    # Of 400 experiments the share of 95 % is sure to about two points.
    assert 0.92 <= ours <= 0.98
    assert pooled < 0.5


def test_the_paradox():
    """Better by five points in each stratum, and worse by 27 where all rows are thrown together."""
    counts = [((810, 90), (95, 5)), ((50, 50), (495, 405))]
    arms = [[np.repeat([1.0, 0.0], each) for each in stratum] for stratum in counts]
    found = compare_layers([Layer(weight=1000, first=first, second=second) for first, second in arms], "boolean")
    assert found.difference.estimate == pytest.approx(0.05)
    together = [np.concatenate([stratum[at] for stratum in arms]) for at in (0, 1)]
    assert compare_unpaired(*together, None, None, "boolean").difference.estimate == pytest.approx(-0.27)


def test_the_difference_is_the_mean_of_those_within_by_the_weights():
    draw = np.random.default_rng(3)
    parts = [draw.normal(mean, 1, n) for mean, n in ((0, 50), (0.3, 60), (5, 70), (5.2, 80))]
    strata = [
        Layer(weight=3, first=parts[0], second=parts[1]),
        Layer(weight=1, first=parts[2], second=parts[3]),
    ]
    found = compare_layers(strata)
    means = [float(part.mean()) for part in parts]
    errors = [float(part.var(ddof=1)) / part.size for part in parts]
    assert found.difference.estimate == pytest.approx(0.75 * (means[1] - means[0]) + 0.25 * (means[3] - means[2]))
    variance = 0.75**2 * (errors[0] + errors[1]) + 0.25**2 * (errors[2] + errors[3])
    assert found.difference.std_error == pytest.approx(variance**0.5)
    assert found.errors == pytest.approx([(errors[0] + errors[1]) ** 0.5, (errors[2] + errors[3]) ** 0.5])
    assert (found.weights, found.test, found.difference.n) == ((0.75, 0.25), "stratified_welch", 260)
    assert found.layers[1] == compare_unpaired(parts[2], parts[3])
    # An interval and its test agree on what is left out.
    edge = compare_layers(strata, level=1 - found.p_value).difference
    assert min(abs(edge.low), abs(edge.high)) == pytest.approx(0, abs=1e-9)


def test_one_stratum_is_the_plain_comparison():
    first, second = [0.0, 1.0] * 20, [1.0, 1.0, 0.0] * 15
    units = np.arange(40) // 2, np.arange(45) // 3
    found = compare_layers(
        [Layer(weight=9, first=first, second=second, clusters_first=units[0], clusters_second=units[1])], "boolean"
    )
    wanted = compare_unpaired(first, second, *units, "boolean")
    assert (found.difference, found.p_value, found.test) == (wanted.difference, wanted.p_value, wanted.test)


def test_a_share_that_is_all_alike_is_not_taken_for_certain():
    ones = Layer(weight=1, first=[1.0] * 20, second=[1.0] * 20)
    found = compare_layers([ones, ones], "boolean")
    shrunk = 21 / 22 * (1 / 22) / 20
    assert found.difference.std_error == pytest.approx((4 * 0.25 * shrunk) ** 0.5) and found.p_value == 1.0


def test_numbers_that_show_no_spread_vary_as_they_do_elsewhere():
    spread, flat = np.arange(20.0), np.full(40, 3.0)
    found = compare_layers([Layer(weight=1, first=spread, second=spread), Layer(weight=1, first=flat, second=spread)])
    unit = spread.var(ddof=1)
    assert found.errors == pytest.approx([(2 * unit / 20) ** 0.5, (unit / 40 + unit / 20) ** 0.5])
    still = compare_layers([Layer(weight=1, first=flat, second=flat)] * 2)
    assert (still.difference.low, still.p_value, still.test) == (None, None, "none")
    assert [each.code for each in still.difference.warnings] == ["no_variation"]


@pytest.mark.parametrize(("units", "code", "tested"), [(7, "too_few_units", False), (8, "few_units", True)])
def test_few_units_are_said(units, code, tested):
    found = compare_layers(
        [Layer(weight=1, first=np.arange(30.0), second=np.arange(n) % 5) for n in (30.0, float(units))]
    )
    assert [each.code for each in found.difference.warnings] == [code] and (found.p_value is not None) == tested


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([], "layers has none"),
        ([Layer(weight=0, first=[1.0, 0.0], second=[1.0, 0.0])], "weight 0 is not above 0"),
        ([Layer(weight=1, first=[1.0, 0.0], second=[1.0])] * 2, "has 1 scores"),
    ],
)
def test_what_is_out_of_range(made, message):
    with pytest.raises(ValueError, match=message):
        compare_layers(made)
