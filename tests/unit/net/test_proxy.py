"""Proxies: which calls use one, absolute form, CONNECT, refusals, credentials that stay hidden."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from calibrant.base.errors import ConfigError, InferenceTimeout, Unreachable
from calibrant.net.address import Origin
from calibrant.net.proxy import Proxies
from calibrant.net.settings import ClientSettings, ProxySettings

SECRET = "basic dXNlcjpodW50ZXIy"


@asynccontextmanager
async def tunnelling(answer: bytes | None, seen: list[str], tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A proxy that opens tunnels, or gives one answer to everybody."""

    async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
        sink.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            seen.append(head)
            if answer is not None:
                writer.write(answer)
                if answer:
                    writer.close()
                else:
                    await reader.read()
                return
            host, port = head.split()[1].split(":")
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Connection established\r\nvia: x\r\n\r\n")
            await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer), return_exceptions=True)
            far_writer.close()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.parametrize("secure_proxy", [False, True])
def test_https_goes_through_a_tunnel(kit: Any, authority: trustme.CA, tmp_path: Path, secure_proxy: bool) -> None:
    bundle = str(tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(bundle)
    seen: list[str] = []

    async def main() -> None:
        proxy_tls = server_context(authority) if secure_proxy else None
        async with (
            tunnelling(None, seen, proxy_tls) as port,
            kit.serve(kit.ok(b"hi"), tls=server_context(authority)) as server,
        ):
            scheme = "https" if secure_proxy else "http"
            proxies = ProxySettings(https_proxy=f"{scheme}://user:hunter2@127.0.0.1:{port}")
            async with kit.client(proxies=proxies, ca_bundle=bundle) as client:
                for _ in range(2):
                    reply = await client.send(kit.call(server.url()), kit.within())
                    assert await reply.read() == b"hi"
            assert len(seen) == 1
            assert seen[0].startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\n")
            assert f"proxy-authorization: {SECRET}" in seen[0].replace("Basic", "basic")
            # The server itself never sees the proxy's credentials.
            assert "proxy-authorization" not in server.seen[0].headers
            assert server.seen[0].line == "POST /v1/chat HTTP/1.1"

    kit.run(main())


def test_http_goes_to_the_proxy_in_absolute_form(kit: Any) -> None:
    async def main() -> None:
        async with kit.serve(kit.ok(b"hi")) as proxy:
            proxies = ProxySettings(http_proxy=f"http://user:hunter2@127.0.0.1:{proxy.port}")
            async with kit.client(proxies=proxies) as client:
                await client.send(kit.call("http://far.example:8080/v1?x=1"), kit.within())
            assert proxy.seen[0].line == "POST http://far.example:8080/v1?x=1 HTTP/1.1"
            assert proxy.seen[0].headers["host"] == "far.example:8080"
            assert proxy.seen[0].headers["proxy-authorization"].lower() == SECRET.lower()

    kit.run(main())


def test_no_proxy_goes_directly(kit: Any) -> None:
    async def main() -> None:
        async with kit.serve(kit.ok(b"hi")) as server:
            proxies = ProxySettings(http_proxy="http://127.0.0.1:1", no_proxy=("127.0.0.0/8",))
            async with kit.client(proxies=proxies) as client:
                await client.send(kit.call(server.url()), kit.within())
            assert server.seen[0].line == "POST /v1/chat HTTP/1.1"

    kit.run(main())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "status 407; check the credentials"),
        (b"HTTP/1.0 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", "status 502"),
        (b"HTTP/1.1 200 OK\r\n", "closed the connection"),
        (b"HTTP/1.1 200 OK\r\n\r\nsurplus", "sent data before"),
        (b"SSH-2.0-x\r\n\r\n", "did not answer in HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"x" * 70_000, "no end of its answer's head"),
    ],
)
def test_a_proxy_that_will_not_is_named_and_its_credentials_are_not(kit: Any, answer: bytes, message: str) -> None:
    async def main() -> None:
        async with tunnelling(answer, []) as port:
            proxies = ProxySettings(https_proxy=f"http://user:hunter2@127.0.0.1:{port}")
            async with kit.client(proxies=proxies) as client:
                with pytest.raises(Unreachable, match=f"proxy http://127.0.0.1:{port} .*{message}") as caught:
                    await client.send(kit.call("https://far.example/v1"), kit.within())
                assert "hunter2" not in caught.value.message
                assert client.pool("https://far.example/").size == 0

    kit.run(main())


def test_a_silent_or_absent_proxy_is_an_error_too(kit: Any) -> None:
    async def main() -> None:
        async with tunnelling(b"", []) as port:
            async with kit.client(proxies=ProxySettings(https_proxy=f"127.0.0.1:{port}")) as client:
                with pytest.raises(InferenceTimeout, match="connect"):
                    await client.send(kit.call("https://far.example/v1"), kit.within(connect=0.1))
            async with kit.client(proxies=ProxySettings(https_proxy="http://u:hunter2@127.0.0.1:1")) as client:
                with pytest.raises(Unreachable, match="far.example through the proxy http://127.0.0.1:1: Conn"):
                    await client.send(kit.call("https://far.example/v1"), kit.within())

    kit.run(main())


@pytest.mark.parametrize(
    ("rule", "host", "port", "direct"),
    [
        ("*", "a.example", 443, True),
        ("example", "a.example", 443, True),
        (".a.example", "b.a.example", 443, True),
        ("*.a.example", "b.a.example", 443, True),
        ("a.example", "ba.example", 443, False),
        ("A.Example", "a.example", 443, True),
        ("a.example:443", "a.example", 443, True),
        ("a.example:80", "a.example", 443, False),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("::1", "::1", 443, True),
        ("[::1]:8443", "::1", 443, False),
        ("[::1]:443", "::1", 443, True),
        ("fd00::/8", "fd00::1", 443, True),
        ("10.0.0.0/8", "a.example", 443, False),
        (" ", "a.example", 443, False),
    ],
)
def test_no_proxy_rules(rule: str, host: str, port: int, direct: bool) -> None:
    proxies = Proxies(ProxySettings(https_proxy="http://p.example:3128", no_proxy=(rule,)))
    chosen = proxies.choose(Origin("https", host, port))
    assert (chosen is None) == direct
    assert proxies.choose(Origin("http", host, port)) is None


@pytest.mark.parametrize("url", ["socks5://p.example", "http://", "http://p.example:x", "http://p.example:99999"])
def test_a_proxy_that_cannot_be_used_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError, match="https_proxy"):
        Proxies(ProxySettings(https_proxy=url))


def test_no_repr_shows_credentials() -> None:
    settings = ClientSettings(proxies=ProxySettings(http_proxy="http://user:hunter2@p.example"))
    chosen = Proxies(settings.proxies).choose(Origin("http", "a.example", 80))
    assert chosen is not None
    assert "hunter2" not in f"{settings!r} {settings.proxies} {chosen!r}"
    assert SECRET[6:] not in repr(chosen)
