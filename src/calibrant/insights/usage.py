"""What functions, variants and models were used for: how often, with how many tokens, at which cost, how fast.

What is said of functions and variants leaves replays out, which served nobody; models count all that they made, since
all of it was paid for.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from calibrant.base.ids import id_millis
from calibrant.insights.periods import Window, first_id, groups_of, length_ms, since
from calibrant.store.base import Reader
from calibrant.types.insight import FunctionCount, VariantCount
from calibrant.types.query import Aggregate, Query, Tally

__all__ = [
    "QUANTILES",
    "cache_statistics",
    "function_counts",
    "inference_count",
    "model_count",
    "model_latency",
    "model_usage",
    "throughput",
    "variant_counts",
    "variant_usage",
]

QUANTILES: Final = (0.001, 0.005, 0.01, 0.025, 0.05, *(n / 10 for n in range(1, 10)), 0.95, 0.975, 0.99, 0.995, 0.999)
"""Shares at which durations are told, so that a distribution can be drawn."""


def function_counts(reader: Reader, functions: tuple[str, ...] | None) -> list[FunctionCount]:
    """Return how many inferences each function has, the one used last first.

    Args:
        reader: The record.
        functions: Those that the caller may see; null is all.
    """
    counted = reader.aggregate(Aggregate(Query(functions=functions, replays=False), by=("function",)))
    found = [
        FunctionCount(name, tally.count, _last_id(reader, Query(function_name=name, replays=False)))
        for tally in counted
        for name in [str(tally.key[0])]
    ]
    return sorted(found, key=lambda each: each.last_id, reverse=True)


def variant_counts(reader: Reader, function_name: str, variant_name: str | None = None) -> list[VariantCount]:
    """Return how many inferences each variant of a function has, the most used first."""
    where = Query(function_name=function_name, variant_name=variant_name, replays=False)
    found = [
        VariantCount(name, tally.count, _last_id(reader, replace(where, variant_name=name)))
        for tally in reader.aggregate(Aggregate(where, by=("variant",)))
        for name in [str(tally.key[0])]
    ]
    return sorted(found, key=lambda each: (-each.count, each.variant_name))


def inference_count(reader: Reader, where: Query) -> int:
    """Return how many inferences there are of a kind."""
    return reader.aggregate(Aggregate(where))[0].count


def throughput(reader: Reader, function_name: str, window: Window, periods: int) -> tuple[Tally, ...]:
    """Return how many inferences each variant made in each of the last periods; keys are the period and the variant."""
    where = _lately(reader, Query(function_name=function_name, replays=False), window, periods)
    return reader.aggregate(Aggregate(where, by=(*groups_of(window), "variant")))


def variant_usage(reader: Reader, function_name: str, window: Window, periods: int) -> tuple[Tally, ...]:
    """Return what each variant used in each of the last periods, failed inferences included: they cost, too."""
    where = Query(function_name=function_name, include_failed=True, replays=False)
    where = _lately(reader, where, window, periods)
    return reader.aggregate(Aggregate(where, by=(*groups_of(window), "variant"), quantiles=QUANTILES))


def model_count(reader: Reader, functions: tuple[str, ...] | None) -> int:
    """Return how many models were ever called."""
    return len(reader.aggregate(Aggregate(Query(functions=functions, include_failed=True), by=("model",))))


def model_usage(reader: Reader, functions: tuple[str, ...] | None, window: Window, periods: int) -> tuple[Tally, ...]:
    """Return what each model used in each of the last periods, failed calls included; keys are period and model."""
    where = _lately(reader, Query(functions=functions, include_failed=True), window, periods)
    return reader.aggregate(Aggregate(where, by=(*groups_of(window), "model")))


def model_latency(reader: Reader, functions: tuple[str, ...] | None, window: Window, now_ms: int) -> tuple[Tally, ...]:
    """Return how long each model took, over the time of one period until now."""
    length = length_ms(window)
    after = None if length is None else first_id(now_ms - length)
    return reader.aggregate(Aggregate(Query(functions=functions, after=after), by=("model",), quantiles=QUANTILES))


def cache_statistics(
    reader: Reader,
    functions: tuple[str, ...] | None,
    window: Window,
    periods: int,
    *,
    model_name: str | None = None,
    provider_name: str | None = None,
) -> tuple[Tally, ...]:
    """Return the providers' cached tokens in each of the last periods; keys are period, model and provider."""
    where = _lately(reader, Query(functions=functions, include_failed=True), window, periods)
    by = (*groups_of(window), "model", "provider")
    return reader.aggregate(Aggregate(where, by=by, model_name=model_name, provider_name=provider_name))


def _lately(reader: Reader, where: Query, window: Window, periods: int) -> Query:
    last_id = _last_id(reader, where)
    if not last_id:
        return where
    return replace(where, after=first_id(since(id_millis(last_id), window, periods)))


def _last_id(reader: Reader, where: Query) -> str:
    rows = reader.find(replace(where, limit=1, payloads=False))
    return rows[0].id if rows else ""
