"""The vault in PostgreSQL: the schema `calibrant_sealed`, best opened by a database role of its own."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Final

import psycopg

from calibrant.base.errors import StoreUnavailable
from calibrant.store.portable import postgres_definition
from calibrant.store.postgres_connection import Connection, Postgres
from calibrant.store.postgres_statements import PortableConnection
from calibrant.store.sql_vault import VAULT_STEPS, VaultTx
from calibrant.store.vault import SealedAnswer

__all__ = ["SCHEMA", "PostgresVault", "migrate_vault", "vault_version"]

SCHEMA: Final = "calibrant_sealed"


class PostgresVault:
    """Implements `vault.Vault`."""

    def __init__(self, postgres: Postgres) -> None:
        """Ask nothing yet.

        Args:
            postgres: Where it is, with a schema for nothing else; closed together with this.
        """
        self._postgres = postgres

    def put(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """See `Vault.put`."""
        with self._lent() as tx:
            tx.put(contents)

    def get(self, hashes: Sequence[str]) -> dict[str, bytes]:
        """See `Vault.get`."""
        with self._lent() as tx:
            return tx.get(hashes)

    def remove(self, hashes: Sequence[str]) -> None:
        """See `Vault.remove`."""
        if hashes:
            with self._lent() as tx:
                tx.remove(hashes)

    def hashes(self, *, after: str, limit: int) -> tuple[str, ...]:
        """See `Vault.hashes`."""
        with self._lent() as tx:
            return tx.hashes(after=after, limit=limit)

    def put_answers(self, confirmation_id: str, answers: Iterable[SealedAnswer]) -> None:
        """See `Vault.put_answers`."""
        with self._lent() as tx:
            tx.put_answers(confirmation_id, answers)

    def answers(self, confirmation_id: str) -> tuple[SealedAnswer, ...]:
        """See `Vault.answers`."""
        with self._lent() as tx:
            return tx.answers(confirmation_id)

    def forget(self, datapoint_ids: Sequence[str]) -> None:
        """See `Vault.forget`."""
        if datapoint_ids:
            with self._lent() as tx:
                tx.forget(datapoint_ids)

    def exists(self) -> bool:
        """See `Vault.exists`."""
        with self._postgres.lent() as connection:
            return vault_version(connection) > 0

    def scrub(self) -> bool:
        """See `Vault.scrub`. The server is told to reclaim what was deleted."""
        try:
            with self._postgres.lent() as connection:
                for table in ("contents", "answers"):
                    connection.execute(f"VACUUM {table}".encode())
        except psycopg.Error as error:
            raise StoreUnavailable(f"sealed contents in {self._postgres.place}: {str(error).strip()}") from error
        return True

    def close(self) -> None:
        """See `Vault.close`."""
        self._postgres.close()

    @contextmanager
    def _lent(self) -> Generator[VaultTx]:
        place = f"sealed contents in {self._postgres.place}"
        try:
            with self._postgres.lent() as connection:
                connection.execute("BEGIN")
                yield VaultTx(PortableConnection(connection))
                connection.execute("COMMIT")
        except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege) as error:
            raise StoreUnavailable(
                f"{place}: {str(error).strip()}; run `calibrant migrate` with CALIBRANT_SEALED_POSTGRES_URL set as it "
                "is for the gateway"
            ) from error
        except psycopg.Error as error:
            raise StoreUnavailable(f"{place}: {str(error).strip()}") from error


def vault_version(connection: Connection) -> int:
    """Return how many steps of the vault's schema have been made; 0 where there is none."""
    known = connection.execute("SELECT to_regclass('vault_version')").fetchone()
    if known is None or known[0] is None:
        return 0
    row = connection.execute("SELECT version FROM vault_version").fetchone()
    return int(row[0]) if row else 0


def migrate_vault(postgres: Postgres) -> None:
    """Make the steps that are missing, as the role that is to own them.

    Raises:
        StoreUnavailable: it is newer than this program, or cannot be migrated now.
    """
    try:
        with postgres.lent() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('calibrant sealed migrations'))")
            version = vault_version(connection)
            if version > len(VAULT_STEPS):
                raise StoreUnavailable(
                    f"sealed contents in {postgres.place} have schema {version}, this program knows up to "
                    f"{len(VAULT_STEPS)}; run the newer version of Calibrant"
                )
            if version == len(VAULT_STEPS):
                return
            if version == 0:
                schema = f'"{postgres.settings.schema}"'
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}".encode())
                # Whatever the database's defaults are: nobody but the owner.
                connection.execute(f"REVOKE ALL ON SCHEMA {schema} FROM PUBLIC".encode())
            for step in VAULT_STEPS[version:]:
                for statement in step:
                    connection.execute(postgres_definition(statement).encode())
            connection.execute("CREATE TABLE IF NOT EXISTS vault_version (version INTEGER NOT NULL)")
            connection.execute("DELETE FROM vault_version")
            connection.execute("INSERT INTO vault_version VALUES (%s)", (len(VAULT_STEPS),))
    except psycopg.Error as error:
        raise StoreUnavailable(
            f"sealed contents in {postgres.place} cannot be migrated: {str(error).strip()}"
        ) from error
