"""What the catalogue knows of confirmations that are being made: until when each is held. Errors: `catalogue.py`."""

from __future__ import annotations

from typing import Protocol

__all__ = ["LeaseReading", "LeaseWriting"]


class LeaseReading(Protocol):
    """Questions."""

    def confirmation_leases(self) -> dict[str, int]:
        """Return until when each confirmation that has not ended is held, by id; Unix milliseconds."""
        ...


class LeaseWriting(LeaseReading, Protocol):
    """Changes."""

    def lease_confirmation(self, confirmation_id: str, until_ms: int) -> None:
        """Say that a confirmation is being made, and until when that may be believed."""
        ...

    def renew_confirmation(self, confirmation_id: str, *, now_ms: int, until_ms: int) -> bool:
        """Hold a confirmation for longer; return whether it was held until now."""
        ...

    def release_confirmation(self, confirmation_id: str) -> None:
        """Hold a confirmation no more."""
        ...
