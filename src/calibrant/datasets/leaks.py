"""Which datapoints were seen before: in another dataset, in another split, or in a variant's prompts. Blocks.

Everything is in memory at once: some kilobytes a datapoint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final, assert_never

import msgspec
from blake3 import blake3
from msgspec import Struct

from calibrant.base.errors import InvalidRequest, NotFound, RenderError
from calibrant.datasets.reader import DatasetReader
from calibrant.datasets.wording import answer_of, input_text, text_of
from calibrant.engine.compiled import (
    CompiledBestOfN,
    CompiledChainOfThought,
    CompiledDicl,
    CompiledMixtureOfN,
    CompiledVariant,
    Compiler,
    Servable,
)
from calibrant.measure.contamination import Contamination, Item, Prompt, contamination_of
from calibrant.measure.quoting import answers_in, copied_in
from calibrant.types.datapoint import Content, Datapoint, DatapointQuery
from calibrant.types.message import Input

__all__ = ["Leaks", "SplitOf", "find_leaks", "own_split", "prompts_of", "quoted_in", "split_by_tag"]

SplitOf = Callable[[Datapoint], str | None]
"""In which split a datapoint is; null leaves it out."""

_MARKUP: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_NOTHING: Final = Input()
_encode = msgspec.json.Encoder(order="deterministic").encode


class Leaks(Struct, frozen=True):
    """What was seen before, and what was looked at."""

    found: Contamination
    prompts: tuple[str, ...]
    """The prompts that were looked at, as FUNCTION/VARIANT/TEMPLATE."""
    left_out: int
    """Datapoints of no split."""
    sealed: int
    """Datapoints under a seal, which were not looked at."""


def find_leaks(
    reader: DatasetReader,
    name: str,
    *,
    against: Sequence[str] = (),
    split_of: SplitOf | None = None,
    judges: Collection[str] | None = None,
    function_name: str | None = None,
    compiler: Compiler | None = None,
    variants: Sequence[str] = (),
) -> Leaks:
    """Return which datapoints of a dataset were seen before.

    Args:
        reader: Of the datapoints.
        name: The dataset that judges.
        against: Datasets that may have been seen; each is a split by its own name.
        split_of: The split of a datapoint of the dataset; null for one split by the dataset's name.
        judges: The splits of the dataset whose datapoints judge; null for all of them.
        function_name: Only datapoints of this function.
        compiler: Has the functions, for the prompts of their variants; null looks at no prompts.
        variants: Only the prompts of these; none is all.

    Raises:
        NotFound: there is no such dataset, or no function of the datapoints has such a variant.
        InvalidRequest: a dataset is compared with itself, a split is unknown or has a dataset's name, or there are too
            many.
    """
    if name in against or len(set(against)) < len(against):
        raise InvalidRequest("against: name other datasets, each once")
    for each in (name, *against):
        reader.dataset(each)
    rows = [*_rows(reader, name, function_name)]
    functions = sorted({row.content.function_name for row in rows})
    prompts = () if compiler is None else prompts_of(compiler, functions, variants)
    items = [*_items(_open(rows), split_of or _one(name))]
    splits = sorted({item.split for item in items})
    if unknown := sorted({*(judges or ())} - {*splits}):
        raise InvalidRequest(f"judges: {unknown[0]!r} is no split of {name!r}; it has {splits[:20]}")
    for other in against:
        if other in splits:
            raise InvalidRequest(f"against: {other!r} is a split of {name!r}, too; compare them by other names")
        rows += (more := [*_rows(reader, other, function_name)])
        items += _items(_open(more), _one(other))
    try:
        found = contamination_of(items, prompts, judges=splits if judges is None else judges)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
    sealed = sum(row.split == "sealed" for row in rows)
    return Leaks(found, tuple(prompt.name for prompt in prompts), len(rows) - len(items) - sealed, sealed)


def quoted_in(prompts: Sequence[Prompt], contents: Sequence[Content]) -> frozenset[int]:
    """Return which contents prompts have words of: eight in a row of the input, or the output that is wanted."""
    texts = [prompt.text for prompt in prompts]
    answers = answers_in(texts, [answer_of(content) for content in contents])
    copies = copied_in(texts, [text_of(content) for content in contents])
    return frozenset(quote.item for quote in (*answers, *copies))


def own_split(row: Datapoint) -> str | None:
    """Return the split of a datapoint of a dataset that is sealed."""
    return row.split


def split_by_tag(tag: str) -> SplitOf:
    """Return what splits by the values of a tag; datapoints without it are in no split."""
    return lambda row: row.tags.get(tag)


def prompts_of(compiler: Compiler, functions: Iterable[str], variants: Sequence[str] = ()) -> tuple[Prompt, ...]:
    """Return what variants tell a model with every input: templates, as far as they need no arguments.

    Of a template that needs some, what stands between its tags. Those of candidates, judges and fusers are in; the
    demonstrations of in-context learning are not: they are of the record. Functions that are not in the configuration
    have none.

    Raises:
        NotFound: none of the functions has a variant of this name.
    """
    known: dict[tuple[str, str], Servable] = {}
    for function in functions:
        if function in compiler.function_names():
            known |= {(function, name): each for name, each in compiler.function(function).variants.items()}
    for wanted in variants:
        if wanted not in {name for _, name in known}:
            raise NotFound(f"Unknown variant: {wanted[:80]!r}; there are {sorted({name for _, name in known})[:10]}")
    found: dict[str, Prompt] = {}
    for (function, name), variant in known.items():
        for template, text in _told(variant) if not variants or name in variants else ():
            prompt = Prompt(f"{function}/{name}/{template}", text)
            found.setdefault(f"{prompt.name}\n{text}", prompt)
    return tuple(found.values())


def _rows(reader: DatasetReader, name: str, function_name: str | None) -> Iterator[Datapoint]:
    return reader.stream(DatapointQuery(dataset_name=name, function_name=function_name))


def _open(rows: Iterable[Datapoint]) -> Iterator[Datapoint]:
    """Yield what is not under a seal: of that there is nothing to compare."""
    return (row for row in rows if row.split != "sealed")


def _one(split: str) -> SplitOf:
    return lambda _: split


def _items(rows: Iterable[Datapoint], split_of: SplitOf) -> Iterator[Item]:
    for row in rows:
        if (split := split_of(row)) is not None:
            given = row.content.input
            yield Item(
                id=row.id,
                split=split,
                text=input_text(given),
                # What asks nothing is the same as nothing.
                content=None if given == _NOTHING else blake3(_encode(given)).hexdigest(),
                group=row.group_key,
                answer=answer_of(row.content),
            )


def _told(variant: Servable) -> Iterator[tuple[str, str]]:
    match variant:
        case CompiledVariant():
            for name, source in variant.variant.templates.items():
                yield name, _static(variant, name, source)
        case CompiledChainOfThought():
            yield from _told(variant.call)
        case CompiledBestOfN():
            yield from _told(variant.judge)
            for each in variant.candidates:
                yield from _told(each)
        case CompiledMixtureOfN():
            yield from _told(variant.fuser)
            for each in variant.candidates:
                yield from _told(each)
        case CompiledDicl():
            yield "system_instructions", variant.variant.system_instructions or ""
        case _:
            assert_never(variant)


def _static(variant: CompiledVariant, name: str, source: str) -> str:
    if variant.templates is not None:
        try:
            return variant.templates.render(name, {})
        except RenderError:
            pass
    return _MARKUP.sub("\n", source)
