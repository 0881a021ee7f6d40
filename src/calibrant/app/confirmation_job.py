"""How a worker has something confirmed: by a process of its own, so that it never holds what is sealed."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from calibrant.app.job import in_process
from calibrant.app.options import Options
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


class Outcome(Struct, frozen=True):
    """What came of it: one of the two."""

    done: Confirmation | None
    code: str = ""
    message: str = ""


async def ask_confirmation(options: Options, proposal: Proposal, evaluator: str, actor: str) -> Confirmation:
    """Have something confirmed, and wait for it. Who stops waiting does not stop it; the ledger will have it.

    Raises:
        NotFound, InvalidRequest, NotImplementedYet, ConfirmationRefused, StoreUnavailable: as `confirming.confirm`.
        InternalError: the process ended without a word.
    """
    said, status = await in_process("confirming", msgspec.json.encode(Job(options, proposal, evaluator, actor)))
    try:
        outcome = msgspec.json.decode(said, type=Outcome)
    except msgspec.MsgspecError:
        raise InternalError(
            f"the confirmation ended with status {status}; see the log, and `calibrant holdout status` for its cost"
        ) from None
    if outcome.done is not None:
        return outcome.done
    if outcome.code == ConfigError.code:
        # An evaluator that the configuration has, but that cannot work as it is written.
        raise InvalidRequest(outcome.message)
    kind = next((each for each in _KINDS if each.code == outcome.code), InternalError)
    raise kind(outcome.message)
