"""Nearest texts: by vectors that a model made, or by hashed TF-IDF where there is no model.

Hashed TF-IDF: the words and the character 3- to 5-grams of the normalised text, hashed to one of 2^18 places, counted
sublinearly (1 + log n), weighted by smoothed inverse document frequency, and brought to length 1. No vocabulary is
kept.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from calibrant.measure.leakage import normalised

__all__ = ["HashedTexts", "Vectors"]

_PLACES = 2**18
_WORD = re.compile(r"\w+")
_GRAMS = (3, 4, 5)
_LONGEST = 20_000
"""Characters of a text that count: what comes after says little that is new, and costs as much again."""

Floats = NDArray[np.float32]


class Vectors:
    """Vectors of one model, and how near each is to another."""

    def __init__(self, vectors: Sequence[Sequence[float]]) -> None:
        """Take the vectors, all of one length; at least one."""
        matrix = np.asarray(vectors, dtype=np.float32)
        self._matrix: Floats = matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)

    def similarities(self, vector: Sequence[float]) -> Floats:
        """Return the cosine between a vector and each of these, shape (n,).

        Raises:
            ValueError: it has another length.
        """
        asked = np.asarray(vector, dtype=np.float32)
        if asked.shape != (self._matrix.shape[1],):
            raise ValueError(f"a vector of {asked.shape} numbers among vectors of {self._matrix.shape[1]}")
        near = self._matrix @ (asked / max(float(np.linalg.norm(asked)), 1e-12))
        return np.asarray(near, dtype=np.float32)


class HashedTexts:
    """Texts, and how near each is to another by what they are made of."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Count and weigh the texts; at least one."""
        rows = [_counts(text) for text in texts]
        indptr = np.cumsum([0, *(len(row) for row in rows)])
        indices = np.fromiter((place for row in rows for place in row), dtype=np.int32, count=int(indptr[-1]))
        data = np.fromiter((count for row in rows for count in row.values()), dtype=np.float32, count=int(indptr[-1]))
        held = np.bincount(indices, minlength=_PLACES)
        self._idf: Floats = (np.log((1 + len(rows)) / (1 + held)) + 1).astype(np.float32)
        data = (1 + np.log(data)) * self._idf[indices]
        lengths = np.sqrt(np.maximum(np.add.reduceat(data**2, indptr[:-1]), 1e-12))
        data /= np.repeat(lengths, np.diff(indptr))
        self._matrix = csr_array((data.astype(np.float32), indices, indptr), shape=(len(rows), _PLACES))

    def similarities(self, text: str) -> Floats:
        """Return the cosine between a text and each of these, shape (n,)."""
        counts = _counts(text)
        asked = np.zeros(_PLACES, dtype=np.float32)
        places = np.fromiter(counts, dtype=np.int64, count=len(counts))
        values = np.fromiter(counts.values(), dtype=np.float32, count=len(counts))
        weighted = (1 + np.log(values)) * self._idf[places]
        asked[places] = weighted / max(float(np.linalg.norm(weighted)), 1e-12)
        return np.asarray(self._matrix @ asked, dtype=np.float32)


def _counts(text: str) -> Counter[int]:
    """Return how often each place is hit; never empty, so that every text has a direction."""
    plain = normalised(text[:_LONGEST])
    counts = Counter(crc32(b"w" + word.encode("utf-8", "replace")) % _PLACES for word in _WORD.findall(plain))
    data = f" {plain} "
    for n in _GRAMS:
        counts.update(
            crc32(data[i : i + n].encode("utf-8", "replace")) % _PLACES for i in range(max(1, len(data) - n + 1))
        )
    return counts
