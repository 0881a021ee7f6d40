"""`calibrant holdout`, `calibrant confirm` and `calibrant dataset seal`: what is sealed, and what it is opened for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from calibrant.cli import flags
from calibrant.cli.context import context
from calibrant.cli.key import catalogue_of
from calibrant.cli.lines import progress
from calibrant.cli.tables import Table, console

if TYPE_CHECKING:
    from rich.console import Console

    from calibrant.apischema.confirmations import HoldoutShown
    from calibrant.config.schema import Config
    from calibrant.datasets.editing import Actor
    from calibrant.evaluations.base import Evaluator
    from calibrant.types.confirmation import Confirmation
    from calibrant.types.split import Split

__all__ = ["app", "confirm", "move", "reveal", "seal", "status"]

app = typer.Typer(help="What is sealed of datasets, and the ledger of every look at it.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The dataset.")]
_Ids = Annotated[list[str], typer.Argument(metavar="DATAPOINT...", help="Ids of datapoints.")]


def seal(
    name: _Name,
    train: Annotated[int, typer.Option("--train", min=0, max=100, help="Of 100 groups, those to learn from.")] = 60,
    val: Annotated[int, typer.Option("--val", min=0, max=100, help="Those to pick by, seen as scores alone.")] = 20,
    sealed: Annotated[int, typer.Option("--sealed", min=0, max=100, help="Those that nobody sees.")] = 20,
    canary: Annotated[int, typer.Option("--canary", min=0, max=100, help="Those that nothing improves.")] = 0,
    newest_days: Annotated[
        int | None, typer.Option("--newest-days", min=1, help="Seal only what is so new.", show_default="any age")
    ] = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Split a dataset, for good: what belongs together stays together, and one part is put under a seal.

    Optimizers, exports and pools of examples are given the first part alone. docs/measurement.md says what for.
    """
    from calibrant.base.errors import ConfigError
    from calibrant.datasets import holdout
    from calibrant.evaluations.status import holdout_of
    from calibrant.types.split import Shares
    from calibrant.wire.confirmations import encode_holdout

    try:
        shares = Shares(train=train, val=val, sealed=sealed, canary=canary)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    with catalogue_of(data_dir) as catalogue:
        holdout.seal(catalogue, name, shares, newest_days, _actor())
        with catalogue.reading() as view:
            shown = holdout_of(view, name, _actor().now_ms)
    if as_json:
        typer.echo(encode_holdout(shown).decode())
    else:
        _show_splits(shown, console())


