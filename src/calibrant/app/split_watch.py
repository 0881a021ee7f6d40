"""What changes when other inferences are held back, so that whoever has examples in memory reads them again."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from calibrant.datasets.withheld import Withheld
from calibrant.store.splits import SplitMark

__all__ = ["SplitWatch"]

_LOOK_S: Final = 30.0
"""How often a dataset may change that is split before everything is read again: an import changes one each second."""


class SplitWatch:
    """Watches the datasets that are split. For one thread."""

    def __init__(self, withheld: Withheld, clock: Callable[[], float] = monotonic) -> None:
        """Look at nothing yet.

        Args:
            withheld: Whose answers are remembered.
            clock: Monotonic seconds.
        """
        self._withheld = withheld
        self._clock = clock
        self._due = 0.0
        self._mark = SplitMark()

    def read(self) -> SplitMark:
        """Return a mark: another one as soon as a dataset is sealed, or half a minute after any other change.

        Raises:
            StoreUnavailable: the catalogue cannot be asked now.
        """
        mark, now = self._withheld.mark(), self._clock()
        if now >= self._due or _names(mark) != _names(self._mark):
            self._mark, self._due = mark, now + _LOOK_S
        return self._mark


def _names(mark: SplitMark) -> list[str]:
    return [name for name, _ in mark.versions]
