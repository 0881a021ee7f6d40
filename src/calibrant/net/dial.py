"""Making a connection: addresses, the race between them, the proxy's tunnel, TLS. Not the hot path.

The caller bounds the time; everything here can be cancelled at any await and leaves nothing open.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections import deque
from itertools import chain, zip_longest
from typing import Any, cast

from calibrant.base.errors import Unreachable
from calibrant.net.address import Origin
from calibrant.net.proxy import Proxy, Tunnel
from calibrant.net.public import is_public
from calibrant.net.tls import explain_tls

__all__ = ["connect"]

_HEAD_START_S = 0.25
"""How long an address is tried alone before the next one joins the race (RFC 8305, section 5)."""

_Address = tuple[socket.AddressFamily, Any]


async def connect(
    origin: Origin, proxy: Proxy | None, tls: ssl.SSLContext, public_only: bool, protocol: asyncio.Protocol
) -> None:
    """Connect a protocol to an origin; it is ready for a call when this returns.

    Args:
        origin: Where to.
        proxy: Through whom.
        tls: What is trusted.
        public_only: Refuse an origin that is not on the public internet. Where a proxy connects in our place, it is
            the proxy that resolves the name in the end; what the name is here is looked at all the same.
        protocol: What to connect.

    Raises:
        Unreachable: no address, none that answers, no trust, none that is allowed, or the proxy would not.
    """
    loop = asyncio.get_running_loop()
    through = "" if proxy is None else f" through the proxy {proxy.origin}"
    try:
        if proxy is None:
            sock = await _open_socket(loop, origin, public_only=public_only)
        else:
            if public_only:
                await _check_behind_proxy(loop, origin)
            sock = await _open_socket(loop, proxy.origin, public_only=False)
        if proxy is None:
            await _wrap(loop, protocol, sock, origin, tls)
        elif origin.scheme == "http":
            await _wrap(loop, protocol, sock, proxy.origin, tls)
        else:
            await _through_tunnel(loop, origin, proxy, tls, sock, protocol)
    except ssl.SSLError as error:
        raise Unreachable(f"cannot connect to {origin}{through}: {explain_tls(error)}") from error
    except OSError as error:
        raise Unreachable(f"cannot connect to {origin}{through}: {_reason(error)}") from error


async def _wrap(
    loop: asyncio.AbstractEventLoop,
    protocol: asyncio.Protocol,
    sock: socket.socket,
    origin: Origin,
    tls: ssl.SSLContext,
) -> asyncio.Transport:
    """Give a connected socket to a protocol, with TLS where the origin wants it."""
    if origin.scheme == "https":
        transport, _ = await loop.create_connection(lambda: protocol, sock=sock, ssl=tls, server_hostname=origin.host)
    else:
        transport, _ = await loop.create_connection(lambda: protocol, sock=sock)
    return transport


async def _through_tunnel(
    loop: asyncio.AbstractEventLoop,
    origin: Origin,
    proxy: Proxy,
    tls: ssl.SSLContext,
    sock: socket.socket,
    protocol: asyncio.Protocol,
) -> None:
    tunnel = Tunnel(proxy, origin, loop.create_future())
    transport = await _wrap(loop, tunnel, sock, proxy.origin, tls)
    try:
        await tunnel.ready
        secured = await loop.start_tls(transport, protocol, tls, server_hostname=origin.host)
    except BaseException:
        transport.abort()
        raise
    # Event loops leave this call out when they change the protocol of a transport.
    protocol.connection_made(cast("asyncio.BaseTransport", secured))


async def _resolve(loop: asyncio.AbstractEventLoop, origin: Origin) -> list[_Address]:
    try:
        found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a host name"
        raise Unreachable(f"cannot resolve the host of {origin}: {reason or 'no address'}") from error
    return [(info[0], info[4]) for info in found]


def _check_public(origin: Origin, addresses: list[_Address]) -> None:
    # One that is not spoils the others: a host with both is up to no good, or not meant for us.
    if not all(is_public(str(address[1][0])) for address in addresses):
        raise Unreachable(f"the host of {origin} is not on the public internet", retryable=False)


async def _check_behind_proxy(loop: asyncio.AbstractEventLoop, origin: Origin) -> None:
    try:
        addresses = await _resolve(loop, origin)
    except Unreachable:
        # Behind some proxies nothing outside can be resolved.
        return
    _check_public(origin, addresses)


async def _open_socket(loop: asyncio.AbstractEventLoop, origin: Origin, *, public_only: bool) -> socket.socket:
    found = await _resolve(loop, origin)
    if public_only:
        _check_public(origin, found)
    addresses = _alternate(found)
    if len(addresses) == 1:
        return await _try(loop, addresses[0])
    return await _race(loop, addresses)


def _alternate(addresses: list[_Address]) -> list[_Address]:
    """Order addresses so that the families take turns, beginning with the one the resolver prefers."""
    preferred = [item for item in addresses if item[0] == addresses[0][0]]
    others = [item for item in addresses if item[0] != addresses[0][0]]
    return [item for item in chain.from_iterable(zip_longest(preferred, others)) if item is not None]


async def _race(loop: asyncio.AbstractEventLoop, addresses: list[_Address]) -> socket.socket:
    """Return the first socket that connects; a slow address does not hold the others up."""
    waiting = deque(addresses)
    running: set[asyncio.Task[socket.socket]] = set()
    faults: list[OSError] = []
    try:
        while waiting or running:
            if waiting:
                running.add(loop.create_task(_try(loop, waiting.popleft())))
            await asyncio.wait(running, timeout=_HEAD_START_S if waiting else None, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in running if task.done()]:
                running.discard(task)
                try:
                    return task.result()
                except OSError as error:
                    faults.append(error)
    finally:
        await _call_off(running)
    raise faults[0]


async def _call_off(tasks: set[asyncio.Task[socket.socket]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled() and task.exception() is None:
            task.result().close()


async def _try(loop: asyncio.AbstractEventLoop, address: _Address) -> socket.socket:
    sock = socket.socket(address[0], socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await loop.sock_connect(sock, address[1])
    except BaseException:
        sock.close()
        raise
    return sock


def _reason(error: OSError) -> str:
    # Event loops put a text of their own, with the address once more, in place of the system's.
    return os.strerror(error.errno) if error.errno else type(error).__name__