@app.command("status")
def status(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The dataset; every one by default.")] = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Show splits, what is left of the error budget, confirmations, and whether the ledger is whole.

    The status is 1 where the ledger was changed.
    """
    from calibrant.evaluations.running import confirmations_now
    from calibrant.evaluations.status import holdout_of
    from calibrant.wire.confirmations import encode_holdout

    with catalogue_of(data_dir) as catalogue, catalogue.reading() as view:
        names = list(view.split_datasets()) if name is None else [name]
        now_ms = _actor().now_ms
        found = [holdout_of(view, each, now_ms) for each in names]
        made = [each for each in confirmations_now(view, now_ms) if each.dataset_name in names]
    if as_json:
        for each in found:
            typer.echo(encode_holdout(each).decode())
    else:
        out = console()
        for each in found:
            _show_splits(each, out)
            _show_budgets(each, out)
        if made:
            _show_confirmations(made, out)
        if not found:
            out.print("No dataset is split; `calibrant dataset seal` does it.")
    if any(each.broken_at is not None for each in found):
        raise typer.Exit(1)


@app.command("reveal")
def reveal(ids: _Ids, data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR) -> None:
    """Show datapoints as lines of JSON. Those that are sealed leave the seal, with all of their group, for good."""
    from calibrant.datasets import holdout
    from calibrant.wire.datapoint_answer import encode_datapoint

    with catalogue_of(data_dir) as catalogue:
        for row in holdout.reveal(catalogue, ids, _actor()):
            typer.echo(encode_datapoint(row).decode())


@app.command("move")
def move(
    name: _Name,
    ids: _Ids,
    to: Annotated[str, typer.Option("--to", help="train, val or canary.")],
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
) -> None:
    """Move datapoints to another split, with what belongs to them and their near-duplicates. The ledger has it."""
    from calibrant.base.errors import ConfigError
    from calibrant.datasets import holdout
    from calibrant.types.split import SPLITS

    splits: dict[str, Split] = {each: each for each in SPLITS}
    if to not in splits:
        raise ConfigError(f"--to: {to!r} is none of train, val and canary")
    with catalogue_of(data_dir) as catalogue:
        moved = holdout.move(catalogue, name, ids, splits[to], _actor())
    typer.echo(f"{moved} groups are in {to} now.")


def confirm(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset that is sealed.")],
    function: Annotated[str, typer.Option("--function", "-f", help="The function.")],
    incumbent: Annotated[str, typer.Option("--incumbent", help="The variant that serves now.")],
    candidate: Annotated[str, typer.Option("--candidate", help="The variant that may take its place.")],
    claimed_gain: Annotated[float, typer.Option("--claimed-gain", help="What it gained where it was picked.")],
    evaluator: Annotated[
        str | None,
        typer.Option("--evaluator", help="EVALUATION::EVALUATOR, one of the function, or exact_match."),
    ] = None,
    python: Annotated[
        str | None, typer.Option("--python", help="A function of yours instead: module:function or file.py:function.")
    ] = None,
    boolean: Annotated[bool, typer.Option("--boolean", help="What that function returns is true or false.")] = False,
    minimize: Annotated[bool, typer.Option("--minimize", help="Less of what it returns is better.")] = False,
    spread: Annotated[
        float | None, typer.Option("--spread", help="Standard deviation of differences item by item, from there.")
    ] = None,
    margin: Annotated[float, typer.Option("--margin", help="By how much it must be better.")] = 0.0,
    alpha: Annotated[
        float | None, typer.Option("--alpha", help="Part of the quarter's error budget.", show_default="by schedule")
    ] = None,
    items: Annotated[
        int | None, typer.Option("--items", min=1, help="How many sealed items.", show_default="what its power needs")
    ] = None,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=64, help="Requests at a time.")] = 4,
    config: flags.ConfigFile = None,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Hold a candidate against the incumbent, once, on sealed items that nobody has looked at.

    It asks the models itself, without cache or record. The items are used up; what is answered is passed or failed, and
    a rounded interval. The status is 1 where it did not pass.
    """
    from calibrant.app.confirming import confirmed
    from calibrant.config.load import load, read_environment
    from calibrant.types.confirmation import Proposal
    from calibrant.wire.confirmations import encode_confirmation

    options = context(config, data_dir, database)
    environ = read_environment()
    loaded = load(options.config, environ=environ)
    scores = _evaluator(loaded, function, evaluator, python, boolean=boolean, minimize=minimize)
    proposal = Proposal(
        dataset_name=dataset,
        function_name=function,
        incumbent=incumbent,
        candidate=candidate,
        claimed_gain=claimed_gain,
        spread=spread,
        margin=margin,
        alpha=alpha,
        items=items,
        concurrency=concurrency,
    )
    with progress("answers") as (bar, task):

        def told(done: int, whole: int) -> None:
            bar.update(task, completed=done, total=whole)

        done = confirmed(options, environ, loaded, proposal, scores, actor="cli", progress=told)
    if as_json:
        typer.echo(encode_confirmation(done).decode())
    else:
        _show_confirmations([done], console())
    if done.status != "passed":
        raise typer.Exit(1)


def _evaluator(
    config: Config, function: str, named: str | None, python: str | None, *, boolean: bool, minimize: bool
) -> Evaluator:
    from calibrant.base.errors import ConfigError
    from calibrant.evaluations.configured import evaluator_named
    from calibrant.evaluations.python import python_function

    if (named is None) == (python is None):
        raise ConfigError("name either an --evaluator of the configuration or a --python function")
    if python is None:
        return evaluator_named(config, function, named or "")
    return python_function(python, kind="boolean" if boolean else "float", optimize="min" if minimize else "max")


def _show_splits(shown: HoldoutShown, out: Console) -> None:
    numbers = ("share", "groups", "datapoints")
    table = Table("split", *numbers, title=f"{shown.dataset_name}: sealed {_moment(shown.sealed_at)}", right=numbers)
    for each in shown.splits:
        table.add_row(each.split, f"{getattr(shown.shares, each.split)} %", str(each.groups), str(each.datapoints))
    out.print(table)


def _counted(confirmations: int) -> str:
    return f"{confirmations} confirmation{'' if confirmations == 1 else 's'}"


def _show_budgets(shown: HoldoutShown, out: Console) -> None:
    for each in shown.budgets:
        out.print(
            f"{each.function_name}: {each.fresh_items} fresh sealed items; {each.spent:.4f} of the error budget of "
            f"{each.budget} spent in {each.period}, by {_counted(each.confirmations)}."
        )
        if each.smallest_claim is None:
            out.print("Nothing can be confirmed now.")
        else:
            out.print(
                f"The next one may spend {each.next_alpha:.4f}, and can confirm a claimed gain of "
                f"{each.smallest_claim:.3f} or more."
            )
    whole = "whole" if shown.broken_at is None else f"CHANGED at line {shown.broken_at}"
    out.print(f"The ledger has {shown.ledger_entries} lines and is {whole}.")


def _show_confirmations(made: list[Confirmation], out: Console) -> None:
    headings = ("at", "function", "candidate", "against", "by", "items", "alpha", "difference", "came to")
    table = Table(*headings, title="confirmations", right=("items", "alpha", "difference"))
    for each in made:
        shown = "-" if each.interval is None else f"[{each.interval[0]:+.2f}, {each.interval[1]:+.2f}]"
        table.add_row(
            _moment(each.at),
            each.function_name,
            each.candidate,
            each.incumbent,
            each.evaluator,
            str(each.items),
            f"{each.alpha:.4f}",
            shown,
            each.status,
        )
    out.print(table)


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1e3, UTC).strftime("%Y-%m-%d %H:%M")


def _actor() -> Actor:
    from calibrant.base.clock import SystemClock
    from calibrant.datasets.editing import Actor

    return Actor("cli", SystemClock().wall_ms())
