"""From an `Aggregate` to SQL, and from its answers to tallies. Pure.

Durations are ranked with window functions, which every engine has, so quantiles are exact and memory stays flat.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from calibrant.store.dialect import Dialect, Sql, joined
from calibrant.store.sql_query import conditions, tables_of
from calibrant.types.money import text_of
from calibrant.types.query import Aggregate, Group, Tally

__all__ = ["Statements", "aggregate_sql", "to_tallies"]

_CALLS = "model_inferences"
_COLUMNS: dict[Group, str] = {
    "function": "inferences.function_name",
    "model": "model_inferences.model_name",
    "provider": "model_inferences.provider_name",
}


class Statements(Struct, frozen=True):
    """What to ask for an aggregate."""

    sums: Sql
    durations: tuple[Sql, ...]
    """Of the processing time and of the time to the first token; empty where no quantile is wanted."""


def aggregate_sql(asked: Aggregate, dialect: Dialect) -> Statements:
    """Return the statements that answer an aggregate."""
    keys = [_key(group, asked, dialect) for group in asked.by]
    source = _source(asked, dialect)
    table = _CALLS if asked.of_calls else "inferences"
    named = _keys([Sql(f"{key.text} AS k{number}", key.parameters) for number, key in enumerate(keys)])
    names = [f"k{number}" for number in range(len(keys))]
    durations = ("response_ms" if asked.of_calls else "processing_ms", "ttft_ms") if asked.quantiles else ()
    return Statements(
        dialect.finished(_sums(named, names, source, table, asked, dialect)),
        tuple(dialect.finished(_quantiles(named, names, source, f"{table}.{column}", asked)) for column in durations),
    )


def to_tallies(
    asked: Aggregate, sums: Iterable[Sequence[Any]], durations: Sequence[Iterable[Sequence[Any]]]
) -> tuple[Tally, ...]:
    """Return the groups that the answers to `Statements` tell of."""
    width = len(asked.by)
    groups = {tally.key: tally for tally in (_tally(row, width) for row in sums)}
    quantiles = [{_whole(row[:width]): tuple(row[width:]) for row in rows} for rows in durations]
    nothing: tuple[float | None, ...] = (None,) * len(asked.quantiles)
    if quantiles:
        processing, ttft = quantiles
        groups = {
            key: replace(tally, processing_ms=processing.get(key, nothing), ttft_ms=ttft.get(key, nothing))
            for key, tally in groups.items()
        }
    return tuple(groups[key] for key in sorted(groups))


def _key(group: Group, asked: Aggregate, dialect: Dialect) -> Sql:
    if group == "variant":
        return Sql(f"{_CALLS if asked.of_calls else 'inferences'}.variant_name")
    column = _COLUMNS.get(group)
    if column is not None:
        return Sql(column)
    owner = _CALLS if asked.of_calls else "inferences"
    return Sql(dialect.bucket.format(id=f"{owner}.id"), (group,))


def _source(asked: Aggregate, dialect: Dialect) -> Sql:
    wanted = list(conditions(asked.where, dialect))
    tables = tables_of(asked.where, dialect, payloads=False)
    if asked.of_calls:
        tables = f"{tables} JOIN {_CALLS} ON {_CALLS}.inference_id = inferences.id"
        named = ((f"{_CALLS}.model_name = ?", asked.model_name), (f"{_CALLS}.provider_name = ?", asked.provider_name))
        wanted += [Sql(text, (value,)) for text, value in named if value is not None]
    where = joined(" AND ", wanted)
    return Sql(f"FROM {tables} WHERE {where.text}", where.parameters)


def _keys(keys: list[Sql]) -> Sql:
    listed = joined(", ", keys)
    return Sql(f"{listed.text}, ", listed.parameters) if keys else listed


def _sums(named: Sql, names: list[str], source: Sql, table: str, asked: Aggregate, dialect: Dialect) -> Sql:
    tokens = ["input_tokens", "output_tokens"]
    if asked.of_calls:
        tokens += ["cache_read_tokens", "cache_write_tokens", "cached"]
    columns = [
        "count(*)",
        f"sum(CASE WHEN {table}.status IN ('error', 'interrupted') THEN 1 ELSE 0 END)",
        f"count(*) - count({table}.cost)",
        dialect.cost.format(cost=f"{table}.cost"),
        *(f"sum({table}.{name})" for name in tokens),
    ]
    grouped = f" GROUP BY {', '.join(names)}" if names else ""
    text = f"SELECT {named.text}{', '.join(columns)} {source.text}{grouped}"
    return Sql(text, (*named.parameters, *source.parameters))


def _quantiles(named: Sql, names: list[str], source: Sql, column: str, asked: Aggregate) -> Sql:
    # The inner statement names the groups, so that the outer ones can rank within them, whatever they are made of.
    keys = ", ".join(names)
    prefix = f"{keys}, " if names else ""
    partition = f"PARTITION BY {keys} " if names else ""
    picked = ", ".join(
        "max(CASE WHEN place >= ? * size AND place - 1 < ? * size THEN duration END)" for _ in asked.quantiles
    )
    text = (
        f"SELECT {prefix}{picked} FROM (SELECT {prefix}duration, "  # noqa: S608
        f"row_number() OVER ({partition}ORDER BY duration) AS place, count(*) OVER ({partition.rstrip()}) AS size "
        f"FROM (SELECT {named.text}{column} AS duration {source.text} AND {column} IS NOT NULL) t) r"
    )
    shares = tuple(share for each in asked.quantiles for share in (each, each))
    grouped = f" GROUP BY {keys}" if names else ""
    return Sql(text + grouped, (*shares, *named.parameters, *source.parameters))


def _tally(row: Sequence[Any], width: int) -> Tally:
    count, failed, unpriced, cost, *tokens = row[width:]
    given, made, *of_calls = (int(value or 0) for value in tokens)
    read, written, cached = of_calls or (0, 0, 0)
    return Tally(
        key=_whole(row[:width]),
        count=int(count),
        failed=int(failed or 0),
        input_tokens=given,
        output_tokens=made,
        cost=text_of(Decimal(cost or 0)),
        unpriced=int(unpriced),
        cache_read_tokens=read,
        cache_write_tokens=written,
        cached=cached,
    )


def _whole(key: Sequence[Any]) -> tuple[str | int, ...]:
    return tuple(value if isinstance(value, str) else int(value) for value in key)
