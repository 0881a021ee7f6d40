"""From a `Query` to SQL. Pure.

Conditions are SQL's own three values: an unknown one is not true, and its contrary is unknown too. What is compared of
a metric is the latest value for the inference or its episode, looked up in the index that has metric, target and id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, assert_never

from calibrant.base.ids import first_id
from calibrant.store.dialect import Dialect, Sql, joined
from calibrant.store.search_text import folded
from calibrant.types.query import (
    And,
    BooleanMetric,
    Comparison,
    Demonstrated,
    Filter,
    FloatMetric,
    MetricKey,
    Not,
    Or,
    Order,
    Query,
    Tagged,
    Time,
)

__all__ = [
    "Driver",
    "by_time",
    "conditions",
    "demonstrated_sql",
    "driver_of",
    "edge_sql",
    "find_sql",
    "rows_sql",
    "tables_of",
]

_TRUE, _FALSE = Sql("1 = 1"), Sql("1 = 0")
_LATEST_MS = 2**48 - 1
_DEMONSTRATION = (
    "{0}.metric_name = 'demonstration' AND {0}.kind = 'demonstration' AND {0}.linked = 1 AND {0}.document IS NOT NULL"
)
_DEMONSTRATED = f"EXISTS (SELECT 1 FROM feedback d WHERE d.target_id = inferences.id AND {_DEMONSTRATION.format('d')})"  # noqa: S608


def find_sql(
    query: Query,
    dialect: Dialect,
    columns: str,
    span: Sql = _TRUE,
    *,
    drive: Driver | None = None,
    indexed: bool = True,
) -> Sql:
    """Return the statement that answers a query.

    Args:
        query: What is asked.
        dialect: Of which engine.
        columns: What to select, of `inferences` and, where the query wants payloads, of `inference_data`.
        span: Another condition.
        drive: Go through this feedback, and not through the inferences; the answer is the same.
        indexed: Ask the index where a text may be. Without it every inference is looked at, also those that the index
            does not have yet.
    """
    wanted = [*conditions(query, dialect, indexed=indexed), span]
    orders = [_term(term, query, dialect) for term in _orders(query)]
    tables = tables_of(query, dialect, payloads=query.payloads)
    if drive is not None and drive.ordered:
        # In this order of the tables, which is that of the answer: nothing has to be sorted. What is asked of the id is
        # asked of the target, so that the range is the feedback's, and inferences are looked up one by one.
        wanted, orders = ([_of_target(piece) for piece in pieces] for pieces in (wanted, orders))
        hint = dialect.page_index if query.function_name is not None else ""
        tables = tables.replace("inferences", f"feedback g CROSS JOIN inferences{hint}", 1)
        wanted.append(Sql(f"inferences.id = {dialect.target}"))
    if drive is not None:
        wanted.append(drive.condition)
    where, order = joined(" AND ", wanted), joined(", ", orders)
    text = f"SELECT {columns} FROM {tables} WHERE {where.text} ORDER BY {order.text} LIMIT ? OFFSET ?"  # noqa: S608
    return dialect.finished(Sql(text, (*where.parameters, *order.parameters, query.limit, query.offset)))


def rows_sql(query: Query, dialect: Dialect, columns: str, ids: Sequence[str]) -> Sql:
    """Return the statement for the rows with these ids, in the order of a query that is ordered by time."""
    tables = dialect.with_data_of(ids) if query.payloads else Sql("inferences")
    order = _term(_orders(query)[0], query, dialect).text
    marks = ", ".join("?" * len(ids))
    text = f"SELECT {columns} FROM {tables.text} WHERE inferences.id IN ({marks}) ORDER BY {order}"  # noqa: S608
    return dialect.finished(Sql(text, (*tables.parameters, *ids)))


def _of_target(piece: Sql) -> Sql:
    return Sql(piece.text.replace("inferences.id", "g.target_id"), piece.parameters)


def edge_sql(query: Query, dialect: Dialect, size: int) -> Sql:
    """Return the statement for the id before which so many inferences come that a query has to look at."""
    wanted = [
        Sql(text, (value,))
        for text, value in (
            ("inferences.function_name = ?", query.function_name),
            ("inferences.id < ?", query.before),
            ("inferences.id > ?", query.after),
        )
        if value is not None
    ]
    where = joined(" AND ", wanted or [_TRUE])
    order = _term(_orders(query)[0], query, dialect).text
    text = f"SELECT inferences.id FROM inferences WHERE {where.text} ORDER BY {order} LIMIT 1 OFFSET ?"  # noqa: S608
    return dialect.finished(Sql(text, (*where.parameters, size)))


class Driver(NamedTuple):
    """Feedback that every answer to a query has."""

    condition: Sql
    ordered: bool
    """Each row of feedback leads to one inference, in the order of ids. Otherwise the condition lists episodes."""
    counted: Sql
    """How many rows of feedback, counted up to the one parameter that is left to give."""


def driver_of(query: Query) -> Driver | None:
    """Return the feedback that every answer to a query has; null where none is known.

    An inference's own before an episode's, which is not in the order of inferences.
    """
    if query.source == "demonstration":
        return _demonstrations()
    found = [one for one in _conjuncts(query.filters) if isinstance(one, (BooleanMetric, FloatMetric, Demonstrated))]
    drivers = [_drives(one) for one in found]
    return min((one for one in drivers if one is not None), key=lambda one: not one.ordered, default=None)


def by_time(query: Query) -> Literal["ASC", "DESC"] | None:
    """Return the direction of a query that is ordered by time; null of another order."""
    first = _orders(query)[0]
    if first.by != "time":
        return None
    return "DESC" if first.descending else "ASC"


def _conjuncts(asked: Filter | None) -> Iterator[Filter]:
    if isinstance(asked, And):
        for child in asked.children:
            yield from _conjuncts(child)
    elif asked is not None:
        yield asked


def _drives(asked: BooleanMetric | FloatMetric | Demonstrated) -> Driver | None:
    if isinstance(asked, Demonstrated):
        return _demonstrations() if asked.has else None
    comparison = "=" if isinstance(asked, BooleanMetric) else asked.comparison
    operator = "<>" if comparison == "!=" else comparison
    matching = f"g.metric_name = ? AND g.number {operator} ?"
    parameters = (asked.metric.name, float(asked.value))
    count = Sql(f"SELECT count(*) FROM (SELECT 1 FROM feedback g WHERE {matching} LIMIT ?) n", parameters)  # noqa: S608
    if asked.metric.level == "episode":
        text = f"inferences.episode_id IN (SELECT g.target_id FROM feedback g WHERE {matching})"  # noqa: S608
        return Driver(Sql(text, parameters), ordered=False, counted=count)
    text = f"{matching} AND {_last('h.number IS NOT NULL')}"
    return Driver(Sql(text, parameters), ordered=True, counted=count)


def _demonstrations() -> Driver:
    matching = _DEMONSTRATION.format("g")
    text = f"{matching} AND {_last(_DEMONSTRATION.format('h'))}"
    count = Sql(f"SELECT count(*) FROM (SELECT 1 FROM feedback g WHERE {matching} LIMIT ?) n")  # noqa: S608
    return Driver(Sql(text), ordered=True, counted=count)


def _last(valid: str) -> str:
    return (
        "NOT EXISTS (SELECT 1 FROM feedback h WHERE h.metric_name = g.metric_name "  # noqa: S608
        f"AND h.target_id = g.target_id AND h.id > g.id AND {valid})"
    )


def demonstrated_sql(number: int) -> str:
    """Return the statement for the latest demonstrations of so many inferences, with `?` for each id."""
    marks = ", ".join("?" * number)
    return (
        f"SELECT d.target_id, d.document FROM feedback d WHERE d.target_id IN ({marks}) "  # noqa: S608
        f"AND {_DEMONSTRATION.format('d')} ORDER BY d.id"
    )


def tables_of(query: Query, dialect: Dialect, *, payloads: bool) -> str:
    """Return the tables that a query reads."""
    return dialect.with_data if payloads or query.text is not None else "inferences"


def conditions(query: Query, dialect: Dialect, *, indexed: bool = True) -> list[Sql]:
    """Return what is asked of an inference; at least one condition."""
    wanted = (
        ("inferences.function_name = ?", query.function_name),
        ("inferences.variant_name = ?", query.variant_name),
        ("inferences.episode_id = ?", query.episode_id),
        ("inferences.id < ?", query.before),
        ("inferences.id > ?", query.after),
        ("inferences.status = ?", query.status),
    )
    found = [Sql(text, (value,)) for text, value in wanted if value is not None]
    if query.status is None and not query.include_failed:
        found.append(Sql("inferences.status = 'ok'"))
    if query.functions is not None:
        found.append(_seen(query.functions))
    if not query.replays:
        found.append(Sql(f"NOT {dialect.replayed.format(tags='inferences.tags')}"))
    if query.filters is not None:
        found.append(_filter(query.filters, dialect))
    if query.source == "demonstration":
        found.append(Sql(_DEMONSTRATED))
    if query.text is not None:
        found += _text(query.text, dialect, indexed=indexed)
    return found or [_TRUE]


def _seen(patterns: tuple[str, ...]) -> Sql:
    names = tuple(name for name in patterns if not name.endswith("*"))
    starts = [pattern[:-1] for pattern in patterns if pattern.endswith("*")]
    pieces = [Sql("substr(inferences.function_name, 1, ?) = ?", (len(start), start)) for start in starts]
    if names:
        pieces.append(Sql(f"inferences.function_name IN ({', '.join('?' * len(names))})", names))
    return _TRUE if "" in starts else _either(pieces)


def _filter(asked: Filter, dialect: Dialect) -> Sql:
    match asked:
        case And(children):
            return _all([_filter(child, dialect) for child in children])
        case Or(children):
            return _either([_filter(child, dialect) for child in children])
        case Not(child):
            inner = _filter(child, dialect)
            return Sql(f"(NOT {inner.text})", inner.parameters)
        case BooleanMetric(metric, value):
            return _compared(metric, "=", float(value))
        case FloatMetric(metric, comparison, value):
            return _compared(metric, comparison, value)
        case Tagged(key, value, same):
            text = f"coalesce({dialect.tag.format(tags='inferences.tags')} = ?, 1 = 0)"
            return Sql(text if same else f"(NOT {text})", (key, value))
        case Time(comparison, micros):
            return _timed(comparison, micros)
        case Demonstrated(has):
            return Sql(_DEMONSTRATED if has else f"(NOT {_DEMONSTRATED})")
        case _:
            assert_never(asked)


def _all(pieces: list[Sql]) -> Sql:
    both = joined(" AND ", pieces)
    return Sql(f"({both.text})", both.parameters) if pieces else Sql(f"({_TRUE.text})")


def _either(pieces: list[Sql]) -> Sql:
    one = joined(" OR ", pieces)
    return Sql(f"({one.text})", one.parameters) if pieces else Sql(f"({_FALSE.text})")


def _value(metric: MetricKey) -> Sql:
    target = "inferences.id" if metric.level == "inference" else "inferences.episode_id"
    text = (
        f"(SELECT f.number FROM feedback f WHERE f.metric_name = ? AND f.target_id = {target} "  # noqa: S608
        "AND f.number IS NOT NULL ORDER BY f.id DESC LIMIT 1)"
    )
    return Sql(text, (metric.name,))


def _compared(metric: MetricKey, comparison: Comparison, value: float) -> Sql:
    latest = _value(metric)
    operator = "<>" if comparison == "!=" else comparison
    return Sql(f"({latest.text} {operator} ?)", (*latest.parameters, value))


def _timed(comparison: Comparison, micros: int) -> Sql:
    # An id knows its millisecond; whole ids bound it, so that an index is used, whatever type ids have.
    floor, ceiling = micros // 1000, -(-micros // 1000)
    match comparison:
        case "<":
            return _until(ceiling)
        case "<=":
            return _until(floor + 1)
        case ">":
            return _since(floor + 1)
        case ">=":
            return _since(ceiling)
        case "=":
            return _all([_since(floor), _until(floor + 1)]) if floor == ceiling else _all([_FALSE])
        case "!=":
            return _either([_until(floor), _since(floor + 1)]) if floor == ceiling else _all([_TRUE])
        case _:
            assert_never(comparison)


def _since(millis: int) -> Sql:
    if millis > _LATEST_MS:
        return Sql(f"({_FALSE.text})")
    return Sql("(inferences.id >= ?)", (first_id(millis),)) if millis > 0 else Sql(f"({_TRUE.text})")


def _until(millis: int) -> Sql:
    if millis > _LATEST_MS:
        return Sql(f"({_TRUE.text})")
    return Sql("(inferences.id < ?)", (first_id(millis),)) if millis > 0 else Sql(f"({_FALSE.text})")


def _text(wanted: str, dialect: Dialect, *, indexed: bool) -> list[Sql]:
    asked = dialect.searched(wanted) if indexed else None
    known = [] if asked is None else [Sql(dialect.found, (asked,))]
    hits = _hits(wanted, dialect)
    return [*known, Sql(f"{hits.text} > 0", hits.parameters)]


def _hits(wanted: str, dialect: Dialect) -> Sql:
    text = dialect.hits.format(input="inference_data.input", output="inference_data.output")
    return Sql(text, (folded(wanted),))


def _orders(query: Query) -> tuple[Order, ...]:
    if not query.order_by:
        return (Order("time", descending=query.after is None),)
    terms: list[Order] = []
    for term in query.order_by:
        terms.append(term)
        if term.by == "time":
            # Ids are one for each: nothing after them can matter.
            return tuple(terms)
    return (*terms, Order("time"))


def _term(term: Order, query: Query, dialect: Dialect) -> Sql:
    direction = "DESC" if term.descending else "ASC"
    match term.by:
        case "time":
            return Sql(f"inferences.id {direction}")
        case "metric":
            value = _TRUE if term.metric is None else _value(term.metric)
        case "relevance":
            value = _TRUE if query.text is None else _hits(query.text, dialect)
        case _:
            assert_never(term.by)
    return Sql(f"{value.text} {direction} NULLS LAST", value.parameters)
