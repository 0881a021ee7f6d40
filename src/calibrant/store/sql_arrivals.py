"""The record in order of arrival, as SQLite and PostgreSQL are asked for it in the same words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from calibrant.store.arrivals import Arrived, Latest
from calibrant.store.dialect import Dialect, Sql, joined
from calibrant.store.portable import marks_for
from calibrant.store.sql_query import conditions, tables_of
from calibrant.store.tables import FEEDBACK, MODEL, MODEL_DATA, to_feedback, to_model_inference
from calibrant.types.query import Query
from calibrant.types.rows import FeedbackRow, ModelInferenceRow

__all__ = ["MODEL_WHOLE", "SqlArrivals"]

_IDS = 500
MODEL_WHOLE = ", ".join(
    [*(f"model_inferences.{name}" for name in MODEL), *(f"model_inference_data.{name}" for name in MODEL_DATA)]
)


class SqlArrivals(ABC):
    """Implements `arrivals.ArrivalReading`."""

    dialect: Dialect
    stretch = 100_000
    """Numbers of arrival that one statement looks at."""

    @abstractmethod
    def _answers(self, statements: Sequence[Sql]) -> list[Sequence[Any]]:
        """Return the rows of each of these statements of the dialect, all as of one moment."""

    @abstractmethod
    def _all(self, query: str, parameters: Sequence[Any]) -> list[Any]:
        """Return the rows of a statement."""

    def latest(self) -> Latest:
        """See `arrivals.ArrivalReading.latest`: numbers are given and stored in one order."""
        seq = int(self._all("SELECT coalesce(max(seq), 0) FROM inferences", ())[0][0])
        return Latest(seq, seq)

    def arrived(self, which: Query, *, after: int, until: int, limit: int) -> tuple[Arrived, ...]:
        """See `arrivals.ArrivalReading.arrived`.

        What fits may be rare, and a statement may take only so long: it looks at so many numbers, then another goes on.
        """
        while after < until:
            end = min(after + self.stretch, until)
            if found := self._between(which, after, end, limit):
                return found
            after = end
        return ()

    def _between(self, which: Query, after: int, until: int, limit: int) -> tuple[Arrived, ...]:
        span = Sql("inferences.seq > ? AND inferences.seq <= ?", (after, until))
        where = joined(" AND ", [*conditions(which, self.dialect), span])
        tables = tables_of(which, self.dialect, payloads=False)
        text = (
            f"SELECT inferences.seq, inferences.id FROM {tables} WHERE {where.text} "  # noqa: S608
            "ORDER BY inferences.seq LIMIT ?"
        )
        (rows,) = self._answers([self.dialect.finished(Sql(text, (*where.parameters, limit)))])
        return tuple(Arrived(int(seq), str(id_)) for seq, id_ in rows)

    def feedback_on(self, target_ids: Sequence[str]) -> tuple[FeedbackRow, ...]:
        """See `arrivals.ArrivalReading.feedback_on`."""
        found: list[FeedbackRow] = []
        for some in _parts(target_ids):
            query = f"SELECT {', '.join(FEEDBACK)} FROM feedback WHERE target_id IN ({marks_for(some)})"  # noqa: S608
            found += map(to_feedback, self._all(query, some))
        return tuple(sorted(found, key=lambda row: row.id))

    def calls_for(self, inference_ids: Sequence[str]) -> tuple[ModelInferenceRow, ...]:
        """See `arrivals.ArrivalReading.calls_for`."""
        found: list[ModelInferenceRow] = []
        for some in _parts(inference_ids):
            query = f"SELECT id FROM model_inferences WHERE inference_id IN ({marks_for(some)})"  # noqa: S608
            for ids in _parts([str(row[0]) for row in self._all(query, some)]):
                found += self._calls(ids)
        return tuple(sorted(found, key=lambda row: (row.inference_id, row.attempt, row.id)))

    def _calls(self, ids: Sequence[str]) -> Iterator[ModelInferenceRow]:
        key, marks = self.dialect.data_key, marks_for(ids)
        # PostgreSQL would look for each payload in all weeks, were it not told the ids of payloads too.
        also = f" AND model_inference_data.id IN ({marks})" if key == "id" else ""
        query = (
            f"SELECT {MODEL_WHOLE} FROM model_inferences LEFT JOIN model_inference_data "  # noqa: S608
            f"ON model_inference_data.{key} = model_inferences.{key}{also} WHERE model_inferences.id IN ({marks})"
        )
        return map(to_model_inference, self._all(query, (*ids, *ids) if also else ids))


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _IDS):
        yield ids[start : start + _IDS]
