"""Where the contents of sealed datapoints stand, apart from everything else, and what confirmations made of them.

Whoever writes holds the catalogue's write lock: a content is put here before the catalogue says that it is sealed, and
taken out after the catalogue says that it is not. What a crash leaves between the two is an orphan that nobody misses,
and `remove` of what the catalogue does not know takes it away.

Every method raises `StoreUnavailable` when the vault cannot be asked or written now. For any thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct

__all__ = ["SealedAnswer", "Vault"]


class SealedAnswer(Struct, frozen=True):
    """What one variant said to one sealed datapoint in a confirmation."""

    datapoint_id: str
    variant_name: str
    score: float
    output: bytes | None
    """As JSON; null where it failed."""
    fault: str | None = None


class Vault(Protocol):
    """A home of what is sealed."""

    def put(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Keep contents by their hash; one that is here stays as it is."""
        ...

    def get(self, hashes: Sequence[str]) -> dict[str, bytes]:
        """Return contents by their hash, those that are here."""
        ...

    def remove(self, hashes: Sequence[str]) -> None:
        """Take contents away for good."""
        ...

    def hashes(self, *, after: str, limit: int) -> tuple[str, ...]:
        """Return hashes of contents in order, those greater than this one."""
        ...

    def put_answers(self, confirmation_id: str, answers: Iterable[SealedAnswer]) -> None:
        """Keep what a confirmation's variants said."""
        ...

    def answers(self, confirmation_id: str) -> tuple[SealedAnswer, ...]:
        """Return what a confirmation's variants said, by datapoint."""
        ...

    def forget(self, datapoint_ids: Sequence[str]) -> None:
        """Take away what was said to these datapoints, for good; that it was scored stays."""
        ...

    def exists(self) -> bool:
        """Return whether there is one already; asking makes none."""
        ...

    def scrub(self) -> bool:
        """Leave no byte of what was taken away in its files, as far as that is ours to say; False where it is busy."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
