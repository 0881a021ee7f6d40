"""Questions to `events.db`, from any thread, without SQLAlchemy: what a worker and the console load.

Opens the file read-only and only when first asked, so that a gateway serves while there is no database yet.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, local
from time import monotonic, sleep
from typing import Any, NamedTuple

from calibrant.base.errors import StoreUnavailable
from calibrant.store.base import (
    EntryState,
    Health,
    IncarnationBooks,
    MetricSeen,
    Outcome,
    Quarantined,
    Score,
    SegmentBooks,
    TargetView,
)
from calibrant.store.dialect import SQLITE
from calibrant.store.finding import find_rows
from calibrant.store.payload import unpack
from calibrant.store.sql_aggregate import aggregate_sql, to_tallies
from calibrant.store.sql_episodes import bounds_sql, episodes_sql, merged, to_bounds
from calibrant.store.sql_moments import moments_sql, to_moments
from calibrant.store.sql_query import demonstrated_sql
from calibrant.store.sqlite_functions import add_functions
from calibrant.store.sqlite_search import SEARCH_BEHIND
from calibrant.store.tables import (
    FEEDBACK,
    INFERENCE,
    INFERENCE_DATA,
    MODEL,
    MODEL_DATA,
    SCHEMA_VERSION,
    to_bytes,
    to_feedback,
    to_inference,
    to_model_inference,
)
from calibrant.types.example import Demonstration
from calibrant.types.insight import EpisodeBounds, EpisodeSeen
from calibrant.types.query import Aggregate, Moments, Query, Scored, Tally
from calibrant.types.rows import FeedbackRow, InferenceRow, Level, ModelInferenceRow, SnapshotRecord

__all__ = ["SqliteReader"]

_PAGE = 500
_REOPEN_S = 0.005
_STEPS = 10_000
"""Of SQLite's machine, between two looks at the clock: about a millisecond."""


def _columns(table: str, names: Sequence[str]) -> str:
    return ", ".join(f"{table}.{name}" for name in names)


_INFERENCE = _columns("inferences", INFERENCE)
_INFERENCE_WHOLE = f"{_INFERENCE}, {_columns('inference_data', INFERENCE_DATA)}"
_JOIN_DATA = "inferences LEFT JOIN inference_data USING (seq)"
_MODEL_WHOLE = f"{_columns('model_inferences', MODEL)}, {_columns('model_inference_data', MODEL_DATA)}"
_TARGET = (
    "SELECT id, episode_id, function_name, function_type, variant_name, status, output_schema, tool_params "  # noqa: S608
    f"FROM {_JOIN_DATA} "
)


class _Held(NamedTuple):
    generation: int
    file: tuple[int, int]
    connection: sqlite3.Connection


