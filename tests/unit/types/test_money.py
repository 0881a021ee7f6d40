from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.types.money import dollars, text_of, total


@given(units=st.integers(0, 10**40), places=st.integers(1, 40))
def test_every_digit_is_there(units, places):
    text = dollars(units, places)
    assert Decimal(text) == Decimal(units).scaleb(-places) or units >= 10**28
    whole, _, fraction = text.partition(".")
    assert int((whole + fraction).ljust(len(whole) + places, "0")) == units
    assert not fraction.endswith("0") and not text.endswith(".")
    assert whole == "0" or not whole.startswith("0")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0"),
        ("0E-9", "0"),
        ("1E-7", "0.0000001"),
        ("10", "10"),
        ("1.50", "1.5"),
        ("1E+2", "100"),
        ("-0.5", "-0.5"),
    ],
)
def test_amounts_are_plain(amount, text):
    assert text_of(Decimal(amount)) == text


def test_a_sum_knows_all_or_nothing():
    assert total([]) is None
    assert total([None]) is None
    assert total(["0.1"]) == "0.1"
    assert total(["0.1", "0.2"]) == "0.3"
    assert total(["0.1", None]) is None
    assert total(["1" + "0" * 30, "0." + "0" * 29 + "1"]) == "1" + "0" * 30 + "." + "0" * 29 + "1"
