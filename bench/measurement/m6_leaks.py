"""M6: of texts of a held-out set that were planted among others, changed a little, how many are found to leak?

Each corpus has texts to learn from and as many held out, none of which is near another; then copies of some that are
learned from, changed in a way that is known, join those held out. What leaks, `contamination_of` says; the usual
practice compares hashes of texts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.random import Generator

from bench.measurement import real
from bench.measurement.cells import Cell, Figures, Found, Line, percent
from calibrant.measure.contamination import Item, contamination_of
from calibrant.measure.leakage import near_duplicates, normalised, shingles
from calibrant.measure.minhash import near_components, print_of

__all__ = ["CHANGES", "cells", "details", "lines", "notes", "planted"]

_HALF = 2000
"""Texts to learn from, at most, and as many held out; a fourth as many are planted among these."""
_VOCABULARY = 5000
_SHORTEST = 40
"""Characters of a real text that is used."""


@lru_cache
def _vocabulary() -> tuple[str, ...]:
    """Return words of two to five syllables."""
    draw = np.random.default_rng(5)
    sounds = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    return tuple("".join(draw.choice(sounds, draw.integers(1, 5))) for _ in range(_VOCABULARY))


def _made(draw: Generator, n: int) -> list[str]:
    """Return texts of 15 to 60 words, of which few words are frequent, with a number in each."""
    words = np.array(_vocabulary())
    weights = 1 / (np.arange(words.size) + 10)
    texts = []
    for size in draw.integers(15, 61, n):
        said = draw.choice(words, size, p=weights / weights.sum()).tolist()
        texts.append(" ".join([*said[:8], str(draw.integers(1000, 10_000)), *said[8:]]).capitalize() + ".")
    return texts


@lru_cache
def _apart(corpus: str) -> tuple[str, ...]:
    """Return the texts of a corpus of which none is connected to another, the first of each that are.

    Raises:
        FileNotFoundError: they are not there.
    """
    texts = _made(np.random.default_rng(6), 6000) if corpus == "made" else real.texts(corpus)
    long = list(dict.fromkeys(text for text in texts if len(text) >= _SHORTEST))
    firsts = near_components([print_of(text) for text in long])
    return tuple(text for at, text in enumerate(long) if firsts[at] == at)


def _copied(_: Generator, text: str) -> str:
    return text


def _cased(draw: Generator, text: str) -> str:
    return (text.upper() if draw.random() < 0.5 else text.title()).replace(" ", "  ") + "\n"


def _renumbered(draw: Generator, text: str) -> str:
    return re.sub(r"\d", lambda _: str(draw.integers(10)), text)


def _mistyped(draw: Generator, text: str) -> str:
    at = int(draw.integers(len(text)))
    return text[:at] + str(draw.choice(list("abcdefghij"))) + text[at + 1 :]


def _reworded(share: float) -> Callable[[Generator, str], str]:
    """Return a change that puts other words in the place of so many, and of one at least."""

    def changed(draw: Generator, text: str) -> str:
        words = text.split(" ")
        for at in draw.permutation(len(words))[: max(1, round(share * len(words)))]:
            words[at] = str(draw.choice(_vocabulary()))
        return " ".join(words)

    return changed


def _lengthened(draw: Generator, text: str) -> str:
    return f"{text} {draw.choice(_vocabulary())} {draw.choice(_vocabulary())}"


def _turned(draw: Generator, text: str) -> str:
    """Return the text with its two halves in the other order, and a word in ten another one."""
    words = _reworded(0.1)(draw, text).split(" ")
    half = len(words) // 2
    return " ".join([*words[half:], *words[:half]])


CHANGES: dict[str, Callable[[Generator, str], str]] = {
    "copy": _copied,
    "case and spaces": _cased,
    "digits": _renumbered,
    "a letter": _mistyped,
    "a word": _reworded(0.0),
    "two words more": _lengthened,
    "a word in five": _reworded(0.2),
    "halves turned, a word in ten": _turned,
}


def planted(draw: Generator, *, corpus: str, change: str) -> Figures:
    """Return what is found of planted texts, and of the others, and what the usual way finds."""
    texts = [str(text) for text in draw.permutation(np.array(_apart(corpus), dtype=object))]
    half = min(_HALF, len(texts) // 2)
    learned, others = texts[:half], texts[half : 2 * half]
    sources = draw.choice(half, half // 4, replace=False)
    copies = [CHANGES[change](draw, learned[at]) for at in sources]
    held_out = copies + others
    items = [Item(id=f"learned {at}", split="learned", text=text) for at, text in enumerate(learned)]
    items += [Item(id=f"held {at}", split="held out", text=text) for at, text in enumerate(held_out)]
    clean = set(contamination_of(items, judges=["held out"]).clean)
    leaks = np.array([f"held {at}" not in clean for at in range(len(held_out))])
    near = np.array(
        [near_duplicates(shingles(copy), shingles(learned[at])) for copy, at in zip(copies, sources, strict=True)]
    )
    hashes, normal = ({_hash(of(text)) for text in learned} for of in (str, normalised))
    flagged = int(leaks.sum())
    wrong = sum(not _near_any(text, learned) for text, leak in zip(held_out, leaks, strict=True) if leak)
    return {
        "found": float(leaks[: len(copies)].mean()),
        "near": float(near.mean()),
        "found_near": float(leaks[: len(copies)][near].mean()) if near.any() else 1.0,
        "usual": float(np.mean([_hash(text) in hashes for text in copies])),
        "normal": float(np.mean([_hash(normalised(text)) in normal for text in copies])),
        "flagged": flagged,
        "wrong": wrong,
        "others": int(leaks[len(copies) :].sum()),
    }


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _near_any(text: str, learned: list[str]) -> bool:
    """Return whether a text is near one of these, by comparing it with each."""
    grams = shingles(text)
    return any(near_duplicates(grams, each) for each in map(shingles_of, learned))


@lru_cache(maxsize=8192)
def shingles_of(text: str) -> frozenset[str]:
    """Return the shingles of a text, which are asked for again and again."""
    return shingles(text)


_CORPORA = {"made": "made texts", "conll": "tier A, CoNLL++ sentences", "beerqa": "tier A, BeerQA paragraphs"}


def cells(*, quick: bool) -> list[Cell]:
    """Return each change of each corpus that is there; a quick look takes the made one."""
    corpora = ["made", *(name for name in ("conll", "beerqa") if not quick and real.there(name))]
    return [Cell("M6", planted, {"corpus": corpus, "change": change}) for corpus in corpora for change in CHANGES]


def notes() -> str:
    """Return the corpora."""
    return (
        f"{_HALF:,} texts to learn from (BeerQA has 434), as many held out, a fourth as many planted; made texts have "
        f"15 to 60 words of {_VOCABULARY:,}, real ones {_SHORTEST} characters or more; near is a Jaccard index of .8"
    )


def lines(found: Found) -> list[Line]:
    """Return what is found of copies, of near copies, and of texts that say the same in other words."""
    made: list[Line] = []
    for corpus in dict.fromkeys(cell.given["corpus"] for cell, _ in found):
        by_change = {cell.given["change"]: f for cell, f in found if cell.given["corpus"] == corpus}
        made += _lines(_CORPORA[corpus], by_change)
    return made


def _lines(corpus: str, by: dict[str, Figures]) -> list[Line]:
    same = ("copy", "case and spaces", "digits")
    slight = ("a letter", "a word", "two words more")
    light = ("a word in five", "halves turned, a word in ten")
    slightly = [by[change]["found"] for change in slight]
    wrong, flagged = (sum(f[name] for f in by.values()) for name in ("wrong", "flagged"))
    return [
        Line(
            "M6",
            f"{corpus}: planted copies, with other case and spaces, with other digits: found",
            "at least 99, 95 and 95 %",
            _listed(by, same, "found"),
            f"hash of the text {_listed(by, same, 'usual')}",
            by["copy"]["found"] >= 0.99 and min(by[change]["found"] for change in same) >= 0.95,
        ),
        Line(
            "M6",
            f"{corpus}: planted with another letter, another word, two words more: found",
            "at least 95 %",
            f"{_listed(by, slight, 'found')}; of those that are near {_listed(by, slight, 'found_near')}",
            f"hash of the text {_listed(by, slight, 'usual')}",
            min(slightly) >= 0.95,
            ""
            if min(slightly) >= 0.95
            else "in a short text a change of that size leaves less than what counts as near",
        ),
        Line(
            "M6",
            f"{corpus}: light paraphrase, a word in five, halves turned with a word in ten: found",
            "reported",
            _listed(by, light, "found"),
            f"hash of the text {_listed(by, light, 'usual')}",
            None,
            "what is less than near by its letters is not looked for",
        ),
        Line(
            "M6",
            f"{corpus}: of what is said to leak, near to a text that is learned from",
            "at least 99 %",
            f"{percent(1 - wrong / flagged)} of {flagged:,.0f}",
            "equal hashes are equal texts",
            wrong <= 0.01 * flagged,
        ),
    ]


def _listed(by: dict[str, Figures], changes: tuple[str, ...], name: str) -> str:
    return ", ".join(percent(by[change][name]) for change in changes)


def details(found: Found) -> str:
    """Return each change of each corpus."""
    rows = [
        "| corpus | change | are near | found | found of near | hash | hash once normalised | found, not planted |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for cell, f in found:
        told = " | ".join(percent(f[name]) for name in ("near", "found", "found_near", "usual", "normal"))
        rows.append(f"| {cell.given['corpus']} | {cell.given['change']} | {told} | {f['others']:.0f} |")
    return "\n".join(rows)
