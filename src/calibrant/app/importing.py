"""Imports another gateway's record into the home that flags and environment name."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from calibrant.app.homes import check_home, open_catalogue
from calibrant.app.options import Options
from calibrant.app.recording import open_events
from calibrant.base.clock import Clock, SystemClock
from calibrant.base.errors import ConfigError
from calibrant.base.ids import id_millis
from calibrant.config.schema import Config, Retention
from calibrant.imports.report import Report
from calibrant.imports.runner import Importer, Progress
from calibrant.imports.source import INFERENCES, NIL, Row, Source
from calibrant.store.segments import hold

__all__ = ["import_tensorzero", "open_source"]

_WRITER: Final = "import"
_CLOCKS: Final = ("payload_days", "metadata_days", "feedback_days")
_DAY_MS: Final = 86_400_000


def open_source(*, postgres: str | None, clickhouse: str | None) -> Source:
    """Return the database to import from; it is connected to when first asked.

    Raises:
        ConfigError: none or two are named, the address cannot be read, or the driver is not installed.
    """
    if (postgres is None) == (clickhouse is None):
        raise ConfigError("name one source: --postgres URL, or --clickhouse URL where observability is in ClickHouse")
    source: Source = (
        _reader("clickhouse", "clickhouse_connect").open_clickhouse(clickhouse)
        if postgres is None
        else _reader("postgres", "psycopg").open_postgres(postgres)
    )
    return source


def import_tensorzero(
    source: Source,
    options: Options,
    environ: Mapping[str, str],
    config: Config | None = None,
    *,
    progress: Progress | None = None,
    past_retention: bool = False,
    clock: Clock | None = None,
) -> Report:
    """Import what is not in the record yet; a gateway may run meanwhile.

    Args:
        source: Where from; it is closed at the end.
        options: Where to.
        environ: The environment, which may name another place.
        config: How the record lies there; null leaves that as it is.
        progress: Told after each page.
        past_retention: Import also what the record does not keep as long as it is old already.
        clock: What time it is.

    Raises:
        ConfigError: one of the two cannot be used as it is, or what is imported would be dropped at once.
        StoreUnavailable: one of the two is away; run it again.
    """
    with ExitStack() as stack:
        stack.callback(source.close)
        options.make_data_dir()
        _hold(options, stack)
        check_home(options, environ)
        if not past_retention:
            _check_retention(source, Retention() if config is None else config.retention, clock or SystemClock())
        # Under a name of its own, since the recorder of this folder may write too.
        events = open_events(options, environ, config=config, writer=_WRITER)
        stack.callback(events.close)
        catalogue = open_catalogue(options, environ, config)
        stack.callback(catalogue.close)
        return Importer(source, events, catalogue, clock=clock, progress=progress).run()


def _check_retention(source: Source, retention: Retention, clock: Clock) -> None:
    """Refuse to import what the next sweep takes away again."""
    kept = {name: days for name in _CLOCKS if (days := getattr(retention, name))}
    first = [rows[0]["id"] for table in INFERENCES if source.count(table) for rows in [_first(source, table)] if rows]
    if not kept or not first:
        return
    oldest = id_millis(min(first))
    short = [name for name, days in kept.items() if oldest < clock.wall_ms() - days * _DAY_MS]
    if short:
        since = datetime.fromtimestamp(oldest / 1000, UTC).date()
        set_to = ", ".join(f"retention.{name} = {kept[name]}" for name in short)
        raise ConfigError(
            f"the source begins on {since}, and by {set_to} (days) the record drops what is that old: "
            "set it to 0 or more days, and send the gateway a SIGHUP, or pass --past-retention to lose it knowingly"
        )


def _first(source: Source, table: str) -> list[Row]:
    return source.page(table, after=NIL, limit=1)


def _hold(options: Options, stack: ExitStack) -> None:
    path = Path(options.data_dir) / "import.lock"
    try:
        lock = hold(path)
    except OSError as error:
        raise ConfigError(f"data folder {options.data_dir} cannot be used: {error.strerror}") from error
    if lock is None:
        raise ConfigError(f"another import runs with the data folder {options.data_dir}; let it finish, or end it")
    stack.callback(os.close, lock)


def _reader(name: str, driver: str) -> Any:
    try:
        return importlib.import_module(f"calibrant.imports.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != driver:
            raise
        raise ConfigError(f"the driver of the source is not installed; run: pip install 'calibrant[{name}]'") from None
