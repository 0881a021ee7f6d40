"""`calibrant recorder`."""

from __future__ import annotations

import msgspec

from calibrant.cli import flags
from calibrant.cli.context import context
from calibrant.cli.context import log_format as checked

__all__ = ["recorder"]


def recorder(
    config: flags.ConfigFile = None,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    log_format: flags.LogFormat = "pretty",
) -> None:
    """Drain the spool of this host into the database, for gateways started with --no-recorder."""
    from calibrant.app.recorder import record
    from calibrant.telemetry.log import configure

    form = checked(log_format)
    configure(form)
    record(msgspec.structs.replace(context(config, data_dir, database), log_format=form))
