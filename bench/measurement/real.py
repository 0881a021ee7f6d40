"""Real data, and local models that learn from them: named entities of CoNLL++, tagged by the perceptrons of the demo.

The data are looked for in `shared/data` beside the checkout, or beside one of the folders that it is in.
"""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from calibrant.demo import perceptron
from calibrant.demo.corpus import leak_free, load_csv

__all__ = ["GENERATIONS", "LEARNED", "ROWS", "TEMPERATURE", "answers", "texts", "there"]

LEARNED = (400, 1000)
"""Sentences that the incumbent's model and the better one have learned from."""
TEMPERATURE = 0.3
GENERATIONS = 16
ROWS = 2000
"""Of validation, without those whose text is in train."""

_FILES = {"conll": "ner_conllpp.csv", "beerqa": "beerqa.json"}


def there(corpus: str) -> bool:
    """Return whether the data are there."""
    return any(place.exists() for place in _places(corpus))


def _places(corpus: str) -> list[Path]:
    return [folder / "shared" / "data" / _FILES[corpus] for folder in Path(__file__).resolve().parents]


def _found(corpus: str) -> Path:
    for place in _places(corpus):
        if place.exists():
            return place
    raise FileNotFoundError(f"{_FILES[corpus]}: not in shared/data beside this checkout or above it")


def texts(corpus: str) -> list[str]:
    """Return the texts of a corpus: sentences of `conll`, paragraphs of `beerqa`.

    Raises:
        FileNotFoundError: the data are not there.
    """
    if corpus == "conll":
        known = load_csv(_found(corpus))
        return [row.text for row in known.train + known.validation]
    told = msgspec.json.decode(_found(corpus).read_bytes())
    return [text for each in told["data"] for _, text in each["context"]]


@lru_cache
def answers() -> NDArray[np.bool_]:
    """Return which sentences each model tags exactly right, shape (models, generations, sentences).

    Raises:
        FileNotFoundError: the data are not there.
    """
    corpus = load_csv(_found("conll"))
    draw = random.Random(0)
    shuffled = draw.sample(corpus.train, max(LEARNED))
    rows = draw.sample(leak_free(corpus), ROWS)
    made = np.zeros((len(LEARNED), GENERATIONS, ROWS), dtype=np.bool_)
    for which, learned in enumerate(LEARNED):
        model = perceptron.train(shuffled[:learned])
        for at, row in enumerate(rows):
            for generation in range(GENERATIONS):
                seed = (which * GENERATIONS + generation) * ROWS + at
                told = model.extract(row.text, temperature=TEMPERATURE, seed=seed)
                made[which, generation, at] = told.counts() == row.entities.counts()
    return made
