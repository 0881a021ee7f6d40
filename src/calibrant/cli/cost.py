"""`calibrant cost`: what the record's calls cost, and working it out again with the prices of now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from calibrant.cli import flags
from calibrant.cli.context import context
from calibrant.cli.moments import millis
from calibrant.cli.tables import Table, console

if TYPE_CHECKING:
    from calibrant.app.costs import Span

__all__ = ["app", "recompute", "show"]

app = typer.Typer(help="What the calls in the record cost.", no_args_is_help=True)


@app.command("show")
def show(
    since: flags.Since = None,
    until: flags.Until = None,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Show what calls cost, by model and provider, and how many are of unknown cost."""
    import msgspec

    from calibrant.app.costs import read_costs
    from calibrant.config.load import read_environment

    found = read_costs(context(None, data_dir, database), _span(since, until), read_environment())
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    numbers = ("calls", "estimated", "unknown", "cost")
    table = Table("model", "provider", *numbers, title="cost in US dollars", right=numbers)
    for each in found:
        figures = (each.calls, each.estimated, each.unknown)
        table.add_row(each.model_name, each.provider_name, *map(str, figures), each.cost)
    console().print(table if found else "No call in the record has a cost.")


@app.command("recompute")
def recompute(
    since: flags.Since = None,
    until: flags.Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    config: flags.ConfigFile = None,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Work out again what recorded calls cost, by the configuration's rules and the installed prices.

    May run beside the gateway. Prices are those of the time of each call; only costs and their price versions are
    written, and a known cost never becomes unknown.
    """
    import msgspec

    from calibrant.app.costs import recompute as again
    from calibrant.config.load import load, read_environment

    options = context(config, data_dir, database)
    environ = read_environment()
    done = again(options, load(options.config, environ=environ), _span(since, until), dry_run=dry_run, environ=environ)
    if as_json:
        typer.echo(msgspec.json.encode(done).decode())
        return
    would = "would change" if dry_run else "changed"
    typer.echo(
        f"{done.calls} calls: {done.changed} {would}, {done.unchanged} are right, "
        f"{done.kept} keep a cost that cannot be worked out now, {done.unknown} are of unknown cost"
    )
    typer.echo(f"{done.inferences} inferences {would}; known costs: {done.before} before, {done.after} after")


def _span(since: str | None, until: str | None) -> Span:
    from calibrant.app.costs import Span

    return Span(millis("--since", since), millis("--until", until))
