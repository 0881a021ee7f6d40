"""Queries and aggregates: every home answers as plain Python over the same rows does."""

import random
from itertools import pairwise
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.support.homes import HOMES, appended, stored
from tests.support.records import begun, feedback, inference, inferred, model_inference
from tests.support.reference import Reference

from calibrant.base.ids import id_millis, uuid7
from calibrant.store import finding
from calibrant.types.query import (
    Aggregate,
    And,
    BooleanMetric,
    Demonstrated,
    FloatMetric,
    MetricKey,
    Not,
    Or,
    Order,
    Query,
    Tagged,
    Time,
)
from calibrant.types.replay import RUN_TAG
from calibrant.types.rows import Inferred

START_MS = 1_772_000_000_000
EPISODES = [f"019c8f00-0000-7000-8000-00000000000{number}" for number in range(4)]
WORDS = ["Straße 12", 'quo"te', "naïve\nplan", "ÅNGSTRÖM", "aaaa", "100 %", "a_b", "ab", "\0x", "日本語の文"]
METRICS = [MetricKey("correct", "inference"), MetricKey("rated", "inference"), MetricKey("solved", "episode")]
TAGS = [
    {},
    {"user": "1"},
    {"user": "2", 'o"dd.[0]$': "é"},
    {"": ""},
    {"user": "1", RUN_TAG: EPISODES[0]},
    {"user": f'"{RUN_TAG}":"'},
]
COMPARISONS = ["<", "<=", "=", ">", ">=", "!="]
LEAVES = ["boolean", "boolean", "float", "tag", "shown", "time"]
TIMES = [0, -1, 10**18, *(START_MS * 1000 + off for off in (0, 1, 999, 1000, 86_400_000_000 * 30))]
TEXTS = [*WORDS, "straSSe", "STRASSE", "e 12", "TEXT", "user", "only", "12 e", "not json"]
GROUPS = ["function", "variant", "model", "provider", "minute", "hour", "day", "week", "month"]
COSTS = [None, "0", "0.1", "0.000000000000000000001", "123456789.123456789"]


@pytest.fixture(params=sorted(HOMES), scope="module")
def fresh(request, tmp_path_factory):
    with HOMES[request.param](tmp_path_factory.mktemp("home")) as fresh:
        yield fresh


def id_at(rng, millis):
    digits = f"{millis:012x}"
    return f"{digits[:8]}-{digits[8:]}-7{rng.randrange(4096):03x}-8000-{rng.randrange(2**48):012x}"


def world(rng):
    """Some thirty inferences with everything that a query can look at, from few enough values that they meet."""
    rows, calls, judged = [], [], []
    for _ in range(rng.randrange(1, 60)):
        words = " ".join(rng.choices(WORDS, k=rng.randrange(3)))
        row = inference(
            # Minutes to months, and many within one millisecond.
            id=id_at(rng, START_MS + rng.choice([0, 1, 2, 60_000, 3_600_000, 86_400_000 * rng.randrange(70)])),
            episode_id=rng.choice(EPISODES),
            function_name=rng.choice(["draft", "draft_two", "extract"]),
            variant_name=rng.choice("ab"),
            function_type=rng.choice(["chat", "json"]),
            status=rng.choice(["ok", "ok", "ok", "error"]),
            tags=rng.choice(TAGS),
            input=payload(rng, {"messages": [{"role": "user", "content": [{"type": "text", "text": words}]}]}),
            output=payload(rng, {"raw": words[::-1], "parsed": {"skipped": "only parsed"}}),
            cost=rng.choice(COSTS),
            input_tokens=rng.choice([None, 0, 3, 10**12]),
            output_tokens=rng.choice([None, 0, 5]),
            processing_ms=rng.choice([None, 1.5, 2.5, 1e6]),
            ttft_ms=rng.choice([None, 0.25, 0.5]),
        )
        rows.append(row)
        calls += [call(rng, row) for _ in range(rng.randrange(3))]
    for _ in range(rng.randrange(80)):
        judged.append(judgement(rng, rows))
    return rows, calls, judged


def payload(rng, document):
    return rng.choice([None, b"not JSON", *[msgspec.json.encode(document)] * 4])


def call(rng, row):
    return model_inference(
        row.id,
        id=id_at(rng, id_millis(row.id) + rng.randrange(100_000)),
        variant_name=rng.choice("abc"),
        model_name=rng.choice(["small", "large"]),
        provider_name=rng.choice(["p", "q"]),
        status=rng.choice(["ok", "error"]),
        cost=rng.choice(COSTS),
        input_tokens=rng.choice([None, 2]),
        cache_read_tokens=rng.choice([None, 1]),
        cached=rng.random() < 0.3,
        response_ms=rng.choice([None, 1.0, 2.0]),
    )


