"""What feedback refers to: the store's answers, off the event loop, and the recorder's watermark."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from calibrant.store.base import OTHERS_LAG_MS, Reader, TargetView
from calibrant.store.status import read_status
from calibrant.types.rows import InferenceRow, Level

__all__ = ["RecordTargets"]

_THREADS = 4


class RecordTargets:
    """Implements `engine.Targets` over a reader of the store."""

    def __init__(self, reader: Reader, spool_dir: Path) -> None:
        self._reader = reader
        self.others_lag_ms = OTHERS_LAG_MS if reader.shared else 0
        self._spool_dir = spool_dir
        self._threads = ThreadPoolExecutor(_THREADS, "targets")

    async def find(self, target_id: str, level: Level) -> TargetView | None:
        """Return the target, or null where the store has none."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._reader.target, target_id, level)

    async def inference(self, inference_id: str) -> InferenceRow | None:
        """Return an inference with its payloads, or null where the store does not have it."""
        loop = asyncio.get_running_loop()
        rows = await loop.run_in_executor(self._threads, self._reader.get, (inference_id,))
        return rows[0] if rows else None

    def watermark_ms(self) -> int:
        """Return the instant before which every accepted record is in the store."""
        status = read_status(self._spool_dir)
        return 0 if status is None else status.watermark_ms

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False)
