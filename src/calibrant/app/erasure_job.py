"""How a worker has something erased: by a process of its own (`erasing`), which outlives it."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from calibrant.app.job import in_process
from calibrant.app.options import Options
from calibrant.base.errors import InternalError, StoreUnavailable
from calibrant.types.erasure import Erasure, Whose

__all__ = ["Job", "Outcome", "ask_erasure"]


class Job(Struct, frozen=True):
    """What to do."""

    options: Options
    whose: Whose
    plan: bool
    actor: str


class Outcome(Struct, frozen=True):
    """What came of it: one of the two."""

    done: Erasure | None
    code: str = ""
    message: str = ""


async def ask_erasure(options: Options, whose: Whose, plan: bool, actor: str) -> Erasure:
    """Have something erased, and wait for it. Who stops waiting does not stop it.

    Raises:
        StoreUnavailable: it could not be done now.
        InternalError: the process ended without a word.
    """
    said, status = await in_process("erasing", msgspec.json.encode(Job(options, whose, plan, actor)))
    try:
        outcome = msgspec.json.decode(said, type=Outcome)
    except msgspec.MsgspecError:
        raise InternalError(f"the erasure ended with status {status}; see the log, and erase again") from None
    if outcome.done is not None:
        return outcome.done
    raise (StoreUnavailable if outcome.code == StoreUnavailable.code else InternalError)(outcome.message)
