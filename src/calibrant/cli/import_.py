"""`calibrant import`: the record of another gateway, into ours."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from calibrant.cli import flags
from calibrant.cli.context import context
from calibrant.cli.tables import Table, console

if TYPE_CHECKING:
    from calibrant.imports.report import Report
    from calibrant.imports.runner import Progress

__all__ = ["app", "tensorzero"]

app = typer.Typer(help="The record of another gateway, into this one's.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    # Keeps the name of the source in the command while there is one source.
    pass


@app.command("tensorzero")
def tensorzero(
    postgres: Annotated[
        str | None, typer.Option("--postgres", metavar="URL", help="TensorZero's PostgreSQL.", show_default=False)
    ] = None,
    clickhouse: Annotated[
        str | None, typer.Option("--clickhouse", metavar="URL", help="TensorZero's ClickHouse.", show_default=False)
    ] = None,
    past_retention: Annotated[
        bool, typer.Option("--past-retention", help="Import also what is older than the record keeps it.")
    ] = False,
    config: flags.ConfigFile = None,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Import inferences, feedback, datapoints and configurations of TensorZero; the source is only read.

    Ids stay. Run again, also after it was interrupted, it adds what is not here yet. May run beside both gateways.
    """
    import msgspec

    from calibrant.app.importing import import_tensorzero, open_source
    from calibrant.config.load import load, read_environment

    source = open_source(postgres=postgres, clickhouse=clickhouse)
    options = context(config, data_dir, database)
    environ = read_environment()
    loaded = None if options.config is None else load(options.config, environ=environ)
    with _progress() as progress:
        report = import_tensorzero(source, options, environ, loaded, progress=progress, past_retention=past_retention)
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())
    else:
        _show(report)


@contextmanager
def _progress() -> Generator[Progress]:
    """Show how far each table is, on standard error."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:
        tasks: dict[str, TaskID] = {}

        def told(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = shown.add_task(table)
            shown.update(tasks[table], completed=done, total=max(done, total))

        yield told


def _show(report: Report) -> None:
    out = console()
    numbers = ("in the source", "here", "added now", "quarantined")
    table = Table("table", *numbers, title=report.source, right=numbers)
    for each in report.tables:
        if each.source or each.here or each.quarantined:
            counts = (each.source, each.here, each.added, each.quarantined)
            table.add_row(each.table, *(str(number) for number in counts))
    out.print(table)
    if report.left_out:
        table = Table("not imported", "rows", "why", right=("rows",))
        for left in report.left_out:
            table.add_row(left.what, str(left.rows), left.why)
        out.print(table)
    for reason, rows in report.reasons.items():
        out.print(f"{rows} in quarantine: {reason}", style="yellow", soft_wrap=True)
    if report.reasons:
        out.print("`calibrant spool quarantine` has each of them.")
