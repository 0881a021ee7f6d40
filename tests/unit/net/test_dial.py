"""Connecting: TLS and trust, deaf ports, several addresses, IPv6."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from calibrant.base.errors import Disconnected, InferenceTimeout, Unreachable


class Trust:
    """A certificate authority, its bundle, and servers' contexts."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.bundle = str(folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.bundle)

    def context(self, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*names).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return Trust(tmp_path_factory.mktemp("ca"))


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port whose queue is full: connecting to it neither succeeds nor fails."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for filler in fillers:
            filler.close()


def test_a_trusted_server_answers_over_tls(kit: Any, trust: Trust) -> None:
    async def main() -> None:
        tls = trust.context("127.0.0.1")
        async with kit.serve(kit.ok(b"hi"), tls=tls) as server, kit.client(ca_bundle=trust.bundle) as client:
            for stream in (False, True):
                reply = await client.send(kit.call(server.url(), stream=stream), kit.within())
                assert await reply.read() == b"hi"
            assert server.connections == 1

    kit.run(main())


def test_names_are_checked_too(kit: Any, trust: Trust) -> None:
    async def main() -> None:
        tls = trust.context("elsewhere.example")
        async with kit.serve(kit.ok(b"hi"), tls=tls) as server, kit.client(ca_bundle=trust.bundle) as client:
            with pytest.raises(Unreachable, match="IP address mismatch"):
                await client.send(kit.call(server.url()), kit.within())
            assert server.seen == []
            assert client.pool(server.url()).size == 0

    kit.run(main())


def test_an_unknown_authority_is_refused(kit: Any, trust: Trust) -> None:
    async def main() -> None:
        async with kit.serve(kit.ok(b"hi"), tls=trust.context("127.0.0.1")) as server, kit.client() as client:
            with pytest.raises(Unreachable, match="certificate was refused: .*CA bundle"):
                await client.send(kit.call(server.url()), kit.within())
            assert server.seen == []

    kit.run(main())


def test_a_server_that_speaks_no_tls_is_unreachable(kit: Any) -> None:
    async def main() -> None:
        async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        listener = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        async with kit.client() as client:
            with pytest.raises(Unreachable, match="TLS handshake failed"):
                await client.send(kit.call(f"https://127.0.0.1:{port}/"), kit.within())
        listener.close()

    kit.run(main())


def test_a_body_without_length_needs_the_end_of_tls(kit: Any, trust: Trust) -> None:
    if kit.run is asyncio.run:
        pytest.skip("the standard event loop reports both kinds of end alike")

    async def respond(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nsome of it")
        await writer.drain()
        await asyncio.sleep(0.02)
        # No close_notify: anybody on the way could have cut the connection.
        writer.transport.abort()

    async def main() -> None:
        tls = trust.context("127.0.0.1")
        async with kit.serve(respond, tls=tls) as server, kit.client(ca_bundle=trust.bundle) as client:
            with pytest.raises(Disconnected):
                await client.send(kit.call(server.url()), kit.within())

    kit.run(main())


def test_a_deaf_port_meets_the_connect_deadline(kit: Any) -> None:
    with deaf_port() as port:

        async def main() -> None:
            async with kit.client() as client:
                url = f"http://127.0.0.1:{port}/"
                for limits, which in (({"connect": 0.1}, "connect"), ({"total": 0.1}, "total")):
                    with pytest.raises(InferenceTimeout, match=f"the {which} deadline .* connection to http://127"):
                        await client.send(kit.call(url), kit.within(**limits))
                assert client.pool(url).size == 0

        kit.run(main())


def test_a_handshake_that_stalls_meets_the_connect_deadline(kit: Any) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            async with kit.client() as client:
                url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
                with pytest.raises(InferenceTimeout, match="the connect deadline"):
                    await client.send(kit.call(url), kit.within(connect=0.1))
                assert client.pool(url).size == 0

    kit.run(main())


def test_a_dead_or_slow_address_does_not_hold_the_others_up(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        with deaf_port() as deaf, socket.socket() as refusing:
            refusing.bind(("127.0.0.1", 0))
            async with kit.serve(kit.ok(b"hi")) as server, kit.client() as client:
                ports = [deaf, refusing.getsockname()[1], server.port]
                infos = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]

                resolve = asyncio.get_running_loop().getaddrinfo

                async def found(host: str, *args: Any, **named: Any) -> Any:
                    return infos if host.endswith(".example") else await resolve(host, *args, **named)

                monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found, raising=False)
                reply = await client.send(kit.call("http://many.example/"), kit.within())
                assert await reply.read() == b"hi"
                infos.pop()
                infos.reverse()
                with pytest.raises(InferenceTimeout):
                    await client.send(kit.call("http://few.example/"), kit.within(0.4))
                infos.pop()
                infos *= 2
                with pytest.raises(Unreachable, match="http://none.example: Connection refused"):
                    await client.send(kit.call("http://none.example/"), kit.within())

    kit.run(main())


def test_ipv6_literals(kit: Any) -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6")

    async def main() -> None:
        async with kit.serve(kit.ok(b"hi"), host="::1") as server, kit.client() as client:
            reply = await client.send(kit.call(server.url()), kit.within())
            assert await reply.read() == b"hi"
            assert server.seen[0].headers["host"] == f"[::1]:{server.port}"

    kit.run(main())


def test_localhost_works_whichever_family_the_server_has(kit: Any) -> None:
    async def main() -> None:
        async with kit.serve(kit.ok(b"hi"), name="localhost") as server, kit.client() as client:
            reply = await client.send(kit.call(server.url()), kit.within())
            assert await reply.read() == b"hi"

    kit.run(main())
