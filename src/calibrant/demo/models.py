"""The models that the demonstration serves, by name: trained once, then asked for text.

`gazetteer` and `perceptron` answer with JSON: the entities of the last user message, by kind. `assistant`
answers in words, or in JSON when asked for JSON.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from calibrant.demo import gazetteer, perceptron
from calibrant.demo.assistant import Answers, read_answers, reply
from calibrant.demo.corpus import Row, load

__all__ = ["MODEL_NAMES", "TRAIN_ROWS", "Models", "Prompt", "learn", "train"]

MODEL_NAMES = ("assistant", "gazetteer", "perceptron")
TRAIN_ROWS = 3000
"""Rows to learn from unless told otherwise: about two seconds on one core."""


class Prompt(Struct, frozen=True):
    """What a model is asked."""

    text: str
    temperature: float = 0.0
    seed: int = 0
    json: bool = False
    """Whether the caller asked for JSON."""


class Models(Struct, frozen=True):
    """Trained models."""

    gazetteer: gazetteer.Gazetteer
    perceptron: perceptron.Perceptron
    answers: Answers

    def answer(self, name: str, prompt: Prompt) -> str:
        """Return what the named model says.

        Raises:
            KeyError: there is no such model.
        """
        match name:
            case "gazetteer":
                return _json(self.gazetteer.extract(prompt.text))
            case "perceptron":
                found = self.perceptron.extract(prompt.text, temperature=prompt.temperature, seed=prompt.seed)
                return _json(found)
            case "assistant":
                text = reply(prompt.text, self.answers, self.perceptron.extract)
                return _json({"answer": text}) if prompt.json else text
            case _:
                raise KeyError(name)


def learn(data: Path | None = None, rows: int = TRAIN_ROWS) -> Models:
    """Return models that have learned from at most `rows` training rows of a corpus.

    Raises:
        ConfigError: the corpus cannot be read.
    """
    known = load(data).train
    # The same seed gives the same rows, so that two servers on one corpus are the same models.
    picked = random.Random(0).sample(known, min(rows, len(known)))
    return train(picked)


def train(rows: Sequence[Row]) -> Models:
    """Return models that have learned from the rows."""
    return Models(gazetteer.train(rows), perceptron.train(rows), read_answers())


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
