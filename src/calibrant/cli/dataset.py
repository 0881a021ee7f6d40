"""`calibrant dataset`: datasets of the catalogue, made, shown, and carried in and out."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calibrant.cli import flags
from calibrant.cli.context import context
from calibrant.cli.key import catalogue_of
from calibrant.cli.lines import (
    PARQUET,
    STANDARD,
    form_of,
    held_back,
    progress,
    read_file,
    read_parquet,
    write_lines,
    write_parquet,
)
from calibrant.cli.tables import Table, console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calibrant.datasets.editing import Actor
    from calibrant.datasets.formats import Format
    from calibrant.engine.compiled import Compiler
    from calibrant.store.base import Reader
    from calibrant.types.datapoint import NewDatapoint
    from calibrant.types.query import OutputSource, Query
    from calibrant.types.rows import InferenceRow
    from calibrant.types.split import Split, SplitCount

__all__ = ["app", "compiler_of", "create", "delete", "export", "from_inferences", "import_", "list_datasets", "show"]

app = typer.Typer(
    help="Datasets: inputs with the outputs that are wanted, for evaluation and training.", no_args_is_help=True
)

_PAGE = 500
_OURS = "datapoints"

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The dataset.")]
_Function = Annotated[str | None, typer.Option("--function", "-f", help="Only this function's.", show_default=False)]
_Limit = Annotated[int, typer.Option("--limit", min=1, help="How many, at most.")]
_Format = Annotated[
    str | None,
    typer.Option("--format", help="See docs/datasets.md; by the file's name: parquet, else datapoints."),
]


@app.command("list")
def list_datasets(
    function: _Function = None, data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR, as_json: flags.Json = False
) -> None:
    """List the datasets, the one changed last first."""
    from calibrant.types.datapoint import Dataset
    from calibrant.wire.datasets import encode_datasets

    found: list[Dataset] = []
    with catalogue_of(data_dir) as catalogue, catalogue.reading() as view:
        while page := view.list_datasets(function_name=function, limit=_PAGE, offset=len(found)):
            found += page
    if as_json:
        typer.echo(encode_datasets(found).decode())
        return
    headings = ("name", "datapoints", "version", "groups by", "changed")
    table = Table(*headings, title="datasets", right=("datapoints", "version"))
    for each in found:
        table.add_row(each.name, str(each.datapoints), str(each.version), each.group_by, _moment(each.updated_at))
    console().print(table if found else "There is no dataset yet; `calibrant dataset create` makes one.")


@app.command("show")
def show(
    name: _Name,
    limit: _Limit = 20,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Show a dataset and what was done to it, the newest first."""
    import msgspec

    from calibrant.datasets.holdout import split_of
    from calibrant.datasets.reader import DatasetReader
    from calibrant.wire.datasets import encode_changes, encode_dataset

    with catalogue_of(data_dir) as catalogue:
        known = DatasetReader(catalogue).dataset(name)
        with catalogue.reading() as view:
            changes = view.dataset_changes(name, limit=limit + 1)
            splits = () if known.splitting is None else split_of(view, name)
    more, changes = len(changes) > limit, changes[:limit]
    if as_json:
        told = encode_changes(changes, changes[-1].version if more else None)
        counts_of = {"splits": msgspec.to_builtins(splits)} if splits else {}
        both = {**counts_of, **msgspec.json.decode(encode_dataset(known)), **msgspec.json.decode(told)}
        typer.echo(msgspec.json.encode(both).decode())
        return
    out = console()
    out.print(f"{known.name}: {known.datapoints} datapoints, version {known.version}, grouped by {known.group_by}")
    if splits:
        out.print(_split_table(splits))
    headings = ("version", "at", "by", "did", "added", "removed")
    table = Table(*headings, title="what was done", right=("version", "added", "removed"))
    for each in changes:
        counts = (str(each.added), str(each.removed))
        table.add_row(str(each.version), _moment(each.at), each.actor or "-", each.action, *counts)
    out.print(table)


def _split_table(splits: Sequence[SplitCount]) -> Table:
    numbers = ("groups", "datapoints", "used up")
    table = Table("split", *numbers, title="splits", right=numbers)
    for each in splits:
        table.add_row(each.split, str(each.groups), str(each.datapoints), str(each.used))
    return table


