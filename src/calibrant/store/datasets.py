"""What the catalogue knows of datasets. Errors and threads are as `catalogue.py` says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from calibrant.types.datapoint import Action, Change, Datapoint, DatapointQuery, Dataset
from calibrant.types.split import Split

__all__ = ["DatasetReading", "DatasetWriting"]


class DatasetReading(Protocol):
    """Questions."""

    def dataset(self, name: str) -> Dataset | None:
        """Return a dataset, emptied or not, or null where there never was one."""
        ...

    def list_datasets(
        self, *, function_name: str | None = None, limit: int = 100, offset: int = 0
    ) -> tuple[Dataset, ...]:
        """Return datasets that were not deleted, the one changed last first.

        Args:
            function_name: Only those with datapoints of this function, of which then only these are counted.
            limit: How many.
            offset: How many to pass over.
        """
        ...

    def dataset_changes(self, name: str, *, before: int | None = None, limit: int = 100) -> tuple[Change, ...]:
        """Return what was done to a dataset, the newest first, from before this version on."""
        ...

    def datapoints(self, which: DatapointQuery) -> tuple[Datapoint, ...]:
        """Return a page of datapoints, as rows that have not ended."""
        ...

    def find_datapoints(self, ids: Sequence[str], *, dataset_name: str | None = None) -> tuple[Datapoint, ...]:
        """Return these datapoints as they are now or were at last, stale ones too, in the order asked.

        Unknown ids, and those of other datasets where one is named, are left out.
        """
        ...

    def count_datapoints(self, name: str, *, function_name: str | None = None) -> int:
        """Return how many datapoints a dataset has now."""
        ...

    def count_by_split(self, which: DatapointQuery) -> dict[Split, int]:
        """Return how many datapoints each split has of those that a query asks for, whatever its page.

        What is not split, and what was erased, does not count.
        """
        ...


class DatasetWriting(DatasetReading, Protocol):
    """Changes."""

    def hold_dataset(self, name: str) -> None:
        """Wait until nobody else changes a dataset, and let nobody do so before this transaction ends."""
        ...

    def change_dataset(self, name: str, action: Action, *, group_by: str, actor: str, now_ms: int) -> Dataset:
        """Begin a new version of a dataset, which is made where there is none, and note who does what.

        Nobody else begins one before this transaction ends.

        Args:
            name: Of the dataset.
            action: What is done.
            group_by: What belongs together in it, where it is made now; one that was there keeps its own.
            actor: Who does it.
            now_ms: Unix time.
        """
        ...

    def add_datapoints(self, rows: Iterable[Datapoint]) -> int:
        """Add rows to the version that was begun, and return how many."""
        ...

    def end_datapoints(self, name: str, ids: Sequence[str] | None, *, version: int, staled_at: int | None) -> int:
        """Let rows end with the version that was begun.

        Args:
            name: Of the dataset.
            ids: Of the datapoints; null is all.
            version: That was begun.
            staled_at: When they became stale; null where another row of the same datapoint follows.

        Returns:
            How many there were.
        """
        ...

    def close_dataset(self, name: str) -> None:
        """Leave a dataset out of lists until something is added to it again. Its versions stay."""
        ...
