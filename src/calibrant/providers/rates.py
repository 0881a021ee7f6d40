"""From the prices of a model to what a call costs: whole numbers, nothing rounded.

A price is for one unit, and units contain each other: input tokens hold those that were read from a cache. What
has a price of its own is taken out of what contains it. As that is linear, the price of each of the four usual
counts is worked out once; only calls that bring others (audio, an hour's cache, searches) take the long way.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from decimal import Decimal

from msgspec import Struct

from calibrant.providers.price_table import Price
from calibrant.providers.usage_detail import looked_for
from calibrant.types.money import dollars

__all__ = ["USUAL", "Counts", "Rates"]

USUAL = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
"""The counts that `Usage` has of its own, in the order of `Counts`."""

Counts = tuple[int, int, int, int]
"""Input tokens with those that a cache had or got, output tokens, cache reads, cache writes."""

_NAMES_A_CALL = frozenset({"input_tokens", "output_tokens", "input_text_tokens", "output_text_tokens"})


class _Unit(Struct, frozen=True):
    name: str
    dimensions: frozenset[str]
    rate: int
    starts: tuple[int, ...]
    """Prompt sizes beyond which the entry of `tiers` at the same place counts."""
    tiers: tuple[int, ...]

    def at(self, prompt: int) -> int:
        reached = bisect_left(self.starts, prompt)
        return self.tiers[reached - 1] if reached else self.rate


class Rates:
    """The prices of one model at one time."""

    __slots__ = (
        "_per_call",
        "_places",
        "_rows",
        "_starts",
        "_units",
        "_whole",
        "_within",
        "by_hour",
        "needles",
        "priced",
    )

    def __init__(self, prices: Iterable[Price]) -> None:
        """Work them out."""
        known = [price for price in prices if _power_of_ten(price.per) is not None]
        self._places = max((_places(price) for price in known), default=1)
        # From the most particular to the most general, so that what contains something comes after it.
        self._units = sorted(
            (self._unit(price) for price in known), key=lambda unit: (-len(unit.dimensions), unit.name)
        )
        units = frozenset(unit.name for unit in self._units)
        self.priced = bool(units & _NAMES_A_CALL)
        """Whether tokens have one; a call of a model that is priced in other things is of unknown cost."""
        self.by_hour = "cache_write_1h_tokens" in units
        """Whether a cache that is kept for an hour has a price of its own."""
        self.needles = looked_for(units - set(USUAL) - {"cache_write_5m_tokens", "cache_write_1h_tokens"})
        """What a usage object has one of where it may count anything else that has a price."""
        self._starts = sorted({start for unit in self._units for start in unit.starts})
        self._rows = [self._row(prompt) for prompt in (0, *(start + 1 for start in self._starts))]
        self._per_call = sum(unit.rate for unit in self._units if unit.name == "requests")
        self._whole = "input_tokens" in units
        self._within = (int("cache_read_tokens" in units), int("cache_write_tokens" in units))

    def cost(self, counts: Counts) -> str | None:
        """Return what a call with these counts costs; null where they contradict each other."""
        prompt, made, read, written = counts
        if read or written:
            reads, writes = self._within
            if self._whole and read * reads + written * writes > prompt:
                return None
        row = self._rows[bisect_left(self._starts, prompt)] if self._starts else self._rows[0]
        units = prompt * row[0] + made * row[1] + read * row[2] + written * row[3] + self._per_call
        return dollars(units, self._places)

    def cost_of(self, counts: Mapping[str, int]) -> str | None:
        """Return the same for counts by name, of any unit."""
        prompt = counts.get("input_tokens", 0)
        own = self._own(counts)
        if own is None:
            return None
        return dollars(sum(unit.at(prompt) * n for unit, n in own), self._places)

    def _own(self, counts: Mapping[str, int]) -> list[tuple[_Unit, int]] | None:
        """Return how much each unit has that no unit within it has; null where that is less than nothing."""
        own: list[tuple[_Unit, int]] = []
        for unit in self._units:
            if unit.name == "requests":
                own.append((unit, 1))
                continue
            rest = counts.get(unit.name, 0) - sum(n for other, n in own if unit.dimensions <= other.dimensions)
            if rest < 0:
                return None
            own.append((unit, rest))
        return own

    def _row(self, prompt: int) -> Counts:
        # One more of a count adds it to that unit and takes it from what contains it.
        of = {unit.name: unit for unit in self._units}
        found: list[int] = []
        for name in USUAL:
            unit = of.get(name)
            if unit is None:
                found.append(0)
                continue
            outer = [other for other in self._units if other.dimensions < unit.dimensions and other.name in USUAL]
            found.append(unit.at(prompt) - sum(other.at(prompt) for other in outer))
        return found[0], found[1], found[2], found[3]

    def _unit(self, price: Price) -> _Unit:
        return _Unit(
            price.unit,
            price.dimensions,
            self._rate(price.base, price.per),
            tuple(start for start, _ in price.tiers),
            tuple(self._rate(each, price.per) for _, each in price.tiers),
        )

    def _rate(self, text: str, per: int) -> int:
        return int(Decimal(text).scaleb(self._places) / per)


def _places(price: Price) -> int:
    digits = max(-int(Decimal(text).as_tuple().exponent) for text in (price.base, *(each for _, each in price.tiers)))
    return max(digits, 0) + (_power_of_ten(price.per) or 0) or 1


def _power_of_ten(number: int) -> int | None:
    """Return its exponent; null for another number, such as the seconds of an hour."""
    text = str(number)
    return len(text) - 1 if text.strip("0") == "1" else None
