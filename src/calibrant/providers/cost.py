"""What a call costs: by the configuration's rules, else as the provider itself says, else by the price table.

Unknown is null, never 0. `Pricer` is made once for each configured provider and remembers which model a name
means, so that a call pays for little more than the arithmetic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any, cast

import msgspec
from msgspec import Struct

from calibrant.config.schema import Provider
from calibrant.config.vendors import RELAY
from calibrant.providers.cost_rules import CostRules
from calibrant.providers.price_table import ModelPrices, Price, PriceTable
from calibrant.providers.rates import Rates
from calibrant.providers.usage_detail import details
from calibrant.types.money import text_of
from calibrant.types.reply import Usage

__all__ = ["BY_PROVIDER", "BY_RULES", "UNKNOWN", "Priced", "Pricer", "recalled", "was_batched"]

BY_RULES = "config"
"""The price version of a cost that the configuration's rules gave."""
BY_PROVIDER = "provider"
"""That of a cost that the provider itself told."""

_GATEWAY = "gateway"
"""Another gateway, which prices its calls itself; no table has this name."""
_VENDORS: Mapping[str, str] = {
    "anthropic": "anthropic",
    "aws_bedrock": "aws",
    "azure": "azure",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "gcp_vertex_anthropic": "google",
    "gcp_vertex_gemini": "google",
    "google_ai_studio_gemini": "google",
    "groq": "groq",
    "mistral": "mistral",
    "openai": "openai",
    "openrouter": "openrouter",
    "together": "together",
    "xai": "x-ai",
    RELAY: _GATEWAY,
}
"""By provider type, whose prices count. Types that are missing are servers of one's own, or have no prices."""

_SERVED_FIRST = frozenset({"azure", "openrouter"})
"""Where the configured name says little: deployments are named by whoever makes them, and routers choose."""
_SPECIAL: Mapping[str, tuple[str, bytes, bool]] = {
    "anthropic": ("speed", b'"speed"', False),
    "google": ("service_tier", b'"serviceTier"', False),
    "openai": ("service_tier", b'"service_tier"', True),
}
"""By vendor, what changes the price of a call; the key under which it says so; whether beside the usage or in it."""
_BATCH_SPECIAL = ("processing", "batch")
_BATCH = "+processing=batch"
"""What a price version says of a call in a batch, whether or not the price is known: it is priced as one again."""
_WORD = re.compile(rb'\s*:\s*"([A-Za-z_]{1,32})"')
_NAMES_KEPT = 256
_USUAL_TOKENS = (3_000, 1_000)
"""Input and output of a call of a usual size: three to one is the customary blend."""
_TICKS = -10
"""xAI's unit, as a power of ten: docs.x.ai/developers/cost-tracking."""
_DAY_MS = 86_400_000
_EXACT = Context(prec=60)

_decode_exact = msgspec.json.Decoder(float_hook=Decimal).decode


class Priced(Struct, frozen=True):
    """What a call costs, and how that is known."""

    cost: str | None = None
    """US dollars, as decimal text."""
    version: str | None = None
    """`config`, `provider`, or the price table and what was special about the call."""
    negative: Decimal | None = None
    """The sum of the rules where it is less than nothing, so that there is no cost."""


UNKNOWN = Priced()


