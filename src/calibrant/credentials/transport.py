"""A small HTTP client for threads: one request, one answer, with a limit on time and size. No redirect is followed."""

from __future__ import annotations

import http.client
import ssl
import urllib.request
from collections.abc import Mapping

from msgspec import Struct

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

    def __init__(self, environ: Mapping[str, str], ca_bundle: str | None = None) -> None:
        """Open nothing yet.

        Args:
            environ: Says which proxies there are.
            ca_bundle: PEM file of authorities to trust beside the system's.

        Raises:
            OSError: the bundle cannot be read.
        """
        context = ssl.create_default_context()
        if ca_bundle is not None:
            context.load_verify_locations(cafile=ca_bundle)
        proxies = {
            scheme: address
            for scheme in ("http", "https")
            if (address := environ.get(f"{scheme}_proxy") or environ.get(f"{scheme.upper()}_PROXY"))
        }
        self._direct = _opener(context, {})
        self._proxied = _opener(context, proxies)

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
        opener = self._direct if direct else self._proxied
        try:
            request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)  # noqa: S310 - the openers know no other scheme
            with opener.open(request, timeout=timeout_s) as answer:
                headers_in = {name.lower(): value for name, value in answer.headers.items()}
                return Answer(answer.status, headers_in, answer.read(_MAX_BYTES))
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NoAnswer(type(getattr(error, "reason", error)).__name__) from None


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
