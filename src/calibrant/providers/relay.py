"""The adapter for another gateway of the native dialect, which calls the providers in our place.

Read in this order: `relay_request.py` (what is sent), `relay_answer.py` (a whole answer), `relay_stream.py` (a
streamed one), `refusal.py` (errors). What the other gateway says is trusted, the cost in its usage too.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.config.secret import Credentials, PassedOn
from calibrant.providers.base import StreamDecoder
from calibrant.providers.refusal import refused
from calibrant.providers.relay_answer import decode_relayed
from calibrant.providers.relay_request import beside, encode_relayed, hidden, with_fields
from calibrant.providers.relay_stream import RelayStreamDecoder
from calibrant.providers.sign import bearer
from calibrant.types.call import Headers, HttpCall, ModelCall
from calibrant.types.onward import Onward
from calibrant.types.reply import Reply

__all__ = ["Relay"]

_HEADERS: Headers = (("content-type", "application/json"),)
_encode = msgspec.json.Encoder().encode


class Relay:
    """Speaks the native dialect to another gateway, about one model of it."""

    __slots__ = ("_provider", "_url")

    def __init__(self, provider: Provider) -> None:
        """Keep what is the same for every call."""
        self._provider = provider
        self._url = (provider.api_base or "").rstrip("/") + "/inference"

    def encode(self, call: ModelCall) -> HttpCall:
        """Return the request. No secret is in it.

        Raises:
            ProviderError: the call has what cannot be sent on.
        """
        return HttpCall("POST", self._url, _HEADERS, encode_relayed(self._provider, call), call.stream)

    def changed(self, http: HttpCall, onward: Onward) -> HttpCall:
        """Return the request with what changes its answer: the changes that the other gateway is to make."""
        return _with(http, with_fields(onward))

    def accompanied(self, http: HttpCall, onward: Onward) -> HttpCall:
        """Return the request with what only goes along with it, such as tags."""
        return _with(http, beside(onward))

    def covered(self, http: HttpCall, onward: Onward) -> HttpCall:
        """Return the request with what nobody records: changes of headers."""
        return _with(http, {"extra_headers": hidden(onward.extra_headers)}) if onward.extra_headers else http

    def sign(self, http: HttpCall, secret: Credentials | None, now: float) -> HttpCall:
        """Return the request with the other gateway's key as a bearer token, and with the credentials to pass on."""
        if not isinstance(secret, PassedOn):
            return bearer(http, secret)
        if secret.credentials:
            http = _with(http, {"credentials": {name: each.reveal() for name, each in secret.credentials.items()}})
        return bearer(http, secret.key)

    def decode(self, status: int, headers: Headers, body: bytes, *, json_tool: bool = True) -> Reply:
        """Return the whole answer.

        Raises:
            Refused: the other gateway sent an error, whatever the status.
            BadAnswer: the body is no answer.
        """
        if not 200 <= status < 300:
            raise self.error(status, headers, body)
        return decode_relayed(self._provider.name, status, body, json_tool=json_tool)

    def decoder(self, *, json_tool: bool = True) -> StreamDecoder:
        """Return a decoder for one streamed answer."""
        return RelayStreamDecoder(self._provider.name, json_tool=json_tool)

    def error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        """Return what an error status means."""
        return refused(self._provider.name, status, headers, body)


def _with(http: HttpCall, fields: dict[str, Any]) -> HttpCall:
    """Return the request with further fields at the end of its body, which is an object with some already."""
    return replace(http, body=http.body[:-1] + b"," + _encode(fields)[1:]) if fields else http
