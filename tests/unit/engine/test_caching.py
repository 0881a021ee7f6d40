"""The response cache beside the line: what is asked of it, what comes of it, what is recorded."""

import msgspec
import pytest
from tests.support.engine import Answer, content, event, function, model, refusal, said, streamed, variant

from calibrant.base.errors import AllVariantsFailed, ProviderError
from calibrant.engine.engine import Caller
from calibrant.types.cached import CachePolicy
from calibrant.types.request import Params
from calibrant.types.tool import CustomTool, Tool
from calibrant.wire import native

ON = CachePolicy("on")


class Held:
    """A cache in a dictionary."""

    def __init__(self):
        self.entries = {}
        self.asked = []

    async def get(self, key, max_age_s):
        self.asked.append((key, max_age_s))
        return self.entries.get(key)

    def put(self, key, model_name, entry):
        self.entries[key] = entry


@pytest.fixture
def cached(line):
    def _cached(toml=None, *steps):
        cache = Held()
        it = line(toml or model(extra="") + function(), *steps, cache=cache)
        it.cache = cache
        return it

    return _cached


def test_the_same_again_costs_nothing(cached):
    it = cached(None, said("One."), said("Two."))
    first, second = it.infer(cache=ON), it.infer(cache=ON)
    assert content(first) == content(second) == [{"type": "text", "text": "One."}]
    assert len(it.sender.calls) == 1
    assert (second.usage.input_tokens, second.usage.output_tokens, second.cost) == (0, 0, "0")
    (row,) = it.attempts
    assert row.cached and (row.input_tokens, row.cost, row.usage_source) == (0, "0", "none")
    assert row.raw_request and row.raw_response is None and row.status == "ok"
    assert first.head.inference_id != second.head.inference_id
    assert it.counted("cache_hits") == {("m",): 1} == it.counted("cache_misses")


def test_a_stream_is_replayed_as_a_stream(cached):
    it = cached(None, streamed("Hel", "lo."), streamed("other"))
    first, chunks = it.stream(cache=ON)
    again, replayed = it.stream(cache=ON, include_raw_response=True, include_raw_usage=True)
    assert [c.content for c in replayed if c.content] == [c.content for c in chunks if c.content]
    assert content(again.answered) == [{"type": "text", "text": "Hello."}] and len(it.sender.calls) == 1
    assert again.answered.usage.input_tokens == 0 and again.answered.cost == "0"
    assert it.attempts[0].cached and it.row.stream
    sent = b"".join(map(native.Events(again.head).chunk, replayed)) + native.Events(again.head).final(again.answered)
    assert b"raw_chunk" not in sent and b'"raw_usage":[]' in sent


def test_streams_and_whole_answers_are_apart(cached):
    it = cached(None, said("Whole."), streamed("Streamed."))
    it.infer(cache=ON)
    assert content(it.stream(cache=ON)[0].answered) == [{"type": "text", "text": "Streamed."}]


