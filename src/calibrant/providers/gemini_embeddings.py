"""Gemini's embeddings: `:batchEmbedContents` of AI Studio, `:predict`, `:embedContent` and the same of Vertex AI.

Sources: ai.google.dev/api/embeddings,
cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.providers.refusal import UNREADABLE, bad_answer, refusal_in
from calibrant.types.call import EmbeddingCall, EmbeddingReply
from calibrant.types.reply import Usage

__all__ = ["decode_vectors", "encode_texts", "method"]

_OF_TEXTS = ("gemini-embedding-001", "gemini-embedding-exp")
"""Models that give each text of a batch a vector of its own."""
_encode = msgspec.json.Encoder().encode


class _Vector(Struct, frozen=True):
    values: tuple[float, ...]
    statistics: _Statistics | None = None


class _Statistics(Struct, frozen=True):
    token_count: float | None = None


class _Prediction(Struct, frozen=True):
    embeddings: _Vector


class _Counted(Struct, frozen=True, rename="camel"):
    prompt_token_count: int | None = None


class _Answer(Struct, frozen=True, rename="camel"):
    embeddings: list[_Vector] | None = None
    embedding: _Vector | None = None
    predictions: list[_Prediction] | None = None
    usage_metadata: Raw = Raw()


_decode = msgspec.json.Decoder(_Answer).decode
_decode_counted = msgspec.json.Decoder(_Counted).decode


def method(provider: Provider, count: int, *, vertex: bool) -> str:
    """Return the method that so many embeddings of the model are asked of."""
    if not vertex:
        return "batchEmbedContents"
    if "gemini" not in provider.model_name:
        return "predict"
    return "embedContent" if count == 1 else "batchEmbedContents"


def encode_texts(provider: Provider, call: EmbeddingCall, *, vertex: bool) -> bytes:
    """Return the body.

    Raises:
        ProviderError: the input is token ids, or more texts than the model keeps apart.
    """
    texts: list[str] = []
    for item in call.input:
        if not isinstance(item, str):
            raise ProviderError(
                f"provider {provider.name!r} ({provider.type}) takes no token ids in `input`; send texts",
                retryable=False,
            )
        texts.append(item)
    size: dict[str, Any] = {} if call.dimensions is None else {"outputDimensionality": call.dimensions}
    contents = [{"parts": [{"text": text}]} for text in texts]
    if not vertex:
        name = f"models/{provider.model_name}"
        return _encode({"requests": [{"model": name, "content": content, **size} for content in contents]})
    config: dict[str, Any] = {"embedContentConfig": size} if size else {}
    match method(provider, len(texts), vertex=True):
        case "predict":
            return _encode({"instances": [{"content": text} for text in texts], "parameters": size})
        case "embedContent":
            return _encode({"content": contents[0], **config})
        case _ if provider.model_name.startswith(_OF_TEXTS):
            return _encode({"requests": [{"content": content, **config} for content in contents]})
        case _:
            # Such a model makes one vector of all that it is given.
            raise ProviderError(
                f"provider {provider.name!r}: the model {provider.model_name!r} takes one text in `input`, "
                f"not {len(texts)}; send them one by one",
                retryable=False,
            )


def decode_vectors(provider: str, status: int, body: bytes) -> EmbeddingReply:
    """Return the vectors.

    Raises:
        Refused: the body is an error after all.
        BadAnswer: the body holds no vectors.
    """
    try:
        answer = _decode(body)
    except UNREADABLE as error:
        raise refusal_in(provider, status, body) or bad_answer(
            provider, status, body, f"the answer holds no embeddings: {error}"
        ) from None
    vectors = answer.embeddings or []
    if answer.predictions is not None:
        vectors = [each.embeddings for each in answer.predictions]
    elif answer.embedding is not None:
        vectors = [answer.embedding]
    if not vectors:
        raise refusal_in(provider, status, body) or bad_answer(provider, status, body, "the answer has no embeddings")
    return EmbeddingReply(tuple(vector.values for vector in vectors), _usage(answer, vectors), body)


def _usage(answer: _Answer, vectors: list[_Vector]) -> Usage:
    counted = bytes(answer.usage_metadata)
    if counted not in (b"", b"null"):
        try:
            return Usage(_decode_counted(counted).prompt_token_count, None, raw=counted)
        except msgspec.DecodeError:
            return Usage(raw=counted)
    counts = [vector.statistics.token_count for vector in vectors if vector.statistics is not None]
    known = [count for count in counts if count is not None]
    if len(known) != len(vectors):
        return Usage()
    return Usage(int(sum(known)), None, raw=_encode({"token_count": int(sum(known))}))
