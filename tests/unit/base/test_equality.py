"""When two JSON values are the same."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.base.equality import json_key

LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from([0.5, 1.0, -3.0]) | st.text("ab", max_size=2)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=3)
)


def same(one, other):
    """What JSON means by the same, written out."""
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


@given(VALUES, VALUES)
def test_keys_are_equal_where_values_are(one, other):
    assert (json_key(one) == json_key(other)) is same(one, other)


@given(VALUES)
def test_a_value_equals_its_copy(value):
    copy = msgspec.json.decode(msgspec.json.encode(value))
    assert json_key(value) == json_key(copy) and hash(json_key(value)) == hash(json_key(copy))


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1.0}, True),
        ([1, 2], [2, 1], False),
        (True, 1, False),
        ([False], [0], False),
        (None, False, False),
        ("1", 1, False),
        ([], {}, False),
        ({"bool": True}, ["bool", True], False),
    ],
)
def test_cases(one, other, equal):
    assert (json_key(one) == json_key(other)) is equal
