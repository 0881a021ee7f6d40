"""The adapters for Anthropic's Messages API: its own, and the one on GCP Vertex AI.

Read in this order: `anthropic_request.py`, `anthropic_messages.py`, `anthropic_schema.py` and `anthropic_model.py`
(what is sent), `anthropic_sent.py` (what is sent for a caller who speaks the dialect), `anthropic_answer.py` (a whole
answer), `anthropic_stream.py` (a streamed one), `anthropic_count.py` (counts of tokens), `refusal.py` (errors).

The version is 2023-06-01: the one of 2026-10-21 takes no temperature and no top_p, of any model. Who wants the later
one sets the header `anthropic-version` by `extra_headers`. Citations on text are not carried: they stay in the raw
response.
"""

from __future__ import annotations

from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.config.secret import Credentials
from calibrant.providers.anthropic_answer import decode_anthropic
from calibrant.providers.anthropic_count import count_body, decode_count
from calibrant.providers.anthropic_request import encode_anthropic
from calibrant.providers.anthropic_sent import sent_body, sent_headers, spoken
from calibrant.providers.anthropic_stream import AnthropicStreamDecoder
from calibrant.providers.base import StreamDecoder
from calibrant.providers.refusal import refused
from calibrant.providers.sign import bearer, key_header
from calibrant.providers.vertex import vertex_base
from calibrant.types.call import Headers, HttpCall, ModelCall
from calibrant.types.reply import Reply

__all__ = ["Anthropic", "VertexAnthropic"]

_BASE = "https://api.anthropic.com/v1"
_VERSION = "2023-06-01"
_VERTEX_VERSION = "vertex-2023-10-16"
_HEADERS: Headers = (("content-type", "application/json"), ("anthropic-version", _VERSION))
_VERTEX_HEADERS: Headers = (("content-type", "application/json"),)


class _Messages:
    """What the two have in common: everything but the address and the key."""

    __slots__ = ("_provider",)

    def __init__(self, provider: Provider) -> None:
        """Keep what is the same for every call."""
        self._provider = provider

    def decode(self, status: int, headers: Headers, body: bytes, *, json_tool: bool = True) -> Reply:
        """Return the whole answer.

        Raises:
            Refused: the provider sent an error, whatever the status.
            BadAnswer: the body is not a message.
        """
        if not 200 <= status < 300:
            raise self.error(status, headers, body)
        return decode_anthropic(self._provider.name, self._provider.type, status, body, json_tool=json_tool)

    def decoder(self, *, json_tool: bool = True) -> StreamDecoder:
        """Return a decoder for one streamed answer."""
        provider = self._provider
        return AnthropicStreamDecoder(
            provider.name, provider.type, json_tool=json_tool, discard_unknown=provider.discard_unknown_chunks
        )

    def decode_count(self, status: int, headers: Headers, body: bytes) -> int:
        """Return the count of tokens.

        Raises:
            Refused: the provider sent an error.
            BadAnswer: the body has none.
        """
        if not 200 <= status < 300:
            raise self.error(status, headers, body)
        return decode_count(self._provider.name, status, body)

    def error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        """Return what an error status means."""
        return refused(self._provider.name, status, headers, body)


class Anthropic(_Messages):
    """Speaks to Anthropic."""

    __slots__ = ("_url",)

    def __init__(self, provider: Provider) -> None:
        """Keep what is the same for every call."""
        super().__init__(provider)
        self._url = (provider.api_base or _BASE).rstrip("/") + "/messages"

    def encode(self, call: ModelCall) -> HttpCall:
        """Return the request. No secret is in it.

        Raises:
            ProviderError: the call asks for what the API does not take.
        """
        sent = spoken(self._provider, call)
        if sent is None:
            return HttpCall("POST", self._url, _HEADERS, encode_anthropic(self._provider, call), call.stream)
        headers = sent_headers(_HEADERS, call, sent)
        return HttpCall("POST", self._url, headers, sent_body(self._provider, call, sent), call.stream)

    def encode_count(self, call: ModelCall) -> HttpCall:
        """Return the request that has the call's tokens counted.

        Raises:
            ProviderError: the call asks for what the API does not take.
        """
        http = self.encode(call)
        body = count_body(http.body, self._provider.model_name)
        return HttpCall("POST", http.url + "/count_tokens", http.headers, body)

    def sign(self, http: HttpCall, secret: Credentials | None, now: float) -> HttpCall:
        """Return the request with the key in `x-api-key`; unchanged where there is none."""
        return key_header(http, secret, "x-api-key")


class VertexAnthropic(_Messages):
    """Speaks to Anthropic's models on GCP Vertex AI."""

    __slots__ = ("_counting", "_url")

    def __init__(self, provider: Provider) -> None:
        """Keep what is the same for every call.

        Raises:
            ConfigError: it lacks `location` or `project_id`.
        """
        super().__init__(provider)
        models = f"{vertex_base(provider)}/publishers/anthropic/models"
        self._url = f"{models}/{provider.model_name}"
        self._counting = f"{models}/count-tokens:rawPredict"

    def encode(self, call: ModelCall) -> HttpCall:
        """Return the request. No secret is in it.

        Raises:
            ProviderError: the call asks for what the API does not take.
        """
        url = self._url + (":streamRawPredict" if call.stream else ":rawPredict")
        sent = spoken(self._provider, call)
        if sent is None:
            body = encode_anthropic(self._provider, call, version=_VERTEX_VERSION)
            return HttpCall("POST", url, _VERTEX_HEADERS, body, call.stream)
        body = sent_body(self._provider, call, sent, version=_VERTEX_VERSION)
        # The version stands in the body.
        theirs = sent_headers(_VERTEX_HEADERS, call, sent)
        headers = tuple(field for field in theirs if field[0] != "anthropic-version")
        return HttpCall("POST", url, headers, body, call.stream)

    def encode_count(self, call: ModelCall) -> HttpCall:
        """Return the request that has the call's tokens counted.

        Raises:
            ProviderError: the call asks for what the API does not take.
        """
        http = self.encode(call)
        return HttpCall("POST", self._counting, http.headers, count_body(http.body, self._provider.model_name))

    def sign(self, http: HttpCall, secret: Credentials | None, now: float) -> HttpCall:
        """Return the request with an access token as a bearer token; unchanged where there is none."""
        return bearer(http, secret)
