"""The adapters for Gemini: of Google AI Studio, and on GCP Vertex AI.

Read in this order: `gemini_request.py`, `gemini_contents.py` and `gemini_schema.py` (what is sent), `gemini_answer.py`
and `gemini_parts.py` (a whole answer), `gemini_stream.py` (a streamed one), `gemini_embeddings.py`, `gemini_model.py`
(where the two APIs and the models differ), `refusal.py` (errors), `vertex.py` (addresses).

Grounding and citations are not carried: they stay in the raw response. The API has no word for calls one at a time, so
`parallel_tool_calls` is not sent. It caches by itself, so cache points are not sent either; `cachedContent` can come in
`extra_body`.
"""

from __future__ import annotations

from calibrant.base.errors import ConfigError, ProviderError
from calibrant.config.schema import Provider
from calibrant.config.secret import Credentials
from calibrant.providers.base import StreamDecoder
from calibrant.providers.gemini_answer import decode_gemini
from calibrant.providers.gemini_embeddings import decode_vectors, encode_texts, method
from calibrant.providers.gemini_request import encode_gemini
from calibrant.providers.gemini_stream import GeminiStreamDecoder
from calibrant.providers.refusal import refused
from calibrant.providers.sign import bearer, key_header
from calibrant.providers.vertex import vertex_base
from calibrant.types.call import EmbeddingCall, EmbeddingReply, Headers, HttpCall, ModelCall
from calibrant.types.reply import Reply

__all__ = ["AiStudioGemini", "VertexGemini"]

_BASE = "https://generativelanguage.googleapis.com/v1beta"
_HEADERS: Headers = (("content-type", "application/json"),)
_VERTEX_TIERS = ("flex", "priority")
"""Vertex AI reads these from a header, not from the body.

Source: docs.cloud.google.com/vertex-ai/generative-ai/docs/flex-paygo.
"""


class _Gemini:
    """What the two have in common: everything but the address and the key."""

    __slots__ = ("_provider", "_url")

    vertex = False

    def __init__(self, provider: Provider, url: str) -> None:
        """Keep what is the same for every call."""
        self._provider = provider
        self._url = url

    def encode(self, call: ModelCall) -> HttpCall:
        """Return the request. No secret is in it.

        Raises:
            ProviderError: the call asks for what the API does not take.
        """
        how = ":streamGenerateContent?alt=sse" if call.stream else ":generateContent"
        headers = _HEADERS
        tier = call.params.service_tier
        if self.vertex and tier in _VERTEX_TIERS:
            headers = (*_HEADERS, ("x-vertex-ai-llm-shared-request-type", tier))
        return HttpCall("POST", self._url + how, headers, encode_gemini(self._provider, call), call.stream)

    def decode(self, status: int, headers: Headers, body: bytes, *, json_tool: bool = True) -> Reply:
        """Return the whole answer.

        Raises:
            Refused: the provider sent an error, whatever the status.
            BadAnswer: the body is no answer.
        """
        if not 200 <= status < 300:
            raise self.error(status, headers, body)
        provider = self._provider
        return decode_gemini(provider.name, provider.type, status, headers, body, json_tool=json_tool)

    def decoder(self, *, json_tool: bool = True) -> StreamDecoder:
        """Return a decoder for one streamed answer."""
        provider = self._provider
        return GeminiStreamDecoder(
            provider.name, provider.type, json_tool=json_tool, discard_unknown=provider.discard_unknown_chunks
        )

    def error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        """Return what an error status means."""
        return refused(self._provider.name, status, headers, body)

    def encode_embedding(self, call: EmbeddingCall) -> HttpCall:
        """Return the request.

        Raises:
            ProviderError: the call asks for what the API does not take.
        """
        url = f"{self._url}:{method(self._provider, len(call.input), vertex=self.vertex)}"
        return HttpCall("POST", url, _HEADERS, encode_texts(self._provider, call, vertex=self.vertex))

    def decode_embedding(self, status: int, headers: Headers, body: bytes) -> EmbeddingReply:
        """Return the vectors.

        Raises:
            Refused: the provider sent an error.
            BadAnswer: the body holds no vectors.
        """
        if not 200 <= status < 300:
            raise self.error(status, headers, body)
        return decode_vectors(self._provider.name, status, body)


class AiStudioGemini(_Gemini):
    """Speaks to Google AI Studio."""

    __slots__ = ()

    def __init__(self, provider: Provider) -> None:
        """Keep what is the same for every call."""
        super().__init__(provider, f"{(provider.api_base or _BASE).rstrip('/')}/models/{provider.model_name}")

    def sign(self, http: HttpCall, secret: Credentials | None, now: float) -> HttpCall:
        """Return the request with the key in `x-goog-api-key`; unchanged where there is none."""
        return key_header(http, secret, "x-goog-api-key")


class VertexGemini(_Gemini):
    """Speaks to Gemini, or a tuned endpoint of it, on GCP Vertex AI."""

    __slots__ = ()

    vertex = True

    def __init__(self, provider: Provider) -> None:
        """Keep what is the same for every call.

        Raises:
            ConfigError: it lacks `location`, `project_id`, or both `model_id` and `endpoint_id`.
        """
        endpoint = provider.options.get("endpoint_id")
        if not endpoint and not provider.model_name:
            raise ConfigError(f"provider {provider.name!r}: the type {provider.type!r} needs model_id or endpoint_id")
        what = f"endpoints/{endpoint}" if endpoint else f"publishers/google/models/{provider.model_name}"
        super().__init__(provider, f"{vertex_base(provider)}/{what}")

    def sign(self, http: HttpCall, secret: Credentials | None, now: float) -> HttpCall:
        """Return the request with an access token as a bearer token; unchanged where there is none."""
        return bearer(http, secret)
