"""The spool folder: the names in it, who is alive, and the figures that each worker publishes.

    <incarnation>.lock        held by `flock` while the worker lives; its content is the worker's figures
    <incarnation>.<n>.seg     frames; number n is sealed once number n + 1 exists or the worker is dead
    recorder.lock             held by the one recorder
    recorder.json             what the recorder says of itself (`status`)

An incarnation is one run of one worker. Reads and lists; writing frames is `spool`, draining is `recorder`.
"""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

from msgspec import DecodeError, Struct, ValidationError
from msgspec.json import Decoder, Encoder

__all__ = [
    "FIGURES_BYTES",
    "Figures",
    "Incarnation",
    "Segment",
    "encode_figures",
    "folder_bytes",
    "hold",
    "is_free",
    "lock_path",
    "read_figures",
    "segment_name",
    "segment_path",
    "survey",
]

FIGURES_BYTES = 256
_LOCK = ".lock"
_SEGMENT = re.compile(r"(?P<incarnation>[A-Za-z0-9_-]+)\.(?P<number>\d{8,})\.seg")


class Figures(Struct, frozen=True):
    """What a worker says of its spool; the only figures that cannot be read from the frames themselves."""

    written: int = 0
    """Highest sequence number handed to the kernel."""
    pending: int = 0
    """Numbers after it that were shed and await their `Shed` frame."""
    rejected: int = 0
    """Requests that were refused for want of room."""


class Segment(Struct, frozen=True):
    """One file of frames."""

    name: str
    incarnation: str
    number: int
    size: int
    sealed: bool
    """Nothing will be added to it."""


class Incarnation(Struct, frozen=True):
    """One run of one worker and the files that it left."""

    name: str
    dead: bool
    segments: tuple[Segment, ...]
    """By number."""


_encoder = Encoder()
_decoder = Decoder(Figures)


def segment_name(incarnation: str, number: int) -> str:
    """Return the file name of a segment."""
    return f"{incarnation}.{number:08}.seg"


def segment_path(directory: Path, incarnation: str, number: int) -> Path:
    """Return where a segment stands."""
    return directory / segment_name(incarnation, number)


def lock_path(directory: Path, incarnation: str) -> Path:
    """Return the file that a living worker holds."""
    return directory / (incarnation + _LOCK)


def hold(path: Path) -> int | None:
    """Take the lock of a file for as long as the descriptor is open; None when somebody else has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_free(path: Path) -> bool:
    """Say whether nobody holds the file; a file that is gone is free."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        # Shared, so that two who ask at once do not take each other for the owner.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def survey(directory: Path) -> tuple[Incarnation, ...]:
    """Look at the folder; of a dead incarnation every segment is listed, at its last size.

    The order matters: a worker that is found dead has written its last byte, so a listing made afterwards
    shows all that it left. A worker first seen in that listing is taken for alive.
    """
    known = _names(directory)
    dead = {name for name in known if is_free(lock_path(directory, name))}
    found: dict[str, list[tuple[int, str, int]]] = {name: [] for name in known}
    for entry in os.scandir(directory):
        if match := _SEGMENT.fullmatch(entry.name):
            size = _size(entry)
            if size is not None:
                found.setdefault(match["incarnation"], []).append((int(match["number"]), entry.name, size))
    return tuple(_incarnation(name, name in dead, files) for name, files in sorted(found.items()))


def folder_bytes(directory: Path) -> int:
    """Return the bytes of all segments in the folder."""
    return sum(_size(entry) or 0 for entry in os.scandir(directory) if entry.name.endswith(".seg"))


def read_figures(directory: Path, incarnation: str) -> Figures | None:
    """Return what the worker last published; None when its file is gone or empty."""
    try:
        text = lock_path(directory, incarnation).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return _decoder.decode(text) if text else Figures()
    except (DecodeError, ValidationError):
        return Figures()


def encode_figures(figures: Figures) -> bytes:
    """Return figures as JSON of a fixed length, so that writing them again needs no room on the disk."""
    return _encoder.encode(figures).ljust(FIGURES_BYTES - 1) + b"\n"


def _names(directory: Path) -> set[str]:
    names: set[str] = set()
    for entry in os.scandir(directory):
        if match := _SEGMENT.fullmatch(entry.name):
            names.add(match["incarnation"])
        elif entry.name.endswith(_LOCK) and entry.name != "recorder.lock":
            names.add(entry.name.removesuffix(_LOCK))
    return names


def _size(entry: os.DirEntry[str]) -> int | None:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        return None


def _incarnation(name: str, dead: bool, files: list[tuple[int, str, int]]) -> Incarnation:
    files.sort()
    last = files[-1][0] if files else 0
    segments = tuple(
        Segment(name=file, incarnation=name, number=number, size=size, sealed=dead or number < last)
        for number, file, size in files
    )
    return Incarnation(name, dead, segments)
