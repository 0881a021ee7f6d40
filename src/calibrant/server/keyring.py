"""What workers know of API keys: answers of the catalogue, kept for a moment, good ones and bad ones alike.

An answer is as old as the question, so a change is in effect on every worker once the time to live has passed. Nothing
is answered out of an old entry while the catalogue is away: then nobody is let in who was not asked about just now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from msgspec import Struct

from calibrant.store.catalogue import Catalogue
from calibrant.types.key import Principal, StoredKey

__all__ = ["Held", "Keyring"]

_THREADS: Final = 4
_KNOWN: Final = 10_000
_UNKNOWN: Final = 1_000
"""How many public ids are remembered that exist, and that do not; callers choose the latter."""


class Held(Struct, frozen=True):
    """What a key must match, and who it stands for."""

    digest: bytes
    principal: Principal
    expires_at: int | None
    disabled_at: int | None

    @classmethod
    def of(cls, stored: StoredKey) -> Held:
        """Return what of a stored key the gate looks at."""
        return cls(stored.digest, stored.key.principal(), stored.key.expires_at, stored.key.disabled_at)

    def __repr__(self) -> str:
        """Show no digest, wherever this is printed."""
        return f"Held({self.principal.public_id})"


class Keyring:
    """Looks keys up by their public id; for one event loop."""

    __slots__ = ("_asked", "_catalogue", "_known", "_monotonic", "_threads", "_ttl_s", "_unknown")

    def __init__(self, catalogue: Catalogue, *, ttl_s: float, monotonic: Callable[[], float]) -> None:
        """Know nothing yet.

        Args:
            catalogue: Where keys are.
            ttl_s: How long an answer is kept; 0 asks every time.
            monotonic: The clock.
        """
        self._catalogue = catalogue
        self._ttl_s = ttl_s
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, Held]] = {}
        self._unknown: dict[str, float] = {}
        self._asked: dict[str, asyncio.Future[Held | None]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, "keys")

    def known(self, public_id: str) -> Held | None:
        """Return the key of this public id where it is at hand; null says nothing."""
        known = self._known.get(public_id)
        return known[1] if known is not None and self._monotonic() < known[0] else None

    async def find(self, public_id: str) -> Held | None:
        """Return the key of this public id, or null where there is none. Does not wait while an answer is at hand.

        Raises:
            StoreUnavailable: the catalogue cannot be asked now.
        """
        now = self._monotonic()
        known = self._known.get(public_id)
        if known is not None and now < known[0]:
            return known[1]
        if now < self._unknown.get(public_id, now):
            return None
        return await self._ask(public_id, now)

    def forget(self, public_id: str) -> None:
        """Ask again for this one: it has been changed here."""
        self._known.pop(public_id, None)
        self._unknown.pop(public_id, None)
        self._asked.pop(public_id, None)

    def close(self) -> None:
        """Let go of the threads and the catalogue."""
        self._threads.shutdown(wait=True)
        self._catalogue.close()

    async def _ask(self, public_id: str, now: float) -> Held | None:
        asked = self._asked.get(public_id)
        if asked is None:
            asked = asyncio.get_running_loop().run_in_executor(self._threads, self._look, public_id)
            if self._ttl_s > 0:
                # Who comes meanwhile waits for the same answer.
                self._asked[public_id] = asked
            asked.add_done_callback(lambda done: self._answered(public_id, now, done))
        # One who leaves must not take the answer from the others.
        return await asyncio.shield(asked)

    def _look(self, public_id: str) -> Held | None:
        with self._catalogue.reading() as view:
            stored = view.key(public_id)
        return None if stored is None else Held.of(stored)

    def _answered(self, public_id: str, at: float, done: asyncio.Future[Held | None]) -> None:
        if done.cancelled() or done.exception() is not None or self._ttl_s <= 0:
            current = False
        else:
            # It was forgotten where it is no longer the one that others would wait for.
            current = self._asked.get(public_id) is done
        if self._asked.get(public_id) is done:
            del self._asked[public_id]
        if not current:
            return
        held, until = done.result(), at + self._ttl_s
        if held is None:
            self._known.pop(public_id, None)
            if len(self._unknown) >= _UNKNOWN:
                self._unknown.clear()
            self._unknown[public_id] = until
        else:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[public_id] = (until, held)
