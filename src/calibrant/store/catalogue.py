"""The catalogue: what is small and must change in one piece. Keys and their log, batches, datasets, evaluations.

Every method raises `StoreUnavailable` when the catalogue cannot be asked or written now; nothing is changed then.
A catalogue may be used from any thread.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from calibrant.store.batches import BatchReading, BatchWriting
from calibrant.store.datasets import DatasetReading, DatasetWriting
from calibrant.store.erasing import ErasureReading, ErasureWriting
from calibrant.store.leases import LeaseReading, LeaseWriting
from calibrant.store.splits import SplitReading, SplitWriting
from calibrant.store.vault import Vault
from calibrant.store.workflows import WorkflowReading, WorkflowWriting
from calibrant.types.key import ApiKey, Audit, StoredKey

__all__ = ["Catalogue", "Reading", "Tx"]


class Reading(DatasetReading, SplitReading, LeaseReading, WorkflowReading, BatchReading, ErasureReading, Protocol):
    """Questions, all answered as of one instant."""

    def key(self, public_id: str) -> StoredKey | None:
        """Return the key of this public id, or null."""
        ...

    def list_keys(self, *, after: str | None = None, limit: int = 100) -> tuple[ApiKey, ...]:
        """Return keys in the order in which they were made, those after this public id."""
        ...

    def audit(self, *, before: int | None = None, limit: int = 100) -> tuple[Audit, ...]:
        """Return the log, the newest entry first, from before this entry on."""
        ...


class Tx(Reading, DatasetWriting, SplitWriting, LeaseWriting, WorkflowWriting, BatchWriting, ErasureWriting, Protocol):
    """A transaction: all of it happens, or nothing."""

    def add_key(self, stored: StoredKey) -> bool:
        """Add a key; return whether its public id was free."""
        ...

    def set_key(self, key: ApiKey) -> None:
        """Replace all that is known of a key but its digest."""
        ...

    def note(self, entry: Audit) -> None:
        """Append to the log."""
        ...


class Catalogue(Protocol):
    """A home of the catalogue, and of the vault beside it."""

    @property
    def vault(self) -> Vault:
        """The vault."""
        ...

    def reading(self) -> AbstractContextManager[Reading]:
        """Lend a view of it; waits for nobody's transaction."""
        ...

    def transaction(self) -> AbstractContextManager[Tx]:
        """Lend a transaction: committed at the end of the block, undone where that raises."""
        ...

    def exists(self) -> bool:
        """Return whether there is one already; asking makes none."""
        ...

    def scrub(self) -> bool:
        """Leave no byte of what was deleted in its files, as far as that is ours to say; False where it is busy."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
