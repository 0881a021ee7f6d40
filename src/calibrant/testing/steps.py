"""A script becomes steps: bytes to write, seconds to wait, an end that is not HTTP's.

Pure and lazy: a step is made when it is due, so that a time stamp in it is true.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from enum import Enum
from itertools import chain

from msgspec import Struct

from calibrant.testing.completion import DONE, ChatRequest, completion, error_body, events
from calibrant.testing.faults import Answer, Script
from calibrant.testing.gemini import generated, generated_events, generation_error
from calibrant.testing.messages import MESSAGE_STOP, message, message_error, message_events

__all__ = ["End", "Step", "answer_bytes", "steps"]


class End(Enum):
    """An end of the conversation that a script brings about."""

    RESET = "reset"
    CLOSE = "close"
    HANG = "hang"


Step = bytes | float | End
"""Write it, wait so many seconds, or end."""

_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}
_HTML = b"<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>"
_SETTLE_S = 0.02
"""Long enough on a loopback for what was written to arrive as a piece of its own."""


class _Dialect(Struct, frozen=True):
    """How a provider words what a script says."""

    whole: Callable[[ChatRequest, Answer, int], bytes]
    events: Callable[[ChatRequest, Script, int, Callable[[], int]], Iterator[bytes | float]]
    error: Callable[[int], bytes]
    done: bytes
    error_name: bytes
    """What stands before the data of an event that is an error."""
    cut_event: bytes
    """An event that breaks off."""


_DIALECTS = {
    "chat": _Dialect(completion, events, error_body, DONE, b"", b'data: {"id": "chatcmpl-\n\n'),
    "messages": _Dialect(
        message, message_events, message_error, MESSAGE_STOP, b"event: error\n", b'data: {"type": "content_\n\n'
    ),
    "gemini": _Dialect(generated, generated_events, generation_error, b"", b"", b'data: {"candidates": [\n\n'),
}


class _Message(Struct):
    """An answer ready to be sent: its head, and its body in pieces with waits between them."""

    head: bytes
    pieces: Iterator[bytes | float]
    tail: bytes = b""


def steps(request: ChatRequest, script: Script, number: int, stamp: Callable[[], int]) -> Iterator[Step]:
    """Yield what to do, in order, to answer a request by a script. Latency comes before and is not in it.

    Args:
        request: What was asked.
        script: How to answer.
        number: Of the request; makes ids.
        stamp: The monotonic clock in nanoseconds.
    """
    speaks = _DIALECTS[request.dialect]
    if script.status >= 400:
        extra = b"" if script.retry_after is None else b"retry-after: %g\r\n" % script.retry_after
        return iter((answer_bytes(speaks.error(script.status), status=script.status, extra=extra),))
    if script.fault == "none" and not request.stream and not script.gzip:
        return iter((answer_bytes(speaks.whole(request, script.answer, number), extra=_identity(number)),))
    return _FAULTS.get(script.fault, _in_body)(request, script, number, stamp)


def answer_bytes(
    body: bytes,
    *,
    status: int = 200,
    kind: bytes = b"application/json",
    extra: bytes = b"",
    length: int | None = None,
) -> bytes:
    """Return a whole HTTP answer; `length` overrides the true Content-Length, `extra` is header lines."""
    reason = _REASONS.get(status, "Error").encode()
    return b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b\r\n%b" % (
        status,
        reason,
        kind,
        len(body) if length is None else length,
        extra,
        body,
    )


def _identity(number: int) -> bytes:
    return b"x-request-id: req-%d\r\n" % number


def _before_body(request: ChatRequest, script: Script, number: int, stamp: Callable[[], int]) -> Iterator[Step]:
    """Faults that leave no room for a body, or send something else in its place."""
    whole = _DIALECTS[request.dialect].whole(request, script.answer, number)
    match script.fault:
        case "reset_before_headers":
            yield End.RESET
        case "stall":
            yield End.HANG
        case "html":
            yield answer_bytes(_HTML, kind=b"text/html; charset=utf-8")
        case "empty":
            yield answer_bytes(b"")
        case "not_http":
            yield b"\x15\x03\x01\x00\x02\x02\x0a not the protocol you are looking for\r\n\r\n"
            yield End.CLOSE
        case "length_too_long":
            yield answer_bytes(whole, length=len(whole) + 16)
            yield End.CLOSE
        case _:  # length_too_short
            yield answer_bytes(whole, length=len(whole) - 16)


def _in_head(request: ChatRequest, script: Script, number: int, stamp: Callable[[], int]) -> Iterator[Step]:
    """Faults in or right after the head."""
    built = _message(request, script, number, stamp)
    if script.fault == "slow_headers":
        middle = len(built.head) // 2
        yield built.head[:middle]
        yield script.delay_s
        yield built.head[middle:]
        yield from built.pieces
        yield built.tail
    else:  # reset_after_headers
        yield built.head
        yield _SETTLE_S
        yield End.RESET


def _in_body(request: ChatRequest, script: Script, number: int, stamp: Callable[[], int]) -> Iterator[Step]:
    """Faults inside the body; with none of them, the answer as it should be."""
    built = _message(request, script, number, stamp)
    yield built.head
    match script.fault:
        case "slow_body":
            for piece in built.pieces:
                yield script.delay_s
                yield piece
        case "only_pings":
            ping = b"8\r\n: ping\n\n\r\n" if request.stream else b" "
            for _ in range(script.after_chunks):
                yield script.delay_s
                yield ping
            yield End.HANG
        case "split_utf8":
            for piece in built.pieces:
                yield from _split(piece) if isinstance(piece, bytes) else (piece,)
        case "reset_mid_body" | "truncated" | "stall_mid_body":
            yield from _first(built.pieces, script.after_chunks)
            yield _SETTLE_S
            yield _ENDS[script.fault]
        case _:
            yield from built.pieces
    if built.tail:
        yield built.tail


_ENDS = {"reset_mid_body": End.RESET, "truncated": End.CLOSE, "stall_mid_body": End.HANG}

_FAULTS: dict[str, Callable[[ChatRequest, Script, int, Callable[[], int]], Iterator[Step]]] = {
    **dict.fromkeys(
        ("reset_before_headers", "stall", "html", "empty", "not_http", "length_too_long", "length_too_short"),
        _before_body,
    ),
    **dict.fromkeys(("slow_headers", "reset_after_headers"), _in_head),
}


def _message(request: ChatRequest, script: Script, number: int, stamp: Callable[[], int]) -> _Message:
    encoding = b"content-encoding: gzip\r\n" if script.gzip else b""
    if request.stream:
        pieces = _stream_pieces(request, script, number, stamp)
        if script.gzip:
            pieces = _gzipped(pieces)
        head = (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
            b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n%b%b\r\n" % (_identity(number), encoding)
        )
        return _Message(head, _chunked(pieces), b"0\r\n\r\n")
    body = _plain_body(request, script, number)
    if script.gzip:
        body = gzip.compress(body, 6, mtime=0)
    whole = answer_bytes(body, extra=_identity(number) + encoding)
    quarter = max(1, -(-len(body) // 4))
    return _Message(whole[: len(whole) - len(body)], (body[at : at + quarter] for at in range(0, len(body), quarter)))


def _plain_body(request: ChatRequest, script: Script, number: int) -> bytes:
    speaks = _DIALECTS[request.dialect]
    body = speaks.whole(request, script.answer, number)
    match script.fault:
        case "malformed_json" | "ended_early":
            return body[: len(body) * 2 // 3]
        case "error_event":
            return speaks.error(500)
        case _:
            return body


def _stream_pieces(
    request: ChatRequest, script: Script, number: int, stamp: Callable[[], int]
) -> Iterator[bytes | float]:
    speaks = _DIALECTS[request.dialect]
    whole = speaks.events(request, script, number, stamp)
    match script.fault:
        case "missing_done":
            return whole
        case "ended_early":
            return _first(whole, script.after_chunks)
        case "error_event":
            return chain(_first(whole, script.after_chunks), (speaks.error_name + b"data: %b\n\n" % speaks.error(500),))
        case "malformed_json":
            return chain(_first(whole, script.after_chunks), (speaks.cut_event,), whole, (speaks.done,))
        case _:
            return chain(whole, (speaks.done,))


def _first(pieces: Iterator[bytes | float], count: int) -> Iterator[bytes | float]:
    """Yield `count` pieces with the waits before them, and leave the rest in the iterator."""
    while count > 0:
        piece = next(pieces, None)
        if piece is None:
            return
        count -= isinstance(piece, bytes)
        yield piece


def _chunked(pieces: Iterator[bytes | float]) -> Iterator[bytes | float]:
    for piece in pieces:
        # A piece of no bytes would end the body.
        if piece != b"":
            yield b"%x\r\n%b\r\n" % (len(piece), piece) if isinstance(piece, bytes) else piece


def _gzipped(pieces: Iterator[bytes | float]) -> Iterator[bytes | float]:
    squeeze = zlib.compressobj(6, zlib.DEFLATED, 31)
    for piece in pieces:
        if isinstance(piece, bytes):
            yield squeeze.compress(piece) + squeeze.flush(zlib.Z_SYNC_FLUSH)
        else:
            yield piece
    yield squeeze.flush()


def _split(piece: bytes) -> Iterator[Step]:
    """Yield the piece cut after each lead byte, so that a cut falls inside each character that has one."""
    start = 0
    for at, byte in enumerate(piece):
        if byte >= 0xC0:
            yield piece[start : at + 1]
            yield _SETTLE_S
            start = at + 1
    yield piece[start:]
