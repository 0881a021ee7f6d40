"""A confirmation that runs: the lease of the process that makes it, and how it ends.

A process that is killed says nothing. So the one that confirms says every few seconds that it is there, and one that
was silent for too long has lost its confirmation for good: it can neither renew the lease nor finish. That is why a
confirmation whose lease is over may be called abandoned before the ledger has a line of it. Loads no numpy.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from msgspec.structs import replace

from calibrant.base.clock import Clock
from calibrant.base.errors import ConfirmationRefused, StoreUnavailable
from calibrant.datasets import holdout
from calibrant.datasets.editing import Actor
from calibrant.evaluations.ledger import confirmation_in, confirmations, ending
from calibrant.store.catalogue import Catalogue, Reading, Tx
from calibrant.types.confirmation import Confirmation

__all__ = ["HELD_MS", "SLACK_MS", "abandon", "abandon_silent", "confirmations_now", "end", "held", "holding", "lost"]

HELD_MS: Final = 90_000
"""How long a process that says nothing may still finish."""
SLACK_MS: Final = 30_000
"""How much later others take it for broken off: clocks of two hosts may differ by so much."""
_RENEW_S: Final = 10.0
_log = logging.getLogger(__name__)


def confirmations_now(view: Reading, now_ms: int) -> list[Confirmation]:
    """Return every confirmation, the oldest first; those whose lease is over as abandoned, whatever the ledger says."""
    leases = view.confirmation_leases()
    return [
        replace(each, status="abandoned") if _silent(each, leases, now_ms) else each for each in confirmations(view)
    ]


def held(view: Reading, confirmation_id: str, now_ms: int) -> bool:
    """Return whether the process that makes a confirmation may finish it; not once it has ended."""
    return view.confirmation_leases().get(confirmation_id, 0) > now_ms


def lost(confirmation_id: str) -> ConfirmationRefused:
    """Return what to raise where a confirmation was lost."""
    return ConfirmationRefused(
        f"confirmation {confirmation_id} said nothing for more than {HELD_MS // 1000} s and counts as broken off: this "
        "machine was suspended, its clock was set, or the catalogue could not be written; what it spent is spent"
    )


@asynccontextmanager
async def holding(catalogue: Catalogue, confirmation_id: str, clock: Clock) -> AsyncGenerator[None]:
    """Keep the lease of a confirmation while the block runs; the block is cancelled where it is lost.

    Raises:
        ConfirmationRefused: the lease was lost.
    """
    limit = asyncio.timeout(HELD_MS / 1e3)
    # A thread of its own, as evaluators may keep the others busy. Its last word is waited for: the catalogue may be
    # closed after that, and nothing else is to be done on this loop by then.
    with ThreadPoolExecutor(1, "lease") as threads:
        renew = partial(_renew, catalogue, confirmation_id, clock)
        try:
            async with limit:
                keeper = asyncio.get_running_loop().create_task(_keep(limit, threads, renew))
                try:
                    yield
                finally:
                    keeper.cancel()
                    await asyncio.wait([keeper])
        except TimeoutError:
            if not limit.expired():
                raise
            raise lost(confirmation_id) from None


def end(catalogue: Catalogue, tx: Tx, ended: Confirmation, now_ms: int) -> None:
    """Write what came of a confirmation, whose items leave the seal; `holdout.swept` is due after the transaction."""
    name, actor = ended.dataset_name, Actor(ended.actor, now_ms)
    keys = [group.group_key for dataset, group in tx.groups_of_confirmation(ended.id) if dataset == name]
    reason = "abandoned" if ended.status == "abandoned" else "confirmed"
    holdout.graduate(catalogue, tx, name, keys, "val", reason, actor)
    tx.write_ledger(ending(ended, now_ms))
    tx.release_confirmation(ended.id)


def abandon(catalogue: Catalogue, confirmation_id: str, now_ms: int) -> Confirmation | None:
    """Write that a confirmation was broken off, where it has not ended; return what is known of it by then.

    Returns:
        Null where it never began, so that it has spent and read nothing.

    Raises:
        StoreUnavailable: the catalogue or the vault cannot be used now.
    """
    with catalogue.transaction() as tx:
        known = confirmation_in(tx, confirmation_id)
        if known is None or known.status != "running":
            return known
        ended = replace(known, status="abandoned", ended_at=now_ms)
        end(catalogue, tx, ended, now_ms)
    holdout.swept(catalogue)
    return ended


def abandon_silent(catalogue: Catalogue, now_ms: int) -> None:
    """Write of each confirmation whose lease is over that it was broken off."""
    with catalogue.reading() as view:
        leases = view.confirmation_leases()
        silent = [each.id for each in confirmations(view) if _silent(each, leases, now_ms)]
    for each in silent:
        abandon(catalogue, each, now_ms)


def _silent(each: Confirmation, leases: Mapping[str, int], now_ms: int) -> bool:
    return each.status == "running" and leases.get(each.id, 0) + SLACK_MS <= now_ms


async def _keep(limit: asyncio.Timeout, threads: Executor, renew: partial[bool]) -> None:
    """Renew a lease again and again, and move the limit with it."""
    loop = asyncio.get_running_loop()
    while True:
        asked = loop.time()
        try:
            renewed = await loop.run_in_executor(threads, renew)
        except StoreUnavailable as error:
            # There is time for another try until the limit is reached.
            _log.warning("the lease of a confirmation was not renewed: %s", error.message)
        else:
            if limit.expired():
                return
            limit.reschedule(asked + HELD_MS / 1e3 if renewed else asked)
        await asyncio.sleep(_RENEW_S)


def _renew(catalogue: Catalogue, confirmation_id: str, clock: Clock) -> bool:
    with catalogue.transaction() as tx:
        now_ms = clock.wall_ms()
        return tx.renew_confirmation(confirmation_id, now_ms=now_ms, until_ms=now_ms + HELD_MS)