@pytest.mark.parametrize(
    ("policy", "asked", "kept"),
    [
        (CachePolicy("off"), 0, 0),
        (CachePolicy("on", 60), 1, 1),
        (CachePolicy("read_only"), 1, 0),
        (CachePolicy("write_only"), 0, 1),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_request_says_how_the_cache_is_used(cached, policy, asked, kept, stream):
    it = cached(None, streamed("S.") if stream else said())
    it.stream(cache=policy) if stream else it.infer(cache=policy)
    assert (len(it.cache.asked), len(it.cache.entries)) == (asked, kept)
    assert [age for _, age in it.cache.asked] == [policy.max_age_s] * asked


@pytest.mark.parametrize(
    "change",
    [
        {"params": Params(temperature=0.5)},
        {"model_name": "n"},
        {"extra_headers": "x"},
    ],
)
def test_whatever_the_provider_would_see_is_in_the_key(cached, change):
    from calibrant.types.extra import ExtraHeader

    if "extra_headers" in change:
        change = {"extra_headers": (ExtraHeader("x-beta", "1"),)}
    it = cached(model() + model("n") + function(), said("One."), said("Two."))
    it.infer(cache=ON)
    assert content(it.infer(cache=ON, **change))[0]["text"] == "Two."


def test_an_edited_provider_serves_nothing_old(cached, line):
    it = cached(None, said("One."))
    it.infer(cache=ON)
    edited = line(model().replace('"gpt"', '"gpt-2"') + function(), said("Two."), cache=it.cache)
    assert content(edited.infer(cache=ON))[0]["text"] == "Two."


def test_keys_of_callers_are_apart_unless_they_share(cached):
    it = cached(None, said("One."), said("Two."), said("Three."))
    assert content(it.infer(Caller(key_id="a"), cache=ON))[0]["text"] == "One."
    assert content(it.infer(Caller(key_id="b"), cache=ON))[0]["text"] == "Two."
    assert content(it.infer(Caller(key_id="a"), cache=ON))[0]["text"] == "One."
    shared = cached('[gateway.cache]\nscope = "shared"\n' + model() + function(), said("One."), said("Two."))
    for key in "ab":
        assert content(shared.infer(Caller(key_id=key), cache=ON))[0]["text"] == "One."


def test_credentials_of_requests_are_apart_unless_they_share(cached):
    toml = model(key="dynamic::k") + function()
    it = cached(toml, said("Alice's."), refusal(401), said("Alice's."))
    alice = {"k": "sk-alice"}
    assert content(it.infer(cache=ON, credentials=alice))[0]["text"] == "Alice's."
    with pytest.raises(AllVariantsFailed, match="401"):
        it.infer(cache=ON, credentials={"k": "sk-wrong"})
    assert content(it.infer(cache=ON, credentials=alice))[0]["text"] == "Alice's."
    assert len(it.sender.calls) == 2 and b"sk-alice" not in b"".join(it.cache.entries)
    shared = cached('[gateway.cache]\nscope = "shared"\n' + toml, said("One."), said("Two."))
    for key in ("sk-alice", "sk-bob"):
        assert content(shared.infer(cache=ON, credentials={"k": key}))[0]["text"] == "One."


@pytest.mark.parametrize("body", [b"", b"{", b"data: {", b'{"choices": 1}'])
@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_decoded_is_a_miss_and_is_replaced(cached, body, stream):
    it = cached(None, *[streamed("S.") if stream else said("S.")] * 2)
    ask = it.stream if stream else it.infer
    ask(cache=ON)
    ((key, good),) = it.cache.entries.items()
    it.cache.entries[key] = msgspec.structs.replace(good, body=body)
    answered = ask(cache=ON)
    assert content(answered[0].answered if stream else answered) == [{"type": "text", "text": "S."}]
    assert len(it.sender.calls) == 2 and [row.cached for row in it.attempts] == [False]
    assert it.cache.entries[key].body == good.body and it.counted("cache_hits") == {}
    assert it.counted("cache_misses") == {("m",): 2}


@pytest.mark.parametrize(
    ("request_", "toml", "collected"),
    [
        ({}, "", True),
        ({"cache": CachePolicy("read_only")}, "", False),
        ({"dryrun": True}, "", False),
        ({}, "[gateway.cache]\nmax_entry_bytes = 300\n", False),
    ],
)
def test_a_stream_is_collected_only_while_it_can_be_kept(cached, request_, toml, collected):
    it = cached(toml + model() + function(), streamed(*["a word "] * 10))
    stream, _ = it.stream(**{"cache": ON, **request_})
    kept = stream.upstream.keeping
    assert (kept is not None and bool(kept.pieces)) == collected == bool(it.cache.entries)


def test_failures_are_not_kept(cached):
    it = cached(None, refusal(500), said("Mended."))
    with pytest.raises(Exception, match="failed"):
        it.infer(cache=ON)
    assert content(it.infer(cache=ON))[0]["text"] == "Mended." and len(it.cache.entries) == 1


def test_a_broken_stream_is_not_kept(cached):
    it = cached(None, Answer(event({"content": "Ha"}), ProviderError("gone")))
    stream, _ = it.stream(cache=ON)
    assert stream.error is not None and not it.cache.entries
    it = cached(None, Answer(event({"content": "Ha"})))
    it.stream(cache=ON)
    assert not it.cache.entries


def test_a_trial_keeps_nothing(cached):
    it = cached(None, said())
    it.infer(cache=ON, dryrun=True)
    assert not it.cache.entries and it.cache.asked


def test_what_is_not_recorded_is_not_cached(cached):
    it = cached(model() + function(extra='record = { payloads = "metadata" }'), said())
    it.infer(cache=ON)
    assert not it.cache.entries


@pytest.mark.parametrize(
    ("name", "arguments", "kept"), [("look", '{"at": 1}', 1), ("look", "{}", 0), ("other", '{"at": 1}', 0)]
)
def test_calls_of_tools_that_do_not_fit_are_not_kept(cached, name, arguments, kept):
    it = cached(None, said(None, calls=[(name, arguments)], finish="tool_calls"))
    it.infer(cache=ON, tools=(Tool("look", "", {"type": "object", "required": ["at"]}),))
    assert len(it.cache.entries) == kept


def test_each_provider_is_asked_for_in_turn(cached):
    it = cached(model("m", "one", "two") + function(), refusal(500), said("Two."), refusal(500))
    it.infer(cache=ON)
    it.infer(cache=ON)
    assert [(row.provider_name, row.cached) for row in it.attempts] == [("one", False), ("two", True)]


def test_a_candidate_named_twice_answers_twice(cached):
    best = (
        'variants.best = { type = "experimental_best_of_n_sampling", candidates = ["v", "v"], '
        'evaluator = { model = "judge" } }\n'
    )
    it = cached(
        model() + model("judge") + function(variant(), best),
        said("One."),
        said("Two."),
        said(msgspec.json.encode({"thinking": "", "answer_choice": 0}).decode()),
    )
    it.infer(variant_name="best", cache=ON)
    assert len(it.cache.entries) == 3
    it.infer(variant_name="best", cache=ON)
    assert [row.cached for row in it.attempts][:2] == [True, True]


def test_without_a_cache_the_wish_is_no_error(line):
    it = line(model() + function(), said("One."), said("Two."))
    assert content(it.infer(cache=ON)) != content(it.infer(cache=ON))


def test_a_call_with_text_is_kept_whatever_the_text(cached):
    calls = [{"id": "c", "type": "custom", "custom": {"name": "sql", "input": "SELECT {"}}]
    body = said(None)
    body["choices"][0]["message"]["tool_calls"] = calls
    it = cached(None, body, said("other"))
    first, again = (it.infer(cache=ON, custom_tools=(CustomTool("sql"),)) for _ in range(2))
    assert content(first) == content(again) and len(it.sender.calls) == 1
