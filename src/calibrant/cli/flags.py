"""The flags that several commands share, with TensorZero's names beside ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "DEFAULT_DATA_DIR",
    "BindAddress",
    "ConfigFile",
    "DataDir",
    "Database",
    "DefaultConfig",
    "Filters",
    "Host",
    "Json",
    "LogFormat",
    "NoRecorder",
    "Port",
    "Since",
    "Tag",
    "Until",
    "Workers",
]

ConfigFile = Annotated[
    str | None,
    typer.Option(
        "--config",
        "--config-file",
        "-c",
        help="A TOML file, or a glob of several. Without it: calibrant.toml, then config/tensorzero.toml.",
        show_default=False,
    ),
]
DefaultConfig = Annotated[
    bool, typer.Option("--default-config", help="Run with an empty configuration: shorthand models only.")
]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on.", show_default="127.0.0.1")]
Port = Annotated[int | None, typer.Option("--port", "-p", help="Port to listen on.", show_default="3000")]
BindAddress = Annotated[
    str | None, typer.Option("--bind-address", help="Host and port in one, as TensorZero has it.", show_default=False)
]
Workers = Annotated[int | None, typer.Option("--workers", "-w", min=1, help="Worker processes.", show_default="1")]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        help="Where the record is kept: sqlite:///PATH or postgresql://...",
        show_default="in the data folder",
    ),
]
DataDir = Annotated[
    Path, typer.Option("--data-dir", help="Folder of the spool and the embedded database.", envvar="CALIBRANT_DATA_DIR")
]
NoRecorder = Annotated[
    bool, typer.Option("--no-recorder", help="Start none: another process drains the spool (`calibrant recorder`).")
]
LogFormat = Annotated[str, typer.Option("--log-format", help="pretty or json.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script instead of a table.")]
Tag = Annotated[list[str] | None, typer.Option("--tag", help="With this tag: KEY=VALUE; may be repeated.")]
Since = Annotated[str | None, typer.Option("--since", help="From this day or moment on (ISO 8601; UTC).")]
Until = Annotated[str | None, typer.Option("--until", help="Before this day or moment.")]
Filters = Annotated[str | None, typer.Option("--filters", help="More filters, as the HTTP API has them, in JSON.")]

DEFAULT_DATA_DIR = Path("calibrant-data")
