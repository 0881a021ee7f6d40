"""What the homes of the record and of the catalogue can do about erasure. Errors and threads are as theirs.

Every step is bounded and may be done again: what is gone already is passed over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from calibrant.types.erasure import Whose

__all__ = [
    "Doomed",
    "ErasableKind",
    "ErasingEvents",
    "ErasureReading",
    "ErasureWriting",
    "Found",
    "FoundRow",
    "NamedFiles",
    "Removed",
    "Scrubbed",
]

ErasableKind = Literal["inferences", "feedback"]
Scrubbed = Literal["done", "more", "busy", "later"]
"""`more`: another step is due; `busy`: somebody reads what is to go, and the step has to be tried again; `later`: the
database does by itself what is left to do, when it thinks it right."""


class FoundRow(Struct, frozen=True):
    """A row that belongs to somebody."""

    id: str
    episode_id: str
    """Empty for feedback."""
    status: str
    """Empty for feedback."""
    last_ms: float
    """When an inference was over, as far as that is known: no file was used by it later."""


class Found(Struct, frozen=True):
    """A stretch of a table that was looked through."""

    rows: tuple[FoundRow, ...]
    after: str | None
    """Where the next stretch begins; null at the end."""


class NamedFiles(Struct, frozen=True):
    """Keys of files that a stretch of the record names."""

    keys: frozenset[str]
    after: str | None


class Removed(Struct, frozen=True):
    """What one step took away."""

    inferences: int = 0
    model_inferences: int = 0
    feedback: int = 0


class Doomed(Struct, frozen=True):
    """A datapoint that is to go."""

    id: str
    dataset_name: str


class ErasingEvents(Protocol):
    """The record's part."""

    erased_at_once: int
    """How many ids `erase` and `erase_feedback` take well in one step."""

    def erasable(self, whose: Whose, kind: ErasableKind, *, after: str, limit: int) -> Found:
        """Look through a stretch of a table, by id, for rows that belong to somebody. Feedback does by its own tags.

        Args:
            whose: Whose.
            kind: Which table.
            after: The id where the stretch before ended; empty at first.
            limit: How many rows to look at.
        """
        ...

    def files_of_others(self, whose: Whose, *, after: str, limit: int) -> NamedFiles:
        """Return which files the inputs of a stretch of inferences name that do not belong to somebody."""
        ...

    def calls_of(self, inference_ids: Sequence[str]) -> dict[str, int]:
        """Return how many calls these inferences made, by model."""
        ...

    def feedback_of(self, target_ids: Sequence[str]) -> tuple[str, ...]:
        """Return the ids of all feedback on these inferences and episodes."""
        ...

    def erase(self, inference_ids: Sequence[str], episode_ids: Sequence[str]) -> Removed:
        """Delete inferences with their payloads, texts, calls and feedback, and feedback on these episodes, at once."""
        ...

    def erase_feedback(self, feedback_ids: Sequence[str]) -> int:
        """Delete feedback, and return how much of it there was."""
        ...

    def scrub(self) -> Scrubbed:
        """Do a step towards leaving no byte of what was deleted in the database's files, and say how far that is."""
        ...


class ErasureReading(Protocol):
    """The catalogue's part: questions."""

    def doomed_datapoints(
        self, whose: Whose, inference_ids: Collection[str], feedback_ids: Collection[str]
    ) -> tuple[Doomed, ...]:
        """Return the datapoints that were made of these, that carry the tag or are of the episode, and their heirs."""
        ...

    def datapoints_of(self, inference_ids: Sequence[str]) -> tuple[Doomed, ...]:
        """Return the datapoints that were made of these inferences, without their heirs."""
        ...

    def files_of_datapoints(self, ids: Collection[str]) -> frozenset[str]:
        """Return the files that these datapoints name."""
        ...

    def files_of_other_datapoints(self, ids: Collection[str], *, after: str, limit: int) -> NamedFiles:
        """Return which files a stretch of contents names that datapoints other than these have."""
        ...

    def contents_of_datapoints(self, ids: Collection[str]) -> frozenset[str]:
        """Return the content hashes of these datapoints, wherever the contents stand; not of what was erased."""
        ...

    def owners_of_contents(self, hashes: Sequence[str]) -> dict[str, frozenset[str]]:
        """Return the datapoints that have each of these contents, those that were not erased."""
        ...

    def erased_datapoints(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those of these datapoints that were erased."""
        ...

    def batch_elements_of(
        self, whose: Whose, inference_ids: Sequence[str], *, after: int, limit: int
    ) -> tuple[tuple[str, ...], int | None]:
        """Look through a stretch of elements whose request is kept; return those that belong, and where to go on.

        Args:
            whose: Whose, by tag or episode.
            inference_ids: Elements of these inferences belong, too.
            after: Where the stretch before ended.
            limit: How many to look at.
        """
        ...

    def workflow_episodes_of(self, whose: Whose) -> tuple[str, ...]:
        """Return the episodes of workflow evaluations that carry the tag, or are the episode."""
        ...


class ErasureWriting(ErasureReading, Protocol):
    """The catalogue's part: changes."""

    def erase_datapoints(self, doomed: Sequence[Doomed], *, actor: str, now_ms: int) -> int:
        """End datapoints, leave a tombstone in past versions, and drop what no other has; return how many.

        What no other has are contents with their prints, and groups of a dataset that is split. The vault is not
        touched: `holdout.swept` is due after it.
        """
        ...

    def erase_batch_elements(self, inference_ids: Sequence[str], now_ms: int) -> int:
        """Drop what was asked and answered; what is not finished fails."""
        ...

    def erase_workflow_episodes(self, ids: Sequence[str]) -> int:
        """Delete episodes of workflow evaluations."""
        ...
