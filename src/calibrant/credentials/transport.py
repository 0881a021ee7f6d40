"""A small HTTP client for threads: one request, one answer, with a limit on time and size. No redirect is followed."""

from __future__ import annotations

import http.client
import ssl
import urllib.request
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from msgspec import Struct

from calibrant.config.environment import Proxies

__all__ = ["Answer", "NoAnswer", "Transport"]

_MAX_BYTES = 2**20


class Answer(Struct, frozen=True):
    """What a server answered, whatever its status."""

    status: int
    headers: dict[str, str]
    """By name, in lower case."""
    data: bytes


class NoAnswer(Exception):
    """The server could not be reached, or its answer is not HTTP."""


class Transport:
    """Speaks HTTP and HTTPS, through the proxies of the environment where it is told to."""

    def __init__(self, proxies: Proxies, ca_bundle: str | None = None) -> None:
        """Open nothing yet.

        Args:
            proxies: The proxies of outbound calls.
            ca_bundle: PEM file of authorities to trust beside the system's.

        Raises:
            OSError: the bundle cannot be read.
        """
        context = ssl.create_default_context()
        if ca_bundle is not None:
            context.load_verify_locations(cafile=ca_bundle)
        addresses = {"http": proxies.http, "https": proxies.https}
        self._direct = _opener(context, {})
        self._proxied = _opener(context, {scheme: proxy.reveal() for scheme, proxy in addresses.items() if proxy})
        self._no_proxy = proxies.no_proxy

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        timeout_s: float = 10.0,
        direct: bool = False,
    ) -> Answer:
        """Return the answer.

        Args:
            method: Such as `GET`.
            url: An `http` or `https` address.
            headers: Of the request.
            body: Of the request.
            timeout_s: For each wait on the network.
            direct: Whether to go round any proxy.

        Raises:
            NoAnswer: there is none. The text quotes nothing.
        """
        try:
            opener = self._direct if direct or self._goes_round(urlsplit(url).hostname or "") else self._proxied
            request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)  # noqa: S310 - the openers know no other scheme
            with opener.open(request, timeout=timeout_s) as answer:
                headers_in = {name.lower(): value for name, value in answer.headers.items()}
                return Answer(answer.status, headers_in, answer.read(_MAX_BYTES))
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NoAnswer(type(getattr(error, "reason", error)).__name__) from None

    def _goes_round(self, host: str) -> bool:
        """Return whether a host is one that no proxy is asked for."""
        return any(
            rule == "*"
            or host == rule.lstrip(".").lower()
            or host.endswith(f".{rule.lstrip('.').lower()}")
            or _within(host, rule)
            for rule in self._no_proxy
        )


def _within(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False


def _opener(context: ssl.SSLContext, proxies: Mapping[str, str]) -> urllib.request.OpenerDirector:
    # Without the handlers for errors and redirects, each status is an answer like any other.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(dict(proxies)),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener
