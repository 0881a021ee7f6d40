"""What a worker knows of workflow evaluations: looked up off the event loop, and kept, since none ever changes."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from calibrant.store.catalogue import Catalogue
from calibrant.types.workflow import Pinned

__all__ = ["CatalogueWorkflows"]

_THREADS = 2
_KEPT = 10_000


class CatalogueWorkflows:
    """Implements `engine.Workflows` over the catalogue; for one event loop."""

    def __init__(self, catalogue: Catalogue, *, kept: int = _KEPT) -> None:
        """Know nothing yet.

        Args:
            catalogue: Where runs and episodes are.
            kept: How many episodes to remember.
        """
        self._catalogue = catalogue
        self._most = kept
        self._kept: dict[str, Pinned] = {}
        self._threads = ThreadPoolExecutor(_THREADS, "workflows")

    async def pinned(self, episode_id: str) -> Pinned | None:
        """Return what inferences of an episode take from its run, or null where it is of none.

        An episode that is unknown is asked for again each time: another worker may be making it now.

        Raises:
            StoreUnavailable: the catalogue cannot be asked now.
        """
        known = self._kept.get(episode_id)
        if known is not None:
            return known
        found = await asyncio.get_running_loop().run_in_executor(self._threads, self._look, episode_id)
        if found is not None:
            if len(self._kept) >= self._most:
                # The oldest goes: tasks are worked on one after the other.
                del self._kept[next(iter(self._kept))]
            self._kept[episode_id] = found
        return found

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False)

    def _look(self, episode_id: str) -> Pinned | None:
        with self._catalogue.reading() as view:
            return view.pinned(episode_id)
