"""What the recorder says of itself, in `recorder.json`: written by it, read by the workers and by `calibrant spool`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal

from msgspec import DecodeError, Struct, ValidationError
from msgspec.json import Decoder, Encoder

__all__ = ["RecorderStatus", "read_status", "write_status"]

_NAME = "recorder.json"


class RecorderStatus(Struct, frozen=True):
    """The recorder at one moment."""

    pid: int
    state: Literal["running", "store_away", "stopped"]
    updated_ms: int
    """When this was written; a recorder that runs says so at least once a second."""
    watermark_ms: int = 0
    """Every record handed to the kernel before this time on this host is in the store; 0 while unknown."""
    store_error: str = ""
    """Why the database cannot be written; empty when it can."""
    lag_bytes: int = 0
    lag_frames: int = 0
    """By what the workers last published, which may be half a second old."""
    database_bytes: int = 0
    quarantined: int = 0
    warnings: tuple[str, ...] = ()


_encoder = Encoder()
_decoder = Decoder(RecorderStatus)


def read_status(directory: Path) -> RecorderStatus | None:
    """Return the last words of the recorder of a spool folder; None when there are none."""
    try:
        return _decoder.decode((directory / _NAME).read_bytes())
    except (OSError, DecodeError, ValidationError):
        return None


def write_status(directory: Path, status: RecorderStatus) -> None:
    """Replace the status at once and whole; a disk with no room for it is borne, the old status then grows old."""
    fresh = directory / (_NAME + ".new")
    with suppress(OSError):
        fresh.write_bytes(_encoder.encode(status))
        fresh.chmod(0o600)
        fresh.replace(directory / _NAME)
