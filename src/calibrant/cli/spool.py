"""`calibrant spool`: what waits for the database, and what the database refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from calibrant.cli import flags
from calibrant.cli.context import context
from calibrant.cli.tables import Table, console

if TYPE_CHECKING:
    from calibrant.app.options import Options
    from calibrant.store.base import EntryState, Quarantined, Reader

__all__ = ["app", "quarantine", "status"]

app = typer.Typer(help="What waits for the database, and what the database refused.", no_args_is_help=True)


@app.command("status")
def status(
    database: flags.Database = None, data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR, as_json: flags.Json = False
) -> None:
    """Show the accounting of this host's records, and the recorder's state. Status 1 when any is missing."""
    import msgspec

    from calibrant.app.homes import open_reader
    from calibrant.config.load import read_environment
    from calibrant.store.accounting import accounting
    from calibrant.store.status import read_status

    options = context(None, data_dir, database)
    reader = open_reader(options, read_environment())
    try:
        books = accounting(options.spool_dir, reader)
    finally:
        reader.close()
    recorder = read_status(options.spool_dir)
    if as_json:
        typer.echo(msgspec.json.encode({"accounting": books, "recorder": recorder}).decode())
        raise typer.Exit(1 if books.total.missing else 0)
    table = Table("records", "number", title="what became of every record", right=("number",))
    for name, value in msgspec.structs.asdict(books.total).items():
        table.add_row(name, str(value), style="bold red" if name == "missing" and value else None)
    out = console()
    out.print(table)
    out.print(f"by {len(books.incarnations)} runs of workers; --json has them one by one")
    if recorder is None:
        out.print("No recorder has run here yet.", style="yellow")
    else:
        out.print(f"recorder: {recorder.state}, pid {recorder.pid}, {recorder.lag_frames} frames behind")
        for line in (recorder.store_error, *recorder.warnings):
            if line:
                out.print(line, style="yellow")
    raise typer.Exit(1 if books.total.missing else 0)


@app.command("quarantine")
def quarantine(
    retry: Annotated[list[int] | None, typer.Option("--retry", help="Try this entry again; may be repeated.")] = None,
    drop: Annotated[list[int] | None, typer.Option("--drop", help="Give this entry up; may be repeated.")] = None,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """List the records that the database refused; try some again, or give them up."""
    import msgspec

    from calibrant.app.homes import open_reader
    from calibrant.config.load import read_environment

    options = context(None, data_dir, database)
    reader = open_reader(options, read_environment())
    try:
        entries = _all(reader)
        if retry or drop:
            _mark(options, {"waiting": retry or [], "dropped": drop or []})
            entries = _all(reader)
    finally:
        reader.close()
    if as_json:
        typer.echo(msgspec.json.encode([_shown(entry) for entry in entries]).decode())
        return
    table = Table("id", "state", "frames", "segment", "reason", title="quarantine", right=("id", "frames"))
    for entry in entries:
        table.add_row(str(entry.id), entry.state, str(entry.frames), entry.segment, entry.reason)
    console().print(table if entries else "The quarantine is empty.")


def _mark(options: Options, wanted: dict[EntryState, list[int]]) -> None:
    from calibrant.app.recording import open_events
    from calibrant.base.errors import NotFound
    from calibrant.config.load import read_environment

    events = open_events(options, read_environment())
    try:
        for state, ids in wanted.items():
            for id_ in ids:
                if not events.mark(id_, state):
                    raise NotFound(f"there is no entry {id_} in quarantine")
    finally:
        events.close()


def _all(reader: Reader) -> list[Quarantined]:
    entries: list[Quarantined] = []
    while page := reader.quarantined(after=entries[-1].id if entries else 0):
        entries += page
    return entries


def _shown(entry: Quarantined) -> dict[str, object]:
    return {
        "id": entry.id,
        "state": entry.state,
        "segment": entry.segment,
        "sequence": entry.sequence,
        "frames": entry.frames,
        "reason": entry.reason,
        "at_ms": entry.at_ms,
    }
