"""The vault in SQLite: `sealed.db`, a file of its own, which nothing but a confirmation has to open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from calibrant.store.sql_vault import VAULT_STEPS, VaultTx
from calibrant.store.sqlite_file import SqliteFile
from calibrant.store.vault import SealedAnswer

__all__ = ["SqliteVault"]

_READ, _WRITE = "BEGIN", "BEGIN IMMEDIATE"


class SqliteVault:
    """Implements `vault.Vault`; makes the file when something is sealed first."""

    def __init__(self, path: Path, *, busy_timeout_s: float = 5.0) -> None:
        """Open nothing yet."""
        self.path = path
        self._file = SqliteFile(path, "sealed contents", VAULT_STEPS, busy_timeout_s=busy_timeout_s)

    def put(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """See `Vault.put`."""
        with self._file.lent(_WRITE) as connection:
            VaultTx(connection).put(contents)

    def get(self, hashes: Sequence[str]) -> dict[str, bytes]:
        """See `Vault.get`."""
        if not self.exists():
            return {}
        with self._file.lent(_READ) as connection:
            return VaultTx(connection).get(hashes)

    def remove(self, hashes: Sequence[str]) -> None:
        """See `Vault.remove`."""
        if hashes and self.exists():
            with self._file.lent(_WRITE) as connection:
                VaultTx(connection).remove(hashes)

    def hashes(self, *, after: str, limit: int) -> tuple[str, ...]:
        """See `Vault.hashes`."""
        if not self.exists():
            return ()
        with self._file.lent(_READ) as connection:
            return VaultTx(connection).hashes(after=after, limit=limit)

    def put_answers(self, confirmation_id: str, answers: Iterable[SealedAnswer]) -> None:
        """See `Vault.put_answers`."""
        with self._file.lent(_WRITE) as connection:
            VaultTx(connection).put_answers(confirmation_id, answers)

    def answers(self, confirmation_id: str) -> tuple[SealedAnswer, ...]:
        """See `Vault.answers`."""
        if not self.exists():
            return ()
        with self._file.lent(_READ) as connection:
            return VaultTx(connection).answers(confirmation_id)

    def forget(self, datapoint_ids: Sequence[str]) -> None:
        """See `Vault.forget`."""
        if datapoint_ids and self.exists():
            with self._file.lent(_WRITE) as connection:
                VaultTx(connection).forget(datapoint_ids)

    def exists(self) -> bool:
        """See `Vault.exists`."""
        return self._file.exists()

    def scrub(self) -> bool:
        """See `Vault.scrub`."""
        return self._file.scrub()

    def close(self) -> None:
        """See `Vault.close`."""
        self._file.close()
