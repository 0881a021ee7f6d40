"""Which recorded inferences are held back from whatever learns, since a dataset has, or would have, them in a split.

A split is a function of the group key, so it holds for the inferences that datapoints are made of, too, and for those
of which none was made yet. One is held back where any split dataset with datapoints of its function does: by the
datapoint that was made of it, by its group, which is looked up and else hashed, or since it is nearly the same as what
stands in a split. Blocks; may be used from any thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from calibrant.base.clock import Clock, SystemClock
from calibrant.base.ids import id_millis
from calibrant.datasets.entering import load_linker
from calibrant.datasets.making import group_key
from calibrant.datasets.splitting import by_hash
from calibrant.datasets.wording import input_text
from calibrant.store.catalogue import Catalogue, Reading
from calibrant.store.splits import Print, SplitMark
from calibrant.types.datapoint import BY_DATAPOINT
from calibrant.types.message import Input
from calibrant.types.replay import EPISODE_TAG, OF_TAG
from calibrant.types.rows import InferenceRow
from calibrant.types.split import GroupSplit, Split, Splitting

__all__ = ["Recorded", "Withheld", "recorded"]

_STRICTEST: Final[tuple[Split, ...]] = ("sealed", "val", "canary")
_NOTHING: Final = SplitMark()
_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_input = msgspec.json.Decoder(Input).decode

_Known = Mapping[str, tuple[str, Splitting, frozenset[str]]]


class Recorded(Struct, frozen=True):
    """What says of an inference where it belongs."""

    id: str
    function_name: str
    episode_id: str
    tags: Mapping[str, str]
    input: bytes | None
    """JSON; null where it is not kept, and then there is nothing that could be nearly the same."""


def recorded(row: InferenceRow) -> Recorded:
    """Return what says of a row where it belongs."""
    return Recorded(row.id, row.function_name, row.episode_id, row.tags, row.input)


class Withheld:
    """Tells what is held back; remembers nothing but which datasets are split."""

    def __init__(self, catalogue: Catalogue, clock: Clock | None = None) -> None:
        """Ask nothing yet.

        Args:
            catalogue: Has the datasets.
            clock: Says how old an inference is, for datasets that seal the newest alone.
        """
        self._catalogue = catalogue
        self._clock = clock or SystemClock()
        self._there = False
        self._known: tuple[SplitMark, _Known] = (_NOTHING, {})

    def mark(self) -> SplitMark:
        """Return another value after whatever could change an answer of `of`, but for the time that passes.

        Raises:
            StoreUnavailable: the catalogue cannot be asked now.
        """
        if not self._exists():
            return _NOTHING
        with self._catalogue.reading() as view:
            return view.split_mark()

    def of(self, rows: Sequence[Recorded], *, besides: str | None = None) -> dict[str, Split]:
        """Return those of a page of inferences that are held back, by id, each with the strictest split that has it.

        Args:
            rows: As many as are held in memory at once.
            besides: A dataset that is not asked, since they are about to enter it and be split there.

        Raises:
            StoreUnavailable: the catalogue cannot be asked now.
        """
        if not rows or not self._exists():
            return {}
        with self._catalogue.reading() as view:
            known = {name: each for name, each in self._datasets(view).items() if name != besides}
        concerned = {name for _, _, functions in known.values() for name in functions}
        asked = [row for row in rows if row.function_name in concerned]
        if not asked:
            return {}
        # Heavy, so before a view is open.
        prints = _prints(asked)
        found: dict[str, set[Split]] = {row.id: set() for row in asked}
        with self._catalogue.reading() as view:
            sources = _sources(view, asked)
            for name, (group_by, splitting, functions) in known.items():
                some = [row for row in asked if row.function_name in functions]
                look = _Look(view, name, group_by, splitting, self._clock.wall_ms())
                for id_, splits in look.splits(some, sources.get(name, {}), prints).items():
                    found[id_] |= splits
        held: dict[str, Split] = {}
        for id_, splits in found.items():
            strictest: Split | None = next((each for each in _STRICTEST if each in splits), None)
            if strictest is not None:
                held[id_] = strictest
        return held

    def _exists(self) -> bool:
        # Asking what is not there would make it.
        self._there = self._there or self._catalogue.exists()
        return self._there

    def _datasets(self, view: Reading) -> _Known:
        mark = view.split_mark()
        if mark != self._known[0]:
            self._known = (mark, view.split_datasets())
        return self._known[1]


class _Look(Struct, frozen=True):
    """One look into one dataset."""

    view: Reading
    name: str
    group_by: str
    splitting: Splitting
    now_ms: int

    def splits(
        self,
        rows: Sequence[Recorded],
        sources: Mapping[str, frozenset[str]],
        prints: Mapping[str, Print],
    ) -> dict[str, set[Split]]:
        """Return in which splits each inference is, or would be.

        Args:
            rows: Of functions that the dataset has datapoints of.
            sources: The groups of datapoints that were made of inferences, by their ids.
            prints: Of the inputs, by the id of the inference.
        """
        own = {row.id: _keys(self.group_by, row) for row in rows}
        made_of = {row.id: _made_of(row, sources) for row in rows}
        near = self._near([prints[row.id] for row in rows if row.id in prints])
        groups = self.view.group_splits(
            self.name,
            [key for some in (own, made_of, near) for keys in some.values() for key in keys],
        )
        return {
            row.id: {
                *_known(groups, made_of[row.id]),
                *_known(groups, near.get(row.id, ())),
                *(self._of_key(groups, key, row) for key in own[row.id]),
            }
            for row in rows
        }

    def _of_key(self, groups: Mapping[str, GroupSplit], key: str, row: Recorded) -> Split:
        """Return where a group is, or would come if it entered now."""
        known = groups.get(key)
        if known is not None:
            return known.split
        return by_hash(self.splitting, key, newest_ms=id_millis(row.id), now_ms=self.now_ms)

    def _near(self, prints: Iterable[Print]) -> dict[str, set[str]]:
        """Return the groups that have what is nearly the same, by the id of the inference."""
        # One input that was sent a thousand times is looked for once.
        ids: dict[bytes, list[str]] = {}
        distinct: list[Print] = []
        for each in prints:
            same = ids.setdefault(each.shingles, [])
            if not same:
                distinct.append(each)
            same.append(each.content_hash)
        links = load_linker().links_to_present(self.view, self.name, distinct) if distinct else []
        groups = self.view.groups_with(self.name, [there for _, there in links])
        by_first: dict[str, set[str]] = {}
        for first, there in links:
            by_first.setdefault(first, set()).update(groups.get(there, ()))
        return {id_: by_first[same[0]] for same in ids.values() if same[0] in by_first for id_ in same}


def _prints(rows: Iterable[Recorded]) -> dict[str, Print]:
    """Return the prints of what was asked, by id; what cannot be read has none."""
    ids: dict[str, list[str]] = {}
    for row in rows:
        if row.input is not None:
            try:
                ids.setdefault(input_text(_input(row.input)), []).append(row.id)
            except _FAULTS:
                # A redaction hook may have left anything.
                continue
    made = load_linker().prints_of({same[0]: text for text, same in ids.items()})
    by_first = {each.content_hash: each for each in made}
    return {
        id_: Print(id_, by_first[same[0]].shingles, by_first[same[0]].bands) for same in ids.values() for id_ in same
    }


def _sources(view: Reading, rows: Sequence[Recorded]) -> dict[str, dict[str, frozenset[str]]]:
    """Return, by dataset and inference, the groups of the datapoints that were made of it."""
    ids = [row.id for row in rows] + [row.tags[OF_TAG] for row in rows if OF_TAG in row.tags]
    found: dict[str, dict[str, frozenset[str]]] = {}
    for each in view.group_sources(ids):
        of_dataset = found.setdefault(each.dataset_name, {})
        of_dataset[each.inference_id] = of_dataset.get(each.inference_id, frozenset()) | {each.group_key}
    return found


def _made_of(row: Recorded, sources: Mapping[str, frozenset[str]]) -> set[str]:
    """Return groups that have the words of an inference: its own, and that of the one of which it is a replay."""
    of = row.tags.get(OF_TAG)
    # A datapoint that was asked again may be the first of its chain, whose id is a key.
    return {*sources.get(row.id, ()), *(() if of is None else (of, *sources.get(of, ())))}


def _keys(group_by: str, row: Recorded) -> set[str]:
    """Return the keys of the groups that an inference is of; none where each datapoint is a group of its own."""
    if group_by == BY_DATAPOINT:
        return set()
    # A replay has an episode of its own, but its words are those of another.
    episodes = {row.episode_id, row.tags.get(EPISODE_TAG, row.episode_id)}
    tags = dict(row.tags)
    return {group_key(group_by, root_id=row.id, episode_id=each, tags=tags) for each in episodes}


def _known(groups: Mapping[str, GroupSplit], keys: Iterable[str]) -> set[Split]:
    return {groups[key].split for key in keys if key in groups}
