"""From a request to an answer: route, let in, decompress, handle, and put each error into the protocol's shape.

Both edges, our own protocol and the ASGI adapter, call this and nothing else, so they cannot differ.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from calibrant.base.errors import (
    CalibrantError,
    InternalError,
    MethodNotAllowed,
    Unauthorized,
    UnsupportedEncoding,
)
from calibrant.server.decompress import ENCODINGS, unpack
from calibrant.server.gate import Gate
from calibrant.server.http import Answer, HttpRequest, StreamAnswer
from calibrant.server.routes import Router
from calibrant.server.settings import ServerSettings
from calibrant.types.call import Headers
from calibrant.wire.error import encode_error

__all__ = ["Dispatcher", "Observe", "OnError"]

OnError = Callable[[BaseException, HttpRequest | None], None]
"""Told of each fault of ours; the request is None where it happened outside of one."""
Observe = Callable[[str, str, int], None]
"""Told method, route path and status of each answer; method and path are empty where no route was found."""


class Dispatcher:
    """Answers requests. Holds no state of its own."""

    __slots__ = ("_gate", "_observe", "_on_error", "_router", "_settings")

    def __init__(
        self,
        router: Router,
        settings: ServerSettings,
        on_error: OnError,
        observe: Observe,
        gate: Gate | None = None,
    ) -> None:
        """Keep what is needed to answer; without a gate nobody is asked for a key."""
        self._gate = gate
        self._router = router
        self._settings = settings
        self._on_error = on_error
        self._observe = observe

    async def answer(self, request: HttpRequest) -> Answer | StreamAnswer:
        """Return the answer to a request; whatever goes wrong becomes an answer, too."""
        method = path = ""
        try:
            route, params = self._router.match(request.method, request.path)
            method, path = request.method, route.path
            if self._gate is not None and request.principal is None:
                # Before anything is done with the body.
                request.principal = self._gate.known(route, request) or await self._gate.check(route, request)
            if params:
                request.params = params
            if "content-encoding" in request.headers:
                await self._decompress(request)
            answer = await route.handler(request)
        except CalibrantError as error:
            answer = self._error_answer(error, request)
        except Exception as fault:  # noqa: BLE001 - the request edge: one request's fault must not reach another
            answer = self._fault(fault, request)
        self._observe(method, path, answer.status)
        return answer

    def known(self, request: HttpRequest) -> bool:
        """Return whether it is certain at once that a request may send its body; who sends it is noted there."""
        if self._gate is None:
            return True
        try:
            route, _ = self._router.match(request.method, request.path)
        except CalibrantError:
            # No key is asked for what is not there; it is answered when it is whole.
            return True
        request.principal = self._gate.known(route, request)
        return not route.roles or request.principal is not None

    async def objection(self, request: HttpRequest) -> CalibrantError | None:
        """Return why a request is not let in, whatever its body; null where nothing is against it."""
        if self._gate is None or self.known(request):
            return None
        try:
            route, _ = self._router.match(request.method, request.path)
            request.principal = await self._gate.check(route, request)
        except CalibrantError as error:
            return error
        return None

    def refuse(self, error: CalibrantError, path: str) -> Answer:
        """Return the answer to a request that is refused before it is whole."""
        self._observe("", "", error.status)
        return self._error_answer(error, HttpRequest("", path))

    def fault(self, fault: BaseException, request: HttpRequest | None) -> Answer:
        """Report a fault of ours, and return what the client may know of it."""
        return self._fault(fault, request or HttpRequest("", ""))

    def _fault(self, fault: BaseException, request: HttpRequest) -> Answer:
        self._on_error(fault, request)
        return self._error_answer(InternalError("An internal error occurred; the gateway's log says more"), request)

    def _error_answer(self, error: CalibrantError, request: HttpRequest) -> Answer:
        shape = self._router.error_shape(request.path)
        headers: Headers = ()
        if isinstance(error, MethodNotAllowed):
            headers = (("allow", ", ".join(self._router.allowed(request.path))),)
        elif isinstance(error, Unauthorized):
            headers = (("www-authenticate", "Bearer"),)
        elif isinstance(error, UnsupportedEncoding):
            headers = (("accept-encoding", ", ".join(ENCODINGS)),)
        body = encode_error(error, shape, error_json=self._settings.error_json)
        return Answer(error.status, body, headers=headers)

    async def _decompress(self, request: HttpRequest) -> None:
        pieces: list[bytes] = []
        for piece in unpack(request.body, request.headers["content-encoding"], self._settings.max_body_bytes):
            pieces.append(piece)
            # Others get their turn between two steps of a large body.
            if len(pieces) % 8 == 0:
                await asyncio.sleep(0)
        request.body = b"".join(pieces)
        del request.headers["content-encoding"]
