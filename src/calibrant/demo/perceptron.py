"""A structured averaged perceptron: learns weights of spelling and context, decodes the best tag sequence.

After M. Collins, Discriminative training methods for hidden Markov models (2002): score each tag of each
token by its features and each pair of neighbouring tags, take the best sequence (Viterbi), and where it is
wrong add the features of the right one and subtract those of the wrong one. The weights kept are the
average over training, which is what makes so plain a rule generalise.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from calibrant.demo.corpus import Entities, Row
from calibrant.demo.tokens import TAGS, decode_tags, encode_tags, tokenize

__all__ = ["Perceptron", "features", "train"]

Weights = NDArray[np.float64]
Ids = NDArray[np.intp]

_UNKNOWN = 0
"""Row of the weights for a feature that training did not see; always zero."""


class Perceptron(Struct, frozen=True):
    """Learned weights."""

    ids: dict[str, int]
    """Row of each feature."""
    emission: Weights
    """Feature x tag."""
    transition: Weights
    """Tag x next tag."""

    def extract(self, text: str, *, temperature: float = 0.0, seed: int = 0) -> Entities:
        """Return the entities of a text.

        Args:
            text: Any text.
            temperature: How much Gumbel noise disturbs the scores, in quarters of their mean margin; the best
                sequence of the result is a sample. 0 is no noise.
            seed: Of the noise.
        """
        tokens = tokenize(text)
        if not tokens:
            return Entities()
        words = [token.text for token in tokens]
        rows = np.array([[self.ids.get(f, _UNKNOWN) for f in fs] for fs in features(words)])
        scores: Weights = self.emission[rows].sum(axis=1)
        if temperature > 0:
            ordered = np.sort(scores, axis=1)
            margin = float((ordered[:, -1] - ordered[:, -2]).mean())
            noise = np.random.default_rng(seed).gumbel(size=scores.shape)
            scores = scores + temperature * margin / 4 * noise
        return decode_tags(text, tokens, [TAGS[int(tag)] for tag in _best(scores, self.transition)])


class _Sentence(Struct, frozen=True):
    rows: Ids
    """Token x feature."""
    gold: Ids
    """Tag of each token."""


def train(rows: Sequence[Row], *, epochs: int = 6, seed: int = 0) -> Perceptron:
    """Return a perceptron that has read the rows `epochs` times, each time in another order."""
    ids: dict[str, int] = {"": _UNKNOWN}
    sentences = [_sentence(row, ids) for row in rows if row.text.strip()]
    emission = np.zeros((len(ids), len(TAGS)))
    transition = np.zeros((len(TAGS), len(TAGS)))
    # The average over all steps is the last weights less the sum of changes weighted by when they came.
    emission_late, transition_late = np.zeros_like(emission), np.zeros_like(transition)
    order = random.Random(seed)
    step = 0
    for _ in range(epochs):
        for sentence in order.sample(sentences, len(sentences)):
            found = _best(emission[sentence.rows].sum(axis=1), transition)
            if not np.array_equal(found, sentence.gold):
                _learn(emission, transition, sentence, found, 1.0)
                _learn(emission_late, transition_late, sentence, found, float(step))
            step += 1
    steps = max(step, 1)
    return Perceptron(ids, emission - emission_late / steps, transition - transition_late / steps)


def features(words: Sequence[str]) -> list[list[str]]:
    """Return the features of each word: its spelling, its shape, and its neighbours.

    Every word has the same number of them, so that a sentence is one array.
    """
    padded = ["<<", "<", *words, ">", ">>"]
    lower = [word.lower() for word in padded]
    shapes = [_shape(word) for word in padded]
    loud = "loud" if sum(word.isupper() for word in words) * 2 > len(words) else "calm"
    found: list[list[str]] = []
    for at in range(2, len(padded) - 2):
        word, low, shape = padded[at], lower[at], shapes[at]
        found.append(
            [
                "bias",
                f"w={word}",
                f"l={low}",
                f"s={shape}",
                f"p2={low[:2]}",
                f"p3={low[:3]}",
                f"p4={low[:4]}",
                f"e2={low[-2:]}",
                f"e3={low[-3:]}",
                f"e4={low[-4:]}",
                f"-1={lower[at - 1]}",
                f"+1={lower[at + 1]}",
                f"-2={lower[at - 2]}",
                f"+2={lower[at + 2]}",
                f"-1,0={lower[at - 1]},{low}",
                f"0,+1={low},{lower[at + 1]}",
                f"-1,+1={lower[at - 1]},{lower[at + 1]}",
                f"s-1,s={shapes[at - 1]},{shape}",
                f"s,s+1={shape},{shapes[at + 1]}",
                f"s-1,s,s+1={shapes[at - 1]},{shape},{shapes[at + 1]}",
                f"first={at == 2},{shape}",
                f"{loud},{shape}",
            ]
        )
    return found


def _shape(word: str) -> str:
    """Return the word with each run of capitals, small letters and digits as one X, x or 0."""
    shape = ""
    for char in word:
        kind = "0" if char.isdigit() else "X" if char.isupper() else "x" if char.isalpha() else char
        if not shape.endswith(kind):
            shape += kind
    return shape if len(word) > 1 else shape + "1"


def _sentence(row: Row, ids: dict[str, int]) -> _Sentence:
    tokens, tags = encode_tags(row)
    rows = [[ids.setdefault(f, len(ids)) for f in fs] for fs in features([token.text for token in tokens])]
    return _Sentence(np.array(rows, dtype=np.intp), np.array([TAGS.index(tag) for tag in tags], dtype=np.intp))


def _learn(emission: Weights, transition: Weights, sentence: _Sentence, found: Ids, amount: float) -> None:
    wrong = found != sentence.gold
    rows = sentence.rows[wrong]
    # `add.at` because a feature may stand in several tokens of one sentence.
    np.add.at(emission, (rows, sentence.gold[wrong][:, None]), amount)
    np.add.at(emission, (rows, found[wrong][:, None]), -amount)
    np.add.at(transition, (sentence.gold[:-1], sentence.gold[1:]), amount)
    np.add.at(transition, (found[:-1], found[1:]), -amount)


def _best(scores: Weights, transition: Weights) -> Ids:
    """Return the sequence of tags with the highest total score (Viterbi)."""
    length = scores.shape[0]
    back = np.empty(scores.shape, dtype=np.intp)
    total = scores[0]
    for at in range(1, length):
        paths = total[:, None] + transition
        back[at] = paths.argmax(axis=0)
        total = paths.max(axis=0) + scores[at]
    tags = np.empty(length, dtype=np.intp)
    tags[-1] = total.argmax()
    for at in range(length - 1, 0, -1):
        tags[at - 1] = back[at, tags[at]]
    return tags
