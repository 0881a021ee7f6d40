"""Embeddings of another gateway, which asks a provider in our place: its `POST /openai/v1/embeddings`."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.config.secret import Credentials, PassedOn
from calibrant.providers.openai_embeddings import OpenAIEmbeddings
from calibrant.providers.sign import bearer
from calibrant.types.call import EmbeddingCall, EmbeddingReply, Headers, HttpCall

__all__ = ["RelayEmbeddings"]

_encode = msgspec.json.Encoder().encode


class RelayEmbeddings:
    """Speaks OpenAI's embeddings to another gateway, about one model of it."""

    __slots__ = ("_spoken",)

    def __init__(self, provider: Provider) -> None:
        """Keep what is the same for every call."""
        named = f"tensorzero::embedding_model_name::{provider.model_name}"
        url = f"{(provider.api_base or '').rstrip('/')}/openai/v1/embeddings"
        self._spoken = OpenAIEmbeddings(replace(provider, type="openai", model_name=named), url)

    def encode_embedding(self, call: EmbeddingCall) -> HttpCall:
        """Return the request. No secret is in it."""
        return self._spoken.encode_embedding(call)

    def sign(self, http: HttpCall, secret: Credentials | None, now: float) -> HttpCall:
        """Return the request with the other gateway's key as a bearer token, and with the credentials to pass on."""
        if not isinstance(secret, PassedOn):
            return bearer(http, secret)
        if secret.credentials:
            told = {"tensorzero::credentials": {name: each.reveal() for name, each in secret.credentials.items()}}
            http = replace(http, body=http.body[:-1] + b"," + _encode(told)[1:])
        return bearer(http, secret.key)

    def decode_embedding(self, status: int, headers: Headers, body: bytes) -> EmbeddingReply:
        """Return the vectors.

        Raises:
            Refused: the other gateway sent an error.
            BadAnswer: the body holds no vectors.
        """
        return self._spoken.decode_embedding(status, headers, body)

    def error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        """Return what an error status means."""
        return self._spoken.error(status, headers, body)
