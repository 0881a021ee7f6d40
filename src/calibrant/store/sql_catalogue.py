"""The catalogue's tables and statements, in the SQL that SQLite and PostgreSQL share. `CatalogueTx` is `catalogue.Tx`.

A schema's version is the number of steps of `CATALOGUE_STEPS` that have been made. Needs no SQL toolkit, so a worker
may load it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import asdict

from calibrant.store.sql_batches import BATCH_STEP
from calibrant.store.sql_datasets import DATASET_STEP
from calibrant.store.sql_erasing import SqlErasing
from calibrant.store.sql_leases import LEASE_STEP, SqlLeases
from calibrant.store.sql_splits import SPLIT_STEP, SqlSplits
from calibrant.store.sql_workflows import WORKFLOW_STEP, SqlWorkflows
from calibrant.types.key import ApiKey, Audit, Role, StoredKey

__all__ = ["CATALOGUE_STEPS", "CATALOGUE_VERSION", "CatalogueTx"]

CATALOGUE_STEPS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """CREATE TABLE api_keys (
            seq INTEGER PRIMARY KEY,
            public_id TEXT NOT NULL UNIQUE,
            hash BLOB NOT NULL,
            description TEXT NOT NULL,
            organization TEXT NOT NULL,
            workspace TEXT NOT NULL,
            roles TEXT NOT NULL,
            models TEXT,
            functions TEXT,
            expires_at INTEGER,
            disabled_at INTEGER,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL
        ) STRICT""",
        """CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at INTEGER NOT NULL,
            actor TEXT NOT NULL,
            action TEXT NOT NULL,
            subject TEXT NOT NULL,
            detail TEXT NOT NULL
        ) STRICT""",
    ),
    BATCH_STEP,
    DATASET_STEP,
    WORKFLOW_STEP,
    SPLIT_STEP,
    LEASE_STEP,
)
"""What has been released is never changed: a step is only ever added."""
CATALOGUE_VERSION: Final = len(CATALOGUE_STEPS)

_FIELDS = tuple(name for name in ApiKey.__struct_fields__ if name != "public_id")
_COLUMNS = ", ".join(("public_id", *_FIELDS))
_roles = msgspec.json.Decoder(tuple[Role, ...])
_names = msgspec.json.Decoder(tuple[str, ...])
_detail = msgspec.json.Decoder(dict[str, object])


class CatalogueTx(SqlErasing, SqlWorkflows, SqlSplits, SqlLeases):
    """Implements `catalogue.Tx` on a connection whose transaction is open."""

    __slots__ = ()

    def key(self, public_id: str) -> StoredKey | None:
        """See `Reading.key`."""
        row = self._connection.execute(
            f"SELECT hash, {_COLUMNS} FROM api_keys WHERE public_id = ?",  # noqa: S608
            (public_id,),
        ).fetchone()
        return None if row is None else StoredKey(_to_key(row[1:]), row[0])

    def list_keys(self, *, after: str | None = None, limit: int = 100) -> tuple[ApiKey, ...]:
        """See `Reading.list_keys`."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM api_keys "  # noqa: S608
            "WHERE ?1 IS NULL OR seq > (SELECT seq FROM api_keys WHERE public_id = ?1) ORDER BY seq LIMIT ?2",
            (after, limit),
        )
        return tuple(_to_key(row) for row in rows)

    def audit(self, *, before: int | None = None, limit: int = 100) -> tuple[Audit, ...]:
        """See `Reading.audit`."""
        rows = self._connection.execute(
            "SELECT at, actor, action, subject, detail, id FROM audit WHERE ?1 IS NULL OR id < ?1 "
            "ORDER BY id DESC LIMIT ?2",
            (before, limit),
        )
        return tuple(Audit(*row[:4], detail=_detail.decode(row[4]), id=row[5]) for row in rows)

    def add_key(self, stored: StoredKey) -> bool:
        """See `Tx.add_key`."""
        done = self._connection.execute(
            f"INSERT INTO api_keys (hash, {_COLUMNS}) VALUES ({', '.join('?' * (len(_FIELDS) + 2))}) "  # noqa: S608
            "ON CONFLICT (public_id) DO NOTHING",
            (stored.digest, stored.key.public_id, *_values(stored.key)),
        )
        return done.rowcount == 1

    def set_key(self, key: ApiKey) -> None:
        """See `Tx.set_key`."""
        self._connection.execute(
            f"UPDATE api_keys SET {', '.join(f'{name} = ?' for name in _FIELDS)} WHERE public_id = ?",  # noqa: S608
            (*_values(key), key.public_id),
        )

    def note(self, entry: Audit) -> None:
        """See `Tx.note`."""
        self._connection.execute(
            "INSERT INTO audit (at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)",
            (entry.at, entry.actor, entry.action, entry.subject, _text(entry.detail)),
        )


def _values(key: ApiKey) -> list[Any]:
    lists = (key.roles, key.models, key.functions)
    roles, models, functions = (None if each is None else _text(each) for each in lists)
    fields = asdict(key) | {"roles": roles, "models": models, "functions": functions}
    return [fields[name] for name in _FIELDS]


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _to_key(row: Sequence[Any]) -> ApiKey:
    fields = dict(zip(("public_id", *_FIELDS), row, strict=True))
    fields["roles"] = _roles.decode(fields["roles"])
    for name in ("models", "functions"):
        fields[name] = None if fields[name] is None else _names.decode(fields[name])
    return ApiKey(**fields)
