"""A table that fits its terminal: what has no room in it stands below it, and no word is broken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["fitted"]

_FRAME = 3
"""What a column takes beside its cells: a line and a space on either side of them."""


def fitted(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, spare: Sequence[str]
) -> tuple[Table, list[str]]:
    """Return a table, and a line for each column that had no room.

    Args:
        title: Above it.
        headings: Of the columns; the first one names the rows.
        rows: The cells of each.
        width: Of the terminal.
        spare: Headings of columns that may leave the table, the one to leave first being the first.
    """
    from rich.cells import cell_len
    from rich.table import Table

    widths = {
        heading: max(cell_len(cell) for cell in (heading, *(row[at] for row in rows)))
        for at, heading in enumerate(headings)
    }
    left: list[str] = []
    for heading in spare:
        if sum(widths.values()) + _FRAME * len(widths) + 1 <= width:
            break
        del widths[heading]
        left.append(heading)
    table = Table(title=title)
    for heading in widths:
        words = heading == headings[0] or heading == "method"
        table.add_column(heading, justify="left" if words else "right", no_wrap=heading != headings[0], overflow="fold")
    for row in rows:
        table.add_row(*(cell for heading, cell in zip(headings, row, strict=True) if heading in widths))
    return table, [_line(headings, rows, heading) for heading in headings if heading in left]


def _line(headings: Sequence[str], rows: Sequence[Sequence[str]], heading: str) -> str:
    at = headings.index(heading)
    return f"{heading}: " + ", ".join(f"{row[0]} {row[at]}" for row in rows)
