"""Chance by counting: a number is a hash of what it is for, so that the same question has the same answer anywhere.

A chain of the finaliser of SplitMix64 over 64-bit keys; an item's difficulty or a verdict needs no state, no table
and no order in which things are asked.

Source: G. L. Steele, D. Lea and C. H. Flood, Fast splittable pseudorandom number generators, OOPSLA (2014), 453-472.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

__all__ = ["Floats", "key_of", "keys", "normals", "uniforms"]

Floats = NDArray[np.float64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)


def key_of(text: str) -> int:
    """Return 63 bits that stand for a text."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 1


def keys(*parts: ArrayLike) -> NDArray[np.int64]:
    """Return 63 bits for each combination of keys (integers from 0, broadcast)."""
    return (_hashed(parts) >> np.uint64(1)).astype(np.int64)


def uniforms(*parts: ArrayLike) -> Floats:
    """Return uniform numbers above 0 and below 1, one for each combination of keys (integers from 0, broadcast)."""
    return ((_hashed(parts) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def normals(*parts: ArrayLike) -> Floats:
    """Return standard normal numbers, one for each combination of keys (integers from 0, broadcast)."""
    return special.ndtri(uniforms(*parts))


def _hashed(parts: tuple[ArrayLike, ...]) -> NDArray[np.uint64]:
    state = np.zeros(np.broadcast_shapes(*(np.shape(part) for part in parts)), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for part in parts:
            state = _mixed((state ^ np.asarray(part).astype(np.uint64)) + _GOLDEN)
    return state


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))
