"""Nearest texts: by vectors that a model made, or by hashed TF-IDF where there is no model.

Hashed TF-IDF: the words and the character 3- to 5-grams of the normalised text, hashed to one of 2^18 places, counted
sublinearly (1 + log n), weighted by smoothed inverse document frequency, and brought to length 1. No vocabulary is
kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from calibrant.measure.leakage import normalised

__all__ = ["Counted", "HashedTexts", "Vectors", "counted"]

_BITS = 18
_PLACES = 2**_BITS
_PRIME = np.uint64(1_099_511_628_211)
_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)
"""Spreads a hash over its upper bits, which are its place."""
_WORD = re.compile(r"\w+")
_GRAMS = (3, 4, 5)
_LONGEST = 20_000
"""Characters of a text that count: what comes after says little that is new, and costs as much again."""

Floats = NDArray[np.float32]
Counted = tuple[NDArray[np.int32], Floats]
"""A text as the places that it hits, and how much each counts before it is weighed."""


class Vectors:
    """Vectors of one model, and how near each is to another."""

    def __init__(self, matrix: Floats) -> None:
        """Take the vectors as rows; at least one."""
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

    def __init__(self, rows: Sequence[Counted]) -> None:
        """Weigh the texts, as `counted`; at least one. Row by row, so that no other thread waits long for the GIL."""
        held = np.zeros(_PLACES, dtype=np.int64)
        for places, _ in rows:
            held[places] += 1
        idf = np.log((1 + len(rows)) / (1 + held)) + 1
        self._idf2: Floats = (idf**2).astype(np.float32)
        squares = [float(np.dot(counts**2, self._idf2[places])) for places, counts in rows]
        self._lengths: Floats = np.sqrt(np.asarray(squares, dtype=np.float32))
        self._indptr = np.cumsum([0, *(len(places) for places, _ in rows)], dtype=np.int32)
        self._places = np.concatenate([places for places, _ in rows])
        self._counts = np.concatenate([counts for _, counts in rows])
        self._matrix = csr_array((self._counts, self._places, self._indptr), shape=(len(rows), _PLACES))

    def row(self, i: int) -> Counted:
        """Return a text as it was given, without a copy: for the next index, which has most of the same texts."""
        part = slice(int(self._indptr[i]), int(self._indptr[i + 1]))
        return self._places[part], self._counts[part]

    def similarities(self, text: str) -> Floats:
        """Return the cosine between a text and each of these, shape (n,)."""
        places, counts = counted(text)
        weighted = counts * self._idf2[places]
        asked = np.zeros(_PLACES, dtype=np.float32)
        asked[places] = weighted / np.sqrt(np.dot(counts, weighted))
        return np.asarray((self._matrix @ asked) / self._lengths, dtype=np.float32)


def counted(text: str) -> Counted:
    """Return the places that a text hits, and 1 + log of how often; never empty, so every text has a direction."""
    plain = normalised(text[:_LONGEST])
    words = [crc32(word.encode("utf-8", "replace")) for word in _WORD.findall(plain)]
    # Three characters at least, so that there is a gram.
    points = np.frombuffer(f" {plain} ".ljust(3).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    hashes = [np.asarray(words, dtype=np.uint64)]
    for n in _GRAMS:
        grams = np.full(max(0, len(points) - n + 1), n, dtype=np.uint64)
        for i in range(n):
            grams = grams * _PRIME + points[i : i + len(grams)]
        hashes.append(grams)
    hits = (np.concatenate(hashes) * _GOLDEN) >> np.uint64(64 - _BITS)
    places, counts = np.unique(hits.astype(np.int32), return_counts=True)
    return places, (1 + np.log(counts)).astype(np.float32)
