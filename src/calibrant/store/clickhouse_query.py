"""From a `Query` or an `Aggregate` to ClickHouse's SQL. Pure.

ClickHouse looks nothing up row by row, so what is asked of feedback and of payloads is joined: the latest values of
each metric, demonstrations and the count of a text, each as one table by the inference or its episode. A value that is
not there is null, and null is what the filters call unknown. Parameters are named, since a text may use one twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, assert_never

from calibrant.base.ids import first_id
from calibrant.store.clickhouse_rows import second_of
from calibrant.store.dialect import REPLAYED
from calibrant.store.search_text import folded
from calibrant.types.query import (
    Aggregate,
    And,
    BooleanMetric,
    Demonstrated,
    Filter,
    FloatMetric,
    Group,
    MetricKey,
    Not,
    Or,
    Order,
    Query,
    Tagged,
    Time,
)

__all__ = [
    "DEMONSTRATION",
    "NO_REPLAY",
    "Parts",
    "Statement",
    "aggregate_statement",
    "arrived_statement",
    "begin_of",
    "by_ids",
    "ids_statement",
    "is_plain",
]

DEMONSTRATION = "metric_name = 'demonstration' AND kind = 'demonstration' AND linked = 1 AND document IS NOT NULL"
NO_REPLAY = f"position(tags, '{REPLAYED}') = 0"
"""A replay did not make the inference whose column `tags` is."""
_LATEST_MS = 2**48 - 1
_DAY_MS = 86_400_000
_LENGTHS_MS: dict[str, int] = {"minute": 60_000, "hour": 3_600_000, "day": _DAY_MS}
_SCALE = 40
"""Digits of a cost behind the point that are added up."""


class Statement(NamedTuple):
    """A text and its parameters by name."""

    text: str
    values: dict[str, Any]


def is_plain(query: Query) -> bool:
    """Say whether a query asks of nothing but the inference's own columns, for a page that begins at an id."""
    joins = query.filters is not None or query.text is not None or query.source == "demonstration"
    return query.replays and not (joins or query.order_by or query.offset or query.functions is not None)


def ids_statement(query: Query) -> Statement:
    """Return the statement for the ids that answer a query, in their order."""
    parts = Parts()
    where = parts.conditions(query)
    orders = ", ".join(parts.term(term) for term in _orders(query))
    limit = f"LIMIT {query.limit} OFFSET {query.offset}"
    return Statement(f"SELECT i.id {parts.source()} WHERE {where} ORDER BY {orders} {limit}", parts.values)


def arrived_statement(query: Query, *, after: int, until: int, limit: int) -> Statement:
    """Return the statement for a page in order of arrival: number and id."""
    parts = Parts()
    parts.within(after, until)
    where = parts.conditions(query)
    order = f"ORDER BY i.seq LIMIT {limit} WITH TIES"
    return Statement(f"SELECT i.seq, i.id {parts.source()} WHERE {where} {order}", parts.values)


