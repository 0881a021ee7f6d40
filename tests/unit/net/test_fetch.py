"""Files that strangers name: what comes, what is refused, and that nobody is led where they must not go."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
from typing import Any

import pytest

from calibrant.base.errors import Unreachable
from calibrant.config.schema import FilePolicy
from calibrant.net import dial
from calibrant.net.address import Origin
from calibrant.net.fetch import Fetched, FetchFailed, FetchLimits, fetch
from calibrant.net.settings import ProxySettings

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
LIMITS = FetchLimits(2000, 5.0, 2, FilePolicy().content_types)


def body(content: bytes, kind: bytes = b"image/png", *fields: bytes, status: bytes = b"200 OK") -> bytes:
    lines = (b"HTTP/1.1 " + status, b"content-type: " + kind, *fields, b"content-length: %d" % len(content))
    return b"".join(line + b"\r\n" for line in lines) + b"\r\n" + content


def moved(where: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nlocation: {where}\r\ncontent-length: 0\r\n\r\n".encode()


def get(kit: Any, answer: Any, *, path: str = "/a.png?sig=s3cret", limits: FetchLimits = LIMITS, **kwargs: Any) -> Any:
    """What is fetched of a server that answers so, or why not."""
    settings = kwargs.pop("settings", {})
    out: list[Any] = []

    async def respond(seen: Any, writer: asyncio.StreamWriter) -> None:
        given = answer(seen, writer) if callable(answer) else answer
        if asyncio.iscoroutine(given):
            await given
        else:
            writer.write(given)

    async def main() -> None:
        async with kit.serve(respond) as server, kit.client(**settings) as client:
            until = kwargs.pop("until", time.monotonic() + 20)
            mime_type = kwargs.pop("mime_type", None)
            try:
                out.append(await fetch(client, server.url(path), limits, mime_type=mime_type, until=until))
            except FetchFailed as error:
                assert "s3cret" not in str(error)
                out.append(str(error))
            out.append(server)

    kit.run(main())
    return out[0]


def test_a_file_comes_with_its_type(kit: Any) -> None:
    assert get(kit, body(PNG)) == Fetched(PNG, "image/png")


def get_each(kit: Any, cases: list[tuple[bytes, bytes, str | None, str]]) -> list[Any]:
    """What is fetched for each (content, told type, wanted type, path), or why not."""
    out: list[Any] = []
    queue = [body(content, told) for content, told, _, _ in cases]

    async def respond(seen: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(queue.pop(0))

    async def main() -> None:
        async with kit.serve(respond) as server, kit.client() as client:
            for _, _, wanted, path in cases:
                try:
                    until = time.monotonic() + 20
                    got = await fetch(client, server.url(path), LIMITS, mime_type=wanted, until=until)
                    out.append((got.content, got.mime_type))
                except FetchFailed as error:
                    out.append(str(error))

    kit.run(main())
    return out


TYPES = [
    (PNG, b"application/octet-stream", None, "/a", "image/png"),
    (PNG, b"image/jpeg", "image/jpeg", "/a", "image/png"),
    (PNG, b"text/plain", None, "/a.txt", "image/png"),
    (b"a,b", b"text/csv; charset=utf-8", None, "/a", "text/csv"),
    (b"# a", b"text/plain", "text/markdown", "/a", "text/markdown"),
    (b"a", b"binary/octet-stream", None, "/a.txt", "text/plain"),
    (b"a", b"application/octet-stream", "application/pdf", "/a", "application/pdf"),
    (b"\x1aE\xdf\xa3", b"audio/webm", None, "/a", "audio/webm"),
    (b"OggS", b"video/ogg", "audio/ogg", "/a", "audio/ogg"),
    (b"hello", b"audio/x-wav", None, "/a", "audio/wav"),
]
REFUSED = [
    (b"<html>Not found", b"text/html", None, "it is text/html, which `gateway.files.content_types` does not have"),
    (b"<html>Not found", b"image/png", "image/png", "it is text/html, not image/png"),
    (b"no such thing", b"text/plain", "image/png", "it is text/plain, not image/png"),
    (PNG, b"application/pdf", "application/pdf", "it is image/png, not application/pdf"),
    (b"MZ", b"application/x-msdownload", None, "application/x-msdownload"),
    (b"??", b"application/octet-stream", None, "nobody says what it is; send its `mime_type`"),
    (b"", b"image/png", None, "it is empty"),
]


def test_the_bytes_win_then_who_sends_then_who_serves_then_the_name(kit: Any) -> None:
    found = get_each(kit, [case[:4] for case in TYPES])
    assert found == [(content, kind) for content, _, _, _, kind in TYPES]


def test_what_is_not_what_may_be_fetched(kit: Any) -> None:
    found = get_each(kit, [(content, told, wanted, "/a?sig=s3cret") for content, told, wanted, _ in REFUSED])
    for said, (*_, expected) in zip(found, REFUSED, strict=True):
        assert expected in said


@pytest.mark.parametrize("status", [b"404 Not Found", b"500 Oh", b"204 No", b"206 Partial", b"401 Who"])
def test_a_status_that_is_no_file(kit: Any, status: bytes) -> None:
    said = get(kit, body(b"" if status[:3] == b"204" else PNG, status=status))
    assert said.endswith(f"/a.png answered with status {status[:3].decode()}")


def test_a_file_that_says_it_is_too_long_is_not_read(kit: Any) -> None:
    async def only_the_head(seen: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 2001\r\n\r\n")

    assert "longer than 2000 bytes" in get(kit, only_the_head)


def test_a_body_without_an_end_is_given_up(kit: Any) -> None:
    sent = 0

    async def endless(seen: Any, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n" + PNG)
        while True:
            writer.write(b"x" * 1000)
            sent += 1000
            await writer.drain()

    assert "longer than 2000 bytes" in get(kit, endless)
    assert sent < 50_000_000


def test_a_bomb_does_not_go_off(kit: Any) -> None:
    bomb = gzip.compress(b"\x00" * 50_000_000)
    said = get(kit, body(bomb, b"image/png", b"content-encoding: gzip"), limits=FetchLimits(200_000, 5.0, 0, ("*",)))
    assert "longer than 200000 bytes" in said
    capped = {"max_response_bytes": 10_000}
    said = get(
        kit, body(gzip.compress(bytes(20_000)), b"image/png", b"content-encoding: gzip"), settings=capped, limits=LIMITS
    )
    assert "longer than 2000 bytes" in said or "more than 10000 bytes" in said


def test_what_is_compressed_honestly_is_undone(kit: Any) -> None:
    assert get(kit, body(gzip.compress(PNG), b"image/png", b"content-encoding: gzip")) == Fetched(PNG, "image/png")


def test_a_slow_server_is_not_waited_for(kit: Any) -> None:
    async def drip(seen: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.02)

    assert get(kit, drip, limits=FetchLimits(2000, 0.15, 0, ("*",))) == "it did not come in time"
    assert get(kit, drip, until=time.monotonic() + 0.15) == "it did not come in time"


def test_a_server_that_hangs_up(kit: Any) -> None:
    async def gone(seen: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 1000\r\n\r\nxx")
        await writer.drain()
        writer.transport.abort()

    assert "after" in get(kit, gone)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(kit: Any, status: int) -> None:
    def answer(seen: Any, writer: Any) -> bytes:
        return body(PNG) if "/b" in seen.line else moved("../b?x=1#f", status)

    assert get(kit, answer) == Fetched(PNG, "image/png")


def test_redirects_end(kit: Any) -> None:
    assert get(kit, moved("/a?sig=s3cret")) == "it is redirected more than 2 times"
    assert get(kit, b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n") == "it is redirected nowhere"
    assert "does not start with http" in get(kit, moved("file:///etc/passwd"))
    assert "does not start with http" in get(kit, moved("ftp://x.test/a"))
    assert "credentials" in get(kit, moved("http://user:s3cret@x.test/"))
    assert "no address" in get(kit, moved("http://[half/a"))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "0"],
)
def test_no_spelling_of_a_private_address_is_connected_to(kit: Any, host: str) -> None:
    async def main() -> None:
        async with kit.serve(body(PNG)) as server, kit.client(public_only=True) as client:
            with pytest.raises(FetchFailed, match="not on the public internet|cannot resolve"):
                await fetch(
                    client, f"http://{host}:{server.port}/a", LIMITS, mime_type=None, until=time.monotonic() + 9
                )
            assert server.connections == 0

    kit.run(main())


class Resolver:
    """The event loop as far as dialling sees it: names that resolve to what a test says, and no network."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.connected: list[str] = []

    async def getaddrinfo(self, host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in each], type, 0, "", (each, port)) for each in self.answers.pop(0)]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        self.connected.append(address[0])

    def create_task(self, work: Any) -> Any:
        return asyncio.get_running_loop().create_task(work)


