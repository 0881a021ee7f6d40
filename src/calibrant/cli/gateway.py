"""`calibrant gateway`."""

from __future__ import annotations

from calibrant.cli import flags
from calibrant.cli.context import context
from calibrant.cli.serve import announce, serve

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
) -> None:
    """Start the gateway's workers and this host's recorder."""
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
