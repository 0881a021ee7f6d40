"""Writes the price table of the installed genai-prices to standard output.

A process of its own: that package loads another HTTP client and another validator, which nobody else needs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from genai_prices import data, types
from genai_prices.data_units import unit_data

from calibrant.providers.price_table import (
    Dated,
    Match,
    ModelPrices,
    Price,
    PriceTable,
    PriceVariant,
    ProviderPrices,
    Window,
)

__all__ = ["main", "price_table"]

_EPOCH = date(1970, 1, 1)
_UNITS: Mapping[str, tuple[str, int, frozenset[str]]] = {
    unit.get("price_key", name): (
        name,
        unit["per"],
        frozenset(f"{key}={value}" for key, value in unit.get("dimensions", {}).items()),
    )
    for name, unit in unit_data.items()
}
"""By the key of a price: the unit, for how many of it the price is, and its dimensions."""


def price_table() -> bytes:
    """Return the table as `PriceTable` reads it."""
    return PriceTable.encode(
        f"genai-prices/{version('genai-prices')}",
        [(provider.id, provider.api_pattern) for provider in data.providers],
        {
            provider.id: ProviderPrices(
                tuple(_model(model) for model in provider.models), tuple(provider.fallback_model_providers or ())
            )
            for provider in data.providers
        },
    )


def main() -> None:
    """Write the table."""
    sys.stdout.buffer.write(price_table())


def _model(model: types.ModelInfo) -> ModelPrices:
    prices = model.prices
    return ModelPrices(
        model.id,
        _match(model.match),
        (Dated(_prices(prices)),)
        if isinstance(prices, types.ModelPrice)
        else tuple(Dated(_prices(each.prices), _window(each.constraint)) for each in prices),
        tuple(
            PriceVariant(tuple(each.when.items()), _prices(each.prices), _window(each.constraint))
            for each in model.price_variants or ()
        ),
    )


def _match(clause: Any) -> Match:
    # Names are compared in lower case; a pattern is searched for as it stands.
    match clause:
        case types.ClauseEquals(equals=text):
            return Match("equals", text.lower())
        case types.ClauseStartsWith(starts_with=text):
            return Match("starts_with", text.lower())
        case types.ClauseEndsWith(ends_with=text):
            return Match("ends_with", text.lower())
        case types.ClauseContains(contains=text):
            return Match("contains", text.lower())
        case types.ClauseRegex(regex=text):
            return Match("regex", text)
        case types.ClauseOr(or_=parts):
            return Match("or", parts=_matches(parts))
        case types.ClauseAnd(and_=parts):
            return Match("and", parts=_matches(parts))
        case _:
            raise TypeError(f"genai-prices has a clause that this version does not know: {clause!r}")


def _matches(clauses: Iterable[Any]) -> tuple[Match, ...]:
    return tuple(_match(clause) for clause in clauses)


def _prices(prices: types.ModelPrice) -> tuple[Price, ...]:
    return tuple(_price(key, value) for key, value in vars(prices).items() if value is not None)


def _price(key: str, value: Decimal | types.TieredPrices) -> Price:
    unit, per, dimensions = _UNITS[key]
    if isinstance(value, types.TieredPrices):
        tiers = tuple((tier.start, f"{tier.price:f}") for tier in value.tiers)
        return Price(unit, per, dimensions, f"{value.base:f}", tiers)
    return Price(unit, per, dimensions, f"{value:f}")


def _window(constraint: types.StartDateConstraint | types.TimeOfDateConstraint | None) -> Window:
    match constraint:
        case None:
            return Window()
        case types.StartDateConstraint(start_date=day):
            return Window(first_day=(day - _EPOCH).days)
        case types.TimeOfDateConstraint(start_time=start, end_time=end):
            return Window(start_us=_of_day(start), end_us=_of_day(end))


def _of_day(moment: time) -> int:
    if moment.tzinfo is not None:
        moment = datetime.combine(_EPOCH, moment).astimezone(UTC).time()
    return ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1_000_000 + moment.microsecond


if __name__ == "__main__":
    main()
