"""Splits of a dataset: which of its groups may be learnt from, which only measured by, and which nobody may see.

A split belongs to a group, never to a row: what belongs together is never torn apart. It is settled when the group
enters and stays, however the dataset grows; that it was moved stands in the ledger.
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from msgspec import Struct

__all__ = [
    "DEFAULT_SHARES",
    "SPLITS",
    "GroupSplit",
    "LedgerEntry",
    "Purpose",
    "Reason",
    "Shares",
    "Split",
    "SplitCount",
    "Splitting",
]

Split = Literal["train", "val", "sealed", "canary"]
"""`train`: all may read it. `val`: people read it, optimizers see scores alone. `sealed`: only a confirmation reads it.
`canary`: synthetic cases that no true improvement changes, read as `val` is."""
SPLITS: Final[tuple[Split, ...]] = get_args(Split)
Purpose = Literal["training", "reading"]
"""What a reader reads for. `training` is whatever learns: pools of examples, exports, optimizers, a judge's examples.
It is given `train` alone. `reading` is a person's, and is given all but what is sealed."""
Reason = Literal[
    "entered",
    "near_duplicate",
    "seen_before",
    "revealed",
    "moved",
    "confirmed",
    "in_prompt",
    "too_old",
    "abandoned",
]
"""Why a group has the split that it has.

`entered`: by its hash. `near_duplicate`: it is nearly the same as a group of another split, or as what stands in the
open in another dataset. `seen_before`: its content stood in the open already. `revealed`: somebody looked. `moved`:
somebody moved it. `confirmed`: a confirmation used it up. `in_prompt`: a variant's prompt has words of it. `too_old`:
it is older than what this dataset seals. `abandoned`: a confirmation was broken off that had read it.
"""


class Shares(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of a hundred groups each split has; together 100."""

    train: int = 60
    val: int = 20
    sealed: int = 20
    canary: int = 0

    def __post_init__(self) -> None:
        """Refuse what is no hundred.

        Raises:
            ValueError: a share is below 0, or they are not 100 together.
        """
        parts = (self.train, self.val, self.sealed, self.canary)
        if min(parts) < 0 or sum(parts) != 100:
            raise ValueError(f"shares: {parts} of train, val, sealed and canary must be at least 0 and 100 together")


DEFAULT_SHARES: Final = Shares()


class Splitting(Struct, frozen=True, kw_only=True):
    """How a dataset is split."""

    salt: str
    """Drawn when it was sealed; two datasets split the same groups differently."""
    shares: Shares = DEFAULT_SHARES
    newest_days: int | None = None
    """Only groups this new are sealed; older ones are shared out among the other splits. Null seals at any age."""
    since: int = 0
    """When it was sealed, in Unix milliseconds."""


class GroupSplit(Struct, frozen=True, kw_only=True):
    """Where a group of a dataset is."""

    group_key: str
    component: str
    """The first group of those that are near-duplicates of each other, by way of any number of others."""
    split: Split
    reason: Reason
    at: int
    """When it came there, in Unix milliseconds."""
    newest_ms: int = 0
    """When the newest of it was made, where it came from."""
    confirmation_id: str | None = None
    """The confirmation that has read it, or reads it now."""


class SplitCount(Struct, frozen=True):
    """How much of a dataset is in a split."""

    split: Split
    groups: int
    datapoints: int
    used: int = 0
    """Datapoints of groups that a confirmation has read or reads."""


class LedgerEntry(Struct, frozen=True, kw_only=True):
    """One line of the ledger: what was done to splits, and every look at what is sealed."""

    number: int = 0
    """Counts from 1, without gaps."""
    at: int
    actor: str
    act: Literal["seal", "move", "reveal", "taint", "graduate", "confirm.begin", "confirm.end"]
    dataset_name: str
    detail: dict[str, Any] = {}
    previous: str = ""
    """The hash of the line before it; empty at first."""
    hash: str = ""
    """BLAKE3 of this line with `previous` in it and without this."""
