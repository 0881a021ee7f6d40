"""The fake provider's side of one HTTP/1.1 connection: parses requests, plays scripts, keeps what it saw.

One write for a plain answer and no task anywhere, so that a bench of a gateway does not measure its upstream.
"""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from socket import SO_LINGER, SOL_SOCKET
from typing import cast

import httptools
import msgspec
from msgspec import Struct

from calibrant.testing.completion import Dialect, decode_request, error_body, models_body
from calibrant.testing.faults import Script, parse_model
from calibrant.testing.gemini import asked_of_gemini
from calibrant.testing.messages import message_error
from calibrant.testing.steps import End, Step, answer_bytes, steps

__all__ = ["Captured", "Connection", "Orders", "Playbook"]

_ZERO_LINGER = struct.pack("ii", 1, 0)


class Captured(Struct, frozen=True):
    """One request as it came in."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    """Names in lower case, in order."""
    body: str
    """Bytes that are not UTF-8 are replaced."""
    connection: int
    """Number of the connection: requests that share one were kept alive."""

    def header(self, name: str) -> str | None:
        """Return the first header of that name."""
        return next((value for key, value in self.headers if key == name), None)


class Orders(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /__script`: what is given replaces what was, the queue is added to."""

    default: Script | None = None
    models: dict[str, Script] | None = None
    queue: tuple[Script, ...] = ()
    refuse_s: float | None = None
    """Close the listening socket and every connection for so many seconds."""


class Playbook:
    """Which script answers which request, and the record of what was asked.

    In this order: the queue, the model's own script, a name that starts with `fault:`, the default.
    Plain attributes, so that a test in another thread may read and set them.
    """

    def __init__(self, default: Script, models: dict[str, Script], *, seed: int, keep: int) -> None:
        """Start with nothing asked; `keep` is how many requests are remembered."""
        self.default = default
        self.models = models
        self.queue: deque[Script] = deque()
        self.captured: deque[Captured] = deque(maxlen=keep)
        self.keep = keep
        self.requests = 0
        self.connections = 0
        self.abandoned = 0
        """Answers that the client did not wait for."""
        self.open: set[Connection] = set()
        self._random = random.Random(seed)

    def choose(self, model: str) -> Script:
        """Return the script for the next request.

        Raises:
            ValueError: the model's name asks for a fault that nobody knows.
        """
        if self.queue:
            return self.queue.popleft()
        return self.models.get(model) or parse_model(model) or self.default

    def wait(self, script: Script) -> float:
        """Draw the latency of one answer."""
        latency = script.latency
        return latency.seconds(self._random.gauss(0.0, 1.0)) if latency.sigma else latency.median_s

    def obey(self, orders: Orders) -> None:
        """Take new scripts."""
        if orders.default is not None:
            self.default = orders.default
        if orders.models is not None:
            self.models = orders.models
        self.queue.extend(orders.queue)

    def forget(self) -> None:
        """Empty the record and the queue; scripts and open connections stay."""
        self.queue.clear()
        self.captured.clear()
        self.requests = self.abandoned = 0

    def report(self) -> bytes:
        """Return the record as JSON, for `GET /__requests`."""
        return msgspec.json.encode(
            {
                "requests": self.requests,
                "connections": self.connections,
                "open": len(self.open),
                "abandoned": self.abandoned,
                "captured": tuple(self.captured),
            }
        )


