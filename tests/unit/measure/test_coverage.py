"""Whether intervals cover: a thin slice of the grid of `make bench-measure`, with fixed seeds."""

import numpy as np
import pytest
from bench.measurement import m1_means, m1_shares


@pytest.fixture
def draw():
    return np.random.default_rng(11)


@pytest.mark.parametrize("n", [30, 100])
def test_one_share_by_every_outcome(draw, n):
    found = {way: m1_shares.one_share(draw, method=way, n=n) for way in ("clopper_pearson", "wilson", "beta", "wald")}
    assert found["clopper_pearson"]["worst"] >= 0.95
    for way in ("wilson", "beta"):
        assert 0.93 <= found[way]["average"] <= 0.97
    # The counting can tell an interval that does not cover.
    assert found["wald"]["average"] < 0.94 and found["wald"]["worst"] < 0.80


def test_the_worst_share_is_worse_than_any_on_a_grid(draw):
    low, high = np.array([m1_shares._wald(k, 30) for k in range(31)]).T
    grid = m1_shares._coverage(np.linspace(0.5, 0.98, 2000), low, high, 30)
    assert m1_shares.one_share(draw, method="wald", n=30)["worst"] <= grid.min()


@pytest.mark.parametrize(("apart", "gain"), [(0.3, 0.08), (0.2, 0.0)])
def test_two_shares_of_the_same_items(draw, apart, gain):
    found = m1_shares.paired_shares(draw, n=100, apart=apart, gain=gain)
    assert 0.945 <= found["ours"] <= 0.965


@pytest.mark.parametrize(("share", "gain"), [(0.7, 0.05), (0.9, 0.0)])
def test_two_shares_of_other_items(draw, share, gain):
    found = m1_shares.unpaired_shares(draw, n=60, share=share, gain=gain)
    assert 0.94 <= found["ours"] <= 0.965


@pytest.mark.parametrize(
    ("run", "given", "ignored"),
    [
        (m1_means.means, {"shape": "normal", "n": 30}, None),
        (m1_means.means, {"shape": "grades", "n": 300}, None),
        (m1_means.clustered_means, {"shape": "normal", "clusters": 30, "equal": True}, 0.75),
        (m1_means.clustered_means, {"shape": "normal", "clusters": 100, "equal": False}, 0.70),
        (m1_means.clustered_shares, {"share": 0.5, "icc": 0.3, "clusters": 30, "equal": True}, 0.75),
        (m1_means.clustered_shares, {"share": 0.8, "icc": 0.13, "clusters": 100, "equal": True}, 0.85),
        (m1_means.paired_means, {"shape": "normal", "n": 100}, None),
        (m1_means.clustered_pairs, {"share": 0.8, "icc": 0.13, "clusters": 30}, 0.87),
        (m1_means.unpaired_means, {"shape": "normal", "n": 100, "clusters": 0}, None),
        (m1_means.unpaired_means, {"shape": "normal", "n": 1000, "clusters": 100}, 0.75),
        (m1_means.ratios, {"units": 100}, 0.90),
    ],
)
def test_where_theory_claims_it(draw, run, given, ignored):
    """Two standard errors of 2,000 draws are one point."""
    found = run(draw, **given, reps=2000)
    assert 0.935 - 0.005 <= found["ours"] <= 0.965 + 0.005
    if ignored is not None:
        # To take rows of a cluster for independent ones does not cover.
        assert found["usual"] < ignored


@pytest.mark.parametrize("quantile", [0.5, 0.95])
def test_a_quantile(draw, quantile):
    assert m1_means.quantiles(draw, quantile=quantile, n=100, clusters=0, reps=1000)["ours"] >= 0.935
