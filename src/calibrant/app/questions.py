"""Questions to the record that handlers ask, off the event loop.

They have threads of their own: a slow one holds up others of its kind, and never feedback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from calibrant.store.base import Reader

__all__ = ["RecordQuestions"]

_THREADS = 4

T = TypeVar("T")


class RecordQuestions:
    """Implements `server.inferences.Questions` over a reader of the store."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._threads = ThreadPoolExecutor(_THREADS, "questions")

    async def ask(self, question: Callable[[Reader], T]) -> T:
        """Return what a question comes to."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, question, self._reader)

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
