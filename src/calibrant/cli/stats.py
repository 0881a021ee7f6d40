"""`calibrant stats`: the variants of a function, side by side, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from calibrant.cli import flags
from calibrant.cli.context import context

if TYPE_CHECKING:
    from rich.console import Console

    from calibrant.experiments.stats import FunctionStats, MetricStats, VariantStats
    from calibrant.types.estimate import Estimate

__all__ = ["show", "stats"]


def stats(
    function: Annotated[str, typer.Option("--function", "-f", help="The function whose variants to compare.")],
    config: flags.ConfigFile = None,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Show each variant of a function: counts, latency, tokens, and its metrics with 95 % intervals.

    Rows of one episode are not independent, so a metric of inferences is clustered by episode. The feedback
    rate stands beside each metric: arms whose rates differ are not comparable as they stand.
    """
    import msgspec
    from rich.console import Console

    from calibrant.app.statistics import read_stats
    from calibrant.config.load import load, read_environment

    options = context(config, data_dir, database)
    found = read_stats(options, load(options.config, environ=read_environment()), function)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    show(found, Console(markup=False))


def show(found: FunctionStats, console: Console) -> None:
    """Print the figures as tables."""
    from rich.table import Table

    if not found.variants:
        console.print(f"No inference of the function {found.function_name!r} is recorded yet.")
        return
    table = Table(title=f"{found.function_name}: what each variant did")
    for heading in ("variant", "n", "errors", "episodes", "p50 ms", "p95 ms", "tokens in", "tokens out"):
        table.add_column(heading, justify="left" if heading == "variant" else "right")
    for variant in found.variants:
        table.add_row(*_figures(variant))
    console.print(table)
    names = list(dict.fromkeys(metric.metric_name for variant in found.variants for metric in variant.metrics))
    for name in names:
        console.print(_metric_table(found, name))
    for line in _notes(found):
        console.print(line, style="yellow")


def _figures(variant: VariantStats) -> list[str]:
    return [
        variant.variant_name,
        str(variant.n),
        str(variant.errors),
        str(variant.episodes),
        _number(variant.latency_p50_ms.estimate),
        _number(variant.latency_p95_ms.estimate),
        "-" if variant.input_tokens is None else str(variant.input_tokens),
        "-" if variant.output_tokens is None else str(variant.output_tokens),
    ]


def _metric_table(found: FunctionStats, name: str) -> object:
    from rich.table import Table

    first = next(m for v in found.variants for m in v.metrics if m.metric_name == name)
    aim = "larger is better" if first.optimize == "max" else "smaller is better"
    table = Table(title=f"{name} ({first.type}, by {first.level}, {aim})")
    for heading in ("variant", "mean", "95 % interval", "rows", "episodes", "feedback rate", "method"):
        table.add_column(heading, justify="left" if heading in ("variant", "method") else "right")
    for variant in found.variants:
        metric = next(m for m in variant.metrics if m.metric_name == name)
        table.add_row(variant.variant_name, *_metric_cells(metric))
    return table


def _metric_cells(metric: MetricStats) -> list[str]:
    estimate = metric.estimate
    rate = "-" if metric.feedback_rate is None else f"{metric.feedback_rate:.0%} of {metric.units}"
    return [
        _score(estimate.estimate),
        _interval(estimate),
        str(estimate.n),
        str(estimate.clusters),
        rate,
        estimate.method,
    ]


def _interval(estimate: Estimate) -> str:
    if estimate.low is None and estimate.high is None:
        return "none yet"
    return f"{_score(estimate.low)} to {_score(estimate.high)}"


def _notes(found: FunctionStats) -> list[str]:
    notes = [
        f"{variant.variant_name}, {metric.metric_name}: {warning.message}"
        for variant in found.variants
        for metric in variant.metrics
        for warning in metric.estimate.warnings
    ]
    if found.mixed_episodes:
        notes.append(
            f"{found.mixed_episodes} episodes were served by several variants; episode-level metrics leave them out."
        )
    return notes


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
