"""The outbound HTTP/1.1 client: the one way out of the gateway for calls that are hot.

`send` is the whole of it: look up what is known about the call's URL and header fields, take a warm
connection, write once, await one future. Everything slower (parsing URLs, dialling, queueing) is a miss.
It follows no redirect, keeps no cookie, retries nothing that was sent, and reads no environment.
"""

from __future__ import annotations

from functools import partial
from typing import TypeVar

from msgspec import Struct

from calibrant.base.errors import Unreachable
from calibrant.net.address import Origin, parse_url
from calibrant.net.dial import connect
from calibrant.net.pool import Pool
from calibrant.net.proxy import Proxies
from calibrant.net.request import encode_head, framing
from calibrant.net.response import Answer
from calibrant.net.settings import ClientSettings
from calibrant.net.tls import make_tls_context
from calibrant.types.call import Deadline, Headers, HttpCall

__all__ = ["Client"]

_MAX_REMEMBERED = 512
_K = TypeVar("_K")
_V = TypeVar("_V")


class _Route(Struct, frozen=True):
    """What is the same for all calls of one URL."""

    pool: Pool
    target: str
    host: str
    label: str
    extra: Headers


class _Prepared(Struct, frozen=True):
    """What is the same for all calls with one method, URL and header fields."""

    pool: Pool
    head: bytes
    label: str
    bodiless: bool


class Client:
    """Sends HTTP calls over pooled connections. Implements `types.call.Sender`; one per event loop."""

    def __init__(self, *, settings: ClientSettings) -> None:
        """Make a client with no connections.

        Raises:
            ConfigError: the CA bundle or a proxy's URL cannot be used.
        """
        self._settings = settings
        self._tls = make_tls_context(settings.ca_bundle)
        self._proxies = Proxies(settings.proxies)
        self._pools: dict[Origin, Pool] = {}
        self._routes: dict[str, _Route] = {}
        self._prepared: dict[tuple[str, str, Headers], _Prepared] = {}
        self._closed = False

    async def send(self, call: HttpCall, deadline: Deadline) -> Answer:
        """Send a call; return once the whole answer has come, or, for a stream, its head.

        Raises:
            Unreachable: no connection could be made, or the call is not one that may be sent.
            Disconnected: the connection broke after the call was sent.
            BadAnswer: what came back is not HTTP, or too long.
            InferenceTimeout: a deadline passed; the message says which.
        """
        prepared = self._prepared.get((call.method, call.url, call.headers)) or self._prepare(call)
        body = call.body
        head = prepared.head + framing(call.method, body)
        pool = prepared.pool
        # A pooled connection is checked here, before anything is sent. Once it has been written to, nobody
        # can tell how much of the call the server has seen, so the call is not made again.
        connection = pool.take() or await pool.acquire(deadline)
        answer = Answer(
            prepared.label,
            stream=call.stream,
            bodiless=prepared.bodiless,
            settled=connection.loop.create_future(),
            settings=self._settings,
        )
        connection.start(head, body, answer, deadline)
        try:
            await answer.settled
        except BaseException:
            answer.close()
            raise
        return answer

    async def close(self) -> None:
        """Close idle connections and take no more calls; waits for nothing."""
        self._closed = True
        self._prepared.clear()
        for pool in self._pools.values():
            pool.close()

    def pool(self, url: str) -> Pool:
        """Return the pool that serves a URL, for figures and tests."""
        return self._pool(parse_url(url).origin)

    def _prepare(self, call: HttpCall) -> _Prepared:
        if self._closed:
            raise Unreachable("the HTTP client is closed", retryable=False)
        route = self._routes.get(call.url) or self._find_route(call.url)
        prepared = _Prepared(
            pool=route.pool,
            head=encode_head(call, target=route.target, host=route.host, extra=route.extra),
            label=f"{call.method} {route.label}",
            bodiless=call.method == "HEAD",
        )
        _remember(self._prepared, (call.method, call.url, call.headers), prepared)
        return prepared

    def _find_route(self, url: str) -> _Route:
        address = parse_url(url)
        origin = address.origin
        target = address.target
        extra: Headers = (("user-agent", self._settings.user_agent),)
        proxy = self._proxies.choose(origin)
        if proxy is not None and origin.scheme == "http":
            target = f"{origin}{target}"
            extra += proxy.headers
        pool = self._pool(origin)
        route = _Route(pool=pool, target=target, host=origin.host_header, label=address.label, extra=extra)
        _remember(self._routes, url, route)
        return route

    def _pool(self, origin: Origin) -> Pool:
        pool = self._pools.get(origin)
        if pool is None:
            if len(self._pools) >= _MAX_REMEMBERED:
                self._forget_unused()
            dial = partial(connect, origin, self._proxies.choose(origin), self._tls, self._settings.public_only)
            pool = self._pools[origin] = Pool(str(origin), dial, self._settings)
        return pool

    def _forget_unused(self) -> None:
        """Forget origins without a connection: where strangers choose them, there is no end of them."""
        self._routes.clear()
        self._prepared.clear()
        self._pools = {origin: pool for origin, pool in self._pools.items() if pool.size}


def _remember(known: dict[_K, _V], key: _K, value: _V) -> None:
    # Header fields that change with each call (trace context) fill it; starting afresh costs microseconds.
    if len(known) >= _MAX_REMEMBERED:
        known.clear()
    known[key] = value
