"""Embeddings of Amazon Bedrock, through InvokeModel: Titan's and Cohere's models, told apart by the model's id.

The id may be an inference profile's or an ARN, as long as the model's own is in it.

Source: docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html,
model-parameters-titan-embed-mm.html, model-parameters-embed-v3.html, model-parameters-embed-v4.html
"""

from __future__ import annotations

from typing import Literal

import msgspec

from calibrant.apischema.bedrock_embeddings import (
    CohereAnswer,
    CohereRequest,
    EmbeddingConfig,
    TitanAnswer,
    TitanRequest,
)
from calibrant.base.errors import ConfigError, ProviderError
from calibrant.config.schema import Provider
from calibrant.config.secret import Credentials
from calibrant.providers.aws import aws_service
from calibrant.providers.aws_refusal import aws_refusal_in, aws_refused
from calibrant.providers.bedrock import BEDROCK_HEADERS, model_url
from calibrant.providers.refusal import UNREADABLE, bad_answer
from calibrant.types.call import EmbeddingCall, EmbeddingReply, Headers, HttpCall
from calibrant.types.reply import Usage

__all__ = ["BedrockEmbeddings"]

_Family = Literal["titan v1", "titan v2", "titan multimodal", "cohere v3", "cohere v4"]

_FAMILIES: tuple[tuple[str, _Family], ...] = (
    ("titan-embed-text-v2", "titan v2"),
    ("titan-embed-image", "titan multimodal"),
    ("titan-embed", "titan v1"),
    ("cohere.embed-v4", "cohere v4"),
    ("cohere.embed", "cohere v3"),
)
"""What an id holds, and whose it is; the first that fits."""
_FIXED_LENGTH = ("titan v1", "cohere v3")
_MAX_TEXTS = 96
_INPUT_TYPE = "search_document"
"""Cohere wants to be told what the vectors are for; `extra_body` says otherwise."""
_TOKENS = "x-amzn-bedrock-input-token-count"
_MAX_DIGITS = 15

_encode = msgspec.json.Encoder().encode
_titan = msgspec.json.Decoder(TitanAnswer).decode
_cohere = msgspec.json.Decoder(CohereAnswer).decode


class BedrockEmbeddings:
    """Speaks to one embedding model."""

    __slots__ = ("_family", "_provider", "_service", "_url")

    def __init__(self, provider: Provider) -> None:
        """Keep what is the same for every call.

        Raises:
            ConfigError: the provider has neither `region` nor `endpoint_url`, or we cannot speak to its model.
        """
        self._provider = provider
        self._service = aws_service(provider, "bedrock-runtime", "bedrock")
        self._url = model_url(self._service.base, provider, "invoke")
        family: _Family | None = next((family for part, family in _FAMILIES if part in provider.model_name), None)
        if family is None:
            raise ConfigError(
                f"provider {provider.name!r} ({provider.type}): the `model_id` {provider.model_name!r} is no embedding "
                "model that this version can speak to; there are amazon.titan-embed-* and cohere.embed-*"
            )
        self._family: _Family = family

    def encode_embedding(self, call: EmbeddingCall) -> HttpCall:
        """Return the request.

        Raises:
            ProviderError: the model takes no token ids, no several texts, or has vectors of one length only.
        """
        texts = tuple(text for text in call.input if isinstance(text, str))
        if len(texts) != len(call.input):
            raise self._refuse("takes no token ids in `input`; send texts")
        if call.dimensions is not None and self._family in _FIXED_LENGTH:
            raise self._refuse("has vectors of one length only; send no `dimensions`")
        return HttpCall("POST", self._url, BEDROCK_HEADERS, _encode(self._body(texts, call.dimensions)))

    def sign(self, http: HttpCall, secret: Credentials | None, now: float) -> HttpCall:
        """Return the request with AWS's signature, or with a key of Bedrock as a bearer token.

        Raises:
            ProviderError: the region of the signature is nowhere to be found.
        """
        return self._service.sign(http, secret, now)

    def decode_embedding(self, status: int, headers: Headers, body: bytes) -> EmbeddingReply:
        """Return the vectors, as numbers: these models speak no base64.

        Raises:
            Refused: the provider sent an error, whatever the status.
            BadAnswer: the body has no vectors.
        """
        if not 200 <= status < 300:
            raise self.error(status, headers, body)
        try:
            titan = self._family.startswith("titan")
            vectors, tokens = _titan_vectors(body) if titan else (_cohere_vectors(body), None)
        except UNREADABLE as error:
            why = f"the answer holds no embeddings: {error}"
            raise aws_refusal_in(self._provider.name, body) or bad_answer(
                self._provider.name, status, body, why
            ) from None
        if not vectors:
            raise aws_refusal_in(self._provider.name, body) or bad_answer(
                self._provider.name, status, body, "the answer holds no embeddings"
            )
        request_id = next((value for name, value in headers if name == "x-amzn-requestid"), None)
        return EmbeddingReply(vectors, _usage(tokens, headers), body, None, request_id)

    def error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        """Return what an error status means."""
        return aws_refused(self._provider.name, status, headers, body)

    def _body(self, texts: tuple[str, ...], dimensions: int | None) -> TitanRequest | CohereRequest:
        if self._family.startswith("cohere"):
            if not 0 < len(texts) <= _MAX_TEXTS:
                raise self._refuse(f"takes 1 to {_MAX_TEXTS} texts in `input` of one call")
            return CohereRequest(texts, _INPUT_TYPE, ("float",), dimensions)
        if len(texts) != 1:
            raise self._refuse("takes one text in `input`; make a call for each")
        if self._family == "titan multimodal" and dimensions is not None:
            return TitanRequest(texts[0], embedding_config=EmbeddingConfig(dimensions))
        return TitanRequest(texts[0], dimensions)

    def _refuse(self, why: str) -> ProviderError:
        return ProviderError(
            f"provider {self._provider.name!r} ({self._provider.model_name}) {why}",
            retryable=False,
        )


def _titan_vectors(body: bytes) -> tuple[tuple[tuple[float, ...], ...], int | None]:
    answer = _titan(body)
    return (() if answer.embedding is None else (answer.embedding,)), answer.input_text_token_count


def _cohere_vectors(body: bytes) -> tuple[tuple[float, ...], ...]:
    found = _cohere(body).embeddings
    if isinstance(found, dict):
        found = found.get("float")
    return tuple(found or ())


def _usage(tokens: int | None, headers: Headers) -> Usage:
    if tokens is not None:
        return Usage(input_tokens=tokens, raw=_encode({"inputTextTokenCount": tokens}))
    # Cohere's answer has no count, and Bedrock puts its own into a header.
    counted = next((value for name, value in headers if name == _TOKENS), "")
    if not (counted.isascii() and counted.isdigit()) or len(counted) > _MAX_DIGITS:
        return Usage()
    return Usage(input_tokens=int(counted), raw=_encode({_TOKENS: int(counted)}))
