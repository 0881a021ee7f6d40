"""Work that a worker leaves to a process of its own, because it is heavy or has to outlive it.

The process gets its job as one line on standard input, and answers with one on standard output.
"""

from __future__ import annotations

import asyncio
import sys

from calibrant.base.errors import StoreUnavailable

__all__ = ["in_process"]


async def in_process(module: str, job: bytes) -> tuple[bytes, int | None]:
    """Have a module of `calibrant.app` do a job; return what it said, and its exit status.

    Who stops waiting does not stop it.

    Raises:
        StoreUnavailable: no process can be started now.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"calibrant.app.{module}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise StoreUnavailable(f"no process can be started now: {error.strerror}") from None
    said, _ = await process.communicate(job + b"\n")
    return said, process.returncode
