"""What must hold of every interval, whatever the rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.measure.bounds import wilson_bounds
from calibrant.measure.cluster import Clusters, cluster_student_interval, cluster_wilson_interval
from calibrant.measure.interval import student_interval
from calibrant.measure.summary import mean_interval, quantile_interval

numbers = st.integers(-1000, 1000).map(lambda n: n / 8)
rows = st.lists(st.tuples(numbers, st.integers(0, 12)), min_size=1, max_size=60)
booleans = st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=1, max_size=60)


def split(pairs: list[tuple[float, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([p[0] for p in pairs], dtype=float), np.array([p[1] for p in pairs])


@settings(deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(pairs, random) -> None:
    shuffled = random.sample(pairs, len(pairs))
    for measure in (mean_interval, lambda v, c: quantile_interval(v, 0.5, c)):
        a, b = measure(*split(pairs)), measure(*split(shuffled))
        assert (a.estimate, a.low, a.high) == pytest.approx((b.estimate, b.low, b.high))


@settings(deadline=None)
@given(rows)
def test_the_names_of_clusters_do_not_matter(pairs) -> None:
    values, labels = split(pairs)
    renamed = [f"episode {97 - n}" for n in labels]
    a, b = mean_interval(values, labels), mean_interval(values, renamed)
    assert (a.estimate, a.low, a.high) == pytest.approx((b.estimate, b.low, b.high))


@settings(deadline=None)
@given(rows, numbers, st.sampled_from([0.25, 0.5, 2.0, 8.0]))
def test_a_mean_moves_and_stretches_with_its_rows(pairs, shift: float, scale: float) -> None:
    values, labels = split(pairs)
    plain, moved = mean_interval(values, labels), mean_interval(values * scale + shift, labels)
    assert moved.estimate == pytest.approx(plain.estimate * scale + shift, abs=1e-6)
    assert (moved.low is None) == (plain.low is None)
    if plain.low is not None:
        assert moved.low == pytest.approx(plain.low * scale + shift, abs=1e-6)
        assert moved.high == pytest.approx(plain.high * scale + shift, abs=1e-6)


@settings(deadline=None)
@given(booleans)
def test_a_share_and_its_complement_mirror_each_other(pairs) -> None:
    values, labels = split(pairs)
    plain, mirrored = mean_interval(values, labels, "boolean"), mean_interval(1 - values, labels, "boolean")
    assert (plain.low is None) == (mirrored.low is None)
    if plain.low is not None:
        assert mirrored.low == pytest.approx(1 - plain.high)
        assert mirrored.high == pytest.approx(1 - plain.low)


@settings(deadline=None)
@given(booleans)
def test_an_interval_of_a_share_holds_it_and_stays_within_bounds(pairs) -> None:
    found = mean_interval(*split(pairs), "boolean")
    if found.low is None:
        assert found.clusters == 1
        assert found.warnings
    else:
        assert 0 <= found.low <= found.estimate <= found.high <= 1
        assert found.low < found.high
        assert found.effective_n <= found.n


@settings(deadline=None)
@given(st.lists(numbers, min_size=2, max_size=50, unique=True))
def test_singleton_clusters_are_independent_rows(values: list[float]) -> None:
    array = np.array(values)
    clustered = cluster_student_interval(array, Clusters.of(np.arange(array.size)))
    plain = student_interval(array)
    assert (clustered.low, clustered.high) == (pytest.approx(plain.low), pytest.approx(plain.high))
    assert clustered.effective_n == pytest.approx(array.size)


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=2, max_size=50))
def test_singleton_clusters_of_a_share_keep_all_their_rows(values: list[bool]) -> None:
    array = np.array(values, dtype=float)
    found = cluster_wilson_interval(array, Clusters.of(np.arange(array.size)))
    assert found.effective_n == pytest.approx(array.size)
    assert mean_interval(array, np.arange(array.size), "boolean").method == "wilson"


@settings(deadline=None)
@given(booleans, st.integers(2, 4))
def test_copies_within_a_cluster_are_no_evidence(pairs, times: int) -> None:
    """Each cluster's rows repeated: the mean's error must stay, however many rows there are."""
    values, labels = split(pairs)
    once = mean_interval(values, labels)
    if once.method != "cluster_student" or once.std_error is None:
        return
    more = mean_interval(np.repeat(values, times), np.repeat(labels, times))
    assert more.std_error == pytest.approx(once.std_error)
    assert (more.low, more.high) == (pytest.approx(once.low), pytest.approx(once.high))


@settings(deadline=None)
@given(rows, st.sampled_from([0.05, 0.5, 0.95]))
def test_a_quantile_and_its_bounds_were_seen(pairs, quantile: float) -> None:
    values, labels = split(pairs)
    for found in (quantile_interval(values, quantile), quantile_interval(values, quantile, labels)):
        assert found.estimate in values
        assert found.low is None or (found.low in values and found.low <= found.estimate)
        assert found.high is None or (found.high in values and found.high >= found.estimate)
        sides = {w.code for w in found.warnings}
        assert found.low is not None or sides & {"open_low", "too_few_units"}
        assert found.high is not None or sides & {"open_high", "too_few_units"}


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(1, 1e6), st.floats(0.1, 20))
def test_wilson_bounds_are_ordered(share: float, n: float, critical: float) -> None:
    low, high = wilson_bounds(share, n, critical)
    assert 0 <= low <= share <= high <= 1


@settings(deadline=None)
@given(rows, st.sampled_from([0.5, 0.8, 0.95]))
def test_more_confidence_is_a_wider_interval(pairs, level: float) -> None:
    values, labels = split(pairs)
    inner, outer = mean_interval(values, labels, level=level), mean_interval(values, labels, level=0.99)
    if inner.low is not None:
        assert outer.low <= inner.low
        assert outer.high >= inner.high
