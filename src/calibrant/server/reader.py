"""Bytes to requests: limits, framing rules, pipelining. No I/O and no clock; the protocol owns both.

llhttp (by way of httptools) is strict about line endings, folding, control bytes, lengths and chunk sizes. What it
lets pass and we do not is refused here: repeated or missing `Host`, other versions, `gzip, chunked`, a chunked
HTTP/1.0 body. An `Upgrade` is ignored, as the standard allows, but its body is still read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import httptools

from calibrant.base.errors import (
    CalibrantError,
    ExpectationFailed,
    HeadersTooLarge,
    InvalidRequest,
    MethodNotAllowed,
    PayloadTooLarge,
)
from calibrant.server.http import HttpRequest
from calibrant.server.settings import ServerSettings
from calibrant.server.target import split_target

__all__ = ["Deliver", "Phase", "RequestReader"]

Phase = Literal["idle", "head", "body"]
Deliver = Callable[[HttpRequest, bool, bool], None]
"""Takes a whole request, whether its connection may be kept, and whether it is HTTP/1.1."""

_COMMON: Final = (
    "Accept",
    "Accept-Encoding",
    "Authorization",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Expect",
    "Host",
    "Traceparent",
    "Tracestate",
    "Transfer-Encoding",
    "User-Agent",
    "X-Request-Id",
    "X-Stainless-Arch",
    "X-Stainless-Async",
    "X-Stainless-Lang",
    "X-Stainless-OS",
    "X-Stainless-Package-Version",
    "X-Stainless-Read-Timeout",
    "X-Stainless-Retry-Count",
    "X-Stainless-Runtime",
    "X-Stainless-Runtime-Version",
)
_NAMES: Final = {form.encode(): name.lower() for name in _COMMON for form in (name, name.lower())}
"""Spellings that are seen all day, so that they need not be decoded each time."""


class RequestReader:
    """Reads the requests of one connection."""

    __slots__ = (
        "_deliver",
        "_fields",
        "_framing",
        "_head_bytes",
        "_headers",
        "_http11",
        "_keep",
        "_max_head_bytes",
        "_max_headers",
        "_more",
        "_parser",
        "_path",
        "_piece",
        "_settings",
        "_target",
        "_upgrading",
        "_weight",
        "body_bytes",
        "expected",
        "phase",
        "serial",
        "wants_continue",
    )

    def __init__(self, settings: ServerSettings, deliver: Deliver) -> None:
        """Start before the first byte of a connection."""
        self._settings = settings
        self._max_head_bytes = settings.max_head_bytes
        self._max_headers = settings.max_headers
        self._deliver = deliver
        self._parser = httptools.HttpRequestParser(self)
        self.phase: Phase = "idle"
        """Where in a request the last byte was."""
        self.serial = 0
        """Number of the request that was begun last."""
        self.body_bytes = 0
        """How much of its body has come."""
        self.wants_continue = False
        """Whether its client waits to be told to send the body."""
        self.expected = HttpRequest("", "")
        """The request whose head came last, without its body."""
        self._upgrading = False
        self._framing = False
        self._weight = 0
        self._reset()

    def feed(self, data: bytes) -> None:
        """Take what came in; deliver each request that it completes.

        Raises:
            RequestError: the request being read cannot be accepted; nothing may be fed after that.
        """
        serial = self.serial
        rest: bytes | memoryview = data
        while True:
            try:
                self._parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                rest = memoryview(rest)[upgrade.args[0] :]
                self._ignore_upgrade()
            except httptools.HttpParserError as fault:
                # A callback's own exception hangs on the parser's.
                if isinstance(fault.__context__, CalibrantError):
                    raise fault.__context__ from None
                if isinstance(fault, httptools.HttpParserCallbackError):
                    raise
                raise InvalidRequest(f"The request is not valid HTTP/1.1: {fault}") from None
            else:
                break
        if self.phase != "idle":
            self._weigh(len(data) if serial == self.serial else 0)

    @property
    def path(self) -> str:
        """Path of the request that was begun last, as far as it is known."""
        return self._path or self._target.decode("latin-1").partition("?")[0]

    # What follows is called by the parser.

    def on_message_begin(self) -> None:
        """Begin a request."""
        if self._framing:
            return
        self.phase = "head"
        self.serial += 1
        self._reset()

    def on_url(self, url: bytes) -> None:
        """Take a part of the request target."""
        if self._framing:
            return
        self._target += url
        self._head_bytes += len(url)
        if self._head_bytes > self._max_head_bytes:
            raise self._head_too_large()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header field, or one trailer, which counts but is dropped."""
        if self._framing:
            return
        self._fields += 1
        self._head_bytes += len(name) + len(value) + 4
        # Written out, not called: this runs for each field of each request.
        if self._head_bytes > self._max_head_bytes:
            raise self._head_too_large()
        if self._fields > self._max_headers:
            raise HeadersTooLarge(f"The request has more than {self._settings.max_headers} header fields")
        if self.phase == "body":
            return
        key = _NAMES.get(name) or name.decode("latin-1").lower()
        text = value.decode("latin-1")
        if key in self._headers:
            if key == "host":
                raise InvalidRequest("The request has more than one Host field")
            text = f"{self._headers[key]}, {text}"
        self._headers[key] = text

    def on_headers_complete(self) -> None:
        """Check the head as a whole."""
        if self._framing:
            return
        self.phase = "body"
        version = self._parser.get_http_version()
        self._http11 = version == "1.1"
        if not self._http11 and version != "1.0":
            raise InvalidRequest(f"HTTP/{version} is not served; use HTTP/1.1")
        headers = self._headers
        self._path, query, authority = self._split()
        if authority is not None:
            headers["host"] = authority
        elif self._http11 and "host" not in headers:
            raise InvalidRequest("The request has no Host field, which HTTP/1.1 requires")
        self._keep = self._parser.should_keep_alive()
        self._check_framing()
        if "expect" in headers:
            self._check_expect(headers["expect"])
        if "upgrade" in headers:
            self._upgrading = self._parser.should_upgrade()
        method = self._parser.get_method().decode("ascii")
        self.expected = HttpRequest(method, self._path, query, headers)

    def on_body(self, data: bytes) -> None:
        """Take a part of the body."""
        self.wants_continue = False
        self.body_bytes += len(data)
        if self.body_bytes > self._settings.max_body_bytes:
            raise self._too_large()
        # Nearly every body comes in one piece, which is then the body, uncopied.
        if not self._piece:
            self._piece = data
        else:
            self._more.append(data)

    def on_message_complete(self) -> None:
        """Deliver the request."""
        if self._upgrading or self._framing:
            return
        request = self.expected
        request.body = b"".join((self._piece, *self._more)) if self._more else self._piece
        self._piece = b""
        self._more = []
        self.phase = "idle"
        self.wants_continue = False
        self._deliver(request, self._keep, self._http11)

    # What follows is ours.

    def _reset(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._fields = 0
        self._head_bytes = 0
        self._piece = b""
        self._more: list[bytes] = []
        self._http11 = True
        self._keep = True
        self._path = ""
        self.body_bytes = 0
        self.wants_continue = False

    def _split(self) -> tuple[str, str, str | None]:
        if self._parser.get_method() == b"CONNECT":
            raise MethodNotAllowed("CONNECT is not served: this gateway is not a proxy")
        return split_target(self._target)

    def _check_framing(self) -> None:
        headers = self._headers
        coding = headers.get("transfer-encoding")
        if coding is not None:
            if not self._http11 or coding.strip().lower() != "chunked":
                raise InvalidRequest(
                    f"Transfer-Encoding {coding[:80]!r} is not understood; send `chunked` over HTTP/1.1"
                )
        elif "content-length" in headers and int(headers["content-length"]) > self._settings.max_body_bytes:
            raise self._too_large()

    def _check_expect(self, expect: str) -> None:
        if not self._http11:
            return
        if expect.strip().lower() != "100-continue":
            raise ExpectationFailed(f"Expect {expect[:80]!r} cannot be met; send `100-continue` or nothing")
        self.wants_continue = self._expected_bytes() != 0

    def _ignore_upgrade(self) -> None:
        """Go on behind the head of a request that wanted another protocol, as if it had not.

        The parser takes what follows such a head for that other protocol. So a new one is shown a head that only
        frames the body.
        """
        self._upgrading = False
        self._parser = httptools.HttpRequestParser(self)
        if self._expected_bytes() == 0:
            self.on_message_complete()
            return
        frame = ("transfer-encoding", "content-length")
        lines = [f"{name}: {self._headers[name]}\r\n" for name in frame if name in self._headers]
        self._framing = True
        self._parser.feed_data(f"POST / HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1"))
        self._framing = False

    def _expected_bytes(self) -> int | None:
        """Return the length of the body; null where only its end will tell."""
        if "transfer-encoding" in self._headers:
            return None
        return int(self._headers.get("content-length", 0))

    def _weigh(self, size: int) -> None:
        """Bound what the parser holds back or throws away: half a header field, chunk sizes, blanks."""
        self._weight = self._weight + size if size else 0
        if self._weight > self._settings.max_head_bytes + 8 * self.body_bytes:
            raise self._head_too_large()

    def _head_too_large(self) -> HeadersTooLarge:
        return HeadersTooLarge(f"The request's head is larger than {self._settings.max_head_bytes} bytes")

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"The body is larger than the {self._settings.max_body_bytes} bytes that are accepted")
