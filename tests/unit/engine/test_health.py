"""Balancing and breakers in the line: who is called, in which order, and what counts against a provider."""

import asyncio
import random
from collections import Counter
from math import sqrt
from time import monotonic

import pytest
from tests.support.engine import Answer, event, function, model, refusal, request, said, streamed

from calibrant.base.errors import (
    BadAnswer,
    Disconnected,
    InferenceTimeout,
    ProvidersExhausted,
    Stalled,
    Truncated,
    Unreachable,
)
from calibrant.engine.engine import Caller
from calibrant.engine.health import Health
from calibrant.engine.stream import open_stream
from calibrant.providers.cost import Pricer
from calibrant.providers.price_table import Dated, Match, ModelPrices, Price, PriceTable, ProviderPrices
from calibrant.types.cached import CachePolicy


class Clock:
    """Time that passes when a test says so."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def wall_ms(self):
        return int(self.now * 1000)


@pytest.fixture
def clock():
    return Clock()


def by(**answers):
    """A provider's script by its name: a value, or a list whose last one stays."""
    left = {name: list(each) if isinstance(each, list) else [each] for name, each in answers.items()}

    def answer(call):
        steps = left[call.url.split("/")[2].split(".")[0]]
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        return step(call) if callable(step) else step

    return answer


def asked(it, *, since=0):
    """Who was called, one letter a call."""
    return "".join(host[0] for host in it.sender.asked[since:])


def calls(it, times=1, **fields):
    since = len(it.sender.calls)
    for _ in range(times):
        it.infer(variant_name="v", **fields)
    return asked(it, since=since)


TWO = "breaker = { failures = 2, open_s = 5, max_open_s = 20 }"


# Circuit breakers


def test_calls_go_around_a_provider_that_keeps_failing_and_come_back(line, clock):
    it = line(model("m", "a", "b", extra=TWO) + function(), by(a=[refusal()] * 3 + [said()], b=said()), clock=clock)
    assert calls(it, 4) == "abab" + "bb"
    clock.now += 4.9
    assert calls(it) == "b"
    clock.now += 0.2
    assert calls(it, 2) == "ab" + "b", "the probe failed, and the call went on"
    clock.now += 9.9
    assert calls(it) == "b", "twice as long"
    clock.now += 0.2
    assert calls(it, 2) == "aa"
    names = ("m", "a")
    assert it.counted("breaker_opened") == {names: 2}
    assert it.counted("breaker_closed") == {names: 1}
    assert it.counted("breaker_skipped") == {names: 5}


def test_where_all_are_open_all_are_tried_in_order(line, clock):
    it = line(model("m", "a", "b", extra=TWO) + function(), by(a=refusal(), b=[refusal()] * 3 + [said()]), clock=clock)
    for _ in range(3):
        with pytest.raises(ProvidersExhausted):
            it.infer(variant_name="v")
    assert calls(it) == "ab"
    # The one that answered, although nobody expected it, is well again.
    assert calls(it) == "b"


def test_a_model_with_one_provider_and_one_without_a_breaker_keep_nothing(line):
    off = "breaker = { enabled = false }"
    it = line(model("m", "a", "b", extra=off) + model("n") + function(), by(a=refusal(), b=said(), p=said()))
    assert calls(it, 8) == "ab" * 8
    it.infer(function_name=None, model_name="n")
    assert [it.engine.compiler.model(name).balanced for name in "mn"] == [False, False]
    assert it.counted("breaker_opened") == {}


AT_FAULT = {
    "unreachable": Unreachable("x"),
    "disconnected": Disconnected("x"),
    "truncated": Truncated("x"),
    "no answer": BadAnswer("x"),
    "late": InferenceTimeout("x"),
    "busy": refusal(429),
    "request timeout": refusal(408),
    "broken": refusal(500),
    "overloaded": refusal(529),
    "an error with status 200": {"error": {"message": "later", "code": 503}},
}
NOT_AT_FAULT = {
    "bad request": refusal(400),
    "wrong key": refusal(401),
    "not allowed": refusal(403),
    "not found": refusal(404),
    "too large": refusal(413),
    "conflict": refusal(409),
    "cannot be sent": Unreachable("x", retryable=False),
    "an error with status 200": {"error": {"message": "no", "code": 400}},
}


