"""`calibrant backup` and `calibrant restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calibrant.cli import flags
from calibrant.cli.context import context

__all__ = ["backup", "restore"]


def backup(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder that is not there yet, or empty.")],
    config: flags.ConfigFile = None,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Copy the record, the catalogue, the spool and the files of this host. A gateway may run meanwhile."""
    import msgspec

    from calibrant.app.backup import make_backup
    from calibrant.config.load import load, read_environment

    options, environ = context(config, data_dir, database), read_environment()
    loaded = load(options.config, environ=environ)
    made = make_backup(
        options, environ, loaded, path, progress=lambda what: None if as_json else typer.echo(f"{what} ...", err=True)
    )
    if as_json:
        typer.echo(msgspec.json.encode(made).decode())
        return
    counts = ", ".join(f"{number} {what}" for what, number in made.manifest.counts.items() if number)
    typer.echo(f"{made.path}: {made.manifest.files} files, {made.manifest.bytes} bytes ({counts or 'nothing yet'})")
    for line in made.left:
        typer.echo(f"not in it: {line}")


def restore(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A backup.")],
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Make a data folder of a backup, once every hash was checked. Never into one that is in use or not empty."""
    import msgspec

    from calibrant.app.backup import server_restore
    from calibrant.store.restore import restore as restored

    manifest = restored(path, data_dir)
    rest = server_restore(manifest)
    if as_json:
        typer.echo(msgspec.json.encode({"data_dir": str(data_dir.resolve()), "manifest": manifest}).decode())
        return
    typer.echo(f"{data_dir}: {manifest.files} files, {manifest.bytes} bytes, every hash as it should be")
    if rest:
        typer.echo(rest)
