"""Confirmations, and what is sealed of datasets: a candidate is asked once, on cases that nobody has looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from calibrant.apischema.confirmations import BudgetShown, ConfirmationPage, SplitShown
from calibrant.client.call import Call, get, post, segment
from calibrant.client.datasets import GetDatapointsResponse, SplitShares
from calibrant.client.errors import ConfirmationRefused
from calibrant.client.inference import Id
from calibrant.types.confirmation import Confirmation

__all__ = [
    "Holdout",
    "HoldoutBudget",
    "HoldoutSplit",
    "ListConfirmationsResponse",
    "confirm",
    "get_confirmation",
    "get_holdout",
    "list_confirmations",
    "reveal_datapoints",
]

HoldoutSplit = SplitShown
HoldoutBudget = BudgetShown
ListConfirmationsResponse = ConfirmationPage
_DAY_S: Final = 86_400.0
"""A confirmation takes as long as the models do, and a connection cannot tell silence from death."""


class Holdout(Struct, frozen=True, kw_only=True):
    """How a dataset is split, what is sealed of it, and what was spent."""

    dataset_name: str
    shares: SplitShares
    newest_days: int | None = None
    """Only groups this new are sealed; null seals at any age."""
    sealed_at: int
    """Unix milliseconds."""
    splits: tuple[HoldoutSplit, ...]
    budgets: tuple[HoldoutBudget, ...]
    """Of each function that has datapoints there."""
    ledger_entries: int
    """Lines of the whole ledger, which is one for all datasets."""
    broken_at: int | None = None
    """The first line that was changed since it was written, or is missing; null where the chain is whole."""


def confirm(  # noqa: PLR0913 - the fields of the body
    *,
    dataset_name: str,
    function_name: str,
    incumbent: str,
    candidate: str,
    evaluator: str,
    claimed_gain: float,
    spread: float | None = None,
    margin: float | None = None,
    alpha: float | None = None,
    items: int | None = None,
    concurrency: int | None = None,
    timeout: float = _DAY_S,
) -> Call[Confirmation]:
    """Hold a candidate against the incumbent, once, on sealed items that nobody has looked at.

    The answer, whose `status` is `passed` or `failed`, comes when all is over; until then the gateway is silent, so
    the client's own `timeout` is not that of this call: it waits for `timeout` seconds. Who stops waiting does not stop
    the confirmation, and what it spends is spent: `list_confirmations` says what came of it. One that would show too
    little, has no error budget left, was made before or was broken off is a `ConfirmationRefused`.
    """
    body = {
        "dataset_name": dataset_name,
        "function_name": function_name,
        "incumbent": incumbent,
        "candidate": candidate,
        "evaluator": evaluator,
        "claimed_gain": claimed_gain,
        "spread": spread,
        "margin": margin,
        "alpha": alpha,
        "items": items,
        "concurrency": concurrency,
    }
    call = post("/v1/confirmations", body, Confirmation, repeat="unless_sent")
    return msgspec.structs.replace(call, timeout_s=timeout, refusals={409: ConfirmationRefused})


def list_confirmations() -> Call[ListConfirmationsResponse]:
    """Read what was confirmed, the newest first; those that still run, too."""
    return get("/v1/confirmations", ListConfirmationsResponse)


def get_confirmation(*, confirmation_id: Id) -> Call[Confirmation]:
    """Read one confirmation; `abandoned` where its process said nothing for two minutes."""
    return get(f"/v1/confirmations/{segment(confirmation_id, 'confirmation_id')}", Confirmation)


def get_holdout(*, dataset_name: str) -> Call[Holdout]:
    """Read how a dataset is split, what is sealed of it, and what was spent of the error budget."""
    return get(f"/v1/datasets/{segment(dataset_name, 'dataset_name')}/holdout", Holdout)


def reveal_datapoints(*, dataset_name: str, ids: Sequence[Id]) -> Call[GetDatapointsResponse]:
    """Show datapoints. Those that are sealed leave the seal, with all of their group, for good."""
    path = f"/v1/datasets/{segment(dataset_name, 'dataset_name')}/reveal"
    return post(path, {"ids": list(ids)}, GetDatapointsResponse)