def by_ids(column: str, ids: Sequence[str], values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the condition on ids, with that on their seconds, and the parameters."""
    seconds = [second_of(each) for each in ids]
    where = f"{column} IN {{ids:Array(String)}} AND at >= {min(seconds)} AND at <= {max(seconds)}"
    return where, {**values, "ids": list(ids)}


def aggregate_statement(asked: Aggregate) -> Statement:
    """Return the statement for the groups of an aggregate: keys, sums, then both durations' quantiles."""
    parts = Parts()
    where = parts.conditions(asked.where)
    owner = "c" if asked.of_calls else "i"
    if asked.of_calls:
        calls = f"(SELECT {_CALL} FROM model_inferences FINAL) AS c"  # noqa: S608
        parts.joins.append(f"INNER JOIN {calls} ON c.inference_id = i.id")
        named = (("model_name", asked.model_name), ("provider_name", asked.provider_name))
        where += "".join(f" AND c.{name} = {parts.text(value)}" for name, value in named if value is not None)
    keys = [f"{_key(group, owner)} AS k{number}" for number, group in enumerate(asked.by)]
    tokens = ["input_tokens", "output_tokens"]
    if asked.of_calls:
        tokens += ["cache_read_tokens", "cache_write_tokens", "cached"]
    columns = [
        *keys,
        "count() AS size",
        f"countIf({owner}.status IN ('error', 'interrupted'))",
        f"count() - count({owner}.cost)",
        f"toString(sum(toDecimal256OrNull({owner}.cost, {_SCALE})))",
        *(f"sum({owner}.{name})" for name in tokens),
    ]
    if asked.quantiles:
        for column in ("response_ms" if asked.of_calls else "processing_ms", "ttft_ms"):
            columns += [_quantile(f"{owner}.{column}", share) for share in asked.quantiles]
    grouped = f" GROUP BY {', '.join(f'k{number}' for number in range(len(keys)))}" if keys else ""
    return Statement(f"SELECT {', '.join(columns)} {parts.source()} WHERE {where}{grouped}", parts.values)


_CALL = (
    "id, inference_id, variant_name, model_name, provider_name, status, cost, input_tokens, output_tokens, "
    "cache_read_tokens, cache_write_tokens, cached, response_ms, ttft_ms"
)


class Parts:
    """A statement while it is made: what is joined, and the parameters."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.joins: list[str] = []
        self.values: dict[str, Any] = {}
        self._inner: list[str] = []
        self._metrics: dict[MetricKey, str] = {}
        self._joined: set[str] = set()

    def text(self, value: str) -> str:
        """Return the mark of a text."""
        return self._mark("String", value)

    def source(self) -> str:
        """Return the tables. What is asked of the inference alone is asked first."""
        inner = " AND ".join(self._inner) or "1"
        return f"FROM (SELECT * FROM inferences FINAL WHERE {inner}) AS i {' '.join(self.joins)}"  # noqa: S608

    def within(self, after: int, until: int) -> None:
        """Ask for numbers of arrival greater than one and up to another."""
        self._inner.append(f"seq > {self._mark('Int64', after)} AND seq <= {self._mark('Int64', until)}")

    def conditions(self, query: Query) -> str:
        """Return what is asked of joined rows, and keep what is asked of the inference alone."""
        wanted = (
            ("function_name =", query.function_name),
            ("variant_name =", query.variant_name),
            ("episode_id =", query.episode_id),
            ("id <", query.before),
            ("id >", query.after),
            ("status =", query.status),
        )
        self._inner += [f"{name} {self.text(value)}" for name, value in wanted if value is not None]
        if query.status is None and not query.include_failed:
            self._inner.append("status = 'ok'")
        if query.functions is not None:
            self._inner.append(self._seen(query.functions))
        if not query.replays:
            self._inner.append(NO_REPLAY)
        asked = [] if query.filters is None else [self._filter(query.filters)]
        if query.source == "demonstration":
            asked.append(self._shown())
        if query.text is not None:
            asked.append(f"{self._hits(query.text, query.function_name)} > 0")
        return " AND ".join(asked) or "1"

    def term(self, term: Order) -> str:
        """Return a term of an order."""
        direction = "DESC" if term.descending else "ASC"
        match term.by:
            case "time":
                return f"i.id {direction}"
            case "metric":
                value = "1" if term.metric is None else self._value(term.metric)
            case "relevance":
                value = "text.hits" if "text" in self._joined else "1"
            case _:
                assert_never(term.by)
        return f"{value} {direction} NULLS LAST"

    def _mark(self, kind: str, value: Any) -> str:
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"{{{name}:{kind}}}"

    def _seen(self, patterns: tuple[str, ...]) -> str:
        pieces = [
            f"startsWith(function_name, {self.text(each[:-1])})"
            if each.endswith("*")
            else f"function_name = {self.text(each)}"
            for each in patterns
        ]
        return f"({' OR '.join(pieces)})" if pieces else "0"

    def _filter(self, asked: Filter) -> str:
        match asked:
            case And(children):
                return f"({' AND '.join(self._filter(child) for child in children) or '1'})"
            case Or(children):
                return f"({' OR '.join(self._filter(child) for child in children) or '0'})"
            case Not(child):
                return f"(NOT {self._filter(child)})"
            case BooleanMetric(metric, value):
                return f"({self._value(metric)} = {int(value)})"
            case FloatMetric(metric, comparison, value):
                return f"({self._value(metric)} {comparison} {self._mark('Float64', value)})"
            case Tagged(key, value, same):
                name = self.text(key)
                has = f"(JSONHas(i.tags, {name}) AND JSONExtractString(i.tags, {name}) = {self.text(value)})"
                return has if same else f"(NOT {has})"
            case Time():
                return _timed(asked)
            case Demonstrated(has):
                return self._shown() if has else f"(NOT {self._shown()})"
            case _:
                assert_never(asked)

    def _value(self, metric: MetricKey) -> str:
        alias = self._metrics.get(metric)
        if alias is None:
            alias = self._metrics[metric] = f"m{len(self._metrics)}"
            target = "i.id" if metric.level == "inference" else "i.episode_id"
            self.joins.append(
                "LEFT JOIN (SELECT target_id, argMax(number, id) AS latest FROM feedback FINAL "  # noqa: S608
                f"WHERE metric_name = {self.text(metric.name)} AND number IS NOT NULL GROUP BY target_id) AS {alias} "
                f"ON {alias}.target_id = {target}"
            )
        return f"{alias}.latest"

    def _shown(self) -> str:
        if "shown" not in self._joined:
            self._joined.add("shown")
            self.joins.append(
                f"LEFT JOIN (SELECT DISTINCT target_id FROM feedback FINAL WHERE {DEMONSTRATION}) AS shown "  # noqa: S608
                "ON shown.target_id = i.id"
            )
        return "(shown.target_id IS NOT NULL)"

    def _hits(self, wanted: str, function_name: str | None) -> str:
        self._joined.add("text")
        text = folded(wanted)
        pattern = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        within = "" if function_name is None else f"function_name = {self.text(function_name)} AND "
        # The index of triples of characters serves `LIKE`.
        self.joins.append(
            f"LEFT JOIN (SELECT id, countSubstrings(search_text, {self.text(text)}) AS hits "  # noqa: S608
            f"FROM inference_data FINAL WHERE {within}search_text LIKE {self.text(f'%{pattern}%')}) AS text "
            "ON text.id = i.id"
        )
        return "text.hits"


def _orders(query: Query) -> tuple[Order, ...]:
    if not query.order_by:
        return (Order("time", descending=query.after is None),)
    return (*query.order_by, Order("time"))


def _timed(asked: Time) -> str:
    # An id knows its millisecond.
    floor, ceiling = asked.micros // 1000, -(-asked.micros // 1000)
    match asked.comparison:
        case "<":
            return _until(ceiling)
        case "<=":
            return _until(floor + 1)
        case ">":
            return _since(floor + 1)
        case ">=":
            return _since(ceiling)
        case "=":
            return f"({_since(floor)} AND {_until(floor + 1)})" if floor == ceiling else "(0)"
        case "!=":
            return f"({_until(floor)} OR {_since(floor + 1)})" if floor == ceiling else "(1)"
        case _:
            assert_never(asked.comparison)


def _since(millis: int) -> str:
    if millis > _LATEST_MS:
        return "(0)"
    return f"(i.id >= '{first_id(millis)}')" if millis > 0 else "(1)"


def _until(millis: int) -> str:
    if millis > _LATEST_MS:
        return "(1)"
    return f"(i.id < '{first_id(millis)}')" if millis > 0 else "(0)"


def _key(group: Group, owner: str) -> str:
    match group:
        case "function":
            return "i.function_name"
        case "variant":
            return f"{owner}.variant_name"
        case "model" | "provider":
            return f"c.{group}_name"
        case "minute" | "hour" | "day" | "week" | "month":
            return begin_of(group, f"{owner}.id")
        case _:
            assert_never(group)


def begin_of(group: str, column: str) -> str:
    """Return the Unix milliseconds at which the interval begins that the id in a column falls into."""
    digits = f"concat(substring({column}, 1, 8), substring({column}, 10, 4))"
    millis = f"toInt64(reinterpretAsUInt64(reverse(unhex({digits}))))"
    length = _LENGTHS_MS.get(group)
    if length is not None:
        return f"intDiv({millis}, {length}) * {length}"
    day = f"intDiv({millis}, {_DAY_MS})"
    if group == "week":
        # Day 0 was a Thursday.
        return f"({day} - ({day} + 3) % 7) * {_DAY_MS}"
    return f"({day} - toDayOfMonth(toDate32(toInt32({day}))) + 1) * {_DAY_MS}"


def _quantile(column: str, share: float) -> str:
    ranked = f"arraySort(groupArray({column}))"
    return f"if(count({column}) = 0, NULL, arrayElement({ranked}, toUInt64(ceil({share!r} * count({column})))))"
