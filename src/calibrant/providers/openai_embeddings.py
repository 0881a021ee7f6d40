"""OpenAI's embeddings, and those of the vendors that speak them: `POST /embeddings`.

Sources: platform.openai.com/docs/api-reference/embeddings, docs.mistral.ai/api, docs.together.ai/reference/embeddings.
"""

from __future__ import annotations

from binascii import a2b_base64
from typing import Any

import msgspec
from msgspec import Raw, Struct

from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.config.secret import Credentials
from calibrant.providers.chat_answer import usage
from calibrant.providers.compatible import COMPATIBLE
from calibrant.providers.refusal import UNREADABLE, bad_answer, refusal_in, refused
from calibrant.providers.sign import bearer
from calibrant.types.call import EmbeddingCall, EmbeddingReply, Headers, HttpCall
from calibrant.types.reply import Usage

__all__ = ["OpenAIEmbeddings"]

_HEADERS: Headers = (("content-type", "application/json"),)


class _Vector(Struct, frozen=True):
    embedding: tuple[float, ...] | str
    index: int = 0


class _Answer(Struct, frozen=True):
    data: list[_Vector] | None = None
    model: str | None = None
    id: str | None = None
    usage: Raw = Raw()


_decode = msgspec.json.Decoder(_Answer).decode
_encode = msgspec.json.Encoder().encode


class OpenAIEmbeddings:
    """Speaks embeddings to one provider."""

    __slots__ = ("_provider", "_url", "_vendor")

    def __init__(self, provider: Provider, url: str) -> None:
        """Keep what is the same for every call."""
        self._provider = provider
        self._vendor = COMPATIBLE[provider.type]
        self._url = url

    def encode_embedding(self, call: EmbeddingCall) -> HttpCall:
        """Return the request.

        Raises:
            ProviderError: the call asks for what this vendor does not have; the message names the field.
        """
        form = self._vendor.embeddings
        if form != "openai" and not all(isinstance(item, str) for item in call.input):
            raise self._refused("input", "takes no token ids; send texts")
        body: dict[str, Any] = {"model": self._provider.model_name, "input": call.input}
        if call.dimensions is not None:
            if form == "texts":
                raise self._refused("dimensions", "gives vectors of one size; leave it out")
            body["output_dimension" if form == "mistral" else "dimensions"] = call.dimensions
        if call.encoding_format is not None and form == "openai":
            body["encoding_format"] = call.encoding_format
        return HttpCall("POST", self._url, _HEADERS, _encode(body))

    def sign(self, http: HttpCall, secret: Credentials | None, now: float) -> HttpCall:
        """Return the request with the key as a bearer token; unchanged where there is none."""
        return bearer(http, secret)

    def decode_embedding(self, status: int, headers: Headers, body: bytes) -> EmbeddingReply:
        """Return the vectors.

        Raises:
            Refused: the provider sent an error.
            BadAnswer: the body holds no vectors.
        """
        if not 200 <= status < 300:
            raise self.error(status, headers, body)
        name = self._provider.name
        try:
            answer = _decode(body)
        except UNREADABLE as error:
            raise refusal_in(name, status, body) or bad_answer(
                name, status, body, f"the answer holds no embeddings: {error}"
            ) from None
        if not answer.data:
            raise refusal_in(name, status, body) or bad_answer(name, status, body, "the answer has no embeddings")
        vectors = sorted(answer.data, key=lambda vector: vector.index)
        if not all(_is_vector(vector.embedding) for vector in vectors):
            raise bad_answer(name, status, body, "the answer has an embedding that is neither numbers nor float32")
        return EmbeddingReply(
            tuple(vector.embedding for vector in vectors),
            usage(answer.usage) or Usage(),
            body,
            answer.model or None,
            answer.id or next((value for key, value in headers if key == "x-request-id"), None),
        )

    def error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        """Return what an error status means."""
        return refused(self._provider.name, status, headers, body)

    def _refused(self, field: str, why: str) -> ProviderError:
        return ProviderError(
            f"provider {self._provider.name!r} ({self._provider.type}): `{field}`: it {why}", retryable=False
        )


def _is_vector(embedding: tuple[float, ...] | str) -> bool:
    """Return whether it is numbers, or float32 as base64; at least one."""
    if not isinstance(embedding, str):
        return bool(embedding)
    try:
        data = a2b_base64(embedding, strict_mode=True)
    except ValueError:
        return False
    return len(data) > 0 and len(data) % 4 == 0
