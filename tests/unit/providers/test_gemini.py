from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.contract.providers.calls import PLAIN
from tests.contract.providers.cases import provider
from tests.contract.providers.dialects.gemini import CODE_PART, FIELDS, KINDS, body, events

from calibrant.base.errors import BadAnswer, ConfigError, ProviderError, Refused
from calibrant.providers.catalog import adapter
from calibrant.types.reply import fold

BUSY = {
    "error": {
        "code": 429,
        "message": "Quota exceeded.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.5s"}],
    }
}


def made(kind: str = "google_ai_studio_gemini", **fields: Any) -> Any:
    return adapter(provider(kind, **{**FIELDS[kind], **fields}))


@pytest.mark.parametrize(
    ("options", "api_base", "start"),
    [
        ({"location": "global"}, None, "https://aiplatform.googleapis.com/v1/projects/p/locations/global/"),
        ({"location": "us"}, None, "https://aiplatform.us.rep.googleapis.com/v1/projects/p/locations/us/"),
        ({"location": "eu"}, "http://x.test/v1/", "http://x.test/v1/projects/p/locations/eu/"),
        ({"location": "asia-east1"}, None, "https://asia-east1-aiplatform.googleapis.com/v1/projects/p/"),
    ],
)
def test_where_vertex_is(options: dict[str, str], api_base: str | None, start: str) -> None:
    url = made("gcp_vertex_gemini", options={"project_id": "p", **options}, api_base=api_base).encode(PLAIN).url
    assert url.startswith(start)
    assert url.endswith("/publishers/google/models/the-model:generateContent")


def test_another_address_of_ai_studio() -> None:
    url = made(api_base="http://x.test/v1beta/").encode(PLAIN).url
    assert url == "http://x.test/v1beta/models/the-model:generateContent"


@pytest.mark.parametrize(
    ("model", "options", "missing"),
    [
        ("m", {"project_id": "p"}, "location"),
        ("m", {"location": "global"}, "project_id"),
        ("", {"location": "global", "project_id": "p"}, "model_id or endpoint_id"),
    ],
)
def test_what_vertex_needs(model: str, options: dict[str, str], missing: str) -> None:
    with pytest.raises(ConfigError, match=missing):
        made("gcp_vertex_gemini", model_name=model, options=options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("listed", [False, True])
def test_how_long_to_wait_is_in_the_details(kind: str, listed: bool) -> None:
    told = msgspec.json.encode([BUSY] if listed else BUSY)
    errors = [made(kind).error(429, (), told)]
    decoder = made(kind).decoder()
    assert len(decoder.feed(events(body([{"text": "a"}])) + b"data: " + told + b"\r\n\r\n")) == 1
    for call in (decoder.close, lambda: made(kind).decode(200, (), told), lambda: list(_alone(kind, told))):
        with pytest.raises(Refused, match="Quota exceeded") as caught:
            call()
        errors.append(caught.value)
    assert [(error.retry_after, error.retryable) for error in errors] == [(12.5, True)] * 4


def _alone(kind: str, told: bytes) -> Any:
    decoder = made(kind).decoder()
    return [*decoder.feed(told), *decoder.close()]


@pytest.mark.parametrize(
    "delay", ['"x"', '"-1s"', '"nans"', "12", "null", '"1e999s"'], ids=["word", "minus", "nan", "number", "null", "inf"]
)
def test_a_delay_that_is_none(delay: str) -> None:
    told = b'{"error":{"code":429,"message":"m","details":[{"retryDelay":%s}]}}' % delay.encode()
    assert made().error(429, (), told).retry_after is None


def test_a_header_is_nearer_than_the_details() -> None:
    assert made().error(429, (("retry-after", "3"),), msgspec.json.encode(BUSY)).retry_after == 3


def test_unknown_parts_are_left_out_of_a_stream_where_that_is_configured() -> None:
    decoder = made(discard_unknown_chunks=True).decoder()
    chunks = decoder.feed(events(body([CODE_PART], "STOP")))
    assert fold([*chunks, *decoder.close()]).content == ()
    assert chunks[0].raw


@pytest.mark.parametrize(
    "answer", [{}, {"candidates": []}, {"candidates": [], "usageMetadata": {"promptTokenCount": 1}}], ids=str
)
def test_an_answer_without_candidates(answer: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer, match="no candidates"):
        made().decode(200, (), msgspec.json.encode(answer))


def test_a_candidate_without_content() -> None:
    reply = made().decode(200, (("x-request-id", "r"),), b'{"candidates":[{"finishReason":"MAX_TOKENS"}]}')
    assert (reply.content, reply.finish_reason, reply.request_id) == ((), "length", "r")


def test_grounding_stays_in_the_raw_answer() -> None:
    whole = msgspec.json.encode(body([{"text": "a"}], "STOP", groundingMetadata={"webSearchQueries": ["q"]}))
    assert b"webSearchQueries" in made().decode(200, (), whole).raw


def test_a_usage_that_cannot_be_read_is_kept() -> None:
    reply = made().decode(200, (), msgspec.json.encode(body([{"text": "a"}], "STOP", {"promptTokenCount": "many"})))
    assert (reply.usage.input_tokens, reply.usage.raw) == (None, b'{"promptTokenCount":"many"}')


def test_another_candidate_is_not_mixed_in() -> None:
    answer = body([{"text": "a"}], "STOP")
    answer["candidates"].append({"index": 1, "content": {"parts": [{"text": "b"}]}})
    assert [block.text for block in made().decode(200, (), msgspec.json.encode(answer)).content] == ["a"]


def test_a_schema_that_is_nested_too_deep_is_refused() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(2000):
        schema = {"type": "object", "properties": {"a": schema}}
    with pytest.raises(ProviderError, match="nested"):
        made().encode(msgspec.structs.replace(PLAIN, json_mode="strict", output_schema=schema))
