"""`calibrant check`."""

from __future__ import annotations

import typer

from calibrant.cli import flags
from calibrant.cli.context import pattern

__all__ = ["check"]


def check(config: flags.ConfigFile = None) -> None:
    """Check a configuration and say every mistake at once; status 2 if there is one."""
    from calibrant.config.load import load, read_environment
    from calibrant.config.problem import complain
    from calibrant.config.secret import Secrets
    from calibrant.config.setting import settle, with_region
    from calibrant.credentials.sources import open_sources
    from calibrant.engine.compiled import Compiler

    environ = read_environment()
    where = pattern(config)
    loaded = load(where, environ=environ)
    settled, problems = settle(loaded, environ)
    secrets, _ = Secrets.resolve(settled, environ)
    # No server is asked here: that an account's file can be used is all that a check can tell.
    open_sources(secrets, environ, loaded.gateway.ca_bundle)
    complain([*problems, *secrets.problems()])
    Compiler(with_region(settled, "unasked"))
    for warning in loaded.warnings:
        typer.secho(f"warning: {warning}", fg=typer.colors.YELLOW)
    typer.echo(
        f"{where or 'the built-in configuration'} is fine: {len(loaded.functions)} functions, "
        f"{len(loaded.models)} models, {len(loaded.metrics)} metrics, {len(loaded.tools)} tools; "
        f"hash {loaded.hash[:12]}"
    )