def judgement(rng, rows):
    kind = rng.choice(["boolean", "float", "demonstration"])
    metric = rng.choice(METRICS)
    target = rng.choice(rows).id if metric.level == "inference" else rng.choice(EPISODES)
    at = id_at(rng, START_MS + rng.randrange(10))
    if kind == "demonstration":
        return feedback(
            rng.choice(rows).id,
            id=at,
            metric_name="demonstration",
            kind=kind,
            number=None,
            document=rng.choice([None, b'"shown"', b'"better"']),
            linked=rng.random() < 0.8,
        )
    number = float(rng.randrange(2)) if kind == "boolean" else rng.choice([-1.5, 0.0, 0.5, 1e9])
    return feedback(target, id=at, metric_name=metric.name, level=metric.level, kind=kind, number=number)


def a_filter(rng, depth=0):
    """A tree of filters; near its root there are often those that feedback can answer."""
    kind = rng.choice(["and", "or", "not", *LEAVES] if depth < 3 else LEAVES)
    match kind:
        case "and" | "or":
            children = tuple(a_filter(rng, depth + 1) for _ in range(rng.choice([0, 1, 2, 2, 3])))
            return And(children) if kind == "and" else Or(children)
        case "not":
            return Not(a_filter(rng, depth + 1))
        case "boolean":
            return BooleanMetric(rng.choice(METRICS), rng.random() < 0.5)
        case "float":
            return FloatMetric(rng.choice(METRICS), rng.choice(COMPARISONS), rng.choice([-1.5, 0.0, 0.3, 0.5, 1e9]))
        case "tag":
            key = rng.choice(["user", 'o"dd.[0]$', "", "none"])
            return Tagged(key, rng.choice(["1", "é", ""]), rng.random() < 0.5)
        case "shown":
            return Demonstrated(rng.random() < 0.5)
    return Time(rng.choice(COMPARISONS), rng.choice(TIMES))


def a_query(rng, rows):
    """A query that is narrow in one way or two, and wide in all others."""
    text = rng.choice(TEXTS) if rng.random() < 0.3 else None
    by = ["time", "metric", "metric"] if text is None else ["time", "metric", "relevance"]
    orders = [
        Order(rng.choice(by), rng.random() < 0.5, rng.choice(METRICS)) for _ in range(rng.choice([0, 0, 1, 1, 2]))
    ]

    def maybe(chance, *values):
        return rng.choice(values) if rng.random() < chance else None

    return Query(
        function_name=maybe(0.4, "draft", "extract", "nobody"),
        variant_name=maybe(0.2, "a"),
        episode_id=maybe(0.2, EPISODES[0]),
        status=maybe(0.2, "error", "ok"),
        include_failed=rng.random() < 0.5,
        before=maybe(0.2, *(row.id for row in rows)),
        after=maybe(0.2, *(row.id for row in rows)),
        limit=rng.choice([1, 3, 10, 100]),
        offset=rng.choice([0, 0, 3]),
        filters=a_filter(rng) if rng.random() < 0.6 else None,
        text=text,
        order_by=tuple(orders),
        source=rng.choice(["inference", "inference", "none", "demonstration"]),
        functions=maybe(0.2, (), ("draft",), ("dra*", "nobody"), ("*",)),
        payloads=rng.random() < 0.5,
        replays=rng.random() < 0.5,
    )


def an_aggregate(rng, rows):
    return Aggregate(
        where=a_query(rng, rows),
        by=tuple(rng.sample(GROUPS, k=rng.randrange(4))),
        model_name=rng.choice([None, None, "small"]),
        provider_name=rng.choice([None, None, "q"]),
        quantiles=rng.choice([(), (0.5,), (0.001, 0.25, 0.5, 0.9, 1.0)]),
    )


MANY = settings(max_examples=25, deadline=None)


@given(st.integers(0, 2**64))
@MANY
def test_any_query_is_answered_as_the_reference_answers_it(fresh, seed):
    if passed_over(fresh, seed):
        return
    rng = random.Random(seed)
    rows, calls, judged = world(rng)
    events = stored(fresh(), [*(Inferred(row, ()) for row in rows), *judged])
    reference = Reference(rows, calls, [one.feedback for one in judged])
    by_id = {row.id: row for row in rows}
    for _ in range(rounds(fresh, 50)):
        query = a_query(rng, rows)
        # How much is gone through before feedback or the index is.
        near, few = rng.choice([0, 3, 10**6]), rng.choice([0, 10**6])
        with patch.multiple(finding, _NEAR=near, _NEAR_TEXTS=near, _FEW=few):
            found = events.find(query)
        assert [row.id for row in found] == reference.find(query), (query, near, few)
        for row in found:
            wanted = by_id[row.id] if query.payloads else bare(by_id[row.id])
            assert replace(row, worker="") == wanted
    shown = {row.id: reference.demonstration(row) for row in rows}
    assert events.demonstrated(list(shown)) == {key: made for key, made in shown.items() if made is not None}