ORIGIN = Origin("http", "x.test", 80)


def test_a_name_is_resolved_once_and_what_was_judged_is_connected_to() -> None:
    loop: Any = Resolver(["93.184.216.34"], ["127.0.0.1"])

    async def main() -> None:
        (await dial._open_socket(loop, ORIGIN, public_only=True)).close()

    asyncio.run(main())
    assert loop.connected == ["93.184.216.34"]
    assert len(loop.answers) == 1


@pytest.mark.parametrize("found", [["10.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["2606:4700::1", "::1"], ["fe80::1%1"]])
def test_a_name_that_leads_inside_is_not_connected_to(found: list[str]) -> None:
    loop: Any = Resolver(found)
    with pytest.raises(Unreachable, match="not on the public internet") as caught:
        asyncio.run(dial._open_socket(loop, ORIGIN, public_only=True))
    assert loop.connected == []
    assert not caught.value.retryable and found[-1] not in caught.value.message


def test_behind_a_proxy_a_name_is_judged_as_far_as_it_is_known_here() -> None:
    async def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "no such host")

    asyncio.run(dial._check_behind_proxy(Resolver(["8.8.8.8"]), ORIGIN))  # type: ignore[arg-type]
    lost: Any = Resolver()
    lost.getaddrinfo = unknown
    asyncio.run(dial._check_behind_proxy(lost, ORIGIN))
    with pytest.raises(Unreachable):
        asyncio.run(dial._check_behind_proxy(Resolver(["169.254.169.254"]), ORIGIN))  # type: ignore[arg-type]


def test_a_proxy_may_be_private_and_what_is_behind_it_may_not(kit: Any) -> None:
    async def main() -> None:
        async with kit.serve(body(PNG)) as proxy:
            url = f"http://127.0.0.1:{proxy.port}"
            async with kit.client(public_only=True, proxies=ProxySettings(http_proxy=url)) as client:
                until = time.monotonic() + 9
                got = await fetch(client, "http://nowhere.invalid/a.png", LIMITS, mime_type=None, until=until)
                assert got == Fetched(PNG, "image/png")
                with pytest.raises(FetchFailed, match="not on the public internet"):
                    await fetch(client, "http://10.1.2.3/a.png", LIMITS, mime_type=None, until=until)
                assert len(proxy.seen) == 1

    kit.run(main())


def test_origins_that_strangers_choose_do_not_pile_up(kit: Any) -> None:
    async def main() -> None:
        async with kit.serve(body(PNG)) as server, kit.client() as client:
            await (await client.send(kit.call(server.url()), kit.within())).read()
            for number in range(2000):
                client.pool(f"http://host{number}.invalid/")
            assert len(client._pools) <= 512
            assert client.pool(server.url()).size == 1

    kit.run(main())
