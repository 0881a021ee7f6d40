"""`calibrant erase`: forgets what belongs to a user or an episode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from calibrant.cli import flags
from calibrant.cli.context import context
from calibrant.cli.tables import Table, console

if TYPE_CHECKING:
    from calibrant.types.erasure import Erasure

__all__ = ["erase"]


def erase(
    tag: Annotated[
        str | None, typer.Option("--tag", help="What belongs to the inferences with this tag: KEY=VALUE.")
    ] = None,
    episode: Annotated[str | None, typer.Option("--episode", help="What belongs to this episode.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be erased, and erase nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    config: flags.ConfigFile = None,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Erase every copy of what belongs to a user or an episode, for good.

    May run beside the gateway, and be run again after it was interrupted. What comes later with the same tag is
    recorded as ever.
    """
    from calibrant.app.erasure import erase as work
    from calibrant.base.errors import ConfigError
    from calibrant.config.load import load, read_environment
    from calibrant.wire.erasure import encode_erasure, whose

    key, separator, value = (tag or "").partition("=")
    if tag is not None and not separator:
        raise ConfigError(f"--tag: {tag!r} is no tag; write KEY=VALUE")
    meant = whose(None if tag is None else (key, value), episode)
    options = context(config, data_dir, database)
    environ = read_environment()
    loaded = load(options.config, environ=environ)
    if not plan and not yes:
        _show(work(options, environ, loaded, meant, plan=True, actor="cli"))
        typer.confirm("Erase this for good?", abort=True)
    done = work(options, environ, loaded, meant, plan=plan, actor="cli")
    if as_json:
        typer.echo(encode_erasure(done))
    else:
        _show(done)


def _show(done: Erasure) -> None:
    import msgspec

    title = "would be erased" if done.plan else "erased"
    table = Table("what", "how many", title=title, right=("how many",))
    for name, value in msgspec.to_builtins(done).items():
        if isinstance(value, int) and not isinstance(value, bool):
            table.add_row(name.replace("_", " "), str(value))
    out = console()
    out.print(table)
    if done.purged_models:
        out.print(f"Every cached answer of these models: {', '.join(done.purged_models)}")
    for backup in done.backups:
        out.print(f"Backup of {backup.time}: {backup.path}")
    for note in done.notes:
        out.print(note)
