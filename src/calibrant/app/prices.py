"""The price table of this host: made once for each version of genai-prices, kept in the run folder, read by all.

Whoever finds it missing has it made by a process of its own, since the package behind it loads much that nobody else
needs; the others wait for that one.
"""

from __future__ import annotations

import fcntl
import logging
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from calibrant.providers.price_table import FORMAT, PriceTable

__all__ = ["read_prices"]

_log = logging.getLogger(__name__)
_MAKE_S = 60.0
_NAME = "prices-"


def read_prices(folder: Path) -> PriceTable | None:
    """Return the price table; null, with a line in the log, where there is none to be had.

    Args:
        folder: Where it is kept; made if it is not there.
    """
    try:
        found = version("genai-prices")
    except PackageNotFoundError:
        _log.error("genai-prices is not installed, so costs without a rule are unknown; install calibrant again")
        return None
    path = folder / f"{_NAME}{found}-{FORMAT}.json"
    table = _opened(path)
    if table is not None:
        return table
    with _alone(folder):
        # Another process may have made it meanwhile.
        return _opened(path) or _made(path)


def _opened(path: Path) -> PriceTable | None:
    try:
        return PriceTable(path.read_bytes())
    except OSError:
        return None
    except ValueError as error:
        _log.warning("the price table %s is unreadable and is made again: %s", path, error)
        return None


def _made(path: Path) -> PriceTable | None:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "calibrant.app.price_source"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_MAKE_S,
            check=True,
        )
        table = PriceTable(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        said = getattr(error, "stderr", None) or b""
        _log.error(
            "the price table could not be made, so costs without a rule are unknown: %s %s",
            error,
            said.decode("utf-8", "replace")[-500:],
        )
        return None
    # A disk without room for it costs the next start the time to make it again, and nothing else.
    with suppress(OSError):
        _keep(path, done.stdout)
    return table


def _keep(path: Path, data: bytes) -> None:
    draft = path.with_suffix(f".{os.getpid()}.draft")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    for old in path.parent.glob(f"{_NAME}*.json"):
        if old != path:
            old.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Wait until nobody else makes a table here; where that cannot be known, go on."""
    descriptor = None
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder / f"{_NAME}lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)
