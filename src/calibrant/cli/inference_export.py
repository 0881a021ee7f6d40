"""`calibrant inferences export`: recorded inferences as a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calibrant.cli import flags
from calibrant.cli.context import context
from calibrant.cli.inferences import filters_of
from calibrant.cli.lines import PARQUET, STANDARD, form_of, held_back, progress, write_lines, write_parquet

if TYPE_CHECKING:
    from calibrant.datasets.inference_exporting import TuningFormat

__all__ = ["export"]

_OURS = "inferences"


def export(
    to: Annotated[Path, typer.Option("--to", help="A file; `-` is standard output.")] = STANDARD,
    form: Annotated[
        str | None,
        typer.Option(
            "--format", help="inferences, parquet, chat or preference; by the file's name: parquet, else inferences."
        ),
    ] = None,
    function: Annotated[str | None, typer.Option("--function", "-f", help="Of this function.")] = None,
    variant: Annotated[str | None, typer.Option("--variant", help="Of this variant.")] = None,
    episode: Annotated[str | None, typer.Option("--episode", help="Of this episode.")] = None,
    tag: flags.Tag = None,
    since: flags.Since = None,
    until: flags.Until = None,
    filters: flags.Filters = None,
    include_failed: Annotated[bool, typer.Option("--include-failed", help="Failed and unfinished ones too.")] = False,
    output: Annotated[str, typer.Option("--output", help="inference, demonstration or none.")] = "inference",
    calls: Annotated[bool, typer.Option("--calls", help="With the calls of models.")] = False,
    render_with: Annotated[
        str | None,
        typer.Option("--render-with", help="The variant whose templates render inputs.", show_default="who served"),
    ] = None,
    arrived_after: Annotated[
        int, typer.Option("--arrived-after", min=0, help="Go on where an earlier export said it ended.")
    ] = 0,
    config: flags.ConfigFile = None,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
) -> None:
    """Write inferences with their feedback to a file, in order of arrival, one at a time."""
    from calibrant.app.inferences import exporting
    from calibrant.config.load import load, read_environment
    from calibrant.datasets.inference_exporting import TUNING_FORMATS

    form = form_of(form, to, (_OURS, PARQUET, *TUNING_FORMATS))
    asked = {
        "function_name": function,
        "variant_name": variant,
        "episode_id": episode,
        "filters": filters_of(tag or [], since, until, filters),
        "output_source": output,
        "include_failed": include_failed,
    }
    options = context(config, data_dir, database)
    tuning: TuningFormat | None = next((each for each in TUNING_FORMATS if each == form), None)
    # Filters may name its metrics, and prompts are rendered with its templates.
    known = load(options.config, environ=read_environment()) if filters is not None or tuning is not None else None
    with (
        exporting(
            options, asked, known, form=tuning, calls=calls, variant=render_with, after=arrived_after
        ) as exporter,
        progress("inferences written") as (bar, task),
    ):

        def lines() -> Iterator[bytes]:
            for line in exporter.lines():
                yield line
                bar.update(task, completed=exporter.written)

        if form == PARQUET:
            write_parquet(lines(), to, "inferences")
        else:
            write_lines(lines(), to)
    rest = f"; {exporter.left_out} left out, the first since {exporter.why}" if exporter.left_out else ""
    typer.echo(f"{exporter.written} inferences written{rest}.", err=True)
    if exporter.held:
        typer.echo(f"{held_back(exporter.held)}; docs/datasets.md#splits says why.", err=True)
    typer.echo(f"What comes from now on: --arrived-after {exporter.following}", err=True)
