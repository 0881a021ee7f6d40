"""Embeddings through the line: whom they reach, what becomes of failures, what is counted and what it costs."""

import asyncio
from time import monotonic

import msgspec
import pytest
from tests.support.engine import Answer, Left, Line, function, model, refusal, said, variant

from calibrant.base.errors import (
    ClientDisconnected,
    Disconnected,
    Forbidden,
    InferenceTimeout,
    InvalidRequest,
    MissingCredential,
    NotFound,
    ProvidersExhausted,
)
from calibrant.engine.embed import answer_embeddings, embed
from calibrant.engine.engine import Caller
from calibrant.engine.journal import Journal
from calibrant.engine.limits import Limit
from calibrant.engine.presence import Presence
from calibrant.providers.price_table import Dated, Match, ModelPrices, Price, PriceTable, ProviderPrices
from calibrant.types.cached import CachePolicy
from calibrant.types.call import EmbeddingCall
from calibrant.types.embedding import EmbeddingRequest
from calibrant.types.key import Grants

ASKED = EmbeddingRequest("e", EmbeddingCall(("a",)))
USAGE = {"prompt_tokens": 1000, "total_tokens": 1000}
INPUT = frozenset({"direction=input"})
TABLE = PriceTable(
    PriceTable.encode(
        "prices/7",
        [("openai", r"http://.*\.e")],
        {
            "openai": ProviderPrices(
                (
                    ModelPrices(
                        "embed", Match("equals", "embed"), (Dated((Price("input_tokens", 10**6, INPUT, "0.02"),)),)
                    ),
                )
            )
        },
    )
)


def embedding_model(*providers, key="none", extra="", of_each=""):
    """The embedding model `e`; its provider `p` is called at http://p.e."""
    lines = ["[embedding_models.e]", f"routing = {list(providers or ('p',))}", extra]
    for name in providers or ("p",):
        lines += [f"[embedding_models.e.providers.{name}]", 'type = "openai"', 'model_name = "embed"']
        lines += [f'api_base = "http://{name}.e/v1"', f'api_key_location = "{key}"', of_each]
    return "\n".join(lines) + "\n"


def vectors(*found, usage=USAGE):
    data = [{"object": "embedding", "index": i, "embedding": each} for i, each in enumerate(found)]
    return {"object": "list", "data": data, "model": "embed-0", "usage": usage}


def ask(line, *inputs, model_name="e", caller=None, **fields):
    call = EmbeddingCall(inputs or ("a",), fields.pop("dimensions", None))
    request = EmbeddingRequest(model_name, call, **fields)
    caller = caller or Caller("openai_embeddings")
    return asyncio.run(answer_embeddings(line.engine, request, caller, monotonic()))


def test_each_input_has_its_vector(line):
    it = line(embedding_model(), vectors([1, 0], [0, 1]))
    found = ask(it, "a", "b", dimensions=2)
    assert found.reply.embeddings == ((1.0, 0.0), (0.0, 1.0))
    assert it.sender.bodies == [{"model": "embed", "input": ["a", "b"], "dimensions": 2}]
    assert it.sender.calls[0].url == "http://p.e/v1/embeddings"
    (row,) = found.calls
    assert (row.model_name, row.provider_name, row.status, row.api_type) == ("e", "p", "ok", "embeddings")
    assert (row.input_tokens, row.output_tokens, row.usage_source, row.provider_model) == (
        1000, 0, "reported", "embed-0",
    )  # fmt: skip


def test_it_is_counted_and_not_recorded(line):
    it = line(embedding_model(), vectors([1]), prices=TABLE)
    assert ask(it).cost == "0.00002"
    assert it.records == []
    assert it.counted("inferences") == {("openai_embeddings", "", "e", "ok"): 1}
    assert it.counted("input_tokens") == {("e",): 1000}
    assert it.counted("output_tokens") == {("e",): 0}
    assert it.counted("cost_usd") == {("e",): 0.00002}
    assert it.counted("unknown_costs") == {("e",): 0}


def test_the_configurations_rules_price_it_too(line):
    rule = 'cost = [{ pointer = "/usage/total_tokens", cost_per_million = 3, required = true }]'
    found = ask(line(embedding_model(of_each=rule), vectors([1]), prices=TABLE))
    assert (found.cost, found.calls[0].price_version) == ("0.003", "config")


