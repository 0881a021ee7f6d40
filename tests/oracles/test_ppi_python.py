"""ppi_python's prediction-powered mean against ours.

It takes the normal quantile and divides by n, where ours takes Student's and divides by n - 1; and its level is 90 %
unless it is told.
"""

import numpy as np
import pytest
from tests.support.oracles import oracle

from calibrant.measure import Stratum, corrected_mean, inverse_propensity_mean, stratified_mean

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
Z = 1.959963984540054


@pytest.fixture(scope="module")
def ppi():
    return oracle("ppi_py")


def world(seed, labelled, rest=4000, right=0.85):
    draw = np.random.default_rng(seed)
    people = (draw.random(labelled + rest) < 0.7).astype(float)
    judge = np.where(draw.random(people.size) < right, people, 1 - people)
    return people[:labelled], judge[:labelled], judge[labelled:]


@pytest.mark.parametrize("right", [0.6, 0.85, 0.97])
@pytest.mark.parametrize("seed", range(3))
def test_with_one_weight_the_estimate_and_its_error_are_the_same(ppi, seed, right):
    labels, judged, rest = world(seed, 200, right=right)
    ours = corrected_mean(labels, judged, rest)
    low, high = (float(each[0]) for each in ppi.ppi_mean_ci(labels, judged, rest, alpha=0.05, lam=ours.weight))
    assert ours.truth.estimate == pytest.approx((low + high) / 2)
    assert ours.truth.std_error == pytest.approx((high - low) / 2 / Z, rel=0.005)
    assert ours.truth.high - ours.truth.low > high - low


@pytest.mark.parametrize("right", [0.6, 0.85, 0.97])
def test_with_many_labels_each_finds_the_same_weight_and_interval(ppi, right):
    labels, judged, rest = world(7, 4000, rest=20_000, right=right)
    ours = corrected_mean(labels, judged, rest)
    low, high = (float(each[0]) for each in ppi.ppi_mean_ci(labels, judged, rest, alpha=0.05))
    assert (ours.truth.low, ours.truth.high) == pytest.approx((low, high), abs=2e-4)


def test_strata_are_sums_of_its_estimates(ppi):
    parts = {name: world(seed, 500, right=right) for name, seed, right in (("a", 1, 0.95), ("b", 2, 0.7))}
    shares = {"a": 0.3, "b": 0.7}
    strata = {
        name: Stratum(share=shares[name], labels=labels, judged=judged, rest=rest)
        for name, (labels, judged, rest) in parts.items()
    }
    ours = stratified_mean(strata)
    points, variances = [], []
    for name, rows in parts.items():
        low, high = (float(each[0]) for each in ppi.ppi_mean_ci(*rows, alpha=0.05, lam=ours.strata[name].weight))
        points.append(shares[name] * (low + high) / 2)
        variances.append((shares[name] * (high - low) / 2 / Z) ** 2)
    assert ours.truth.estimate == pytest.approx(sum(points))
    assert ours.truth.std_error == pytest.approx(sum(variances) ** 0.5, rel=0.005)


def test_weighted_labels_without_a_judge_are_its_weighted_mean(ppi):
    draw = np.random.default_rng(5)
    labels, propensities = draw.normal(2, 1, 300), draw.uniform(0.05, 0.6, 300)
    ours = inverse_propensity_mean(labels, np.zeros(300), propensities, np.zeros(1700))
    theirs = ppi.classical_mean_ci(labels, w=1 / propensities, alpha=0.05)
    low, high = (float(np.ravel(each)[0]) for each in theirs)
    assert ours.people.estimate == pytest.approx((low + high) / 2)
