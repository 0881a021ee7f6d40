"""What is done to datasets: each a transaction that makes one version. Blocks; call it off the event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from calibrant.base.errors import Forbidden, InvalidRequest, NotFound
from calibrant.base.ids import uuid7
from calibrant.datasets.entering import entrance
from calibrant.datasets.making import checked_dataset, checked_group_by, made
from calibrant.store.catalogue import Catalogue, Reading, Tx
from calibrant.types.datapoint import (
    BY_EPISODE,
    Action,
    Content,
    Datapoint,
    DatapointEdit,
    Dataset,
    NewDatapoint,
    Origin,
)
from calibrant.types.key import Grants

__all__ = ["Actor", "add", "clear", "clone", "create", "delete", "edit", "rename"]

_PAGE = 500


class Actor(Struct, frozen=True):
    """Who does something, and when."""

    name: str
    """The public id of an API key, or `cli`; empty where no key is asked for."""
    now_ms: int
    grants: Grants | None = None
    """With a list of functions, there are only datapoints of these."""
    learns: bool = False
    """Whether there are only datapoints of `train` for them, where a dataset is split."""

    def sees(self, row: Datapoint) -> bool:
        """Return whether there is this datapoint for them."""
        return self.may(row.content) and not (self.learns and row.split not in (None, "train"))

    def may(self, content: Content) -> bool:
        """Return whether there are datapoints of this function for them."""
        return self.grants is None or self.grants.function(content.function_name)


def create(catalogue: Catalogue, name: str, group_by: str, actor: Actor) -> Dataset:
    """Make an empty dataset, and return what is known of it.

    Raises:
        InvalidRequest: there is one of this name, or the name or the grouping is none.
    """
    checked_group_by(group_by)
    with catalogue.transaction() as tx:
        tx.hold_dataset(name)
        if tx.dataset(checked_dataset(name)) is not None:
            raise InvalidRequest(
                f"dataset {name[:80]!r} is there already, and keeps how it groups; choose another name"
            )
        return tx.change_dataset(name, "create", group_by=group_by, actor=actor.name, now_ms=actor.now_ms)


def add(
    catalogue: Catalogue, name: str, wanted: Iterable[NewDatapoint], actor: Actor, *, action: Action = "add"
) -> tuple[str, ...]:
    """Add datapoints, checked, to a dataset, which is made where there is none; return their ids.

    Raises:
        InvalidRequest: the dataset may not be called so.
        Forbidden: a datapoint is of a function that is not on the list.
    """
    checked_dataset(name)
    ids: list[str] = []
    with catalogue.transaction() as tx:
        dataset = _begun(tx, name, action, actor)

        def rows() -> Iterable[Datapoint]:
            for each in wanted:
                if not actor.may(each.content):
                    raise Forbidden(
                        f"this API key may not add datapoints of the function {each.content.function_name!r}",
                        reason="function",
                    )
                ids.append(uuid7())
                yield _row(each, ids[-1], dataset, actor)

        entrance(tx, catalogue, dataset, actor.name, actor.now_ms).add(rows())
    return tuple(ids)


def edit(
    catalogue: Catalogue,
    name: str,
    edits: Sequence[DatapointEdit],
    actor: Actor,
    check: Callable[[Content], Content],
) -> tuple[str, ...]:
    """Put changed datapoints in the place of old ones, which become stale; return the new ids, in the same order.

    Raises:
        NotFound: one of them is not in the dataset, or stale already.
        InvalidRequest: one is named twice or is of another type, or `check` refuses what it would become.
        Forbidden: one is sealed.
    """
    checked_dataset(name)
    ids = _once([each.id for each in edits])
    with catalogue.transaction() as tx:
        # What is present is looked up under the lock: of two who edit one datapoint, the second finds it stale.
        tx.hold_dataset(name)
        old = _present(tx, name, ids, actor)
        _check_open(old.values(), "edited")
        dataset = _begun(tx, name, "edit", actor)
        tx.end_datapoints(name, ids, version=dataset.version, staled_at=actor.now_ms)
        new = [_edited(old[each.id], each, check) for each in edits]
        rows = [_row(each, uuid7(), dataset, actor) for each in new]
        entrance(tx, catalogue, dataset, actor.name, actor.now_ms).add(rows)
    return tuple(row.id for row in rows)


def rename(
    catalogue: Catalogue, name: str, names: Sequence[tuple[str, str | UnsetType | None]], actor: Actor
) -> tuple[str, ...]:
    """Give datapoints another name, or none, or leave it as it is; their ids stay. Returns them.

    Raises:
        NotFound: one of them is not in the dataset, or stale.
        InvalidRequest: one is named twice.
        Forbidden: one is sealed.
    """
    checked_dataset(name)
    wanted = dict(names)
    ids = _once([each for each, _ in names])
    with catalogue.transaction() as tx:
        # What is present is looked up under the lock: of two who edit one datapoint, the second finds it stale.
        tx.hold_dataset(name)
        old = _present(tx, name, ids, actor)
        _check_open(old.values(), "renamed")
        new = {id_: name for id_, name in wanted.items() if name is not UNSET and name != old[id_].name}
        if new:
            dataset = _begun(tx, name, "rename", actor)
            tx.end_datapoints(name, tuple(new), version=dataset.version, staled_at=None)
            tx.add_datapoints(
                replace(
                    old[id_],
                    since=dataset.version,
                    name=named,
                    actor=actor.name,
                    updated_at=actor.now_ms,
                )
                for id_, named in new.items()
            )
    return tuple(ids)


def delete(catalogue: Catalogue, name: str, ids: Sequence[str], actor: Actor) -> int:
    """Make datapoints stale, and return how many there were; what is not there is passed over."""
    checked_dataset(name)
    with catalogue.transaction() as tx:
        tx.hold_dataset(name)
        found = tx.find_datapoints(ids, dataset_name=name)
        present = [each.id for each in found if each.until is None and actor.sees(each)]
        if not present:
            return 0
        dataset = _begun(tx, name, "delete", actor)
        return tx.end_datapoints(name, present, version=dataset.version, staled_at=actor.now_ms)


def clear(catalogue: Catalogue, name: str, actor: Actor) -> int:
    """Make every datapoint of a dataset stale and leave it out of lists; return how many there were.

    Raises:
        Forbidden: whoever asks has a list of functions, or learns and the dataset is split.
    """
    checked_dataset(name)
    with catalogue.transaction() as tx:
        known = tx.dataset(name)
        if known is None:
            return 0
        if actor.grants is not None and actor.grants.functions is not None:
            raise Forbidden(
                "this API key has a list of functions, and a dataset may have others: delete its datapoints by id",
                reason="function",
            )
        if actor.learns and known.splitting is not None:
            raise Forbidden(
                "this API key is an optimizer's, and the dataset has datapoints that are held back from it: delete "
                "those that it has by id",
                reason="split",
            )
        dataset = _begun(tx, name, "clear", actor)
        ended = tx.end_datapoints(name, None, version=dataset.version, staled_at=actor.now_ms)
        tx.close_dataset(name)
        return ended


def clone(catalogue: Catalogue, name: str, ids: Sequence[str], actor: Actor) -> tuple[str | None, ...]:
    """Copy datapoints of any datasets into one; return the new ids, null for what there is none of.

    Raises:
        Forbidden: one is sealed.
    """
    checked_dataset(name)
    with catalogue.transaction() as tx:
        known = tx.find_datapoints(ids)
        found = {each.id: each for each in known if each.origin.source != "erased" and actor.sees(each)}
        if not found:
            return (None,) * len(ids)
        _check_open(found.values(), "cloned")
        dataset = _begun(tx, name, "clone", actor)
        rows = {each: _row(_copied(row), uuid7(), dataset, actor) for each, row in found.items()}
        entrance(tx, catalogue, dataset, actor.name, actor.now_ms).add(rows.values())
    return tuple(rows[each].id if each in rows else None for each in ids)


def _begun(tx: Tx, name: str, action: Action, actor: Actor) -> Dataset:
    return tx.change_dataset(name, action, group_by=BY_EPISODE, actor=actor.name, now_ms=actor.now_ms)


def _check_open(rows: Iterable[Datapoint], done: str) -> None:
    for row in rows:
        if row.split == "sealed":
            raise Forbidden(
                f"datapoint {row.id} is sealed, and cannot be {done} unseen; `calibrant holdout reveal` shows it, and "
                "takes it out of the seal for good",
                reason="sealed",
            )


def _row(wanted: NewDatapoint, datapoint_id: str, dataset: Dataset, actor: Actor) -> Datapoint:
    return made(
        wanted,
        datapoint_id,
        dataset_name=dataset.name,
        version=dataset.version,
        group_by=dataset.group_by,
        actor=actor.name,
        now_ms=actor.now_ms,
    )


def _once(ids: Sequence[str]) -> Sequence[str]:
    if len(set(ids)) < len(ids):
        twice = next(each for at, each in enumerate(ids) if each in ids[:at])
        raise InvalidRequest(f"datapoint {twice} is named twice; say all that is to change of it at once")
    return ids


def _present(view: Reading, name: str, ids: Sequence[str], actor: Actor) -> dict[str, Datapoint]:
    known = view.find_datapoints(ids, dataset_name=name)
    found = {each.id: each for each in known if each.until is None and actor.sees(each)}
    missing = [each for each in ids if each not in found]
    if missing:
        raise NotFound(f"dataset {name[:80]!r} has no datapoint {missing[0]}, or no longer: list it for those it has")
    return found


def _edited(old: Datapoint, wanted: DatapointEdit, check: Callable[[Content], Content]) -> NewDatapoint:
    if wanted.type != old.content.type:
        raise InvalidRequest(f"type: the datapoint {old.id} is of type {old.content.type!r}, not {wanted.type!r}")
    changes = {
        name: value for name in ("input", "output", "output_schema") if (value := getattr(wanted, name)) is not UNSET
    }
    content = check(replace(old.content, **changes, tools=replace(old.content.tools, **wanted.tools)))
    origin = _descended(old)
    return NewDatapoint(
        content,
        old.name if wanted.name is UNSET else wanted.name,
        old.episode_id,
        old.tags if wanted.tags is UNSET else wanted.tags,
        # Whose words it has now; the one that it was made of says whose it had.
        origin if content == old.content else replace(origin, source="person", feedback_id=None),
    )


def _copied(old: Datapoint) -> NewDatapoint:
    return NewDatapoint(old.content, old.name, old.episode_id, old.tags, _descended(old))


def _descended(old: Datapoint) -> Origin:
    return replace(old.origin, parent_id=old.id, root_id=old.origin.root_id or old.id)
