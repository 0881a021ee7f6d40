"""Which split a group belongs to, by its key and its age alone. Pure, and the same for ever: it is a matter of record.

The salted hash of the key falls on one of a hundred places. Shares are laid out along them from the end that nobody
sees: sealed, canary, val, train.
"""

from __future__ import annotations

import secrets
from typing import Final

from blake3 import blake3

from calibrant.types.split import Shares, Split, Splitting

__all__ = ["by_hash", "is_new", "new_splitting", "place_of"]

_DAY_MS: Final = 86_400_000


def new_splitting(shares: Shares, newest_days: int | None, now_ms: int) -> Splitting:
    """Return how a dataset is split that is sealed now, with a salt that is drawn.

    Raises:
        ValueError: the days are below 1.
    """
    if newest_days is not None and newest_days < 1:
        raise ValueError(f"newest_days: {newest_days} is below 1")
    return Splitting(salt=secrets.token_hex(16), shares=shares, newest_days=newest_days, since=now_ms)


def place_of(salt: str, group_key: str) -> int:
    """Return a place from 0 to 99, the same for the same salt and key."""
    digest = blake3(f"{salt}\0{group_key}".encode("utf-8", "surrogatepass")).digest()
    # The bias of 2^64 mod 100 is beyond measure.
    return int.from_bytes(digest[:8], "big") % 100


def by_hash(splitting: Splitting, group_key: str, *, newest_ms: int, now_ms: int) -> Split:
    """Return the split of a group that enters, or would.

    Args:
        splitting: Of its dataset.
        group_key: Of the group.
        newest_ms: When the newest of it was made, in Unix milliseconds.
        now_ms: Unix time.
    """
    shares, place = splitting.shares, place_of(splitting.salt, group_key)
    if place < shares.sealed:
        if is_new(splitting, newest_ms, now_ms):
            return "sealed"
        return _shared_out(splitting, group_key)
    return _open(shares, place - shares.sealed)


def is_new(splitting: Splitting, newest_ms: int, now_ms: int) -> bool:
    """Return whether a group is new enough for the seal."""
    days = splitting.newest_days
    return days is None or now_ms - newest_ms < days * _DAY_MS


def _shared_out(splitting: Splitting, group_key: str) -> Split:
    """Return the split of a group that would be sealed but for its age: the others' shares, by another hash."""
    shares = splitting.shares
    rest = 100 - shares.sealed
    if rest == 0:
        return "train"
    return _open(shares, place_of(f"{splitting.salt}\0old", group_key) * rest // 100)


def _open(shares: Shares, place: int) -> Split:
    if place < shares.canary:
        return "canary"
    return "val" if place < shares.canary + shares.val else "train"
