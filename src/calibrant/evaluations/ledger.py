"""Confirmations as the ledger tells of them: what was begun, what came of it, and what it spent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from calibrant.store.splits import SplitReading
from calibrant.types.confirmation import BUDGET, Confirmation, Proposal
from calibrant.types.split import LedgerEntry

__all__ = [
    "beginning",
    "confirmation_in",
    "confirmations",
    "ending",
    "lines_of",
    "of_period",
    "period_of",
    "spent",
    "told_in",
    "twin_in",
]

_TOLD: Final = (
    "id",
    "function_name",
    "incumbent",
    "candidate",
    "evaluator",
    "items",
    "clusters",
    "alpha",
    "margin",
    "period",
    "number",
    "claimed_gain",
)


def lines_of(view: SplitReading) -> tuple[LedgerEntry, ...]:
    """Return the lines of the ledger that tell of confirmations, in order."""
    return view.acts("confirm.begin", "confirm.end")


def confirmations(view: SplitReading) -> list[Confirmation]:
    """Return every confirmation as the ledger tells of it, the oldest first."""
    return told_in(lines_of(view))


def confirmation_in(view: SplitReading, confirmation_id: str) -> Confirmation | None:
    """Return a confirmation as the ledger tells of it; null where there is none of this id."""
    found = told_in([each for each in lines_of(view) if each.detail["id"] == confirmation_id])
    return found[0] if found else None


def told_in(lines: Iterable[LedgerEntry]) -> list[Confirmation]:
    """Return the confirmations that these lines tell of, the oldest first."""
    found: dict[str, Confirmation] = {}
    for entry in lines:
        detail = entry.detail
        if entry.act == "confirm.begin":
            found[detail["id"]] = Confirmation(
                status="running",
                at=entry.at,
                actor=entry.actor,
                dataset_name=entry.dataset_name,
                **{name: detail[name] for name in _TOLD},
            )
        elif detail["id"] in found:
            interval = detail.get("interval")
            found[detail["id"]] = replace(
                found[detail["id"]],
                status=detail["status"],
                ended_at=entry.at,
                interval=None if interval is None else (interval[0], interval[1]),
                failures=(detail["failures"][0], detail["failures"][1]),
            )
    return list(found.values())


def beginning(begun: Confirmation, hashes: dict[str, str]) -> LedgerEntry:
    """Return the line that says that a confirmation begins.

    Args:
        begun: The confirmation.
        hashes: Of what it compares: `incumbent_hash`, `candidate_hash` and `config_hash`.
    """
    told = msgspec.to_builtins(begun)
    return LedgerEntry(
        at=begun.at,
        actor=begun.actor,
        act="confirm.begin",
        dataset_name=begun.dataset_name,
        detail={**{name: told[name] for name in _TOLD}, **hashes},
    )


def ending(ended: Confirmation, now_ms: int) -> LedgerEntry:
    """Return the line that says what came of a confirmation."""
    interval = None if ended.interval is None else list(ended.interval)
    detail = {"id": ended.id, "status": ended.status, "interval": interval, "failures": list(ended.failures)}
    return LedgerEntry(at=now_ms, actor=ended.actor, act="confirm.end", dataset_name=ended.dataset_name, detail=detail)


def twin_in(lines: Iterable[LedgerEntry], proposal: Proposal, hashes: dict[str, str], evaluator: str) -> str | None:
    """Return the confirmation that compared the same two already, by the same evaluator; null where there is none."""
    for entry in lines:
        detail = entry.detail
        same = (
            entry.act == "confirm.begin"
            and entry.dataset_name == proposal.dataset_name
            and detail["function_name"] == proposal.function_name
            and detail["evaluator"] == evaluator
            and all(detail[name] == hashes[name] for name in ("incumbent_hash", "candidate_hash"))
        )
        if same:
            return str(detail["id"])
    return None


def period_of(at_ms: int) -> str:
    """Return the quarter of an instant (UTC), such as `2026Q4`."""
    day = datetime.fromtimestamp(at_ms / 1e3, UTC)
    return f"{day.year}Q{(day.month + 2) // 3}"


def of_period(known: Sequence[Confirmation], function_name: str, period: str) -> list[Confirmation]:
    """Return the confirmations of a function that spend from a quarter's budget, broken-off ones included."""
    return [each for each in known if each.function_name == function_name and each.period == period]


def spent(known: Sequence[Confirmation]) -> float:
    """Return how much of the budget these have spent, from 0 to `BUDGET`."""
    return min(sum(each.alpha for each in known), BUDGET)
