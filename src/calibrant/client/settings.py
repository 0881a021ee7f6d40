"""What both clients are made of: address, key, time-outs, headers."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from msgspec import Struct

from calibrant import __version__
from calibrant.client.call import Call
from calibrant.client.retry import Answered, Failed
from calibrant.config.caller import api_key as key_of_environment

__all__ = ["DEFAULT_TIMEOUT_S", "DEFAULT_URL", "LIMITS", "Settings", "answered", "failed", "settings"]

DEFAULT_URL: Final = "http://127.0.0.1:3000"
DEFAULT_TIMEOUT_S: Final = 600.0
_CONNECT_S: Final = 10.0
LIMITS: Final = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)
"""A stream holds its connection, so there are more of them than a web client has."""
_UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)


class Settings(Struct, frozen=True):
    """An address and what every request to it carries. Neither shows the API key."""

    base_url: str
    headers: httpx2.Headers
    timeout: httpx2.Timeout

    def request(self, client: httpx2.Client | httpx2.AsyncClient, call: Call[Any]) -> httpx2.Request:
        """Return the call as a request to the gateway.

        Raises:
            ValueError: the call has a time-out of its own that is none.
        """
        headers = self.headers.copy()
        headers.update(call.headers)
        if call.body is not None and "content-type" not in call.headers:
            headers["content-type"] = "application/json"
        timeout = self.timeout if call.timeout_s is None else _patience(call.timeout_s)
        return client.build_request(
            call.method, self.base_url + call.path, content=call.body, headers=headers, timeout=timeout
        )


def settings(base_url: str, api_key: str | None, timeout: float | None) -> Settings:
    """Return the settings of a client.

    Args:
        base_url: Where the gateway is, with its `base_path` if it has one.
        api_key: A key of the gateway; where it is null, that of the environment.
        timeout: Seconds of silence that are too many; null for patience without end.

    Raises:
        ValueError: the address is none, or the key cannot be one.
    """
    address = urlsplit(base_url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError(f"base_url: {base_url!r} is no address; write one such as {DEFAULT_URL}")
    if address.username is not None or address.query or address.fragment:
        raise ValueError("base_url: an address has no user, password, query or fragment; a key goes into `api_key`")
    patience = _patience(timeout)
    headers = httpx2.Headers({"accept": "application/json", "user-agent": f"calibrant-python/{__version__}"})
    key = key_of_environment() if api_key is None else api_key
    if key:
        # Said here, since the HTTP library would show the value.
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ValueError("api_key: a key has no blanks, line breaks or letters beyond ASCII; copy it again")
        headers["authorization"] = f"Bearer {key}"
    return Settings(base_url.rstrip("/"), headers, patience)


def _patience(timeout: float | None) -> httpx2.Timeout:
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout: {timeout!r} is no number of seconds; write a positive one, or None for no limit")
    return httpx2.Timeout(timeout, connect=_CONNECT_S if timeout is None else min(_CONNECT_S, timeout))


def answered(response: httpx2.Response, *, stream: bool) -> Answered:
    """Return what an answer says. The body of a stream that begins is not there yet."""
    body = b"" if stream and response.is_success else response.content
    return Answered(response.status_code, response.headers, body)


def failed(error: httpx2.RequestError) -> Failed:
    """Return what a failure of the HTTP library says of the request."""
    why = str(error) or type(error).__name__
    if isinstance(error, _UNSENT):
        return Failed("unsent", why)
    return Failed("silent" if isinstance(error, httpx2.TimeoutException) else "broken", why)
