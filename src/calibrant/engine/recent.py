"""The answers that this worker gave last, so that what goes on from one need not wait for the store."""

from __future__ import annotations

from calibrant.types.rows import InferenceRow

__all__ = ["Recent"]

_ENTRIES = 1_000
_BYTES = 16 * 2**20


class Recent:
    """Rows of the last inferences, as they were recorded. Bounded in number and in size; the oldest go first."""

    __slots__ = ("_bytes", "_most_bytes", "_most_entries", "_rows")

    def __init__(self, *, entries: int = _ENTRIES, most_bytes: int = _BYTES) -> None:
        """Start empty."""
        self._rows: dict[str, InferenceRow] = {}
        self._bytes = 0
        self._most_entries = entries
        self._most_bytes = most_bytes

    def keep(self, row: InferenceRow) -> None:
        """Keep the row, if it is not larger than everything together may be."""
        size = _size(row)
        if size > self._most_bytes:
            return
        before = self._rows.pop(row.id, None)
        self._rows[row.id] = row
        self._bytes += size - (0 if before is None else _size(before))
        while len(self._rows) > self._most_entries or self._bytes > self._most_bytes:
            oldest = next(iter(self._rows))
            self._bytes -= _size(self._rows.pop(oldest))

    def find(self, inference_id: str) -> InferenceRow | None:
        """Return the row, or null where it is not, or no longer, kept."""
        return self._rows.get(inference_id)


def _size(row: InferenceRow) -> int:
    return len(row.input or b"") + len(row.output or b"") + len(row.tool_params or b"") + 1_000
