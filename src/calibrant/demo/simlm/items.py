"""The items of a world: as many as there are integers from 0 on, each a function of the seed and its number.

Items `k * cluster_size` to `(k + 1) * cluster_size - 1` are cluster `k`. A text carries the number in a key, so that
whoever reads it knows which item it is; the answer is in the world alone.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from calibrant.base.errors import InvalidRequest
from calibrant.demo.simlm.chance import Floats, key_of, normals, uniforms
from calibrant.demo.simlm.facts import facts_of
from calibrant.demo.simlm.parameters import Parameters

__all__ = [
    "Bools",
    "Ints",
    "Task",
    "answers_of",
    "clusters_of",
    "ease_of",
    "injected_in",
    "integers",
    "read_task",
    "shares_of",
    "text_of",
    "types_of",
]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_ANSWER: Final = key_of("answer")
_CLUSTER: Final = key_of("cluster")
_DIFFICULTY: Final = key_of("difficulty")
_INJECTION: Final = key_of("injection")
_TYPE: Final = key_of("type")
_WORDING: Final = key_of("wording")

_KEY: Final = re.compile(r"\[item (\d{1,18}) of group (\d{1,18})\]")
_PEOPLE: Final = ("A baker", "A clerk", "A driver", "A farmer", "A nurse", "A pilot", "A tailor", "A teacher")
_THINGS: Final = ("a bridge", "a fence", "a gate", "a ladder", "a roof", "a shelf", "a table", "a wagon")
_PLACES: Final = ("by the harbour", "in the hills", "near the mill", "on the island", "over the river")


class Task(Struct, frozen=True):
    """An item, as found in what a model was told."""

    item: int
    rest: str
    """What was told without the item's own text: the prompt."""


def integers(items: ArrayLike) -> Ints:
    """Return numbers of items as an array.

    Raises:
        ValueError: one is negative or no integer.
    """
    found = np.asarray(items)
    if found.size and (found.dtype.kind not in "iu" or found.min() < 0):
        raise ValueError("items are numbered by integers from 0 on")
    return found.astype(np.int64)


def clusters_of(world: Parameters, items: ArrayLike) -> Ints:
    """Return the cluster of each item."""
    return integers(items) // world.cluster_size


def ease_of(world: Parameters, items: ArrayLike) -> Floats:
    """Return how easy each item is, in logits: the effect of its cluster less its own difficulty."""
    own = world.difficulty_sd * normals(world.seed, _DIFFICULTY, integers(items))
    return world.cluster_sd * normals(world.seed, _CLUSTER, clusters_of(world, items)) - own


def shares_of(world: Parameters) -> Floats:
    """Return the share of each type, in the order of `types`; they add up to 1."""
    shares = np.array(list(world.types.values()), dtype=np.float64)
    return shares / shares.sum()


def types_of(world: Parameters, items: ArrayLike) -> Ints:
    """Return the type of each item, as its place in `types`."""
    edges = np.cumsum(shares_of(world))[:-1]
    return np.searchsorted(edges, uniforms(world.seed, _TYPE, integers(items)), side="right").astype(np.int64)


def answers_of(world: Parameters, items: ArrayLike) -> Ints:
    """Return the right answer to each item, as its place in `options`."""
    return (uniforms(world.seed, _ANSWER, integers(items)) * len(world.options)).astype(np.int64)


def injected_in(world: Parameters, items: ArrayLike) -> Bools:
    """Return which items have a text that speaks to whoever grades them."""
    return uniforms(world.seed, _INJECTION, integers(items)) < world.injection.share


def text_of(world: Parameters, item: int) -> str:
    """Return an item as the task that a user sends."""
    kind = list(world.types)[int(types_of(world, item))]
    drawn = uniforms(world.seed, _WORDING, item, np.arange(4))
    person, thing, place = (
        words[int(at * len(words))] for words, at in zip((_PEOPLE, _THINGS, _PLACES), drawn, strict=False)
    )
    number = 10 + int(drawn[3] * 90)
    lines = [
        f"[item {item} of group {int(clusters_of(world, item))}]",
        f"Type: {kind}. {person} {place} wants {thing} with {number} pieces of one wood.",
        facts_of(world.seed, item),
        f"Which is right for it: {', '.join(world.options)}?",
    ]
    if injected_in(world, item):
        lines.append(world.injection.text)
    return "\n".join(lines)


def read_task(world: Parameters, told: str) -> Task:
    """Return the item whose text stands in what a model was told; the last, where there are several.

    Where the text was changed and only the key is left of it, all the rest is the prompt.

    Raises:
        InvalidRequest: there is no key, or it is none of this world.
    """
    found = list(_KEY.finditer(told))
    if not found:
        raise InvalidRequest("no item: a message must have the text of one, which begins with '[item 12 of group 1]'")
    item, group = int(found[-1][1]), int(found[-1][2])
    if group != int(clusters_of(world, item)):
        raise InvalidRequest(
            f"{found[-1][0]} is no item of this world: its groups have {world.cluster_size} items each"
        )
    start = found[-1].start()
    text = text_of(world, item)
    end = start + len(text) if told.startswith(text, start) else found[-1].end()
    return Task(item, f"{told[:start]}{told[end:]}".strip())