@pytest.mark.parametrize("failure", AT_FAULT.values(), ids=AT_FAULT)
def test_what_speaks_of_the_provider_s_health_counts(line, failure):
    it = line(model("m", "a", "b", extra=TWO) + function(), by(a=failure, b=said()))
    assert calls(it, 3) == "abab" + "b"


@pytest.mark.parametrize("failure", NOT_AT_FAULT.values(), ids=NOT_AT_FAULT)
def test_what_speaks_of_the_request_does_not(line, failure):
    it = line(model("m", "a", "b", extra=TWO) + function(), by(a=failure, b=said()))
    assert calls(it, 3) == "ababab"


def test_a_credential_that_was_not_sent_does_not_count(line):
    toml = model("m", "a", "b", key="dynamic::mine", extra=TWO).replace('"dynamic::mine"', '"none"', 2)
    toml = toml.replace('"none"', '"dynamic::mine"', 1)
    it = line(toml + function(), by(b=said()))
    calls(it, 3)
    assert [row.error_code for row in it.attempts] == ["missing_credential", None]
    assert it.counted("breaker_opened") == {}


@pytest.mark.parametrize(("key", "order"), [("dynamic::mine", "ababab"), ("none", "abab" + "b")])
def test_a_caller_who_has_used_up_his_own_key_spoils_it_for_nobody(line, key, order):
    it = line(model("m", "a", "b", key=key, extra=TWO) + function(), by(a=refusal(429), b=said()))
    assert calls(it, 3, credentials={"mine": "k"}) == order


AZURE = """
[models.m]
routing = ["a", "b"]
breaker = { failures = 1 }
[models.m.providers.a]
type = "azure"
deployment_id = "d"
endpoint = "dynamic::where"
api_key_location = "none"
[models.m.providers.b]
type = "openai"
model_name = "x"
api_base = "http://b.m/v1"
api_key_location = "none"
"""


def test_an_address_that_came_with_the_request_speaks_of_itself_alone(line):
    it = line(AZURE + function(), by(a=Unreachable("x"), b=said()))
    assert calls(it, 3, credentials={"where": "http://a.m"}) == "ababab"


def test_who_says_until_when_is_left_alone_until_then(line, clock):
    busy = refusal(429, headers=(("retry-after", "30"),))
    it = line(model("m", "a", "b", extra=TWO) + function(), by(a=[busy, said()], b=said()), clock=clock)
    assert calls(it, 2) == "ab" + "b"
    clock.now += 29.9
    assert calls(it) == "b"
    clock.now += 0.2
    assert calls(it) == "a"


def test_a_timeout_counts_unless_others_had_used_up_the_time(line, monkeypatch):
    timed = "timeouts = { non_streaming = { total_ms = 60_000 } }\nbreaker = { failures = 1 }"
    it = line(model("m", "a", "b", extra=timed) + function(), by(a=[refusal(400), said()], b=InferenceTimeout("x")))
    with pytest.raises(ProvidersExhausted):
        it.infer(variant_name="v")
    assert it.counted("breaker_opened") == {}
    # Its own limit is its own affair.
    own = 'model_name = "gpt"\ntimeouts = { non_streaming = { total_ms = 30_000 } }'
    head, _, tail = model("m", "a", "b", extra=timed).rpartition('model_name = "gpt"')
    it = line(head + own + tail + function(), by(a=refusal(400), b=InferenceTimeout("x")))
    with pytest.raises(ProvidersExhausted):
        it.infer(variant_name="v")
    assert it.counted("breaker_opened") == {("m", "b"): 1}


def test_calls_that_fail_together_open_it_once(line, clock):
    ready = asyncio.Event()

    class Held(Answer):
        async def read(self):
            await ready.wait()
            clock.now += 0.01
            raise Disconnected("cut")

    it = line(model("m", "a", "b", extra=TWO) + function(), by(a=Held(), b=said()), clock=clock)

    async def go():
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(it.ainfer())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            ready.set()

    asyncio.run(go())
    assert it.counted("breaker_opened") == {("m", "a"): 1}
    clock.now += 5
    assert calls(it)[0] == "a", "open for five seconds, and not for forty"


# Probes


