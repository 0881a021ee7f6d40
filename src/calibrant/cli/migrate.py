"""`calibrant migrate`: bring the database to the schema of this version."""

from __future__ import annotations

from typing import Annotated

import typer

from calibrant.cli import flags
from calibrant.cli.context import context

__all__ = ["migrate"]


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; status 1 when there is something to do.")
    ] = False,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Bring the database to the schema of this version. SQLite is brought there by itself when a gateway starts."""
    import msgspec

    from calibrant.app.migration import migrate_home, state_of
    from calibrant.config.load import read_environment

    options, environ = context(None, data_dir, database), read_environment()
    state = state_of(options, environ) if check else migrate_home(options, environ)
    whole = "" if state.current_vault else f" of {state.wanted_vault}"
    sealed = f", what is sealed at {state.vault}{whole}" if state.wanted_vault else ""
    if as_json:
        typer.echo(msgspec.json.encode(state).decode())
    elif state.current:
        typer.echo(f"{state.place}: the record is at {state.record}, the catalogue at {state.catalogue}{sealed}")
    else:
        typer.echo(
            f"{state.place}: the record is at {state.record or 'nothing'} of {state.wanted_record}, the catalogue at "
            f"{state.catalogue} of {state.wanted_catalogue}{sealed}; run `calibrant migrate`"
        )
    raise typer.Exit(0 if state.current else 1)
