"""`calibrant replay`: asks a gateway to ask again what it has recorded."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calibrant.cli import flags
from calibrant.cli.inferences import filters_of
from calibrant.cli.lines import progress
from calibrant.cli.tables import Table, console

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from rich.console import Console

    from calibrant.client import Client, Interval, ReplayDifference, ReplayRun, ReplaySummary

__all__ = ["replay"]

_FAULTS = 3
"""That are told of, the commonest first."""


def replay(
    variant: Annotated[str | None, typer.Option("--variant", help="The variant to ask.")] = None,
    variant_config: Annotated[
        Path | None, typer.Option("--variant-config", help="A TOML file with a variant that no configuration has.")
    ] = None,
    template: Annotated[
        list[str] | None,
        typer.Option("--template", help="Another text for a template of the variant: NAME=FILE; may be repeated."),
    ] = None,
    inference: Annotated[
        list[str] | None, typer.Option("--inference", help="Ask this inference again; may be repeated.")
    ] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", help="Ask the datapoints of this dataset.")] = None,
    version: Annotated[
        int | None, typer.Option("--version", min=0, help="As the dataset was then.", show_default="now")
    ] = None,
    function: Annotated[str | None, typer.Option("--function", "-f", help="Only what is of this function.")] = None,
    served_by: Annotated[
        str | None, typer.Option("--served-by", help="Inferences that this variant has served.")
    ] = None,
    tag: flags.Tag = None,
    since: flags.Since = None,
    until: flags.Until = None,
    filters: flags.Filters = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="So many at most.", show_default="100")] = None,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=64, help="How many at a time.")] = 4,
    cache: Annotated[
        str, typer.Option("--cache", help="How the response cache is used: off, on, read_only or write_only.")
    ] = "off",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Record nothing.")] = False,
    to: Annotated[Path | None, typer.Option("--to", help="Write each case to this file, a line of JSON each.")] = None,
    url: Annotated[str, typer.Option("--url", envvar="CALIBRANT_URL", help="The gateway.")] = "http://127.0.0.1:3000",
    as_json: flags.Json = False,
) -> None:
    """Ask again what was recorded, through another variant or an edited prompt, and compare the answers.

    The samples are named inferences, a dataset, or the newest inferences that the flags describe. The gateway has to
    run; where it wants an API key, that of CALIBRANT_API_KEY is sent. The status is 1 where every case failed.
    """
    import msgspec

    from calibrant.base.errors import ConfigError
    from calibrant.client import Client, ClientError

    chosen: dict[str, Any] = {"inference_ids": inference or None}
    narrowed = filters_of(tag or [], since, until, filters)
    if dataset is not None:
        chosen["dataset"] = {"name": dataset, "version": version, "function_name": function, "limit": limit}
    elif not inference:
        query = {"function_name": function, "variant_name": served_by, "filters": narrowed, "limit": limit or 100}
        chosen["query"] = {name: value for name, value in query.items() if value is not None}
    if ((inference or dataset) and (narrowed or served_by)) or (inference and (dataset or function or limit)):
        raise ConfigError("name inferences, or a dataset, or describe inferences by flags: one of the three")
    if to is not None and not to.parent.is_dir():
        # Before models are asked, which costs money.
        raise ConfigError(f"{to}: there is no folder {str(to.parent)!r}; make it first")
    try:
        with Client(url, timeout=None) as client:
            summary, faults = _run(
                client,
                to,
                **chosen,
                variant_name=variant,
                variant=None if variant_config is None else _table(variant_config),
                templates=_templates(template or []),
                concurrency=concurrency,
                cache_options={"enabled": cache},
                dryrun=dry_run,
            )
    except (ClientError, ValueError) as error:
        raise ConfigError(f"{url}: {error}") from None
    if as_json:
        typer.echo(msgspec.json.encode(summary).decode())
    else:
        _show(summary, faults, console())
    if summary.failed and summary.failed == summary.cases:
        raise typer.Exit(1)


def _run(client: Client, to: Path | None, **asked: Any) -> tuple[ReplaySummary, Counter[str]]:
    """Return the sums, and how often each fault came."""
    import msgspec

    from calibrant.base.errors import ConfigError
    from calibrant.client import ReplayCase, ReplayRun, ReplaySummary

    summary: ReplaySummary | None = None
    faults = Counter[str]()
    with ExitStack() as stack:
        lines = stack.enter_context(client.replay(**asked))
        bar, task = stack.enter_context(progress("cases"))
        try:
            file = None if to is None else stack.enter_context(to.open("wb"))
            for line in lines:
                match line:
                    case ReplayRun():
                        bar.update(task, total=line.samples)
                        typer.echo(_begun(line), err=True)
                    case ReplayCase():
                        bar.advance(task)
                        if line.error is not None:
                            faults[line.error.message] += 1
                        if file is not None:
                            file.write(msgspec.json.encode(line) + b"\n")
                    case ReplaySummary():
                        summary = line
        except OSError as error:
            raise ConfigError(f"{to}: {error.strerror or error}") from None
    if summary is None:
        raise ConfigError("the run broke off before its summary; look into the gateway's log, and run it again")
    return summary, faults


def _begun(run: ReplayRun) -> str:
    return f"run {run.run_id}" + ("" if run.recorded else ", which is not recorded")


def _show(summary: ReplaySummary, faults: Counter[str], out: Console) -> None:
    out.print(
        f"{summary.cases} cases, {summary.failed} failed, {summary.cached} from the cache; "
        f"cost {_plain(summary.total_cost)} USD"
    )
    numbers = ("stored", "replayed", "change", "95 % interval", "n")
    table = Table("figure", *numbers, right=numbers)
    table.add_row("failed", "", *_share(summary.failure))
    table.add_row("same output", "", *_share(summary.same_output))
    for name, figure in (
        ("input tokens", summary.input_tokens),
        ("output tokens", summary.output_tokens),
        ("cost, USD", summary.cost),
        ("time, ms", summary.processing_time_ms),
    ):
        table.add_row(name, *_difference(figure))
    out.print(table)
    for message, number in faults.most_common(_FAULTS):
        out.print(f"{number} x {message}", style="red")
    if len(faults) > _FAULTS:
        out.print(f"and {len(faults) - _FAULTS} other faults; --to writes each case", style="red")
    for warning in dict.fromkeys(
        warning.message for each in (summary.failure, summary.same_output) for warning in each.warnings
    ):
        out.print(warning, style="yellow")


def _share(found: Interval) -> tuple[str, ...]:
    return _percent(found.estimate), "", _bounds(found, _percent), str(found.n)


def _difference(found: ReplayDifference) -> tuple[str, ...]:
    apart = found.difference
    return (
        _plain(found.stored.estimate),
        _plain(found.replayed.estimate),
        _plain(apart.estimate),
        _bounds(apart, _plain),
        str(apart.n),
    )


def _bounds(found: Interval, shown: Callable[[float | None], str]) -> str:
    if found.low is None and found.high is None:
        return "none yet"
    return f"{shown(found.low)} to {shown(found.high)}"


def _plain(value: float | Decimal | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _table(path: Path) -> dict[str, Any]:
    import tomllib

    from calibrant.base.errors import ConfigError

    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"--variant-config: {path}: {error}") from None


def _templates(given: list[str]) -> dict[str, str] | None:
    from calibrant.base.errors import ConfigError

    found: dict[str, str] = {}
    for each in given:
        name, equals, path = each.partition("=")
        if not equals:
            raise ConfigError(f"--template: {each!r} has no `=`; write NAME=FILE")
        try:
            found[name] = Path(path).read_text()
        except (OSError, ValueError) as error:
            raise ConfigError(f"--template: {path}: {error}") from None
    return found or None
