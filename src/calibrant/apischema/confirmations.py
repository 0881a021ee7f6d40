"""Confirmations and what is sealed, on the wire. A confirmation is told as `types.confirmation.Confirmation` stands."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from calibrant.types.confirmation import MAX_CONCURRENCY, Confirmation
from calibrant.types.split import Shares, Split

__all__ = ["BudgetShown", "ConfirmationBody", "ConfirmationPage", "HoldoutShown", "SplitShown"]

_Score = Annotated[float, Meta(ge=-1e9, le=1e9)]


class ConfirmationBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/confirmations`: is the candidate better than the incumbent, on cases that nobody has looked at?"""

    dataset_name: str
    function_name: str
    incumbent: str
    """The variant that serves now."""
    candidate: str
    """The variant that may take its place."""
    evaluator: str
    """`EVALUATION::EVALUATOR`, an evaluator of the function, or `exact_match`."""
    claimed_gain: Annotated[float, Meta(gt=0, le=1e9)]
    """By how much the candidate did better where it was picked; half of it is what the confirmation is planned for."""
    spread: Annotated[float, Meta(gt=0, le=1e9)] | None = None
    """Standard deviation of the differences item by item, from there."""
    margin: _Score | None = None
    """By how much it must be better; below 0 where it may cost so much. 0 where it is null."""
    alpha: Annotated[float, Meta(gt=0, le=0.05)] | None = None
    """The part of the quarter's error budget to spend; null takes what the schedule gives."""
    items: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    """How many sealed items to ask; null takes as many as its power needs."""
    concurrency: Annotated[int, Meta(ge=1, le=MAX_CONCURRENCY)] | None = None
    """How many requests at a time; 4 where it is null."""


class ConfirmationPage(Struct, frozen=True):
    """`GET /v1/confirmations`."""

    confirmations: list[Confirmation]
    """The newest first."""


class SplitShown(Struct, frozen=True):
    """How much of a dataset is in a split."""

    split: Split
    groups: int
    datapoints: int


class BudgetShown(Struct, frozen=True):
    """What a function's confirmations of this quarter have spent."""

    function_name: str
    period: str
    budget: float
    spent: float
    confirmations: int
    next_alpha: float
    """What the next one gets, unless it asks for another part."""
    fresh_items: int
    """Sealed items of the dataset that no confirmation has read."""
    smallest_claim: float | None
    """The smallest claimed gain that so many items can confirm with the next part, for two variants that differ on a
    quarter of the items; null where there are none."""


class HoldoutShown(Struct, frozen=True):
    """`GET /v1/datasets/{dataset_name}/holdout`."""

    dataset_name: str
    shares: Shares
    newest_days: int | None
    sealed_at: int
    """Unix milliseconds."""
    splits: list[SplitShown]
    budgets: list[BudgetShown]
    """Of each function that has datapoints there."""
    ledger_entries: int
    """Lines of the whole ledger, which is one for all datasets."""
    broken_at: int | None
    """The first line that was changed since it was written, or is missing; null where the chain is whole."""
