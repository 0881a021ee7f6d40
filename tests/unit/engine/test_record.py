"""What stands on the rows, and what a payload policy and a redaction hook leave of it."""

import msgspec
import pytest
from tests.support.engine import function, model, refusal, said, streamed, variant

from calibrant.base.errors import ProvidersExhausted
from calibrant.base.ids import uuid7
from calibrant.engine.engine import Caller
from calibrant.types.content import File
from calibrant.types.message import Input, Message
from calibrant.types.request import Params
from calibrant.types.rows import Begun, InferenceRow, Inferred, ModelInferenceRow
from calibrant.types.tool import Tool

TOOL = Tool("weather", "", {"type": "object"})
TWO = model("first") + model("second")
TWO += function(
    variant("a", "first"),
    variant("b", "second"),
    extra='experimentation = { type = "static", candidate_variants = { a = 1 }, fallback_variants = ["b"] }\n'
    'record.payloads = "full"',
)
PAYLOADS = ("input", "output", "inference_params", "tool_params", "output_schema")


def fields(row):
    return {name: getattr(row, name) for name in row.__struct_fields__}


def test_every_field_of_an_inference_is_in_its_place(line):
    it = line(TWO, refusal(503), said("Hi."))
    episode = uuid7()
    caller = Caller("inference", trace_id="t" * 32, span_id="s" * 16, key_id="k")
    answered = it.infer(
        caller,
        episode_id=episode,
        namespace="n",
        tags={"user": "u"},
        params=Params(seed=1),
        tools=(TOOL,),
        dialect="openai_chat",
    )
    row = fields(it.row)
    assert set(row) == set(InferenceRow.__struct_fields__)
    durations, processing = row.pop("durations"), row.pop("processing_ms")
    assert set(durations) == {"resolve", "render", "upstream"}
    assert 0 <= sum(durations.values()) <= processing < 10_000
    assert "first" in row.pop("fallback_reason")
    assert msgspec.json.decode(row.pop("tool_params"))["tools"][0]["name"] == "weather"
    assert row == {
        "id": answered.head.inference_id,
        "episode_id": episode,
        "function_name": "f",
        "variant_name": "b",
        "function_type": "chat",
        "status": "ok",
        "snapshot_hash": it.config.hash,
        "dialect": "openai_chat",
        "stream": False,
        "error_code": None,
        "error_message": None,
        "http_status": 200,
        "namespace": "n",
        "unit": episode,
        "assigned_variant": "a",
        "probability": 1.0,
        "finish_reason": "stop",
        "ttft_ms": None,
        "input_tokens": 7,
        "output_tokens": 3,
        "cost": None,
        "trace_id": "t" * 32,
        "span_id": "s" * 16,
        "key_id": "k",
        "tags": {"user": "u", "tensorzero::namespace": "n", "tensorzero::api_key_public_id": "k"},
        "worker": "worker-1",
        "input": b'{"messages":[{"role":"user","content":[{"type":"text","text":"Hello?"}]}]}',
        "output": b'[{"type":"text","text":"Hi."}]',
        "inference_params": b'{"chat_completion":{"seed":1}}',
        "output_schema": None,
        "strategy": None,
    }


