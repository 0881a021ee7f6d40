from __future__ import annotations

from typing import Any

import pytest
from tests.contract.providers.calls import PLAIN
from tests.contract.providers.cases import provider
from tests.contract.providers.dialects.sagemaker import parts, sse, whole

from calibrant.base.errors import ConfigError, Refused
from calibrant.config.secret import AwsKeys, Secret
from calibrant.providers.sagemaker import SageMaker
from calibrant.testing.eventstream import encode_event
from calibrant.types.content import Text, Thought
from calibrant.types.reply import fold

OPTIONS = {"region": "us-east-1", "endpoint_name": "e", "hosted_provider": "openai"}


def made(**fields: Any) -> SageMaker:
    return SageMaker(provider("aws_sagemaker", **{"options": OPTIONS, **fields}))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"endpoint_name": None}, "`endpoint_name`"),
        ({"hosted_provider": None}, "'openai' or 'tgi'"),
        ({"hosted_provider": "anthropic"}, "`hosted_provider` is 'anthropic'"),
        ({"region": None}, "`region`"),
    ],
)
def test_what_it_needs(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        made(options={**OPTIONS, **options})


def test_a_signature_for_its_own_service() -> None:
    it = made(options={**OPTIONS, "endpoint_url": "http://127.0.0.1:1/"})
    http = it.encode(PLAIN)
    assert http.url == "http://127.0.0.1:1/endpoints/e/invocations"
    signed = it.sign(http, AwsKeys(Secret("i"), Secret("k")), 0.0)
    assert "/us-east-1/sagemaker/aws4_request" in dict(signed.headers)["authorization"]
    assert dict(it.sign(http, Secret("k"), 0.0).headers)["authorization"] == "Bearer k"


def test_think_blocks_where_the_configuration_says_so() -> None:
    it = made(parse_think_blocks=True)
    expected = (Thought("Hm.", provider_type="aws_sagemaker"), Text("4"))
    assert it.decode(200, (), whole({"content": "<think>Hm.</think>4"}, "stop")).content == expected
    decoder = it.decoder()
    chunks = decoder.feed(parts(sse({"content": "<think>Hm."}, {"content": "</think>4"}, finish="stop")))
    assert fold(chunks + decoder.close()).content == expected


def test_what_is_held_back_comes_at_the_end() -> None:
    decoder = made(parse_think_blocks=True).decoder()
    events = b'data: {"choices":[{"index":0,"delta":{"content":"a <thi"},"finish_reason":null}]}\n\ndata: [DONE]\n\n'
    chunks = decoder.feed(parts(events)) + decoder.close()
    assert fold(chunks).content == (Text("a <thi"),)


def test_events_that_are_no_parts_are_skipped() -> None:
    decoder = made().decoder()
    data = encode_event("initial-response", {}) + parts(sse({"content": "Hi"}, finish="stop"))
    assert fold(decoder.feed(data) + decoder.close()).content == (Text("Hi"),)


def test_a_good_status_with_an_error() -> None:
    with pytest.raises(Refused, match="no such model"):
        made().decode(200, (), b'{"error":{"message":"no such model"}}')
