"""Deletes what was found to belong to a user or an episode, and the bytes that deleting leaves behind.

What is found again only by way of the record goes first, the record's rows come last: whoever ends an erasure half-way,
the next one finds what is left.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeVar

from calibrant.app.belongings import Belongings
from calibrant.app.bucket import open_bucket
from calibrant.app.caching import open_cache
from calibrant.app.files import blob_folder
from calibrant.app.options import Options
from calibrant.app.outbound import client_settings
from calibrant.base.clock import Clock
from calibrant.base.errors import StoreUnavailable
from calibrant.config.environment import settings_from_environ
from calibrant.config.schema import Config
from calibrant.datasets import holdout
from calibrant.net.client import Client
from calibrant.store.base import Events
from calibrant.store.blobs import BlobFolder
from calibrant.store.bucket import BucketFailed
from calibrant.store.catalogue import Catalogue
from calibrant.store.erasing import Doomed
from calibrant.store.spool_washing import wash
from calibrant.store.vectors import VectorStore
from calibrant.types.erasure import Erasure
from calibrant.types.storage import S3Storage

__all__ = ["Removal"]

_STEP: Final = 100
"""Rows of the catalogue that one transaction changes, and inferences whose inputs are in memory at a time."""
_DATAPOINTS: Final = 500
_PAUSE_S: Final = 0.005
_SCRUB_S: Final = 60.0
_LATER: Final = (
    "No question finds it in ClickHouse any more. The files that it was in are replaced, and the server deletes the "
    "old ones by itself, after `old_parts_lifetime` seconds."
)
_SLACK_MS: Final = 1_000
"""How long after an inference was over its file may have been marked as used."""

T = TypeVar("T")


@dataclass(slots=True)
class Removal:
    """One removal; counts into `done`."""

    options: Options
    environ: Mapping[str, str]
    config: Config
    events: Events
    catalogue: Catalogue
    found: Belongings
    done: Erasure
    actor: str
    clock: Clock

    def remove(self) -> None:
        """Delete what was found."""
        found, done = self.found, self.done
        self._purge_cache()
        for entry in found.quarantined:
            done.quarantined += self.events.mark(entry, "dropped", "erased")
        self._remove_files()
        if self.catalogue.exists():
            self._remove_from_catalogue()
        at_once = self.events.erased_at_once
        # Feedback on an episode is found by the inferences, so before them.
        for episodes in _steps(found.episodes, at_once):
            done.feedback += self.events.erase((), episodes).feedback
        for feedback in _steps(found.feedback, at_once):
            done.feedback += self.events.erase_feedback(feedback)
        for ids in _steps(sorted(found.inferences), at_once):
            for some in _steps(ids, _STEP):
                self._forget_vectors(some)
            removed = self.events.erase(ids, ())
            done.inferences += removed.inferences
            done.model_inferences += removed.model_inferences
            done.feedback += removed.feedback
            if self.catalogue.exists():
                # Somebody may have made datapoints of them meanwhile.
                with self.catalogue.reading() as view:
                    late = view.datapoints_of(ids)
                self._erase_datapoints(late)
            # Somebody who waits for the database comes first.
            time.sleep(_PAUSE_S)
        if self.catalogue.exists():
            # Also of what an erasure left that was ended before it came here.
            holdout.swept(self.catalogue)

    def scrub(self) -> None:
        """Leave no byte of it in the files of this data folder."""
        options = self.options
        self.events.settle()
        try:
            self.done.spool_bytes = wash(options.spool_dir, self.events.cursor)
        except OSError as error:
            raise StoreUnavailable(f"spool folder {options.spool_dir}: {error.strerror}") from None
        self._scrub_record()
        steps: list[tuple[str, Callable[[], bool]]] = []
        if self.catalogue.exists():
            steps.append(("the catalogue", self.catalogue.scrub))
            if self.catalogue.vault.exists():
                steps.append(("the sealed contents", self.catalogue.vault.scrub))
        if options.vectors_path.exists():
            steps.append(("vectors.db", VectorStore(options.vectors_path).scrub))
        if options.cache_path.exists():
            steps.append(("cache.db", lambda: asyncio.run(self._scrub_cache())))
        for what, step in steps:
            self._until_done(what, step)

    def _scrub_record(self) -> None:
        """However long it takes, as long as it gets on; the recorder has its turn between two steps."""
        while (state := self.events.scrub()) == "more":
            time.sleep(_PAUSE_S)
        if state == "later":
            self.done.notes.append(_LATER)
        if state == "busy":
            self._until_done("the record", lambda: self.events.scrub() == "done")

    def _until_done(self, what: str, step: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _SCRUB_S
        while not step():
            if time.monotonic() > deadline:
                self.done.notes.append(
                    f"Deleted bytes may still stand in free pages or in the log of {what}, which somebody is reading: "
                    "erase again to finish."
                )
                return
            time.sleep(_PAUSE_S)

    def _purge_cache(self) -> None:
        if not self.options.cache_path.exists() or not self.found.models:
            return

        async def purge() -> int:
            cache = open_cache(self.options, self.config.gateway.cache)
            try:
                return sum([await cache.purge(model) for model in sorted(self.found.models)])
            finally:
                await cache.close()

        try:
            self.done.cached_answers = asyncio.run(purge())
        except OSError as error:
            raise StoreUnavailable(str(error)) from None

    async def _scrub_cache(self) -> bool:
        cache = open_cache(self.options, self.config.gateway.cache)
        try:
            return await cache.scrub()
        except OSError as error:
            raise StoreUnavailable(str(error)) from None
        finally:
            await cache.close()

    def _remove_files(self) -> None:
        folder, kind = blob_folder(self.config, self.options)
        if folder is None:
            return
        gone = {key for key, last_ms in self.found.files.items() if _drop(folder, key, last_ms)}
        if isinstance(kind, S3Storage) and gone:
            gone = asyncio.run(self._remove_from_bucket(kind, gone))
        self.done.files = len(gone)
        self.done.files_kept += len(self.found.files) - len(gone)

    async def _remove_from_bucket(self, kind: S3Storage, keys: Collection[str]) -> set[str]:
        """Delete files from the bucket; return those that are gone."""
        client = Client(settings=client_settings(self.config, settings_from_environ(self.environ).proxies))
        gone: set[str] = set()
        try:
            bucket = open_bucket(kind, self.environ, client)
            for key in sorted(keys):
                try:
                    await bucket.delete(key)
                except BucketFailed as error:
                    self.done.notes.append(f"File {key} is still in the bucket, delete it there: {error}.")
                else:
                    gone.add(key)
        finally:
            await client.close()
        return gone

    def _remove_from_catalogue(self) -> None:
        self._erase_datapoints(tuple(self.found.datapoints.values()))
        now_ms = self.clock.wall_ms()
        for some in _steps(self.found.elements, _STEP):
            with self.catalogue.transaction() as tx:
                self.done.batch_elements += tx.erase_batch_elements(some, now_ms)
        if self.found.workflow_episodes:
            with self.catalogue.transaction() as tx:
                self.done.workflow_episodes = tx.erase_workflow_episodes(self.found.workflow_episodes)

    def _erase_datapoints(self, doomed: Sequence[Doomed]) -> None:
        # Those of one dataset together, so that few versions are made.
        for some in _steps(sorted(doomed, key=lambda each: each.dataset_name), _DATAPOINTS):
            with self.catalogue.transaction() as tx:
                self.done.datapoints += tx.erase_datapoints(some, actor=self.actor, now_ms=self.clock.wall_ms())

    def _forget_vectors(self, ids: Sequence[str]) -> None:
        if self.options.vectors_path.exists():
            # As `examples` has them.
            texts = [(row.input or b"").decode("utf-8", "replace") for row in self.events.get(ids)]
            self.done.vectors += VectorStore(self.options.vectors_path).forget(texts)


def _drop(folder: BlobFolder, key: str, last_ms: float) -> bool:
    try:
        return folder.drop(key, (last_ms + _SLACK_MS) / 1e3)
    except OSError as error:
        raise StoreUnavailable(f"file {key}: {error.strerror}") from None


def _steps(items: Collection[T], size: int) -> Iterator[tuple[T, ...]]:
    rest = iter(items)
    while step := tuple(islice(rest, size)):
        yield step
