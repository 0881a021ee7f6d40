"""Limits and time-outs of the inbound edge. What they guard against is said at each."""

from __future__ import annotations

from msgspec import Struct

from calibrant.types.call import Headers

__all__ = ["ServerSettings"]


class ServerSettings(Struct, frozen=True, kw_only=True):
    """How much a client may send, and how long it may take."""

    max_body_bytes: int = 100 * 2**20
    """Of a request body, both as sent and once decompressed."""
    max_head_bytes: int = 64 * 2**10
    """Of the request line and the header fields, trailers included."""
    max_headers: int = 100
    """Fields in one request, trailers included."""
    header_timeout_s: float = 15.0
    """From the first byte of a request to the end of its head, however it trickles in."""
    body_timeout_s: float = 60.0
    """A body may take as long as it likes, as long as each span of this length brings 16 KiB of it, or its end."""
    keep_alive_s: float = 75.0
    """Until a connection on which nothing is asked is closed."""
    write_timeout_s: float = 60.0
    """Until a client that does not read its answer is dropped."""
    linger_s: float = 2.0
    """How long the rest of a refused request is read and thrown away, so that the client sees why."""
    drain_idle_s: float = 1.0
    """While draining, a connection idle for this long is closed; a busier one hears it with its next answer."""
    max_pipelined: int = 64
    """Requests that may wait on one connection before it is no longer read; what one read brought is kept."""
    backlog: int = 2048
    """Connections that the kernel holds until they are accepted."""
    server_headers: Headers = ()
    """Fields of each answer, such as the gateway's version."""
    error_json: bool = False
    """Whether an error's body also carries the error as a value (`gateway.unstable_error_json`)."""
    watch_clients: bool = False
    """Whether handlers are told when their client leaves (`gateway.on_client_disconnect`)."""
