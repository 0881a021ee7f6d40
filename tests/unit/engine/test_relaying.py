"""What another gateway is sent, and what becomes of what it answers."""

import asyncio
from time import monotonic

import msgspec
import pytest
from tests.support.engine import Answer, content, function, model, said, variant

from calibrant.base.errors import AllVariantsFailed, MissingCredential, ProviderError, ProvidersExhausted
from calibrant.engine.embed import answer_embeddings
from calibrant.engine.engine import Caller
from calibrant.types.cached import CachePolicy
from calibrant.types.call import EmbeddingCall
from calibrant.types.content import Text, Unknown
from calibrant.types.embedding import EmbeddingRequest
from calibrant.types.extra import ExtraBody, ExtraHeader, ProviderTool, Scope
from calibrant.types.message import Input, Message
from calibrant.types.request import Params
from calibrant.wire import native, openai_embeddings

RELAY = '[gateway.relay]\ngateway_url = "http://central.test"\napi_key_location = "dynamic::gate"\n'
GATE = {"gate": "sk-t0-gate"}
WHO = {"inference_id": "there", "episode_id": "e", "variant_name": "m"}
USAGE = {"input_tokens": 7, "output_tokens": 3, "cost": 0.25}


def answered(text="Hi.", *, usage=USAGE, **fields):
    return WHO | {"content": [{"type": "text", "text": text}], "usage": usage, "finish_reason": "stop"} | fields


def event(**fields):
    return b"data: " + msgspec.json.encode(WHO | fields) + b"\n\n"


def piece(text):
    return event(content=[{"type": "text", "id": "0", "text": text}])


def refused(status, message, **fields):
    return Answer(msgspec.json.encode({"error": message} | fields), status=status)


@pytest.fixture
def relayed(line):
    def _relayed(*steps, toml=None, **options):
        return line(RELAY + (toml or model() + function()), *(steps or (answered(),)), **options)

    return _relayed


