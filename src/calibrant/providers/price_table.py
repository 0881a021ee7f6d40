"""The price table: what vendors ask for their models, by date, hour, tier and size of the prompt.

It is genai-prices, put into a form that loads without that package (`app/price_source.py` makes it): the same
providers, models in the same order, and the same rules for which model a name means. Providers are decoded when
one of their models is first asked for.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable

import msgspec
from msgspec import Struct

__all__ = ["FORMAT", "Dated", "Match", "ModelPrices", "Price", "PriceTable", "PriceVariant", "ProviderPrices", "Window"]

FORMAT = 1
"""Of the table; another one is made when this changes."""


class Match(Struct, frozen=True, array_like=True):
    """Which names mean a model."""

    kind: str
    """`equals`, `starts_with`, `ends_with`, `contains`, `regex`, `or` or `and`."""
    text: str = ""
    parts: tuple[Match, ...] = ()

    def holds(self, name: str) -> bool:
        """Return whether a name, in lower case, is meant."""
        match self.kind:
            case "equals":
                return name == self.text
            case "starts_with":
                return name.startswith(self.text)
            case "ends_with":
                return name.endswith(self.text)
            case "contains":
                return self.text in name
            case "regex":
                return re.search(self.text, name) is not None
            case "or":
                return any(part.holds(name) for part in self.parts)
            case _:
                return bool(self.parts) and all(part.holds(name) for part in self.parts)


class Price(Struct, frozen=True, array_like=True):
    """What so many of one unit cost."""

    unit: str
    """What is counted, such as `input_tokens`."""
    per: int
    """For how many of them."""
    dimensions: frozenset[str]
    """What the unit is part of: it is counted in every other unit whose dimensions are among its own."""
    base: str
    """US dollars, as decimal text."""
    tiers: tuple[tuple[int, str], ...] = ()
    """For a prompt of more tokens than this, the whole of it costs that. In ascending order."""


class Window(Struct, frozen=True, array_like=True):
    """When prices hold; null says nothing. All in UTC."""

    first_day: int | None = None
    """Days since 1970-01-01."""
    start_us: int | None = None
    """Microseconds since midnight."""
    end_us: int | None = None
    """The first one that is not within; smaller than `start_us` where midnight is."""

    def holds(self, millis: int) -> bool:
        """Return whether an instant, in Unix milliseconds, is within."""
        day, rest = divmod(millis, 86_400_000)
        if self.first_day is not None and day < self.first_day:
            return False
        if self.start_us is None or self.end_us is None:
            return True
        now = rest * 1000
        if self.end_us < self.start_us:
            return now >= self.start_us or now < self.end_us
        return self.start_us <= now < self.end_us


class Dated(Struct, frozen=True, array_like=True):
    """Prices and when they hold."""

    prices: tuple[Price, ...]
    window: Window = Window()


class PriceVariant(Struct, frozen=True, array_like=True):
    """Prices that take the place of others for calls of a certain kind, such as a service tier."""

    when: tuple[tuple[str, str], ...]
    prices: tuple[Price, ...]
    window: Window = Window()


class ModelPrices(Struct, frozen=True, array_like=True):
    """One model."""

    id: str
    match: Match
    prices: tuple[Dated, ...]
    """The last one that holds counts; the first one where none does."""
    variants: tuple[PriceVariant, ...] = ()
    """The first one that holds counts, for each unit."""


class ProviderPrices(Struct, frozen=True, array_like=True):
    """One provider."""

    models: tuple[ModelPrices, ...]
    fallback: tuple[str, ...] = ()
    """Whose prices count for models that it has none for."""


class _Stored(Struct, frozen=True):
    version: str
    format: int
    patterns: tuple[tuple[str, str], ...]
    providers: dict[str, msgspec.Raw]


_decode = msgspec.json.Decoder(_Stored).decode
_decode_provider = msgspec.json.Decoder(ProviderPrices).decode


class PriceTable:
    """The prices of every provider."""

    __slots__ = ("_decoded", "_patterns", "_providers", "version")

    def __init__(self, data: bytes) -> None:
        """Open a table.

        Args:
            data: As `encode` makes it.

        Raises:
            ValueError: it is none, or of another format.
        """
        stored = _decode(data)
        if stored.format != FORMAT:
            raise ValueError(f"a price table of format {stored.format}; this version reads {FORMAT}")
        self.version = stored.version
        """Which table it is, such as `genai-prices/0.2.3`."""
        self._patterns = [(re.compile(pattern), provider) for provider, pattern in stored.patterns]
        self._providers = stored.providers
        self._decoded: dict[str, ProviderPrices] = {}

    @staticmethod
    def encode(version: str, patterns: Iterable[tuple[str, str]], providers: dict[str, ProviderPrices]) -> bytes:
        """Return the table as bytes.

        Args:
            version: Which one it is.
            patterns: Each provider and the pattern of its addresses; the first that fits an address counts.
            providers: Their prices.
        """
        raw = {name: msgspec.Raw(msgspec.json.encode(prices)) for name, prices in providers.items()}
        return msgspec.json.encode(_Stored(version, FORMAT, tuple(patterns), raw))

    def provider_at(self, url: str) -> str | None:
        """Return which provider answers at an address, or null where nobody known does."""
        return next((provider for pattern, provider in self._patterns if pattern.match(url)), None)

    def find(self, provider: str, name: str) -> tuple[ModelPrices, bool] | None:
        """Return the model that a name means there, and whether it is the provider's own; null where none is.

        A date written `-20251211` is tried as `-2025-12-11` where nothing has it as it stands.
        """
        name = name.lower()
        found = self._find(provider, name)
        if found is None:
            dashed = _COMPACT_DATE.sub(_dashed, name)
            found = self._find(provider, dashed) if dashed != name else None
        return found

    def _find(self, provider: str, name: str) -> tuple[ModelPrices, bool] | None:
        own = self._provider(provider)
        if own is None:
            return None
        for model in own.models:
            if model.match.holds(name):
                return model, True
        for other in own.fallback:
            lent = self._provider(other)
            for model in () if lent is None else lent.models:
                if model.match.holds(name):
                    return model, False
        return None

    def _provider(self, name: str) -> ProviderPrices | None:
        decoded = self._decoded.get(name)
        if decoded is None:
            raw = self._providers.get(name)
            if raw is None:
                return None
            decoded = self._decoded[name] = _decode_provider(raw)
        return decoded


_COMPACT_DATE = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


def _dashed(found: re.Match[str]) -> str:
    year, month, day = found.groups()
    there_is = int(day) <= monthrange(int(year), int(month))[1]
    return f"-{year}-{month}-{day}" if there_is else found[0]
