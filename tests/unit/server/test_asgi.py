"""The ASGI application, driven by hand: the same answers as our own server gives."""

import asyncio
import gzip

import msgspec
import pytest
from tests.unit.server.edge import GET, VERSIONS, World, edge, parse, post, run

from calibrant.server.asgi import asgi_app
from calibrant.server.settings import ServerSettings


class Call:
    """One request through the application."""

    def __init__(self, method, target, *pieces, headers=(), raw=True):
        path, _, query = target.partition("?")
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(b"host", b"a"), *headers],
        }
        if raw:
            self.scope["raw_path"] = path.encode()
        self.inbox = [
            {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
            for number, piece in enumerate(pieces, 1)
        ] or [{"type": "http.request"}]
        self.sent = []

    async def receive(self):
        if self.inbox:
            return self.inbox.pop(0)
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.sent.append(message)

    @property
    def status(self):
        return self.sent[0]["status"]

    @property
    def headers(self):
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self):
        assert not self.sent[-1].get("more_body")
        return b"".join(message["body"] for message in self.sent[1:])

    @property
    def json(self):
        return msgspec.json.decode(self.body)


def ask(*calls, base_path="", **changes):
    world = World()

    async def main():
        app = asgi_app(
            world.router(base_path),
            ServerSettings(server_headers=VERSIONS, **changes),
            world.on_error,
            world.observe,
        )
        for call in calls:
            await app(call.scope, call.receive, call.send)

    run(main())
    return world


def test_a_request_in_pieces_and_its_answer():
    call = Call("POST", "/echo?a=1", b"bo", b"", b"dy", headers=[(b"X-A", b"1"), (b"x-a", b"2")])
    world = ask(call)
    assert (call.status, call.body) == (200, b"body")
    assert call.headers["x-calibrant-version"] == "9.9" and call.headers["content-length"] == "4"
    request = world.requests[0]
    assert (request.method, request.path, request.query) == ("POST", "/echo", "a=1")
    assert request.headers["x-a"] == "1, 2"
    assert world.observed == [("POST", "/echo", 200)]


def test_streams():
    call = Call("GET", "/stream")
    ask(call)
    assert call.body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert call.headers["content-type"] == "text/event-stream" and "content-length" not in call.headers
    assert len(call.sent) == 5


def test_what_is_said_behind_a_stream_has_no_place():
    call = Call("GET", "/counted?2")
    ask(call)
    assert call.body == b"line\nline\n" and "trailer" not in call.headers


def test_streams_that_are_empty_or_break():
    empty, early, late = Call("GET", "/empty-stream"), Call("GET", "/snapped?early"), Call("GET", "/snapped")
    world = ask(empty, early)
    assert (empty.status, empty.body) == (200, b"")
    assert early.status == 500 and len(world.errors) == 1
    with pytest.raises(RuntimeError):
        ask(late)
    assert late.sent[-1]["more_body"]


def test_errors_limits_and_encodings():
    calls = [
        Call("GET", "/nowhere"),
        Call("GET", "/openai/v1/fails"),
        Call("GET", "/breaks"),
        Call("DELETE", "/plain"),
        Call("POST", "/echo", b"x" * 60, b"x" * 60),
        Call("POST", "/echo", gzip.compress(b"x" * 100), headers=[(b"content-encoding", b"gzip")]),
        Call("POST", "/echo", gzip.compress(b"x" * 101), headers=[(b"content-encoding", b"gzip")]),
        Call("HEAD", "/plain"),
        Call("OPTIONS", "/plain"),
        Call("GET", "/items/a%2Fb"),
        Call("GET", "/items/é", raw=False),
    ]
    ask(*calls, max_body_bytes=100)
    assert [call.status for call in calls] == [404, 400, 500, 405, 413, 200, 413, 200, 204, 200, 200]
    assert calls[0].json == {"error": "Route not found: GET /nowhere"}
    assert "message" in calls[1].json["error"]
    assert b"canary" not in calls[2].body
    assert calls[3].headers["allow"] == "GET, HEAD, OPTIONS"
    assert calls[5].body == b"x" * 100
    assert calls[7].headers["content-length"] == "11" and calls[7].body == b""
    assert calls[9].json == {"id": "a/b"} and calls[10].json == {"id": "é"}


def test_a_client_that_leaves_before_its_request_is_whole():
    call = Call("POST", "/echo", b"half")
    call.inbox[0]["more_body"] = True
    world = ask(call)
    assert not call.sent and not world.requests


