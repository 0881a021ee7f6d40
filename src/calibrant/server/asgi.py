"""The same routes as an ASGI 3 application, for any ASGI server or test client. No framework.

Time-outs, header limits and framing are the ASGI server's business here; body limit, decompression, routing and the
shape of errors are those of our own server, because both ask the same dispatcher.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any
from urllib.parse import quote

from calibrant.base.errors import PayloadTooLarge
from calibrant.engine.presence import Presence
from calibrant.server.dispatch import Dispatcher, Observe, OnError
from calibrant.server.gate import Gate
from calibrant.server.http import Answer, HttpRequest, StreamAnswer
from calibrant.server.render import Renderer
from calibrant.server.routes import Router
from calibrant.server.settings import ServerSettings

__all__ = ["AsgiApp", "asgi_app"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def asgi_app(
    router: Router,
    settings: ServerSettings,
    on_error: OnError,
    observe: Observe,
    gate: Gate | None = None,
) -> AsgiApp:
    """Return an ASGI application that serves the router."""
    return AsgiApp(Dispatcher(router, settings, on_error, observe, gate), settings)


class AsgiApp:
    """Answers ASGI's `http` and `lifespan` scopes."""

    __slots__ = ("_dispatcher", "_renderer", "_running", "_settings")

    def __init__(self, dispatcher: Dispatcher, settings: ServerSettings) -> None:
        """Serve what the dispatcher answers."""
        self._dispatcher = dispatcher
        self._settings = settings
        self._renderer = Renderer(settings.server_headers)
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope.

        Raises:
            NotImplementedError: it is neither `http` nor `lifespan`, as the ASGI specification asks.
        """
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            raise NotImplementedError(f"the ASGI scope {scope['type']!r} is not served")
        client = _Client(send)
        request = _request(scope)
        objection = await self._dispatcher.objection(request)
        if objection is not None:
            await self._whole(self._dispatcher.refuse(objection, request.path), client)
            return
        body = await _body(receive, self._settings.max_body_bytes)
        if body is None:
            return
        if isinstance(body, PayloadTooLarge):
            await self._whole(self._dispatcher.refuse(body, request.path), client)
            return
        request.body = body
        if self._settings.watch_clients:
            request.presence = Presence()
            watcher = self._run(_watch(receive, request.presence))
        else:
            watcher = None
        # A server may cancel the call when its client leaves; the handler runs to its end all the same.
        task = self._run(self._answer(request, client))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if request.presence is not None:
                request.presence.leave()
            raise
        finally:
            if watcher is not None:
                watcher.cancel()

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _answer(self, request: HttpRequest, client: _Client) -> None:
        answer = await self._dispatcher.answer(request)
        if isinstance(answer, Answer):
            await self._whole(answer, client, head_only=request.method == "HEAD")
        else:
            await self._stream(answer, client, request)

    async def _whole(self, answer: Answer, client: _Client, *, head_only: bool = False) -> None:
        headers = self._headers(answer)
        if answer.status not in (204, 304):
            headers.append((b"content-length", b"%d" % len(answer.body)))
        await client.start(answer.status, headers)
        await client.body(b"" if head_only else answer.body, more=False)

    async def _stream(self, answer: StreamAnswer, client: _Client, request: HttpRequest) -> None:
        begun = False
        try:
            async for data in answer.chunks:
                if (client.gone or request.method == "HEAD") and not answer.outlives_client:
                    await answer.end()
                    break
                if not data or request.method == "HEAD":
                    continue
                if not begun:
                    begun = True
                    await client.start(answer.status, self._headers(answer))
                await client.body(data, more=True)
        except Exception as fault:
            failure = self._dispatcher.fault(fault, request)
            if begun:
                # An application that raises is how ASGI breaks an answer off.
                raise
            await self._whole(failure, client)
            return
        if not begun:
            await client.start(answer.status, self._headers(answer))
        await client.body(b"", more=False)

    def _headers(self, answer: Answer | StreamAnswer) -> list[tuple[bytes, bytes]]:
        fields = self._renderer.fields(answer)
        return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields]


class _Client:
    """The other end; once it is gone, what is sent to it is thrown away."""

    __slots__ = ("_send", "gone")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.gone = False

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        await self._try({"type": "http.response.start", "status": status, "headers": headers})

    async def body(self, data: bytes, *, more: bool) -> None:
        await self._try({"type": "http.response.body", "body": data, "more_body": more})

    async def _try(self, message: Message) -> None:
        if self.gone:
            return
        try:
            await self._send(message)
        except OSError:
            self.gone = True


def _request(scope: Scope) -> HttpRequest:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    raw: bytes | None = scope.get("raw_path")
    # Some servers leave the query in the raw path; some give none, and the path already decoded.
    path = quote(scope["path"]) if raw is None else raw.partition(b"?")[0].decode("latin-1")
    return HttpRequest(scope["method"], path, scope.get("query_string", b"").decode("latin-1"), headers)


async def _body(receive: Receive, max_bytes: int) -> bytes | PayloadTooLarge | None:
    """Return the body, or what is wrong with it; null where the client left before its end."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > max_bytes:
            return PayloadTooLarge(f"The body is larger than the {max_bytes} bytes that are accepted")
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


async def _watch(receive: Receive, presence: Presence) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    presence.leave()


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
