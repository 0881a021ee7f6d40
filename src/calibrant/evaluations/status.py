"""What is known of a dataset's seal: how much is in it, what was spent, and whether the ledger is whole."""

from __future__ import annotations

from calibrant.apischema.confirmations import BudgetShown, HoldoutShown, SplitShown
from calibrant.base.errors import NotFound
from calibrant.datasets import holdout
from calibrant.evaluations.drawing import design_effect
from calibrant.evaluations.ledger import confirmations, of_period, period_of, spent
from calibrant.evaluations.running import confirmations_now
from calibrant.measure.budget import alpha_of, smallest_gain
from calibrant.store.catalogue import Reading
from calibrant.types.confirmation import BUDGET, Confirmation

__all__ = ["confirmation_named", "holdout_of"]


def holdout_of(view: Reading, name: str, now_ms: int) -> HoldoutShown:
    """Return what is known of a dataset's seal.

    Raises:
        NotFound: there is no such dataset.
        InvalidRequest: it is not split.
    """
    splits = holdout.split_of(view, name)
    _, splitting, functions = view.split_datasets()[name]
    known, period = confirmations(view), period_of(now_ms)
    lines = list(holdout.ledger_lines(view))
    return HoldoutShown(
        dataset_name=name,
        shares=splitting.shares,
        newest_days=splitting.newest_days,
        sealed_at=splitting.since,
        splits=[SplitShown(each.split, each.groups, each.datapoints) for each in splits],
        budgets=[_budget(view, name, function, known, period) for function in sorted(functions)],
        ledger_entries=len(lines),
        broken_at=holdout.broken_at(lines),
    )


def confirmation_named(view: Reading, confirmation_id: str, now_ms: int) -> Confirmation:
    """Return a confirmation; as abandoned where its lease is over.

    Raises:
        NotFound: there is none of this id.
    """
    for each in confirmations_now(view, now_ms):
        if each.id == confirmation_id:
            return each
    raise NotFound(f"there is no confirmation {confirmation_id[:80]}")


def _budget(view: Reading, name: str, function: str, known: list[Confirmation], period: str) -> BudgetShown:
    groups = view.fresh_components(name, function)
    fresh = sum(group.datapoints for group in groups)
    before = of_period(known, function, period)
    left = BUDGET - spent(before)
    alpha = min(alpha_of(len(before) + 1, BUDGET), left)
    claim = smallest_gain(fresh, alpha=alpha, design_effect=design_effect(groups)) if fresh and alpha > 0 else None
    return BudgetShown(function, period, BUDGET, BUDGET - left, len(before), max(alpha, 0.0), fresh, claim)
