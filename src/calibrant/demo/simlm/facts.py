"""The facts that an item tells beside its question: invented, and of no use for the answer.

They are what makes a case one of its own. Without them all items would be one template, each a near-duplicate of each
other, and a dataset of them could not be split.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from calibrant.demo.simlm.chance import key_of, uniforms

__all__ = ["facts_of"]

_FACTS: Final = key_of("facts")
_COUNT: Final = 6
_DRAWN: Final = 9
"""Numbers that a fact is made of."""
_FIRST: Final = ("b", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z")
_SECOND: Final = ("a", "e", "i", "o", "u")
_SYLLABLES: Final = tuple(f"{first}{second}" for first in _FIRST for second in _SECOND)
_DEEDS: Final = (
    "bought", "carried", "counted", "found", "gave back", "hid", "lent", "lost",
    "mended", "painted", "sent", "sold", "stored", "took", "washed", "weighed",
)  # fmt: skip
_GOODS: Final = (
    "anchors", "barrels", "candles", "drums", "eggs", "flutes", "hammers", "jugs",
    "kettles", "lamps", "mirrors", "needles", "oars", "pears", "ropes", "saddles",
)  # fmt: skip
_WHEN: Final = (
    "after dark", "all winter", "at dawn", "before noon", "during a storm", "every week", "in autumn", "last year",
    "on a holiday", "on market day", "since spring", "twice", "under a full moon", "when it rained", "with a cousin",
    "without a word",
)  # fmt: skip


def facts_of(seed: int, item: int) -> str:
    """Return some sentences in one line, drawn for an item: two items have less than half of their text in common."""
    drawn = uniforms(seed, _FACTS, item, np.arange(_COUNT * _DRAWN))
    return " ".join(_fact(row.tolist()) for row in drawn.reshape(_COUNT, _DRAWN))


def _fact(drawn: Sequence[float]) -> str:
    who, deed, goods, whom, when = drawn[:3], drawn[3], drawn[4], drawn[5:8], drawn[8]
    return f"{_name(who)} {_one(_DEEDS, deed)} {_one(_GOODS, goods)} for {_name(whom)} {_one(_WHEN, when)}."


def _name(drawn: Sequence[float]) -> str:
    return "".join(_one(_SYLLABLES, each) for each in drawn).title()


def _one(words: Sequence[str], drawn: float) -> str:
    return words[int(drawn * len(words))]