class Pricer:
    """Prices the calls of one provider."""

    __slots__ = ("_batch_rules", "_found", "_name", "_rules", "_served_first", "_table", "_vendor")

    def __init__(self, provider: Provider, table: PriceTable | None) -> None:
        """Take what the configuration says of the provider.

        Args:
            provider: The provider. Where it has an address of its own, the prices are those of who answers there.
            table: Null where there is none.
        """
        self._rules = CostRules(provider.cost) if provider.cost else None
        self._batch_rules = CostRules(provider.batch_cost) if provider.batch_cost else None
        self._table = table
        self._name = provider.model_name
        vendor = _VENDORS.get(provider.type)
        if vendor not in (None, _GATEWAY) and provider.api_base is not None and table is not None:
            vendor = table.provider_at(provider.api_base)
        self._vendor = vendor
        self._served_first = vendor in _SERVED_FIRST
        self._found: dict[str | None, _Model | None] = {}

    def price(
        self, usage: Usage, body: bytes, served: str | None, at_ms: int, *, stream: bool, batch: bool = False
    ) -> Priced:
        """Return what a call costs. Nothing is raised, whatever the bytes.

        Args:
            usage: What the provider counted, or an estimate of it.
            body: The whole answer; of a stream its events' data, one a line.
            served: The model that the provider says answered.
            at_ms: When, in Unix milliseconds.
            stream: Whether it was a stream.
            batch: Whether it was part of one of the provider's own batches, which have prices of their own.
        """
        if batch:
            return self._batched(usage, body, served, at_ms)
        if self._rules is not None:
            cost, negative = self._rules.cost(body, stream=stream)
            return Priced(cost, None if cost is None else BY_RULES, negative)
        if self._vendor in _TOLD:
            told = _told(self._vendor, usage.raw)
            if told is not None:
                return Priced(told, BY_PROVIDER)
        model = self._found[served] if served in self._found else self._find(served)
        if model is None or usage.input_tokens is None:
            return UNKNOWN
        rates, version = model.rates(usage.raw, body, at_ms)
        cost = _cost(rates, usage, body)
        return UNKNOWN if cost is None else Priced(cost, version)

    def usual(self, at_ms: int) -> Decimal | None:
        """Return what a call of a usual size costs, to compare providers by; null where nobody knows.

        Args:
            at_ms: When, in Unix milliseconds.
        """
        if self._rules is not None:
            return self._rules.usual(*_USUAL_TOKENS)
        cost = self.price(Usage(*_USUAL_TOKENS), b"", None, at_ms, stream=False).cost
        return None if cost is None else Decimal(cost)

    def _batched(self, usage: Usage, body: bytes, served: str | None, at_ms: int) -> Priced:
        if self._batch_rules is not None:
            cost, negative = self._batch_rules.cost(body, stream=False)
            return Priced(cost, BY_RULES + _BATCH, negative)
        if self._rules is None and usage.input_tokens is not None:
            model = self._found[served] if served in self._found else self._find(served)
            found = None if model is None else model.batch_rates(at_ms)
            if found is not None:
                return Priced(_cost(found[0], usage, body), found[1])
        return Priced(None, "unknown" + _BATCH)

    def reads_answer(self, usage: Usage, served: str | None, *, batch: bool = False) -> bool:
        """Return whether the price may depend on more of the answer than its usage."""
        if self.has_rules(batch=batch):
            return True
        model = self._found[served] if served in self._found else self._find(served)
        return model is not None and (model.has_variants or bool(usage.cache_write_tokens))

    def has_rules(self, *, batch: bool = False) -> bool:
        """Return whether the configuration says what calls cost, or those of batches."""
        return (self._batch_rules if batch else self._rules) is not None

    def _find(self, served: str | None) -> _Model | None:
        names = (served, self._name) if self._served_first else (self._name, served)
        found = next((hit for name in names if name and (hit := self._look_up(name)) is not None), None)
        if len(self._found) >= _NAMES_KEPT:
            # Providers choose these names, so what is kept of them is bounded.
            self._found.clear()
        self._found[served] = found
        return found

    def _look_up(self, name: str) -> _Model | None:
        if self._table is None or self._vendor is None:
            return None
        hit = self._table.find(self._vendor, name)
        if hit is None:
            return None
        model, own = hit
        return _Model(model, self._table.version, _SPECIAL.get(self._vendor) if own else None)


