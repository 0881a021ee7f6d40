"""What a model says when it is right or wrong, and what can be read out of it again.

Without anything to say beside it an answer is one word, one of the options. Models with a family open with its name,
and rules or models that make answers longer put words before the answer.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

from calibrant.demo.simlm.chance import key_of, uniforms
from calibrant.demo.simlm.items import Ints, answers_of, integers
from calibrant.demo.simlm.parameters import Parameters

__all__ = ["Said", "compose", "options_of", "read_reply", "words_of"]

_WORDS: Final = key_of("words")
_WRONG: Final = key_of("wrong")

_FILLER: Final = ("the", "task", "names", "a", "place", "and", "a", "number", "the", "wood", "is", "what", "matters")
_PLAIN: Final = re.compile(r"(?:\[([\w-]+)\]\s+)?(?:(.*?)\s*\banswer:\s*)?(\w+)\W*", re.IGNORECASE | re.DOTALL)


class Said(Struct, frozen=True):
    """What stands in a reply."""

    answer: str
    """One of the options, if it is one of this world; in small letters."""
    words: int
    """Words around it."""
    family: str
    """Whose style it has; empty where none."""


class _Json(Struct, frozen=True, omit_defaults=True):
    answer: str
    reason: str = ""
    style: str = ""


def options_of(world: Parameters, items: ArrayLike, prompt: str, correct: ArrayLike) -> Ints:
    """Return what is answered to each item, as its place in `options`; a prompt has one wrong answer to an item."""
    right, count = answers_of(world, items), len(world.options)
    drawn = uniforms(world.seed, _WRONG, integers(items), key_of(prompt.strip()))
    wrong = (right + 1 + (drawn * (count - 1)).astype(np.int64)) % count
    return np.where(np.asarray(correct, dtype=bool), right, wrong)


def words_of(world: Parameters, items: ArrayLike, prompt: str, model: str) -> Ints:
    """Return how many words stand around each answer: between half and one and a half of the mean."""
    added = sum(rule.words for rule in world.rules.values() if rule.matches(prompt))
    drawn = uniforms(world.seed, _WORDS, integers(items), key_of(prompt.strip()))
    return np.rint((world.models[model].words + added) * (0.5 + drawn)).astype(np.int64)


def compose(answer: str, words: int, family: str, *, json: bool = False) -> str:
    """Return the reply that says an answer with so many words around it, in the style of a family."""
    filler = " ".join(_FILLER[at % len(_FILLER)] for at in range(words))
    if json:
        return msgspec.json.encode(_Json(answer, filler, family)).decode()
    style = f"[{family}] " if family else ""
    return f"{style}{filler} Answer: {answer}" if words else f"{style}{answer}"


def read_reply(text: str) -> Said:
    """Return what stands in a reply, or in any other text: the last word is the answer of one that says none."""
    try:
        found = msgspec.json.decode(text, type=_Json)
    except (msgspec.MsgspecError, RecursionError):
        return _read_plain(text)
    return Said(found.answer.strip().lower(), len(found.reason.split()), found.style)


def _read_plain(text: str) -> Said:
    found = _PLAIN.fullmatch(text.strip())
    if found is not None:
        return Said(found[3].lower(), len((found[2] or "").split()), found[1] or "")
    words = re.findall(r"\w+", text)
    return Said(words[-1].lower() if words else "", max(0, len(text.split()) - 1), "")
