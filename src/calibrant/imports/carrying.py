"""Foreign datapoints into the catalogue: their ids stay, and each page of a dataset is one transaction.

A datapoint that is stale in the source was there once: it comes with one version and goes with the next, at the time
that the source says, so that it can be read back. What was changed here since is not changed back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from calibrant.datasets.entering import entrance
from calibrant.datasets.making import made
from calibrant.imports.blocks import Unmappable
from calibrant.imports.datapoints import ForeignDatapoint
from calibrant.imports.source import Row
from calibrant.store.catalogue import Catalogue, Tx
from calibrant.types.datapoint import BY_EPISODE, Datapoint

__all__ = ["Carried", "carry_datapoints"]

_ACTOR = "import"


class Carried(Struct, frozen=True):
    """What became of a page."""

    here: int
    """How many of its rows are in the catalogue."""
    added: int
    refused: tuple[tuple[Row, Unmappable], ...]


def carry_datapoints(
    catalogue: Catalogue, rows: Sequence[Row], read: Callable[[Row], ForeignDatapoint], *, now_ms: int
) -> Carried:
    """Bring a page of datapoints into the catalogue; what is there already is looked at for what became of it.

    Args:
        catalogue: Where to.
        rows: The page.
        read: Makes a datapoint of a row, or raises `Unmappable`.
        now_ms: What time it is.

    Raises:
        StoreUnavailable: it cannot be written now; of some datasets the rows may be there.
    """
    wanted: dict[str, dict[str, tuple[Row, ForeignDatapoint]]] = defaultdict(dict)
    refused: list[tuple[Row, Unmappable]] = []
    for row in rows:
        try:
            each = read(row)
        except Unmappable as error:
            refused.append((row, error))
        else:
            wanted[each.dataset_name][each.id] = (row, each)
    here = added = 0
    for name, found in wanted.items():
        with catalogue.transaction() as tx:
            tx.hold_dataset(name)
            known = {each.id: each for each in tx.find_datapoints(list(found))}
            ours: list[ForeignDatapoint] = []
            for row, each in found.values():
                there = known.get(each.id)
                if there is None or there.dataset_name == name:
                    ours.append(each)
                else:
                    refused.append((row, Unmappable(f"the dataset {there.dataset_name!r:.80} has this id already")))
            here += len(ours)
            added += _carry(catalogue, tx, name, ours, known, now_ms)
    return Carried(here, added, tuple(refused))


def _carry(
    catalogue: Catalogue,
    tx: Tx,
    name: str,
    ours: Sequence[ForeignDatapoint],
    known: dict[str, Datapoint],
    now_ms: int,
) -> int:
    new = [each for each in ours if each.id not in known]
    if new:
        dataset = tx.change_dataset(name, "import", group_by=BY_EPISODE, actor=_ACTOR, now_ms=now_ms)
        entrance(tx, catalogue, dataset, _ACTOR, now_ms).add(
            made(
                each.new,
                each.id,
                dataset_name=name,
                version=dataset.version,
                group_by=dataset.group_by,
                actor=_ACTOR,
                now_ms=each.updated_at,
            )
            for each in new
        )
    _rename(tx, name, ours, known, now_ms)
    _end(tx, name, ours, known, now_ms)
    return len(new)


def _rename(tx: Tx, name: str, ours: Sequence[ForeignDatapoint], known: dict[str, Datapoint], now_ms: int) -> None:
    # The only change that the source makes in place. What was renamed here later keeps its name.
    changed = [
        (each, there)
        for each in ours
        if (there := known.get(each.id)) is not None
        and there.until is None
        and there.split != "sealed"
        and each.new.name != there.name
        and each.updated_at > there.updated_at
    ]
    if not changed:
        return
    dataset = tx.change_dataset(name, "rename", group_by=BY_EPISODE, actor=_ACTOR, now_ms=now_ms)
    tx.end_datapoints(name, [there.id for _, there in changed], version=dataset.version, staled_at=None)
    tx.add_datapoints(
        replace(there, since=dataset.version, name=each.new.name, actor=_ACTOR, updated_at=each.updated_at)
        for each, there in changed
    )


def _end(tx: Tx, name: str, ours: Sequence[ForeignDatapoint], known: dict[str, Datapoint], now_ms: int) -> None:
    stale: dict[int, list[str]] = defaultdict(list)
    for each in ours:
        there = known.get(each.id)
        if each.staled_at is not None and (there is None or there.until is None):
            stale[each.staled_at].append(each.id)
    if not stale:
        return
    dataset = tx.change_dataset(name, "delete", group_by=BY_EPISODE, actor=_ACTOR, now_ms=now_ms)
    for staled_at, ids in stale.items():
        tx.end_datapoints(name, ids, version=dataset.version, staled_at=staled_at)
    if tx.count_datapoints(name) == 0:
        # One without any is no longer listed by the source either.
        tx.close_dataset(name)