def test_tokens_that_nobody_counted_are_estimated_for_the_cost_alone(line):
    it = line(embedding_model(), vectors([1], usage=None), prices=TABLE)
    found = ask(it, "word " * 800)
    assert found.reply.usage.input_tokens is None
    (row,) = found.calls
    assert row.usage_source == "estimated" and row.input_tokens > 500 and row.output_tokens == 0
    assert float(found.cost) == pytest.approx(row.input_tokens * 0.02 / 1e6)
    assert it.counted("input_tokens") == {("e",): 0}


@pytest.mark.parametrize(
    "failure",
    [
        refusal(500),
        refusal(401),
        Disconnected("cut"),
        Answer(b"<html>"),
        vectors(),
        vectors([1], [2]),
        vectors([]),
        vectors("AAA="),
    ],
    ids=["500", "401", "cut", "html", "none", "too many", "empty", "no float32"],
)
def test_the_next_provider_has_its_turn(line, failure):
    it = line(embedding_model("p", "q"), failure, vectors([2]))
    found = ask(it)
    assert it.sender.asked == ["p.e", "q.e"]
    assert found.reply.embeddings == ((2.0,),)
    assert [(row.provider_name, row.status, row.attempt) for row in found.calls] == [("p", "error", 1), ("q", "ok", 2)]
    ((labels, n),) = it.counted("provider_errors").items()
    assert labels[:2] == ("e", "p") and n == 1


def test_when_all_failed_the_error_comes_unwrapped(line):
    it = line(embedding_model("p", "q"), refusal(429))
    with pytest.raises(ProvidersExhausted, match="'e'.*p: provider 'p'.*q: provider 'q'") as caught:
        ask(it, include_raw_response=True)
    assert caught.value.status == 500
    assert [answer.api_type for answer in caught.value.provider_answers] == ["embeddings"] * 2
    assert it.counted("inferences") == {("openai_embeddings", "", "e", "providers_exhausted"): 1}


def test_a_name_that_nobody_has_is_a_404(line):
    it = line(embedding_model(), vectors([1]), environ={"OPENAI_API_KEY": "k"})
    for name in ("f", "openai::", "openai::responses::x", "groq::x", "vllm::x", "m::x"):
        with pytest.raises(NotFound, match="embedding model"):
            ask(it, model_name=name)
    assert it.sender.calls == []
    assert it.counted("inferences") == {("openai_embeddings", "", "", "not_found"): 6}


def test_a_shorthand_needs_no_configuration(line):
    it = line("", vectors([1]), environ={"OPENAI_API_KEY": "k"})
    ask(it, model_name="openai::text-embedding-3-small")
    assert it.sender.asked == ["api.openai.com"]
    assert it.sender.bodies[0]["model"] == "text-embedding-3-small"
    assert dict(it.sender.calls[0].headers)["authorization"] == "Bearer k"
    with pytest.raises(MissingCredential, match="MISTRAL_API_KEY"):
        ask(it, model_name="mistral::mistral-embed")


def test_shorthands_that_callers_make_up_do_not_pile_up(line):
    compiler = line("").engine.compiler
    first = compiler.embedding_model("openai::0")
    assert compiler.embedding_model("openai::0") is first
    for i in range(1, 1100):
        compiler.embedding_model(f"openai::{i}")
    assert compiler.embedding_model("openai::0") is not first


def test_a_credential_and_an_address_come_with_the_request(line):
    azure = """
        [embedding_models.e]
        routing = ["p"]
        [embedding_models.e.providers.p]
        type = "azure"
        deployment_id = "d"
        endpoint = "dynamic::where"
        api_key_location = "dynamic::key"
    """
    it = line(azure, vectors([1]))
    ask(it, credentials={"where": "https://mine.example", "key": "canary"})
    (call,) = it.sender.calls
    assert call.url.startswith("https://mine.example/") and "canary" in str(call.headers)
    for lacking in ({"key": "canary"}, {"where": "https://mine.example"}):
        with pytest.raises(MissingCredential) as caught:
            ask(it, credentials=lacking)
        assert caught.value.status == 400


def test_a_key_that_a_provider_quotes_is_struck(line):
    it = line(embedding_model(key="dynamic::key"), refusal(401, "Wrong key: canary."))
    with pytest.raises(ProvidersExhausted) as caught:
        ask(it, credentials={"key": "canary"}, include_raw_response=True)
    assert "canary" not in caught.value.message + str(caught.value.provider_answers)
    assert "Wrong key: ***" in caught.value.message


