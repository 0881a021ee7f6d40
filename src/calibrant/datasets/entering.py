"""Rows that come into a dataset, each into the split of its group. In the transaction that makes the dataset's version.

A group's split is that of its key's hash, unless the group is nearly the same as one that is there already: then they
are one, and where the two are in different splits both go to `train`. So nothing that may be learnt from is ever the
twin of what is measured by, and nothing comes under the seal that stood in the open. What other datasets have sealed of
the same, or of nearly the same, leaves their seals.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from importlib import import_module
from typing import Protocol, cast

from msgspec import Struct
from msgspec.json import encode
from msgspec.structs import replace

from calibrant.base.errors import StoreUnavailable
from calibrant.base.ids import id_millis
from calibrant.datasets.connecting import connected
from calibrant.datasets.splitting import by_hash, group_mark
from calibrant.datasets.wording import text_of
from calibrant.store.catalogue import Catalogue, Reading, Tx
from calibrant.store.portable import pages
from calibrant.store.splits import Print
from calibrant.store.vault import Vault
from calibrant.types.datapoint import Content, Datapoint, Dataset
from calibrant.types.split import GroupSplit, LedgerEntry, Reason, Split, Splitting

__all__ = ["Entrance", "Linker", "entrance", "group_marks", "load_linker", "release", "unseal_twins", "whole"]

_PAGE = 500


class Linker(Protocol):
    """Finds near-duplicates; heavy to load, so only where a dataset is split."""

    def prints_of(self, texts: Mapping[str, str]) -> list[Print]:
        """Return the prints of texts by content hash."""
        ...

    def prints_kept(self, shingles: Mapping[str, bytes]) -> list[Print]:
        """Return the prints of which the shingles are kept, by content hash."""
        ...

    def links_among(self, fresh: Sequence[Print]) -> list[tuple[str, str]]:
        """Return pairs of content hashes that are near-duplicates of each other: enough to connect them all."""
        ...

    def links_to_present(self, view: Reading, dataset_name: str, fresh: Sequence[Print]) -> list[tuple[str, str]]:
        """Return pairs of a fresh content hash and one that a dataset has already, where they are near-duplicates."""
        ...


class Entrance(Struct, frozen=True):
    """Adds rows to the version of a dataset that was begun."""

    tx: Tx
    vault: Vault
    dataset: Dataset
    actor: str
    now_ms: int

    def add(self, rows: Iterable[Datapoint]) -> int:
        """Add rows, and return how many."""
        splitting = self.dataset.splitting
        added = 0
        for some in pages(rows, _PAGE):
            split, left = (some, []) if splitting is None else self._split(some, splitting)
            sealed = {row.content_hash: row for row in split if row.split == "sealed"}
            if sealed:
                self.vault.put((each, encode(row.content)) for each, row in sealed.items())
            added += self.tx.add_datapoints(split)
            # Once the groups and rows of this page are written: what leaves may be among them.
            opened = {row.content_hash: row.content for row in split if row.split != "sealed"}
            hashes = {*opened, *self.tx.contents_of_groups(self.dataset.name, left)}
            unseal_twins(self.tx, self.vault, self.dataset.name, hashes, self.actor, self.now_ms, contents=opened)
        return added

    def _split(self, rows: Sequence[Datapoint], splitting: Splitting) -> tuple[list[Datapoint], list[str]]:
        """Return rows with their splits, and the groups that left the seal for them."""
        tx, name = self.tx, self.dataset.name
        newest: dict[str, int] = {}
        for row in rows:
            newest[row.group_key] = max(newest.get(row.group_key, 0), _made_ms(row))
        texts = {row.content_hash: text_of(row.content) for row in rows}
        known = tx.prints(name, tuple(texts))
        linker = load_linker()
        fresh = linker.prints_of({each: text for each, text in texts.items() if each not in known})
        links = [*linker.links_among(fresh), *linker.links_to_present(tx, name, fresh)]
        tx.put_prints(name, fresh)
        groups_of = self._groups_of(rows, links)
        edges = [(row.group_key, other) for row in rows for other in groups_of[row.content_hash]]
        edges += [(a, b) for left, right in links for a in groups_of[left] for b in groups_of[right]]
        opened = tx.in_the_open(tuple(texts))
        seen = {row.group_key for row in rows if row.content_hash in opened}
        splits, left = self._joined(newest, edges, seen, splitting)
        return [replace(row, split=splits[row.group_key]) for row in rows], left

    def _groups_of(self, rows: Sequence[Datapoint], links: Collection[tuple[str, str]]) -> dict[str, set[str]]:
        hashes = {row.content_hash for row in rows} | {each for link in links for each in link}
        found = {each: set[str]() for each in hashes}
        for each, keys in self.tx.groups_with(self.dataset.name, tuple(hashes)).items():
            found[each].update(keys)
        for row in rows:
            found[row.content_hash].add(row.group_key)
        return found

    def _joined(
        self,
        newest: Mapping[str, int],
        edges: Collection[tuple[str, str]],
        seen: Set[str],
        splitting: Splitting,
    ) -> tuple[dict[str, Split], list[str]]:
        """Write where groups are now, and return it for those that come in, and which left the seal."""
        tx, name = self.tx, self.dataset.name
        known = tx.group_splits(name, tuple({*newest, *(key for edge in edges for key in edge)}))
        parts = connected(
            [*newest, *known],
            [*edges, *((key, group.component) for key, group in known.items())],
        )
        found: dict[str, Split] = {}
        changed: list[GroupSplit] = []
        left: list[str] = []
        for part in parts:
            arriving = sorted(key for key in part if key in newest)
            if not arriving:
                continue
            there = {known[key].component for key in part if key in known}
            members = {each.group_key: each for each in tx.component_groups(name, tuple(there))}
            fresh = [key for key in arriving if key not in members]
            splits: set[Split] = {each.split for each in members.values()}
            if fresh:
                latest_ms = max(newest[key] for key in fresh)
                splits.add(by_hash(splitting, fresh[0], newest_ms=latest_ms, now_ms=self.now_ms))
            open_already = "sealed" in splits and not seen.isdisjoint(arriving)
            split: Split = splits.pop() if len(splits) == 1 and not open_already else "train"
            reason: Reason = "seen_before" if open_already else "near_duplicate" if members else "entered"
            component = min(there, default=fresh[0] if fresh else arriving[0])
            leaving = [each for each in members.values() if each.split != split]
            left += self._leave(leaving, split, reason)
            moved = {each.group_key for each in leaving}
            for each in members.values():
                latest = max(each.newest_ms, newest.get(each.group_key, 0))
                if each.component != component or latest != each.newest_ms:
                    why: Reason = reason if each.group_key in moved else each.reason
                    at = self.now_ms if each.group_key in moved else each.at
                    changed.append(replace(each, component=component, newest_ms=latest, split=split, reason=why, at=at))
            changed += [
                GroupSplit(
                    group_key=key,
                    component=component,
                    split=split,
                    reason=reason,
                    at=self.now_ms,
                    newest_ms=newest[key],
                )
                for key in fresh
            ]
            found |= dict.fromkeys(arriving, split)
        tx.put_groups(name, changed)
        return found, left

    def _leave(self, groups: Sequence[GroupSplit], split: Split, reason: Reason) -> list[str]:
        """Move groups that are one with some of another split; note and return those that were sealed."""
        if groups:
            keys = [each.group_key for each in groups]
            release(self.tx, self.vault, self.dataset.name, keys, split, reason, self.now_ms)
        sealed = [each.group_key for each in groups if each.split == "sealed"]
        if sealed:
            _taint(self.tx, self.dataset.name, sealed, reason, self.actor, self.now_ms)
        return sealed


def entrance(tx: Tx, catalogue: Catalogue, dataset: Dataset, actor: str, now_ms: int) -> Entrance:
    """Return the way into the version of a dataset that was begun, in a transaction of this catalogue."""
    return Entrance(tx, catalogue.vault, dataset, actor, now_ms)


def load_linker() -> Linker:
    """Return what finds near-duplicates, loaded now."""
    return cast("Linker", import_module("calibrant.datasets.near"))


def release(
    tx: Tx, vault: Vault, dataset_name: str, keys: Sequence[str], split: Split, reason: Reason, now_ms: int
) -> None:
    """Move groups to a split that is not sealed, with their contents where these were in the vault.

    The vault still has them; `holdout.swept` takes them away once this transaction is done. Of what was sealed,
    `unseal_twins` is due.

    Raises:
        StoreUnavailable: the vault cannot be read, or lacks a content.
    """
    hashes = tx.contents_of_groups(dataset_name, keys)
    hidden = sorted(hashes - tx.in_the_open(tuple(hashes)))
    contents = vault.get(hidden)
    if len(contents) < len(hidden):
        missing = next(each for each in hidden if each not in contents)
        raise StoreUnavailable(
            f"sealed contents: {missing[:16]}, and {len(hidden) - len(contents) - 1} others, are not there; restore "
            "the vault from the backup that the catalogue is of"
        )
    tx.show_contents(contents.items())
    tx.move_groups(dataset_name, keys, split, reason, now_ms)


def unseal_twins(
    tx: Tx,
    vault: Vault,
    dataset_name: str,
    hashes: Collection[str],
    actor: str,
    now_ms: int,
    *,
    contents: Mapping[str, Content] | None = None,
) -> None:
    """Let go of whatever is sealed, in any dataset, that stands in the open by now, or nearly: somebody has it.

    What is nearly the same as such a one goes with it, and so do its twins in turn. Costs a question or two where
    nothing is sealed elsewhere.

    Args:
        tx: In which they came into the open.
        vault: Of the same catalogue.
        dataset_name: The dataset that has them.
        hashes: Of the contents that stand in the open by now.
        actor: Who the ledger says it was.
        now_ms: Unix time.
        contents: Those of them of which the dataset may have no prints, since it is not split.

    Raises:
        StoreUnavailable: the vault cannot be read, or lacks a content.
    """
    waiting: list[tuple[str, Collection[str], Mapping[str, Content]]] = [(dataset_name, hashes, contents or {})]
    while waiting:
        where, opened, given = waiting.pop()
        if not opened:
            continue
        same: dict[str, set[str]] = {}
        for each in tx.sealed_with(sorted(opened)):
            same.setdefault(each.dataset_name, set()).add(each.group_key)
        twins: list[tuple[str, set[str], Reason]] = [(name, same[name], "seen_before") for name in sorted(same)]
        twins.extend((name, keys, "near_duplicate") for name, keys in _near_elsewhere(tx, where, opened, given))
        for name, found, reason in twins:
            # Of two ways to the same group the first has let it go.
            still = [each.group_key for each in tx.group_splits(name, sorted(found)).values() if each.split == "sealed"]
            if still:
                keys = whole(tx, name, still)
                _taint(tx, name, keys, reason, actor, now_ms)
                release(tx, vault, name, keys, "train", reason, now_ms)
                waiting.append((name, tx.contents_of_groups(name, keys), {}))


def _near_elsewhere(
    tx: Tx, dataset_name: str, hashes: Collection[str], contents: Mapping[str, Content]
) -> list[tuple[str, set[str]]]:
    """Return, by dataset, the groups of other datasets, with a seal, that have what is nearly the same as a content."""
    others = [name for name in tx.sealed_datasets() if name != dataset_name]
    if not others:
        return []
    linker = load_linker()
    kept = tx.prints(dataset_name, sorted(hashes))
    made = linker.prints_kept(kept)
    made += linker.prints_of({each: text_of(content) for each, content in contents.items() if each not in kept})
    found: list[tuple[str, set[str]]] = []
    for name in others:
        near = sorted({there for _, there in linker.links_to_present(tx, name, made)})
        found.append((name, {key for keys in tx.groups_with(name, near).values() for key in keys}))
    return found


def whole(view: Reading, dataset_name: str, keys: Sequence[str]) -> list[str]:
    """Return groups with their near-duplicates, which are never in two splits."""
    components = {each.component for each in view.group_splits(dataset_name, keys).values()}
    return [each.group_key for each in view.component_groups(dataset_name, sorted(components))]


def group_marks(view: Reading, dataset_name: str, keys: Sequence[str]) -> list[str]:
    """Return what the ledger says for groups of a dataset; empty where it is not split."""
    dataset = view.dataset(dataset_name)
    if dataset is None or dataset.splitting is None:
        return []
    return [group_mark(dataset.splitting.salt, key) for key in keys]


def _taint(tx: Tx, dataset_name: str, keys: Sequence[str], reason: Reason, actor: str, now_ms: int) -> None:
    detail = {"reason": reason, "groups": group_marks(tx, dataset_name, keys)}
    tx.write_ledger(LedgerEntry(at=now_ms, actor=actor, act="taint", dataset_name=dataset_name, detail=detail))


def _made_ms(row: Datapoint) -> int:
    """Return when what a row is of was made, by the ids that have an instant in them."""
    return id_millis(row.origin.inference_id or row.origin.root_id or row.id)
