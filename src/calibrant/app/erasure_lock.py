"""The lock that keeps erasures and backups of one data folder apart: a backup has all that is of one person or none."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from calibrant.base.errors import StoreUnavailable
from calibrant.store.segments import hold

__all__ = ["erasure_lock"]


@contextmanager
def erasure_lock(run_dir: Path) -> Generator[None]:
    """Hold the lock.

    Raises:
        StoreUnavailable: somebody else has it.
    """
    run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = hold(run_dir / "erasure.lock")
    if lock is None:
        raise StoreUnavailable("an erasure or a backup runs on this data folder; wait until it has ended")
    try:
        yield
    finally:
        os.close(lock)
