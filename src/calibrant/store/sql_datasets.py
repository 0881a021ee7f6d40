"""Datasets in the catalogue: the part of `sql_catalogue.CatalogueTx` that implements `datasets.DatasetWriting`.

Contents stand once, under their hash, whatever datasets and versions have them. Portable but for the step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from calibrant.store.payload import Packer, unpack
from calibrant.store.portable import Statements, marks_for, pages
from calibrant.store.search_text import text_of_payloads
from calibrant.store.sql_datapoints import DATAPOINTS, counted_sql, datapoints_sql
from calibrant.types.datapoint import Action, Change, Content, Datapoint, DatapointQuery, Dataset, Origin
from calibrant.types.message import Input
from calibrant.types.split import Split, Splitting

__all__ = ["DATASET_STEP", "SqlDatasets", "stored_content"]

DATASET_STEP: Final[tuple[str, ...]] = (
    """CREATE TABLE datasets (
        name TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        group_by TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        closed INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE dataset_changes (
        dataset_name TEXT NOT NULL,
        version INTEGER NOT NULL,
        at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        added INTEGER NOT NULL DEFAULT 0,
        removed INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (dataset_name, version)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE datapoint_contents (
        hash TEXT PRIMARY KEY,
        content BLOB NOT NULL,
        words TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE datapoints (
        id TEXT NOT NULL,
        since INTEGER NOT NULL,
        until INTEGER,
        dataset_name TEXT NOT NULL,
        function_name TEXT NOT NULL,
        name TEXT,
        episode_id TEXT,
        tags TEXT NOT NULL,
        group_key TEXT NOT NULL,
        content_hash TEXT NOT NULL,
        source TEXT NOT NULL,
        source_inference_id TEXT,
        source_feedback_id TEXT,
        parent_id TEXT,
        root_id TEXT,
        actor TEXT NOT NULL,
        updated_at INTEGER NOT NULL,
        staled_at INTEGER,
        PRIMARY KEY (id, since)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX datapoints_now ON datapoints (dataset_name, id) WHERE until IS NULL",
    "CREATE INDEX datapoints_then ON datapoints (dataset_name, id, since)",
    "CREATE INDEX datapoints_of_content ON datapoints (content_hash)",
    "CREATE INDEX datapoints_of_inference ON datapoints (source_inference_id) WHERE source_inference_id IS NOT NULL",
    """CREATE TABLE datapoint_tags (
        datapoint_id TEXT NOT NULL,
        since INTEGER NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (datapoint_id, since, key)
    ) STRICT, WITHOUT ROWID""",
)
"""The catalogue's step that brings datasets."""

_COLUMNS: Final = (
    "id",
    "since",
    "until",
    "dataset_name",
    "function_name",
    "name",
    "episode_id",
    "tags",
    "group_key",
    "content_hash",
    "source",
    "source_inference_id",
    "source_feedback_id",
    "parent_id",
    "root_id",
    "actor",
    "updated_at",
    "staled_at",
)
_SELECTED = ", ".join(f"d.{name}" for name in _COLUMNS) + ", c.content, g.split"
_DATASET = "name, version, group_by, created_at, updated_at, splitting"
_PAGE = 500
_encode = msgspec.json.Encoder().encode
_content = msgspec.json.Decoder(Content).decode
_tags = msgspec.json.Decoder(dict[str, str]).decode
_splitting = msgspec.json.Decoder(Splitting).decode


class _Words(msgspec.Struct):
    """What a stored content says of itself."""

    input: msgspec.Raw
    output: msgspec.Raw = msgspec.Raw()


_words = msgspec.json.Decoder(_Words).decode


class SqlDatasets:
    """Works on a connection whose transaction is open."""

    __slots__ = ()

    _connection: Statements

    def dataset(self, name: str) -> Dataset | None:
        """See `DatasetReading.dataset`."""
        row = self._connection.execute(f"SELECT {_DATASET} FROM datasets WHERE name = ?", (name,)).fetchone()  # noqa: S608
        return None if row is None else replace(_dataset(row), datapoints=self.count_datapoints(name))

    def list_datasets(
        self, *, function_name: str | None = None, limit: int = 100, offset: int = 0
    ) -> tuple[Dataset, ...]:
        """See `DatasetReading.list_datasets`."""
        of_function = "" if function_name is None else "AND d.function_name = ? "
        rows = self._connection.execute(
            f"SELECT {_DATASET}, (SELECT count(*) FROM datapoints d "  # noqa: S608
            f"WHERE d.dataset_name = datasets.name AND d.until IS NULL {of_function}) AS datapoints "
            "FROM datasets WHERE closed = 0 "
            + (
                ""
                if function_name is None
                else "AND EXISTS (SELECT 1 FROM datapoints d WHERE d.dataset_name = datasets.name "
                "AND d.until IS NULL AND d.function_name = ?) "
            )
            + "ORDER BY updated_at DESC, name LIMIT ? OFFSET ?",
            (*(() if function_name is None else (function_name, function_name)), limit, offset),
        )
        return tuple(replace(_dataset(row[:-1]), datapoints=row[-1]) for row in rows.fetchall())

    def dataset_changes(self, name: str, *, before: int | None = None, limit: int = 100) -> tuple[Change, ...]:
        """See `DatasetReading.dataset_changes`."""
        older = "" if before is None else "AND version < ? "
        rows = self._connection.execute(
            "SELECT version, at, actor, action, added, removed FROM dataset_changes "  # noqa: S608
            f"WHERE dataset_name = ? {older}ORDER BY version DESC LIMIT ?",
            (name, *(() if before is None else (before,)), limit),
        )
        return tuple(
            Change(version=version, at=at, actor=actor, action=action, added=added, removed=removed)
            for version, at, actor, action, added, removed in rows.fetchall()
        )

    def datapoints(self, which: DatapointQuery) -> tuple[Datapoint, ...]:
        """See `DatasetReading.datapoints`."""
        asked = datapoints_sql(which, _SELECTED)
        rows = self._connection.execute(asked.text, asked.parameters).fetchall()
        # What became of a row after the version that is read is no part of that version.
        return tuple(replace(_datapoint(row), until=None, staled_at=None) for row in rows)

    def find_datapoints(self, ids: Sequence[str], *, dataset_name: str | None = None) -> tuple[Datapoint, ...]:
        """See `DatasetReading.find_datapoints`."""
        found: dict[str, Datapoint] = {}
        inside = "" if dataset_name is None else "AND d.dataset_name = ? "
        for some in pages(dict.fromkeys(ids), _PAGE):
            # A row that has ended and is not stale was followed by another.
            rows = self._connection.execute(
                f"SELECT {_SELECTED} FROM {DATAPOINTS} "  # noqa: S608
                f"WHERE d.id IN ({marks_for(some)}) {inside}AND (d.until IS NULL OR d.staled_at IS NOT NULL)",
                (*some, *(() if dataset_name is None else (dataset_name,))),
            )
            found |= {row[0]: _datapoint(row) for row in rows.fetchall()}
        return tuple(found[each] for each in dict.fromkeys(ids) if each in found)

    def count_datapoints(self, name: str, *, function_name: str | None = None) -> int:
        """See `DatasetReading.count_datapoints`."""
        of_function = "" if function_name is None else " AND function_name = ?"
        row = self._connection.execute(
            f"SELECT count(*) FROM datapoints WHERE dataset_name = ? AND until IS NULL{of_function}",  # noqa: S608
            (name, *(() if function_name is None else (function_name,))),
        ).fetchone()
        return int(row[0])

    def count_by_split(self, which: DatapointQuery) -> dict[Split, int]:
        """See `DatasetReading.count_by_split`."""
        asked = counted_sql(which)
        rows = self._connection.execute(asked.text, asked.parameters).fetchall()
        return {row[0]: int(row[1]) for row in rows}

    def hold_dataset(self, name: str) -> None:
        """See `DatasetWriting.hold_dataset`. SQLite has one writer at a time; elsewhere the row is locked."""
        self._connection.execute("UPDATE datasets SET version = version WHERE name = ?", (name,))

    def change_dataset(self, name: str, action: Action, *, group_by: str, actor: str, now_ms: int) -> Dataset:
        """See `DatasetWriting.change_dataset`."""
        row = self._connection.execute(
            "INSERT INTO datasets (name, version, group_by, created_at, updated_at) VALUES (?, 1, ?, ?, ?) "  # noqa: S608
            "ON CONFLICT (name) DO UPDATE SET "
            f"version = datasets.version + 1, updated_at = excluded.updated_at, closed = 0 RETURNING {_DATASET}",
            (name, group_by, now_ms, now_ms),
        ).fetchone()
        begun = _dataset(row)
        self._connection.execute(
            "INSERT INTO dataset_changes (dataset_name, version, at, actor, action) VALUES (?, ?, ?, ?, ?)",
            (name, begun.version, now_ms, actor, action),
        )
        return begun

    def add_datapoints(self, rows: Iterable[Datapoint]) -> int:
        """See `DatasetWriting.add_datapoints`."""
        pack = Packer()
        added = 0
        for some in pages(rows, _PAGE):
            added += len(some)
            self._connection.executemany(
                "INSERT INTO datapoint_contents (hash, content, words) VALUES (?, ?, ?) ON CONFLICT (hash) DO NOTHING",
                # Whoever seals has put the others into the vault.
                [stored_content(row.content_hash, _encode(row.content), pack) for row in some if row.split != "sealed"],
            )
            self._connection.executemany(
                f"INSERT INTO datapoints ({', '.join(_COLUMNS)}) VALUES ({marks_for(_COLUMNS)})",  # noqa: S608
                [_values(row) for row in some],
            )
            self._connection.executemany(
                "INSERT INTO datapoint_tags (datapoint_id, since, key, value) VALUES (?, ?, ?, ?)",
                [(row.id, row.since, key, value) for row in some for key, value in row.tags.items()],
            )
            self._connection.execute(
                "UPDATE dataset_changes SET added = added + ? WHERE dataset_name = ? AND version = ?",
                (len(some), some[0].dataset_name, some[0].since),
            )
        return added

    def end_datapoints(self, name: str, ids: Sequence[str] | None, *, version: int, staled_at: int | None) -> int:
        """See `DatasetWriting.end_datapoints`."""
        ended = 0
        for some in ((),) if ids is None else pages(dict.fromkeys(ids), _PAGE):
            these = "" if ids is None else f"id IN ({marks_for(some)}) AND "
            ended += self._connection.execute(
                f"UPDATE datapoints SET until = ?, staled_at = ? WHERE {these}dataset_name = ? AND until IS NULL",  # noqa: S608
                (version, staled_at, *some, name),
            ).rowcount
        self._connection.execute(
            "UPDATE dataset_changes SET removed = removed + ? WHERE dataset_name = ? AND version = ?",
            (ended, name, version),
        )
        return ended

    def close_dataset(self, name: str) -> None:
        """See `DatasetWriting.close_dataset`."""
        self._connection.execute("UPDATE datasets SET closed = 1 WHERE name = ?", (name,))


def _dataset(row: Sequence[Any]) -> Dataset:
    name, version, group_by, created_at, updated_at, splitting = row
    return Dataset(
        name=name,
        version=version,
        group_by=group_by,
        created_at=created_at,
        updated_at=updated_at,
        splitting=None if splitting is None else _splitting(splitting),
    )


def stored_content(content_hash: str, content: bytes, pack: Packer) -> tuple[str, bytes, str]:
    """Return a content as it stands in `datapoint_contents`: its hash, itself, and the words that a search looks at."""
    said = _words(content)
    words = text_of_payloads(bytes(said.input), bytes(said.output) or None)
    packed = pack(content) or b""
    return content_hash, packed.encode() if isinstance(packed, str) else packed, words


def _values(row: Datapoint) -> tuple[Any, ...]:
    origin = row.origin
    return (
        row.id,
        row.since,
        row.until,
        row.dataset_name,
        row.content.function_name,
        row.name,
        row.episode_id,
        _encode(row.tags).decode(),
        row.group_key,
        row.content_hash,
        origin.source,
        origin.inference_id,
        origin.feedback_id,
        origin.parent_id,
        origin.root_id,
        row.actor,
        row.updated_at,
        row.staled_at,
    )


def _content_of(fields: dict[str, Any]) -> Content:
    if fields["source"] == "erased" or fields["split"] == "sealed":
        return Content("chat", fields["function_name"], Input(()))
    return _content(unpack(bytes(fields["content"])) or b"")


def _datapoint(row: Sequence[Any]) -> Datapoint:
    fields: dict[str, Any] = dict(zip((*_COLUMNS, "content", "split"), row, strict=True))
    sealed = fields["split"] == "sealed"
    return Datapoint(
        id=fields["id"],
        dataset_name=fields["dataset_name"],
        since=fields["since"],
        until=fields["until"],
        # Labels are often kept in them.
        name=None if sealed else fields["name"],
        episode_id=fields["episode_id"],
        tags={} if sealed else _tags(fields["tags"]),
        group_key=fields["group_key"],
        # Whoever guesses a text could tell by its hash that it is sealed.
        content_hash="" if sealed else fields["content_hash"],
        content=_content_of(fields),
        origin=Origin(
            fields["source"],
            fields["source_inference_id"],
            fields["source_feedback_id"],
            fields["parent_id"],
            fields["root_id"],
        ),
        actor=fields["actor"],
        updated_at=fields["updated_at"],
        staled_at=fields["staled_at"],
        split=fields["split"],
    )
