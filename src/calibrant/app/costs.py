"""What the calls in the record cost: summed up, and worked out again with the prices of now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Protocol

from msgspec import Struct

from calibrant.app.homes import load_driver, postgres_url
from calibrant.app.options import Options
from calibrant.app.prices import read_prices
from calibrant.base.errors import ConfigError
from calibrant.base.ids import first_id, id_millis
from calibrant.config.schema import Config, Provider
from calibrant.config.snapshot import restore
from calibrant.providers.cost import Priced, Pricer, recalled, was_batched
from calibrant.providers.price_table import PriceTable
from calibrant.store.costs import CostReader, CostWriter, Repriced, Spending
from calibrant.types.money import total
from calibrant.types.rows import SnapshotRecord

__all__ = ["ModelCosts", "Recomputed", "Span", "read_costs", "recompute"]

_PAGE = 500
_AFTER_ALL = "g"
"""Sorts behind every id."""


class Span(Struct, frozen=True):
    """Which calls: those that ended within, in Unix milliseconds; null is no limit."""

    since_ms: int | None = None
    until_ms: int | None = None
    """The first that is not within."""


class Recomputed(Struct):
    """What became of the calls that were looked at."""

    calls: int = 0
    """Those that made something; others cost nothing that is known."""
    changed: int = 0
    unchanged: int = 0
    """Of known cost, and that is still right."""
    kept: int = 0
    """Of known cost that cannot be worked out now: the model has no price any more, or the answer is not kept."""
    unknown: int = 0
    """Of unknown cost, then and now."""
    inferences: int = 0
    """Inferences whose cost changed."""
    before: str = "0"
    """US dollars of all known costs, as they were recorded."""
    after: str = "0"


class ModelCosts(Struct):
    """What one provider's calls for one model cost."""

    model_name: str
    provider_name: str
    calls: int = 0
    estimated: int = 0
    """Calls whose tokens are estimated."""
    unknown: int = 0
    """Calls of unknown cost; they are not in the sum."""
    cost: str = "0"
    """US dollars."""


def recompute(
    options: Options, config: Config, span: Span, *, dry_run: bool, environ: Mapping[str, str] = MappingProxyType({})
) -> Recomputed:
    """Work out again what calls in the record cost, by the rules of this configuration and the prices of now.

    A model that the configuration no longer has is priced by the one that the call was made with. A known cost is
    never replaced by an unknown one. Doing it twice changes nothing more.

    Raises:
        StoreUnavailable: the database cannot be read or written now; what was written until then stands.
    """
    url = postgres_url(options, environ)
    driver = None if url is None else load_driver("postgres_costs")
    reader = _reader(options, environ)
    writer = None
    if not dry_run:
        writer = CostWriter(options.database_path) if driver is None else driver.open_cost_writer(url)
    pricers = _Pricers(config, read_prices(options.run_dir), reader)
    done = Recomputed()
    try:
        for page in _pages(reader, span):
            changes = [change for each in page if (change := _again(each, pricers, done)) is not None]
            if writer is not None and changes:
                done.inferences += writer.reprice(changes, total)
            elif changes:
                done.inferences += len({change.inference_id for change in changes})
    finally:
        reader.close()
        if writer is not None:
            writer.close()
    return done


def read_costs(options: Options, span: Span, environ: Mapping[str, str] = MappingProxyType({})) -> list[ModelCosts]:
    """Return what the calls in the record cost, by model and provider.

    Raises:
        StoreUnavailable: there is no database, or it cannot be read.
    """
    reader = _reader(options, environ)
    found: dict[tuple[str, str], ModelCosts] = {}
    try:
        for page in _pages(reader, span):
            for each in page:
                key = (each.model_name, each.provider_name)
                costs = found.setdefault(key, ModelCosts(*key))
                costs.calls += 1
                costs.estimated += each.usage_source == "estimated"
                costs.unknown += each.cost is None
                costs.cost = _sum(costs.cost, each.cost)
    finally:
        reader.close()
    return [found[key] for key in sorted(found)]


