"""What a provider's error means: its message, and whether trying again may help.

Vendors agree on little: `{"error": {"message"}}`, `{"error": "text"}`, `{"message"}`, `{"detail"}`, a page; Google
puts the error of a stream into a list, and says among its details how long to wait.
"""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
from msgspec import Struct

from calibrant.apischema.openai_error import ErrorBody, ErrorDetail
from calibrant.base.errors import BadAnswer, Refused
from calibrant.types.call import Headers

__all__ = ["MAX_MESSAGE", "UNREADABLE", "bad_answer", "refusal_in", "refusal_within", "refused"]

MAX_MESSAGE = 1000
"""Characters of a provider's message that we pass on; the whole body is in the record."""

_RETRYABLE = frozenset({408, 409, 429})
_HOPELESS = frozenset(
    {"insufficient_quota", "invalid_request_error", "authentication_error", "invalid_api_key"}
    # Anthropic's, in a stream.
    | {"permission_error", "billing_error", "not_found_error", "request_too_large"}
)
"""Kinds of error that stay as they are, whatever status they come with."""
_MAX_WAIT_S = 86_400.0

_decoder = msgspec.json.Decoder(ErrorBody)
_list_decoder = msgspec.json.Decoder(list[msgspec.Raw])
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading broken or hostile JSON raises."""


class _RetryInfo(Struct, frozen=True, rename="camel"):
    retry_delay: str | None = None


class _Details(Struct, frozen=True):
    details: list[_RetryInfo] = []


class _Detailed(Struct, frozen=True):
    error: _Details


_detailed_decoder = msgspec.json.Decoder(_Detailed)


def refused(
    provider: str,
    status: int,
    headers: Headers,
    body: bytes,
    *,
    message: str = "",
    retryable: bool | None = None,
) -> Refused:
    """Return what an error status means.

    A `Retry-After` that is a date counts from the answer's own `Date`, so that no clock is needed.

    Args:
        provider: The provider's name.
        status: The HTTP status.
        headers: The HTTP headers.
        body: The whole body.
        message: What a dialect with a shape of its own found in the body.
        retryable: What the dialect knows of this error; null where the status and the body's kind say it.
    """
    error = _decoded(body)
    found, kind = ("", "") if error is None else _message(error)
    message = message or found or body[: MAX_MESSAGE * 4].decode("utf-8", "replace").strip() or "no message"
    if retryable is None:
        retryable = (status in _RETRYABLE or status >= 500) and kind not in _HOPELESS
    return Refused(
        f"provider {provider!r} answered {status}: {_bounded(message)}",
        upstream_status=status,
        raw_response=body,
        retry_after=_retry_after(headers, body),
        retryable=retryable,
    )


def refusal_in(provider: str, status: int, body: bytes) -> Refused | None:
    """Return the error that an answer or an event brings in spite of its good status, if it brings one."""
    error = _decoded(body)
    if error is None or (error.error is None and error.object not in ("error", "Error")):
        return None
    message, kind = _message(error)
    code = error.error.code if isinstance(error.error, ErrorDetail) else error.code
    retryable = kind not in _HOPELESS
    if isinstance(code, int) and 400 <= code <= 599:
        retryable = retryable and (code in _RETRYABLE or code >= 500)
    return Refused(
        f"provider {provider!r} sent an error: {_bounded(message or 'no message')}",
        upstream_status=status,
        raw_response=body,
        retry_after=_retry_after((), body),
        retryable=retryable,
    )


def refusal_within(provider: str, error: msgspec.Raw, body: bytes) -> Refused | BadAnswer:
    """Return the error that stands somewhere inside an answer or an event, which is recorded whole."""
    told = msgspec.json.encode({"error": error})
    found = refusal_in(provider, 200, told) or bad_answer(provider, 200, body, "it failed and does not say why")
    found.raw_response = body
    return found


def bad_answer(provider: str, status: int, body: bytes, why: str) -> BadAnswer:
    """Return the error for an answer that breaks the protocol."""
    return BadAnswer(f"provider {provider!r}: {why}", upstream_status=status, raw_response=body)


def _decoded(body: bytes) -> ErrorBody | None:
    try:
        return _decoder.decode(_alone(body))
    except UNREADABLE:
        return None


def _alone(body: bytes) -> bytes:
    """Return the error out of a list that holds nothing else.

    Raises:
        msgspec.DecodeError: it is no list after all.
    """
    if body[:1] != b"[" and not body.lstrip().startswith(b"["):
        return body
    items = _list_decoder.decode(body)
    return bytes(items[0]) if len(items) == 1 else body


def _message(body: ErrorBody) -> tuple[str, str]:
    error = body.error
    if isinstance(error, str):
        return error, ""
    if error is not None:
        return _text(error.message), _kind(error.code, error.type)
    return _text(body.message or body.detail), _kind(body.code, body.type)


def _kind(code: Any, type: Any) -> str:  # noqa: A002 - the wire's own word
    return next((value for value in (code, type) if isinstance(value, str) and value in _HOPELESS), "")


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return msgspec.json.encode(value).decode()


def _bounded(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + "…"


def _retry_after(headers: Headers, body: bytes) -> float | None:
    found = {name: value for name, value in headers if name in ("retry-after", "retry-after-ms", "date")}
    if "retry-after-ms" in found:
        wait = _number(found["retry-after-ms"])
        if wait is not None:
            return min(wait / 1000, _MAX_WAIT_S)
    if "retry-after" in found:
        wait = _number(found["retry-after"]) or _until(found["retry-after"], found.get("date"))
    else:
        wait = _retry_info(body)
    return None if wait is None else min(wait, _MAX_WAIT_S)


def _until(when: str, now: str | None) -> float | None:
    """Return the seconds from the answer's own `Date` to a `Retry-After` that is a date (RFC 9110, 10.2.3)."""
    if now is None:
        return _number(when)
    try:
        seconds = (parsedate_to_datetime(when) - parsedate_to_datetime(now)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return _number(when)
    return max(0.0, seconds)


def _retry_info(body: bytes) -> float | None:
    """Return the seconds of Google's `RetryInfo` (`"12.5s"`), or null where there is none."""
    if b'"retryDelay"' not in body:
        return None
    try:
        details = _detailed_decoder.decode(_alone(body)).error.details
    except UNREADABLE:
        return None
    return next((_number(each.retry_delay.removesuffix("s")) for each in details if each.retry_delay), None)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
