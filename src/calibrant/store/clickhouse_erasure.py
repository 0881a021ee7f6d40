"""Finding in ClickHouse what belongs to somebody, and deleting it for good.

A lightweight delete hides rows and leaves their bytes for a merge that may never come. So rows go by mutations, which
write the parts that have them anew, without them. A mutation costs as much for one row as for thousands: they come in
large blocks, each with its ids written out, since neither a question nor a parameter stands in a mutation that each
server of a cluster runs for itself. The parts that were replaced are the server's to delete, see `Scrub`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from time import monotonic, sleep
from typing import Any, Final

from calibrant.base.errors import StoreUnavailable
from calibrant.base.ids import id_millis
from calibrant.store.clickhouse_link import Link
from calibrant.store.clickhouse_query import by_ids
from calibrant.store.clickhouse_rows import second_of
from calibrant.store.clickhouse_schema import TABLES, Layout, everywhere, local_name
from calibrant.store.erasing import ErasableKind, Found, FoundRow, NamedFiles, Removed, Scrubbed
from calibrant.store.sql_erasure import FILE
from calibrant.types.erasure import Whose
from calibrant.types.replay import EPISODE_TAG

__all__ = [
    "AT_ONCE",
    "Scrub",
    "blanking",
    "calls_of",
    "deletions",
    "erase_feedback",
    "erase_inferences",
    "feedback_of",
    "files_of_others",
    "look_through",
    "mutate",
]

AT_ONCE: Final = 4_000
"""Rows that one mutation deletes."""
_STATEMENT: Final = 160_000
"""Characters of ids in one statement; a server reads 262,144 of a statement (`max_query_size`)."""
_IDS: Final = 500
_FILES: Final = 50_000
"""Keys of files in one answer. Each costs a look at all inputs, so they are many."""
_TAGGED: Final = "(JSONHas(tags, {tag:String}) AND JSONExtractString(tags, {tag:String}) = {value:String})"
_COLUMNS: Final[dict[ErasableKind, str]] = {
    "inferences": "id, episode_id, status, processing_ms",
    "feedback": "id, '', '', 0.0",
}
_BY: Final = {
    "inference_data": "id",
    "model_inference_data": "inference_id",
    "model_inferences": "inference_id",
    "inferences": "id",
}
"""The tables of an inference, and the column that has its id. The one by which the others are found is the last."""
_TRIES: Final = 5
_LOOK_S: Final = 0.2
_PATIENCE_S: Final = 30
"""How long a server may keep what it has replaced for us to wait for it."""
_SLACK_S: Final = 30.0
"""How long after that the server may take to delete it; somebody may be reading it."""
_CLEAR_S: Final = 5.0
_NO_PARTITION: Final = "none"


# What belongs to somebody.


def look_through(link: Link, whose: Whose, kind: ErasableKind, *, after: str, limit: int) -> Found:
    """See `ErasingEvents.erasable`. One look at a whole table, for so many rows that belong.

    First the ids of rows any version of which belongs, then these rows as merged.
    """
    mine = _belongs(whose, kind)
    if mine is None:
        return Found((), None)
    where, values = mine
    ids = [
        row[0]
        for row in link.all(
            f"SELECT DISTINCT id FROM {kind} WHERE {where} AND id > {{after:String}} AND at >= {second_of(after)} "  # noqa: S608
            "ORDER BY id LIMIT {limit:UInt32}",
            **values,
            after=after,
            limit=limit,
        )
    ]
    rows: list[FoundRow] = []
    for some in _steps(ids):
        these, held = by_ids("id", some, values)
        query = f"SELECT {_COLUMNS[kind]} FROM {kind} FINAL WHERE {these} AND {where} ORDER BY id"  # noqa: S608
        for id_, episode, status, took in link.all(query, **held):
            rows.append(FoundRow(id_, episode, status, id_millis(id_) + (took or 0.0)))
    return Found(tuple(rows), ids[-1] if len(ids) == limit else None)


def files_of_others(link: Link, whose: Whose, *, after: str) -> NamedFiles:
    """See `ErasingEvents.files_of_others`. The server finds the files; pages go by their keys."""
    mine = _belongs(whose, "inferences")
    if mine is None:
        return NamedFiles(frozenset(), None)
    where, values = mine
    rows = link.all(
        "SELECT DISTINCT key FROM (SELECT arrayJoin(extractAll(ifNull(input, ''), {file:String})) AS key "  # noqa: S608
        f"FROM inference_data WHERE id NOT IN (SELECT id FROM inferences FINAL WHERE {where})) "
        "WHERE key > {after:String} ORDER BY key LIMIT {limit:UInt32}",
        **values,
        file=FILE.pattern.decode(),
        after=after,
        limit=_FILES,
    )
    keys = [row[0] for row in rows]
    return NamedFiles(frozenset(keys), keys[-1] if len(keys) == _FILES else None)


def calls_of(link: Link, inference_ids: Sequence[str]) -> dict[str, int]:
    """See `ErasingEvents.calls_of`."""
    counts: dict[str, int] = {}
    for some in _steps(inference_ids):
        where, values = by_ids("inference_id", some, {})
        query = f"SELECT model_name, uniqExact(id) FROM model_inferences WHERE {where} GROUP BY model_name"  # noqa: S608
        for model, count in link.all(query, **values):
            counts[model] = counts.get(model, 0) + int(count)
    return counts


def feedback_of(link: Link, target_ids: Sequence[str]) -> tuple[str, ...]:
    """See `ErasingEvents.feedback_of`."""
    query = "SELECT DISTINCT id FROM feedback WHERE target_id IN {ids:Array(String)}"
    return tuple(row[0] for some in _steps(target_ids) for row in link.all(query, ids=list(some)))


def _belongs(whose: Whose, kind: ErasableKind) -> tuple[str, dict[str, Any]] | None:
    if whose.tag is not None:
        name, value = whose.tag
        return _TAGGED, {"tag": name, "value": value}
    if kind != "inferences":
        return None
    # What an episode said was perhaps said again by a replay, in an episode of its own.
    return f"(episode_id = {{value:String}} OR {_TAGGED})", {"tag": EPISODE_TAG, "value": whose.episode_id}


# The removal.


def erase_inferences(link: Link, layout: Layout, inference_ids: Sequence[str], episode_ids: Sequence[str]) -> Removed:
    """Delete inferences and everything about them, and feedback on these episodes; the inferences last."""
    feedback = _erase(link, layout, "feedback", "target_id", (*inference_ids, *episode_ids))
    gone = {table: _erase(link, layout, table, column, inference_ids) for table, column in _BY.items()}
    return Removed(gone["inferences"], gone["model_inferences"], feedback)


def erase_feedback(link: Link, layout: Layout, feedback_ids: Sequence[str]) -> int:
    """Delete feedback, and return how much of it there was."""
    return _erase(link, layout, "feedback", "id", feedback_ids)


def deletions(table: str, column: str, ids: Sequence[str], layout: Layout) -> Iterator[str]:
    """Yield the statements that delete the rows whose column has one of these ids, and leave no byte of them."""
    place = f"ALTER TABLE {local_name(table, layout)}{everywhere(layout)}"
    for some in _blocks(ids):
        where = f"{column} IN ({', '.join(map(_quoted, some))})"
        if column != "target_id":
            # Months that have none of them are not looked at.
            seconds = [second_of(each) for each in some]
            where += f" AND at >= {min(seconds)} AND at <= {max(seconds)}"
        yield f"{place} DELETE WHERE {where} SETTINGS mutations_sync = 2"


def blanking(entries: Sequence[tuple[int, int]], layout: Layout) -> Iterator[str]:
    """Yield the statements that empty the frames of versions of the quarantine's entries, given as id and version."""
    place = f"ALTER TABLE {local_name('quarantine', layout)}{everywhere(layout)}"
    for start in range(0, len(entries), AT_ONCE):
        some = ", ".join(f"({id_}, {version})" for id_, version in entries[start : start + AT_ONCE])
        yield f"{place} UPDATE frame = '' WHERE (id, version) IN ({some}) SETTINGS mutations_sync = 2"


