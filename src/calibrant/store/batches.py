"""What the catalogue knows of batches. Errors and threads are as `catalogue.py` says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from calibrant.types.batch import Batch, BatchElement, BatchKind, BatchOwner, BatchStatus, Finished

__all__ = ["BatchReading", "BatchWriting"]


class BatchReading(Protocol):
    """Questions."""

    def batch(self, batch_id: str) -> Batch | None:
        """Return the batch, or null."""
        ...

    def list_batches(self, owner: BatchOwner, *, before: str | None = None, limit: int = 100) -> tuple[Batch, ...]:
        """Return the batches that somebody may see, the newest first, those made before this one."""
        ...

    def batch_element(self, batch_id: str, inference_id: str) -> BatchElement | None:
        """Return one element of a batch, or null."""
        ...

    def batch_elements(self, batch_id: str, *, after: int = -1, limit: int = 1000) -> tuple[BatchElement, ...]:
        """Return elements in the order in which they were sent, those after this position."""
        ...

    def batch_waits(self, kind: BatchKind, worker: str, now_ms: int) -> bool:
        """Return whether there is a batch on which this worker works or could begin to."""
        ...

    def open_batches(self, kind: BatchKind) -> tuple[Batch, ...]:
        """Return every batch of a kind that has not ended, the oldest first."""
        ...

    def open_elements(self, batch_id: str) -> frozenset[str]:
        """Return the inferences of a batch that are not finished."""
        ...


class BatchWriting(BatchReading, Protocol):
    """Changes."""

    def add_batch(self, batch: Batch, elements: Iterable[BatchElement]) -> None:
        """Add a batch with its elements."""
        ...

    def lease_batches(
        self, worker: str, kind: BatchKind, *, now_ms: int, until_ms: int, most: int
    ) -> tuple[Batch, ...]:
        """Lease batches to a worker: those that it has, and others that nobody has, the oldest first.

        What ran in a batch whose lease was over is orphaned.
        """
        ...

    def lease_batch(self, batch_id: str, worker: str, *, now_ms: int, until_ms: int) -> bool:
        """Lease one batch, and return whether nobody else has it."""
        ...

    def release_batches(self, worker: str) -> None:
        """End this worker's leases. What it still ran is orphaned."""
        ...

    def claim_elements(self, batch_id: str, limit: int) -> tuple[BatchElement, ...]:
        """Return elements that nobody has begun or whose worker is gone, with that status, and mark them as running."""
        ...

    def put_back(self, inference_id: str, *, orphaned: bool) -> None:
        """Leave an element that runs to whoever comes next."""
        ...

    def finish_element(self, done: Finished, now_ms: int) -> Batch | None:
        """Note what became of an element and drop what was asked; the first to come is believed.

        Returns:
            The batch as it is now; null where the element was finished already.
        """
        ...

    def fail_open_elements(self, batch_id: str, code: str, message: str, now_ms: int) -> Batch | None:
        """Let every element fail that is not finished, and return the batch as it is now."""
        ...

    def cancel_batch(self, batch_id: str, now_ms: int) -> None:
        """Cancel a batch and what nobody has begun of it. What runs may finish."""
        ...

    def submitted(self, batch_id: str, provider_batch_id: str, now_ms: int) -> None:
        """Note under which name the provider has a batch."""
        ...

    def checked(self, batch_id: str, now_ms: int) -> None:
        """Note that the provider was asked just now."""
        ...

    def end_batch(self, batch_id: str, status: BatchStatus, error: str, now_ms: int) -> None:
        """Note how a batch ended as a whole."""
        ...

    def forget_answers(self, before_ms: int) -> int:
        """Drop the answers of batches that ended before this instant, and return of how many batches."""
        ...
