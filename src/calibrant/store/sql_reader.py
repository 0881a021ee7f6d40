"""Questions to the record that SQLite and PostgreSQL are asked in the same words: the part of both readers.

Statements are written as `portable` says; where the engines differ, the reader's `dialect` has the piece.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from calibrant.store.base import (
    EntryState,
    IncarnationBooks,
    MetricSeen,
    Outcome,
    Quarantined,
    Score,
    SegmentBooks,
    TargetView,
)
from calibrant.store.payload import unpack
from calibrant.store.sql_arrivals import MODEL_WHOLE, SqlArrivals
from calibrant.store.sql_episodes import bounds_sql, episodes_sql, merged, to_bounds
from calibrant.store.sql_moments import moments_sql, to_moments
from calibrant.store.sql_query import demonstrated_sql
from calibrant.store.tables import (
    FEEDBACK,
    INFERENCE,
    INFERENCE_DATA,
    to_bytes,
    to_feedback,
    to_inference,
    to_model_inference,
    to_tags,
)
from calibrant.types.example import Demonstration
from calibrant.types.insight import EpisodeBounds, EpisodeSeen
from calibrant.types.query import Moments, Query, Scored
from calibrant.types.rows import FeedbackRow, InferenceRow, Level, ModelInferenceRow, SnapshotRecord

__all__ = ["INFERENCE_COLUMNS", "SEARCH_BEHIND", "WHOLE_COLUMNS", "Ask", "SqlReader", "read_books"]

Ask = Callable[[str], Sequence[Sequence[Any]]]
"""Returns the rows of a statement without parameters."""
_PAGE = 500


def _columns(table: str, names: Sequence[str]) -> str:
    return ", ".join(f"{table}.{name}" for name in names)


INFERENCE_COLUMNS = _columns("inferences", INFERENCE)
WHOLE_COLUMNS = f"{INFERENCE_COLUMNS}, {_columns('inference_data', INFERENCE_DATA)}"
_TARGET = (
    "SELECT inferences.id, episode_id, function_name, function_type, variant_name, status, output_schema, tool_params "
    "FROM "
)


SEARCH_BEHIND = "SELECT coalesce((SELECT max(seq) FROM inferences), 0) - (SELECT seq FROM text_index)"


class SqlReader(SqlArrivals):
    """The questions that need one statement, or page after page of one."""

    def get(self, ids: Sequence[str]) -> tuple[InferenceRow, ...]:
        """See `base.Reader.get`."""
        found: dict[str, InferenceRow] = {}
        for start in range(0, len(ids), _PAGE):
            some = ids[start : start + _PAGE]
            marks = ", ".join("?" * len(some))
            tables = self.dialect.with_data_of(some)
            query = f"SELECT {WHOLE_COLUMNS} FROM {tables.text} WHERE inferences.id IN ({marks})"  # noqa: S608
            rows = self._all(query, (*tables.parameters, *some))
            found |= {row.id: row for row in map(to_inference, rows)}
        return tuple(found[wanted] for wanted in ids if wanted in found)

    def moments(self, asked: Scored) -> tuple[Moments, ...]:
        """See `base.Reader.moments`."""
        (rows,) = self._answers([moments_sql(asked, self.dialect)])
        return to_moments(asked, rows)

    def episodes(self, where: Query) -> tuple[EpisodeSeen, ...]:
        """See `base.Reader.episodes`."""
        return merged(where, self._answers(tuple(episodes_sql(where, self.dialect))))

    def episode_bounds(self, where: Query) -> EpisodeBounds:
        """See `base.Reader.episode_bounds`."""
        (rows,) = self._answers([bounds_sql(where, self.dialect)])
        return to_bounds(rows)

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
            f"SELECT {MODEL_WHOLE} FROM model_inferences "  # noqa: S608
            f"LEFT JOIN model_inference_data USING ({self.dialect.data_key}) "
            "WHERE model_inferences.inference_id = ? ORDER BY attempt, model_inferences.id"
        )
        return tuple(map(to_model_inference, self._all(query, (inference_id,))))

    def target(self, target_id: str, level: Level) -> TargetView | None:
        """See `base.Reader.target`."""
        where = "inferences.id = ?" if level == "inference" else "episode_id = ? ORDER BY inferences.id LIMIT 1"
        rows = self._all(f"{_TARGET}{self.dialect.with_data} WHERE {where}", (target_id,))
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
        key = self.dialect.data_key
        query = (
            "SELECT f.seq, f.id, i.id, i.episode_id, d.input, f.document, i.tags FROM feedback f "  # noqa: S608
            f"JOIN inferences i ON i.id = f.target_id JOIN inference_data d ON d.{key} = i.{key} "
            "WHERE f.seq > ? AND f.kind = 'demonstration' AND f.linked = 1 AND f.document IS NOT NULL "
            f"AND i.function_name = ? AND NOT {self.dialect.replayed.format(tags='i.tags')} "
            "AND d.input IS NOT NULL ORDER BY f.seq LIMIT ?"
        )
        return tuple(
            Demonstration(seq, id_, inference, episode, unpack(given) or b"", to_bytes(document) or b"", to_tags(tags))
            for seq, id_, inference, episode, given, document, tags in self._all(query, (after, function_name, limit))
        )

    def snapshot(self, snapshot_hash: str) -> SnapshotRecord | None:
        """See `base.Reader.snapshot`."""
        rows = self._all("SELECT config, version FROM config_snapshots WHERE hash = ?", (snapshot_hash,))
        return SnapshotRecord(snapshot_hash, unpack(rows[0][0]) or b"", rows[0][1]) if rows else None

    def outcomes(self, function_name: str) -> Iterator[Outcome]:
        """See `base.Reader.outcomes`. Reads in pages, so that no long transaction holds up the database."""
        last = 0
        replayed = self.dialect.replayed.format(tags="tags")
        while True:
            rows = self._all(
                "SELECT id, episode_id, variant_name, status, processing_ms, ttft_ms, input_tokens, output_tokens, "  # noqa: S608
                "cost, snapshot_hash, namespace, unit, assigned_variant, probability, "
                f"seq, {replayed} FROM inferences WHERE function_name = ? AND seq > ? ORDER BY seq LIMIT ?",
                (function_name, last, _PAGE),
            )
            for row in rows:
                if row[3] != "running" and not row[-1]:
                    yield Outcome(*row[:-2])
            if len(rows) < _PAGE:
                return
            last = rows[-1][-2]

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
        query = self.dialect.latest.format(
            matching="f.metric_name = ? AND f.level = ? AND f.target_id > ? AND f.number IS NOT NULL "  # noqa: S608
            f"AND EXISTS (SELECT 1 FROM inferences i WHERE i.{column} = f.target_id AND i.function_name = ?)"
        )
        last = ""
        while True:
            rows = self._all(query, (metric_name, level, last, function_name, _PAGE))
            for target_id, number, _ in rows:
                yield Score(target_id, number)
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]

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


def read_books(ask: Ask) -> tuple[IncarnationBooks, ...]:
    """Return the whole ledger; everything is asked within one moment."""
    segments: dict[str, list[SegmentBooks]] = {}
    rows = ask("SELECT segment, incarnation, position, last_sequence, stored, shed FROM spool_ledger ORDER BY segment")
    for row in rows:
        segments.setdefault(row[1], []).append(SegmentBooks(*row))
    quarantined: dict[str, int] = {
        row[0]: int(row[1]) for row in ask("SELECT incarnation, sum(frames) FROM quarantine GROUP BY incarnation")
    }
    retired: dict[str, tuple[int, int, int]] = {
        row[0]: (row[1], row[2], row[3])
        for row in ask("SELECT incarnation, written, pending, rejected FROM spool_incarnations")
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
