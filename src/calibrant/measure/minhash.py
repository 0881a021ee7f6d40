"""Near-duplicates among many texts, without comparing every two: prints, band keys, and what is connected.

A print is the set of a text's character 5-grams as 32-bit numbers, so the Jaccard index of two prints is that of the
texts. A signature samples it at `BANDS * ROWS` places so that two texts agree at each with a chance of their Jaccard
index s; its places are taken `ROWS` at a time, and the key of each band is one number. Two texts share at least one of
their keys with a chance of 1 - (1 - s^ROWS)^BANDS. With 22 bands of 5 rows this is 0.9998 at s = 0.8, 0.50 at 0.5,
0.05 at 0.3 and 0.0002 at 0.1: nearly everything that is wanted, and little that has to be looked at in vain, for
everything that shares a key is compared by its prints.

Prints and keys are stored. What they are made of (the normalisation, the numbers below) must never change.

Source: A. Broder, On the resemblance and containment of documents, Compression and Complexity of Sequences (1997),
21-29; S. Dahlgaard, M. Knudsen and M. Thorup, Fast similarity sketching, FOCS (2017), 663-671, for the signatures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csgraph, csr_array

from calibrant.measure.arguments import check_is, check_threshold, listed, shown
from calibrant.measure.leakage import THRESHOLD, normalised

__all__ = [
    "BANDS",
    "ROWS",
    "Print",
    "bands_of",
    "components",
    "near_across",
    "near_components",
    "near_pairs",
    "overlap",
    "print_of",
]

BANDS = 22
ROWS = 5

Print = NDArray[np.uint32]
"""Sorted distinct hashes of a text's character 5-grams; at least one."""

_Grams = Any
"""A sparse matrix, of which scipy says no types: a row a text, with a one at each hash of its print."""

_GRAM = 5
_PRINTS = "made of prints, as print_of makes them of texts"
_LONGEST = 20_000
"""Characters of a text that count, as in `neighbours`."""
_END = 0x11_0000
"""Beyond Unicode: fills up a text that is shorter than a gram."""
_PLACES = BANDS * ROWS
_ROUNDS = 16
"""Rounds of a signature in which chance says at which place a gram counts; a few fill all places of longer texts."""
_EMPTY = np.uint64(2**64 - 1)
_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)
_WINDOW = 16
"""Texts beside a text under one key that it is compared with."""
_DEPTH = 4
"""Bands by which the texts under one key are ordered: those that agree in more of them stand closer together."""
_BATCH = 2**21
"""Grams that are worked on at once."""


