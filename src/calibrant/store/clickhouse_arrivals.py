"""The record in order of arrival, as ClickHouse is asked for it.

Numbers of several recorders lie in the order of their clocks, and a block may come a while after it got its numbers:
what is settled lies that while back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from calibrant.store.arrivals import Arrived, Latest
from calibrant.store.clickhouse_link import Link
from calibrant.store.clickhouse_query import arrived_statement, by_ids
from calibrant.store.clickhouse_rows import EPOCH_MS, SEQ_SHIFT
from calibrant.store.tables import FEEDBACK, MODEL, MODEL_DATA, to_feedback, to_model_inference
from calibrant.types.query import Query
from calibrant.types.rows import FeedbackRow, ModelInferenceRow

__all__ = ["ClickHouseArrivals"]

_IDS = 500


class ClickHouseArrivals:
    """Implements `arrivals.ArrivalReading`."""

    _link: Link
    _follow_lag_ms: int

    def latest(self) -> Latest:
        """See `arrivals.ArrivalReading.latest`."""
        rows = self._link.all("SELECT max(seq), toUnixTimestamp64Milli(now64(3)) FROM inferences")
        seq, now_ms = int(rows[0][0]), int(rows[0][1])
        if not self._follow_lag_ms:
            # There is one recorder alone.
            return Latest(seq, seq)
        calm = (now_ms - EPOCH_MS - self._follow_lag_ms) << SEQ_SHIFT
        return Latest(seq, max(min(seq, calm - 1), 0))

    def arrived(self, which: Query, *, after: int, until: int, limit: int) -> tuple[Arrived, ...]:
        """See `arrivals.ArrivalReading.arrived`. A page ends behind the last of equal numbers."""
        statement = arrived_statement(which, after=after, until=until, limit=limit)
        return tuple(Arrived(int(seq), id_) for seq, id_ in self._link.all(statement.text, **statement.values))

    def feedback_on(self, target_ids: Sequence[str]) -> tuple[FeedbackRow, ...]:
        """See `arrivals.ArrivalReading.feedback_on`."""
        query = f"SELECT {', '.join(FEEDBACK)} FROM feedback FINAL WHERE target_id IN {{ids:Array(String)}}"  # noqa: S608
        found = [to_feedback(row) for some in _parts(target_ids) for row in self._link.all(query, ids=list(some))]
        return tuple(sorted(found, key=lambda row: row.id))

    def calls_for(self, inference_ids: Sequence[str]) -> tuple[ModelInferenceRow, ...]:
        """See `arrivals.ArrivalReading.calls_for`."""
        found: list[ModelInferenceRow] = []
        nothing: tuple[Any, ...] = (None,) * len(MODEL_DATA)
        for some in _parts(inference_ids):
            where, values = by_ids("inference_id", some, {})
            query = f"SELECT {', '.join(MODEL)} FROM model_inferences FINAL WHERE {where}"  # noqa: S608
            rows = [to_model_inference((*row, *nothing)) for row in self._link.all(query, **values)]
            query = f"SELECT id, {', '.join(MODEL_DATA)} FROM model_inference_data FINAL WHERE {where}"  # noqa: S608
            data = {each[0]: each[1:] for each in self._link.all(query, **values)} if rows else {}
            found += [replace(row, **dict(zip(MODEL_DATA, data.get(row.id, nothing), strict=True))) for row in rows]
        return tuple(sorted(found, key=lambda row: (row.inference_id, row.attempt, row.id)))


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _IDS):
        yield ids[start : start + _IDS]
