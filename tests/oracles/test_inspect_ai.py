"""inspect_ai's standard errors, intervals and Krippendorff's alpha against ours."""

from math import isnan

import numpy as np
import pytest
from tests.support.oracles import oracle

from calibrant.measure import krippendorff_alpha, mean_interval

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def inspect():
    return oracle("inspect_ai.scorer")


def samples(inspect, values, clusters=None):
    metadata = [None] * len(values) if clusters is None else [{"document": str(each)} for each in clusters]
    return [
        inspect.SampleScore(score=inspect.Score(value=value), sample_metadata=about)
        for value, about in zip(values, metadata, strict=True)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_independent_rows(inspect, seed):
    rows = np.random.default_rng(seed).normal(0.5, 1, 60)
    ours, scores = mean_interval(rows), samples(inspect, rows.tolist())
    assert ours.std_error == pytest.approx(float(inspect.stderr()(scores)))
    theirs = inspect.ci()(scores)
    assert (ours.low, ours.high) == pytest.approx((theirs["lower"], theirs["upper"]))


@pytest.mark.parametrize("seed", range(3))
def test_clusters_of_equal_size(inspect, seed):
    draw = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(30), 5)
    rows = np.repeat(draw.normal(0, 1, 30), 5) + draw.normal(0, 1, 150)
    ours, scores = mean_interval(rows, clusters), samples(inspect, rows.tolist(), clusters)
    assert ours.std_error == pytest.approx(float(inspect.stderr(cluster="document")(scores)))
    theirs = inspect.ci(cluster="document")(scores)
    assert (ours.low, ours.high) == pytest.approx((theirs["lower"], theirs["upper"]))


def test_of_clusters_of_unequal_size_ours_allows_for_what_the_large_ones_pull(inspect):
    draw = np.random.default_rng(4)
    sizes = draw.integers(1, 30, 40)
    clusters = np.repeat(np.arange(40), sizes)
    rows = draw.normal(0, 1, 40)[clusters] + draw.normal(0, 1, clusters.size)
    ours = mean_interval(rows, clusters).std_error
    theirs = float(inspect.stderr(cluster="document")(samples(inspect, rows.tolist(), clusters)))
    assert theirs < ours < 1.15 * theirs


@pytest.mark.parametrize("scale", ["nominal", "interval"])
@pytest.mark.parametrize("seed", range(4))
def test_alpha_of_raters_who_have_not_rated_all(inspect, scale, seed):
    draw = np.random.default_rng(seed)
    truth = draw.integers(1, 5, 40)
    ratings = [[int(value) for value in np.clip(of + draw.integers(-1, 2, draw.integers(1, 5)), 1, 5)] for of in truth]
    names = [[f"grade {value}" for value in item] for item in ratings] if scale == "nominal" else ratings
    theirs = inspect.krippendorff_alpha(level=scale)(samples(inspect, names))
    assert not isnan(theirs)
    assert krippendorff_alpha(names, scale=scale).estimate == pytest.approx(theirs)
