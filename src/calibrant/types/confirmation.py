"""Confirmations: a candidate asked once, beside the incumbent, on sealed items that nobody has looked at."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

__all__ = ["BUDGET", "MAX_CONCURRENCY", "Confirmation", "ConfirmationStatus", "Proposal"]

BUDGET: Final = 0.05
"""What a function's confirmations of a quarter may get wrong, all together."""
MAX_CONCURRENCY: Final = 64
ConfirmationStatus = Literal["running", "passed", "failed", "abandoned"]
"""`abandoned`: it was broken off, or its process was silent for too long. What it had spent is spent, and what it had
read is read."""


class Proposal(Struct, frozen=True, kw_only=True):
    """What is to be confirmed."""

    dataset_name: str
    function_name: str
    incumbent: str
    """The variant that serves now."""
    candidate: str
    """The variant that may take its place."""
    claimed_gain: float
    """By how much it did better than the incumbent, where it was picked; in the units of the evaluator."""
    spread: float | None = None
    """Standard deviation of the differences item by item, from there; null takes a usual one."""
    margin: float = 0.0
    """By how much it must be better; below 0 where it may cost so much."""
    alpha: float | None = None
    """The part of the quarter's error budget to spend; null takes what the schedule gives the next one."""
    items: int | None = None
    """How many to ask; null takes as many as its power needs."""
    concurrency: int = 4


class Confirmation(Struct, frozen=True, kw_only=True):
    """A confirmation as the ledger tells of it. Instants are Unix milliseconds."""

    id: str
    status: ConfirmationStatus
    at: int
    ended_at: int | None = None
    """Null while it runs, and where it was abandoned and the ledger has no line of that yet."""
    actor: str = ""
    dataset_name: str
    function_name: str
    incumbent: str
    candidate: str
    evaluator: str
    items: int
    """Of the seal that it asked, and used up."""
    clusters: int
    """Of items that are near-duplicates or belong together."""
    alpha: float
    margin: float = 0.0
    period: str
    """The quarter whose budget it spent from, such as `2026Q4`."""
    number: int
    """It was the nth of its function in that quarter."""
    claimed_gain: float
    interval: tuple[float, float] | None = None
    """Of the difference, candidate less incumbent, at 1 - 2 alpha, rounded outward to hundredths; null while it runs,
    and where there is none. More does not leave the seal."""
    failures: tuple[int, int] = (0, 0)
    """Items on which the incumbent and the candidate failed, and got the worst score."""
