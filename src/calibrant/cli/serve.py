"""What `up` and `gateway` share: from flags to a running supervisor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from calibrant.base.errors import ConfigError

if TYPE_CHECKING:
    from calibrant.config.schema import Config

__all__ = ["announce", "serve", "url_of"]


def serve(
    *,
    pattern: str | None,
    data_dir: Path,
    database: str | None,
    host: str | None,
    port: int | None,
    bind_address: str | None,
    workers: int | None,
    with_recorder: bool,
    log_format: str,
    on_ready: Callable[[str, int], None] | None = None,
) -> None:
    """Run the gateway's processes until a signal ends them."""
    import asyncio

    from calibrant.app.access import notice
    from calibrant.app.homes import check_home
    from calibrant.app.options import Options
    from calibrant.app.supervisor import Supervisor
    from calibrant.cli.context import log_format as checked
    from calibrant.config.load import Overrides, load, read_environment
    from calibrant.telemetry.log import configure

    form = checked(log_format)
    configure(form)
    host, port = _address(host, port, bind_address)
    overrides = Overrides(host=host, port=port, workers=workers)

    def read() -> Config:
        return load(pattern, environ=read_environment(), overrides=overrides)

    config = read()
    for warning in config.warnings:
        typer.secho(f"warning: {warning}", fg=typer.colors.YELLOW, err=True)
    options = Options(data_dir=str(data_dir.resolve()), database=database, config=pattern, log_format=form)
    check_home(options, read_environment())
    options.make_data_dir()
    said = notice(options, config)
    if said is not None:
        typer.secho(f"warning: {said}", fg=typer.colors.YELLOW, err=True)
    supervisor = Supervisor(options, config, read, with_recorder=with_recorder, on_ready=on_ready)
    raise typer.Exit(asyncio.run(supervisor.run()))


def announce(host: str, port: int) -> None:
    """Say where the gateway listens."""
    typer.echo(f"calibrant gateway on {url_of(host, port)}", err=True)


def url_of(host: str, port: int) -> str:
    """Return the address as a URL; an IPv6 host stands in brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _address(host: str | None, port: int | None, bind_address: str | None) -> tuple[str | None, int | None]:
    if bind_address is None:
        return host, port
    if host is not None or port is not None:
        raise ConfigError("--bind-address says both host and port; give it alone")
    from calibrant.config.marks import parse_address

    try:
        return parse_address(bind_address)
    except ValueError as error:
        raise ConfigError(f"--bind-address: {bind_address!r} {error}") from None
