"""What the catalogue knows of splits: groups, prints of their texts, and the ledger. Errors: see `catalogue.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from calibrant.types.split import GroupSplit, LedgerEntry, Reason, Split, SplitCount, Splitting

__all__ = [
    "FreshComponent",
    "GroupContent",
    "Print",
    "SealedContent",
    "SealedItem",
    "SourceGroup",
    "SplitMark",
    "SplitReading",
    "SplitWriting",
]


class Print(Struct, frozen=True):
    """What near-duplicates of a text are found by."""

    content_hash: str
    shingles: bytes
    """Distinct 32-bit hashes of its character 5-grams, in order, little-endian."""
    bands: tuple[int, ...]


class SourceGroup(Struct, frozen=True):
    """The group of a datapoint that was made of an inference."""

    inference_id: str
    dataset_name: str
    group_key: str


class SealedContent(Struct, frozen=True):
    """A content that a sealed group has."""

    content_hash: str
    dataset_name: str
    group_key: str


class GroupContent(Struct, frozen=True):
    """A content of a group."""

    group_key: str
    content_hash: str
    newest_id: str
    """The latest of what it was made of: an inference, or a datapoint."""


class SealedItem(Struct, frozen=True):
    """A present datapoint of a sealed group."""

    id: str
    group_key: str
    component: str
    content_hash: str


class FreshComponent(Struct, frozen=True):
    """Sealed groups that are near-duplicates of each other, of which no confirmation has read any."""

    component: str
    datapoints: int


class SplitMark(Struct, frozen=True):
    """Another one after each change of a dataset that is split, and after each act on splits."""

    versions: tuple[tuple[str, int], ...] = ()
    """The datasets that are split, by name, each with its version."""
    acts: int = 0
    """The number of the ledger's last line."""


class SplitReading(Protocol):
    """Questions."""

    def split_mark(self) -> SplitMark:
        """Return the mark; where no dataset is split it is `SplitMark()`. Cheap."""
        ...

    def split_datasets(self) -> Mapping[str, tuple[str, Splitting, frozenset[str]]]:
        """Return the datasets that are split: by what each groups, how it is split, and its functions."""
        ...

    def sealed_datasets(self) -> tuple[str, ...]:
        """Return the names of the datasets that have something sealed, in order. Cheap."""
        ...

    def group_splits(self, dataset_name: str, keys: Sequence[str]) -> dict[str, GroupSplit]:
        """Return where groups of a dataset are, those that are known."""
        ...

    def component_groups(self, dataset_name: str, components: Sequence[str]) -> tuple[GroupSplit, ...]:
        """Return the groups of these components."""
        ...

    def groups_with(self, dataset_name: str, content_hashes: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the groups that have each of these contents, in any version of a dataset; not of what was erased."""
        ...

    def prints_sharing(self, dataset_name: str, bands: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """Return, for each band, the content hashes of prints that have it, not too many."""
        ...

    def prints(self, dataset_name: str, content_hashes: Sequence[str]) -> dict[str, bytes]:
        """Return shingles by content hash."""
        ...

    def group_contents(self, dataset_name: str) -> tuple[GroupContent, ...]:
        """Return every content of a dataset, in any version, with its group; not of what was erased."""
        ...

    def contents_of_groups(self, dataset_name: str, keys: Sequence[str]) -> frozenset[str]:
        """Return the content hashes of groups, in any version; not of what was erased."""
        ...

    def in_the_open(self, content_hashes: Sequence[str]) -> frozenset[str]:
        """Return those of these contents that stand in the catalogue itself, readable."""
        ...

    def sealed_with(self, content_hashes: Sequence[str]) -> tuple[SealedContent, ...]:
        """Return the sealed groups that have one of these contents."""
        ...

    def shared_elsewhere(self, dataset_name: str, content_hashes: Sequence[str]) -> frozenset[str]:
        """Return those of these contents that another dataset has, too."""
        ...

    def group_sources(self, inference_ids: Sequence[str]) -> tuple[SourceGroup, ...]:
        """Return the groups of split datasets that were made of these inferences."""
        ...

    def fresh_components(self, dataset_name: str, function_name: str) -> tuple[FreshComponent, ...]:
        """Return what is sealed and no confirmation has read, with the number of present datapoints of a function."""
        ...

    def sealed_items(self, dataset_name: str, function_name: str, components: Sequence[str]) -> tuple[SealedItem, ...]:
        """Return the present datapoints of a function in the sealed groups of these components."""
        ...

    def groups_of_confirmation(self, confirmation_id: str) -> tuple[tuple[str, GroupSplit], ...]:
        """Return the groups that a confirmation has read, with their datasets."""
        ...

    def sealed_groups(self, dataset_name: str, *, after: str = "", limit: int = 1000) -> tuple[GroupSplit, ...]:
        """Return sealed groups by key, those after this one."""
        ...

    def split_counts(self, dataset_name: str) -> tuple[SplitCount, ...]:
        """Return how many groups and present datapoints each split has."""
        ...

    def acts(self, *acts: str) -> tuple[LedgerEntry, ...]:
        """Return the lines of the ledger that tell of these acts, in order."""
        ...

    def ledger(self, dataset_name: str | None = None, *, after: int = 0, limit: int = 1000) -> tuple[LedgerEntry, ...]:
        """Return lines of the ledger in order, those after this number."""
        ...


class SplitWriting(SplitReading, Protocol):
    """Changes."""

    def set_splitting(self, dataset_name: str, splitting: Splitting) -> None:
        """Say how a dataset is split from now on."""
        ...

    def put_groups(self, dataset_name: str, groups: Iterable[GroupSplit]) -> None:
        """Say where groups are."""
        ...

    def move_groups(
        self,
        dataset_name: str,
        keys: Sequence[str],
        split: Split,
        reason: Reason,
        now_ms: int,
    ) -> None:
        """Move groups to a split."""
        ...

    def take_groups(self, dataset_name: str, keys: Sequence[str], confirmation_id: str) -> None:
        """Say that a confirmation reads groups, which no other will read again."""
        ...

    def put_prints(self, dataset_name: str, prints: Iterable[Print]) -> None:
        """Keep prints; one that is there stays as it is."""
        ...

    def hide_contents(self, hashes: Sequence[str]) -> None:
        """Take contents, which the vault has by now, out of the catalogue."""
        ...

    def stored_contents(self, hashes: Sequence[str]) -> dict[str, bytes]:
        """Return contents as JSON by their hash, those that stand in the catalogue."""
        ...

    def show_contents(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Put contents, by their hash, back into the catalogue."""
        ...

    def write_ledger(self, entry: LedgerEntry) -> LedgerEntry:
        """Append a line to the ledger, and return it with its number and hashes."""
        ...