def test_handlers_and_streams_run_to_their_end_without_a_client():
    class Gone(Call):
        async def send(self, message):
            self.sent.append(message)
            raise OSError("gone")

    call = Gone("GET", "/stream")
    world = ask(call)
    assert world.finished.is_set() and len(call.sent) == 1 and not world.errors


def test_a_server_that_cancels_does_not_cancel_the_handler():
    world = World()

    async def main():
        app = asgi_app(world.router(), ServerSettings(), world.on_error, world.observe)
        call = Call("GET", "/hold")
        task = asyncio.create_task(app(call.scope, call.receive, call.send))
        await world.started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        world.release.set()
        await asyncio.wait_for(world.finished.wait(), 5)

    run(main())


def test_lifespan_and_other_scopes():
    async def main():
        world = World()
        app = asgi_app(world.router(), ServerSettings(), world.on_error, world.observe)
        inbox = ["lifespan.startup", "lifespan.shutdown"]
        sent = []

        async def receive():
            return {"type": inbox.pop(0)}

        async def send(message):
            sent.append(message["type"])

        await app({"type": "lifespan"}, receive, send)
        assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        with pytest.raises(NotImplementedError, match="websocket"):
            await app({"type": "websocket"}, receive, send)

    run(main())


def test_both_ways_give_the_same_answers():
    requests = [
        ("GET", "/plain", b""),
        ("POST", "/echo", b"body"),
        ("POST", "/openai/v1/echo", b""),
        ("GET", "/items/a%20b/parts/2", b""),
        ("GET", "/stream?2", b""),
        ("GET", "/fails", b""),
        ("GET", "/openai/v1/fails", b""),
        ("GET", "/breaks", b""),
        ("GET", "/nowhere", b""),
        ("PUT", "/echo", b"x"),
        ("OPTIONS", "/echo", b""),
    ]
    own = []
    for method, target, body in requests:
        own.append(post(target, body).replace(b"POST", method.encode(), 1))

    async def main():
        async with edge() as served:
            return await served.talk(b"".join(own) + GET)

    replies = parse(run(main()))
    calls = [Call(method, target, body) for method, target, body in requests]
    ask(*calls)
    transport = {"date", "content-length", "transfer-encoding", "connection"}
    for reply, call in zip(replies, calls, strict=False):
        assert (reply.status, reply.body) == (call.status, call.body)
        assert reply.headers.items() - call.headers.items() <= {
            (n, v) for n, v in reply.headers.items() if n in transport
        }


class Staying(Call):
    """A client that stays until it is told to leave."""

    def __init__(self, *args):
        super().__init__(*args)
        self.leaves = asyncio.Event()

    async def receive(self):
        if not self.inbox:
            await self.leaves.wait()
        return await super().receive()


@pytest.mark.parametrize("how", ["disconnect", "cancel"])
def test_a_handler_is_told_that_its_client_leaves_where_the_settings_say_so(how):
    async def main():
        world = World()
        app = asgi_app(world.router(), ServerSettings(watch_clients=True), world.on_error, world.observe)
        call = Staying("GET", "/until-left")
        task = asyncio.ensure_future(app(call.scope, call.receive, call.send))
        await world.started.wait()
        assert not world.requests[0].presence.gone
        if how == "cancel":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            call.leaves.set()
            await task
        async with asyncio.timeout(5):
            while not world.observed:
                await asyncio.sleep(0)
        assert world.requests[0].presence.gone and world.observed == [("GET", "/until-left", 499)]

    run(main())


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_the_client_alone_wants_ends_when_it_is_gone(method):
    class Left(Call):
        async def send(self, message):
            if message["type"] == "http.response.body" and message["body"]:
                raise OSError("gone")
            await super().send(message)

    async def main():
        world = World()
        call = Left(method, "/endless")
        await asgi_app(world.router(), ServerSettings(), world.on_error, world.observe)(
            call.scope, call.receive, call.send
        )
        assert world.taken == (2 if method == "GET" else 1) and not world.errors

    run(main())


def test_who_stays_until_the_end_leaves_no_watcher_behind():
    async def main():
        world = World()
        app = asgi_app(world.router(), ServerSettings(watch_clients=True), world.on_error, world.observe)
        call = Staying("GET", "/plain")
        before = asyncio.all_tasks()
        await app(call.scope, call.receive, call.send)
        assert call.status == 200
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before and not world.requests[0].presence.gone

    run(main())
