"""Splits in the catalogue: the part of `sql_catalogue.CatalogueTx` that implements `splits.SplitWriting`. Portable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from blake3 import blake3
from msgspec.structs import replace

from calibrant.store.payload import Packer, unpack
from calibrant.store.portable import Statements, marks_for, pages
from calibrant.store.splits import (
    FreshComponent,
    GroupContent,
    Print,
    SealedContent,
    SealedItem,
    SourceGroup,
    SplitMark,
)
from calibrant.store.sql_datasets import stored_content
from calibrant.types.split import GroupSplit, LedgerEntry, Reason, Split, SplitCount, Splitting

__all__ = ["SPLIT_STEP", "SqlSplits", "entry_hash"]

SPLIT_STEP: Final[tuple[str, ...]] = (
    "ALTER TABLE datasets ADD COLUMN splitting TEXT",
    """CREATE TABLE split_groups (
        dataset_name TEXT NOT NULL,
        group_key TEXT NOT NULL,
        component TEXT NOT NULL,
        split TEXT NOT NULL,
        reason TEXT NOT NULL,
        at INTEGER NOT NULL,
        newest_ms INTEGER NOT NULL,
        confirmation_id TEXT,
        PRIMARY KEY (dataset_name, group_key)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX split_groups_of_component ON split_groups (dataset_name, component)",
    "CREATE INDEX split_groups_of_split ON split_groups (dataset_name, split, group_key)",
    "CREATE INDEX datapoints_of_group ON datapoints (dataset_name, group_key)",
    """CREATE TABLE datapoint_prints (
        dataset_name TEXT NOT NULL,
        content_hash TEXT NOT NULL,
        shingles BLOB NOT NULL,
        PRIMARY KEY (dataset_name, content_hash)
    ) STRICT""",
    """CREATE TABLE datapoint_bands (
        dataset_name TEXT NOT NULL,
        band INTEGER NOT NULL,
        content_hash TEXT NOT NULL,
        PRIMARY KEY (dataset_name, band, content_hash)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX datapoint_bands_of_content ON datapoint_bands (dataset_name, content_hash)",
    """CREATE TABLE ledger (
        number INTEGER NOT NULL,
        at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        act TEXT NOT NULL,
        dataset_name TEXT NOT NULL,
        detail TEXT NOT NULL,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL,
        PRIMARY KEY (number)
    ) STRICT""",
    "CREATE INDEX ledger_of_dataset ON ledger (dataset_name, number)",
)
"""The catalogue's step that brings splits."""

_GROUP: Final = "group_key, component, split, reason, at, newest_ms, confirmation_id"
_ENTRY: Final = "number, at, actor, act, dataset_name, detail, previous, hash"
_PAGE: Final = 400
_SHARING: Final = 64
"""Prints that are looked at for one band: of more, all but a few are of one template and of one component."""
_encode = msgspec.json.Encoder(order="deterministic").encode
_splitting = msgspec.json.Decoder(Splitting).decode
_detail = msgspec.json.Decoder(dict[str, Any]).decode


class SqlSplits:
    """Works on a connection whose transaction is open."""

    __slots__ = ()

    _connection: Statements

    def split_mark(self) -> SplitMark:
        """See `SplitReading.split_mark`."""
        rows = self._all(
            "SELECT name, version, (SELECT coalesce(max(number), 0) FROM ledger) FROM datasets "
            "WHERE splitting IS NOT NULL ORDER BY name"
        )
        return SplitMark(tuple((row[0], int(row[1])) for row in rows), int(rows[0][2]) if rows else 0)

    def split_datasets(self) -> Mapping[str, tuple[str, Splitting, frozenset[str]]]:
        """See `SplitReading.split_datasets`."""
        found: dict[str, tuple[str, Splitting, frozenset[str]]] = {}
        for name, group_by, splitting in self._all(
            "SELECT name, group_by, splitting FROM datasets WHERE splitting IS NOT NULL ORDER BY name"
        ):
            functions = self._all("SELECT DISTINCT function_name FROM datapoints WHERE dataset_name = ?", (name,))
            found[name] = (group_by, _splitting(splitting), frozenset(row[0] for row in functions))
        return found

    def sealed_datasets(self) -> tuple[str, ...]:
        """See `SplitReading.sealed_datasets`."""
        rows = self._all(
            "SELECT name FROM datasets WHERE splitting IS NOT NULL AND EXISTS (SELECT 1 FROM split_groups g "
            "WHERE g.dataset_name = datasets.name AND g.split = 'sealed') ORDER BY name"
        )
        return tuple(row[0] for row in rows)

    def group_splits(self, dataset_name: str, keys: Sequence[str]) -> dict[str, GroupSplit]:
        """See `SplitReading.group_splits`."""
        return {each.group_key: each for each in self._groups(dataset_name, "group_key", keys)}

    def component_groups(self, dataset_name: str, components: Sequence[str]) -> tuple[GroupSplit, ...]:
        """See `SplitReading.component_groups`."""
        return tuple(self._groups(dataset_name, "component", components))

    def groups_with(self, dataset_name: str, content_hashes: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """See `SplitReading.groups_with`."""
        found: dict[str, tuple[str, ...]] = {}
        for some in pages(dict.fromkeys(content_hashes), _PAGE):
            for content_hash, key in self._all(
                "SELECT DISTINCT content_hash, group_key FROM datapoints "  # noqa: S608
                f"WHERE content_hash IN ({marks_for(some)}) AND dataset_name = ? AND source <> 'erased' ORDER BY 1, 2",
                (*some, dataset_name),
            ):
                found[content_hash] = (*found.get(content_hash, ()), key)
        return found

    def prints_sharing(self, dataset_name: str, bands: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """See `SplitReading.prints_sharing`."""
        found: dict[int, tuple[str, ...]] = {}
        for band in self._bands_there(dataset_name, bands):
            rows = self._all(
                "SELECT content_hash FROM datapoint_bands WHERE dataset_name = ? AND band = ? LIMIT ?",
                (dataset_name, band, _SHARING),
            )
            if rows:
                found[band] = tuple(row[0] for row in rows)
        return found

    def prints(self, dataset_name: str, content_hashes: Sequence[str]) -> dict[str, bytes]:
        """See `SplitReading.prints`."""
        found: dict[str, bytes] = {}
        for some in pages(dict.fromkeys(content_hashes), _PAGE):
            rows = self._all(
                "SELECT content_hash, shingles FROM datapoint_prints "  # noqa: S608
                f"WHERE dataset_name = ? AND content_hash IN ({marks_for(some)})",
                (dataset_name, *some),
            )
            found |= {content_hash: bytes(shingles) for content_hash, shingles in rows}
        return found

    def group_contents(self, dataset_name: str) -> tuple[GroupContent, ...]:
        """See `SplitReading.group_contents`."""
        rows = self._all(
            "SELECT group_key, content_hash, max(coalesce(source_inference_id, root_id, id)) FROM datapoints "
            "WHERE dataset_name = ? AND source <> 'erased' GROUP BY group_key, content_hash ORDER BY 1, 2",
            (dataset_name,),
        )
        return tuple(GroupContent(*row) for row in rows)

    def contents_of_groups(self, dataset_name: str, keys: Sequence[str]) -> frozenset[str]:
        """See `SplitReading.contents_of_groups`."""
        found: set[str] = set()
        for some in pages(dict.fromkeys(keys), _PAGE):
            found |= {
                row[0]
                for row in self._all(
                    "SELECT DISTINCT content_hash FROM datapoints WHERE dataset_name = ? AND source <> 'erased' "  # noqa: S608
                    f"AND group_key IN ({marks_for(some)})",
                    (dataset_name, *some),
                )
            }
        return frozenset(found)

    def in_the_open(self, content_hashes: Sequence[str]) -> frozenset[str]:
        """See `SplitReading.in_the_open`."""
        return frozenset(self._among("SELECT hash FROM datapoint_contents WHERE hash IN ({})", content_hashes))

    def sealed_with(self, content_hashes: Sequence[str]) -> tuple[SealedContent, ...]:
        """See `SplitReading.sealed_with`."""
        found: list[SealedContent] = []
        for some in pages(dict.fromkeys(content_hashes), _PAGE):
            rows = self._all(
                "SELECT DISTINCT d.content_hash, d.dataset_name, d.group_key FROM datapoints d JOIN split_groups g "  # noqa: S608
                "ON g.dataset_name = d.dataset_name AND g.group_key = d.group_key "
                f"WHERE d.content_hash IN ({marks_for(some)}) AND g.split = 'sealed' AND d.source <> 'erased'",
                some,
            )
            found += [SealedContent(*row) for row in rows]
        return tuple(found)

    def shared_elsewhere(self, dataset_name: str, content_hashes: Sequence[str]) -> frozenset[str]:
        """See `SplitReading.shared_elsewhere`."""
        return frozenset(
            self._among(
                "SELECT DISTINCT content_hash FROM datapoints WHERE content_hash IN ({}) AND dataset_name <> ? "
                "AND source <> 'erased'",
                content_hashes,
                (dataset_name,),
            )
        )

    def group_sources(self, inference_ids: Sequence[str]) -> tuple[SourceGroup, ...]:
        """See `SplitReading.group_sources`."""
        found: list[SourceGroup] = []
        for some in pages(dict.fromkeys(inference_ids), _PAGE):
            rows = self._all(
                "SELECT DISTINCT d.source_inference_id, d.dataset_name, d.group_key FROM datapoints d "  # noqa: S608
                "JOIN split_groups g ON g.dataset_name = d.dataset_name AND g.group_key = d.group_key "
                f"WHERE d.source_inference_id IN ({marks_for(some)})",
                some,
            )
            found += [SourceGroup(*row) for row in rows]
        return tuple(found)

    def fresh_components(self, dataset_name: str, function_name: str) -> tuple[FreshComponent, ...]:
        """See `SplitReading.fresh_components`."""
        rows = self._all(
            "SELECT g.component, count(*) FROM split_groups g JOIN datapoints d "
            "ON d.dataset_name = g.dataset_name AND d.group_key = g.group_key "
            "WHERE g.dataset_name = ? AND g.split = 'sealed' AND g.confirmation_id IS NULL "
            "AND d.until IS NULL AND d.function_name = ? AND NOT EXISTS (SELECT 1 FROM split_groups o "
            "WHERE o.dataset_name = g.dataset_name AND o.component = g.component AND o.confirmation_id IS NOT NULL) "
            "GROUP BY g.component ORDER BY g.component",
            (dataset_name, function_name),
        )
        return tuple(FreshComponent(*row) for row in rows)

    def sealed_items(self, dataset_name: str, function_name: str, components: Sequence[str]) -> tuple[SealedItem, ...]:
        """See `SplitReading.sealed_items`."""
        found: list[SealedItem] = []
        for some in pages(dict.fromkeys(components), _PAGE):
            rows = self._all(
                "SELECT d.id, d.group_key, g.component, d.content_hash FROM datapoints d JOIN split_groups g "  # noqa: S608
                "ON g.dataset_name = d.dataset_name AND g.group_key = d.group_key "
                f"WHERE g.dataset_name = ? AND g.component IN ({marks_for(some)}) AND d.until IS NULL "
                "AND d.function_name = ? AND g.split = 'sealed' ORDER BY d.id",
                (dataset_name, *some, function_name),
            )
            found += [SealedItem(*row) for row in rows]
        return tuple(found)

    def groups_of_confirmation(self, confirmation_id: str) -> tuple[tuple[str, GroupSplit], ...]:
        """See `SplitReading.groups_of_confirmation`."""
        rows = self._all(
            f"SELECT dataset_name, {_GROUP} FROM split_groups WHERE confirmation_id = ? ORDER BY 1, 2",  # noqa: S608
            (confirmation_id,),
        )
        return tuple((row[0], _group(row[1:])) for row in rows)

    def sealed_groups(self, dataset_name: str, *, after: str = "", limit: int = 1000) -> tuple[GroupSplit, ...]:
        """See `SplitReading.sealed_groups`."""
        rows = self._all(
            f"SELECT {_GROUP} FROM split_groups WHERE dataset_name = ? AND split = 'sealed' AND group_key > ? "  # noqa: S608
            "ORDER BY group_key LIMIT ?",
            (dataset_name, after, limit),
        )
        return tuple(map(_group, rows))

    def split_counts(self, dataset_name: str) -> tuple[SplitCount, ...]:
        """See `SplitReading.split_counts`."""
        rows = self._all(
            "SELECT g.split, count(DISTINCT g.group_key), count(d.id), "
            "sum(CASE WHEN d.id IS NOT NULL AND g.confirmation_id IS NOT NULL THEN 1 ELSE 0 END) "
            "FROM split_groups g LEFT JOIN datapoints d "
            "ON d.dataset_name = g.dataset_name AND d.group_key = g.group_key AND d.until IS NULL "
            "WHERE g.dataset_name = ? GROUP BY g.split ORDER BY g.split",
            (dataset_name,),
        )
        return tuple(SplitCount(row[0], int(row[1]), int(row[2]), int(row[3] or 0)) for row in rows)

    def acts(self, *acts: str) -> tuple[LedgerEntry, ...]:
        """See `SplitReading.acts`."""
        query = f"SELECT {_ENTRY} FROM ledger WHERE act IN ({marks_for(acts)}) ORDER BY number"  # noqa: S608
        return tuple(map(_entry, self._all(query, acts)))

    def ledger(self, dataset_name: str | None = None, *, after: int = 0, limit: int = 1000) -> tuple[LedgerEntry, ...]:
        """See `SplitReading.ledger`."""
        of_dataset = "" if dataset_name is None else "AND dataset_name = ? "
        rows = self._all(
            f"SELECT {_ENTRY} FROM ledger WHERE number > ? {of_dataset}ORDER BY number LIMIT ?",  # noqa: S608
            (after, *(() if dataset_name is None else (dataset_name,)), limit),
        )
        return tuple(map(_entry, rows))

    def set_splitting(self, dataset_name: str, splitting: Splitting) -> None:
        """See `SplitWriting.set_splitting`."""
        self._connection.execute(
            "UPDATE datasets SET splitting = ? WHERE name = ?", (_encode(splitting).decode(), dataset_name)
        )

    def put_groups(self, dataset_name: str, groups: Iterable[GroupSplit]) -> None:
        """See `SplitWriting.put_groups`."""
        for some in pages(groups, _PAGE):
            self._connection.executemany(
                f"INSERT INTO split_groups (dataset_name, {_GROUP}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
                "ON CONFLICT (dataset_name, group_key) DO UPDATE SET component = excluded.component, "
                "split = excluded.split, reason = excluded.reason, at = excluded.at, newest_ms = excluded.newest_ms, "
                "confirmation_id = excluded.confirmation_id",
                [
                    (
                        dataset_name,
                        each.group_key,
                        each.component,
                        each.split,
                        each.reason,
                        each.at,
                        each.newest_ms,
                        each.confirmation_id,
                    )
                    for each in some
                ],
            )

    def move_groups(self, dataset_name: str, keys: Sequence[str], split: Split, reason: Reason, now_ms: int) -> None:
        """See `SplitWriting.move_groups`."""
        for some in pages(dict.fromkeys(keys), _PAGE):
            self._connection.execute(
                "UPDATE split_groups SET split = ?, reason = ?, at = ? WHERE dataset_name = ? "  # noqa: S608
                f"AND group_key IN ({marks_for(some)})",
                (split, reason, now_ms, dataset_name, *some),
            )

    def take_groups(self, dataset_name: str, keys: Sequence[str], confirmation_id: str) -> None:
        """See `SplitWriting.take_groups`."""
        for some in pages(dict.fromkeys(keys), _PAGE):
            self._connection.execute(
                "UPDATE split_groups SET confirmation_id = ? WHERE dataset_name = ? "  # noqa: S608
                f"AND group_key IN ({marks_for(some)})",
                (confirmation_id, dataset_name, *some),
            )

    def put_prints(self, dataset_name: str, prints: Iterable[Print]) -> None:
        """See `SplitWriting.put_prints`."""
        for some in pages(prints, _PAGE):
            self._connection.executemany(
                "INSERT INTO datapoint_prints (dataset_name, content_hash, shingles) VALUES (?, ?, ?) "
                "ON CONFLICT (dataset_name, content_hash) DO NOTHING",
                [(dataset_name, each.content_hash, each.shingles) for each in some],
            )
            self._connection.executemany(
                "INSERT INTO datapoint_bands (dataset_name, band, content_hash) VALUES (?, ?, ?) "
                "ON CONFLICT (dataset_name, band, content_hash) DO NOTHING",
                [(dataset_name, band, each.content_hash) for each in some for band in each.bands],
            )

    def hide_contents(self, hashes: Sequence[str]) -> None:
        """See `SplitWriting.hide_contents`."""
        for some in pages(dict.fromkeys(hashes), _PAGE):
            self._connection.execute(
                f"DELETE FROM datapoint_contents WHERE hash IN ({marks_for(some)})",  # noqa: S608
                some,
            )

    def stored_contents(self, hashes: Sequence[str]) -> dict[str, bytes]:
        """See `SplitWriting.stored_contents`."""
        found: dict[str, bytes] = {}
        for some in pages(dict.fromkeys(hashes), _PAGE):
            rows = self._all(
                f"SELECT hash, content FROM datapoint_contents WHERE hash IN ({marks_for(some)})",  # noqa: S608
                some,
            )
            found |= {content_hash: unpack(bytes(content)) or b"" for content_hash, content in rows}
        return found

    def show_contents(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """See `SplitWriting.show_contents`."""
        pack = Packer()
        for some in pages(contents, _PAGE):
            self._connection.executemany(
                "INSERT INTO datapoint_contents (hash, content, words) VALUES (?, ?, ?) ON CONFLICT (hash) DO NOTHING",
                [stored_content(content_hash, content, pack) for content_hash, content in some],
            )

    def write_ledger(self, entry: LedgerEntry) -> LedgerEntry:
        """See `SplitWriting.write_ledger`. Whoever is here holds the catalogue's write lock: numbers have no gaps."""
        last = self._connection.execute("SELECT number, hash FROM ledger ORDER BY number DESC LIMIT 1").fetchone()
        number, previous = (0, "") if last is None else (int(last[0]), str(last[1]))
        entry = replace(entry, number=number + 1, previous=previous)
        entry = replace(entry, hash=entry_hash(entry))
        self._connection.execute(
            f"INSERT INTO ledger ({_ENTRY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (
                entry.number,
                entry.at,
                entry.actor,
                entry.act,
                entry.dataset_name,
                _encode(entry.detail).decode(),
                entry.previous,
                entry.hash,
            ),
        )
        return entry

    def _all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        return self._connection.execute(sql, parameters).fetchall()

    def _bands_there(self, dataset_name: str, bands: Sequence[int]) -> list[int]:
        """Return those bands that any print has: of the twenty-two of a text that is like no other, mostly none."""
        found: list[int] = []
        for some in pages(dict.fromkeys(bands), _PAGE):
            values = ", ".join("(CAST(? AS BIGINT))" for _ in some)
            rows = self._all(
                f"WITH wanted (band) AS (VALUES {values}) SELECT band FROM wanted WHERE EXISTS (SELECT 1 FROM "  # noqa: S608
                "datapoint_bands b WHERE b.dataset_name = ? AND b.band = wanted.band)",
                (*some, dataset_name),
            )
            found += [int(row[0]) for row in rows]
        return found

    def _groups(self, dataset_name: str, column: str, values: Sequence[str]) -> list[GroupSplit]:
        found: list[GroupSplit] = []
        for some in pages(dict.fromkeys(values), _PAGE):
            rows = self._all(
                f"SELECT {_GROUP} FROM split_groups WHERE dataset_name = ? AND {column} IN ({marks_for(some)})",  # noqa: S608
                (dataset_name, *some),
            )
            found += map(_group, rows)
        return found

    def _among(self, sql: str, values: Sequence[str], more: Sequence[Any] = ()) -> list[str]:
        found: list[str] = []
        for some in pages(dict.fromkeys(values), _PAGE):
            found += [row[0] for row in self._all(sql.format(marks_for(some)), (*some, *more))]
        return found


def entry_hash(entry: LedgerEntry) -> str:
    """Return what the hash of a line has to be, by all that is in it."""
    return blake3(_encode(replace(entry, hash=""))).hexdigest()


def _group(row: Sequence[Any]) -> GroupSplit:
    return GroupSplit(
        group_key=row[0],
        component=row[1],
        split=row[2],
        reason=row[3],
        at=row[4],
        newest_ms=row[5],
        confirmation_id=row[6],
    )


def _entry(row: Sequence[Any]) -> LedgerEntry:
    return LedgerEntry(
        number=row[0],
        at=row[1],
        actor=row[2],
        act=row[3],
        dataset_name=row[4],
        detail=_detail(row[5]),
        previous=row[6],
        hash=row[7],
    )