def print_of(text: str) -> Print:
    """Return the print of a text: of the first 20,000 characters, normalised; a text below 5 characters is one gram.

    Raises:
        TypeError: it is no text.
    """
    check_is("text", text, str, hint="a text")
    plain = normalised(text[:_LONGEST])
    points = np.frombuffer(plain.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    if len(points) < _GRAM:
        points = np.concatenate([points, np.full(_GRAM - len(points), _END, dtype=np.uint64)])
    count = len(points) - _GRAM + 1
    # A code point has 21 bits: three of them fill one number, and the other two another, so that nothing is lost.
    head, tail = (_packed(points[i : i + count + n - 1], n) for i, n in ((0, 3), (3, 2)))
    hashes = np.sort((_mixed(_mixed(head) + tail) >> np.uint64(32)).astype(np.uint32))
    return hashes[np.concatenate([[True], hashes[1:] != hashes[:-1]])]


def overlap(a: Print, b: Print) -> float:
    """Return the Jaccard index of two prints: the share of the grams of either that both have.

    Args:
        a: The print of a text.
        b: Of another.

    Raises:
        TypeError: one is no print, as `print_of` makes it.
    """
    _checked("a", [a])
    _checked("b", [b])
    both = np.intersect1d(a, b, assume_unique=True).size
    return both / (a.size + b.size - both)


def bands_of(prints: Sequence[Print]) -> NDArray[np.int64]:
    """Return the band keys of texts, shape (n, BANDS): what shares a key is worth comparing.

    A key says of which band it is, so keys of all bands may stand in one column. Those of a text do not depend on what
    else is asked for.

    Args:
        prints: Of texts, as `print_of` makes them.

    Raises:
        TypeError: one is no print.
    """
    prints = _checked("prints", prints)
    keys = np.empty((len(prints), BANDS), dtype=np.uint64)
    keys[:] = np.arange(BANDS, dtype=np.uint64)
    for start, end in _batches(np.fromiter((each.size for each in prints), dtype=np.intp, count=len(prints))):
        rows = _signatures(prints[start:end]).reshape(end - start, BANDS, ROWS)
        for row in range(ROWS):
            keys[start:end] = _mixed(keys[start:end] * _GOLDEN + rows[:, :, row])
    return keys.view(np.int64)


def components(n: int, pairs: Sequence[tuple[int, int]] | NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for each of 0 to n - 1 the smallest number that it is connected to, itself if there is no smaller.

    Raises:
        ValueError: a pair names what is not among them.
    """
    ends = np.asarray(pairs, dtype=np.intp).reshape(-1, 2)
    if ends.size and not 0 <= ends.min() <= ends.max() < n:
        raise ValueError(f"pairs: {ends.min()} to {ends.max()} are not all among 0 to {n - 1}")
    if n == 0:
        return np.empty(0, dtype=np.intp)
    graph = coo_array((np.ones(len(ends), dtype=np.int8), (ends[:, 0], ends[:, 1])), shape=(n, n))
    labels: NDArray[np.int32] = cast("Any", csgraph).connected_components(graph, directed=False)[1]
    return np.unique(labels, return_index=True)[1][labels].astype(np.intp)


def near_pairs(prints: Sequence[Print], threshold: float = THRESHOLD) -> list[tuple[int, int]]:
    """Return pairs of near-duplicates, the smaller number first: enough to connect what is near, and not all there are.

    Every pair overlaps by the threshold or more. Two texts that others already connect are not compared. Under one key
    a text is compared with the 16 that come after it in the order of their next keys, so that the time stays linear
    where ten thousand texts are one template. Where more than 17 share each of their keys without being
    near-duplicates, a pair among them may be passed over.

    Args:
        prints: Of texts, as `print_of` makes them.
        threshold: The Jaccard index from which on two are near-duplicates.

    Raises:
        TypeError: one is no print, or the threshold is no number.
        ValueError: the threshold is not above 0 and at most 1. One below 0.8 finds as much as the curve above says.
    """
    check_threshold(threshold)
    prints = _checked("prints", prints)
    groups: dict[bytes, int] = {}
    first = np.fromiter((groups.setdefault(p.tobytes(), i) for i, p in enumerate(prints)), dtype=np.intp)
    kept: NDArray[np.intp] = np.unique(first)
    copies = np.flatnonzero(first != np.arange(len(prints)))
    near = kept[_joined([each for i, each in enumerate(prints) if first[i] == i], threshold)]
    pairs = np.sort(np.concatenate([np.stack([first[copies], copies], axis=1), near]), axis=1)
    return [(int(a), int(b)) for a, b in sorted(pairs.tolist())]


def near_components(prints: Sequence[Print], threshold: float = THRESHOLD) -> NDArray[np.intp]:
    """Return for each text the first of those that it is connected to by `near_pairs`, itself where it is the first.

    Args:
        prints: Of texts, as `print_of` makes them.
        threshold: As of `near_pairs`.

    Returns:
        Places among the prints, shape (n,).

    Raises:
        TypeError: as `near_pairs`.
        ValueError: as `near_pairs`.
    """
    prints = _checked("prints", prints)
    return components(len(prints), near_pairs(prints, threshold))


def near_across(
    asked: Sequence[Print], others: Sequence[Print], threshold: float = THRESHOLD
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return for each text a near-duplicate among the others, or -1, and how much they overlap, 0 where there is none.

    It is one of the nearest, and not always the nearest. Under one key a text is compared with the 16 others that stand
    around it in the order of `near_pairs`, with its limit.

    Args:
        asked: Prints of n texts.
        others: Prints among which they are looked for.
        threshold: The Jaccard index from which on two are near-duplicates.

    Returns:
        Places among the others, and Jaccard indices, each of shape (n,).

    Raises:
        TypeError: one is no print, or the threshold is no number.
        ValueError: the threshold is not above 0 and at most 1.
    """
    check_threshold(threshold)
    asked, others = _checked("asked", asked), _checked("others", others)
    found, shares = np.full(len(asked), -1, dtype=np.intp), np.zeros(len(asked))
    if not asked or not others:
        return found, shares
    owners, keys = _ordered(bands_of([*asked, *others]))
    other = owners >= len(asked)
    places, their_keys = owners[other] - len(asked), keys[other]
    mine, my_keys = owners[~other], keys[~other]
    # How many entries of others stand before each of mine.
    before = np.cumsum(other)[~other]
    grams = _grams(asked), _grams(others)
    for step in range(_WINDOW):
        at = before + step // 2 if step % 2 == 0 else before - 1 - step // 2
        there = (at >= 0) & (at < len(places))
        there[there] = (their_keys[at[there]] == my_keys[there]) & (shares[mine[there]] < 1)
        tried = np.unique(np.stack([mine[there], places[at[there]]], axis=1), axis=0)
        both = _overlaps(*grams, tried, threshold)
        # The greatest comes last, and stays.
        order = np.argsort(both, kind="stable")
        tried, both = tried[order], both[order]
        better = both >= np.maximum(threshold, shares[tried[:, 0]])
        found[tried[better, 0]], shares[tried[better, 0]] = tried[better, 1], both[better]
    return found, shares


def _checked(name: str, prints: Sequence[Print]) -> list[Print]:
    found = listed(name, prints, "prints")
    for each in found:
        check_is(name, each, np.ndarray, hint=_PRINTS)
        if each.ndim != 1 or not each.size or each.dtype.kind != "u":
            raise TypeError(f"{name} must be {_PRINTS}, not {shown(each)}")
    return found


def _joined(prints: Sequence[Print], threshold: float) -> NDArray[np.intp]:
    """Return the verified pairs that connect distinct prints, shape (m, 2)."""
    pairs = np.empty((0, 2), dtype=np.intp)
    if len(prints) < 2:
        return pairs
    owners, keys = _ordered(bands_of(prints))
    grams, labels = _grams(prints), np.arange(len(prints))
    for step in range(1, _WINDOW + 1):
        at = np.flatnonzero(keys[step:] == keys[:-step])
        if not at.size:
            break
        tried = np.stack([owners[at], owners[at + step]], axis=1)
        tried = np.unique(np.sort(tried[labels[tried[:, 0]] != labels[tried[:, 1]]], axis=1), axis=0)
        found = tried[_overlaps(grams, grams, tried, threshold) >= threshold]
        if found.size:
            pairs = np.concatenate([pairs, found])
            labels = components(len(prints), pairs)
    return pairs


def _ordered(keys: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return whose each key is, and the key, in the order of keys and, under one key, of the bands that follow."""
    order = np.lexsort([np.roll(keys, -band, axis=1).ravel() for band in reversed(range(_DEPTH))])
    return order // keys.shape[1], keys.ravel()[order]


def _overlaps(a: _Grams, b: _Grams, pairs: NDArray[np.intp], threshold: float) -> NDArray[np.float64]:
    """Return how much each pair of rows of the two overlaps; 0 where their sizes alone say that it is too little."""
    sizes: NDArray[np.intp] = np.stack([np.diff(a.indptr)[pairs[:, 0]], np.diff(b.indptr)[pairs[:, 1]]], axis=1)
    shares = np.zeros(len(pairs))
    # What is much longer cannot overlap enough, which spares many comparisons.
    left = np.flatnonzero(sizes.min(axis=1) >= threshold * sizes.max(axis=1))
    for start, end in _batches(sizes[left].sum(axis=1)):
        part = left[start:end]
        both: NDArray[np.intp] = np.diff(a[pairs[part, 0]].multiply(b[pairs[part, 1]]).indptr)
        shares[part] = both / (sizes[part].sum(axis=1) - both)
    return shares


def _grams(prints: Sequence[Print]) -> _Grams:
    """Return the prints as the rows of a matrix."""
    columns = np.concatenate(prints).astype(np.int64)
    starts = np.cumsum([0, *(each.size for each in prints)], dtype=np.int64)
    return csr_array((np.ones(len(columns), dtype=np.int8), columns, starts), shape=(len(prints), 2**32))


def _signatures(prints: Sequence[Print]) -> NDArray[np.uint64]:
    """Return the signatures, shape (n, _PLACES): at each place the least of what counts there, round before hash.

    In a round each gram counts at one place, by chance, so a round costs what a text has of grams. What is still empty
    then is filled place by place, where every gram counts.
    """
    grams = np.concatenate(prints).astype(np.uint64)
    owners = np.repeat(np.arange(len(prints)), [each.size for each in prints])
    least = np.full((len(prints), _PLACES), _EMPTY, dtype=np.uint64)
    low = np.uint64(2**32 - 1)
    for turn in range(_ROUNDS + _PLACES):
        place = turn - _ROUNDS
        wanting = (least == _EMPTY).any(axis=1) if place < 0 else least[:, place] == _EMPTY
        if not wanting.any():
            if place < 0:
                break
            continue
        at = wanting[owners]
        grams_now, owners_now = (grams, owners) if at.all() else (grams[at], owners[at])
        hashes = _mixed(grams_now + np.uint64((turn + 1) * int(_GOLDEN) % 2**64))
        spots = (hashes >> np.uint64(32)) * np.uint64(_PLACES) >> np.uint64(32) if place < 0 else np.uint64(place)
        counted = np.uint64(turn << 32) | hashes & low
        np.minimum.at(least.reshape(-1), owners_now * _PLACES + np.asarray(spots).astype(np.intp), counted)
    return least


def _batches(sizes: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """Yield where to cut so that no part is much larger than a batch."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + _BATCH, side="right")))
        yield start, end
        start = end


def _packed(points: NDArray[np.uint64], n: int) -> NDArray[np.uint64]:
    """Return each n consecutive code points as one number."""
    count = len(points) - n + 1
    packed = points[:count]
    for i in range(1, n):
        packed = packed << np.uint64(21) | points[i : i + count]
    return packed


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the numbers well mixed, one to one.

    Source: the finaliser of SplitMix64: G. Steele, D. Lea and C. Flood, Fast splittable pseudorandom number generators,
    OOPSLA (2014), 453-472.
    """
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
    return x ^ (x >> np.uint64(31))
