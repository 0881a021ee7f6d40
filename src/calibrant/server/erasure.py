"""Handler of erasure: what belongs to a user or an episode is forgotten, in a process of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from calibrant.base.errors import InvalidRequest
from calibrant.server.http import Answer, Handler, HttpRequest
from calibrant.types.erasure import Erasure, Whose
from calibrant.wire.erasure import decode_erasure, encode_erasure

__all__ = ["Erase", "erasure_handler"]

Erase = Callable[[Whose, bool, str], Awaitable[Erasure]]
"""Erases, or plans to where the second is true; the third is who asks."""


def erasure_handler(erase: Erase | None) -> Handler:
    """Return the handler of `POST /v1/erasures`."""

    async def handle(http: HttpRequest) -> Answer:
        whose, plan = decode_erasure(http.body)
        if erase is None:
            raise InvalidRequest("there is no record to erase from: the configuration turns it off")
        actor = "" if http.principal is None else http.principal.public_id
        return Answer(200, encode_erasure(await erase(whose, plan, actor)))

    return handle
