"""Probabilities against shares, with known truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from calibrant.measure.calibration import calibration_of, isotonic_of


def test_a_calibrated_judge_is_and_a_confident_one_is_not():
    draw = np.random.default_rng(1)
    said = draw.random(6000)
    seen = (draw.random(6000) < said).astype(float)
    good = calibration_of(said, seen)
    assert good.expected_error < 0.03 and len(good.bins) == 15
    assert np.mean([each.seen.low <= each.said <= each.seen.high for each in good.bins]) > 0.8
    assert good.brier.low <= 1 / 6 <= good.brier.high
    louder = np.clip(0.5 + 2 * (said - 0.5), 0, 1)
    bad = calibration_of(louder, seen)
    assert bad.expected_error > 0.1 and bad.brier.estimate > good.brier.estimate


def test_what_is_believed_afterwards_is_calibrated():
    draw = np.random.default_rng(2)
    truth = draw.random(8000)
    seen = (draw.random(8000) < truth).astype(float)
    said = np.sqrt(truth)
    fitted = isotonic_of(said[:4000], seen[:4000])
    before, after = calibration_of(said[4000:], seen[4000:]), calibration_of(fitted(said[4000:]), seen[4000:])
    assert after.expected_error < 0.04 < 0.1 < before.expected_error
    assert fitted([0.0, 1.0]).tolist() == [fitted.believed[0], fitted.believed[-1]]


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), st.integers(0, 1)), min_size=1, max_size=60)
)
def test_scipy_agrees(rows):
    said, seen = (np.array(each, dtype=float) for each in zip(*rows, strict=True))
    points = np.unique(said)
    means = np.array([seen[said == point].mean() for point in points])
    weights = np.array([(said == point).sum() for point in points], dtype=float)
    fitted = isotonic_of(said, seen)
    assert fitted.said.tolist() == points.tolist()
    assert fitted.believed == pytest.approx(isotonic_regression(means, weights=weights).x)


def test_clusters_and_what_does_not_fit():
    said, seen, labels = [0.2] * 20 + [0.8] * 20, [0.0] * 15 + [1.0] * 25, [n // 2 for n in range(40)]
    assert calibration_of(said, seen, labels, bins=2).bins[0].seen.clusters == 10
    assert calibration_of([], []).bins == ()
    for call in (calibration_of, isotonic_of):
        with pytest.raises(ValueError, match="within"):
            call([1.5], [1.0])
        with pytest.raises(ValueError, match="one of both"):
            call([0.5], [1.0, 0.0])
    with pytest.raises(ValueError, match="no items"):
        isotonic_of([], [])
