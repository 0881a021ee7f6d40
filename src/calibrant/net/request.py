"""The head of a request as bytes. Pure; refuses whatever could smuggle a second request."""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from re import compile as compile_pattern

from calibrant.base.errors import Unreachable
from calibrant.types.call import HttpCall

__all__ = ["basic_credentials", "encode_head", "framing"]

_TOKEN = compile_pattern(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"})
_BODILESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


def encode_head(call: HttpCall, *, target: str, host: str, extra: tuple[tuple[str, str], ...]) -> bytes:
    """Return the head up to the fields that depend on the body.

    Args:
        call: The method and the header fields; its URL is not looked at.
        target: What stands in the request line.
        host: The Host field.
        extra: Fields of the client's own, sent where the call does not name them.

    Raises:
        Unreachable: a field's name or value is not allowed in HTTP. The message never shows a value.
    """
    if not _TOKEN.fullmatch(call.method):
        raise _refusal("its method is not an HTTP token")
    lines = [f"{call.method} {target} HTTP/1.1\r\nhost: {host}\r\n"]
    given: set[str] = set()
    for name, value in call.headers:
        given.add(_checked_name(name))
        # Printable ASCII leaves no room for CR, LF or NUL.
        if not (value.isascii() and value.isprintable()):
            raise _refusal(f"the value of the header {name!r} holds a character that is not printable ASCII")
        lines.append(f"{name}: {value}\r\n")
    lines.extend(f"{name}: {value}\r\n" for name, value in extra if name not in given)
    return "".join(lines).encode("ascii")


def framing(method: str, body: bytes) -> bytes:
    """Return the rest of the head: the fields that frame the body, and the empty line."""
    if not body and method in _BODILESS:
        return b"\r\n"
    return b"content-length: %d\r\n\r\n" % len(body)


def basic_credentials(user: str, password: str) -> str:
    """Return the value of an Authorization field of the Basic scheme."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")


@lru_cache(maxsize=1024)
def _checked_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise _refusal("a header's name is not an HTTP token")
    if name.lower() in _OURS:
        raise _refusal(f"the header {name!r} is the HTTP client's own to set; leave it out")
    return name.lower()


def _refusal(reason: str) -> Unreachable:
    return Unreachable(f"the call cannot be sent: {reason}", retryable=False)