class SqliteReader:
    """Implements `base.Reader`. Each thread has its own connection."""

    def __init__(self, path: Path, *, busy_timeout_s: float = 1.0, patience_s: float = 30.0) -> None:
        """Open nothing yet.

        Args:
            path: The database file.
            busy_timeout_s: How long to wait for somebody's lock. Readers of a WAL database hardly ever do.
            patience_s: How long a query or an aggregate may take.
        """
        self.path = path
        self._busy_timeout_s = busy_timeout_s
        self._patience_s = patience_s
        self._local = local()
        self._guard = Lock()
        self._open: list[sqlite3.Connection] = []
        self._generation = 0

    def get(self, ids: Sequence[str]) -> tuple[InferenceRow, ...]:
        """See `base.Reader.get`."""
        found: dict[str, InferenceRow] = {}
        for start in range(0, len(ids), _PAGE):
            some = ids[start : start + _PAGE]
            marks = ", ".join("?" * len(some))
            query = f"SELECT {_INFERENCE_WHOLE} FROM {_JOIN_DATA} WHERE id IN ({marks})"  # noqa: S608
            found |= {row.id: row for row in map(to_inference, self._all(query, some))}
        return tuple(found[wanted] for wanted in ids if wanted in found)

    def find(self, query: Query) -> tuple[InferenceRow, ...]:
        """See `base.Reader.find`."""
        columns = _INFERENCE_WHOLE if query.payloads else _INFERENCE
        with self._bounded() as connection:
            rows = find_rows(query, SQLITE, columns, lambda one: connection.execute(*one).fetchall())
        return tuple(map(to_inference, rows))

    def aggregate(self, asked: Aggregate) -> tuple[Tally, ...]:
        """See `base.Reader.aggregate`."""
        statements = aggregate_sql(asked, SQLITE)
        with self._bounded() as connection:
            sums, *durations = (
                connection.execute(one.text, one.parameters).fetchall()
                for one in (statements.sums, *statements.durations)
            )
        return to_tallies(asked, sums, durations)

    def moments(self, asked: Scored) -> tuple[Moments, ...]:
        """See `base.Reader.moments`."""
        return to_moments(asked, self._all(*moments_sql(asked, SQLITE)))

    def episodes(self, where: Query) -> tuple[EpisodeSeen, ...]:
        """See `base.Reader.episodes`."""
        with self._moment() as connection:
            pages = [connection.execute(*one).fetchall() for one in episodes_sql(where, SQLITE)]
        return merged(where, pages)

    def episode_bounds(self, where: Query) -> EpisodeBounds:
        """See `base.Reader.episode_bounds`."""
        return to_bounds(self._all(*bounds_sql(where, SQLITE)))

    def feedback_by_id(self, feedback_id: str) -> FeedbackRow | None:
        """See `base.Reader.feedback_by_id`."""
        rows = self._all(f"SELECT {', '.join(FEEDBACK)} FROM feedback WHERE id = ?", (feedback_id,))  # noqa: S608
        return to_feedback(rows[0]) if rows else None

    def inference_of(self, model_inference_id: str) -> str | None:
        """See `base.Reader.inference_of`."""
        rows = self._all("SELECT inference_id FROM model_inferences WHERE id = ?", (model_inference_id,))
        return str(rows[0][0]) if rows else None

    def demonstrated(self, ids: Sequence[str]) -> dict[str, bytes]:
        """See `base.Reader.demonstrated`."""
        found: dict[str, bytes] = {}
        for start in range(0, len(ids), _PAGE):
            some = ids[start : start + _PAGE]
            rows = self._all(demonstrated_sql(len(some)), some)
            found |= {target: to_bytes(document) or b"" for target, document in rows}
        return found

    def search_behind(self) -> int:
        """See `base.Reader.search_behind`."""
        rows = self._all(SEARCH_BEHIND, ())
        return max(int(rows[0][0]), 0)

    def model_inferences(self, inference_id: str) -> tuple[ModelInferenceRow, ...]:
        """See `base.Reader.model_inferences`."""
        query = (
            f"SELECT {_MODEL_WHOLE} FROM model_inferences LEFT JOIN model_inference_data USING (seq) "  # noqa: S608
            "WHERE inference_id = ? ORDER BY attempt, id"
        )
        return tuple(map(to_model_inference, self._all(query, (inference_id,))))

    def target(self, target_id: str, level: Level) -> TargetView | None:
        """See `base.Reader.target`."""
        where = "WHERE id = ?" if level == "inference" else "WHERE episode_id = ? ORDER BY id LIMIT 1"
        rows = self._all(_TARGET + where, (target_id,))
        if not rows:
            return None
        inference, episode, function, function_type, variant, status, output_schema, tool_params = rows[0]
        return TargetView(
            inference, episode, function, function_type, variant, status, unpack(output_schema), unpack(tool_params)
        )

    def feedback_for(self, target_id: str) -> tuple[FeedbackRow, ...]:
        """See `base.Reader.feedback_for`."""
        query = f"SELECT {', '.join(FEEDBACK)} FROM feedback WHERE target_id = ? ORDER BY id"  # noqa: S608
        return tuple(map(to_feedback, self._all(query, (target_id,))))

    def demonstrations(self, function_name: str, *, after: int, limit: int) -> tuple[Demonstration, ...]:
        """See `base.Reader.demonstrations`."""
        query = (
            "SELECT f.seq, f.id, i.id, i.episode_id, d.input, f.document FROM feedback f "
            "JOIN inferences i ON i.id = f.target_id JOIN inference_data d ON d.seq = i.seq "
            "WHERE f.seq > ? AND f.kind = 'demonstration' AND f.linked = 1 AND f.document IS NOT NULL "
            "AND i.function_name = ? AND d.input IS NOT NULL ORDER BY f.seq LIMIT ?"
        )
        return tuple(
            Demonstration(seq, id_, inference, episode, unpack(given) or b"", to_bytes(document) or b"")
            for seq, id_, inference, episode, given, document in self._all(query, (after, function_name, limit))
        )

    def snapshot(self, snapshot_hash: str) -> SnapshotRecord | None:
        """See `base.Reader.snapshot`."""
        rows = self._all("SELECT config, version FROM config_snapshots WHERE hash = ?", (snapshot_hash,))
        return SnapshotRecord(snapshot_hash, unpack(rows[0][0]) or b"", rows[0][1]) if rows else None

    def outcomes(self, function_name: str) -> Iterator[Outcome]:
        """See `base.Reader.outcomes`. Reads in pages, so that no long transaction holds up the database."""
        last = 0
        while True:
            rows = self._all(
                "SELECT id, episode_id, variant_name, status, processing_ms, ttft_ms, input_tokens, output_tokens, "
                "cost, seq FROM inferences WHERE function_name = ? AND seq > ? ORDER BY seq LIMIT ?",
                (function_name, last, _PAGE),
            )
            for row in rows:
                if row[3] != "running":
                    yield Outcome(*row[:-1])
            if len(rows) < _PAGE:
                return
            last = rows[-1][-1]

    def metrics(self, function_name: str) -> tuple[MetricSeen, ...]:
        """See `base.Reader.metrics`."""
        query = (
            "SELECT metric_name, kind, level, count(DISTINCT target_id) FROM feedback WHERE "
            "CASE level WHEN 'inference' "
            "THEN EXISTS (SELECT 1 FROM inferences WHERE id = target_id AND function_name = ?1) "
            "ELSE EXISTS (SELECT 1 FROM inferences WHERE episode_id = target_id AND function_name = ?1) END "
            "GROUP BY metric_name, kind, level ORDER BY metric_name, level"
        )
        return tuple(MetricSeen(*row) for row in self._all(query, (function_name,)))

    def scores(self, function_name: str, metric_name: str, level: Level) -> Iterator[Score]:
        """See `base.Reader.scores`. Reads in pages by target."""
        column = "id" if level == "inference" else "episode_id"
        # With `max`, SQLite takes the other columns from the row that has the greatest id: the latest value.
        query = (
            "SELECT target_id, number, max(id) FROM feedback f "  # noqa: S608
            "WHERE metric_name = ? AND level = ? AND target_id > ? AND number IS NOT NULL "
            f"AND EXISTS (SELECT 1 FROM inferences i WHERE i.{column} = f.target_id AND i.function_name = ?) "
            "GROUP BY target_id ORDER BY target_id LIMIT ?"
        )
        last = ""
        while True:
            rows = self._all(query, (metric_name, level, last, function_name, _PAGE))
            for target_id, number, _ in rows:
                yield Score(target_id, number)
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]

    def books(self) -> tuple[IncarnationBooks, ...]:
        """See `base.Reader.books`."""
        # So that a frame is never seen in two places, or in none.
        with self._moment() as connection:
            return _books(connection)

    def quarantined(
        self, *, state: EntryState | None = None, after: int = 0, limit: int = 100
    ) -> tuple[Quarantined, ...]:
        """See `base.Reader.quarantined`."""
        # As a literal, which the index of waiting entries needs; it is one of three words.
        only = "" if state is None else f"state = '{state}' AND "
        query = (
            "SELECT id, incarnation, segment, start, sequence, frames, state, reason, at_ms, frame "  # noqa: S608
            f"FROM quarantine WHERE {only}id > ? ORDER BY id LIMIT ?"
        )
        return tuple(Quarantined(*row) for row in self._all(query, (after, limit)))

    def health(self) -> Health:
        """See `base.Reader.health`."""
        try:
            rows = self._all("SELECT version_num FROM alembic_version", ())
            version = str(rows[0][0]) if rows else ""
            size = self.path.stat().st_size
        except StoreUnavailable as error:
            return Health(ok=False, detail=error.message)
        except OSError as error:
            return Health(ok=False, detail=f"database {self.path}: {error.strerror}")
        if version != SCHEMA_VERSION:
            return Health(
                ok=False,
                detail=f"database {self.path} has schema {version or 'none'}, this program wants {SCHEMA_VERSION}; "
                "start the recorder of this version to migrate it",
                bytes=size,
                schema_version=version,
            )
        return Health(ok=True, detail="", bytes=size, schema_version=version)

    def close(self) -> None:
        """See `base.Reader.close`."""
        with self._guard:
            connections, self._open = self._open, []
            self._generation += 1
        for connection in connections:
            connection.close()

    def _all(self, query: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._asked() as connection:
            return connection.execute(query, tuple(parameters)).fetchall()

    @contextmanager
    def _bounded(self) -> Generator[sqlite3.Connection]:
        """Lend this thread's connection for questions that anybody may have put together; they end in time."""
        late = monotonic() + self._patience_s
        with self._moment() as connection:
            connection.set_progress_handler(lambda: monotonic() > late, _STEPS)
            try:
                yield connection
            except sqlite3.OperationalError as error:
                if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_INTERRUPT:
                    raise
                raise StoreUnavailable(
                    f"the question took longer than {self._patience_s:g} s and was given up; narrow it, such as by time"
                ) from error
            finally:
                connection.set_progress_handler(None, 0)

    @contextmanager
    def _moment(self) -> Generator[sqlite3.Connection]:
        """Lend this thread's connection for several questions about one moment: in one transaction."""
        with self._asked() as connection:
            own = not connection.in_transaction
            if own:
                connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if own:
                    connection.execute("ROLLBACK")

    @contextmanager
    def _asked(self) -> Generator[sqlite3.Connection]:
        """Lend this thread's connection; what goes wrong is `StoreUnavailable`."""
        try:
            yield self._connection()
        except sqlite3.Error as error:
            self._forget()
            raise StoreUnavailable(f"database {self.path}: {error}") from error

    def _connection(self) -> sqlite3.Connection:
        held: _Held | None = getattr(self._local, "held", None)
        if held is not None and held.generation == self._generation and held.file == self._file():
            return held.connection
        self._forget()
        file = self._file()
        connection = self._opened()
        with self._guard:
            self._open.append(connection)
        self._local.held = _Held(self._generation, file, connection)
        return connection

    def _opened(self) -> sqlite3.Connection:
        """Open the file; try again while its log comes or goes, which SQLite takes for a file that cannot be opened."""
        patience = monotonic() + self._busy_timeout_s
        while True:
            # `close` may come from another thread; each connection is otherwise used by its own thread only.
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=ro",
                uri=True,
                timeout=self._busy_timeout_s,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                # The log is first looked for when something is read.
                connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
            except sqlite3.Error as error:
                connection.close()
                code = getattr(error, "sqlite_errorcode", 0) & 0xFF
                if code != sqlite3.SQLITE_CANTOPEN or not self.path.is_file() or monotonic() >= patience:
                    raise
                sleep(_REOPEN_S)
            else:
                add_functions(connection)
                return connection

    def _file(self) -> tuple[int, int]:
        # A file that was moved away or replaced must not be read on.
        try:
            status = self.path.stat()
        except OSError as error:
            raise StoreUnavailable(f"database {self.path}: {error.strerror}; the recorder makes it") from error
        return status.st_dev, status.st_ino

    def _forget(self) -> None:
        held: _Held | None = getattr(self._local, "held", None)
        if held is None:
            return
        self._local.held = None
        with self._guard:
            if held.connection in self._open:
                self._open.remove(held.connection)
        held.connection.close()


def _books(connection: sqlite3.Connection) -> tuple[IncarnationBooks, ...]:
    segments: dict[str, list[SegmentBooks]] = {}
    rows = connection.execute(
        "SELECT segment, incarnation, position, last_sequence, stored, shed FROM spool_ledger ORDER BY segment"
    )
    for row in rows:
        segments.setdefault(row[1], []).append(SegmentBooks(*row))
    quarantined: dict[str, int] = dict(
        connection.execute("SELECT incarnation, sum(frames) FROM quarantine GROUP BY incarnation").fetchall()
    )
    retired: dict[str, tuple[int, int, int]] = {
        row[0]: row[1:]
        for row in connection.execute("SELECT incarnation, written, pending, rejected FROM spool_incarnations")
    }
    books: list[IncarnationBooks] = []
    for name in sorted(segments.keys() | quarantined.keys() | retired.keys()):
        written, pending, rejected = retired.get(name, (0, 0, 0))
        books.append(
            IncarnationBooks(
                incarnation=name,
                segments=tuple(segments.get(name, ())),
                quarantined=quarantined.get(name, 0),
                retired=name in retired,
                written=written,
                pending=pending,
                rejected=rejected,
            )
        )
    return tuple(books)
