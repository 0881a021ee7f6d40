"""Which texts are near-duplicates of each other: by the overlap of what they are made of, once normalised.

Two texts count as near-duplicates where the Jaccard index of their character 5-grams is at least 0.8, the threshold
at which Lee et al. 2022 ("Deduplicating Training Data Makes Language Models Better") find duplicates in corpora.
"""

from __future__ import annotations

import re
import unicodedata

from calibrant.measure.arguments import check_is, check_threshold

__all__ = ["THRESHOLD", "folded", "jaccard", "near_duplicates", "normalised", "shingles"]

THRESHOLD = 0.8
_SHINGLE = 5
_SETS = (frozenset, set)
_SPACE = re.compile(r"\s+")
_DIGIT = re.compile(r"\d")


def folded(text: str) -> str:
    """Return the text in NFKC and lower case, with single spaces."""
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text).lower()).strip()


def normalised(text: str) -> str:
    """Return the folded text with 0 for each digit."""
    return _DIGIT.sub("0", folded(text))


def shingles(text: str, n: int = _SHINGLE) -> frozenset[str]:
    """Return the character n-grams of the normalised text; a shorter text is its own."""
    plain = normalised(text)
    return frozenset(plain[i : i + n] for i in range(max(1, len(plain) - n + 1)))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Return the share of what either has that both have; 1 where both are empty.

    Args:
        a: A set, such as the shingles of a text.
        b: Another.

    Raises:
        TypeError: one is no set.
    """
    check_is("a", a, _SETS, hint="a set")
    check_is("b", b, _SETS, hint="a set")
    either = len(a | b)
    return len(a & b) / either if either else 1.0


def near_duplicates(a: frozenset[str], b: frozenset[str], threshold: float = THRESHOLD) -> bool:
    """Return whether two texts, given by their shingles, are near-duplicates.

    Args:
        a: The shingles of a text, as a set.
        b: Of another.
        threshold: The Jaccard index from which on they are.

    Raises:
        TypeError: one is no set, or the threshold is no number.
        ValueError: the threshold is not above 0 and at most 1.
    """
    check_threshold(threshold)
    check_is("a", a, _SETS, hint="a set")
    check_is("b", b, _SETS, hint="a set")
    # What is much longer cannot overlap enough, which spares most comparisons.
    if min(len(a), len(b)) < threshold * max(len(a), len(b)):
        return False
    return jaccard(a, b) >= threshold
