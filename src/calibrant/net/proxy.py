"""Which calls go through a proxy, and how a tunnel through it is asked for."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address, ip_network
from typing import cast
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from calibrant.base.errors import ConfigError, Unreachable
from calibrant.net.address import Origin
from calibrant.net.request import basic_credentials
from calibrant.net.settings import ProxySettings
from calibrant.types.call import Headers

__all__ = ["Proxies", "Proxy", "Tunnel"]

_MAX_HEAD = 64 * 1024


class Proxy(Struct, frozen=True):
    """A proxy server. Its credentials show in no repr and no message."""

    origin: Origin
    headers: Headers
    """The Proxy-Authorization field, where the proxy wants one."""

    def __repr__(self) -> str:
        """Show where it is, not how to get in."""
        return f"Proxy({self.origin})"


class Proxies:
    """The choice of a proxy for each origin."""

    def __init__(self, settings: ProxySettings) -> None:
        """Parse the settings.

        Raises:
            ConfigError: a proxy's URL cannot be used.
        """
        self._by_scheme = {
            "http": _parse(settings.http_proxy, "http_proxy"),
            "https": _parse(settings.https_proxy, "https_proxy"),
        }
        self._direct = [rule.strip().lower() for rule in settings.no_proxy if rule.strip()]

    def choose(self, origin: Origin) -> Proxy | None:
        """Return the proxy for an origin, or None where it is reached directly."""
        proxy = self._by_scheme[origin.scheme]
        if proxy is None or any(_matches(rule, origin) for rule in self._direct):
            return None
        return proxy


class Tunnel(asyncio.Protocol):
    """Asks a proxy for a tunnel. `ready` is done once the proxy has agreed."""

    def __init__(self, proxy: Proxy, origin: Origin, ready: asyncio.Future[None]) -> None:
        """Prepare to ask.

        Args:
            proxy: Whom to ask.
            origin: Where the tunnel shall lead.
            ready: A new future.
        """
        lines = [f"CONNECT {origin.authority} HTTP/1.1", f"host: {origin.authority}"]
        lines += [f"{name}: {value}" for name, value in proxy.headers]
        self._request = ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
        self._what = f"the proxy {proxy.origin}"
        self._answer = b""
        self.ready = ready

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        """Wait for the whole head of the proxy's answer, then look at its status."""
        self._answer += data
        head, end, rest = self._answer.partition(b"\r\n\r\n")
        if not end:
            if len(self._answer) > _MAX_HEAD:
                self._refuse("sent no end of its answer's head")
            return
        version, _, rest_of_line = head.split(b"\r\n", 1)[0].partition(b" ")
        status = rest_of_line[:3].decode("latin-1")
        if not version.startswith(b"HTTP/1.") or not status.isdigit():
            self._refuse("did not answer in HTTP/1.1")
        elif not status.startswith("2"):
            hint = "; check the credentials in its URL" if status == "407" else ""
            self._refuse(f"refused the tunnel with status {status}{hint}")
        elif rest:
            self._refuse("sent data before the tunnel was used")
        elif not self.ready.done():
            self.ready.set_result(None)

    def eof_received(self) -> None:
        """Give up."""
        self._refuse("closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up."""
        self._refuse("closed the connection")

    def _refuse(self, what: str) -> None:
        if not self.ready.done():
            self.ready.set_exception(Unreachable(f"{self._what} {what}"))


def _parse(url: str | None, setting: str) -> Proxy | None:
    if not url:
        return None
    # `host:port` is what many environments hold.
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{setting}: the host or port of the proxy's URL cannot be read") from None
    if parts.scheme not in ("http", "https"):
        raise ConfigError(f"{setting}: a proxy's URL starts with http:// or https://; SOCKS is not supported")
    if not host:
        raise ConfigError(f"{setting}: the proxy's URL names no host")
    headers: Headers = ()
    if parts.username is not None:
        value = basic_credentials(unquote(parts.username), unquote(parts.password or ""))
        headers = (("proxy-authorization", value),)
    default = 80 if parts.scheme == "http" else 443
    return Proxy(Origin(parts.scheme, host, default if port is None else port), headers)


def _matches(rule: str, origin: Origin) -> bool:
    if rule == "*":
        return True
    try:
        return ip_address(origin.host) in ip_network(rule.strip("[]"), strict=False)
    except ValueError:
        pass
    host, colon, port = rule.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.endswith("]")):
        if int(port) != origin.port:
            return False
        rule = host
    name = rule.strip("[]").removeprefix("*").lstrip(".")
    return origin.host == name or origin.host.endswith(f".{name}")
