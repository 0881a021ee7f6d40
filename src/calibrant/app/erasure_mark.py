"""What changes when something was erased, so that whoever holds words of the record in memory reads them again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Final

from calibrant.store.catalogue import Catalogue

__all__ = ["ErasureMark"]

_LOOK_S: Final = 30.0
"""How often the catalogue is asked what other hosts have erased."""


class ErasureMark:
    """The mark of this host's erasures, a file; and of those of hosts that share its catalogue. For one thread."""

    def __init__(self, path: Path, shared: Catalogue | None = None, clock: Callable[[], float] = monotonic) -> None:
        """Look at nothing yet.

        Args:
            path: Written when something was erased here.
            shared: A catalogue that other hosts have, too; its log says what they erase.
            clock: Monotonic seconds.
        """
        self._path = path
        self._shared = shared
        self._clock = clock
        self._due = 0.0
        self._elsewhere = 0

    def read(self) -> tuple[int, int]:
        """Return a value that is another one after each erasure.

        Raises:
            StoreUnavailable: the catalogue cannot be asked now.
        """
        now = self._clock()
        if self._shared is not None and now >= self._due:
            with self._shared.reading() as view:
                found = (entry.id for entry in view.audit() if entry.action == "record.erase")
                self._elsewhere = max(self._elsewhere, *found, 0)
            self._due = now + _LOOK_S
        return self._here(), self._elsewhere

    def _here(self) -> int:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0
