"""When a call is made again, and after how long. Pure: time and chance are parameters."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct

from calibrant.client.call import Call, Repeat
from calibrant.client.errors import (
    BadRequest,
    CannotConnect,
    ClientError,
    Conflict,
    ConnectionLost,
    GatewayError,
    GatewayFailed,
    NotFound,
    RateLimited,
    TimedOut,
    Unauthorized,
)

__all__ = ["Answered", "Failed", "Retry", "failure_of", "pause_before_next", "refusal_of"]


class Retry(Struct, frozen=True, kw_only=True):
    """How often and how patiently a call is made again."""

    max_retries: int = 2
    first_s: float = 0.5
    """The longest first pause; each one after it is up to twice as long."""
    max_s: float = 8.0
    """No pause of ours is longer."""
    max_retry_after_s: float = 60.0
    """A gateway that asks for more patience than this gets none: the error goes to the caller at once."""


class Answered(Struct, frozen=True):
    """An answer came. `body` is empty where a stream begins."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes


class Failed(Struct, frozen=True):
    """No answer came."""

    how: Literal["unsent", "broken", "silent"]
    """There was no connection; it broke; or nothing came in time."""
    why: str


_STATUSES: Mapping[Repeat, frozenset[int]] = {
    "always": frozenset((429, 502, 503, 504)),
    "unless_begun": frozenset((429, 503)),
    "unless_sent": frozenset((429,)),
}


def pause_before_next(
    call: Call[Any], outcome: Answered | Failed, *, made: int, retry: Retry, draw: float, now_s: float
) -> float | None:
    """Return the seconds to wait before the call is made again, or null where the outcome stands.

    Args:
        call: What was asked.
        outcome: What came of it.
        made: How often it was made until now.
        retry: How patient the caller is.
        draw: A random number from 0 to 1.
        now_s: Unix time, for a `Retry-After` that is a date where the answer has none of its own.
    """
    if made > retry.max_retries:
        return None
    if isinstance(outcome, Failed):
        # Whoever sets a time-out wants to hear of it then, and not after three times as long.
        again = outcome.how == "unsent" or (outcome.how == "broken" and call.repeat == "always")
        return _backoff(retry, made, draw) if again else None
    if outcome.status not in _STATUSES[call.repeat]:
        return None
    asked = _retry_after(outcome.headers, now_s)
    if asked is None:
        return _backoff(retry, made, draw)
    return None if asked > retry.max_retry_after_s else max(asked, 0.0)


def _backoff(retry: Retry, made: int, draw: float) -> float:
    # Never less than half, so that a pause is one; never the same for many clients, so that they come apart.
    return min(retry.first_s * 2 ** min(made - 1, 30), retry.max_s) * (0.5 + draw / 2)


def _retry_after(headers: Mapping[str, str], now_s: float) -> float | None:
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isascii() and text.replace(".", "", 1).isdecimal():
        return float(text)
    until = _date(text)
    sent = _date(headers.get("date", ""))
    return None if until is None else until - (now_s if sent is None else sent)


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def failure_of(call: Call[Any], outcome: Failed) -> ClientError:
    """Return the error that the want of an answer is."""
    return _UNANSWERED[outcome.how](f"{_name(call)}: {_WORDS[outcome.how]}: {outcome.why}")


def refusal_of(call: Call[Any], outcome: Answered, *, now_s: float) -> GatewayError:
    """Return the error that an answer is, which is no success."""
    text = outcome.body.decode("utf-8", "replace")
    said, code = _told(outcome.body)
    if said is None:
        said = " ".join(text[:300].split()) or "the answer is empty"
        if outcome.status < 400:
            said = f"redirects are not followed; give the client the address {outcome.headers.get('location', '')!r}"
    return (call.refusals.get(outcome.status) or _class(outcome.status))(
        f"{_name(call)}: {outcome.status}: {said}",
        status=outcome.status,
        code=code,
        request_id=outcome.headers.get("x-request-id"),
        retry_after=_retry_after(outcome.headers, now_s),
        text=text,
    )


def _name(call: Call[Any]) -> str:
    return f"{call.method} {call.path.partition('?')[0]}"


_UNANSWERED = {"unsent": CannotConnect, "broken": ConnectionLost, "silent": TimedOut}
_WORDS = {
    "unsent": "there is no connection to the gateway",
    "broken": "the connection broke before the answer was whole",
    "silent": "the gateway was silent for longer than `timeout`",
}
_CLASSES: Mapping[int, type[GatewayError]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
}


def _class(status: int) -> type[GatewayError]:
    return _CLASSES.get(status, BadRequest if 400 <= status < 500 else GatewayFailed)


def _told(body: bytes) -> tuple[str | None, str | None]:
    """Return the sentence and the code of an error body, native or OpenAI's; nulls where it is neither."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, None
    if not isinstance(told, dict):
        return None, None
    document = cast("dict[str, Any]", told)
    error = document.get("error")
    if isinstance(error, str):
        return error, _code_in(document.get("error_json"))
    if isinstance(error, dict):
        inner = cast("dict[str, Any]", error)
        message, code = inner.get("message"), inner.get("code")
        found = code if isinstance(code, str) else _code_in(inner.get("error_json"))
        return (message if isinstance(message, str) else None), found
    return None, None


def _code_in(details: Any) -> str | None:
    """Return the code of `{"ClassName": {"code": ...}}` (`gateway.unstable_error_json`)."""
    if isinstance(details, dict):
        for inner in cast("dict[str, Any]", details).values():
            if isinstance(inner, dict) and isinstance(code := cast("dict[str, Any]", inner).get("code"), str):
                return code
    return None
