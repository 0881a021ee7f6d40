"""Questions to the record in ClickHouse, from any thread. Implements `base.Reader`.

Rows are read as they are when merged (`FINAL`). A page is found in two steps: the ids of rows any version of which is
wanted, in the order of the key, so that little is read; then the rows of these ids, as merged, looked at once more.
A condition on the second in an id goes with every condition on the id: partitions are months.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from calibrant.base.errors import StoreUnavailable
from calibrant.base.ids import in_time
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
from calibrant.store.clickhouse_arrivals import ClickHouseArrivals
from calibrant.store.clickhouse_insight import bounds_statement, episodes_statements, moments_statement
from calibrant.store.clickhouse_link import Link
from calibrant.store.clickhouse_migrate import schema_version, system_log_advice
from calibrant.store.clickhouse_query import (
    DEMONSTRATION,
    NO_REPLAY,
    Statement,
    aggregate_statement,
    by_ids,
    ids_statement,
    is_plain,
)
from calibrant.store.clickhouse_rows import EPOCH_MS, SEQ_SHIFT, second_of
from calibrant.store.clickhouse_schema import SCHEMA_VERSION, TABLES, Layout, local_name
from calibrant.store.sql_aggregate import to_tallies
from calibrant.store.sql_episodes import merged, to_bounds
from calibrant.store.sql_moments import to_moments
from calibrant.store.tables import (
    FEEDBACK,
    INFERENCE,
    INFERENCE_DATA,
    MODEL,
    MODEL_DATA,
    to_feedback,
    to_inference,
    to_model_inference,
    to_tags,
)
from calibrant.types.example import Demonstration
from calibrant.types.insight import EpisodeBounds, EpisodeSeen
from calibrant.types.query import Aggregate, Moments, Query, Scored, Tally
from calibrant.types.rows import FeedbackRow, InferenceRow, Level, ModelInferenceRow, SnapshotRecord

__all__ = ["ClickHouseReader"]

_PAGE = 20_000
_IDS = 500
_DAY_S = 86_400
_WINDOWS_S = (3_600, _DAY_S, 31 * _DAY_S, None)
"""Without a function the key does not lead to the newest rows: they are looked for in the last hour, the last day and
so on."""
_FOLLOW_LAG_S = 30.0


class ClickHouseReader(ClickHouseArrivals):
    """The asking side."""

    shared = True

    def __init__(self, link: Link, *, layout: Layout | None = None, follow_lag_s: float = _FOLLOW_LAG_S) -> None:
        """Ask nothing yet.

        Args:
            link: The server.
            layout: How the tables lie there.
            follow_lag_s: Who reads on in order of arrival sees a row this long after it got its number. It must be
                longer than an insert takes and than clocks of recorders differ. 0 is for one recorder alone.
        """
        self._link = link
        self._layout = layout or Layout()
        self._follow_lag_ms = int(follow_lag_s * 1e3)

    def get(self, ids: Sequence[str]) -> tuple[InferenceRow, ...]:
        """See `base.Reader.get`."""
        found = self._rows_of(ids, "", {}, payloads=True)
        return tuple(found[wanted] for wanted in ids if wanted in found)

    def find(self, query: Query) -> tuple[InferenceRow, ...]:
        """See `base.Reader.find`."""
        if is_plain(query):
            return self._find_by_id(query)
        ids = [row[0] for row in self._ask(ids_statement(query))]
        rows = self._rows_of(ids, "", {}, payloads=query.payloads)
        return tuple(rows[each] for each in ids if each in rows)

    def aggregate(self, asked: Aggregate) -> tuple[Tally, ...]:
        """See `base.Reader.aggregate`."""
        rows = self._ask(aggregate_statement(asked))
        keys, shares = len(asked.by), len(asked.quantiles)
        sums = [row[: len(row) - 2 * shares] for row in rows]
        first, second = ([(*row[:keys], *row[len(row) - at * shares :][:shares]) for row in rows] for at in (2, 1))
        return to_tallies(asked, sums, (first, second) if shares else ())

    def moments(self, asked: Scored) -> tuple[Moments, ...]:
        """See `base.Reader.moments`."""
        return to_moments(asked, self._ask(moments_statement(asked)))

    def episodes(self, where: Query) -> tuple[EpisodeSeen, ...]:
        """See `base.Reader.episodes`."""
        return merged(where, [self._ask(statement) for statement in episodes_statements(where)])

    def episode_bounds(self, where: Query) -> EpisodeBounds:
        """See `base.Reader.episode_bounds`."""
        return to_bounds(self._ask(bounds_statement(where)))

    def feedback_by_id(self, feedback_id: str) -> FeedbackRow | None:
        """See `base.Reader.feedback_by_id`."""
        query = f"SELECT {', '.join(FEEDBACK)} FROM feedback FINAL WHERE id = {{id:String}}"  # noqa: S608
        rows = self._link.all(query, id=feedback_id)
        return to_feedback(rows[0]) if rows else None

    def inference_of(self, model_inference_id: str) -> str | None:
        """See `base.Reader.inference_of`."""
        query = "SELECT inference_id FROM model_inferences FINAL WHERE id = {id:String}"
        rows = self._link.all(query, id=model_inference_id)
        return str(rows[0][0]) if rows else None

    def demonstrated(self, ids: Sequence[str]) -> dict[str, bytes]:
        """See `base.Reader.demonstrated`."""
        found: dict[str, bytes] = {}
        for start in range(0, len(ids), _IDS):
            rows = self._link.all(
                f"SELECT target_id, document FROM feedback FINAL WHERE {DEMONSTRATION} "  # noqa: S608
                "AND target_id IN {ids:Array(String)} ORDER BY id",
                ids=list(ids[start : start + _IDS]),
            )
            found |= {row[0]: row[1] for row in rows}
        return found

    def search_behind(self) -> int:
        """See `base.Reader.search_behind`. ClickHouse makes the index of a block with the block."""
        return 0

    def _ask(self, statement: Statement) -> Sequence[Sequence[Any]]:
        return self._link.all(statement.text, **statement.values)

    def _rows_of(
        self, ids: Sequence[str], conditions: str, values: dict[str, Any], *, payloads: bool
    ) -> dict[str, InferenceRow]:
        found: dict[str, InferenceRow] = {}
        for start in range(0, len(ids), _IDS):
            some = self._rows(ids[start : start + _IDS], conditions, values, payloads=payloads)
            found |= {row.id: row for row in some}
        return found

    def _find_by_id(self, which: Query) -> tuple[InferenceRow, ...]:
        conditions, values = _conditions(which)
        newest = which.after is None
        found: list[InferenceRow] = []
        bound = which.before if newest else which.after
        wanted = which.limit
        while len(found) < which.limit:
            ids, last = self._page(which, conditions, values, bound, wanted)
            rows = self._rows_of(ids, conditions, values, payloads=which.payloads)
            found += sorted(rows.values(), key=lambda row: row.id, reverse=newest)
            if last:
                break
            # Too few: rows that are there twice, or have gone on since, from `running`, when that was asked for.
            bound = ids[-1]
            wanted = min(wanted * 4, _PAGE)
        return tuple(found[: which.limit])

    def _page(
        self, which: Query, conditions: str, values: dict[str, Any], bound: str | None, limit: int
    ) -> tuple[list[str], bool]:
        """Return the ids of a page, in its order, and whether it is the last.

        Some may belong to rows that have changed since.
        """
        newest = which.after is None
        order = "DESC" if newest else "ASC"
        outer = [] if which.episode_id is None else [f"at >= {second_of(in_time(which.episode_id)) - _DAY_S}"]
        windows = _WINDOWS_S if which.function_name is None and which.episode_id is None and newest else (None,)
        values = dict(values, limit=limit)
        if bound is not None:
            values["bound"] = bound
            outer.append(f"id {'<' if newest else '>'} {{bound:String}}")
            outer.append(f"at {'<=' if newest else '>='} {second_of(bound)}")
        other = which.after if newest else which.before
        if other is not None:
            values["other"] = other
            outer.append(
                f"id {'>' if newest else '<'} {{other:String}} AND at {'>=' if newest else '<='} {second_of(other)}"
            )
        rows: Sequence[Sequence[Any]] = ()
        for window in windows:
            inner = list(outer)
            if window is not None:
                top = "now()" if bound is None else f"toDateTime({second_of(bound)}, 'UTC')"
                inner.append(f"at >= {top} - {window}")
            where = " AND ".join([part for part in (conditions, *inner) if part]) or "1"
            rows = self._link.all(
                f"SELECT id FROM inferences WHERE {where} ORDER BY id {order} LIMIT {{limit:UInt32}}",  # noqa: S608
                **values,
            )
            if len(rows) >= limit:
                break
        # A row that has not been merged yet stands there more than once.
        return list(dict.fromkeys(row[0] for row in rows)), len(rows) < limit

    def _rows(
        self, ids: Sequence[str], conditions: str, values: dict[str, Any], *, payloads: bool
    ) -> list[InferenceRow]:
        if not ids:
            return []
        where, values = by_ids("id", ids, values)
        also = f" AND {conditions}" if conditions else ""
        query = f"SELECT {', '.join(INFERENCE)} FROM inferences FINAL WHERE {where}{also}"  # noqa: S608
        rows = [to_inference(columns) for columns in self._link.all(query, **values)]
        if not payloads or not rows:
            return rows
        where += " AND function_name IN {functions:Array(String)}"
        values["functions"] = sorted({row.function_name for row in rows})
        query = f"SELECT id, {', '.join(INFERENCE_DATA)} FROM inference_data FINAL WHERE {where}"  # noqa: S608
        data = {each[0]: dict(zip(INFERENCE_DATA, each[1:], strict=True)) for each in self._link.all(query, **values)}
        return [replace(row, **data[row.id]) if row.id in data else row for row in rows]

    def model_inferences(self, inference_id: str) -> tuple[ModelInferenceRow, ...]:
        """See `base.Reader.model_inferences`."""
        where, values = by_ids("inference_id", [inference_id], {})
        query = f"SELECT {', '.join(MODEL)} FROM model_inferences FINAL WHERE {where} ORDER BY attempt, id"  # noqa: S608
        rows = self._link.all(query, **values)
        query = f"SELECT id, {', '.join(MODEL_DATA)} FROM model_inference_data FINAL WHERE {where}"  # noqa: S608
        data = {each[0]: each[1:] for each in self._link.all(query, **values)} if rows else {}
        nothing = (None,) * len(MODEL_DATA)
        found = [to_model_inference((*row, *nothing)) for row in rows]
        return tuple(replace(row, **dict(zip(MODEL_DATA, data.get(row.id, nothing), strict=True))) for row in found)

    def target(self, target_id: str, level: Level) -> TargetView | None:
        """See `base.Reader.target`."""
        columns = "id, episode_id, function_name, function_type, variant_name, status"
        if level == "inference":
            where, values = by_ids("id", [target_id], {})
        else:
            # No inference is older than its episode, but for what clocks differ.
            where = f"episode_id = {{target:String}} AND at >= {max(second_of(in_time(target_id)) - _DAY_S, 0)}"
            values: dict[str, Any] = {"target": target_id}
        query = f"SELECT {columns} FROM inferences FINAL WHERE {where} ORDER BY id LIMIT 1"  # noqa: S608
        rows = self._link.all(query, **values)
        if not rows:
            return None
        where, values = by_ids("id", [rows[0][0]], {})
        query = f"SELECT output_schema, tool_params FROM inference_data FINAL WHERE {where}"  # noqa: S608
        payloads = self._link.all(query, **values)
        return TargetView(*rows[0], *(payloads[0] if payloads else (None, None)))

    def feedback_for(self, target_id: str) -> tuple[FeedbackRow, ...]:
        """See `base.Reader.feedback_for`."""
        query = f"SELECT {', '.join(FEEDBACK)} FROM feedback FINAL WHERE target_id = {{target:String}} ORDER BY id"  # noqa: S608
        return tuple(map(to_feedback, self._link.all(query, target=target_id)))

    def demonstrations(self, function_name: str, *, after: int, limit: int) -> tuple[Demonstration, ...]:
        """See `base.Reader.demonstrations`.

        Two recorders may have given the same number, so a page ends behind the last of them: it can be longer.
        """
        seen = ""
        if self._follow_lag_ms:
            now = f"toInt64(toUnixTimestamp64Milli(now64(3))) - {EPOCH_MS + self._follow_lag_ms}"
            seen = f" AND seq < bitShiftLeft({now}, {SEQ_SHIFT})"
        rows = self._link.all(
            "SELECT f.seq, f.id, i.id, i.episode_id, f.document, i.tags FROM "  # noqa: S608
            f"(SELECT seq, id, target_id, document FROM feedback FINAL WHERE {DEMONSTRATION} "
            f"AND seq > {{after:Int64}}{seen}) f "
            "INNER JOIN (SELECT id, episode_id, tags FROM inferences FINAL WHERE function_name = {function:String} "
            f"AND {NO_REPLAY} "
            f"AND id IN (SELECT target_id FROM feedback WHERE {DEMONSTRATION}) "
            "AND id IN (SELECT id FROM inference_data FINAL WHERE function_name = {function:String} "
            f"AND id IN (SELECT target_id FROM feedback WHERE {DEMONSTRATION}) AND input IS NOT NULL)) i "
            "ON i.id = f.target_id ORDER BY f.seq LIMIT {limit:UInt32} WITH TIES",
            after=after,
            function=function_name,
            limit=limit,
        )
        inputs = self._inputs(sorted({row[2] for row in rows}))
        return tuple(
            Demonstration(seq, id_, inference, episode, inputs[inference], document, to_tags(tags))
            for seq, id_, inference, episode, document, tags in rows
            if inference in inputs
        )

    def _inputs(self, ids: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for start in range(0, len(ids), _IDS):
            where, values = by_ids("id", ids[start : start + _IDS], {})
            query = f"SELECT id, input FROM inference_data FINAL WHERE {where} AND input IS NOT NULL"  # noqa: S608
            found |= {row[0]: row[1] for row in self._link.all(query, **values)}
        return found

    def snapshot(self, snapshot_hash: str) -> SnapshotRecord | None:
        """See `base.Reader.snapshot`."""
        query = "SELECT config, version FROM config_snapshots FINAL WHERE hash = {hash:String}"
        rows = self._link.all(query, hash=snapshot_hash)
        return SnapshotRecord(snapshot_hash, rows[0][0], rows[0][1]) if rows else None

    def outcomes(self, function_name: str) -> Iterator[Outcome]:
        """See `base.Reader.outcomes`. One question, whose answer comes in blocks: nobody waits for a reader here."""
        rows = self._link.stream(
            "SELECT id, episode_id, variant_name, status, processing_ms, ttft_ms, input_tokens, output_tokens, cost, "  # noqa: S608
            "snapshot_hash, namespace, unit, assigned_variant, probability "
            "FROM inferences FINAL WHERE function_name = {function:String} AND status != 'running' "
            f"AND {NO_REPLAY} ORDER BY seq, id",
            function=function_name,
        )
        for row in rows:
            yield Outcome(*row)

    def metrics(self, function_name: str) -> tuple[MetricSeen, ...]:
        """See `base.Reader.metrics`."""
        rows = self._link.all(
            "SELECT metric_name, kind, level, uniqExact(target_id) FROM feedback FINAL WHERE "  # noqa: S608
            f"level = 'inference' AND {_targets('id')} OR level = 'episode' AND {_targets('episode_id')} "
            "GROUP BY metric_name, kind, level ORDER BY metric_name, level",
            function=function_name,
        )
        return tuple(MetricSeen(*row) for row in rows)

    def scores(self, function_name: str, metric_name: str, level: Level) -> Iterator[Score]:
        """See `base.Reader.scores`."""
        rows = self._link.stream(
            "SELECT target_id, argMax(number, id) FROM feedback FINAL WHERE metric_name = {metric:String} "  # noqa: S608
            "AND level = {level:String} AND number IS NOT NULL "
            f"AND {_targets('id' if level == 'inference' else 'episode_id')} GROUP BY target_id ORDER BY target_id",
            metric=metric_name,
            level=level,
            function=function_name,
        )
        for target_id, number in rows:
            yield Score(target_id, number)

    def books(self) -> tuple[IncarnationBooks, ...]:
        """See `base.Reader.books`.

        The ledger is read first and says which entries of the quarantine count: those before its positions. So a frame
        is never seen in two places, or in none.
        """
        ledger = self._link.all(
            "SELECT segment, incarnation, position, last_sequence, stored, shed FROM spool_ledger FINAL "
            "ORDER BY segment"
        )
        entries = self._link.all("SELECT segment, incarnation, start, state, frames FROM quarantine FINAL")
        ends = {row[0]: row[2] for row in ledger}
        resolved: dict[str, int] = {}
        quarantined: dict[str, int] = {}
        for segment, incarnation, start, state, frames in entries:
            if start >= ends.get(segment, 0):
                continue
            if state == "resolved":
                resolved[segment] = resolved.get(segment, 0) + frames
            else:
                quarantined[incarnation] = quarantined.get(incarnation, 0) + frames
        segments: dict[str, list[SegmentBooks]] = {}
        for segment, incarnation, position, last, stored, shed in ledger:
            stored += resolved.get(segment, 0)
            segments.setdefault(incarnation, []).append(
                SegmentBooks(segment, incarnation, position, last, stored, shed)
            )
        query = "SELECT incarnation, written, pending, rejected FROM spool_incarnations FINAL"
        retired = {row[0]: row[1:] for row in self._link.all(query)}
        return tuple(
            IncarnationBooks(
                name, tuple(segments.get(name, ())), quarantined.get(name, 0), name in retired, *retired.get(name, ())
            )
            for name in sorted(segments.keys() | quarantined.keys() | retired.keys())
        )

    def quarantined(
        self, *, state: EntryState | None = None, after: int = 0, limit: int = 100
    ) -> tuple[Quarantined, ...]:
        """See `base.Reader.quarantined`. What a batch left there that was not finished is not in it yet."""
        states = "state != 'resolved'" if state is None else "state = {state:String}"
        rows = self._link.all(
            "SELECT id, incarnation, q.segment, start, sequence, frames, state, reason, at_ms, frame "  # noqa: S608
            f"FROM (SELECT * FROM quarantine FINAL WHERE {states} AND id > {{after:Int64}}) q "
            "INNER JOIN (SELECT segment, position FROM spool_ledger FINAL) l ON l.segment = q.segment "
            "WHERE start < position ORDER BY id LIMIT {limit:UInt32}",
            state=state or "",
            after=after,
            limit=limit,
        )
        return tuple(Quarantined(*row) for row in rows)

    def health(self) -> Health:
        """See `base.Reader.health`."""
        try:
            version = schema_version(self._link)
            size = self._stored_bytes()
        except StoreUnavailable as error:
            return Health(ok=False, detail=error.message)
        if version != SCHEMA_VERSION:
            return Health(
                ok=False,
                detail=f"ClickHouse at {self._link.name} has schema {version or 'none'}, this program wants "
                f"{SCHEMA_VERSION}; start the recorder of this version to migrate it",
                bytes=size,
                schema_version=str(version or ""),
            )
        advice = "; ".join(system_log_advice(self._link))
        detail = f"the server's own logs are kept for ever and will fill its disk; run: {advice}" if advice else ""
        return Health(ok=True, detail=detail, bytes=size, schema_version=str(version))

    def _stored_bytes(self) -> int:
        # Of the server that is asked, where there are several.
        names = [local_name(name, self._layout) for name in TABLES]
        query = (
            "SELECT sum(bytes_on_disk) FROM system.parts "
            "WHERE active AND database = currentDatabase() AND table IN {names:Array(String)}"
        )
        return int(self._link.all(query, names=names)[0][0])

    def close(self) -> None:
        """See `base.Reader.close`."""
        self._link.close()


def _conditions(which: Query) -> tuple[str, dict[str, Any]]:
    """Return what holds for the rows wanted, but for where the page begins."""
    wanted: dict[str, str | None] = {
        "function_name": which.function_name,
        "variant_name": which.variant_name,
        "episode_id": which.episode_id,
        "status": which.status,
    }
    values = {name: value for name, value in wanted.items() if value is not None}
    conditions = [f"{name} = {{{name}:String}}" for name in values]
    if which.status is None and not which.include_failed:
        conditions.append("status = 'ok'")
    return " AND ".join(conditions), values


def _targets(column: str) -> str:
    # From both sides, so that the set is no larger than what there is feedback on.
    return (
        f"target_id IN (SELECT {column} FROM inferences WHERE function_name = {{function:String}} "  # noqa: S608
        f"AND {column} IN (SELECT target_id FROM feedback))"
    )
