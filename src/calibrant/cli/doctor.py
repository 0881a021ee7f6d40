"""`calibrant doctor`: what is wrong here, and what to do about it."""

from __future__ import annotations

import typer

from calibrant.cli import flags
from calibrant.cli.context import context
from calibrant.cli.tables import Table, console

__all__ = ["doctor"]

_STYLES = {"fine": "green", "warning": "yellow", "wrong": "bold red"}


def doctor(
    config: flags.ConfigFile = None,
    host: flags.Host = None,
    port: flags.Port = None,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Look at everything a gateway needs, and say what is wrong and what to do. Status 1 when something is.

    Nothing is changed, and a gateway may run meanwhile.
    """
    import msgspec
    from rich.text import Text

    from calibrant.app.doctor import Subject, examine
    from calibrant.base.clock import SystemClock
    from calibrant.base.errors import ConfigError
    from calibrant.config.load import Overrides, default_config, load, read_environment

    options, environ = context(config, data_dir, database), read_environment()
    fault = ""
    try:
        loaded = load(options.config, environ=environ, overrides=Overrides(host=host, port=port))
    except ConfigError as error:
        loaded, fault = default_config(), error.message
    findings = list(examine(Subject(options, environ, loaded, SystemClock(), fault)))
    bad = any(finding.state == "wrong" for finding in findings)
    if as_json:
        typer.echo(msgspec.json.encode(findings).decode())
        raise typer.Exit(1 if bad else 0)
    table = Table("check", "state", "found", "what to do")
    for finding in findings:
        state = Text(finding.state, style=_STYLES[finding.state])
        table.add_row(finding.check, state, finding.found, finding.remedy)
    console().print(table)
    raise typer.Exit(1 if bad else 0)