def test_the_call_and_its_key(relayed):
    it = relayed()
    one = it.infer(credentials=GATE, tags={"user": "u"}, params=Params(temperature=0.5))
    (call,) = it.sender.calls
    assert (call.method, call.url) == ("POST", "http://central.test/inference")
    assert dict(call.headers)["authorization"] == "Bearer sk-t0-gate"
    assert it.sender.bodies == [
        {
            "model_name": "m",
            "input": {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello?"}]}]},
            "params": {"chat_completion": {"temperature": 0.5}},
            "tags": {"user": "u"},
            "credentials": GATE,
        }
    ]
    assert content(one) == [{"type": "text", "text": "Hi."}] and one.cost == "0.25"
    (row,) = it.attempts
    assert (row.provider_type, row.price_version, row.cost) == ("tensorzero::relay", "provider", "0.25")
    assert (row.provider_model, row.provider_request_id) == ("m", "there")
    assert b"sk-t0-gate" not in row.raw_request and b'"tags"' in row.raw_request


def test_a_key_that_does_not_come_is_the_callers_fault_where_the_variant_is_pinned(relayed):
    it = relayed()
    with pytest.raises(MissingCredential, match="no 'gate'"):
        it.infer(variant_name="v")
    assert it.sender.calls == []


def test_changes_go_on_with_the_provider_that_they_are_for(relayed):
    mine = Scope(model_name="m", provider_name="openai")
    extra = 'extra_body = [{pointer = "/a", value = 1}], extra_headers = [{name = "X-V", value = "v"}]'
    it = relayed(toml=model() + function(variant(extra=extra)))
    it.infer(
        credentials=GATE,
        extra_body=(
            ExtraBody("/b", 2, scope=mine),
            ExtraBody("/c", delete=True, scope=Scope(variant_name="v")),
            ExtraBody("/d", 3, scope=Scope(variant_name="other")),
            ExtraBody("/e", 4, scope=Scope(model_name="other")),
        ),
        extra_headers=(ExtraHeader("x-h", None, mine),),
        provider_tools=(
            ProviderTool({"type": "search"}, mine),
            ProviderTool({"type": "any"}),
            ProviderTool({"type": "none"}, Scope(model_name="other")),
        ),
    )
    (body,) = it.sender.bodies
    there = {"model_name": "m", "provider_name": "openai"}
    assert body["extra_body"] == [
        {"pointer": "/a", "value": 1},
        {"pointer": "/b", "value": 2, **there},
        {"pointer": "/c", "delete": True},
    ]
    assert body["extra_headers"] == [{"name": "x-v", "value": "v"}, {"name": "x-h", "delete": True, **there}]
    assert body["provider_tools"] == [{"tool": {"type": "search"}, "scope": there}, {"tool": {"type": "any"}}]
    assert b"x-v" not in it.attempts[0].raw_request
    # The other gateway reads it as it would a caller's.
    native.decode(it.sender.calls[0].body, now_ms=0)


def test_blocks_of_other_models_stay_here(relayed):
    it = relayed()
    blocks = (Text("Hello?"), Unknown({"x": 1}, "other"), Unknown({"y": 2}, "m", "p"))
    it.infer(credentials=GATE, input=Input((Message("user", blocks),)))
    (message,) = it.sender.bodies[0]["input"]["messages"]
    unknown = {"type": "unknown", "data": {"y": 2}, "model_name": "m", "provider_name": "p"}
    assert message["content"] == [{"type": "text", "text": "Hello?"}, unknown]


def test_a_trial_is_one_there_too(relayed):
    it = relayed()
    it.infer(credentials=GATE, dryrun=True, internal=True, namespace="n", tags={"tensorzero::ui": "true"})
    (body,) = it.sender.bodies
    assert body["namespace"] == "n"
    assert body["dryrun"] is True and body["internal"] is True and body["tags"] == {"tensorzero::ui": "true"}


def test_a_model_that_skips_it_and_a_shorthand_that_does_not(relayed):
    it = relayed(said("Own."), answered(), toml=model(extra="skip_relay = true") + function())
    assert content(it.infer())[0]["text"] == "Own."
    it.infer(model_name="openai::gpt-4o", credentials=GATE)
    assert it.sender.bodies[1]["model_name"] == "openai::gpt-4o"
    assert [call.url for call in it.sender.calls] == ["http://p.m/v1/chat/completions", "http://central.test/inference"]


@pytest.mark.parametrize(("theirs", "ours"), [(400, 502), (401, 502), (404, 502), (429, 429), (500, 502), (503, 502)])
def test_the_status_of_a_failure(relayed, theirs, ours):
    it = relayed(refused(theirs, "the reason"))
    with pytest.raises(AllVariantsFailed, match="the reason") as sampled:
        it.infer(credentials=GATE)
    assert sampled.value.status == ours
    assert (it.attempts[0].http_status, it.attempts[0].status, it.row.http_status) == (theirs, "error", ours)
    with pytest.raises(ProvidersExhausted, match="the reason") as pinned:
        it.infer(credentials=GATE, variant_name="v")
    assert pinned.value.status == ours


def test_what_passes_on_is_quoted_nowhere(relayed):
    it = relayed(refused(400, "no such key: sk-mine, nor sk-t0-gate"))
    with pytest.raises(AllVariantsFailed) as caught:
        it.infer(credentials=GATE | {"mine": "sk-mine"})
    for kept in (caught.value.message, str(it.attempts), str(it.row)):
        assert "sk-mine" not in kept and "sk-t0-gate" not in kept


def test_a_stream_that_breaks_there(relayed):
    broken = Answer(piece("Hel"), piece("lo"), b'data: {"error":"hung up"}\n\ndata: [DONE]\n\n')
    it = relayed(broken)
    stream, chunks = it.stream(credentials=GATE)
    assert [delta.text for chunk in chunks for delta in chunk.content] == ["Hel", "lo"]
    assert isinstance(stream.error, ProviderError) and "hung up" in stream.error.message
    assert it.row.status == "error" and it.attempts[0].usage_source == "estimated"


def test_a_whole_stream(relayed):
    end = event(content=[], usage=USAGE, finish_reason="stop")
    it = relayed(Answer(piece("Hel"), piece("lo"), end, b"data: [DONE]\n\n"))
    it.stream(credentials=GATE, include_raw_response=True, include_raw_usage=True)
    assert (it.row.finish_reason, it.row.cost, it.row.input_tokens) == ("stop", "0.25", 7)
    (body,) = it.sender.bodies
    assert body["stream"] is True and body["include_raw_usage"] is True and "include_raw_response" not in body


def test_tags_do_not_change_what_the_cache_knows_but_changes_do(relayed):
    held = {}

    class Held:
        async def get(self, key, max_age_s):
            return held.get(key)

        def put(self, key, model_name, entry):
            held[key] = entry

    it = relayed(answered("One."), answered("Two."), cache=Held())
    on = {"cache": CachePolicy("on"), "credentials": GATE}
    assert content(it.infer(tags={"a": "1"}, **on)) == content(it.infer(tags={"a": "2"}, **on))
    hit = it.infer(include_raw_usage=True, **on)
    assert hit.cost == "0" and native.encode(hit).endswith(b'"raw_usage":[]}')
    changed = it.infer(extra_headers=(ExtraHeader("x-a", "1"),), **on)
    assert content(changed)[0]["text"] == "Two." and len(it.sender.calls) == 2


def test_raw_entries_are_those_of_the_other_gateways_providers(relayed):
    usage = {"model_inference_id": "x", "provider_type": "groq", "api_type": "chat_completions", "data": {"n": 1}}
    response = usage | {"data": "raw text"}
    it = relayed(answered(raw_usage=[usage], raw_response=[response]))
    one = it.infer(credentials=GATE, include_raw_usage=True, include_raw_response=True)
    body = msgspec.json.decode(native.encode(one))
    assert (body["raw_usage"], body["raw_response"]) == ([usage], [response])
    (sent,) = it.sender.bodies
    assert sent["include_raw_usage"] is True and sent["include_raw_response"] is True
    failed = relayed(refused(502, "all failed", raw_response=[response]))
    with pytest.raises(AllVariantsFailed) as caught:
        failed.infer(credentials=GATE, include_raw_response=True)
    assert msgspec.json.decode(msgspec.json.encode(caught.value.provider_answers)) == [response]
    # A gateway that tells nothing of its calls is what answered.
    silent = relayed(answered())
    told = msgspec.json.decode(native.encode(silent.infer(credentials=GATE, include_raw_usage=True)))["raw_usage"]
    assert [each["provider_type"] for each in told] == ["tensorzero::relay"] and told[0]["data"] == USAGE


def test_an_unknown_cost_stays_unknown(relayed):
    it = relayed(answered(usage=USAGE | {"cost": None}))
    assert it.infer(credentials=GATE).cost is None
    assert it.attempts[0].price_version is None


def embedded(line, answer, toml="", **fields):
    it = line(RELAY + toml, answer)
    request = EmbeddingRequest("e", EmbeddingCall(("a",)), credentials=GATE | {"mine": "sk-mine"}, **fields)
    return it, asyncio.run(answer_embeddings(it.engine, request, Caller(), monotonic()))


EMBEDDER = """[embedding_models.e]
routing = ["p"]
[embedding_models.e.providers.p]
type = "openai"
model_name = "x"
api_key_location = "env::NOBODY_HAS_IT"
"""
VECTORS = {
    "data": [{"index": 0, "embedding": [1.0]}],
    "usage": {"prompt_tokens": 2, "total_tokens": 2, "tensorzero_cost": 0.5},
    "tensorzero_raw_response": [{"provider_type": "mistral", "data": "raw"}],
}


def test_embeddings_go_on_with_credentials_and_namespace(line):
    it, answer = embedded(line, VECTORS, EMBEDDER, namespace="n", include_raw_response=True)
    (call,) = it.sender.calls
    assert call.url == "http://central.test/openai/v1/embeddings"
    assert dict(call.headers)["authorization"] == "Bearer sk-t0-gate"
    assert it.sender.bodies == [
        {
            "model": "tensorzero::embedding_model_name::e",
            "input": ["a"],
            "tensorzero::namespace": "n",
            "tensorzero::include_raw_response": True,
            "tensorzero::credentials": GATE | {"mine": "sk-mine"},
        }
    ]
    assert (answer.reply.embeddings, answer.cost) == (((1.0,),), "0.5")
    (row,) = answer.calls
    assert b"sk-" not in row.raw_request and row.provider_type == "tensorzero::relay"
    told = msgspec.json.decode(openai_embeddings.encode(answer))["tensorzero_raw_response"]
    assert told == VECTORS["tensorzero_raw_response"]


def test_an_embedding_model_that_skips_it(line):
    skips = EMBEDDER.replace("routing", "skip_relay = true\nrouting").replace("env::NOBODY_HAS_IT", "none")
    it, _ = embedded(line, VECTORS, skips)
    assert it.sender.calls[0].url == "https://api.openai.com/v1/embeddings"


@pytest.mark.parametrize(("theirs", "ours"), [(400, 502), (429, 429), (500, 502)])
def test_embeddings_that_fail_there(line, theirs, ours):
    with pytest.raises(ProvidersExhausted, match="the reason") as caught:
        embedded(line, refused(theirs, {"message": "the reason"}), EMBEDDER)
    assert caught.value.status == ours
