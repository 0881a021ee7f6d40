"""From a `DatapointQuery` to SQL that SQLite and PostgreSQL both understand. Pure.

Every parameter is a `?`, and the text has no other question mark and no per cent sign.
"""

from __future__ import annotations

from typing import Final, assert_never

from msgspec.structs import replace

from calibrant.base.errors import InternalError
from calibrant.store.dialect import Sql, joined
from calibrant.store.portable import marks_for
from calibrant.store.search_text import folded
from calibrant.types.datapoint import DatapointQuery
from calibrant.types.query import (
    And,
    BooleanMetric,
    Comparison,
    Demonstrated,
    Filter,
    FloatMetric,
    Not,
    Or,
    Tagged,
    Time,
)

__all__ = ["DATAPOINTS", "counted_sql", "datapoints_sql"]

DATAPOINTS: Final = (
    "datapoints d LEFT JOIN datapoint_contents c ON c.hash = d.content_hash "
    "LEFT JOIN split_groups g ON g.dataset_name = d.dataset_name AND g.group_key = d.group_key"
)
"""Rows, their contents where these stand in the catalogue, and where their groups are."""
_TAGGED = (
    "(coalesce(g.split, '') <> 'sealed' AND EXISTS (SELECT 1 FROM datapoint_tags t "
    "WHERE t.datapoint_id = d.id AND t.since = d.since AND t.key = ? AND t.value = ?))"
)
"""What is sealed is shown without tags, and has none for whoever filters by them: labels are often kept in them."""
_FALSE = Sql("(1 = 0)")
_TRUE = Sql("(1 = 1)")


def datapoints_sql(which: DatapointQuery, columns: str) -> Sql:
    """Return the statement that answers a query, from `datapoints d` and `datapoint_contents c`."""
    where = joined(" AND ", _conditions(which))
    direction = "DESC" if which.descending else "ASC"
    text = (
        f"SELECT {columns} FROM {DATAPOINTS} "  # noqa: S608
        f"WHERE {where.text} ORDER BY d.id {direction} LIMIT ? OFFSET ?"
    )
    return Sql(text, (*where.parameters, which.limit, which.offset))


def counted_sql(which: DatapointQuery) -> Sql:
    """Return the statement that counts, by split, what a query asks for; its page does not count."""
    where = joined(" AND ", _conditions(replace(which, after=None)))
    text = (
        f"SELECT g.split, count(*) FROM {DATAPOINTS} "  # noqa: S608
        f"WHERE {where.text} AND g.split IS NOT NULL AND d.source <> 'erased' GROUP BY g.split ORDER BY g.split"
    )
    return Sql(text, where.parameters)


def _conditions(which: DatapointQuery) -> list[Sql]:
    found = [Sql("d.dataset_name = ?", (which.dataset_name,))]
    if which.version is None:
        found.append(Sql("d.until IS NULL"))
    else:
        there = "d.since <= ? AND (d.until IS NULL OR d.until > ?)"
        found.append(Sql(there, (which.version, which.version)))
    if which.function_name is not None:
        found.append(Sql("d.function_name = ?", (which.function_name,)))
    if which.functions is not None:
        found.append(_joined(" OR ", [_named(pattern) for pattern in which.functions], _FALSE))
    if which.splits is not None:
        found.append(Sql(f"(g.split IS NULL OR g.split IN ({marks_for(which.splits)}))", which.splits))
    if which.after is not None:
        found.append(Sql("d.id > ?", (which.after,)))
    if which.text is not None:
        # What was erased may have its content in common with what was not.
        found.append(Sql("d.source <> 'erased' AND c.words LIKE ? ESCAPE '!'", (_pattern(which.text),)))
    if which.filters is not None:
        found.append(_filter(which.filters))
    return found


def _named(pattern: str) -> Sql:
    if not pattern.endswith("*"):
        return Sql("d.function_name = ?", (pattern,))
    start = pattern[:-1]
    return Sql("substr(d.function_name, 1, ?) = ?", (len(start), start)) if start else _TRUE


def _pattern(wanted: str) -> str:
    text = folded(wanted)
    for special in "!%_":
        text = text.replace(special, f"!{special}")
    return f"%{text}%"


def _filter(asked: Filter) -> Sql:
    match asked:
        case And(children):
            return _joined(" AND ", [_filter(child) for child in children], _TRUE)
        case Or(children):
            return _joined(" OR ", [_filter(child) for child in children], _FALSE)
        case Not(child):
            inner = _filter(child)
            return Sql(f"(NOT {inner.text})", inner.parameters)
        case Tagged(key, value, same):
            return Sql(_TAGGED if same else f"(NOT {_TAGGED})", (key, value))
        case Time(comparison, micros):
            return _timed(comparison, micros)
        case BooleanMetric() | FloatMetric() | Demonstrated():
            raise InternalError("datapoints have no feedback to be asked for")
        case _:
            assert_never(asked)


def _joined(word: str, pieces: list[Sql], nothing: Sql) -> Sql:
    if not pieces:
        return nothing
    one = joined(word, pieces)
    return Sql(f"({one.text})", one.parameters)


def _timed(comparison: Comparison, micros: int) -> Sql:
    # What is compared knows whole milliseconds.
    whole, rest = divmod(micros, 1000)
    if not rest:
        operator = "<>" if comparison == "!=" else comparison
        return Sql(f"(d.updated_at {operator} ?)", (whole,))
    match comparison:
        case "<" | "<=":
            return Sql("(d.updated_at <= ?)", (whole,))
        case ">" | ">=":
            return Sql("(d.updated_at > ?)", (whole,))
        case "=":
            return _FALSE
        case "!=":
            return _TRUE
        case _:
            assert_never(comparison)
