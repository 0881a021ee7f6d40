"""Leases of confirmations: the part of `sql_catalogue.CatalogueTx` that implements `leases.LeaseWriting`. Portable."""

from __future__ import annotations

from typing import Final

from calibrant.store.portable import Statements

__all__ = ["LEASE_STEP", "SqlLeases"]

LEASE_STEP: Final[tuple[str, ...]] = (
    """CREATE TABLE confirmation_leases (
        confirmation_id TEXT NOT NULL,
        until INTEGER NOT NULL,
        PRIMARY KEY (confirmation_id)
    ) STRICT, WITHOUT ROWID""",
)
"""The catalogue's step that brings leases of confirmations."""


class SqlLeases:
    """Works on a connection whose transaction is open."""

    __slots__ = ()

    _connection: Statements

    def confirmation_leases(self) -> dict[str, int]:
        """See `LeaseReading.confirmation_leases`."""
        rows = self._connection.execute("SELECT confirmation_id, until FROM confirmation_leases").fetchall()
        return {str(row[0]): int(row[1]) for row in rows}

    def lease_confirmation(self, confirmation_id: str, until_ms: int) -> None:
        """See `LeaseWriting.lease_confirmation`."""
        self._connection.execute(
            "INSERT INTO confirmation_leases (confirmation_id, until) VALUES (?, ?)", (confirmation_id, until_ms)
        )

    def renew_confirmation(self, confirmation_id: str, *, now_ms: int, until_ms: int) -> bool:
        """See `LeaseWriting.renew_confirmation`."""
        done = self._connection.execute(
            "UPDATE confirmation_leases SET until = ? WHERE confirmation_id = ? AND until > ?",
            (until_ms, confirmation_id, now_ms),
        )
        return done.rowcount == 1

    def release_confirmation(self, confirmation_id: str) -> None:
        """See `LeaseWriting.release_confirmation`."""
        self._connection.execute("DELETE FROM confirmation_leases WHERE confirmation_id = ?", (confirmation_id,))
