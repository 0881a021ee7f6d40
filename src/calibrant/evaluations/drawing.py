"""Which sealed items a confirmation reads: whole components that none has read before, drawn at random.

A component is what belongs together or is nearly the same; items of one say little more than one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec
from blake3 import blake3
from msgspec import Struct

from calibrant.base.errors import ConfirmationRefused
from calibrant.measure.comparison import FEWEST_CLUSTERS
from calibrant.store.catalogue import Catalogue, Reading
from calibrant.store.splits import FreshComponent, SealedItem
from calibrant.types.confirmation import Proposal
from calibrant.types.datapoint import Content

__all__ = ["Drawn", "Touched", "design_effect", "drawn"]

Touched = Callable[[Sequence[Content]], Collection[int]]
"""Returns the places of those contents of which a prompt has words."""

_PAGE: Final = 100
_CORRELATION: Final = 0.13
"""Between items of a group, where nothing is known: that of a local model's results on ten consecutive sentences."""
_content = msgspec.json.Decoder(Content).decode


class Drawn(Struct, frozen=True):
    """An item with its content."""

    item: SealedItem
    content: Content


def drawn(
    catalogue: Catalogue,
    view: Reading,
    proposal: Proposal,
    needed: int,
    seed: str,
    touched: Touched,
) -> tuple[list[Drawn], list[str]]:
    """Return so many items or a few more, in whole components, and the components that have to leave the seal.

    Items without a wanted output are no help and stay where they are.

    Args:
        catalogue: Has the vault.
        view: Of the catalogue, in the transaction that takes them.
        proposal: Names the dataset and the function.
        needed: How many.
        seed: Of the draw.
        touched: Says of which contents a prompt of the two variants has words.

    Raises:
        ConfirmationRefused: there are not so many, or they are too much alike.
    """
    found: list[Drawn] = []
    leaving: list[str] = []
    for page in _pages(catalogue, view, proposal, seed):
        # Of many at a time, since what many items have in common with a prompt is no sign of copying.
        every = [each for group in page for each in group]
        quoted = {every[at].item.component for at in touched([each.content for each in every])}
        leaving += sorted(quoted)
        for group in page:
            if group and group[0].item.component not in quoted:
                # No evaluator sees an item before the ledger says that it is read.
                found += [each for each in group if each.content.output is not None]
            if len(found) >= needed and len(_components(found)) >= FEWEST_CLUSTERS:
                return found, leaving
    if len(found) >= needed:
        raise ConfirmationRefused(
            f"the {len(found)} fresh items are nearly the same or belong together: they are {len(_components(found))} "
            f"independent cases, and no fewer than {FEWEST_CLUSTERS} say anything"
        )
    raise ConfirmationRefused(
        f"it needs {needed} sealed items, and {len(found)} are fresh: {needed - len(found)} are missing. Wait for new "
        "cases, claim no smaller gain than there is, or spend more of the error budget on it. Items that belong "
        f"together or are nearly the same say less: these are {len(_components(found))} independent cases"
    )


def design_effect(groups: Sequence[FreshComponent]) -> float:
    """Return how many items of these are worth one independent item, as far as it can be told beforehand."""
    items = sum(group.datapoints for group in groups)
    if not items:
        return 1.0
    return 1 + _CORRELATION * (sum(group.datapoints**2 for group in groups) / items - 1)


def _pages(catalogue: Catalogue, view: Reading, proposal: Proposal, seed: str) -> Iterator[list[list[Drawn]]]:
    """Yield fresh components with their contents, some at a time, in an order that the seed says."""
    name, function = proposal.dataset_name, proposal.function_name
    keys = [each.component for each in view.fresh_components(name, function)]
    keys.sort(key=lambda key: blake3(f"{seed}\0{key}".encode("utf-8", "surrogatepass")).digest())
    rest = iter(keys)
    while page := list(islice(rest, _PAGE)):
        items: dict[str, list[SealedItem]] = {}
        for item in view.sealed_items(name, function, page):
            items.setdefault(item.component, []).append(item)
        contents = catalogue.vault.get([item.content_hash for some in items.values() for item in some])
        yield [
            [
                Drawn(item, _content(contents[item.content_hash]))
                for item in items.get(key, ())
                if item.content_hash in contents
            ]
            for key in page
        ]


def _components(found: Sequence[Drawn]) -> set[str]:
    return {each.item.component for each in found}