def test_what_the_configuration_changes_of_the_request(line):
    extra = (
        'extra_body = [{ pointer = "/input_type", value = "query" }, { pointer = "/model", delete = true }]\n'
        'extra_headers = [{ name = "X-Team", value = "t" }]'
    )
    it = line(embedding_model(of_each=extra), vectors([1]))
    ask(it)
    assert it.sender.bodies == [{"input": ["a"], "input_type": "query"}]
    assert dict(it.sender.calls[0].headers)["x-team"] == "t"


@pytest.mark.parametrize(
    ("extra", "of_each", "whose"),
    [
        ("timeout_ms = 1", "", "the model 'e'"),
        ("timeouts.non_streaming.total_ms = 1", "", "the model 'e'"),
        ("", "timeout_ms = 1", "the provider 'p'"),
        ("", "timeouts.non_streaming.total_ms = 1", "the provider 'p'"),
    ],
)
def test_whose_time_is_over(line, extra, of_each, whose):
    def late(call):
        until = monotonic() + 0.004
        while monotonic() < until:
            pass
        return InferenceTimeout("late")

    it = line(embedding_model(extra=extra, of_each=of_each), late)
    with pytest.raises((InferenceTimeout, ProvidersExhausted), match=whose) as caught:
        ask(it)
    assert caught.value.status == (408 if whose.startswith("the model") else 500)
    assert it.sender.deadlines[0].total - monotonic() < 0.1


def test_a_model_of_a_namespace_serves_it_alone(line):
    it = line(embedding_model(extra='namespace = "n"'), vectors([1]))
    assert ask(it, namespace="n").reply.embeddings
    for other in (None, "m"):
        with pytest.raises(InvalidRequest, match="namespace 'n'"):
            ask(it, namespace=other)


def test_what_needs_vectors_for_an_inference_has_the_calls_in_its_journal(tmp_path):
    it = Line(tmp_path, embedding_model("p", "q"), refusal(500), vectors([1]))
    journal = Journal("0196ffff-0000-7000-8000-000000000000")

    async def go(limit=None):
        return await embed(it.engine, ASKED, Caller(), journal, variant_name="dicl", limit=limit)

    assert asyncio.run(go()).embeddings == ((1.0,),)
    assert [(row.inference_id, row.variant_name, row.attempt) for row in journal.rows] == [
        (journal.inference_id, "dicl", 1),
        (journal.inference_id, "dicl", 2),
    ]
    assert msgspec.json.decode(journal.rows[-1].raw_request) == {"model": "embed", "input": ["a"]}
    with pytest.raises(InferenceTimeout, match="the variant 'dicl'"):
        asyncio.run(go(Limit(monotonic() - 1, "the variant 'dicl'")))
    assert it.counted("inferences") == {}


@pytest.mark.parametrize(
    ("grants", "may"),
    [
        (Grants(models=("e",)), True),
        (Grants(models=("e*",), functions=("f",)), True),
        (Grants(models=("m",)), False),
        (Grants(functions=("f",)), False),
        (Grants(functions=("*",)), True),
    ],
)
def test_a_key_with_a_list_embeds_by_what_is_on_it(line, grants, may):
    it = line(embedding_model(), vectors([1]), environ={"OPENAI_API_KEY": "k"})
    if may:
        assert ask(it, caller=Caller("openai_embeddings", grants=grants)).reply.embeddings
        return
    for name in ("e", "openai::text-embedding-3-small", "nope"):
        with pytest.raises(Forbidden, match=name):
            ask(it, model_name=name, caller=Caller("openai_embeddings", grants=grants))
    assert it.sender.calls == []
    assert it.counted("auth_refused") == {("model",): 3}


def test_a_function_may_have_no_model_embed_that_its_caller_may_not_use(line):
    it = line(embedding_model(), vectors([1]))
    for grants, error in ((Grants(functions=("f",)), None), (Grants(models=("m",), functions=("f",)), Forbidden)):
        run = embed(it.engine, ASKED, Caller(grants=grants), Journal("i"))
        if error is None:
            assert asyncio.run(run).embeddings == ((1.0,),)
        else:
            with pytest.raises(error):
                asyncio.run(run)


