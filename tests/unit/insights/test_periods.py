"""Periods begin and end where the store's buckets do."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.insights.periods import end_of, first_id, groups_of, length_ms, since
from calibrant.store.sqlite_functions import bucket_of

WINDOWS = ["minute", "hour", "day", "week", "month"]


def id_of(millis):
    digits = f"{millis:012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-000000000000"


@given(st.integers(10**12, 4 * 10**12), st.sampled_from(WINDOWS))
def test_the_last_period_is_the_bucket_of_its_instants(millis, window):
    begin = since(millis, window, 1)
    assert begin == bucket_of(id_of(millis), window)
    end = end_of(begin, window)
    assert bucket_of(id_of(end - 1), window) == begin and bucket_of(id_of(end), window) == end


@given(st.integers(10**12, 4 * 10**12), st.sampled_from(WINDOWS), st.integers(1, 200))
def test_so_many_periods_lie_between(millis, window, periods):
    at, count = since(millis, window, periods), 0
    while at <= millis:
        at, count = end_of(at, window), count + 1
    assert count == periods


def test_a_month_goes_over_the_end_of_a_year():
    march = int(datetime(2026, 3, 31, 23, tzinfo=UTC).timestamp()) * 1000
    assert since(march, "month", 5) == int(datetime(2025, 11, 1, tzinfo=UTC).timestamp()) * 1000


def test_time_has_a_beginning():
    assert since(10**12, "month", 10**4) == since(10**12, "week", 10**4) == since(10**12, "cumulative", 1) == 0
    assert first_id(0) is None
    with pytest.raises(ValueError, match="no end"):
        end_of(0, "cumulative")


def test_an_id_comes_before_all_of_its_instant():
    assert id_of(10**12 - 1) < first_id(10**12) < id_of(10**12)
    assert (groups_of("cumulative"), groups_of("week"), length_ms("cumulative"), length_ms("day")) == (
        (),
        ("week",),
        None,
        86_400_000,
    )
