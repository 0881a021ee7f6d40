"""Slices drawn together: against statsmodels' variance between groups, and against a known truth."""

import numpy as np
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from calibrant.measure.shrinkage import shrunk


@pytest.mark.parametrize("seed", range(8))
def test_statsmodels_agrees(seed):
    draw = np.random.default_rng(seed)
    errors = draw.uniform(0.02, 0.2, 12)
    own = draw.normal(0.5, 0.15, 12) + draw.normal(0, errors)
    theirs = combine_effects(own, errors**2, method_re="iterated", use_t=False)
    mine = shrunk(own, errors)
    assert mine.spread**2 == pytest.approx(theirs.tau2, abs=1e-6)
    assert mine.mean == pytest.approx(theirs.mean_effect_re, abs=1e-5)


def test_it_is_nearer_to_the_truth_and_says_how_near():
    draw = np.random.default_rng(1)
    raw, ours, covered = [], [], []
    for _ in range(300):
        errors = draw.uniform(0.03, 0.12, 30)
        truth = draw.normal(0.7, 0.05, 30)
        own = truth + draw.normal(0, errors)
        found = shrunk(own, errors)
        raw.append(np.mean((own - truth) ** 2))
        ours.append(np.mean((found.estimates - truth) ** 2))
        covered.append(np.mean(np.abs(found.estimates - truth) <= 1.96 * found.std_errors))
    assert np.mean(ours) < 0.6 * np.mean(raw)
    assert 0.91 < np.mean(covered) < 0.97


def test_where_noise_explains_all_the_groups_are_drawn_together():
    own = np.array([0.5, 0.51, 0.49, 0.5, 0.505, 0.495, 0.5, 0.5])
    found = shrunk(own, np.full(8, 0.1))
    assert found.spread == 0 and found.weights == pytest.approx(np.full(8, 2 / 7))
    assert np.ptp(found.estimates) < 0.3 * np.ptp(own)
    few = shrunk([0.5, 0.51], [0.1, 0.1])
    assert few.estimates == pytest.approx([0.505, 0.505]) and few.weights.tolist() == [0, 0]


def test_what_is_certain_stays_where_it_is():
    found = shrunk([0.1, 0.9, 0.5, 0.7], [1e-6, 1e-6, 0.5, 1e-6])
    assert found.estimates[:2] == pytest.approx([0.1, 0.9], abs=1e-9) and found.weights[2] < 0.9


@pytest.mark.parametrize(
    "arguments", [([1], [1]), ([1, 2], [1]), ([1, 2], [1, 0]), ([1, np.nan], [1, 1]), ([[1, 2]], [[1, 1]])]
)
def test_what_is_out_of_range(arguments):
    with pytest.raises(ValueError, match="estimates|std_errors"):
        shrunk(*arguments)
