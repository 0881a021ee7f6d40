"""Files of lines, and Parquet: how commands write and read them, and say how far they are."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.progress import Progress, TaskID

    from calibrant.types.split import Split

__all__ = [
    "PARQUET",
    "STANDARD",
    "form_of",
    "held_back",
    "progress",
    "read_file",
    "read_parquet",
    "write_lines",
    "write_parquet",
]

STANDARD: Final = Path("-")
"""Standard input or output."""
PARQUET: Final = "parquet"


def form_of(form: str | None, path: Path, known: tuple[str, ...]) -> str:
    """Return the format that is asked for, or that the name of a file means: Parquet, or else the first that is known.

    Raises:
        ConfigError: there is none of this name, or it cannot go through a pipe.
    """
    from calibrant.base.errors import ConfigError

    if form is None:
        form = PARQUET if path.suffix == ".parquet" else known[0]
    if form not in known:
        raise ConfigError(f"--format: {form!r} is none of {', '.join(known)}")
    if form == PARQUET and path == STANDARD:
        raise ConfigError("--format parquet wants a file: name it")
    return form


def held_back(numbers: Mapping[Split, int]) -> str:
    """Return how many were held back, and how many of which split."""
    each = ", ".join(f"{number} {split}" for split, number in sorted(numbers.items()))
    return f"{sum(numbers.values())} held back: {each}"


@contextmanager
def progress(what: str) -> Generator[tuple[Progress, TaskID]]:
    """Lend a line on standard error that says how many; there is none where that is no terminal."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} {task.description}"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield bar, bar.add_task(what, total=None)


def write_lines(lines: Iterator[bytes], to: Path) -> None:
    """Write lines to a file, which is there when all of them are, or to standard output.

    Raises:
        ConfigError: it cannot be written.
    """
    if to == STANDARD:
        for line in lines:
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        return
    with _whole(to) as part, part.open("wb") as file:
        file.writelines(lines)


def read_file(source: Path) -> Iterator[bytes]:
    """Yield the lines of a file or of standard input.

    Raises:
        ConfigError: it cannot be read.
    """
    from calibrant.base.errors import ConfigError

    if source == STANDARD:
        yield from sys.stdin.buffer
        return
    try:
        with source.open("rb") as file:
            yield from file
    except OSError as error:
        raise ConfigError(f"{source}: {error.strerror}") from None


def write_parquet(lines: Iterator[bytes], to: Path, what: Literal["datapoints", "inferences"]) -> None:
    """Write lines as the rows of a Parquet file, which is there when all of them are.

    Raises:
        ConfigError: it cannot be written, or pyarrow is not installed.
    """
    with _parquet_there():
        from calibrant.datasets.parquet import DATAPOINTS, INFERENCES, write_parquet

        with _whole(to) as part:
            write_parquet(lines, part, DATAPOINTS if what == "datapoints" else INFERENCES)


def read_parquet(source: Path) -> Iterator[bytes]:
    """Yield the datapoints of a Parquet file as lines.

    Raises:
        ConfigError: it cannot be read, or pyarrow is not installed.
    """
    with _parquet_there():
        from calibrant.datasets.parquet import read_parquet

        yield from read_parquet(source)


@contextmanager
def _whole(to: Path) -> Generator[Path]:
    """Lend a file beside the one that is wanted, which takes its place when all is written."""
    from calibrant.base.errors import ConfigError

    part = to.with_name(f"{to.name}.part")
    try:
        yield part
        part.replace(to)
    except OSError as error:
        raise ConfigError(f"{to}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _parquet_there() -> Generator[None]:
    from calibrant.base.errors import ConfigError

    try:
        yield
    except ImportError:
        raise ConfigError("Parquet needs `pip install 'calibrant[parquet]'`") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"Parquet: {error}") from None
