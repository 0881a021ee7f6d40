from __future__ import annotations

import msgspec
import pytest
from tests.contract.providers.cases import provider

from calibrant.base.errors import BadAnswer, ProviderError, Refused
from calibrant.providers.catalog import embedder
from calibrant.types.call import EmbeddingCall

TOKENS = EmbeddingCall(((1, 2),))


@pytest.mark.parametrize("kind", ["mistral", "together"])
def test_token_ids_are_refused_where_only_texts_are_taken(kind: str) -> None:
    with pytest.raises(ProviderError, match="`input`: it takes no token ids") as caught:
        embedder(provider(kind)).encode_embedding(TOKENS)
    assert not caught.value.retryable


def test_a_size_is_refused_where_there_is_one_size() -> None:
    with pytest.raises(ProviderError, match="`dimensions`"):
        embedder(provider("together")).encode_embedding(EmbeddingCall(("a",), 8))


@pytest.mark.parametrize("kind", ["openai", "mistral", "together"])
def test_nothing_is_sent_that_nobody_asked_for(kind: str) -> None:
    http = embedder(provider(kind)).encode_embedding(EmbeddingCall(("a",)))
    assert msgspec.json.decode(http.body) == {"model": "the-model", "input": ["a"]}


def test_the_vectors_stand_in_the_order_of_the_inputs() -> None:
    body = b'{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}]}'
    reply = embedder(provider("openai")).decode_embedding(200, (("x-request-id", "r"),), body)
    assert (reply.embeddings, reply.request_id, reply.usage.input_tokens) == (((1.0,), (2.0,)), "r", None)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"data":[]}', BadAnswer),
        (b'{"data":[{"embedding":null}]}', BadAnswer),
        (b'{"data":[{"embedding":"\xff"}]}', BadAnswer),
        (b'{"error":{"message":"no money","code":402}}', Refused),
    ],
)
def test_what_holds_no_vectors_is_an_error(body: bytes, error: type[ProviderError]) -> None:
    with pytest.raises(error):
        embedder(provider("openai")).decode_embedding(200, (), body)
