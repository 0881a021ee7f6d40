"""Sentences with the entities they name: the values, their scores, and the two files they are read from.

A corpus is either a CSV in the layout of CoNLL++ (`raw_id`, `raw_split`, `input`, `output`) or the sample
that ships with the package. Both come split in two; models learn from `train` and are judged on
`validation`.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from importlib import resources
from pathlib import Path
from typing import Literal, get_args

import msgspec
from msgspec import Struct

from calibrant.base.errors import ConfigError

__all__ = [
    "KINDS",
    "Corpus",
    "Entities",
    "Kind",
    "Row",
    "f1",
    "leak_free",
    "load",
    "load_csv",
    "load_sample",
    "normal_text",
]

Kind = Literal["person", "organization", "location", "miscellaneous"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""The four kinds of entity, in the order in which answers list them."""


class Entities(Struct, frozen=True):
    """What a sentence names, by kind, in the order in which it names them."""

    person: tuple[str, ...] = ()
    organization: tuple[str, ...] = ()
    location: tuple[str, ...] = ()
    miscellaneous: tuple[str, ...] = ()

    def of(self, kind: Kind) -> tuple[str, ...]:
        """Return the entities of one kind."""
        return getattr(self, kind)

    def counts(self) -> Counter[tuple[Kind, str]]:
        """Return how often each entity is named: what is compared, since order says nothing."""
        return Counter((kind, text) for kind in KINDS for text in self.of(kind))


class Row(Struct, frozen=True):
    """One sentence."""

    text: str
    entities: Entities
    document: int
    """Sentences of one document stand together and share an episode."""
    split: Literal["train", "validation"]


class Corpus(Struct, frozen=True):
    """Rows to learn from, and rows to be judged on."""

    train: tuple[Row, ...]
    validation: tuple[Row, ...]


def load(path: Path | None = None) -> Corpus:
    """Return the corpus at `path`, or the package's own sample.

    Raises:
        ConfigError: the file is missing or is not laid out as expected.
    """
    return load_sample() if path is None else load_csv(path)


def load_sample() -> Corpus:
    """Return the sample that ships with the package; `compose.py` says how it was made."""
    data = resources.files("calibrant.demo").joinpath("data", "ner_sample.jsonl").read_bytes()
    return _split(msgspec.json.Decoder(Row).decode_lines(data))


def load_csv(path: Path, document: int = 10) -> Corpus:
    """Return a CSV in the layout of CoNLL++; each `document` consecutive rows of a split are a document.

    Raises:
        ConfigError: the file is missing or is not laid out as expected.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return _split([_csv_row(line, document) for line in csv.DictReader(file)])
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}. Name a CSV file that exists.") from error
    except (csv.Error, KeyError, ValueError) as error:
        # ValueError covers broken UTF-8 and, through msgspec, broken JSON in the output column.
        message = f"{path}: not a corpus ({error}). Expected columns: raw_id, raw_split, input, output."
        raise ConfigError(message) from error


def leak_free(corpus: Corpus) -> tuple[Row, ...]:
    """Return the validation rows whose text, after normalising case, digits and spaces, is not in train."""
    seen = {normal_text(row.text) for row in corpus.train}
    return tuple(row for row in corpus.validation if normal_text(row.text) not in seen)


def normal_text(text: str) -> str:
    """Return a text without what hides that it is another one again: case, the digits of numbers, spaces."""
    return re.sub(r"\d+", "0", " ".join(text.lower().split()))


def f1(found: Entities, truth: Entities) -> float:
    """Return the harmonic mean of precision and recall over the entities of one sentence.

    Finding nothing where there is nothing scores 1.
    """
    ours, theirs = found.counts(), truth.counts()
    total = ours.total() + theirs.total()
    return 2 * (ours & theirs).total() / total if total else 1.0


def _csv_row(line: dict[str, str], document: int) -> Row:
    if None in line.values():
        raise ValueError("a line has too few columns")
    split = line["raw_split"]
    if split not in ("train", "validation"):
        raise ValueError(f"raw_split is {split!r}")
    entities = msgspec.json.decode(line["output"], type=Entities)
    return Row(line["input"], entities, int(line["raw_id"]) // document, split)


def _split(rows: list[Row]) -> Corpus:
    return Corpus(
        train=tuple(row for row in rows if row.split == "train"),
        validation=tuple(row for row in rows if row.split == "validation"),
    )
