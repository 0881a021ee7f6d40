"""`calibrant gateway`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from calibrant.base.errors import ConfigError
from calibrant.cli import flags
from calibrant.cli.context import context
from calibrant.cli.key import catalogue_of, expiry
from calibrant.cli.serve import announce, serve

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["gateway"]


def gateway(
    config: flags.ConfigFile = None,
    default_config: flags.DefaultConfig = False,
    host: flags.Host = None,
    port: flags.Port = None,
    bind_address: flags.BindAddress = None,
    workers: flags.Workers = None,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    no_recorder: flags.NoRecorder = False,
    log_format: flags.LogFormat = "pretty",
    create_api_key: Annotated[
        bool, typer.Option("--create-api-key", help="Make an API key, print it alone, and start nothing.")
    ] = False,
    expiration: Annotated[
        str | None, typer.Option("--expiration", help="With --create-api-key: when it ends, as RFC 3339.")
    ] = None,
    disable_api_key: Annotated[
        str | None,
        typer.Option("--disable-api-key", metavar="PUBLIC_ID", help="Disable this API key, and start nothing."),
    ] = None,
) -> None:
    """Start the gateway's workers and this host's recorder."""
    if expiration is not None and not create_api_key:
        raise ConfigError("--expiration: goes with --create-api-key")
    if create_api_key or disable_api_key is not None:
        _manage(data_dir, disable_api_key, expiration, create=create_api_key)
        return
    options = context(config, data_dir, database)
    serve(
        pattern=None if default_config else options.config,
        data_dir=data_dir,
        database=options.database,
        host=host,
        port=port,
        bind_address=bind_address,
        workers=workers,
        with_recorder=not no_recorder,
        log_format=log_format,
        on_ready=announce,
    )


def _manage(data_dir: Path, disable: str | None, expiration: str | None, *, create: bool) -> None:
    """Do what TensorZero's flags for keys do, and print what they print."""
    from calibrant.base.clock import SystemClock
    from calibrant.engine.keys import create_key, set_disabled
    from calibrant.types.key import NewKey

    now_ms = SystemClock().wall_ms()
    with catalogue_of(data_dir) as catalogue:
        if disable is not None:
            known = set_disabled(catalogue, disable, disabled=True, actor="cli", now_ms=now_ms)
            typer.echo(f"API key {known.public_id} is disabled", err=True)
        if create:
            until = None if expiration is None else expiry(expiration, "--expiration", now_ms)
            typer.echo(create_key(catalogue, NewKey(expires_at=until), actor="cli", now_ms=now_ms)[0])
