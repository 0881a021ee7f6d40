"""Do the intervals cover? Simulated with a fixed seed, on clustered rows whose truth is known.

A share p of ones, in clusters with an intraclass correlation of 0.2 (beta-binomial). The nominal level is
95 %; with 600 repetitions the standard error of a coverage near it is 0.9 points.
"""

from collections.abc import Sequence

import numpy as np
import pytest

from calibrant.measure.summary import mean_interval, quantile_interval

REPETITIONS = 600
CORRELATION = 0.2


def coverage(clusters: int, sizes: Sequence[int], share: float) -> tuple[float, float]:
    """Return how often the interval by cluster and the plain one hold the truth."""
    rng = np.random.default_rng([clusters, len(sizes), int(share * 100)])
    strength = (1 - CORRELATION) / CORRELATION
    held = plain = 0
    for _ in range(REPETITIONS):
        labels = np.repeat(np.arange(clusters), rng.choice(sizes, size=clusters))
        chances = rng.beta(share * strength, (1 - share) * strength, size=clusters)
        values = rng.random(labels.size) < chances[labels]
        by_cluster, naive = mean_interval(values, labels, "boolean"), mean_interval(values, None, "boolean")
        held += by_cluster.low <= share <= by_cluster.high
        plain += naive.low <= share <= naive.high
    return held / REPETITIONS, plain / REPETITIONS


@pytest.mark.parametrize("clusters", [10, 40, 150])
@pytest.mark.parametrize("share", [0.5, 0.85])
def test_plain_wilson_fails_on_clustered_rows_and_ours_does_not(clusters: int, share: float) -> None:
    held, plain = coverage(clusters, [8], share)
    assert plain < 0.85
    assert held >= 0.93


@pytest.mark.parametrize("sizes", [[1, 2, 3], [1, 3, 10], [1, 1, 1, 1, 30]])
def test_clusters_of_unequal_size_are_covered_too(sizes: list[int]) -> None:
    held, plain = coverage(25, sizes, 0.6)
    assert held >= 0.93
    assert plain < held


def test_a_mean_of_clustered_numbers_is_covered() -> None:
    rng = np.random.default_rng(11)
    labels = np.repeat(np.arange(30), 5)
    held = plain = 0
    for _ in range(REPETITIONS):
        values = rng.normal(size=30)[labels] + rng.normal(size=150)
        by_cluster, naive = mean_interval(values, labels), mean_interval(values)
        held += by_cluster.low <= 0 <= by_cluster.high
        plain += naive.low <= 0 <= naive.high
    assert 0.93 <= held / REPETITIONS <= 0.97
    assert plain / REPETITIONS < 0.80


@pytest.mark.parametrize("quantile", [0.5, 0.9])
def test_a_quantile_of_clustered_numbers_is_covered(quantile: float) -> None:
    rng = np.random.default_rng(12)
    labels = np.repeat(np.arange(60), 5)
    truth = np.quantile(rng.normal(size=200_000) + rng.normal(size=200_000), quantile)
    held = plain = 0
    for _ in range(300):
        values = rng.normal(size=60)[labels] + rng.normal(size=300)
        by_cluster, naive = quantile_interval(values, quantile, labels), quantile_interval(values, quantile)
        held += by_cluster.low <= truth <= (by_cluster.high or np.inf)
        plain += naive.low <= truth <= (naive.high or np.inf)
    assert held / 300 >= 0.93
    assert plain / 300 < 0.90
