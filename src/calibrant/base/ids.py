"""UUIDv7 identifiers (RFC 9562, section 5.7): made, parsed and read.

Ids are canonical lower-case strings everywhere. Time comes from the id, so no row stores it twice.
Within one process ids never go backwards, even when the clock does.
"""

from __future__ import annotations

import os
import time
from uuid import UUID

__all__ = [
    "EVALUATED_FROM",
    "IdFactory",
    "ahead",
    "evaluated_episode",
    "evaluated_millis",
    "first_id",
    "id_bytes",
    "id_millis",
    "in_time",
    "parse_uuid7",
    "uuid7",
]

_EARLIEST_MS = 1_579_751_960_000
"""2020-01-23: no id can honestly be older than the draft that UUIDv7 grew from."""
_EVALUATED_MS = 10_000_000_000_000
"""How far ahead of its time, 10^10 seconds, the id of an episode of a workflow evaluation is."""


class IdFactory:
    """Makes UUIDv7 strings that are strictly increasing within the process.

    The 12 bits after the version are a counter within the millisecond; when they are spent, the id borrows
    from the next millisecond.
    """

    __slots__ = ("_counter", "_millis", "_prefix", "_tails")

    def __init__(self) -> None:
        """Start with nothing drawn."""
        self._millis = 0
        self._counter = 0
        self._prefix = ""
        self._tails: list[str] = []

    def __call__(self) -> str:
        """Return the next id."""
        now = time.time_ns() // 1_000_000
        if now > self._millis:
            self._turn(now)
        elif self._counter < 0xFFF:
            self._counter += 1
        else:
            self._turn(self._millis + 1)
        if not self._tails:
            self._tails = _draw_tails()
        return f"{self._prefix}{_COUNTERS[self._counter]}{self._tails.pop()}"

    def _turn(self, millis: int) -> None:
        self._millis = millis
        self._counter = 0
        stamp = f"{millis:012x}"
        self._prefix = f"{stamp[:8]}-{stamp[8:]}-7"


def _draw_tails() -> list[str]:
    # One system call pays for many ids, and one operation on one long number sets the variant of them all.
    drawn = (int.from_bytes(os.urandom(8 * _DRAWN)) & _RANDOM) | _VARIANT
    tails = drawn.to_bytes(8 * _DRAWN).hex("-", 8).split("-")
    return [f"{tail[:4]}-{tail[4:]}" for tail in tails]


_DRAWN = 64
_RANDOM = int("3fffffffffffffff" * _DRAWN, 16)
_VARIANT = int("8000000000000000" * _DRAWN, 16)
"""The two bits of each tail that say RFC 9562."""
_COUNTERS = [f"{counter:03x}-" for counter in range(0x1000)]
"""Written out beforehand: to format a number costs more than all the rest of an id."""

uuid7 = IdFactory()
"""The process's own factory. A forked child must not share it; workers are started afresh instead."""


def _placed(millis: int, uuid: str) -> str:
    stamp = f"{millis:012x}"
    return f"{stamp[:8]}-{stamp[8:]}{uuid[13:]}"


EVALUATED_FROM = _placed(_EARLIEST_MS + _EVALUATED_MS, "")
"""From here on an id is of an episode of a workflow evaluation: a comparison of text tells, on every request."""


def evaluated_episode() -> str:
    """Return the id of a new episode of a workflow evaluation: 10^10 seconds ahead, so that it tells itself apart."""
    made = uuid7()
    return _placed(id_millis(made) + _EVALUATED_MS, made)


def in_time(episode_id: str) -> str:
    """Return what the id of an episode would be if it were not ahead of its time; others stay as they are."""
    if episode_id < EVALUATED_FROM:
        return episode_id
    return _placed(id_millis(episode_id) - _EVALUATED_MS, episode_id)


def ahead(episode_id: str) -> str:
    """Return what the id of an episode would be if it were of a workflow evaluation."""
    return _placed(id_millis(episode_id) + _EVALUATED_MS, episode_id)


def evaluated_millis(uuid: str) -> int:
    """Return when an episode of a workflow evaluation was made, in Unix milliseconds."""
    return id_millis(uuid) - _EVALUATED_MS


def parse_uuid7(text: str, *, now_ms: int, evaluated: bool = False) -> str:
    """Return the canonical form of a UUIDv7 that a caller supplied.

    Args:
        text: As it was sent.
        now_ms: The time.
        evaluated: Whether it may be of an episode of a workflow evaluation, which is ahead of its time.

    Raises:
        ValueError: it is no UUID, not version 7, or its time is before 2020-01-23 or in the future.
    """
    uuid = UUID(text)
    if uuid.version != 7:
        raise ValueError(f"version {uuid.version} where version 7 is expected")
    millis = uuid.int >> 80
    if millis < _EARLIEST_MS:
        raise ValueError("its timestamp is before 2020-01-23")
    if millis > now_ms + 1_000 and not (evaluated and _EARLIEST_MS <= millis - _EVALUATED_MS <= now_ms + 1_000):
        raise ValueError("its timestamp is in the future")
    return str(uuid)


def first_id(millis: int) -> str:
    """Return the smallest id of an instant, in Unix milliseconds."""
    return _placed(max(millis, 0), "00000000-0000-0000-0000-000000000000")


def id_bytes(uuid: str) -> bytes:
    """Return the 16 raw bytes of a canonical id."""
    return bytes.fromhex(uuid.replace("-", ""))


def id_millis(uuid: str) -> int:
    """Return the Unix time in milliseconds that a canonical UUIDv7 carries."""
    return int(uuid[:8] + uuid[9:13], 16)