def test_one_call_at_a_time_probes_and_the_others_go_around(line, clock):
    ready = asyncio.Event()

    class Held(Answer):
        async def read(self):
            await ready.wait()
            return b"".join(self.pieces)

    held = Held(b'{"choices":[{"message":{"role":"assistant","content":"back"},"finish_reason":"stop"}]}')
    it = line(
        model("m", "a", "b", extra=TWO) + function(), by(a=[refusal(), refusal(), held, said()], b=said()), clock=clock
    )
    calls(it, 2)
    clock.now += 6
    since = len(it.sender.calls)

    async def go():
        async with asyncio.TaskGroup() as group:
            probe = group.create_task(it.ainfer())
            await asyncio.sleep(0)
            for _ in range(3):
                await it.ainfer()
            ready.set()
            await probe
            await it.ainfer()

    asyncio.run(go())
    assert asked(it, since=since) == "abbb" + "a"


def test_a_probe_that_says_nothing_makes_room_for_another(line, clock):
    it = line(
        model("m", "a", "b", extra=TWO) + function(),
        by(a=[refusal(), refusal(), refusal(400), said()], b=said()),
        clock=clock,
    )
    calls(it, 2)
    clock.now += 6
    assert calls(it, 2) == "ab" + "a"


class Kept:
    """A cache in a dictionary."""

    def __init__(self):
        self.entries = {}

    async def get(self, key, max_age_s):
        return self.entries.get(key)

    def put(self, key, model_name, entry):
        self.entries[key] = entry


def test_what_the_cache_answers_says_nothing_of_the_provider(line, clock):
    it = line(
        model("m", "a", "b", extra=TWO) + function(),
        by(a=[said(), refusal(), refusal(), said()], b=said()),
        clock=clock,
        cache=Kept(),
    )
    assert calls(it, cache=CachePolicy("on")) == "a"
    assert calls(it, 3) == "abab" + "b"
    clock.now += 6
    assert calls(it, cache=CachePolicy("on")) == ""
    assert it.attempts[0].cached and it.attempts[0].provider_name == "a"
    assert it.counted("breaker_closed") == {}
    assert calls(it) == "a" and it.counted("breaker_closed") == {("m", "a"): 1}


def test_a_probe_that_is_cancelled_makes_room_for_another(line, clock):
    class Held(Answer):
        async def read(self):
            await asyncio.Event().wait()

    it = line(
        model("m", "a", "b", extra=TWO) + function(),
        by(a=[refusal(), refusal(), Held(), said()], b=said()),
        clock=clock,
    )
    calls(it, 2)
    clock.now += 6

    async def go():
        task = asyncio.get_running_loop().create_task(it.ainfer())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())
    assert calls(it) == "a"


def test_a_stream_probes_until_its_first_chunk_and_heals_at_its_end(line, clock):
    it = line(
        model("m", "a", "b", extra=TWO) + function(),
        by(a=[refusal(), refusal(), *[streamed("x", "y")] * 3, said()], b=said()),
        clock=clock,
    )
    calls(it, 2)
    clock.now += 6
    since = len(it.sender.calls)

    async def go():
        first = await open_stream(it.engine, request(stream=True), Caller(), monotonic())
        second = await open_stream(it.engine, request(stream=True), Caller(), monotonic())
        assert it.counted("breaker_closed") == {}
        for stream in (first, second):
            async for _ in stream.chunks():
                pass

    asyncio.run(go())
    assert asked(it, since=since) == "aa"
    assert it.counted("breaker_closed") == {("m", "a"): 1}


def test_streams_that_break_in_the_middle_open_it(line):
    broken = [Answer(event({"content": "He"}), error) for error in (Disconnected("cut"), Stalled("quiet"))]
    it = line(model("m", "a", "b", extra=TWO) + function(), by(a=broken, b=streamed("Hi")))
    assert [it.stream()[0].error is None for _ in range(3)] == [False, False, True]
    assert asked(it) == "aab"


# Strategies


@pytest.mark.parametrize("seed", range(2))
def test_weights_are_kept_and_the_next_is_drawn_from_the_others(line, seed):
    extra = 'routing_strategy = "weighted"\nweights = { a = 3, b = 1, c = 0 }\nbreaker = { enabled = false }'
    it = line(model("m", "a", "b", "c", extra=extra) + function(), by(a=said(), b=refusal(400), c=said()))
    chance = random.Random(seed)
    it.engine = _drawing(it.engine, chance.random)
    n = 600
    seen = [calls(it) for _ in range(n)]
    counts = Counter(seen)
    assert set(counts) == {"a", "ba"}, "whoever has no weight is asked last, and a answers before that"
    # Five standard errors.
    assert abs(counts["a"] - n * 0.75) < 5 * sqrt(n * 0.75 * 0.25)


