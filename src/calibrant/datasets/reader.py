"""The one reader of datapoints' payloads: for lists, exports, evaluation and optimization. Blocks.

Who may see which datapoint is decided here and nowhere else, so that what is held back is held back from everybody.
Whatever learns is given `train` alone; what is sealed nobody is given: of it there is a row without content.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from calibrant.base.errors import Forbidden, InvalidRequest, NotFound
from calibrant.store.catalogue import Catalogue
from calibrant.types.datapoint import Datapoint, DatapointQuery, Dataset
from calibrant.types.key import Principal
from calibrant.types.split import SPLITS, Purpose, Split

__all__ = ["TRAINABLE", "DatasetReader", "learns"]

TRAINABLE: Final[tuple[Split, ...]] = ("train",)
_PAGE = 200


def learns(principal: Principal | None) -> bool:
    """Return whether whoever asks is an optimizer, which must not see what it is measured by."""
    return principal is not None and "optimizer" in principal.roles and "admin" not in principal.roles


class DatasetReader:
    """Reads from a catalogue; may be used from any thread."""

    def __init__(
        self,
        catalogue: Catalogue,
        principal: Principal | None = None,
        *,
        purpose: Purpose = "reading",
        splits: Sequence[Split] | None = None,
    ) -> None:
        """Open nothing.

        Args:
            catalogue: Which has them.
            principal: Who reads: with a list of functions, there are only datapoints of these; an optimizer reads for
                training, whatever it says.
            purpose: What for.
            splits: Of a dataset that is split these alone, of those that such a reader is given; null is all of them.

        Raises:
            InvalidRequest: there is none of these, or it is sealed.
            Forbidden: it is not `train`, and whoever reads learns from it.
        """
        self._catalogue = catalogue
        self._grants = None if principal is None else principal.grants
        self._splits: tuple[Split, ...] | None = TRAINABLE if purpose == "training" or learns(principal) else None
        if splits is not None:
            self._splits = _checked(splits, self._splits)

    def dataset(self, name: str, version: int | None = None) -> Dataset:
        """Return what is known of a dataset.

        Raises:
            NotFound: there is none of this name, or it has no such version.
        """
        with self._catalogue.reading() as view:
            found = view.dataset(name)
        if found is None:
            raise NotFound(f"there is no dataset {name[:80]!r}; list them for their names")
        if version is not None and not 0 <= version <= found.version:
            raise NotFound(f"dataset {name[:80]!r} has versions 0 to {found.version}, and no {version}")
        return found

    def page(self, which: DatapointQuery) -> tuple[Datapoint, ...]:
        """Return a page of datapoints."""
        if self._grants is not None:
            which = replace(which, functions=self._grants.functions)
        if self._splits is not None:
            which = replace(which, splits=self._splits)
        with self._catalogue.reading() as view:
            return view.datapoints(which)

    def left_out(self, which: DatapointQuery) -> dict[Split, int]:
        """Return how many of the datapoints that are asked for this reader leaves out, by their split.

        What is sealed is among those that `page` gives without content, where it leaves nothing out.
        """
        if self._grants is not None:
            which = replace(which, functions=self._grants.functions)
        with self._catalogue.reading() as view:
            counted = view.count_by_split(which)
        given = SPLITS if self._splits is None else self._splits
        return {split: number for split, number in counted.items() if split not in given}

    def get(self, ids: Sequence[str], *, dataset_name: str | None = None) -> tuple[Datapoint, ...]:
        """Return datapoints by id, stale ones too; unknown ones are left out."""
        with self._catalogue.reading() as view:
            found = view.find_datapoints(ids, dataset_name=dataset_name)
        grants = self._grants
        return tuple(
            each
            for each in found
            if (grants is None or grants.function(each.content.function_name))
            and (self._splits is None or each.split is None or each.split in self._splits)
        )

    def stream(self, which: DatapointQuery) -> Iterator[Datapoint]:
        """Yield every datapoint of a version, by id, whatever is done to the dataset meanwhile.

        No transaction is held open between pages: rows of a version do not change.

        Raises:
            NotFound: there is no such dataset or version.
        """
        dataset = self.dataset(which.dataset_name, which.version)
        version = dataset.version if which.version is None else which.version
        which = replace(which, version=version, descending=False, offset=0, limit=_PAGE)
        while page := self.page(which):
            yield from page
            which = replace(which, after=page[-1].id)


def _checked(splits: Sequence[Split], allowed: tuple[Split, ...] | None) -> tuple[Split, ...]:
    for each in splits:
        if each not in SPLITS:
            raise InvalidRequest(f"split: {str(each)[:40]!r} is none of {', '.join(SPLITS)}")
        if each == "sealed":
            raise InvalidRequest("split: nobody is given what is sealed; a confirmation measures by it")
        if allowed is not None and each not in allowed:
            raise Forbidden(f"split: whoever learns is given `train` alone, and not {each!r}", reason="split")
    return tuple(dict.fromkeys(splits))
