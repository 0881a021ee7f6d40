"""Where a call goes: the parts of its URL as HTTP needs them. Pure; refuses what could smuggle anything."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from msgspec import Struct

from calibrant.base.errors import Unreachable

__all__ = ["Address", "Origin", "parse_url"]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?")


class Origin(Struct, frozen=True):
    """A server: calls to the same origin share connections."""

    scheme: str
    host: str
    """In lower case; an IPv6 address without its brackets."""
    port: int

    @property
    def host_header(self) -> str:
        """The value of the Host field."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def authority(self) -> str:
        """Host and port, as CONNECT wants them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        """Return the origin as a URL."""
        return f"{self.scheme}://{self.host_header}"


class Address(Struct, frozen=True):
    """A parsed URL."""

    origin: Origin
    target: str
    """Path and query, as the request line wants them."""
    label: str
    """The URL without its query: what error messages may show."""


def parse_url(url: str) -> Address:
    """Take a URL apart.

    Raises:
        Unreachable: it is no URL that may be called. The message shows no part that could be a secret.
    """
    if not _VISIBLE.fullmatch(url):
        raise _refusal("it holds a space, a line break or a character that is not ASCII; percent-encode it")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _refusal("its host or port cannot be read") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise _refusal("it does not start with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise _refusal("it carries credentials; send them in a header")
    if not host or not _HOST.fullmatch(host):
        raise _refusal("its host cannot be read")
    origin = Origin(parts.scheme, host, port if port is not None else _DEFAULT_PORTS[parts.scheme])
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    return Address(origin=origin, target=target, label=f"{origin}{path}")


def _refusal(reason: str) -> Unreachable:
    return Unreachable(f"the URL of a call cannot be used: {reason}", retryable=False)
