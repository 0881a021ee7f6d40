"""Moves files from where the workers leave them into the bucket, for as long as that takes. A thread of the recorder.

What waits stands in a folder, so a restart loses nothing; a file is unlinked when the bucket has it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from pathlib import Path
from threading import Event

from calibrant.base.ids import uuid7
from calibrant.store.blobs import BlobFolder
from calibrant.store.bucket import Bucket, BucketFailed
from calibrant.telemetry.metrics import Metrics
from calibrant.types.media import type_by_name

__all__ = ["Uploads"]

_log = logging.getLogger(__name__)
_LOOK_S = 0.25
_BACK_OFF_S = 0.5
_BACK_OFF_MAX_S = 30.0
_AT_ONCE = 4
_BATCH = 200
_FAULTS = 8
"""After so many in one pass it waits."""
_UNKNOWN = "application/octet-stream"


class Uploads:
    """One folder and one bucket."""

    def __init__(self, folder: BlobFolder, bucket: Bucket, run_dir: Path) -> None:
        """Move nothing yet.

        Args:
            folder: What waits.
            bucket: Where it goes.
            run_dir: Where figures are published.
        """
        self._folder = folder
        self._bucket = bucket
        self._metrics = Metrics()
        # A name of its own: what an earlier one counted stays in the host's sums.
        self._published = run_dir / f"uploads-{uuid7()}.metrics"
        self._trouble = ""

    async def run(self, stop: Event) -> None:
        """Upload until asked to stop; then try once more what is left."""
        failures = 0
        while True:
            last = stop.is_set()
            failures = 0 if await self._safely() else failures + 1
            if last:
                return
            delay = min(_BACK_OFF_S * 2**failures, _BACK_OFF_MAX_S) * random.uniform(0.5, 1) if failures else _LOOK_S  # noqa: S311
            await asyncio.to_thread(stop.wait, delay)

    async def _safely(self) -> bool:
        try:
            return await self.pass_once()
        except Exception:  # noqa: BLE001 - a named edge: whatever broke, what waits must not wait for a restart
            _log.exception("a fault of the uploads")
            self._metrics.count("internal_errors", ("uploads",))
            return False

    async def pass_once(self) -> bool:
        """Upload some of what waits; return whether the bucket took all that it was given."""
        try:
            keys = await asyncio.to_thread(self._waiting)
        except OSError as error:
            self._note(f"{self._folder.directory} cannot be read: {error.strerror}")
            return False
        if not keys:
            return True
        good = await self._upload(keys)
        await asyncio.to_thread(self._publish)
        return good

    def _waiting(self) -> Sequence[str]:
        found: list[str] = []
        for key in self._folder.all_keys():
            found.append(key)
            if len(found) == _BATCH:
                break
        return found

    async def _upload(self, keys: Sequence[str]) -> bool:
        waiting = list(keys)
        # One that is refused for good must not always be in the way of the others.
        random.shuffle(waiting)
        faults: list[str] = []
        away = False

        async def some() -> None:
            nonlocal away
            while waiting and not away and len(faults) < _FAULTS:
                try:
                    await self._one(waiting.pop())
                except BucketFailed as error:
                    faults.append(str(error))
                    away = away or not error.final
                except OSError as error:
                    faults.append(f"{self._folder.directory}: {error.strerror}")

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(some())
        if faults:
            self._metrics.count("file_failures", ("upload",), len(faults))
            self._note(faults[0])
        elif self._trouble:
            _log.info("files can be uploaded again")
            self._trouble = ""
        return not faults

    async def _one(self, key: str) -> None:
        content = await asyncio.to_thread(self._folder.get, key)
        if content is None:
            return
        if not await self._bucket.has(key, len(content)):
            await self._bucket.put(key, content, type_by_name(key) or _UNKNOWN)
        await asyncio.to_thread(self._folder.delete, key)

    def _note(self, why: str) -> None:
        if not self._trouble:
            _log.error("files cannot be uploaded, they wait in %s: %s", self._folder.directory, why)
        self._trouble = why

    def _publish(self) -> None:
        try:
            self._published.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._metrics.publish(self._published)
        except OSError:
            # Figures only inform.
            return
