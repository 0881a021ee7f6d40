"""Tables on the terminal, as wide as it is. No word is broken: what does not fit side by side is told line by line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table as RichTable
    from rich.text import Text

__all__ = ["Record", "Table", "console"]

_WIDE: Final = 10_000
"""Columns of what is no terminal: whoever reads a pipe wraps lines, or wants them whole."""


def console() -> Console:
    """Return standard output, as wide as `COLUMNS` or the terminal says; where neither does, lines stay whole."""
    from rich.console import Console

    from calibrant.config.load import read_environment

    made = Console(markup=False, highlight=False)
    told = made.is_terminal or read_environment().get("COLUMNS", "").isdecimal()
    # Some terminals without a window, such as of a container, say 0.
    if not told or made.width < 1:
        made.width = _WIDE
    return made


class Record:
    """Names and values, a line each."""

    def __init__(self, pairs: Sequence[tuple[str, str | Text]]) -> None:
        """Take the pairs, in the order in which they are shown."""
        self._pairs = pairs

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield what is printed."""
        from rich import table

        grid = table.Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True, style="bold")
        # Only a word that is longer than the line goes on in the next one.
        grid.add_column(overflow="fold")
        for name, value in self._pairs:
            grid.add_row(name, value)
        yield grid


class Table:
    """Rows below headings where the words of all columns fit side by side, else a record for each row."""

    def __init__(self, *headings: str, title: str = "", right: Sequence[str] = ()) -> None:
        """Begin a table.

        Args:
            headings: Of its columns.
            title: Stands above it.
            right: Headings of columns of numbers and the like, which are never wrapped and stand at the right.
        """
        self._headings = headings
        self._title = title
        self._right = frozenset(right)
        self._rows: list[tuple[tuple[str | Text, ...], str | None]] = []

    def add_row(self, *cells: str | Text, style: str | None = None) -> None:
        """Add a row.

        Raises:
            ValueError: it has not as many cells as there are headings.
        """
        if len(cells) != len(self._headings):
            raise ValueError(f"{len(cells)} cells below {len(self._headings)} headings")
        self._rows.append((cells, style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield what is printed."""
        from rich.styled import Styled
        from rich.text import Text

        if self._title:
            yield Text(self._title, style="italic")
        # Ruled, a column has a blank on either side and a rule behind it, and one more rule begins the table.
        columns = len(self._headings)
        for ruled, between in ((True, 3 * columns + 1), (False, 2 * columns - 2)):
            widths = self._widths(options.max_width - between)
            if widths is not None:
                yield self._side_by_side(widths, ruled=ruled)
                return
        for cells, style in self._rows:
            yield Styled(Record(list(zip(self._headings, cells, strict=True))), style or "none")
            yield Text("")

    def _side_by_side(self, widths: Sequence[int], *, ruled: bool) -> RichTable:
        from rich import table

        made = table.Table() if ruled else table.Table(box=None, pad_edge=False)
        for heading, width in zip(self._headings, widths, strict=True):
            made.add_column(heading, justify="right" if heading in self._right else "left", width=width)
        for cells, style in self._rows:
            made.add_row(*cells, style=style)
        return made

    def _widths(self, available: int) -> list[int] | None:
        """Return how wide each column is, or null where the words of all of them do not fit."""
        least: list[int] = []
        whole: list[int] = []
        for at, heading in enumerate(self._headings):
            cells = [str(row[at]) for row, _ in self._rows]
            longest = max((_line(each) for each in cells), default=0)
            least.append(max(_word(heading), longest if heading in self._right else max(map(_word, cells), default=0)))
            whole.append(max(least[-1], _line(heading), longest))
        spare = available - sum(least)
        if spare < 0:
            return None
        return _shared(least, whole, spare)


def _shared(least: Sequence[int], whole: Sequence[int], spare: int) -> list[int]:
    """Return widths between the least and the whole, with the spare one shared evenly among those that want some."""
    widths = list(least)
    wanting = sorted(range(len(least)), key=lambda at: whole[at] - least[at])
    for place, at in enumerate(wanting):
        more = min(whole[at] - least[at], spare // (len(wanting) - place))
        widths[at] += more
        spare -= more
    return widths


def _line(text: str) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, text.splitlines()), default=0)


def _word(text: str) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, text.split()), default=0)
