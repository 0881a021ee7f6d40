"""The record in order of arrival: what exports and followers ask of a home. Errors are as its reader's.

An inference takes a new number when a stream of it ends, so whoever goes on behind a number sees it then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from calibrant.types.query import Query
from calibrant.types.rows import FeedbackRow, ModelInferenceRow

__all__ = ["ArrivalReading", "Arrived", "Latest"]


class Arrived(Struct, frozen=True, array_like=True):
    """An inference and its number of arrival."""

    seq: int
    inference_id: str


class Latest(Struct, frozen=True):
    """How far the record goes now."""

    seq: int
    """The highest number of an inference; 0 where there is none."""
    settled: int
    """No inference will come that has this number or a smaller one."""


class ArrivalReading(Protocol):
    """Questions."""

    def latest(self) -> Latest:
        """Return how far the record goes."""
        ...

    def arrived(self, which: Query, *, after: int, until: int, limit: int) -> tuple[Arrived, ...]:
        """Return a page of inferences in order of arrival. Where numbers are equal it may be longer than asked.

        Args:
            which: Its order, offset, limit and payloads mean nothing here.
            after: Numbers greater than this one.
            until: Up to this one.
            limit: So many.
        """
        ...

    def feedback_on(self, target_ids: Sequence[str]) -> tuple[FeedbackRow, ...]:
        """Return all feedback on these inferences and episodes, oldest first."""
        ...

    def calls_for(self, inference_ids: Sequence[str]) -> tuple[ModelInferenceRow, ...]:
        """Return the model calls of these inferences, failed ones included, by inference and attempt."""
        ...