def mutate(link: Link, layout: Layout, table: str, statement: str) -> None:
    """Run a mutation, and wait until all servers have done it, however long that takes.

    Raises:
        StoreUnavailable: it cannot be done now.
    """
    for _ in range(_TRIES):
        try:
            link.run(statement)
        except StoreUnavailable:
            # Whoever waits for an answer gives up after a while; the server goes on. Done again it is done at once.
            if not _under_way(link, layout, table):
                raise
            while _under_way(link, layout, table):
                sleep(_LOOK_S)
        else:
            return
    link.run(statement)


def _erase(link: Link, layout: Layout, table: str, column: str, ids: Sequence[str]) -> int:
    """Delete rows by a column's ids; return how many there were. Where there are none, nothing is written anew."""
    found = 0
    for some in _steps(ids):
        where, values = by_ids(column, some, {})
        if column == "target_id":
            where = "target_id IN {ids:Array(String)}"
        found += int(link.all(f"SELECT uniqExact(id) FROM {table} WHERE {where}", **values)[0][0])  # noqa: S608
    if found:
        for statement in deletions(table, column, ids, layout):
            mutate(link, layout, table, statement)
    return found


def _under_way(link: Link, layout: Layout, table: str) -> bool:
    """Say whether a server has a mutation of the table to do, and does not fail in it."""
    rows = link.all(
        f"SELECT latest_fail_reason FROM {_of_all('mutations', layout)} "  # noqa: S608
        "WHERE database = {database:String} AND table = {table:String} AND NOT is_done",
        database=_database(link),
        table=local_name(table, layout),
    )
    return bool(rows) and not any(row[0] for row in rows)