class _Reader(Protocol):
    def spendings(self, *, after: str, before: str, limit: int) -> list[Spending]: ...
    def answer(self, call: Spending) -> bytes | None: ...
    def snapshot(self, snapshot_hash: str) -> SnapshotRecord | None: ...
    def close(self) -> None: ...


def _reader(options: Options, environ: Mapping[str, str]) -> _Reader:
    url = postgres_url(options, environ)
    return CostReader(options.database_path) if url is None else load_driver("postgres_costs").open_cost_reader(url)


class _Pricers:
    """A pricer for each call: of the configuration of now, else of the one that it was made with."""

    def __init__(self, config: Config, table: PriceTable | None, reader: _Reader) -> None:
        self._config = config
        self._table = table
        self._reader = reader
        self._snapshots: dict[str, Config | None] = {}
        self._made: dict[tuple[str, str, str, str | None], Pricer] = {}

    def price(self, call: Spending) -> Priced | None:
        """Return what a call costs; null where that depends on an answer that is not kept."""
        pricer = self._pricer(call)
        body, batch = b"", was_batched(call.price_version)
        if pricer.reads_answer(call.usage, call.provider_model, batch=batch):
            kept = self._reader.answer(call)
            if kept is None and pricer.has_rules(batch=batch):
                return None
            body = recalled(call.price_version) if kept is None else kept
        at_ms = id_millis(call.id)
        return pricer.price(call.usage, body, call.provider_model, at_ms, stream=call.stream, batch=batch)

    def _pricer(self, call: Spending) -> Pricer:
        provider = _provider(self._config, call)
        snapshot = None if provider is not None or "::" in call.model_name else call.snapshot_hash
        key = (call.model_name, call.provider_name, call.provider_type, snapshot)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = Pricer(provider or self._recorded(call, snapshot), self._table)
        return made

    def _recorded(self, call: Spending, snapshot: str | None) -> Provider:
        config = None if snapshot is None else self._restored(snapshot)
        provider = None if config is None else _provider(config, call)
        # A shorthand says it all; of anything else only the name that the provider said is left.
        name = call.model_name.partition("::")[2]
        return provider or Provider(call.provider_name, call.provider_type, name)

    def _restored(self, snapshot: str) -> Config | None:
        if snapshot not in self._snapshots:
            record = self._reader.snapshot(snapshot)
            try:
                self._snapshots[snapshot] = None if record is None else restore(record.config)
            except ConfigError:
                self._snapshots[snapshot] = None
        return self._snapshots[snapshot]


def _provider(config: Config, call: Spending) -> Provider | None:
    named = (models.get(call.model_name) for models in (config.models, config.embedding_models))
    providers = [provider for model in named if model is not None for provider in model.providers]
    wanted = (call.provider_name, call.provider_type)
    return next((each for each in providers if (each.name, each.type) == wanted), None)


def _pages(reader: _Reader, span: Span) -> Iterator[list[Spending]]:
    after = "" if span.since_ms is None else first_id(span.since_ms)
    before = _AFTER_ALL if span.until_ms is None else first_id(span.until_ms)
    while page := reader.spendings(after=after, before=before, limit=_PAGE):
        yield page
        after = page[-1].id


def _again(call: Spending, pricers: _Pricers, done: Recomputed) -> Repriced | None:
    """Return what changes about a call, and count it."""
    priced = pricers.price(call)
    done.calls += 1
    done.before = _sum(done.before, call.cost)
    if priced is None or priced.cost is None:
        done.after = _sum(done.after, call.cost)
        if call.cost is None:
            done.unknown += 1
        else:
            done.kept += 1
        return None
    done.after = _sum(done.after, priced.cost)
    if (priced.cost, priced.version) == (call.cost, call.price_version):
        done.unchanged += 1
        return None
    done.changed += 1
    return Repriced(call.id, call.inference_id, priced.cost, priced.version)


def _sum(so_far: str, cost: str | None) -> str:
    return so_far if cost is None else total([so_far, cost]) or so_far