class Held:
    """A cache in memory."""

    def __init__(self):
        self.entries = {}

    async def get(self, key, max_age_s):
        return self.entries.get(key)

    def put(self, key, model_name, entry):
        self.entries[key] = entry


def test_the_same_again_comes_from_the_cache_and_costs_nothing(line):
    it = line(embedding_model(), vectors([1, 2], [3, 4]), vectors([9]), prices=TABLE, cache=Held())
    on = CachePolicy("on")
    first = ask(it, "a", "b", cache=on)
    again = ask(it, "a", "b", cache=on, include_raw_response=True)
    assert again.reply.embeddings == first.reply.embeddings == ((1.0, 2.0), (3.0, 4.0))
    assert len(it.sender.calls) == 1
    (row,) = again.calls
    assert (row.cached, row.cost, row.input_tokens, again.cost, again.reply.usage.input_tokens) == (
        True,
        "0",
        0,
        "0",
        0,
    )
    assert it.counted("cache_hits") == {("e",): 1} == it.counted("cache_misses")
    assert ask(it, "a", cache=on).reply.embeddings == ((9.0,),)


def test_each_key_has_a_cache_of_its_own_and_a_request_says_how_it_is_used(line):
    it = line(embedding_model(), vectors([1]), cache=Held())
    for policy, kept in (("off", 0), ("read_only", 0), ("write_only", 1), ("on", 1)):
        ask(it, cache=CachePolicy(policy))
        assert len(it.engine.cache.entries) == kept
    assert len(it.sender.calls) == 3
    ask(it, cache=CachePolicy("on"), caller=Caller("openai_embeddings", key_id="k"))
    assert len(it.engine.cache.entries) == 2


@pytest.mark.parametrize("body", [b"", b"{", b'{"data": []}'])
def test_what_the_cache_has_and_nobody_can_read_is_a_miss(line, body):
    it = line(embedding_model(), vectors([1]), vectors([2]), cache=Held())
    ask(it, cache=CachePolicy("on"))
    ((key, good),) = it.engine.cache.entries.items()
    it.engine.cache.entries[key] = msgspec.structs.replace(good, body=body)
    for _ in range(2):
        assert ask(it, cache=CachePolicy("on")).reply.embeddings == ((2.0,),)
    assert len(it.sender.calls) == 2 and it.counted("cache_hits") == {("e",): 1}


def test_credentials_of_requests_are_apart(line):
    it = line(embedding_model(key="dynamic::k"), vectors([1]), vectors([2]), cache=Held())
    answers = [ask(it, cache=CachePolicy("on"), credentials={"k": key}).reply.embeddings for key in ("a", "b", "a")]
    assert answers == [((1.0,),), ((2.0,),), ((1.0,),)]


def test_what_is_no_answer_is_not_kept(line):
    it = line(embedding_model(), vectors([1], [2]), cache=Held())
    with pytest.raises(ProvidersExhausted):
        ask(it, cache=CachePolicy("on"))
    assert it.engine.cache.entries == {}


def test_nothing_is_kept_where_payloads_are_not(line):
    it = line('record.payloads = "metadata"\n' + embedding_model(), vectors([1]), cache=Held())
    ask(it, cache=CachePolicy("on"))
    assert it.engine.cache.entries == {}


def test_calls_go_around_a_provider_that_keeps_failing(line):
    toml = "[gateway.breaker]\nfailures = 2\n" + embedding_model("a", "b")
    # A model may have the same name; how its providers fare is another matter.
    toml += model("e", "a", "b") + function(variant(model="e"))
    it = line(toml, lambda call: refusal(500) if "a.e" in call.url else vectors([0.5]))
    for _ in range(4):
        ask(it)
    assert it.sender.asked == ["a.e", "b.e"] * 2 + ["b.e"] * 2
    assert it.counted("breaker_opened") == {("e", "a"): 1}
    it.sender.calls.clear()
    it.sender.steps = [said()]
    it.infer()
    assert it.sender.asked == ["a.e"]


def test_who_leaves_has_nothing_embedded_by_anybody_else(line):
    presence = Presence()
    it = line(embedding_model("p", "q"), Left(presence))
    with pytest.raises(ClientDisconnected):
        ask(it, caller=Caller("openai_embeddings", presence=presence))
    assert it.sender.asked == ["p.e"]
    assert it.counted("inferences") == {("openai_embeddings", "", "e", "client_disconnected"): 1}