def test_every_field_of_a_call_is_in_its_place(line):
    usage = {
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    body = said("Hi.", usage=usage, system_fingerprint="fp")
    it = line(model("m", "a", "b") + function(), refusal(429, "busy"), body)
    it.infer()
    bad, good = map(fields, it.attempts)
    assert set(good) == set(ModelInferenceRow.__struct_fields__)
    assert len({bad.pop("id"), good.pop("id"), it.row.id}) == 3
    assert bad.pop("response_ms") >= 0 <= good.pop("response_ms")
    request = it.sender.calls[0].body
    common = {"inference_id": it.row.id, "variant_name": "v", "model_name": "m", "provider_type": "openai"}
    common["api_type"] = "chat_completions"
    nothing = dict.fromkeys(bad)
    assert bad == nothing | common | {
        "attempt": 1,
        "provider_name": "a",
        "status": "error",
        "error_code": "provider_refused",
        "error_message": "provider 'a' answered 429: busy",
        "http_status": 429,
        "usage_source": "none",
        "cached": False,
        "raw_request": request,
        "raw_response": b'{"error":{"message":"busy"}}',
    }
    assert good == nothing | common | {
        "attempt": 2,
        "provider_name": "b",
        "status": "ok",
        "http_status": 200,
        "provider_model": "gpt-0",
        "fingerprint": "fp",
        "provider_request_id": "chatcmpl-1",
        "finish_reason": "stop",
        "input_tokens": 7,
        "output_tokens": 3,
        "cache_read_tokens": 5,
        "reasoning_tokens": 2,
        "raw_usage": msgspec.json.encode(usage),
        "usage_source": "reported",
        "cached": False,
        "raw_request": request,
        "raw_response": msgspec.json.encode(body),
    }


def test_unknown_usage_is_estimated_and_says_so(line):
    it = line(model() + function(), said(usage=None))
    it.infer()
    assert (it.row.input_tokens, it.row.output_tokens) == (None, None)
    call = it.attempts[0]
    assert (call.usage_source, call.raw_usage, call.output_tokens) == ("estimated", None, 1)
    assert call.input_tokens == 4  # "gpt", "user", "Hello?"
    assert (it.counted("input_tokens"), it.counted("unknown_costs")) == ({("m",): 0}, {("m",): 1})


def test_no_key_is_in_what_is_recorded(line):
    it = line(model(key="env::KEY") + function(), said(), streamed("x"), environ={"KEY": "s3cret"})
    it.infer()
    it.stream()
    assert all(("authorization", "Bearer s3cret") in call.headers for call in it.sender.calls)
    assert it.attempts[0].raw_request == it.sender.calls[1].body
    assert b"s3cret" not in msgspec.json.encode(it.records)


def test_a_call_that_could_not_be_encoded_has_no_request(line):
    it = line(model() + function())
    file = Input((Message("user", (File(url="http://here/a.pdf", mime_type="application/pdf"),)),))
    with pytest.raises(ProvidersExhausted):
        it.infer(variant_name="v", input=file)
    assert it.sender.calls == []
    assert (it.attempts[0].raw_request, it.attempts[0].raw_response) == (None, None)


@pytest.mark.parametrize("policy", ["full", "metadata", "none"])
def test_the_payload_policy_says_what_is_kept(line, policy):
    it = line(TWO.replace('"full"', f'"{policy}"'), refusal(500, "secret words"), said(), streamed("x"))
    it.infer(tags={"user": "u"}, params=Params(seed=1), tools=(TOOL,))
    kept = {name for name in PAYLOADS if getattr(it.row, name) is not None}
    assert kept == (set(PAYLOADS) - {"output_schema"} if policy == "full" else set())
    raws = {row.raw_request is not None for row in it.attempts} | {row.raw_response is not None for row in it.attempts}
    assert raws == {policy == "full"}
    assert bool(it.row.tags) == bool(it.row.fallback_reason) == bool(it.attempts[0].error_message) == (policy != "none")
    assert (it.row.input_tokens, it.attempts[1].output_tokens, it.attempts[0].error_code) == (7, 3, "provider_refused")
    it.stream()
    begun = it.records[-2].inference
    assert (begun.input is not None) == (policy == "full")
    if policy != "full":
        assert b"Hello?" not in msgspec.json.encode(it.records)


def test_the_common_policy_holds_where_a_function_has_none(line):
    it = line('record.payloads = "metadata"\n' + model() + function(), said())
    it.infer()
    it.infer(model_name="m")
    assert [record.inference.input for record in it.records] == [None, None]


def test_an_error_message_is_metadata_and_no_part_of_none(line):
    for policy in ("metadata", "none"):
        it = line(model() + function(extra=f'record.payloads = "{policy}"'), refusal(500, "words"))
        with pytest.raises(ProvidersExhausted):
            it.infer(variant_name="v")
        assert (it.row.error_message is None) == (policy == "none")
        assert it.row.error_code == "providers_exhausted"


def test_the_redaction_hook_sees_every_payload(line):
    seen = []

    def hook(payload, what):
        seen.append(what)
        return b"<" + what.encode() + b">"

    it = line(model("m", "a", "b") + function(), refusal(500), said(), redact=hook)
    it.infer(params=Params(seed=1), tools=(TOOL,))
    assert (it.row.input, it.row.output) == (b"<input>", b"<output>")
    assert (it.row.inference_params, it.row.tool_params) == (b"<inference_params>", b"<tool_params>")
    assert [(row.raw_request, row.raw_response) for row in it.attempts] == [(b"<raw_request>", b"<raw_response>")] * 2
    assert set(seen) == {*PAYLOADS, "raw_request", "raw_response"} - {"output_schema"}


def test_the_beginning_of_a_stream_is_redacted_too(line):
    it = line(model() + function(), streamed("x"), redact=lambda payload, what: b"x")
    it.stream()
    begun, final = it.records
    assert (begun.inference.input, final.inference.input, final.inference.output) == (b"x", b"x", b"x")


@pytest.mark.parametrize("left", [None, "text", 1 / 3])
def test_what_a_hook_does_not_return_as_bytes_is_not_kept(line, left):
    it = line(model() + function(), said(), redact=lambda payload, what: left)
    it.infer()
    assert (it.row.input, it.row.output, it.attempts[0].raw_request) == (None, None, None)
    assert it.counted("internal_errors") == {("redact",): 4}


def test_a_hook_that_raises_costs_its_payload_and_nothing_else(line, caplog):
    def hook(payload, what):
        if what == "input":
            raise RuntimeError("broken")
        return payload

    it = line(model() + function(), said(), redact=hook)
    assert it.infer().content
    assert it.row.input is None
    assert it.row.output is not None
    assert it.counted("internal_errors") == {("redact",): 1}
    assert "Hello?" not in caplog.text.split("Traceback")[0]


def test_a_hook_is_not_asked_about_what_the_policy_drops(line):
    def hook(payload, what):
        raise AssertionError("asked")

    it = line(model() + function(extra='record.payloads = "metadata"'), said(), redact=hook)
    it.infer()
    assert it.counted("internal_errors") == {}


def test_a_stream_has_a_beginning_and_an_end_of_one_inference(line):
    it = line(TWO, refusal(), streamed("x"))
    it.stream()
    begun, final = it.records
    assert isinstance(begun, Begun)
    assert isinstance(final, Inferred)
    assert (begun.inference.id, begun.inference.status, begun.inference.output) == (it.row.id, "running", None)
    for name in ("variant_name", "assigned_variant", "fallback_reason", "probability", "stream", "input", "episode_id"):
        assert getattr(begun.inference, name) == getattr(final.inference, name), name
    assert final.inference.ttft_ms is not None
    assert final.model_inferences[-1].ttft_ms is not None
