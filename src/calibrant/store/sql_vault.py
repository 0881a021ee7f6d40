"""The vault's tables and statements, in the SQL that SQLite and PostgreSQL share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from calibrant.store.payload import Packer, unpack
from calibrant.store.portable import Statements, marks_for, pages
from calibrant.store.vault import SealedAnswer

__all__ = ["VAULT_STEPS", "VaultTx"]

VAULT_STEPS: Final[tuple[tuple[str, ...], ...]] = (
    (
        "CREATE TABLE contents (hash TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT",
        """CREATE TABLE answers (
            confirmation_id TEXT NOT NULL,
            datapoint_id TEXT NOT NULL,
            variant_name TEXT NOT NULL,
            score REAL NOT NULL,
            output BLOB,
            fault TEXT,
            PRIMARY KEY (confirmation_id, datapoint_id, variant_name)
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX answers_to ON answers (datapoint_id)",
    ),
)
"""What has been released is never changed: a step is only ever added."""

_PAGE: Final = 500


class VaultTx:
    """Works on a connection whose transaction is open; methods are as `vault.Vault` has them."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Statements) -> None:
        """Use this connection."""
        self._connection = connection

    def put(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """See `Vault.put`."""
        pack = Packer()
        for some in pages(contents, _PAGE):
            self._connection.executemany(
                "INSERT INTO contents (hash, content) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING",
                [(content_hash, _bytes(pack(content))) for content_hash, content in some],
            )

    def get(self, hashes: Sequence[str]) -> dict[str, bytes]:
        """See `Vault.get`."""
        found: dict[str, bytes] = {}
        for some in pages(dict.fromkeys(hashes), _PAGE):
            rows = self._connection.execute(
                f"SELECT hash, content FROM contents WHERE hash IN ({marks_for(some)})",  # noqa: S608
                some,
            ).fetchall()
            found |= {content_hash: unpack(bytes(content)) or b"" for content_hash, content in rows}
        return found

    def remove(self, hashes: Sequence[str]) -> None:
        """See `Vault.remove`."""
        for some in pages(dict.fromkeys(hashes), _PAGE):
            self._connection.execute(f"DELETE FROM contents WHERE hash IN ({marks_for(some)})", some)  # noqa: S608

    def hashes(self, *, after: str, limit: int) -> tuple[str, ...]:
        """See `Vault.hashes`."""
        rows = self._connection.execute(
            "SELECT hash FROM contents WHERE hash > ? ORDER BY hash LIMIT ?", (after, limit)
        ).fetchall()
        return tuple(row[0] for row in rows)

    def put_answers(self, confirmation_id: str, answers: Iterable[SealedAnswer]) -> None:
        """See `Vault.put_answers`."""
        pack = Packer()
        for some in pages(answers, _PAGE):
            self._connection.executemany(
                "INSERT INTO answers (confirmation_id, datapoint_id, variant_name, score, output, fault) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (confirmation_id, datapoint_id, variant_name) DO NOTHING",
                [
                    (
                        confirmation_id,
                        each.datapoint_id,
                        each.variant_name,
                        each.score,
                        None if each.output is None else _bytes(pack(each.output)),
                        each.fault,
                    )
                    for each in some
                ],
            )

    def answers(self, confirmation_id: str) -> tuple[SealedAnswer, ...]:
        """See `Vault.answers`."""
        rows = self._connection.execute(
            "SELECT datapoint_id, variant_name, score, output, fault FROM answers WHERE confirmation_id = ? "
            "ORDER BY datapoint_id, variant_name",
            (confirmation_id,),
        ).fetchall()
        return tuple(
            SealedAnswer(row[0], row[1], row[2], None if row[3] is None else unpack(bytes(row[3])), row[4])
            for row in rows
        )

    def forget(self, datapoint_ids: Sequence[str]) -> None:
        """See `Vault.forget`."""
        for some in pages(dict.fromkeys(datapoint_ids), _PAGE):
            self._connection.execute(
                f"UPDATE answers SET output = NULL, fault = NULL WHERE datapoint_id IN ({marks_for(some)})",  # noqa: S608
                some,
            )


def _bytes(packed: str | bytes | None) -> bytes:
    return packed.encode() if isinstance(packed, str) else packed or b""
