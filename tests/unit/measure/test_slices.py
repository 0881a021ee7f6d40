"""Slices by themselves and drawn together: against the functions that they are made of, and the known truth."""

import numpy as np
import pytest

from calibrant.measure.shrinkage import shrunk
from calibrant.measure.slices import slice_means
from calibrant.measure.summary import mean_interval


def test_each_slice_is_what_its_rows_say():
    draw = np.random.default_rng(1)
    rows, names = draw.normal(0, 1, 400), draw.choice(["de", "en", "fr"], 400)
    clusters = draw.integers(0, 60, 400)
    found = slice_means(rows, names, clusters)
    assert found.names == ("de", "en", "fr") and found.small == {}
    for name, mean in zip(found.names, found.means, strict=True):
        wanted = mean_interval(rows[names == name], clusters[names == name])
        assert (mean.estimate, mean.low) == pytest.approx((wanted.estimate, wanted.low))
        assert mean.effective_n <= mean.n
    wanted = shrunk([each.estimate for each in found.means], [each.std_error for each in found.means])
    assert found.shown == pytest.approx(wanted.estimates)


def test_small_slices_have_an_interval_and_take_no_part():
    rows, names = [1.0, 0.0] * 30 + [1.0] * 3, ["a", "b", "c", "c"] * 15 + ["d"] * 3
    found = slice_means(rows, names, kind="boolean", fewest=20)
    assert found.names == ("c",) and sorted(found.small) == ["a", "b", "d"]
    assert found.small["d"].low is not None and found.drawn is None and found.shown.tolist() == [0.5]
    copies = slice_means([1.0] * 100, ["a"] * 100, [0] * 50 + [1] * 50)
    assert copies.names == () and copies.small["a"].effective_n == 2
    assert slice_means([], []).names == ()


def test_a_slice_without_spread_is_drawn_to_the_others_as_one_with():
    rows, names = np.r_[np.tile([1.0, 0.0], 60), np.ones(40)], np.repeat(["a", "b", "c"], [60, 60, 40])
    found = slice_means(rows, names)
    assert found.means[2].std_error is None
    assert 0.5 < found.shown[2] < 1
    assert slice_means(np.ones(80), np.repeat(["a", "b"], 40)).drawn is None


def test_a_label_for_each_row():
    with pytest.raises(ValueError, match="one label a row"):
        slice_means([1.0, 2.0], ["a"])
