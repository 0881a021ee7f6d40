"""Costs: US dollars as decimal text, exact in every digit; null while unknown."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal

__all__ = ["dollars", "text_of", "total"]

_EXACT = Context(prec=120)
"""More digits than any sum of costs has, so that nothing is rounded."""


def dollars(units: int, places: int) -> str:
    """Return a whole number of tenths, hundredths, ... of a dollar as text.

    Args:
        units: How many; not negative.
        places: Which: 9 for billionths. At least 1.
    """
    digits = str(units).zfill(places + 1)
    # No zero before the point is taken: it stands behind the point while that is there.
    return f"{digits[:-places]}.{digits[-places:]}".rstrip("0").rstrip(".")


def text_of(amount: Decimal) -> str:
    """Return an amount as text, without an exponent and without zeros at its end."""
    text = f"{amount:f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def total(costs: Sequence[str | None]) -> str | None:
    """Return the sum; null where one of them is unknown, and where there is none to add."""
    if len(costs) == 1:
        return costs[0]
    sum_ = Decimal(0)
    for cost in costs:
        if cost is None:
            return None
        sum_ = _EXACT.add(sum_, Decimal(cost))
    return text_of(sum_) if costs else None
