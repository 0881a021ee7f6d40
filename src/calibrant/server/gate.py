"""The one gate: every request passes it between its route and its handler, whichever edge it came by.

It wants an API key, one that exists, is neither disabled nor over, and has a role that the route asks for. Which
functions and models the key may use is looked at once the body has been read (`engine/resolve.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Protocol

from calibrant.base.clock import Clock
from calibrant.base.errors import Forbidden, StoreUnavailable, Unauthorized
from calibrant.server.http import HttpRequest
from calibrant.server.keyring import Held
from calibrant.server.routes import Route
from calibrant.telemetry.metrics import Metrics
from calibrant.types.key import Principal, digest_of, split_key

__all__ = ["Gate", "Keys"]

_HOW = "send `Authorization: Bearer sk-t0-...`, or the key as `x-api-key`"
_ALTERNATIVES = ("x-api-key", "api-key")
_NOBODY = bytes(32)
_USUAL = "Bearer sk-t0-"
"""How a key is usually shown; behind it come the public id, a dash and the secret."""
_PUBLIC_ID, _DASH, _SECRET = slice(13, 25), slice(25, 26), slice(26, None)


class Keys(Protocol):
    """Where the gate looks keys up."""

    def known(self, public_id: str) -> Held | None:
        """Return the key of this public id where it is at hand."""
        ...

    async def find(self, public_id: str) -> Held | None:
        """Return the key of this public id, or null where there is none."""
        ...


class Gate:
    """Says who asks, or refuses: before the body is listened to, where that takes a while to come."""

    __slots__ = ("_clock", "_keys", "_metrics")

    def __init__(self, keys: Keys, clock: Clock, metrics: Metrics) -> None:
        """Keep what is needed to tell."""
        self._keys = keys
        self._clock = clock
        self._metrics = metrics

    def known(self, route: Route, request: HttpRequest) -> Principal | None:
        """Return who asks where that is certain at once, as it nearly always is; null leaves it to `check`."""
        shown = request.headers.get("authorization", "")
        if not shown.startswith(_USUAL):
            return None
        held = self._keys.known(shown[_PUBLIC_ID])
        if held is None or held.disabled_at is not None or held.expires_at is not None:
            return None
        if shown[_DASH] != "-" or not compare_digest(digest_of(shown[_SECRET]), held.digest):
            return None
        principal = held.principal
        return None if principal.roles.isdisjoint(route.roles) else principal

    async def check(self, route: Route, request: HttpRequest) -> Principal | None:
        """Return who asks; null where the route is open to anybody.

        Raises:
            Unauthorized: there is no good key.
            Forbidden: the key has no role that opens this route.
            StoreUnavailable: it cannot be told now whether the key is good.
        """
        if not route.roles:
            return None
        try:
            public_id, secret = _split(_presented(request.headers))
            held = self._keys.known(public_id)
            if held is None:
                held = await self._keys.find(public_id)
            principal = self._checked(held, secret)
            roles = principal.roles
            if roles.isdisjoint(route.roles) and "admin" not in roles:
                raise Forbidden(
                    f"this API key has the role {', '.join(sorted(roles))}; "
                    f"{route.method} {route.path} wants {_either(route)}",
                    reason="role",
                )
        except (Unauthorized, Forbidden) as error:
            self._metrics.count("auth_refused", (error.reason,))
            raise
        except StoreUnavailable:
            self._metrics.count("auth_refused", ("unavailable",))
            # Where the catalogue is, and what ails it, is no business of somebody who has not shown a key.
            raise StoreUnavailable("API keys cannot be checked now; try again") from None
        return principal

    def _checked(self, held: Held | None, secret: str) -> Principal:
        # Compared in either case, so that the time tells nothing.
        if not compare_digest(digest_of(secret), _NOBODY if held is None else held.digest) or held is None:
            raise Unauthorized(
                "Provided API key does not exist in the database; `calibrant key list` shows which do", reason="unknown"
            )
        if held.disabled_at is not None:
            raise Unauthorized(f"API key was disabled at: {_moment(held.disabled_at)}", reason="disabled")
        if held.expires_at is not None and self._clock.wall_ms() >= held.expires_at:
            raise Unauthorized(f"API key expired at: {_moment(held.expires_at)}", reason="expired")
        return held.principal


def _presented(headers: Mapping[str, str]) -> str:
    """Return the key that a request shows.

    Raises:
        Unauthorized: it shows none.
    """
    shown = headers.get("authorization")
    if shown is not None and shown[:7].lower() == "bearer ":
        return shown[7:].strip()
    for name in _ALTERNATIVES:
        key = headers.get(name)
        if key is not None:
            return key
    if shown is None:
        raise Unauthorized(f"Authorization header is required; {_HOW}", reason="missing")
    raise Unauthorized(f"Authorization header must start with 'Bearer '; {_HOW}", reason="scheme")


def _split(key: str) -> tuple[str, str]:
    parts = split_key(key)
    if parts is None:
        raise Unauthorized(
            "Invalid API key: it is not of the form sk-t0-<12 characters>-<48 characters>", reason="malformed"
        )
    return parts


def _moment(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1e3, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _either(route: Route) -> str:
    return " or ".join(sorted(route.roles | {"admin"}))
