"""What a source of credentials is: something that is asked in a thread of its own, and may be asked again."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from calibrant.config.secret import Credentials

__all__ = ["FetchFailed", "Fetched", "Lacking", "Source"]


class Fetched(Struct, frozen=True):
    """What a source gave."""

    credential: Credentials
    expires: float | None = None
    """Unix time in seconds; null where it does not end."""


class FetchFailed(Exception):
    """It did not work this time. The text quotes nothing that the other side said beyond its error's code."""


class Lacking(Exception):
    """There is nothing to fetch, as this machine and its settings stand."""


class Source(Protocol):
    """One credential that expires."""

    @property
    def location(self) -> str:
        """Where the configuration says it is."""
        ...

    @property
    def kind(self) -> str:
        """`aws` or `gcp`."""
        ...

    def fetch(self) -> Fetched:
        """Return the credential as it is now. Waits, so it is called in a thread.

        Raises:
            FetchFailed: not this time.
            Lacking: there is none.
        """
        ...
