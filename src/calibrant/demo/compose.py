"""Makes the sample corpus from `data/ner_words.toml`; run as a module, writes it to standard output.

The sample is there so that the demonstration runs without a download. A third of the names and a third of
the sentences are kept for the validation split, or a dictionary would know it all; some names mean a person
in one sentence and a place or a club in another, as names do. It is still easier than real text, and says
nothing of how a model fares on yours. The result depends on the words and the seed alone.
"""

from __future__ import annotations

import random
import re
import sys
import tomllib
from collections.abc import Sequence
from importlib import resources
from typing import Literal

import msgspec
from msgspec import Struct

from calibrant.demo.corpus import KINDS, Entities, Kind, Row, normal_text

__all__ = ["Story", "Words", "compose", "encode", "read_words"]

_KIND_OF: dict[str, Kind] = {
    "person": "person",
    "surname": "person",
    "place": "location",
    "org": "organization",
    "team": "organization",
    "firm": "organization",
    "people": "miscellaneous",
    "event": "miscellaneous",
    "product": "miscellaneous",
}
_Split = Literal["train", "validation"]
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SLOT = re.compile(r"\{(\w+)\}")
_HELD_OUT_SHARE = 0.6
"""How often a validation sentence prefers a name that training cannot have seen."""


class Story(Struct, frozen=True):
    """Sentences with slots, told in order."""

    topic: str
    sentences: tuple[str, ...]


class Words(Struct, frozen=True):
    """What the sample is made of."""

    given: tuple[str, ...]
    surnames: tuple[str, ...]
    places: tuple[str, ...]
    orgs: tuple[str, ...]
    peoples: tuple[str, ...]
    events: tuple[str, ...]
    products: tuple[str, ...]
    stories: tuple[Story, ...]


def read_words() -> Words:
    """Return the words that ship with the package."""
    text = resources.files("calibrant.demo").joinpath("data", "ner_words.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Words)


def compose(words: Words, *, train: int = 300, validation: int = 420, seed: int = 20) -> list[Row]:
    """Return about so many rows of each split, in documents of up to five sentences."""
    draw = random.Random(seed)
    rows: list[Row] = []
    seen: set[str] = set()
    document = 0
    wanted: tuple[tuple[_Split, int], ...] = (("train", train), ("validation", validation))
    for split, count in wanted:
        end = len(rows) + count
        while len(rows) < end:
            fresh = [r for r in _document(words, draw, split, document) if normal_text(r.text) not in seen]
            seen.update(normal_text(row.text) for row in fresh)
            rows.extend(fresh)
            document += 1
    return rows


def encode(rows: Sequence[Row]) -> bytes:
    """Return the rows as JSON lines."""
    return msgspec.json.Encoder().encode_lines(rows)


def _document(words: Words, draw: random.Random, split: _Split, document: int) -> list[Row]:
    story = draw.choice(words.stories)
    known = [s for at, s in enumerate(story.sentences) if split == "validation" or not _is_held_out(at)]
    picked = sorted(draw.sample(range(len(known)), draw.randint(2, 5)))
    names = _cast(words, draw, split)
    return [_tell(known[at], names, draw, document, split) for at in picked]


def _cast(words: Words, draw: random.Random, split: str) -> dict[str, str]:
    """Return a name for each slot."""

    def pick(options: Sequence[str], count: int) -> list[str]:
        train = [option for at, option in enumerate(options) if not _is_held_out(at)]
        held = [option for at, option in enumerate(options) if _is_held_out(at)]
        found: list[str] = []
        while len(found) < count:
            unseen = split == "validation" and draw.random() < _HELD_OUT_SHARE
            name = draw.choice(held if unseen else train)
            if name not in found:
                found.append(name)
        return found

    surname, surname2, firm = pick(words.surnames, 3)
    given, given2 = pick(words.given, 2)
    place, place2, team, team2 = pick(words.places, 4)
    org, org2 = pick(words.orgs, 2)
    return {
        "person": f"{given} {surname}",
        "person2": f"{given2} {surname2}",
        "surname": surname,
        "surname2": surname2,
        "firm": firm,
        "place": place,
        "place2": place2,
        "team": team,
        "team2": team2,
        "org": org,
        "org2": org2,
        "people": pick(words.peoples, 1)[0],
        "event": pick(words.events, 1)[0],
        "product": pick(words.products, 1)[0],
    }


def _tell(
    sentence: str,
    names: dict[str, str],
    draw: random.Random,
    document: int,
    split: _Split,
) -> Row:
    """Fill the slots of a sentence; a slot in capitals is filled in capitals."""
    entities: dict[Kind, list[str]] = {kind: [] for kind in KINDS}

    def fill(match: re.Match[str]) -> str:
        slot = match.group(1)
        numbers = {
            "n": str(draw.randint(2, 29)),
            "year": str(draw.randint(1931, 2024)),
            "day": draw.choice(_DAYS),
        }
        if slot in numbers:
            return numbers[slot]
        name = names[slot.lower()]
        name = name.upper() if slot.isupper() else name
        entities[_KIND_OF[slot.lower().rstrip("2")]].append(name)
        return name

    text = _SLOT.sub(fill, sentence)
    return Row(text, Entities(**{kind: tuple(found) for kind, found in entities.items()}), document, split)


def _is_held_out(at: int) -> bool:
    return at % 3 == 2


if __name__ == "__main__":
    sys.stdout.buffer.write(encode(compose(read_words())))
