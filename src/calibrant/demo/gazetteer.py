"""A tagger that knows only the names it has read: longest match in a dictionary.

Fast, exact on what it has seen and blind to everything else. It is here to be beaten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from calibrant.demo.corpus import KINDS, Entities, Kind, Row
from calibrant.demo.tokens import OUTSIDE, Token, decode_tags, tokenize

__all__ = ["Gazetteer", "train"]

Name = tuple[str, ...]


class Gazetteer(Struct, frozen=True):
    """Names and their kinds."""

    kinds: dict[Name, Kind]
    longest: int
    """Tokens of the longest name."""

    def extract(self, text: str) -> Entities:
        """Return the entities of a text."""
        tokens = tokenize(text)
        return decode_tags(text, tokens, self._tags(tokens))

    def _tags(self, tokens: list[Token]) -> list[str]:
        words = tuple(token.text for token in tokens)
        tags = [OUTSIDE] * len(words)
        at = 0
        while at < len(words):
            for size in range(min(self.longest, len(words) - at), 0, -1):
                kind = self.kinds.get(words[at : at + size])
                if kind is not None:
                    tags[at : at + size] = [f"B-{kind}", *[f"I-{kind}"] * (size - 1)]
                    at += size
                    break
            else:
                at += 1
        return tags


def train(rows: Iterable[Row]) -> Gazetteer:
    """Return a gazetteer of each name in the rows, under the kind that it has most often.

    A single word that stands outside of names more often than in them is no name.
    """
    seen: dict[Name, Counter[Kind]] = {}
    words: Counter[str] = Counter()
    for row in rows:
        words.update(token.text for token in tokenize(row.text))
        for kind in KINDS:
            for text in row.entities.of(kind):
                name = tuple(token.text for token in tokenize(text))
                seen.setdefault(name, Counter())[kind] += 1
    kinds: dict[Name, Kind] = {
        name: _most_often(counts) for name, counts in seen.items() if _is_name(name, counts, words)
    }
    return Gazetteer(kinds, max(map(len, kinds), default=0))


def _is_name(name: Name, counts: Counter[Kind], words: Counter[str]) -> bool:
    return len(name) > 1 or 2 * counts.total() >= words["".join(name)]


def _most_often(counts: Counter[Kind]) -> Kind:
    return max(KINDS, key=lambda kind: counts[kind])
