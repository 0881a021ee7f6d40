"""The sealed holdout: datasets are sealed, what is sealed is shown, moved or let go, and each act stands in the ledger.

With `entering` the only code that opens the vault, but for a confirmation. Blocks; call it off the event loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal

import msgspec

from calibrant.base.errors import InvalidRequest, NotFound
from calibrant.base.ids import id_millis
from calibrant.datasets.connecting import connected
from calibrant.datasets.editing import Actor
from calibrant.datasets.entering import group_marks, load_linker, release, unseal_twins, whole
from calibrant.datasets.making import checked_dataset
from calibrant.datasets.splitting import by_hash, is_new, new_splitting
from calibrant.datasets.wording import text_of
from calibrant.store.catalogue import Catalogue, Reading, Tx
from calibrant.store.portable import pages
from calibrant.store.sql_splits import entry_hash
from calibrant.types.datapoint import Content, Datapoint, Dataset
from calibrant.types.split import SPLITS, GroupSplit, LedgerEntry, Reason, Shares, Split, SplitCount, Splitting

__all__ = ["broken_at", "graduate", "ledger_lines", "move", "reveal", "seal", "split_of", "swept", "too_old"]

_PAGE: Final = 400
_content = msgspec.json.Decoder(Content).decode


def seal(catalogue: Catalogue, name: str, shares: Shares, newest_days: int | None, actor: Actor) -> Dataset:
    """Split a dataset, with what it has and all that will come, and put the contents of the sealed part away.

    Raises:
        NotFound: there is no such dataset.
        InvalidRequest: it is split already, or the days are none.
    """
    checked_dataset(name)
    try:
        splitting = new_splitting(shares, newest_days, actor.now_ms)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
    with catalogue.transaction() as tx:
        tx.hold_dataset(name)
        known = tx.dataset(name)
        if known is None:
            raise NotFound(f"there is no dataset {name[:80]!r}; `calibrant dataset create` makes one")
        if known.splitting is not None:
            raise InvalidRequest(
                f"dataset {name[:80]!r} is split already, and stays so: another salt would tear its groups apart"
            )
        begun = tx.change_dataset(name, "seal", group_by=known.group_by, actor=actor.name, now_ms=actor.now_ms)
        tx.set_splitting(name, splitting)
        groups = _first_groups(tx, name, splitting, actor.now_ms)
        tx.put_groups(name, groups)
        hashes = tx.contents_of_groups(name, [each.group_key for each in groups if each.split == "sealed"])
        for some in pages(sorted(hashes), _PAGE):
            catalogue.vault.put(tx.stored_contents(some).items())
            tx.hide_contents(some)
        _note(tx, actor, "seal", name, {"version": begun.version, "shares": msgspec.to_builtins(shares)})
        found = tx.dataset(name)
    catalogue.scrub()
    return begun if found is None else found


def move(catalogue: Catalogue, name: str, datapoint_ids: Sequence[str], split: Split, actor: Actor) -> int:
    """Move the groups of datapoints, with their near-duplicates, to another split; return how many groups moved.

    Raises:
        NotFound: a datapoint is not in the dataset.
        InvalidRequest: the dataset is not split, or they are to come under the seal: what was seen stays seen.
    """
    if split == "sealed":
        raise InvalidRequest("split: nothing is moved under the seal, since somebody has seen it; new cases fill it")
    with catalogue.transaction() as tx:
        _splitting_of(tx, name)
        keys = whole(tx, name, _keys_of(tx, name, datapoint_ids))
        moved = [each for each in tx.group_splits(name, keys).values() if each.split != split]
        if moved:
            _let_go(catalogue, tx, name, moved, split, "moved", actor, "move")
    swept(catalogue)
    return len(moved)


def reveal(
    catalogue: Catalogue, datapoint_ids: Sequence[str], actor: Actor, *, dataset_name: str | None = None
) -> tuple[Datapoint, ...]:
    """Return datapoints with their contents. Sealed ones leave the seal for `train`, with all of their group.

    Raises:
        NotFound: one of them is not there.
    """
    with catalogue.transaction() as tx:
        known = tx.find_datapoints(datapoint_ids, dataset_name=dataset_name)
        missing = [each for each in datapoint_ids if each not in {row.id for row in known}]
        if missing:
            raise NotFound(f"there is no datapoint {missing[0][:80]}")
        sealed: dict[str, set[str]] = {}
        for row in known:
            if row.split == "sealed":
                sealed.setdefault(row.dataset_name, set()).add(row.group_key)
        for name, keys in sealed.items():
            groups = list(tx.group_splits(name, whole(tx, name, sorted(keys))).values())
            _let_go(catalogue, tx, name, groups, "train", "revealed", actor, "reveal")
        found = tx.find_datapoints(datapoint_ids)
    swept(catalogue)
    return found


def graduate(
    catalogue: Catalogue, tx: Tx, name: str, keys: Sequence[str], split: Split, reason: Reason, actor: Actor
) -> None:
    """Let groups that were used up leave the seal, with what is nearly the same; `swept` is due after the transaction.

    What came in while a confirmation read its twin was not read itself, but the twin is in the open from now on.
    """
    groups = [each for each in tx.group_splits(name, whole(tx, name, keys)).values() if each.split == "sealed"]
    if groups:
        _let_go(catalogue, tx, name, groups, split, reason, actor, "taint" if reason == "in_prompt" else "graduate")


def too_old(tx: Reading, name: str, splitting: Splitting, now_ms: int) -> tuple[GroupSplit, ...]:
    """Return sealed groups that are older than what their dataset seals, and so is all that is nearly the same."""
    if splitting.newest_days is None:
        return ()
    groups = tuple(_sealed(tx, name))
    new = {each.component for each in groups if is_new(splitting, each.newest_ms, now_ms)}
    return tuple(each for each in groups if each.component not in new)


def swept(catalogue: Catalogue) -> int:
    """Take contents out of the vault that are not sealed any more, and return how many that were.

    What confirmations were answered to datapoints that were erased goes, too. Whoever was ended half-way, this finds
    what they left.
    """
    vault = catalogue.vault
    removed, after = 0, ""
    while True:
        # Under the catalogue's write lock nobody is between putting a content there and saying so here.
        with catalogue.transaction() as tx:
            some = vault.hashes(after=after, limit=_PAGE)
            sealed = {each.content_hash for each in tx.sealed_with(some)}
            orphans = [each for each in some if each not in sealed]
            vault.remove(orphans)
        removed += len(orphans)
        if not some:
            break
        after = some[-1]
    after = ""
    while answered := vault.answered(after=after, limit=_PAGE):
        # What is erased stays so: no lock is wanted.
        with catalogue.reading() as view:
            erased = view.erased_datapoints(answered)
        vault.forget(sorted(erased))
        after = answered[-1]
    return removed


def ledger_lines(view: Reading, dataset_name: str | None = None) -> Iterator[LedgerEntry]:
    """Yield the lines of the ledger in order."""
    after = 0
    while page := view.ledger(dataset_name, after=after, limit=_PAGE):
        yield from page
        after = page[-1].number


def broken_at(entries: Iterable[LedgerEntry]) -> int | None:
    """Return the number of the first line of a whole ledger that was changed since, or lost; null if there is none."""
    previous = ""
    for number, entry in enumerate(entries, 1):
        if entry.number != number or entry.previous != previous or entry.hash != entry_hash(entry):
            return number
        previous = entry.hash
    return None


def split_of(view: Reading, name: str) -> tuple[SplitCount, ...]:
    """Return how much of a dataset each split has, those that have nothing included.

    Raises:
        NotFound: there is no such dataset.
        InvalidRequest: it is not split.
    """
    _splitting_of(view, name)
    counted = {each.split: each for each in view.split_counts(name)}
    return tuple(counted.get(each, SplitCount(each, 0, 0)) for each in SPLITS)


def _first_groups(tx: Tx, name: str, splitting: Splitting, now_ms: int) -> list[GroupSplit]:
    """Return where the groups go that a dataset has when it is sealed: near-duplicates together, by the first key."""
    rows = tx.group_contents(name)
    keys_with: dict[str, list[str]] = {}
    newest: dict[str, int] = {}
    for row in rows:
        keys_with.setdefault(row.content_hash, []).append(row.group_key)
        newest[row.group_key] = max(newest.get(row.group_key, 0), id_millis(row.newest_id))
    linker = load_linker()
    texts: dict[str, str] = {}
    for some in pages(keys_with, _PAGE):
        texts |= {each: text_of(_content(content)) for each, content in tx.stored_contents(some).items()}
    fresh = linker.prints_of(texts)
    tx.put_prints(name, fresh)
    edges = [(keys[0], other) for keys in keys_with.values() for other in keys[1:]]
    edges += [(keys_with[a][0], keys_with[b][0]) for a, b in linker.links_among(fresh)]
    elsewhere = tx.shared_elsewhere(name, tuple(keys_with))
    seen = {key for each in elsewhere for key in keys_with[each]}
    found: list[GroupSplit] = []
    for part in connected(newest, edges):
        first = min(part)
        split = by_hash(splitting, first, newest_ms=max(newest[key] for key in part), now_ms=now_ms)
        reason: Reason = "entered"
        if split == "sealed" and not seen.isdisjoint(part):
            split, reason = "train", "seen_before"
        found += [
            GroupSplit(group_key=key, component=first, split=split, reason=reason, at=now_ms, newest_ms=newest[key])
            for key in part
        ]
    return found


def _splitting_of(view: Reading, name: str) -> Splitting:
    known = view.dataset(checked_dataset(name))
    if known is None:
        raise NotFound(f"there is no dataset {name[:80]!r}; list them for their names")
    if known.splitting is None:
        raise InvalidRequest(f"dataset {name[:80]!r} is not split; `calibrant dataset seal` does it")
    return known.splitting


def _keys_of(view: Reading, name: str, datapoint_ids: Sequence[str]) -> list[str]:
    found = {row.id: row.group_key for row in view.find_datapoints(datapoint_ids, dataset_name=name)}
    missing = [each for each in datapoint_ids if each not in found]
    if missing:
        raise NotFound(f"dataset {name[:80]!r} has no datapoint {missing[0][:80]}")
    return sorted(set(found.values()))


def _sealed(view: Reading, name: str) -> Iterator[GroupSplit]:
    after = ""
    while page := view.sealed_groups(name, after=after, limit=_PAGE):
        yield from page
        after = page[-1].group_key


def _let_go(
    catalogue: Catalogue,
    tx: Tx,
    name: str,
    groups: Sequence[GroupSplit],
    split: Split,
    reason: Reason,
    actor: Actor,
    act: Literal["move", "reveal", "taint", "graduate"],
) -> None:
    keys = [each.group_key for each in groups]
    before = sorted({each.split for each in groups})
    _note(tx, actor, act, name, {"reason": reason, "from": before, "to": split, "groups": group_marks(tx, name, keys)})
    release(tx, catalogue.vault, name, keys, split, reason, actor.now_ms)
    unseal_twins(tx, catalogue.vault, name, tx.contents_of_groups(name, keys), actor.name, actor.now_ms)


def _note(
    tx: Tx,
    actor: Actor,
    act: Literal["seal", "move", "reveal", "taint", "graduate"],
    name: str,
    detail: dict[str, Any],
) -> None:
    entry = LedgerEntry(at=actor.now_ms, actor=actor.name, act=act, dataset_name=name, detail=detail)
    tx.write_ledger(entry)
