"""What an import did: for each table the rows on both sides, and what stayed behind and why."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["LeftOut", "Report", "TableReport"]


class TableReport(Struct, frozen=True, kw_only=True):
    """One table. The numbers are of all runs, but for `added`."""

    table: str
    source: int
    """Rows in the source, when the import ended."""
    here: int
    """How many of them are here; of model inferences, how many calls the whole record has."""
    added: int
    """By this run."""
    quarantined: int
    """Rows that cannot be ours, or that the store refused: `calibrant spool quarantine` has each with the reason."""


class LeftOut(Struct, frozen=True):
    """What is not imported."""

    what: str
    rows: int
    why: str


class Report(Struct, frozen=True, kw_only=True):
    """All of it."""

    source: str
    incarnation: str
    """The name of the import in the books of the record."""
    tables: tuple[TableReport, ...]
    left_out: tuple[LeftOut, ...]
    reasons: dict[str, int]
    """Why rows are in quarantine, and how many for each reason; without their ids."""

    @property
    def quarantined(self) -> int:
        """How many rows did not become ours."""
        return sum(each.quarantined for each in self.tables)
