"""`calibrant cache`: the answers of providers that are kept for callers who ask the same again."""

from __future__ import annotations

from typing import Annotated

import typer

from calibrant.cli import flags
from calibrant.cli.context import context

__all__ = ["app", "cache", "purge"]

app = typer.Typer(help="The response cache of this host.", no_args_is_help=True)


@app.callback()
def cache() -> None:
    """Make a group of what would otherwise be a single command."""


@app.command("purge")
def purge(
    model: Annotated[
        str | None, typer.Option("--model", help="Only answers of this model.", show_default="all")
    ] = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
) -> None:
    """Forget what is cached; running workers follow within a second."""
    import asyncio

    from calibrant.app.caching import open_cache
    from calibrant.base.errors import ConfigError
    from calibrant.config.schema import CacheSettings

    options = context(None, data_dir, None)

    async def work() -> int:
        held = open_cache(options, CacheSettings())
        try:
            return await held.purge(model)
        finally:
            await held.close()

    if not options.cache_path.exists():
        typer.echo("Nothing is cached here.")
        return
    try:
        typer.echo(f"{asyncio.run(work())} answers forgotten.")
    except OSError as error:
        raise ConfigError(str(error)) from None