# The bytes.


class Scrub:
    """Waits until the servers have deleted the parts that were replaced, where they do so soon.

    A server keeps them for `old_parts_lifetime`, by default eight minutes, since it does not bring the new ones to its
    disk at once. Nobody shall lose rows by an erasure, so that is left as it is.
    """

    def __init__(self, link: Link, layout: Layout) -> None:
        """Ask nothing yet."""
        self._link = link
        self._layout = layout
        self._tables = [local_name(name, layout) for name, table in TABLES.items() if table.kind or table.removable]
        self._old: frozenset[tuple[str, ...]] | None = None
        """The parts that are waited for: host, table, name."""
        self._clear_at = self._until = 0.0

    def step(self) -> Scrubbed:
        """See `ErasingEvents.scrub`."""
        if self._old is None:
            return self._begin()
        if monotonic() >= self._clear_at:
            self._clear_away()
            self._clear_at = monotonic() + _CLEAR_S
        self._old &= self._old_parts()
        if not self._old:
            return self._end("done")
        if monotonic() >= self._until:
            return self._end("later")
        sleep(_LOOK_S)
        return "more"

    def _begin(self) -> Scrubbed:
        self._blank_frames()
        old = self._old_parts()
        if not old:
            return "done"
        kept_s = self._kept_s()
        if kept_s > _PATIENCE_S:
            return "later"
        # A part's age is counted in whole seconds.
        self._old, self._clear_at = old, monotonic() + kept_s + 1
        self._until = self._clear_at + _SLACK_S
        return "more"

    def _clear_away(self) -> None:
        """Have the servers look at once whether they may delete something; they do without, when they come to it."""
        for table in self._tables:
            with suppress(StoreUnavailable):
                # There is none of that name: nothing is dropped.
                self._link.run(f"ALTER TABLE {table}{everywhere(self._layout)} DROP PARTITION ID '{_NO_PARTITION}'")

    def _end(self, said: Scrubbed) -> Scrubbed:
        self._old = None
        return said

    def _blank_frames(self) -> None:
        """Empty the frames of entries of the quarantine that were given up, resolved or taken out."""
        query = "SELECT id, version FROM quarantine{final} WHERE frame != ''"
        every = {(int(id_), int(version)) for id_, version in self._link.all(query.format(final=""))}
        # Asked last, it has all that came meanwhile.
        every -= {(int(id_), int(version)) for id_, version in self._link.all(query.format(final=" FINAL"))}
        for statement in blanking(sorted(every), self._layout):
            mutate(self._link, self._layout, "quarantine", statement)

    def _old_parts(self) -> frozenset[tuple[str, ...]]:
        rows = self._link.all(
            f"SELECT hostName(), table, name FROM {_of_all('parts', self._layout)} "  # noqa: S608
            "WHERE NOT active AND database = {database:String} AND table IN {tables:Array(String)}",
            database=_database(self._link),
            tables=self._tables,
        )
        return frozenset((str(host), str(table), str(name)) for host, table, name in rows)

    def _kept_s(self) -> int:
        """Return for how many seconds a server keeps a part that it has replaced."""
        settings = "replicated_merge_tree_settings" if self._layout.replicated else "merge_tree_settings"
        query = f"SELECT max(toUInt64(value)) FROM {_of_all(settings, self._layout)} WHERE name = 'old_parts_lifetime'"  # noqa: S608
        of_servers = int(self._link.all(query)[0][0])
        of_tables = [
            int(row[0] or of_servers)
            for row in self._link.all(
                "SELECT extract(engine_full, 'old_parts_lifetime = ([0-9]+)') FROM system.tables "
                "WHERE database = currentDatabase() AND name IN {tables:Array(String)}",
                tables=self._tables,
            )
        ]
        return max(of_tables, default=of_servers)


def _of_all(table: str, layout: Layout) -> str:
    """Return what a table of `system` says on all servers."""
    return f"clusterAllReplicas('{layout.cluster}', system.{table})" if layout.cluster else f"system.{table}"


def _database(link: Link) -> str:
    # Elsewhere the current one may be another.
    return str(link.all("SELECT currentDatabase()")[0][0])


def _steps(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _IDS] for start in range(0, len(ids), _IDS))


def _blocks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield ids in pieces that a statement has room for."""
    start = size = 0
    for at, each in enumerate(ids):
        size += len(_quoted(each)) + 2
        if at > start and (size > _STATEMENT or at - start == AT_ONCE):
            yield ids[start:at]
            start, size = at, len(_quoted(each)) + 2
    if ids:
        yield ids[start:]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
