"""How a worker has something confirmed: by a process of its own, so that it never holds what is sealed."""

from __future__ import annotations

import asyncio

import msgspec
from msgspec import Struct

from calibrant.app.job import in_process
from calibrant.app.options import Options
from calibrant.base.clock import Clock
from calibrant.base.errors import (
    CalibrantError,
    ConfigError,
    ConfirmationRefused,
    InternalError,
    InvalidRequest,
    NotFound,
    NotImplementedYet,
    StoreUnavailable,
)
from calibrant.base.ids import uuid7
from calibrant.evaluations.running import HELD_MS, SLACK_MS, abandon
from calibrant.store.catalogue import Catalogue
from calibrant.types.confirmation import Confirmation, Proposal

__all__ = ["Job", "Outcome", "ask_confirmation"]

_KINDS: tuple[type[CalibrantError], ...] = (
    ConfirmationRefused,
    InvalidRequest,
    NotFound,
    NotImplementedYet,
    StoreUnavailable,
    InternalError,
)


class Job(Struct, frozen=True):
    """What to do."""

    options: Options
    proposal: Proposal
    evaluator: str
    actor: str
    confirmation_id: str


class Outcome(Struct, frozen=True):
    """What came of it: one of the two."""

    done: Confirmation | None
    code: str = ""
    message: str = ""


async def ask_confirmation(
    options: Options, catalogue: Catalogue, clock: Clock, proposal: Proposal, evaluator: str, actor: str
) -> Confirmation:
    """Have something confirmed, and wait for it. Who stops waiting does not stop it; the ledger will have it.

    Raises:
        NotFound, InvalidRequest, NotImplementedYet, ConfirmationRefused, StoreUnavailable: as `confirming.confirm`.
        InternalError: the process ended without a word; what it had begun is abandoned.
    """
    # The id is ours, so that what the process had begun is known whenever it ends.
    id_ = uuid7()
    said, status = await in_process("confirming", msgspec.json.encode(Job(options, proposal, evaluator, actor, id_)))
    try:
        outcome = msgspec.json.decode(said, type=Outcome)
    except msgspec.MsgspecError:
        return await asyncio.to_thread(_broken_off, catalogue, id_, clock.wall_ms(), _how(status))
    if outcome.done is not None:
        return outcome.done
    if outcome.code == ConfigError.code:
        # An evaluator that the configuration has, but that cannot work as it is written.
        raise InvalidRequest(outcome.message)
    kind = next((each for each in _KINDS if each.code == outcome.code), InternalError)
    raise kind(outcome.message)


def _broken_off(catalogue: Catalogue, id_: str, now_ms: int, how: str) -> Confirmation:
    """Return what came of a confirmation whose process ended without a word; it may have been its last one.

    Raises:
        InternalError: it was broken off.
    """
    try:
        known = abandon(catalogue, id_, now_ms)
    except StoreUnavailable as error:
        raise InternalError(
            f"the process of confirmation {id_} {how}; it will count as abandoned within {(HELD_MS + SLACK_MS) // 1000}"
            f" s, and this could not be written now: {error.message}"
        ) from None
    if known is None:
        raise InternalError(f"the process that was to confirm {how} before it began; nothing is spent, ask again")
    if known.status == "abandoned":
        raise InternalError(
            f"the process of confirmation {id_} {how}, and it is abandoned: the {known.alpha:.4f} of the error budget "
            f"and the {known.items} items that it took are used up, and the same two variants are not asked again"
        )
    return known


def _how(status: int | None) -> str:
    if status is not None and status < 0:
        return f"was killed by signal {-status}"
    return f"ended with status {status} (the log says more)"
