from __future__ import annotations

from typing import Any

import pytest
from tests.contract.providers.cases import provider

from calibrant.base.errors import BadAnswer, ConfigError, ProviderError, Refused
from calibrant.config.secret import AwsKeys, Secret
from calibrant.providers.bedrock_embeddings import BedrockEmbeddings
from calibrant.types.call import EmbeddingCall
from calibrant.types.reply import Usage


def made(model: str, **options: Any) -> BedrockEmbeddings:
    return BedrockEmbeddings(provider("aws_bedrock", model_name=model, options={"region": "us-east-1", **options}))


TITAN, COHERE = "amazon.titan-embed-text-v2:0", "cohere.embed-english-v3"


@pytest.mark.parametrize(
    ("model", "call", "says"),
    [
        (TITAN, EmbeddingCall(("a", "b")), "takes one text in `input`"),
        (TITAN, EmbeddingCall(()), "takes one text in `input`"),
        (TITAN, EmbeddingCall(((1, 2),)), "no token ids in `input`"),
        (COHERE, EmbeddingCall(("a", (1,))), "no token ids in `input`"),
        (COHERE, EmbeddingCall(("a",) * 97), "1 to 96 texts in `input`"),
        (COHERE, EmbeddingCall(()), "1 to 96 texts in `input`"),
        (COHERE, EmbeddingCall(("a",), dimensions=256), "no `dimensions`"),
        ("amazon.titan-embed-text-v1", EmbeddingCall(("a",), dimensions=256), "no `dimensions`"),
    ],
)
def test_what_a_model_does_not_take(model: str, call: EmbeddingCall, says: str) -> None:
    with pytest.raises(ProviderError, match=says) as caught:
        made(model).encode_embedding(call)
    assert not caught.value.retryable


def test_a_model_that_has_no_embeddings() -> None:
    with pytest.raises(ConfigError, match="`model_id` 'anthropic.claude' is no embedding model"):
        made("anthropic.claude")


def test_a_signature() -> None:
    it = made(TITAN)
    signed = it.sign(it.encode_embedding(EmbeddingCall(("a",))), AwsKeys(Secret("i"), Secret("k")), 0.0)
    assert "/us-east-1/bedrock/aws4_request" in dict(signed.headers)["authorization"]


@pytest.mark.parametrize("count", ["", "x", "-1", "²", "9" * 20])
def test_a_count_that_is_none(count: str) -> None:
    reply = made(COHERE).decode_embedding(
        200, (("x-amzn-bedrock-input-token-count", count),), b'{"embeddings":[[1.0]]}'
    )
    assert reply.usage == Usage()


def test_the_id_of_the_answer_is_in_a_header() -> None:
    reply = made(COHERE).decode_embedding(200, (("x-amzn-requestid", "r"),), b'{"embeddings":[[1.0]]}')
    assert reply.request_id == "r"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"message":"The text is too long."}', Refused),
        (b'{"embeddings":{"int8":[[1]]}}', BadAnswer),
        (b'{"embeddings":{"float":[]}}', BadAnswer),
        (b'{"embeddings":[["a"]]}', BadAnswer),
    ],
)
def test_an_answer_without_vectors(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        made(COHERE).decode_embedding(200, (), body)
