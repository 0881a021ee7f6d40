"""`calibrant stats`: the variants of a function, side by side, and what can be said of their differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from calibrant.cli import findings, flags
from calibrant.cli.context import context
from calibrant.cli.moments import millis
from calibrant.cli.tables import Table, console

if TYPE_CHECKING:
    from rich.console import Console

    from calibrant.experiments.stats import FunctionStats, MetricStats, VariantStats
    from calibrant.types.estimate import Estimate

__all__ = ["show", "stats"]

_WIDTH = 100


def stats(
    function: Annotated[str, typer.Option("--function", "-f", help="The function whose variants to compare.")],
    since: flags.Since = None,
    until: flags.Until = None,
    config: flags.ConfigFile = None,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Compare the variants of a function, and name a winner only where the record can stand behind it.

    First whether traffic fell on the variants as planned and all had feedback equally often; then each variant; then
    its difference to the first one, with an interval for one look and one for any number of looks.
    """
    import msgspec

    from calibrant.app.statistics import read_stats
    from calibrant.config.load import load, read_environment

    options = context(config, data_dir, database)
    known = load(options.config, environ=read_environment())
    found = read_stats(options, known, function, millis("--since", since), millis("--until", until))
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    show(found, console(), " yet" if since is None and until is None else " of that time")


def show(found: FunctionStats, out: Console, when: str = " yet") -> None:
    """Print the checks, the figures, and what they say; `when` is of which time nothing is there."""
    if not found.variants:
        out.print(f"No inference of the function {found.function_name!r} is recorded{when}.")
        return
    metrics = list({metric.metric_name: metric for variant in found.variants for metric in variant.metrics}.values())
    levels = {metric.metric_name: metric.level for metric in metrics}
    _say(out, findings.about_split(found.sample_ratio, found.unit), alarm=found.sample_ratio.failed)
    for alarm in (False, True):
        checks = [check for check in found.feedback_parity if check.failed == alarm]
        _say(out, findings.about_parity(checks, levels), alarm=alarm)
    _show_variants(out, found)
    verdicts = {verdict.metric_name: verdict for verdict in found.verdicts}
    for metric in metrics:
        _show_metric(out, found, metric)
        _say(out, findings.about_differences(found, metric))
        said = findings.about_verdict(verdicts[metric.metric_name], found.comparisons.count)
        if said:
            _say(out, [said])
    for line in findings.notes(found):
        _say(out, [line], alarm=True)


def _say(out: Console, lines: list[str], *, alarm: bool = False) -> None:
    """Print sentences, each with its further lines indented."""
    from textwrap import wrap

    width = min(out.width, _WIDTH)
    for line in lines:
        for part in wrap(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False):
            out.print(part, style="yellow" if alarm else None, soft_wrap=True)


def _show_table(out: Console, title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(*headings, title=title, right=[each for each in headings[1:] if each != "method"])
    for row in rows:
        table.add_row(*row)
    out.print(table)


def _show_variants(out: Console, found: FunctionStats) -> None:
    headings = ("variant", "n", "errors", "episodes", "p50 ms", "p95 ms", "tokens in", "tokens out")
    rows = [_figures(variant) for variant in found.variants]
    _show_table(out, f"{found.function_name}: what each variant did", headings, rows)


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


def _show_metric(out: Console, found: FunctionStats, metric: MetricStats) -> None:
    aim = "larger is better" if metric.optimize == "max" else "smaller is better"
    title = f"{metric.metric_name} ({metric.type}, by {metric.level}, {aim})"
    headings = ("variant", "mean", "95 % interval", "n", f"{found.unit}s", "deff", "feedback", "method")
    rows = [
        [variant.variant_name, *_metric_cells(each)]
        for variant in found.variants
        for each in variant.metrics
        if each.metric_name == metric.metric_name
    ]
    _show_table(out, title, headings, rows)


def _metric_cells(metric: MetricStats) -> list[str]:
    estimate = metric.estimate
    rate = "-" if metric.feedback_rate is None else f"{metric.feedback_rate:.0%} of {metric.units}"
    return [
        _score(estimate.estimate),
        _interval(estimate),
        str(estimate.n),
        str(estimate.clusters),
        _number(metric.design_effect),
        rate,
        estimate.method,
    ]


def _interval(estimate: Estimate) -> str:
    if estimate.low is None and estimate.high is None:
        return "none yet"
    return f"{_score(estimate.low)} to {_score(estimate.high)}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
