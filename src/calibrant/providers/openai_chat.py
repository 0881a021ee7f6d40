"""The adapter for OpenAI's chat completions and everyone who speaks them.

Read in this order: `chat_request.py` and `chat_messages.py` (what is sent), `chat_answer.py` (a whole
answer),
`chat_stream.py` with `sse.py` and `think.py` (a streamed one), `refusal.py` (errors), `compatible.py` (who
differs).
"""

from __future__ import annotations

from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.config.secret import Credentials
from calibrant.providers.base import StreamDecoder
from calibrant.providers.chat_answer import decode_answer
from calibrant.providers.chat_request import encode_request
from calibrant.providers.chat_stream import ChatStreamDecoder
from calibrant.providers.compatible import Vendor
from calibrant.providers.refusal import refused
from calibrant.providers.sign import key_header
from calibrant.types.call import Headers, HttpCall, ModelCall
from calibrant.types.reply import Reply

__all__ = ["OpenAIChat"]

_HEADERS: Headers = (("content-type", "application/json"),)


class OpenAIChat:
    """Speaks chat completions to one provider."""

    __slots__ = ("_provider", "_think_blocks", "_url", "_vendor")

    def __init__(self, provider: Provider, vendor: Vendor, base: str) -> None:
        """Keep what is the same for every call."""
        self._provider = provider
        self._vendor = vendor
        self._url = base.rstrip("/") + "/chat/completions"
        asked = provider.parse_think_blocks
        self._think_blocks = vendor.think_blocks if asked is None else asked

    def encode(self, call: ModelCall) -> HttpCall:
        """Return the request. No secret is in it.

        Raises:
            ProviderError: the call asks for what this provider does not have.
        """
        return HttpCall("POST", self._url, _HEADERS, encode_request(self._provider, self._vendor, call), call.stream)

    def sign(self, http: HttpCall, secret: Credentials | None, now: float) -> HttpCall:
        """Return the request with the credential as a bearer token; unchanged where there is none."""
        return key_header(http, secret, "authorization", "Bearer ")

    def decode(self, status: int, headers: Headers, body: bytes, *, json_tool: bool = True) -> Reply:
        """Return the whole answer.

        Raises:
            Refused: the provider sent an error, whatever the status.
            BadAnswer: the body is not a chat completion.
        """
        if not 200 <= status < 300:
            raise self.error(status, headers, body)
        return decode_answer(
            self._provider.name,
            self._vendor.type,
            status,
            headers,
            body,
            think_blocks=self._think_blocks,
            json_tool=json_tool,
        )

    def decoder(self, *, json_tool: bool = True) -> StreamDecoder:
        """Return a decoder for one streamed answer."""
        return ChatStreamDecoder(
            self._provider.name,
            self._vendor.type,
            think_blocks=self._think_blocks,
            json_tool=json_tool,
            discard_unknown=self._provider.discard_unknown_chunks,
        )

    def error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        """Return what an error status means."""
        return refused(self._provider.name, status, headers, body)
