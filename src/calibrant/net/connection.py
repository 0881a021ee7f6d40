"""One connection to a server: bytes in, answers out. The hot path; read `data_received` first.

One call at a time, no pipelining. It parses with httptools, keeps the limits and the deadlines, and gives
itself back to its owner after each answer that leaves it fit for another call. It neither connects nor waits.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from math import inf
from time import monotonic
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from calibrant.base.errors import BadAnswer, CalibrantError, Disconnected, InferenceTimeout, Stalled
from calibrant.net.outbox import Outbox
from calibrant.net.response import Answer
from calibrant.net.settings import ClientSettings
from calibrant.types.call import Deadline

__all__ = ["Connection", "Owner"]

_PAUSE_ABOVE = 256 * 1024
_JOIN_BELOW = 256 * 1024
_TICK_S = 0.001
"""Event loops count in milliseconds; a shorter timer would spin."""


class Owner(Protocol):
    """Who keeps connections between calls."""

    def give_back(self, connection: Connection) -> None:
        """Take back a connection that can serve another call."""
        ...

    def forget(self, connection: Connection) -> None:
        """Learn that a connection is gone."""
        ...


class _Nowhere(asyncio.Transport):
    """The transport of a connection that has none: not made yet, or lost."""

    def is_closing(self) -> bool:
        return True

    def resume_reading(self) -> None:
        pass

    def abort(self) -> None:
        pass


_NOWHERE = _Nowhere()


class Connection(asyncio.Protocol):
    """One connection, made for one owner on one event loop.

    It has a single timer, which is set only when something is due before it would fire: deadlines
    mostly grow from call to call, so a warm connection touches the timer about once per time-out,
    not once per call.
    """

    __slots__ = (
        "_alarm",
        "_alarm_at",
        "_answer",
        "_complete",
        "_due",
        "_headed",
        "_headers",
        "_idle_s",
        "_idling",
        "_keep",
        "_max_bytes",
        "_max_head",
        "_outbox",
        "_owner",
        "_parser",
        "_paused",
        "_pieces",
        "_received",
        "_retire_at",
        "_settings",
        "_total",
        "_transport",
        "alive",
        "idle_since",
        "loop",
        "on_body",
    )

    def __init__(
        self, owner: Owner, settings: ClientSettings, loop: asyncio.AbstractEventLoop, outbox: Outbox | None = None
    ) -> None:
        """Make a connection that is not connected yet.

        Args:
            owner: Who keeps it between calls.
            settings: The limits.
            loop: The event loop that it will live on.
            outbox: Sends calls together with those of other connections; without one, each is written at once.
        """
        self._owner = owner
        self._outbox = outbox
        self._settings = settings
        self.loop = loop
        """The one it lives on; kept, because asking asyncio for it costs a system call."""
        self._max_head = settings.max_head_bytes
        self._max_bytes = settings.max_response_bytes
        self.alive = True
        """False once it is of no more use; it has left its owner then."""
        self.idle_since = 0.0
        self._transport: asyncio.Transport = _NOWHERE
        self._answer: Answer | None = None
        self._pieces: list[bytes] = []
        # The parser calls the list itself: no Python frame per chunk.
        self.on_body = self._pieces.append
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._headers: list[tuple[str, str]] = []
        self._headed = False
        self._complete = False
        self._keep = True
        self._paused = False
        self._received = 0
        self._total = inf
        self._idle_s: float | None = None
        self._idling = False
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = inf
        self._retire_at = monotonic() + settings.max_age_s
        self._due = self._retire_at

    # What the pool and the client call.

    def fit(self) -> bool:
        """Whether a call may be sent on it, as far as can be known without asking the network."""
        return self.alive and not self._transport.is_closing()

    def fileno(self) -> int:
        """Return the socket's file descriptor, or -1."""
        sock = self._transport.get_extra_info("socket")
        return -1 if sock is None else sock.fileno()

    def start(self, head: bytes, body: bytes, answer: Answer, deadline: Deadline) -> None:
        """Send a call; `answer` is settled in due course."""
        transport = self._transport
        self._answer = answer
        answer.line = self
        self._idle_s = deadline.idle_s
        self._idling = False
        self._total = due = deadline.total
        first = deadline.first_byte
        if first is not None and first < due:
            due = first
        self._due = due
        if due < self._alarm_at:
            self._set_alarm(due)
        if len(body) >= _JOIN_BELOW:
            transport.writelines((head, body))
        elif self._outbox is None:
            transport.write(head + body)
        else:
            self._outbox.send(transport, head + body)

    def resume(self) -> None:
        """Read on, after too much lay unread."""
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
            if self._idle_s is not None and self._answer is not None:
                self._wait_for_more()

    def drop(self) -> None:
        """Close at once, whatever is under way. Idempotent."""
        if not self.alive:
            return
        self.alive = False
        self._answer = None
        self._parser = None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._transport.abort()
        self._owner.forget(self)

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)
        if not self.alive:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse, then act on what the parser's callbacks noted."""
        answer, parser = self._answer, self._parser
        if answer is None or parser is None:
            # Nobody asked for this.
            self.drop()
            return
        self._received = received = self._received + len(data)
        was_headed = self._headed
        try:
            parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if not self._complete:
                self._fail(BadAnswer(f"the answer to {answer.label} is not HTTP/1.1: {error}"))
                return
            self._keep = False
        if received > self._max_head and (received > self._max_bytes or not was_headed) and self._too_long(answer):
            return
        if self._complete:
            self._finish(answer)
        elif self._headed:
            self._progress(answer, len(data))

    def eof_received(self) -> None:
        """Take the end of the stream for the end of the body, where the answer's head allows that."""
        answer = self._answer
        if answer is not None and self._headed and not self._complete and _ends_at_eof(answer):
            self.on_message_complete()
            self._keep = False
            self._finish(answer)
        else:
            self._broken("the server closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the transport is gone."""
        self._broken("the connection was lost" if exc is None else f"the connection broke ({_reason(exc)})")
        self._transport = _NOWHERE

    # What the parser calls. These only note; `data_received` acts.

    def on_message_begin(self) -> None:
        """Notice a second answer behind the first: nobody asked for it."""
        if self._complete:
            self._keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a field of the head, or of the trailer, which is thrown away."""
        if not self._headed:
            self._headers.append((_field_name(name), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Note a head, unless it is an interim one (1xx)."""
        answer, parser = self._answer, self._parser
        if answer is None or parser is None or self._headed:
            return
        status = parser.get_status_code()
        if status < 200:
            self._headers.clear()
            return
        self._headed = True
        answer.status = status
        answer.headers = tuple(self._headers)
        if answer.bodiless:
            # The parser cannot be told that no body follows, so it is of no use for another answer.
            self._complete = True
            self._keep = False

    def on_message_complete(self) -> None:
        """Note the end of the body, and keep its pieces from what may follow."""
        answer, parser = self._answer, self._parser
        if answer is None or parser is None or not self._headed or self._complete:
            return
        self._complete = True
        self._keep = parser.should_keep_alive()
        answer.pieces += self._pieces
        self._pieces.clear()

    # The rest.

    def _finish(self, answer: Answer) -> None:
        """Let the answer go and be ready for another, or close."""
        self._answer = None
        answer.line = None
        answer.complete = True
        answer.arrived()
        if not self._keep or self._transport.get_write_buffer_size():
            self.drop()
            return
        now = monotonic()
        if now > self._retire_at:
            self.drop()
            return
        if self._paused:
            self.resume()
        self._pieces.clear()
        self._headers.clear()
        self._headed = self._complete = False
        self._received = 0
        self.idle_since = now
        due = now + self._settings.idle_timeout_s
        if due > self._retire_at:
            due = self._retire_at
        self._due = due
        if due < self._alarm_at:
            self._set_alarm(due)
        self._owner.give_back(self)

    def _progress(self, answer: Answer, size: int) -> None:
        """Hand on what has come of a body that has not ended."""
        if self._pieces:
            self._due = self._total
            if answer.stream:
                answer.pieces += self._pieces
                self._pieces.clear()
                answer.unread += size
                if answer.unread > _PAUSE_ABOVE and not self._paused:
                    self._paused = True
                    self._transport.pause_reading()
                elif self._idle_s is not None and not self._paused:
                    self._wait_for_more()
        if answer.stream:
            answer.arrived()

    def _wait_for_more(self) -> None:
        """Let the next piece be due. Never while nothing is read, for want of a reader."""
        due = min(self._total, monotonic() + (self._idle_s or 0.0))
        self._due = due
        self._idling = True
        if due < self._alarm_at:
            self._set_alarm(due)

    def _too_long(self, answer: Answer) -> bool:
        """Fail an answer whose head, or which as a whole, is longer than the limits allow."""
        head = sum(len(name) + len(value) + 4 for name, value in answer.headers) if self._headed else self._received
        if head > self._max_head:
            self._fail(BadAnswer(f"the head of the answer to {answer.label} is longer than {self._max_head} bytes"))
        elif self._received - head > self._max_bytes:
            self._fail(BadAnswer(f"the answer to {answer.label} is longer than {self._max_bytes} bytes"))
        return not self.alive

    def _broken(self, what: str) -> None:
        answer = self._answer
        if answer is None:
            self.drop()
            return
        far = f"after {self._received} bytes of" if self._received else "before a byte of"
        self._fail(Disconnected(f"{what} {far} the answer to {answer.label}"))

    def _fail(self, error: CalibrantError) -> None:
        answer, pieces = self._answer, self._pieces
        self.drop()
        if answer is not None:
            answer.pieces += pieces
            answer.fail(error)

    def _set_alarm(self, due: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = due
        self._alarm = self.loop.call_later(max(due - monotonic(), _TICK_S), self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm = None
        self._alarm_at = inf
        answer = self._answer
        if monotonic() < self._due:
            self._set_alarm(self._due)
        elif answer is None:
            self.drop()
        elif self._due == self._total:
            self._fail(InferenceTimeout(f"the total deadline passed while waiting for the answer to {answer.label}"))
        elif self._idling:
            self._fail(Stalled(f"nothing came for {self._idle_s:g} s in the middle of the answer to {answer.label}"))
        else:
            self._fail(
                InferenceTimeout(f"the first-byte deadline passed while waiting for the answer to {answer.label}")
            )


@lru_cache(maxsize=256)
def _field_name(name: bytes) -> str:
    return name.decode("latin-1").lower()


def _ends_at_eof(answer: Answer) -> bool:
    return not any(name in ("content-length", "transfer-encoding") for name, _ in answer.headers)


def _reason(exc: Exception) -> str:
    strerror = exc.strerror if isinstance(exc, OSError) else None
    return strerror or type(exc).__name__
