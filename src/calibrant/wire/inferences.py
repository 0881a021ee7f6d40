"""Questions for recorded inferences, as their callers write them, and what they mean.

Nothing is looked up but metrics, whose level and type the configuration knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import assert_never
from uuid import UUID

import msgspec
from msgspec import Struct

from calibrant.apischema import inferences as shape
from calibrant.base.errors import InvalidRequest
from calibrant.config.schema import Metric
from calibrant.types.query import (
    And,
    BooleanMetric,
    Demonstrated,
    Filter,
    FloatMetric,
    MetricKey,
    Not,
    Or,
    Order,
    OutputSource,
    Query,
    Tagged,
    Time,
)
from calibrant.wire import body as checks
from calibrant.wire.body import invalid

__all__ = ["MAX_FILTERS", "Listing", "Lookup", "decode_get", "decode_list", "to_listing"]

MAX_FILTERS = 100
"""Nodes of one tree of filters."""

_LIST = msgspec.json.Decoder(shape.ListBody)
_GET = msgspec.json.Decoder(shape.GetBody)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_LONGEST_TEXT = 10_000


class Listing(Struct, frozen=True):
    """A list that was asked for."""

    query: Query
    backwards: bool
    """The page is to be shown in the order contrary to the query's: it is the one next to its cursor."""


class Lookup(Struct, frozen=True):
    """Inferences that were asked for by id."""

    ids: tuple[str, ...]
    function_name: str | None
    source: OutputSource
    include_failed: bool


def decode_list(body: bytes, metrics: Mapping[str, Metric]) -> Listing:
    """Return the list that a body asks for.

    Raises:
        InvalidRequest: it is malformed, contradicts itself or names an unknown metric; the message has the JSON path.
    """
    return to_listing(checks.parse(_LIST, body), metrics)


def to_listing(asked: shape.ListBody, metrics: Mapping[str, Metric]) -> Listing:
    """Return the list that is asked for.

    Raises:
        InvalidRequest: it contradicts itself or names an unknown metric; the message has the JSON path.
    """
    _check_cursors(asked)
    if asked.filter is not None and asked.filters is not None:
        raise InvalidRequest("`filter` is what `filters` was called once; send one of them")
    field = "filter" if asked.filters is None else "filters"
    tree = _Tree(metrics)
    filters = asked.filter if asked.filters is None else asked.filters
    text = _text(asked.search_query_experimental)
    order = tuple(_order(term, at, metrics, text) for at, term in enumerate(asked.order_by or ()))
    by_time = order[0] if order else Order("time")
    cursor = asked.before is not None or asked.after is not None
    if cursor and by_time.by != "time":
        raise invalid("a page before or after an inference is a page by time; order by timestamp", "$.order_by[0].by")
    names = (asked.function_name, asked.variant_name)
    checks.check_names(zip(("$.function_name", "$.variant_name"), (name or "" for name in names), strict=True))
    # The page beside the cursor begins there, whichever way it is shown.
    beside = Order("time", descending=asked.after is None)
    query = Query(
        function_name=None if asked.function_name is None else checks.stored_name(asked.function_name),
        variant_name=asked.variant_name,
        episode_id=_id(asked.episode_id, "$.episode_id"),
        include_failed=asked.include_failed or False,
        before=_id(asked.before, "$.before"),
        after=_id(asked.after, "$.after"),
        limit=20 if asked.limit is None else asked.limit,
        offset=asked.offset or 0,
        filters=None if filters is None else tree.filter(filters, f"$.{field}"),
        text=text,
        order_by=(beside,) if cursor else order,
        source=asked.output_source or "inference",
    )
    return Listing(query, backwards=cursor and by_time.descending != beside.descending)


def decode_get(body: bytes) -> Lookup:
    """Return the ids that a body asks for, each once.

    Raises:
        InvalidRequest: it is malformed; the message has the JSON path.
    """
    asked = checks.parse(_GET, body)
    ids = dict.fromkeys(_uuid(text, f"$.ids[{at}]") for at, text in enumerate(asked.ids))
    name = asked.function_name
    return Lookup(
        ids=tuple(ids),
        function_name=None if name is None else checks.stored_name(name),
        source=asked.output_source or "inference",
        include_failed=asked.include_failed or False,
    )