def passed_over(fresh, seed):
    """Say whether a home that is slow to be asked goes without this world."""
    return random.Random(-seed).random() > getattr(fresh, "odds", 1)


def rounds(fresh, number):
    """So many, or fewer where a home is slow to be asked; it then has not every world either."""
    return max(1, int(number * getattr(fresh, "share", 1)))


def bare(row):
    return replace(row, input=None, output=None, inference_params=None, tool_params=None, output_schema=None)


@given(st.integers(0, 2**64))
@MANY
def test_any_aggregate_is_what_the_reference_adds_up(fresh, seed):
    if passed_over(fresh, seed):
        return
    rng = random.Random(seed)
    rows, calls, judged = world(rng)
    by_owner = {row.id: tuple(one for one in calls if one.inference_id == row.id) for row in rows}
    events = stored(fresh(), [*(Inferred(row, by_owner[row.id]) for row in rows), *judged])
    reference = Reference(rows, calls, [one.feedback for one in judged])
    for _ in range(rounds(fresh, 30)):
        asked = an_aggregate(rng, rows)
        assert events.aggregate(asked) == reference.aggregate(asked), asked


def test_pages_stay_what_they_are_while_rows_arrive(fresh):
    events = fresh()
    stored(events, [inferred() for _ in range(30)])
    wanted = [row.id for row in events.find(Query(limit=100))]
    walked = []
    before = None
    for number in range(2, 20):
        page = events.find(Query(limit=4, before=before, payloads=False))
        if not page:
            break
        walked += [row.id for row in page]
        before = page[-1].id
        stored(events, [inferred(), inferred()], segment=f"w.{number:08}.seg", first=100 * number)
    assert walked == wanted
    assert all(one > other for one, other in pairwise(walked))


def test_a_search_finds_what_is_indexed_and_says_how_much_is_not(fresh):
    events = fresh()
    early = [inferred(input=b'"A needle here"'), inferred(), inferred()]
    stored(events, early)
    assert events.search_behind() == 0
    late, running = inferred(input=b'"another Needle"'), begun(input=b'"an open needle"')
    appended(events, [late, running], segment="w.00000002.seg", first=10)
    asked = Query(text="NEEDLE", include_failed=True)
    found = {early[0].inference.id, late.inference.id, running.inference.id}
    # The newest are looked at in any case; of the others, those that are indexed.
    assert {row.id for row in events.find(asked)} == found
    with patch.object(finding, "_NEAR_TEXTS", 0):
        others = {row.id for row in events.find(asked)} - {running.inference.id}
    behind = events.search_behind()
    assert (behind, others) in ((2, {early[0].inference.id}), (0, found - {running.inference.id}))
    while events.index_text(limit=1):
        pass
    assert events.search_behind() == 0
    with patch.object(finding, "_NEAR_TEXTS", 0):
        assert {row.id for row in events.find(asked)} >= found - {running.inference.id}


def test_a_stream_is_searched_once_it_has_ended(fresh):
    events = fresh()
    start = begun(input=b'"the beginning"')
    stored(events, [start, inferred()])
    final = inferred(id=start.inference.id, stream=True, input=b'"the beginning"', output=b'"the end"')
    stored(events, [final], segment="w.00000002.seg", first=10)
    assert [row.id for row in events.find(Query(text="the end"))] == [final.inference.id]
    assert [row.id for row in events.find(Query(text="beginning"))] == [final.inference.id]


def test_payloads_that_are_dropped_are_no_longer_found(fresh):
    events = fresh()
    stored(events, [inferred(input=b'"some needle"'), inferred()])
    assert len(events.find(Query(text="needle"))) == 1
    assert events.drop_payloads(limit=10) > 0
    while events.drop_payloads(limit=10):
        pass
    assert events.find(Query(text="needle")) == ()
    assert events.find(Query(limit=5)) != ()


def test_an_episodes_value_holds_for_all_its_inferences_and_the_latest_counts(fresh):
    events = fresh()
    episode = uuid7()
    first, second, other = inferred(episode_id=episode), inferred(episode_id=episode), inferred()
    solved = MetricKey("solved", "episode")
    given = [
        feedback(episode, metric_name="solved", level="episode", number=0.0),
        feedback(episode, metric_name="solved", level="episode", number=1.0),
    ]
    stored(events, [first, second, other, *reversed(given)])
    found = events.find(Query(filters=BooleanMetric(solved, value=True)))
    assert [row.id for row in found] == [second.inference.id, first.inference.id]
    assert events.find(Query(filters=BooleanMetric(solved, value=False))) == ()
    assert events.find(Query(filters=Not(BooleanMetric(solved, value=True)))) == ()
