"""Agreement beyond chance: against statsmodels, published examples and definitions, and by simulation."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from calibrant.measure.agreement import gwet_ac1, kappa, krippendorff_alpha, rates

raters = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=80)


@given(raters)
def test_statsmodels_agrees_on_kappa(rows):
    first, second = zip(*rows, strict=True)
    values = sorted({*first, *second})
    if len(values) < 2:
        return
    table = np.zeros((len(values), len(values)))
    for a, b in rows:
        table[values.index(a), values.index(b)] += 1
    for ours, theirs in (("none", None), ("linear", np.abs), ("quadratic", np.square)):
        distance = np.subtract.outer(values, values)
        weights = None if theirs is None else theirs(distance.astype(float))
        with np.errstate(all="ignore"):
            wanted = cohens_kappa(table, weights=weights, return_results=False)
        found = kappa(first, second, weights=ours).estimate
        if found is not None:
            assert found == pytest.approx(wanted, abs=1e-9)


def test_the_interval_is_about_as_wide_as_the_asymptotic_one_and_covers():
    draw = np.random.default_rng(3)
    # Two raters, each right 85 % of the time about an even truth: kappa is (2p - 1)^2 = 0.49.
    hits, widths = 0, []
    for _ in range(800):
        truth = draw.integers(0, 2, 100)
        first, second = (np.where(draw.random(100) < 0.85, truth, 1 - truth) for _ in range(2))
        found = kappa(first, second)
        hits += found.low <= 0.49 <= found.high
        widths.append(found.std_error)
    assert hits / 800 == pytest.approx(0.95, abs=0.02)
    table = np.array([[40.0, 9], [6, 45]])
    first, second = np.repeat([0, 0, 1, 1], [40, 9, 6, 45]), np.repeat([0, 1, 0, 1], [40, 9, 6, 45])
    assert kappa(first, second).std_error == pytest.approx(cohens_kappa(table).std_kappa, rel=0.03)


def test_where_nearly_all_are_of_one_class_kappa_falls_and_gwet_does_not():
    first = np.repeat([1, 1, 0, 0], [118, 5, 2, 0])
    second = np.repeat([1, 0, 1, 0], [118, 5, 2, 0])
    # The example of Gwet (2008), table 2 with its counts: 118 of 125 agreements.
    assert kappa(first, second).estimate == pytest.approx(-0.0234, abs=1e-3)
    assert gwet_ac1(first, second).estimate == pytest.approx(0.9408, abs=1e-3)


def definition(items, scale):
    """Krippendorff's alpha by its definition, pair by pair."""
    apart = (lambda a, b: float(a != b)) if scale == "nominal" else (lambda a, b: (a - b) ** 2)
    kept = [item for item in items if len(item) > 1]
    pooled = [value for item in kept for value in item]
    within = sum(2 * apart(a, b) / (len(item) - 1) for item in kept for a, b in combinations(item, 2))
    between = sum(2 * apart(a, b) for a, b in combinations(pooled, 2)) / (len(pooled) - 1)
    return 1 - within / between if between else None


@given(
    st.lists(st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=4), min_size=2, max_size=15),
    st.sampled_from(["nominal", "interval"]),
)
def test_alpha_by_its_definition(items, scale):
    found = krippendorff_alpha(items, scale=scale)
    wanted = definition([[value for value in item if value is not None] for item in items], scale)
    assert found.estimate == (None if wanted is None else pytest.approx(wanted, abs=1e-9))


def test_alpha_of_a_published_example():
    # Krippendorff, Computing Krippendorff's alpha-reliability (2011), section C: four observers, twelve units.
    rows = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
    items = [list(item) for item in zip(*rows, strict=True)]
    assert krippendorff_alpha(items).estimate == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(items, scale="interval").estimate == pytest.approx(0.849, abs=5e-4)


def test_rates_by_what_is_true():
    people = np.repeat([1, 0], [50, 40])
    judge = np.r_[np.repeat([1, 0], [45, 5]), np.repeat([0, 1], [30, 10])]
    found = rates(people, judge)
    assert (found.true_positive.estimate, found.true_negative.estimate) == (0.9, 0.75)
    assert found.agreement.estimate == pytest.approx(75 / 90) and found.true_positive.method == "wilson"


@given(raters)
def test_who_is_first_and_what_labels_are_called_does_not_matter(rows):
    first, second = zip(*rows, strict=True)
    names = {0: "d", 1: "a", 2: "c", 3: "b"}
    for measure in (kappa, gwet_ac1):
        found = measure(first, second).estimate
        assert measure(second, first).estimate == pytest.approx(found)
        assert measure([names[a] for a in first], [names[b] for b in second]).estimate == pytest.approx(found)


def test_what_cannot_be_told():
    assert kappa([1, 1, 1], [1, 1, 1]).warnings[0].code == "no_variation"
    assert kappa([], []).estimate is None
    assert krippendorff_alpha([[1], [None, 2]]).estimate is None
    with pytest.raises(ValueError, match="one label an item"):
        kappa([1], [1, 2])
    with pytest.raises(ValueError, match=r"people\[0\] is 2"):
        rates([2], [1])
    with pytest.raises(ValueError, match="finite"):
        krippendorff_alpha([[1.0, float("nan")]], scale="interval")