@app.command("create")
def create(
    name: _Name,
    group_by: Annotated[
        str, typer.Option("--group-by", help="What belongs together: episode, datapoint, or tag::NAME.")
    ] = "episode",
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Make an empty dataset. One that is added to is made by itself, grouped by episode."""
    from calibrant.datasets import editing
    from calibrant.wire.datasets import encode_dataset

    with catalogue_of(data_dir) as catalogue:
        made = editing.create(catalogue, name, group_by, _actor())
    typer.echo(encode_dataset(made).decode() if as_json else f"{made.name} is there, grouped by {made.group_by}.")


@app.command("delete")
def delete(
    name: _Name,
    datapoint: Annotated[
        list[str] | None, typer.Option("--datapoint", help="Only this one; may be repeated.", show_default=False)
    ] = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Delete a dataset's datapoints. Past versions of it stay, and can be exported."""
    from calibrant.datasets import editing

    with catalogue_of(data_dir) as catalogue:
        if datapoint:
            number = editing.delete(catalogue, name, datapoint, _actor())
        else:
            number = editing.clear(catalogue, name, _actor())
    typer.echo(f'{{"num_deleted_datapoints":{number}}}' if as_json else f"{number} datapoints are deleted.")


@app.command("export")
def export(
    name: _Name,
    to: Annotated[Path, typer.Option("--to", help="A file; `-` is standard output.")] = STANDARD,
    form: _Format = None,
    version: Annotated[int | None, typer.Option("--version", min=0, help="As it was then.", show_default="now")] = None,
    function: _Function = None,
    variant: Annotated[
        str | None, typer.Option("--variant", help="Whose templates render the inputs.", show_default=False)
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option("--split", help="train, val or canary; may be repeated.", show_default="train"),
    ] = None,
    config: flags.ConfigFile = None,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
) -> None:
    """Write a version of a dataset to a file, one datapoint at a time; of one that is split, what may be learnt from.

    What is sealed is never written.
    """
    from calibrant.datasets.exporting import Exporter
    from calibrant.datasets.formats import FORMATS
    from calibrant.datasets.reader import DatasetReader
    from calibrant.types.datapoint import DatapointQuery

    form = form_of(form, to, (_OURS, PARQUET, *FORMATS))
    foreign: Format | None = next((each for each in FORMATS if each == form), None)
    which = DatapointQuery(dataset_name=name, function_name=function, version=version)
    with catalogue_of(data_dir) as catalogue, _record(data_dir, database) as record:
        reader = DatasetReader(catalogue, splits=_splits(split))
        reader.dataset(name, version)
        compiler = None if foreign is None else compiler_of(config)
        held = reader.left_out(which)
        exporter = Exporter(reader, foreign, compiler=compiler, variant=variant, record=record)
        with progress("datapoints written") as (bar, task):

            def lines() -> Iterator[bytes]:
                for line in exporter.lines(which):
                    yield line
                    bar.update(task, completed=exporter.written)

            if form == PARQUET:
                write_parquet(lines(), to, "datapoints")
            else:
                write_lines(lines(), to)
    rest = f"; {exporter.left_out} left out, for which {form} has no place" if exporter.left_out else ""
    typer.echo(f"{exporter.written} datapoints written{rest}.", err=True)
    if held:
        typer.echo(f"{held_back(held)}; docs/datasets.md#splits says why.", err=True)


@app.command("import")
def import_(
    name: _Name,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A file of lines, or Parquet; `-` is standard input.")],
    form: _Format = None,
    function: Annotated[
        str | None, typer.Option("--function", "-f", help="Whose datapoints they become (format chat).")
    ] = None,
    config: flags.ConfigFile = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Add the datapoints of a file. A file is checked to its end before the first is added."""
    from calibrant.datasets.importing import imported, read_lines

    form = form_of(form, source, (_OURS, PARQUET, "chat"))
    compiler, actor = compiler_of(config), _actor()
    kind = "chat" if form == "chat" else "datapoints"

    def wanted() -> Iterator[NewDatapoint]:
        lines = read_parquet(source) if form == PARQUET else read_file(source)
        return read_lines(lines, kind, compiler, function_name=function, now_ms=actor.now_ms)

    with catalogue_of(data_dir) as catalogue, progress("datapoints") as (bar, task):
        if source != STANDARD:
            for number, _ in enumerate(wanted(), 1):
                bar.update(task, description="datapoints checked", completed=number)
        done = 0
        for done in imported(catalogue, name, wanted(), actor):
            bar.update(task, description="datapoints added", completed=done)
    typer.echo(f'{{"num_imported_datapoints":{done}}}' if as_json else f"{done} datapoints were added to {name}.")


@app.command("from-inferences")
def from_inferences(
    name: _Name,
    inference: Annotated[
        list[str] | None, typer.Option("--inference", help="The id of one; may be repeated.", show_default=False)
    ] = None,
    function: _Function = None,
    variant: Annotated[str | None, typer.Option("--variant", help="Only this variant's.", show_default=False)] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", help="NAME=VALUE; may be repeated.", show_default=False)
    ] = None,
    limit: _Limit = 1000,
    output: Annotated[str, typer.Option("--output", help="inference, demonstration or none.")] = "inference",
    config: flags.ConfigFile = None,
    database: flags.Database = None,
    data_dir: flags.DataDir = flags.DEFAULT_DATA_DIR,
    as_json: flags.Json = False,
) -> None:
    """Make datapoints of recorded inferences: those named, or the newest that fit."""
    from calibrant.base.errors import ConfigError, NotFound
    from calibrant.datasets.gathering import gathered, missing_of
    from calibrant.datasets.importing import BATCH, imported
    from calibrant.types.query import And, Query, Tagged

    sources: dict[str, OutputSource] = {
        "inference": "inference",
        "demonstration": "demonstration",
        "none": "none",
    }
    if output not in sources:
        raise ConfigError(f"--output: {output!r} is none of {', '.join(sources)}")
    pairs = [each.partition("=") for each in tag or ()]
    for key, equals, _ in pairs:
        if not key or not equals:
            raise ConfigError(f"--tag: {key!r} has no value; write NAME=VALUE")
    query = Query(
        function_name=function,
        variant_name=variant,
        filters=And(tuple(Tagged(key, value) for key, _, value in pairs)) if pairs else None,
        source=sources[output],
        limit=min(limit, BATCH),
    )
    compiler, done = compiler_of(config), 0
    with catalogue_of(data_dir) as catalogue, _record(data_dir, database) as record, progress("datapoints") as shown:
        rows: Iterator[InferenceRow]
        if inference:
            found = record.get(inference)
            if missing := missing_of(found, inference):
                raise NotFound(f"--inference: there is no inference {missing[0][:80]} in the database")
            rows = iter(found)
        else:
            rows = _pages(record, query, limit)
        made = gathered(record, compiler, rows, sources[output], strict=bool(inference))
        for done in imported(catalogue, name, made, _actor(), action="from_inferences"):
            shown[0].update(shown[1], completed=done)
    typer.echo(f'{{"num_added_datapoints":{done}}}' if as_json else f"{done} inferences are datapoints of {name} now.")


def _splits(named: list[str] | None) -> tuple[Split, ...]:
    from calibrant.base.errors import ConfigError
    from calibrant.datasets.reader import TRAINABLE
    from calibrant.types.split import SPLITS

    if not named:
        return TRAINABLE
    if unknown := [each for each in named if each not in SPLITS]:
        raise ConfigError(f"--split: {unknown[0]!r} is none of train, val and canary")
    wanted: dict[str, Split] = {each: each for each in SPLITS}
    return tuple(wanted[each] for each in named)


def _pages(record: Reader, query: Query, limit: int) -> Iterator[InferenceRow]:
    from msgspec.structs import replace

    left = limit
    while left > 0 and (page := record.find(replace(query, limit=min(query.limit, left)))):
        yield from page
        left -= len(page)
        query = replace(query, before=page[-1].id)


def _actor() -> Actor:
    from calibrant.base.clock import SystemClock
    from calibrant.datasets.editing import Actor

    return Actor("cli", SystemClock().wall_ms())


def compiler_of(config: str | None) -> Compiler:
    """Return what a configuration has, compiled; without one only what a shorthand names."""
    from calibrant.cli.context import pattern
    from calibrant.config.load import load, read_environment
    from calibrant.config.setting import with_region
    from calibrant.engine.compiled import Compiler

    return Compiler(with_region(load(pattern(config), environ=read_environment()), "unasked"))


@contextmanager
def _record(data_dir: Path, database: str | None) -> Generator[Reader]:
    from contextlib import closing

    from calibrant.app.homes import open_reader
    from calibrant.config.load import read_environment

    with closing(open_reader(context(None, data_dir, database), read_environment())) as reader:
        yield reader


def _moment(millis: int) -> str:
    from calibrant.wire.keys import moment

    return moment(millis).isoformat(timespec="seconds")