class _Model:
    """One model of the table, and the rates that were worked out for it."""

    __slots__ = (
        "_day",
        "_hourly",
        "_key",
        "_needle",
        "_prices",
        "_special_rates",
        "_standard_rates",
        "_today",
        "_version",
        "_within",
        "_words",
        "has_variants",
    )

    def __init__(self, prices: ModelPrices, version: str, special: tuple[str, bytes, bool] | None) -> None:
        self._prices = prices
        self._version = version
        self._key, self._needle, self._within = special or ("", b"", False)
        variants = [each for each in prices.variants if each.prices]
        self._words = frozenset(value for each in variants for key, value in each.when if key == self._key)
        self.has_variants = bool(self._words)
        self._hourly = any(each.window.start_us is not None for each in prices.prices)
        self._standard_rates: dict[int, Rates] = {}
        self._special_rates: dict[tuple[Price, ...], Rates] = {}
        self._day = -1
        self._today: Rates | None = None

    def rates(self, raw: bytes, body: bytes, at_ms: int) -> tuple[Rates, str]:
        """Return the rates of a call, and their version, which says what was special about it."""
        if self._words:
            word = _last_word(body if self._within else raw, self._needle)
            if word in self._words:
                return self._varied((self._key, word), at_ms), f"{self._version}+{self._key}={word}"
        day = at_ms // _DAY_MS
        if day == self._day and self._today is not None and not self._hourly:
            return self._today, self._version
        self._day = day
        at = self._standard(at_ms)
        rates = self._standard_rates.get(at)
        if rates is None:
            rates = self._standard_rates[at] = Rates(self._prices.prices[at].prices)
        self._today = rates
        return rates, self._version

    def batch_rates(self, at_ms: int) -> tuple[Rates, str] | None:
        """Return the rates of a call in a batch, and their version; null where the table has none."""
        if not any(set(each.when) == {_BATCH_SPECIAL} for each in self._prices.variants):
            return None
        return self._varied(_BATCH_SPECIAL, at_ms), self._version + _BATCH

    def _standard(self, at_ms: int) -> int:
        """Return which prices hold, where nothing is special."""
        dated = self._prices.prices
        return next((at for at in reversed(range(len(dated))) if dated[at].window.holds(at_ms)), 0)

    def _varied(self, special: tuple[str, str], at_ms: int) -> Rates:
        prices = {price.unit: price for price in self._prices.prices[self._standard(at_ms)].prices}
        taken: set[str] = set()
        for variant in self._prices.variants:
            if set(variant.when) == {special} and variant.window.holds(at_ms):
                prices |= {price.unit: price for price in variant.prices if price.unit not in taken}
                taken |= {price.unit for price in variant.prices}
        key = tuple(prices.values())
        rates = self._special_rates.get(key)
        if rates is None:
            rates = self._special_rates[key] = Rates(key)
        return rates


def was_batched(version: str | None) -> bool:
    """Return whether a price version is that of a call in one of its provider's own batches."""
    return version is not None and _BATCH in version


def recalled(version: str | None) -> bytes:
    """Return what stands in for an answer that is no longer kept: what its price version says was special."""
    pairs = [part.partition("=") for part in (version or "").split("+")[1:]]
    return msgspec.json.encode({key: value for key, _, value in pairs})


def _cost(rates: Rates, usage: Usage, body: bytes) -> str | None:
    if not rates.priced:
        return None
    written = usage.cache_write_tokens or 0
    if written and rates.by_hour:
        return rates.cost_of(details(usage, body))
    for needle in rates.needles:
        if needle in usage.raw:
            return rates.cost_of(details(usage, body))
    return rates.cost((usage.input_tokens or 0, usage.output_tokens or 0, usage.cache_read_tokens or 0, written))


def _last_word(data: bytes, needle: bytes) -> str | None:
    at = data.rfind(needle)
    found = None if at < 0 else _WORD.match(data, at + len(needle))
    return None if found is None else found[1].decode().lower()


_TOLD = frozenset({"openrouter", "x-ai", _GATEWAY})
"""Who tells what a call cost."""


def _told(vendor: str | None, raw: bytes) -> str | None:
    """Return what the provider says that the call cost; null where it says nothing.

    OpenRouter's `cost` is what it charges; with a key of one's own that is its fee, and what the vendor charges
    stands beside it (openrouter.ai/docs/use-cases/usage-accounting).
    """
    if b'"cost' not in raw and b'"tensorzero_cost"' not in raw:
        return None
    try:
        usage: Any = _decode_exact(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError):
        return None
    if not isinstance(usage, dict):
        return None
    table = cast("dict[str, Any]", usage)
    if vendor == "x-ai":
        ticks = _amount(table.get("cost_in_usd_ticks"))
        return None if ticks is None else text_of(ticks.scaleb(_TICKS, _EXACT))
    # A gateway has a prefix before it in OpenAI's dialect, which its embeddings speak.
    cost = _amount(table.get("tensorzero_cost" if vendor == _GATEWAY and "cost" not in table else "cost"))
    if cost is None:
        return None
    if table.get("is_byok") is True:
        beside = table.get("cost_details")
        upstream = cast("dict[str, Any]", beside).get("upstream_inference_cost") if isinstance(beside, dict) else None
        charged = _amount(upstream)
        return None if charged is None else text_of(_EXACT.add(cost, charged))
    return text_of(cost)


def _amount(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    amount = Decimal(value)
    # Wider numbers are no price, and writing them out could take long.
    return amount if amount.is_finite() and amount >= 0 and abs(amount.adjusted()) <= 40 else None
