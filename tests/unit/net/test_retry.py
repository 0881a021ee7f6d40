"""The retry policy, which is pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.net.retry import delay


@pytest.mark.parametrize(
    ("attempt", "jitter", "retry_after", "expected"),
    [
        (0, 1.0, None, 1.0),
        (0, 0.0, None, 0.5),
        (1, 1.0, None, 2.0),
        (3, 1.0, None, 8.0),
        (4, 1.0, None, 10.0),
        (9, 0.0, None, 5.0),
        (0, 1.0, 4.0, 4.0),
        (3, 1.0, 4.0, 8.0),
        (0, 1.0, 60.0, 10.0),
        (5000, 1.0, None, 10.0),
    ],
)
def test_waits(attempt: int, jitter: float, retry_after: float | None, expected: float) -> None:
    assert delay(attempt, max_delay_s=10.0, jitter=jitter, retry_after=retry_after) == expected


@given(st.integers(0, 100), st.floats(0, 100), st.floats(0, 1), st.none() | st.floats(0, 1000))
def test_never_past_the_cap(attempt: int, cap: float, jitter: float, retry_after: float | None) -> None:
    assert 0 <= delay(attempt, max_delay_s=cap, jitter=jitter, retry_after=retry_after) <= cap
