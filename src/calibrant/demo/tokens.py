"""Text to tokens and tags, and back: what both taggers share.

A token keeps its place in the text, so an entity is cut from the text as it was written. Tags are BIO:
`B-person` opens an entity, `I-person` goes on with it, `O` is outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from calibrant.demo.corpus import KINDS, Entities, Kind, Row

__all__ = ["OUTSIDE", "TAGS", "Token", "decode_tags", "encode_tags", "tokenize"]

OUTSIDE = "O"
TAGS = (OUTSIDE, *(f"{place}-{kind}" for kind in KINDS for place in "BI"))
"""Every tag; a tagger's scores stand in this order."""

_EDGES = re.compile(r"^([\"'\u201c\u2018«(\[{]*)(.*?)([\"'\u201d\u2019»)\]},;:!?]*)$", re.DOTALL)
_CLITIC = re.compile(r"['\u2019](?:s|S|re|ve|ll|d|m)$")
_DOTTED = re.compile(r"(?:[^\W\d]\.)+|\.+")
"""Initials (`U.S.`, `J.`) and dots alone keep their full stop."""
# fmt: off
_ABBREVIATIONS = frozenset((
    "Mr.", "Mrs.", "Ms.", "Dr.", "Prof.", "Rev.", "Gen.", "Col.", "Sgt.", "Lt.", "Capt.", "Gov.",
    "Sen.", "Rep.", "St.", "Mt.", "Ft.", "Inc.", "Corp.", "Ltd.", "Co.", "Bros.", "Jr.", "Sr.",
    "vs.", "etc.", "Jan.", "Feb.", "Mar.", "Apr.", "Aug.", "Sept.", "Sep.", "Oct.", "Nov.", "Dec.",
    "Calif.", "Fla.", "Mass.", "Pa.", "Va.", "Ill.", "Wash.", "Conn.", "Mich.", "Minn.", "Ore.",
    "Colo.", "Ariz.", "Tenn.", "Wis.", "Univ.", "Dept.",
))
# fmt: on


class Token(Struct, frozen=True):
    """One word or mark, and where it stands in the text."""

    text: str
    start: int
    end: int


def tokenize(text: str) -> list[Token]:
    """Cut a text at spaces, then take quotes, brackets, marks and 's off the words."""
    found: list[Token] = []
    for word in re.finditer(r"\S+", text):
        found.extend(_split_word(word.group(), word.start()))
    return found


def encode_tags(row: Row) -> tuple[list[Token], list[str]]:
    """Return a row's tokens with their tags; an entity that is not found among the tokens is left out."""
    tokens = tokenize(row.text)
    words = [token.text for token in tokens]
    tags = [OUTSIDE] * len(tokens)
    wanted = [(tuple(t.text for t in tokenize(text)), kind) for kind in KINDS for text in row.entities.of(kind)]
    # Longest first, or `Paris` would take its token from `Paris Saint-Remy`.
    for words_of, kind in sorted(wanted, key=lambda entity: -len(entity[0])):
        place = _first_free(words, tags, words_of)
        if place is not None:
            tags[place : place + len(words_of)] = [f"B-{kind}", *[f"I-{kind}"] * (len(words_of) - 1)]
    return tokens, tags


def decode_tags(text: str, tokens: Sequence[Token], tags: Sequence[str]) -> Entities:
    """Return the entities that the tags mark; an `I` that goes on with nothing opens an entity."""
    found: dict[Kind, list[str]] = {kind: [] for kind in KINDS}
    start = end = 0
    open_kind: Kind | None = None
    for token, tag in zip([*tokens, Token("", 0, 0)], [*tags, OUTSIDE], strict=True):
        kind = _kind(tag)
        if open_kind is not None and (kind != open_kind or tag.startswith("B")):
            found[open_kind].append(text[start:end])
            open_kind = None
        if kind is not None:
            start = token.start if open_kind is None else start
            end = token.end
            open_kind = kind
    return Entities(**{kind: tuple(texts) for kind, texts in found.items()})


def _split_word(word: str, at: int) -> Iterator[Token]:
    match = _EDGES.match(word)
    before, core, after = match.groups() if match else ("", word, "")
    if not core:
        yield Token(word, at, at + len(word))
        return
    for index, mark in enumerate(before):
        yield Token(mark, at + index, at + index + 1)
    yield from _split_core(core, at + len(before))
    for index, mark in enumerate(after, start=at + len(before) + len(core)):
        yield Token(mark, index, index + 1)


def _split_core(core: str, at: int) -> Iterator[Token]:
    clitic = _CLITIC.search(core)
    if clitic and clitic.start() > 0:
        cut = clitic.start()
        yield Token(core[:cut], at, at + cut)
        yield Token(core[cut:], at + cut, at + len(core))
    elif len(core) > 1 and core[-1] == "." and not _DOTTED.fullmatch(core) and core not in _ABBREVIATIONS:
        stem = core.rstrip(".")
        yield from _split_core(stem, at)
        yield Token(core[len(stem) :], at + len(stem), at + len(core))
    else:
        yield Token(core, at, at + len(core))


def _first_free(words: Sequence[str], tags: Sequence[str], wanted: tuple[str, ...]) -> int | None:
    size = len(wanted)
    for start in range(len(words) - size + 1):
        span = slice(start, start + size)
        if tuple(words[span]) == wanted and all(tag == OUTSIDE for tag in tags[span]):
            return start
    return None


def _kind(tag: str) -> Kind | None:
    for kind in KINDS:
        if tag.endswith(kind):
            return kind
    return None
