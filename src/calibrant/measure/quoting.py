"""What prompts quote of the data: answers that stand in a prompt, and words that were copied from an item.

What is too short or too common means nothing: a label stands in the prompt because it is a label, and a greeting
because everybody greets. The rules are the constants below.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from msgspec import Struct

from calibrant.measure.arguments import check_texts
from calibrant.measure.leakage import folded

__all__ = ["COMMON_ITEMS", "COMMON_SHARE", "LEAST_WORDS", "SHORTEST_ANSWER", "Quote", "answers_in", "copied_in"]

SHORTEST_ANSWER: Final = 12
"""Characters of the words of an answer, below which it is not looked for."""
LEAST_WORDS: Final = 8
"""Words in a row that are a copy."""
COMMON_ITEMS: Final = 3
COMMON_SHARE: Final = 0.01
"""What at least so many items have, which are at least this share of all, is common and not looked for."""

_WORD = re.compile(r"\w+")
_PLACES_KEPT: Final = 8
"""Places that are kept for the same words; where prompts repeat them more often, a copy may come out short."""

_Gram = tuple[str, ...]
T = TypeVar("T")


class Quote(Struct, frozen=True):
    """What a prompt has of an item."""

    item: int
    prompt: int
    words: int
    text: str
    """The words that were found."""


def answers_in(prompts: Sequence[str], answers: Sequence[str | None]) -> list[Quote]:
    """Return which answers stand in a prompt, word for word: for each item the first prompt that has its answer.

    A word is a run of letters and digits; case and what stands between words do not count. An answer whose words have
    less than 12 characters is not looked for, nor one that at least 3 items have which are 1 % of all or more.

    Args:
        prompts: Texts.
        answers: One an item; null where it has none.

    Raises:
        TypeError: either is no list of texts.
    """
    prompts, answers = check_texts("prompts", prompts), check_texts("answers", answers, missing=True)
    plain = [f" {' '.join(_words(prompt))} " for prompt in prompts]
    told = ["" if answer is None else " ".join(_words(answer)) for answer in answers]
    common = _common(Counter(told), len(told))
    seen: dict[str, int | None] = {}
    found: list[Quote] = []
    for item, answer in enumerate(told):
        if len(answer) < SHORTEST_ANSWER or answer in common:
            continue
        if answer not in seen:
            seen[answer] = next((at for at, prompt in enumerate(plain) if f" {answer} " in prompt), None)
        at = seen[answer]
        if at is not None:
            found.append(Quote(item, at, answer.count(" ") + 1, answer))
    return found


def copied_in(prompts: Sequence[str], texts: Sequence[str]) -> list[Quote]:
    """Return which texts have 8 words or more in a row with a prompt: for each the longest such row.

    A word is a run of letters and digits; case and what stands between words do not count. Rows of 8 words that at
    least 3 texts have which are 1 % of all or more are passed over.

    Args:
        prompts: Texts.
        texts: One an item.

    Raises:
        TypeError: either is no list of texts.
    """
    prompts, texts = check_texts("prompts", prompts), check_texts("texts", texts)
    words = [_words(prompt) for prompt in prompts]
    places = _places(words)
    if not places:
        return []
    rows: dict[int, list[str]] = {}
    counts: Counter[_Gram] = Counter()
    for item, text in enumerate(texts):
        row = _words(text)
        if hits := {gram for gram in _grams(row) if gram in places}:
            rows[item] = row
            counts.update(hits)
    for gram in _common(counts, len(texts)):
        del places[gram]
    longest = {item: _longest(row, places) for item, row in rows.items()}
    return [
        Quote(item, prompt, length, " ".join(rows[item][end - length : end]))
        for item, (length, end, prompt) in longest.items()
        if length
    ]


def _common(counts: Counter[T], of: int) -> set[T]:
    return {what for what, count in counts.items() if count >= max(COMMON_ITEMS, COMMON_SHARE * of)}


def _words(text: str) -> list[str]:
    return _WORD.findall(folded(text))


def _grams(words: Sequence[str]) -> Iterable[_Gram]:
    return zip(*(words[i:] for i in range(LEAST_WORDS)), strict=False)


def _places(prompts: Sequence[Sequence[str]]) -> dict[_Gram, list[tuple[int, int]]]:
    """Return where each row of words begins: in which prompt, and where in it."""
    places: dict[_Gram, list[tuple[int, int]]] = {}
    for number, words in enumerate(prompts):
        for start, gram in enumerate(_grams(words)):
            known = places.setdefault(gram, [])
            if len(known) < _PLACES_KEPT:
                known.append((number, start))
    return places


def _longest(words: Sequence[str], places: dict[_Gram, list[tuple[int, int]]]) -> tuple[int, int, int]:
    """Return how long the longest row is, where in the words it ends, and of which prompt; a length of 0 is none."""
    best = (0, 0, 0)
    running: dict[tuple[int, int], int] = {}
    for start, gram in enumerate(_grams(words)):
        running = {
            (prompt, at): running.get((prompt, at - 1), LEAST_WORDS - 1) + 1 for prompt, at in places.get(gram, ())
        }
        for (prompt, _), length in running.items():
            if length > best[0]:
                best = (length, start + LEAST_WORDS, prompt)
    return best