class Connection(asyncio.Protocol):
    """One client. Answers in the order of the requests; a request that comes early waits its turn."""

    def __init__(self, playbook: Playbook, refuse: Callable[[float], None]) -> None:
        """Serve a playbook; `refuse(seconds)` closes the listening socket."""
        self._playbook = playbook
        self._refuse = refuse
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport = cast("asyncio.Transport", None)
        self._number = 0
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._steps: Iterator[Step] | None = None
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._early: deque[Iterator[Step]] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        self._transport = cast("asyncio.Transport", transport)
        self._playbook.connections += 1
        self._number = self._playbook.connections
        self._playbook.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop playing."""
        self._playbook.open.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._steps is not None:
            self._playbook.abandoned += 1
            self._steps = None
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        """Parse; what is not HTTP gets a 400 and the door."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._transport.close()
        except httptools.HttpParserError:
            self._transport.write(answer_bytes(error_body(400), status=400, extra=b"connection: close\r\n"))
            self._transport.close()

    def on_message_begin(self) -> None:
        """Forget the last request."""
        self._url = b""
        self._headers = []
        self._body = []

    def on_url(self, url: bytes) -> None:
        """Collect the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header."""
        self._headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        """Collect the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Answer, or queue behind the answer that is being played."""
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        answer = self._route(self._url.partition(b"?")[0], body)
        if self._steps is None:
            self._play(answer)
        else:
            self._early.append(answer)

    def shut(self) -> None:
        """Close the connection, whatever it is doing."""
        self._transport.abort()

    def _route(self, path: bytes, body: bytes) -> Iterator[Step]:
        if path.endswith(b"/chat/completions"):
            return self._chat(path, body, "chat")
        if path.endswith(b"/messages"):
            return self._chat(path, body, "messages")
        if path.endswith((b":generateContent", b":streamGenerateContent")):
            return self._chat(path, body, "gemini")
        if path.endswith(b"/messages/count_tokens"):
            return self._count(path, body)
        if path == b"/__requests":
            return self._record()
        if path == b"/__script":
            return self._script(body)
        if path.endswith(b"/models"):
            self._capture(path, body)
            return iter((answer_bytes(models_body(("fake", *self._playbook.models))),))
        return iter((answer_bytes(error_body(404, "The fake provider has no such route."), status=404),))

    def _chat(self, path: bytes, body: bytes, dialect: Dialect) -> Iterator[Step]:
        playbook = self._playbook
        playbook.requests += 1
        number = playbook.requests
        self._capture(path, body)
        try:
            request = asked_of_gemini(path, body) if dialect == "gemini" else decode_request(body, dialect)
            script = playbook.choose(request.model)
        except ValueError as error:
            return iter((answer_bytes(error_body(400, str(error)), status=400),))
        wait = playbook.wait(script)
        answer = steps(request, script, number, time.monotonic_ns)
        return _after(wait, answer) if wait else answer

    def _count(self, path: bytes, body: bytes) -> Iterator[Step]:
        self._capture(path, body)
        try:
            script = self._playbook.choose(decode_request(body, "messages").model)
        except ValueError as error:
            return iter((answer_bytes(error_body(400, str(error)), status=400),))
        if script.status >= 400:
            return iter((answer_bytes(message_error(script.status), status=script.status),))
        tokens = 0 if script.answer.tokens is None else script.answer.tokens.prompt
        return iter((answer_bytes(msgspec.json.encode({"input_tokens": tokens})),))

    def _capture(self, path: bytes, body: bytes) -> None:
        if self._playbook.keep:
            headers = tuple((k.lower().decode("latin-1"), v.decode("latin-1")) for k, v in self._headers)
            method = self._parser.get_method().decode()
            text = body.decode(errors="replace")
            self._playbook.captured.append(Captured(method, path.decode("latin-1"), headers, text, self._number))

    def _record(self) -> Iterator[Step]:
        if self._parser.get_method() == b"DELETE":
            self._playbook.forget()
        return iter((answer_bytes(self._playbook.report()),))

    def _script(self, body: bytes) -> Iterator[Step]:
        try:
            orders = msgspec.json.decode(body, type=Orders)
        except msgspec.MsgspecError as error:
            return iter((answer_bytes(error_body(400, f"The script: {error}"), status=400),))
        self._playbook.obey(orders)
        if orders.refuse_s is not None:
            # The answer goes out first: refusing closes this connection too.
            self._loop.call_later(0.01, self._refuse, orders.refuse_s)
        return iter((answer_bytes(b"{}"),))

    def _play(self, answer: Iterator[Step]) -> None:
        self._steps = answer
        self._due = 0.0
        self._advance()

    def _advance(self) -> None:
        """Play until something must be waited for, then the answers that queued behind."""
        while self._steps is not None:
            for step in self._steps:
                if isinstance(step, bytes):
                    self._transport.write(step)
                elif isinstance(step, End):
                    self._end(step)
                    return
                else:
                    # On a schedule of its own: lateness of one piece does not add to the next.
                    self._due = (self._due or self._loop.time()) + step
                    self._timer = self._loop.call_at(self._due, self._advance)
                    return
            self._steps = self._early.popleft() if self._early else None
            self._due = 0.0

    def _end(self, end: End) -> None:
        if end is End.HANG:
            return
        self._steps = None
        if end is End.CLOSE:
            self._transport.close()
            return
        # With no lingering the kernel sends RST instead of FIN.
        self._transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _ZERO_LINGER)
        self._transport.abort()


def _after(wait: float, answer: Iterator[Step]) -> Iterator[Step]:
    yield wait
    yield from answer