def test_without_weights_all_count_alike(line):
    extra = 'routing_strategy = "weighted"'
    it = line(model("m", "a", "b", extra=extra) + function(), by(a=said(), b=said()))
    points = iter([0.1, 0.49, 0.5, 0.9])
    it.engine = _drawing(it.engine, lambda: next(points))
    assert calls(it, 4) == "aabb"


def _drawing(engine, draw):
    return type(engine)(
        **{name: getattr(engine, name) for name in engine.__slots__ if name != "health"}, health=Health(draw)
    )


@pytest.mark.parametrize("stream", [False, True])
def test_the_fastest_is_called_and_the_others_are_tried_again_after_a_minute(line, clock, monkeypatch, stream):
    now = [monotonic()]
    speeds = {"a": 0.3, "b": 0.1, "c": 0.2}

    def answer(call):
        seconds = speeds[call.url.split("/")[2][0]]
        clock.now += seconds
        now[0] += seconds
        return streamed("x") if stream else said()

    for module in ("attempt", "stream", "infer"):
        monkeypatch.setattr(f"calibrant.engine.{module}.monotonic", lambda: now[0])
    extra = 'routing_strategy = "least_latency"'
    it = line(model("m", "a", "b", "c", extra=extra) + function(), answer, clock=clock)

    def go(times):
        since = len(it.sender.calls)
        for _ in range(times):
            it.stream() if stream else it.infer()
        return asked(it, since=since)

    assert go(8) == "abc" + "bbbbb"
    speeds["a"] = 0.01
    clock.now += 61
    assert go(6) == "abc" + "aaa", "all are stale: each shows once what it can do"
    speeds["a"] = 5.0
    assert go(3)[-1] == "b"


def test_a_timeout_makes_slow_and_another_failure_says_nothing_of_speed(line, clock):
    extra = 'routing_strategy = "least_latency"\nbreaker = { enabled = false }'
    it = line(model("m", "a", "b", extra=extra) + function(), by(a=refusal(400), b=said()), clock=clock)
    assert calls(it, 3) == "ab" + "bb", "who has shown nothing comes last"


def _prices(**dollars):
    models = tuple(
        ModelPrices(
            name,
            Match("equals", name),
            (Dated((Price("input_tokens", 1_000_000, frozenset({"direction=input"}), price),)),),
        )
        for name, price in dollars.items()
    )
    return PriceTable(PriceTable.encode("prices/1", [], {"openai": ProviderPrices(models)}))


def test_the_cheapest_is_called_first_and_the_unknown_last(line):
    toml = '[models.m]\nrouting = ["a", "b", "c"]\nrouting_strategy = "cheapest"\n'
    for name, vendor in (("a", "unheard-of"), ("b", "dear"), ("c", "cheap")):
        toml += f'[models.m.providers.{name}]\ntype = "openai"\nmodel_name = "{vendor}"\napi_key_location = "none"\n'
    it = line(toml + function(), refusal(400), prices=_prices(dear="5", cheap="0.5"))
    with pytest.raises(ProvidersExhausted):
        it.infer(variant_name="v")
    assert [row.provider_name for row in it.attempts] == ["c", "b", "a"]


def test_rules_count_where_they_are_and_prices_are_looked_up_again(line, clock, monkeypatch):
    rule = 'cost = [{ pointer = "/usage/prompt_tokens", cost_per_million = 1 }]'
    head, _, tail = model("m", "a", "b", extra='routing_strategy = "cheapest"').rpartition('model_name = "gpt"')
    it = line(head + 'model_name = "gpt"\n' + rule + tail + function(), by(a=said(), b=said()), clock=clock)
    looked = []
    usual = Pricer.usual

    def counted(pricer, at_ms):
        looked.append(at_ms)
        return usual(pricer, at_ms)

    monkeypatch.setattr(Pricer, "usual", counted)
    assert calls(it, 3) == "bbb"
    assert looked == [1_000_000] * 2
    clock.now += 61
    assert calls(it, 3) == "bbb"
    assert looked[2:] == [1_061_000] * 2
