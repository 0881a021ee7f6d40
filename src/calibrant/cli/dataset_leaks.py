"""`calibrant dataset leaks`: which datapoints were seen before, in other datasets, in other splits or in prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from calibrant.cli import flags
from calibrant.cli.dataset import compiler_of
from calibrant.cli.key import catalogue_of
from calibrant.cli.tables import Table, console

if TYPE_CHECKING:
    from rich.console import Console

    from calibrant.datasets.leaks import Leaks

__all__ = ["leaks", "show"]

_SHOWN = 5
"""Examples of each kind."""
_STYLES = {"clean": "green", "warning": "yellow", "contaminated": "red"}
_Texts = list[str] | None


def leaks(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The dataset that judges.")],
    against: Annotated[
        _Texts,
        typer.Option("--against", help="A dataset that may have been seen; may be repeated.", show_default=False),
    ] = None,
    split_tag: Annotated[
        str | None, typer.Option("--split-tag", help="The tag whose values are splits of NAME.", show_default=False)
    ] = None,
    judge: Annotated[
        _Texts, typer.Option("--judge", help="Only this split judges; may be repeated.", show_default=False)
    ] = None,
    function: Annotated[
        str | None, typer.Option("--function", "-f", help="Only this function's.", show_default=False)
    ] = None,
    variant: Annotated[
        _Texts, typer.Option("--variant", help="Only this variant's prompts; may be repeated.", show_default=False)
    ] = None,
    config: flags.ConfigFile = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Say which datapoints were seen before: in other datasets, in other splits, or in the prompts of variants.

    What was seen before flatters whoever has seen it. From 1 % on it is a warning; from 5 % on results mean nothing
    unless the leak-free datapoints, which --json names, say the same. Of a dataset that is sealed its own splits are
    compared; what is under the seal is not looked at, and counted: near-duplicates are found when they enter.
    """
    import msgspec

    from calibrant.datasets.leaks import find_leaks, own_split, split_by_tag
    from calibrant.datasets.reader import DatasetReader

    with catalogue_of(data_dir) as catalogue:
        reader = DatasetReader(catalogue)
        own = reader.dataset(name).splitting is not None and split_tag is None
        found = find_leaks(
            reader,
            name,
            against=against or (),
            split_of=own_split if own else None if split_tag is None else split_by_tag(split_tag),
            judges=judge,
            function_name=function,
            compiler=compiler_of(config),
            variants=variant or (),
        )
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    show(found, console())


def show(leaks: Leaks, out: Console) -> None:
    """Print what leaked, examples, and the verdict."""
    from calibrant.measure.contamination import LEAK_KINDS

    found = leaks.found
    numbers = ("datapoints", *LEAK_KINDS, "any", "share")
    table = Table("split", *numbers, title="datapoints that were seen before", right=numbers)
    for each in found.splits:
        counts = (str(each.counts[kind]) for kind in LEAK_KINDS)
        table.add_row(each.split, str(each.n), *counts, str(each.leaked), f"{each.share:.1%}")
    out.print(table)
    for kind in LEAK_KINDS:
        for leak in [leak for leak in found.leaks if leak.kind == kind][:_SHOWN]:
            share = "" if leak.share is None else f" ({leak.share:.0%} the same)"
            quoted = "" if leak.text is None else f": {leak.text}"
            out.print(f"{kind}: {leak.id} and {leak.other}{share}{quoted}")
    out.print(f"Prompts that were looked at: {', '.join(leaks.prompts) or 'none'}.")
    if leaks.left_out:
        out.print(f"{leaks.left_out} datapoints are in no split and were left out.")
    if leaks.sealed:
        out.print(
            f"{leaks.sealed} sealed datapoints were not looked at. They need not be: what is nearly the same is one "
            "case with them when it enters, or takes them out of the seal, and a confirmation asks none that a prompt "
            "has words of."
        )
    out.print(f"{found.verdict}: {found.why}.", style=_STYLES[found.verdict])
