"""Handlers of key management. They need the role `admin`, and a gateway that asks for keys.

Where no key is asked for, nobody is known who could be allowed to make one: a key that anybody made beforehand would
still open everything on the day that keys are asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from calibrant.base.clock import Clock
from calibrant.base.errors import Forbidden
from calibrant.engine.keys import change_key, create_key, set_disabled
from calibrant.server.http import Answer, HttpRequest
from calibrant.server.keyring import Keyring
from calibrant.server.query import number_in, read_query
from calibrant.store.catalogue import Catalogue
from calibrant.types.key import ApiKey
from calibrant.wire.keys import decode_change, decode_new, encode_audit, encode_created, encode_key, encode_keys

__all__ = ["KeyDesk"]

_PAGE = 100
_MAX_PAGE = 1000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeyDesk:
    """What the handlers of this file work on."""

    catalogue: Catalogue | None
    """Null where no key is asked for."""
    clock: Clock
    keyring: Keyring | None = None
    """What this worker remembers of keys, to be told of changes."""

    async def list(self, http: HttpRequest) -> Answer:
        """`GET /v1/keys`."""
        query = read_query(http, "after", "limit")
        limit = number_in(query, "limit", _PAGE, _MAX_PAGE)
        keys = await asyncio.to_thread(self._keys, query.get("after"), limit + 1)
        page, more = _page(keys, limit)
        return Answer(200, encode_keys(page, page[-1].public_id if more else None))

    async def create(self, http: HttpRequest) -> Answer:
        """`POST /v1/keys`: the only answer that ever holds the key."""
        wanted = decode_new(http.body)
        key, known = await self._act(http, partial(create_key, self._open(), wanted))
        return Answer(200, encode_created(key, known), headers=(("cache-control", "no-store"),))

    async def change(self, http: HttpRequest) -> Answer:
        """`PATCH /v1/keys/{public_id}`."""
        changes = decode_change(http.body)
        return await self._told(http, partial(change_key, self._open(), http.params["public_id"], changes))

    async def disable(self, http: HttpRequest) -> Answer:
        """`POST /v1/keys/{public_id}/disable`."""
        return await self._told(http, partial(set_disabled, self._open(), http.params["public_id"], disabled=True))

    async def enable(self, http: HttpRequest) -> Answer:
        """`POST /v1/keys/{public_id}/enable`."""
        return await self._told(http, partial(set_disabled, self._open(), http.params["public_id"], disabled=False))

    async def audit(self, http: HttpRequest) -> Answer:
        """`GET /v1/audit`."""
        query = read_query(http, "before", "limit")
        limit = number_in(query, "limit", _PAGE, _MAX_PAGE)
        before = number_in(query, "before", None, 2**63 - 1)
        catalogue = self._open()

        def read() -> bytes:
            with catalogue.reading() as view:
                page, more = _page(view.audit(before=before, limit=limit + 1), limit)
            return encode_audit(page, page[-1].id if more else None)

        return Answer(200, await asyncio.to_thread(read))

    def _open(self) -> Catalogue:
        if self.catalogue is None:
            raise Forbidden(
                "keys are not managed by HTTP while none is asked for; set `gateway.auth.enabled = true`, "
                "or use `calibrant key` on the gateway's machine",
                reason="off",
            )
        return self.catalogue

    async def _told(self, http: HttpRequest, act: Callable[..., ApiKey]) -> Answer:
        key = await self._act(http, act)
        if self.keyring is not None:
            self.keyring.forget(key.public_id)
        return Answer(200, encode_key(key))

    async def _act(self, http: HttpRequest, act: Callable[..., T]) -> T:
        actor = "" if http.principal is None else http.principal.public_id
        return await asyncio.to_thread(act, actor=actor, now_ms=self.clock.wall_ms())

    def _keys(self, after: str | None, limit: int) -> Sequence[ApiKey]:
        with self._open().reading() as view:
            return view.list_keys(after=after, limit=limit)


def _page(found: Sequence[T], limit: int) -> tuple[Sequence[T], bool]:
    """Return so many of what was found, and whether there is more."""
    return found[:limit], len(found) > limit
