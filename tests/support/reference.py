"""Queries and aggregates answered in plain Python over rows: what every store must agree with."""

import operator
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from functools import cmp_to_key, reduce
from math import ceil

from calibrant.base.ids import id_millis
from calibrant.store.search_text import text_of_payloads
from calibrant.types.money import text_of
from calibrant.types.query import And, BooleanMetric, Demonstrated, FloatMetric, Not, Or, Tagged, Tally, Time
from calibrant.types.replay import RUN_TAG

EXACT = Context(prec=200)
COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "!=": operator.ne,
}


class Reference:
    """Rows in lists."""

    def __init__(self, inferences, calls=(), feedback=()):
        self.inferences = list(inferences)
        self.calls = list(calls)
        self.feedback = sorted(feedback, key=lambda row: row.id)

    def find(self, query):
        rows = self.chosen(query)
        if query.order_by:
            rows.sort(key=lambda row: row.id, reverse=True)
            rows.sort(key=cmp_to_key(lambda one, other: self.compared(query, one, other)))
        else:
            rows.sort(key=lambda row: row.id, reverse=query.after is None)
        return [row.id for row in rows[query.offset : query.offset + query.limit]]

    def chosen(self, query):
        return [row for row in self.inferences if self.fits(query, row)]

    def fits(self, query, row):
        equal = (
            (query.function_name, row.function_name),
            (query.variant_name, row.variant_name),
            (query.episode_id, row.episode_id),
            (query.status, row.status),
        )
        return (
            all(wanted is None or wanted == has for wanted, has in equal)
            and (query.status is not None or query.include_failed or row.status == "ok")
            and (query.before is None or row.id < query.before)
            and (query.after is None or row.id > query.after)
            and (query.functions is None or any(named(each, row.function_name) for each in query.functions))
            and (query.replays or RUN_TAG not in row.tags)
            and (query.filters is None or self.true(query.filters, row) is True)
            and (query.source != "demonstration" or self.demonstration(row) is not None)
            and (query.text is None or self.hits(query, row) > 0)
        )

    def true(self, asked, row):
        """True, False or, while unknown, None."""
        match asked:
            case And(children):
                values = [self.true(child, row) for child in children]
                return False if False in values else None if None in values else True
            case Or(children):
                values = [self.true(child, row) for child in children]
                return True if True in values else None if None in values else False
            case Not(child):
                value = self.true(child, row)
                return None if value is None else not value
            case BooleanMetric(metric, wanted):
                latest = self.latest(metric, row)
                return None if latest is None else latest == float(wanted)
            case FloatMetric(metric, comparison, wanted):
                latest = self.latest(metric, row)
                return None if latest is None else COMPARE[comparison](latest, wanted)
            case Tagged(key, value, same):
                return (row.tags.get(key) == value) is same
            case Time(comparison, micros):
                return COMPARE[comparison](id_millis(row.id) * 1000, micros)
            case Demonstrated(has):
                return (self.demonstration(row) is not None) is has

    def latest(self, metric, row):
        target = row.id if metric.level == "inference" else row.episode_id
        values = [
            given.number
            for given in self.feedback
            if given.metric_name == metric.name and given.target_id == target and given.number is not None
        ]
        return values[-1] if values else None

    def demonstration(self, row):
        shown = [
            given.document
            for given in self.feedback
            if given.kind == "demonstration"
            and given.target_id == row.id
            and given.linked
            and given.document is not None
        ]
        return shown[-1] if shown else None

    def hits(self, query, row):
        return text_of_payloads(row.input, row.output).count(query.text.lower().replace("\0", " "))

    def compared(self, query, one, other):
        for term in query.order_by:
            if term.by == "time":
                first, second = one.id, other.id
            elif term.by == "metric":
                first, second = self.latest(term.metric, one), self.latest(term.metric, other)
            else:
                first, second = self.hits(query, one), self.hits(query, other)
            if first == second:
                continue
            if first is None or second is None:
                return 1 if first is None else -1
            return (-1 if first < second else 1) * (-1 if term.descending else 1)
        return 0

    def aggregate(self, asked):
        chosen = {row.id: row for row in self.chosen(asked.where)}
        items = (
            [
                call
                for call in self.calls
                if call.inference_id in chosen
                and asked.model_name in (None, call.model_name)
                and asked.provider_name in (None, call.provider_name)
            ]
            if asked.of_calls
            else list(chosen.values())
        )
        groups = defaultdict(list)
        for item in items:
            row = chosen[item.inference_id] if asked.of_calls else item
            groups[tuple(key_of(group, row, item) for group in asked.by)].append(item)
        if not asked.by and not groups:
            groups[()] = []
        return tuple(tally(asked, key, groups[key]) for key in sorted(groups))


def named(pattern, name):
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def key_of(group, row, item):
    match group:
        case "function":
            return row.function_name
        case "variant":
            return item.variant_name
        case "model":
            return item.model_name
        case "provider":
            return item.provider_name
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=id_millis(item.id))
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    begins = {
        "minute": at.replace(second=0, microsecond=0),
        "hour": at.replace(minute=0, second=0, microsecond=0),
        "day": day,
        "week": day - timedelta(days=day.weekday()),
        "month": day.replace(day=1),
    }[group]
    return int(begins.timestamp()) * 1000


def tally(asked, key, items):
    def total(field):
        return sum(getattr(item, field) or 0 for item in items)

    def ranked(field):
        known = sorted(value for value in (getattr(item, field) for item in items) if value is not None)
        return tuple(known[max(ceil(share * len(known)), 1) - 1] if known else None for share in asked.quantiles)

    costs = [Decimal(item.cost) for item in items if item.cost is not None]
    tokens = ("cache_read_tokens", "cache_write_tokens", "cached") if asked.of_calls else ()
    return Tally(
        key=key,
        count=len(items),
        failed=sum(item.status in ("error", "interrupted") for item in items),
        input_tokens=total("input_tokens"),
        output_tokens=total("output_tokens"),
        cost=text_of(reduce(EXACT.add, costs, Decimal(0))),
        unpriced=len(items) - len(costs),
        processing_ms=ranked("response_ms" if asked.of_calls else "processing_ms"),
        ttft_ms=ranked("ttft_ms"),
        **{field: total(field) for field in tokens},
    )
