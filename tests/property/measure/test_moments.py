"""A mean out of sums is the mean of the rows, with the same interval, method and warnings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.measure.moments import interval_of_moments, moments_of
from calibrant.measure.summary import mean_interval

FLOATS = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
CLUSTERED = st.dictionaries(st.integers(0, 30).map(str), st.lists(FLOATS, min_size=1, max_size=5), min_size=1)
SHARES = st.dictionaries(
    st.integers(0, 30).map(str), st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=5), min_size=1
)


def agree(values, kind, level):
    rows = [value for cluster in values.values() for value in cluster]
    labels = [name for name, cluster in values.items() for _ in cluster]
    wanted = mean_interval(rows, labels, kind, level=level)
    found = interval_of_moments(moments_of(values), kind, level=level)
    for field in ("level", "n", "clusters", "method", "why", "warnings"):
        assert getattr(found, field) == getattr(wanted, field)
    for field in ("estimate", "low", "high", "std_error", "effective_n"):
        mine, theirs = getattr(found, field), getattr(wanted, field)
        assert mine == (None if theirs is None else pytest.approx(theirs, rel=1e-7, abs=1e-7)), field


@given(SHARES, st.sampled_from([0.8, 0.95]))
def test_of_a_boolean_metric(values, level):
    agree(values, "boolean", level)


@given(CLUSTERED, st.sampled_from([0.8, 0.95]))
def test_of_a_float_metric(values, level):
    agree(values, "float", level)


def test_of_nothing():
    nothing = moments_of({"a": [1.0]})
    empty = type(nothing)((), 0, 0.0, 0.0, 0, 0, 0.0)
    assert interval_of_moments(empty, "float") == mean_interval([], [], "float")
