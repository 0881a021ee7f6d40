"""Whether a judge may stand in for people: the alternative annotator test."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from calibrant.measure.arguments import check_level, check_number, whole
from calibrant.measure.critical import student_upper_p
from calibrant.measure.multiplicity import benjamini_yekutieli
from calibrant.measure.rows import Rating, Scale, ratings_of

__all__ = ["Alternative", "alternative_annotator"]

_FEWEST: Final = 30
"""Items that a person and the judge have in common, below which nobody is tested."""


class Alternative(Struct, frozen=True):
    """What the test says of a judge."""

    winning_rate: float
    """The share of people against whom the judge holds its own; at least a half is wanted."""
    advantage: float
    """How often, on average over people, the judge agrees with the others at least as well as the one left out."""
    passed: bool
    wins: tuple[bool, ...]
    """For each person that was tested."""
    p_values: tuple[float, ...]
    tested: tuple[int, ...]
    """Which people have enough items: their places."""


def alternative_annotator(
    people: Sequence[Sequence[Rating | None]],
    judge: Sequence[Rating | None],
    *,
    epsilon: float = 0.2,
    level: float = 0.05,
    scale: Scale = "nominal",
    fewest: int = _FEWEST,
) -> Alternative:
    """Return whether a judge agrees with people at least as well, less epsilon, as they do with each other.

    Each person is left out in turn; on each item the judge and the person are held against the ratings of the others,
    and who agrees with them better wins, both where they agree as well. A person is outdone where the judge's wins are
    not fewer than the person's by epsilon or more, in a t-test, over all people by Benjamini and Yekutieli.

    Args:
        people: For each person a rating of each item; null where there is none. At least two people.
        judge: The judge's ratings of the same items.
        epsilon: How much cheaper a judge is held to be: .2 for experts, .15 for skilled people, .1 for a crowd.
        level: False discovery rate over people.
        scale: `nominal` ratings agree or not; `interval` ones by their distance.
        fewest: Items that a person must have rated, two at least.

    Raises:
        TypeError: a rating of an interval scale is no number, or ratings are neither all strings nor all numbers.
        ValueError: there are fewer than two people, the lengths differ, nobody has rated enough items, or a number or
            the scale is none.

    Source: N. Calderon, R. Reichart and R. Dror, The alternative annotator test for LLM-as-a-judge (ACL 2025),
    arXiv:2501.10970.
    """
    check_level(level, hint="the false discovery rate over people, such as 0.05")
    check_number("epsilon", epsilon, least=0, below=1, hint="how much cheaper a judge is held to be")
    fewest = whole("fewest", fewest, least=2, hint="items that a person must have rated")
    rated = ratings_of(people, scale, "people")
    (said,) = ratings_of([judge], scale, "judge")
    if len(rated) < 2:
        raise ValueError(f"people has {len(rated)} people, and must have two at least: one is held against the others")
    for at, one in enumerate(rated):
        if len(one) != len(said):
            raise ValueError(
                f"people[{at}] has {len(one)} ratings and judge {len(said)}: each must have one rating an item, or null"
            )
    tested: list[int] = []
    p_values: list[float] = []
    shares: list[float] = []
    for at in range(len(rated)):
        ahead = _duels(rated, said, at, scale)
        if len(ahead) < fewest:
            continue
        person, machine = np.array(ahead).T
        tested.append(at)
        shares.append(float(machine.mean()))
        p_values.append(_p_value(person - machine, epsilon))
    if not tested:
        raise ValueError(
            f"nobody has rated {fewest} items that another person and the judge rated, too: fewest may be lower"
        )
    found = benjamini_yekutieli(p_values, level=level)
    rate = found.count / len(tested)
    return Alternative(
        winning_rate=rate,
        advantage=float(np.mean(shares)),
        passed=rate >= 0.5,
        wins=tuple(bool(each) for each in found.found),
        p_values=tuple(p_values),
        tested=tuple(tested),
    )


def _duels(
    people: Sequence[Sequence[Rating | None]], judge: Sequence[Rating | None], left_out: int, scale: Scale
) -> list[tuple[float, float]]:
    """Return for each item whether the person, and whether the judge, agrees with the others at least as well."""
    found: list[tuple[float, float]] = []
    for item, (mine, machine) in enumerate(zip(people[left_out], judge, strict=True)):
        others = [rating for at, one in enumerate(people) if at != left_out and (rating := one[item]) is not None]
        if mine is None or machine is None or not others:
            continue
        person, other = _agreement(mine, others, scale), _agreement(machine, others, scale)
        found.append((float(person >= other), float(other >= person)))
    return found


def _agreement(rating: Rating, others: Sequence[Rating], scale: Scale) -> float:
    if scale == "nominal":
        return sum(rating == other for other in others) / len(others)
    return -sqrt(sum((float(rating) - float(other)) ** 2 for other in others) / len(others))


def _p_value(ahead: NDArray[np.float64], epsilon: float) -> float:
    """Return the p-value of "the person is ahead of the judge by epsilon or more"."""
    mean, error = float(ahead.mean()), float(ahead.std(ddof=1)) / sqrt(ahead.size)
    if error == 0:
        return 0.0 if mean < epsilon else 1.0
    return student_upper_p((epsilon - mean) / error, ahead.size - 1)