def _check_cursors(asked: shape.ListBody) -> None:
    if asked.before is not None and asked.after is not None:
        raise InvalidRequest("`before` and `after` exclude each other; send one of them")
    if asked.offset and (asked.before is not None or asked.after is not None):
        raise InvalidRequest("`offset` does not go with `before` or `after`; they say where the page begins")


def _id(text: str | None, path: str) -> str | None:
    return None if text is None else _uuid(text, path)


def _uuid(text: str, path: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise invalid(f"{text[:80]!r} is no UUID", path) from None


def _text(wanted: str | None) -> str | None:
    if wanted is None:
        return None
    if not wanted or len(wanted) > _LONGEST_TEXT:
        problem = f"a text to search for has 1 to {_LONGEST_TEXT} characters, this one has {len(wanted)}"
        raise invalid(problem, "$.search_query_experimental")
    return wanted


def _order(term: shape.OrderBody, at: int, metrics: Mapping[str, Metric], text: str | None) -> Order:
    path = f"$.order_by[{at}]"
    descending = term.direction != "ascending"
    if (term.name is not None) != (term.by == "metric"):
        raise invalid("`name` is a metric's: it goes with `by` 'metric', and only with it", path)
    match term.by:
        case "timestamp":
            return Order("time", descending)
        case "metric":
            metric = _metric(term.name or "", metrics, f"{path}.name")
            return Order("metric", descending, MetricKey(metric.name, metric.level))
        case "search_relevance":
            if text is None:
                raise invalid("there is no relevance without `search_query_experimental`", f"{path}.by")
            return Order("relevance", descending)
        case _:
            assert_never(term.by)


def _metric(name: str, metrics: Mapping[str, Metric], path: str) -> Metric:
    found = metrics.get(checks.stored_name(name))
    if found is None:
        known = ", ".join(sorted(metrics)) or "none"
        raise invalid(f"there is no metric {name[:80]!r}; the configuration has {known}", path)
    return found


class _Tree:
    """Makes filters of their bodies, and counts them."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self._metrics = metrics
        self._nodes = 0

    def filter(self, body: shape.FilterBody, path: str) -> Filter:
        self._nodes += 1
        if self._nodes > MAX_FILTERS:
            raise invalid(f"there are more than {MAX_FILTERS} filters; send fewer", path)
        match body:
            case shape.AndBody(children):
                return And(self._children(children, path))
            case shape.OrBody(children):
                return Or(self._children(children, path))
            case shape.NotBody(child):
                return Not(self.filter(child, f"{path}.child"))
            case shape.BooleanMetricBody(name, value):
                return BooleanMetric(self._key(name, "boolean", path), value)
            case shape.FloatMetricBody(name, value, comparison):
                return FloatMetric(self._key(name, "float", path), comparison, value)
            case shape.TagBody(key, value, comparison):
                checks.check_names([(path, key + value)])
                return Tagged(checks.stored_name(key), value, same=comparison == "=")
            case shape.TimeBody(time, comparison):
                return Time(comparison, (time - _EPOCH) // _MICRO)
            case shape.DemonstrationBody(has):
                return Demonstrated(has)
            case _:
                assert_never(body)

    def _children(self, children: list[shape.FilterBody], path: str) -> tuple[Filter, ...]:
        return tuple([self.filter(child, f"{path}.children[{at}]") for at, child in enumerate(children)])

    def _key(self, name: str, kind: str, path: str) -> MetricKey:
        metric = _metric(name, self._metrics, f"{path}.metric_name")
        if metric.type != kind:
            raise invalid(f"the metric {metric.name!r} is {metric.type}, not {kind}", f"{path}.metric_name")
        return MetricKey(metric.name, metric.level)
