"""What configuration and caller change of a provider's request, through the line."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from msgspec.structs import replace
from tests.support.engine import function, model, refusal, said, streamed, variant

from calibrant.base.errors import MissingCredential, ProvidersExhausted
from calibrant.engine.compiled import Compiler
from calibrant.types.call import HttpCall
from calibrant.types.content import Text, Unknown
from calibrant.types.extra import ExtraBody, ExtraHeader, Scope
from calibrant.types.message import Input, Message
from calibrant.types.reply import Reply, Usage
from calibrant.wire import native, openai_chat

_EXTRA = 'extra_body = [{pointer = "/who", value = "%s"}, {pointer = "/%s", value = 1}]\n'


def test_the_order_is_variant_provider_request(line) -> None:
    toml = (
        model()
        + _EXTRA % ("provider", "p")
        + 'extra_headers = [{name = "X-Who", value = "provider"}]\n'
        + function(variant(extra='extra_body = [{pointer="/who", value="variant"}, {pointer="/v", value=1}]'))
    )
    it = line(toml, said("Hi."), said("Hi."))
    it.infer()
    body = msgspec.json.decode(it.sender.calls[0].body)
    assert (body["who"], body["v"], body["p"]) == ("provider", 1, 1)
    assert ("x-who", "provider") in it.sender.calls[0].headers
    it.infer(
        extra_body=(ExtraBody("/who", "caller"), ExtraBody("/p", delete=True)),
        extra_headers=(ExtraHeader("x-who", "caller"),),
    )
    body = msgspec.json.decode(it.sender.calls[1].body)
    assert body["who"] == "caller" and "p" not in body
    assert ("x-who", "caller") in it.sender.calls[1].headers
    assert msgspec.json.decode(it.attempts[-1].raw_request) == body


def test_what_is_for_another_call_is_left_out(line) -> None:
    it = line(model("m", "a", "b") + function(), refusal(500), said("Hi."))
    only_b = Scope(None, "m", "b")
    it.infer(
        extra_body=(ExtraBody("/b", 1, scope=only_b), ExtraBody("/w", 1, scope=Scope("other"))),
    )
    first, second = (msgspec.json.decode(call.body) for call in it.sender.calls)
    assert "b" not in first and second["b"] == 1
    assert "w" not in second


def test_an_unknown_block_of_another_model_is_left_out(line) -> None:
    mine, foreign = Unknown({"type": "mine"}, "m", "p"), Unknown({"type": "foreign"}, "other", "p")
    it = line(model() + function(), said("Hi."))
    messages = (
        Message("user", (Text("a"), mine, foreign)),
        Message("assistant", (foreign,)),
        Message("user", (Text("b"),)),
    )
    it.infer(input=Input(messages))
    sent = msgspec.json.decode(it.sender.calls[0].body)["messages"]
    assert [m["role"] for m in sent] == ["user", "user"]
    assert sent[0]["content"] == [{"type": "text", "text": "a"}, {"type": "mine"}]


def test_an_unknown_block_of_another_provider_is_left_out_where_the_model_falls_back(line) -> None:
    it = line(model("m", "a", "b") + function(), refusal(), said("Hi."))
    blocks = (Text("a"), Unknown({"type": "of a"}, "m", "a"), Unknown({"type": "of b"}, "m", "b"))
    it.infer(input=Input((Message("user", blocks),)))
    first, second = ([part["type"] for part in body["messages"][0]["content"]] for body in it.sender.bodies)
    assert (first, second) == (["text", "of a"], ["text", "of b"])


def test_a_pointer_that_leads_nowhere_is_the_provider_s_failure(line) -> None:
    it = line(model() + function())
    with pytest.raises(ProvidersExhausted, match="extra_body: the pointer '/model/x'"):
        it.infer(variant_name="v", extra_body=(ExtraBody("/model/x", 1),))
    assert it.sender.calls == []


def test_an_extra_header_is_recorded_nowhere(line) -> None:
    it = line(model() + function(), said("Hi."))
    it.infer(extra_headers=(ExtraHeader("x-key", "canary"),))
    assert ("x-key", "canary") in it.sender.calls[0].headers
    assert b"canary" not in msgspec.msgpack.encode(it.records)


DIALECTS = [(native, "native", ""), (openai_chat, "openai_chat", "tensorzero_")]
WANTED = {"include_raw_usage": True, "include_raw_response": True, "include_original_response": True}


@pytest.mark.parametrize(
    ("codec", "dialect", "prefix"), [(native, "native", ""), (openai_chat, "openai_chat", "tensorzero_")]
)
def test_what_is_raw_comes_back_where_it_is_asked_for(line, codec, dialect, prefix) -> None:
    it = line(model("m", "a", "b") + function(), refusal(429, "busy"), said("Hi."))
    body = msgspec.json.decode(codec.encode(it.infer(dialect=dialect, **WANTED)))
    bad, good = it.attempts
    common = {"provider_type": "openai", "api_type": "chat_completions"}
    assert body[f"{prefix}raw_usage"] == [
        {"model_inference_id": good.id, **common, "data": {"prompt_tokens": 7, "completion_tokens": 3}}
    ]
    assert body[f"{prefix}raw_response"] == [
        {"model_inference_id": row.id, **common, "data": row.raw_response.decode()} for row in (bad, good)
    ]
    assert body[f"{prefix}original_response"] == good.raw_response.decode()


def test_nothing_raw_comes_unasked(line) -> None:
    it = line(model() + function(), said("Hi."))
    assert b"raw_" not in native.encode(it.infer())


@pytest.mark.parametrize(
    ("codec", "dialect", "prefix"), [(native, "native", ""), (openai_chat, "openai_chat", "tensorzero_")]
)
def test_a_stream_shows_each_event_of_the_provider(line, codec, dialect, prefix) -> None:
    it = line(model() + function(), streamed("H", "i"))
    stream, chunks = it.stream(dialect=dialect, **WANTED)
    events = codec.Events(stream.head)
    sent = b"".join(events.chunk(chunk) for chunk in chunks)
    raws = [msgspec.json.decode(e[6:])[f"{prefix}raw_chunk"] for e in sent.split(b"\n\n") if e]
    assert raws == [chunk.raw.decode() for chunk in chunks]
    answered = stream.answered
    last = events.final(answered).split(b"\n\n")[-2]
    (entry,) = msgspec.json.decode(last[6:])[f"{prefix}raw_usage"]
    assert entry["data"] == {"prompt_tokens": 7, "completion_tokens": 3}


def test_an_error_shows_what_the_providers_said(line) -> None:
    it = line(model() + function(), refusal(400, "no such model"))
    with pytest.raises(ProvidersExhausted) as caught:
        it.infer(variant_name="v", include_raw_response=True)
    (answer,) = caught.value.provider_answers
    assert "no such model" in answer.data


class _Elsewhere:
    """An adapter that shows where it was told to call."""

    def __init__(self, provider) -> None:
        self.provider = provider

    def encode(self, call):
        return HttpCall("POST", str(self.provider.options["endpoint"]), (), b"{}")

    def sign(self, http, secret, now):
        return http

    def decode(self, status, headers, body, *, json_tool=True):
        return Reply((Text("Hi."),), Usage(), "stop")


@pytest.fixture
def elsewhere(line, monkeypatch):
    """An engine whose model has a provider at the address that the request brings, and one after it."""
    monkeypatch.setattr("calibrant.engine.compiled.adapter", _Elsewhere)
    it = line(model("m", "a", "b") + function())
    first, second = it.config.models["m"].providers
    first = replace(first, options={"endpoint": "dynamic::where"})
    second = replace(second, options={"endpoint": "https://fixed"})
    config = replace(it.config, models={"m": replace(it.config.models["m"], providers=(first, second))})
    it.engine = dataclasses.replace(it.engine, config=config, compiler=Compiler(config))
    return it


def test_an_address_comes_with_the_request(elsewhere) -> None:
    for where in ("https://one", "http://two:8080/base"):
        elsewhere.infer(credentials={"where": where})
        assert elsewhere.sender.calls[-1].url == where
    assert [row.provider_name for row in elsewhere.attempts] == ["a"]


@pytest.mark.parametrize(
    ("credentials", "said"),
    [({}, "the request has no 'where'"), ({"where": "file:///etc/passwd"}, "is no address that starts with https://")],
)
def test_without_an_address_the_next_provider_is_called(elsewhere, credentials, said) -> None:
    elsewhere.infer(credentials=credentials)
    assert [call.url for call in elsewhere.sender.calls] == ["https://fixed"]
    refused, served = elsewhere.attempts
    assert (refused.error_code, served.status) == ("missing_credential", "ok") and said in refused.error_message
    assert "passwd" not in repr(elsewhere.records)


def test_a_region_and_keys_of_aws_come_with_the_request(line) -> None:
    toml = (
        '[models.m]\nrouting = ["p"]\n[models.m.providers.p]\ntype = "aws_bedrock"\nmodel_id = "x"\n'
        'region = "dynamic::region"\naccess_key_id = "dynamic::id"\nsecret_access_key = "dynamic::key"\n'
        'session_token = "dynamic::session"\n'
    )
    answer = {"output": {"message": {"role": "assistant", "content": [{"text": "Hi."}]}}, "stopReason": "end_turn"}
    it = line(toml + function(), answer)
    credentials = {"region": "eu-west-3", "id": "AKID", "key": "canary-key", "session": "canary-session"}
    assert it.infer(credentials=credentials).content[0].text == "Hi."
    (call,) = it.sender.calls
    headers = dict(call.headers)
    assert call.url.startswith("https://bedrock-runtime.eu-west-3.amazonaws.com/")
    assert headers["x-amz-security-token"] == "canary-session"
    assert "/eu-west-3/bedrock/aws4_request" in headers["authorization"] and "AKID/" in headers["authorization"]
    assert "canary" not in repr(it.records)
    with pytest.raises(MissingCredential, match="what the request has at 'region' in its `credentials` is no name"):
        it.infer(variant_name="v", credentials={**credentials, "region": "evil.example/"})
    with pytest.raises(MissingCredential, match="no 'session' in its"):
        it.infer(variant_name="v", credentials={"region": "us-east-1", "id": "i", "key": "k"})
    assert len(it.sender.calls) == 1


def test_the_address_of_azure_comes_with_the_request(line) -> None:
    toml = (
        '[models.m]\nrouting = ["p"]\n[models.m.providers.p]\ntype = "azure"\ndeployment_id = "d"\n'
        'endpoint = "dynamic::where"\napi_key_location = "dynamic::key"\n'
    )
    it = line(toml + function(), said("Hi."))
    for where in ("https://one.openai.azure.com", "https://two.openai.azure.com/"):
        assert it.infer(credentials={"where": where, "key": "canary"}).content[0].text == "Hi."
        assert it.sender.calls[-1].url.startswith(where.rstrip("/") + "/openai/")
    with pytest.raises(
        MissingCredential, match="The endpoint of the provider 'p' is missing: the request has no 'where'"
    ):
        it.infer(variant_name="v", credentials={"key": "canary"})
    assert "canary" not in repr(it.records)
