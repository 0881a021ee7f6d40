"""Secrets: values that no repr, log line, error or row ever shows."""

from __future__ import annotations

__all__ = ["Secret"]


class Secret:
    """A credential. Only `reveal` gives it away, and only `sign` calls that."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Wrap the value."""
        self._value = value

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        """Return a text that shows nothing of the value."""
        return "Secret(***)"
