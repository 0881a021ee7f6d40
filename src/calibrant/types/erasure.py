"""Erasure: whose data is to be forgotten, and what became of it."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Backup", "Erasure", "Whose"]


class Whose(Struct, frozen=True):
    """What is meant: inferences with a tag, or those of one episode. One of the two is there."""

    tag: tuple[str, str] | None = None
    """Name and value."""
    episode_id: str | None = None


class Backup(Struct, frozen=True):
    """A backup that may still hold what was erased."""

    time: str
    path: str


class Erasure(Struct, kw_only=True):
    """What was erased; of a plan, what would be."""

    plan: bool
    inferences: int = 0
    running: int = 0
    """Of these, streams that had not ended: what they bring is recorded when they end."""
    model_inferences: int = 0
    feedback: int = 0
    datapoints: int = 0
    """Datapoints of datasets, past ones too. A tombstone stays in every version that had them."""
    batch_elements: int = 0
    workflow_episodes: int = 0
    quarantined: int = 0
    """Records that the store had refused, or that waited for their target."""
    files: int = 0
    files_kept: int = 0
    """Files that another inference or datapoint names, or that somebody has used since."""
    vectors: int = 0
    """Vectors of inputs, for in-context learning."""
    purged_models: list[str] = []
    """Models of which every cached answer was purged: whose request an entry answered is not known."""
    cached_answers: int = 0
    """How many that were."""
    spool_bytes: int = 0
    """Bytes of the spool that were in the store already, and were overwritten."""
    backups: list[Backup] = []
    """Backups are not touched: what was erased may be in these."""
    notes: list[str] = []
    """What a person has to know or do."""
