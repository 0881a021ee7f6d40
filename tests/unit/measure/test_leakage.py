"""Near-duplicates: what is the same once normalised, and how much must overlap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.measure.leakage import jaccard, near_duplicates, normalised, shingles

LONG = "The quick brown fox jumps over the lazy dog, while two cats look on from the top of a wall nearby."


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (LONG, LONG.upper(), True),
        (LONG, f"  {LONG.replace(' ', '  ')}\n", True),
        ("Order 1234 of 5 May", "Order 9876 of 7 May", True),
        ("ﬁne ①", "fine 1", True),
        (LONG, LONG + " So.", True),
        (LONG, LONG.replace("fox", "cow"), True),
        (LONG, LONG[:50], False),
        (LONG, "Something else altogether is said here, and at about the same length as that other text above.", False),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_what_counts_as_nearly_the_same(a, b, same):
    assert near_duplicates(shingles(a), shingles(b)) is same is near_duplicates(shingles(b), shingles(a))


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_short_cut_changes_nothing(a, b):
    one, other = shingles(a), shingles(b)
    assert near_duplicates(one, other) == (jaccard(one, other) >= 0.8)
    assert jaccard(one, one) == 1 and normalised(normalised(a)) == normalised(a)
