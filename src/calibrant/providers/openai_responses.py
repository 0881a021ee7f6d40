"""The adapter for OpenAI's Responses API (`api_type = "responses"`).

Read in this order: `responses_request.py` and `responses_input.py` (what is sent), `responses_answer.py` (a whole
answer), `responses_stream.py` (a streamed one), `refusal.py` (errors).

The API has no seed, no penalties and no stop sequences. Annotations on text stay in the raw response.
"""

from __future__ import annotations

from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.config.secret import Credentials
from calibrant.providers.base import StreamDecoder
from calibrant.providers.refusal import refused
from calibrant.providers.responses_answer import decode_responses
from calibrant.providers.responses_request import encode_responses
from calibrant.providers.responses_stream import ResponsesStreamDecoder
from calibrant.providers.sign import bearer
from calibrant.types.call import Headers, HttpCall, ModelCall
from calibrant.types.reply import Reply

__all__ = ["OpenAIResponses"]

_HEADERS: Headers = (("content-type", "application/json"),)


class OpenAIResponses:
    """Speaks the Responses API to one provider."""

    __slots__ = ("_provider", "_url")

    def __init__(self, provider: Provider, base: str) -> None:
        """Keep what is the same for every call."""
        self._provider = provider
        self._url = base.rstrip("/") + "/responses"

    def encode(self, call: ModelCall) -> HttpCall:
        """Return the request. No secret is in it.

        Raises:
            ProviderError: the call asks for what the API does not take.
        """
        return HttpCall("POST", self._url, _HEADERS, encode_responses(self._provider, call), call.stream)

    def sign(self, http: HttpCall, secret: Credentials | None, now: float) -> HttpCall:
        """Return the request with the key as a bearer token; unchanged where there is none."""
        return bearer(http, secret)

    def decode(self, status: int, headers: Headers, body: bytes, *, json_tool: bool = True) -> Reply:
        """Return the whole answer.

        Raises:
            Refused: the provider sent an error, whatever the status.
            BadAnswer: the body is no response.
        """
        if not 200 <= status < 300:
            raise self.error(status, headers, body)
        return decode_responses(self._provider.name, self._provider.type, status, body, json_tool=json_tool)

    def decoder(self, *, json_tool: bool = True) -> StreamDecoder:
        """Return a decoder for one streamed answer."""
        provider = self._provider
        return ResponsesStreamDecoder(
            provider.name, provider.type, json_tool=json_tool, discard_unknown=provider.discard_unknown_chunks
        )

    def error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        """Return what an error status means."""
        return refused(self._provider.name, status, headers, body)
