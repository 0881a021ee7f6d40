"""Evidence that may be looked at at any time: e-values, which grow where a hypothesis is wrong.

An e-value of a hypothesis is at most 1 in expectation while the hypothesis holds. A process of them passes 20 with a
chance of at most 5 %, over all of its time (Ville's inequality), so it may be watched, and stopped when it says enough.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray
from scipy import special  # scipy ships none

from calibrant.measure.arguments import check_alpha, check_flag, check_number
from calibrant.measure.rows import Labels, check_each, checked_counts, checked_rows, labels_of

__all__ = ["Evidence", "better", "combined", "drawn_ratio", "equal_means", "more_often", "sample_ratio"]

BETS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.5)
"""Shares of the wealth that are bet at each step; the wealth of each is averaged, as none is best for every effect."""
JEFFREYS: Final = 0.5
"""Both parameters of the prior over chances."""
CONCENTRATION: Final = 100.0
"""How near to the planned shares the alternative of `sample_ratio` expects the real ones: as after so many units."""
POOLING: Final = (5.0, 50.0, 500.0)
"""How near to the common mean `equal_means` expects those of the arms: as after so many units; averaged over all."""


class Evidence(Struct, frozen=True):
    """What a process of e-values says after its last step."""

    e_value: float
    """Now. Infinite where what was seen is impossible under the hypothesis."""
    largest: float
    """So far. It is no e-value itself."""
    n: int
    """Steps."""
    path: NDArray[np.float64]
    """After each step."""
    why: str

    @property
    def p_value(self) -> float:
        """An always-valid p-value: one over the largest value so far, and at most 1."""
        return 1.0 if self.largest <= 1 else 1 / self.largest

    def crossed(self, alpha: float) -> int | None:
        """Return after how many steps the process first passed 1/alpha; null where it never has.

        Raises:
            TypeError: alpha is no number.
            ValueError: alpha is not between 0 and 1.
        """
        check_alpha(alpha)
        at = np.flatnonzero(self.path >= 1 / alpha)
        return int(at[0]) + 1 if at.size else None


def better(differences: ArrayLike, *, margin: float = 0.0) -> Evidence:
    """Return the evidence against "the second variant is better by no more than `margin`".

    Each difference is bet on: E = Π (1 + λ(d - margin)), averaged over a grid of λ. Exactly valid whatever the shape
    of the differences, as long as each has a conditional mean of at most the margin when the hypothesis holds: units
    that resemble each other (an episode's inferences) come as one difference.

    Args:
        differences: Second less first, one a unit, in order of arrival; within [-1, 1].
        margin: From -1 to 1; below 0 it asks for "no worse than by so much".

    Raises:
        TypeError: a number is none.
        ValueError: a difference is not within [-1, 1], or the margin is out of range.

    Source: I. Waudby-Smith and A. Ramdas, Estimating means of bounded random variables by betting, Journal of the Royal
    Statistical Society B 86 (2024), 1-27.
    """
    check_number("margin", margin, least=-1, below=1)
    rows = checked_rows(differences, "float", "differences")
    check_each("differences", rows, np.abs(rows) <= 1, "within [-1, 1], of scores that were scaled to [0, 1]")
    # The worst difference loses 1 + margin, and no bet may lose more than half.
    bets = np.asarray(BETS) / (1 + max(margin, 0.0))
    wealth = np.cumsum(np.log1p(np.outer(rows - margin, bets)), axis=0)
    most = wealth.max(axis=1) if rows.size else np.zeros(0)
    with np.errstate(over="ignore"):
        path = np.exp(most + np.log(np.exp(wealth - most[:, None]).mean(axis=1)))
    return _evidence(path, f"bets on {rows.size} differences, averaged over {bets.size} sizes")


def sample_ratio(arms: ArrayLike, shares: ArrayLike, *, concentration: float = CONCENTRATION) -> Evidence:
    """Return the evidence against "units fall on the arms in the planned shares".

    The Bayes factor of a Dirichlet alternative around the planned shares against these shares, unit by unit.

    Args:
        arms: The number of the arm of each unit, from 0, in order of arrival.
        shares: Planned, one an arm; they sum to 1.
        concentration: How near to the planned shares the alternative expects the real ones.

    Raises:
        TypeError: a number is none.
        ValueError: the shares do not sum to 1, there is no such arm, or the concentration is not above 0.

    Source: M. Lindon and A. Malek, Anytime-valid inference for multinomial count data, Advances in Neural Information
    Processing Systems 35 (2022), arXiv:2011.03567.
    """
    _check_concentration(concentration)
    planned = checked_rows(shares, "float", "shares")
    check_each("shares", planned, planned > 0, "above 0: leave an arm out that is given nothing")
    if planned.size < 2 or abs(float(planned.sum()) - 1) > 1e-9:
        raise ValueError(
            f"shares must be those of at least two arms and sum to 1: {planned.size} sum to {float(planned.sum()):.6g}"
        )
    told = checked_counts(arms, "arms")
    check_each("arms", told, told < planned.size, f"whole, from 0 to {planned.size - 1}, as there are shares")
    units = told.astype(np.intp)
    expected = planned[units] if units.size else np.zeros(0)
    learned = _learned(units, expected, np.zeros(units.size, dtype=np.intp), concentration)
    why = f"{units.size} units on {planned.size} arms, against shares near the planned ones"
    return _evidence(_exponential(np.log(learned) - np.log(expected)), why)


def drawn_ratio(
    arms: Labels, chances: ArrayLike, phases: Labels | None = None, *, concentration: float = CONCENTRATION
) -> Evidence:
    """Return the evidence against "each unit fell on its arm with the chance that was told of it".

    What `sample_ratio` is where the planned shares changed, so that a unit comes with the chance of its own arm. The
    alternative learns within a phase and begins anew with the next; where the shares differ within one, what it learns
    fits none of them, and it finds less.

    Args:
        arms: What each unit fell on, all strings or all integers, in order of arrival.
        chances: That the draw had of choosing this arm for this unit; above 0, at most 1.
        phases: Of each unit a label of what held when it was drawn, known before the draw; null where one thing held.
        concentration: How near to the chances the alternative expects the real shares: as after so many units.

    Raises:
        TypeError: a chance is no number, or labels are neither all strings nor all integers.
        ValueError: the lengths differ, a label is missing, or a number is out of range.

    Source: that of `sample_ratio`; with q(k) = (C p(k) + n(k)) / (C + n) each factor q/p needs the chance of the drawn
    arm alone.
    """
    _check_concentration(concentration)
    told = checked_rows(chances, "float", "chances")
    check_each("chances", told, (told > 0) & (told <= 1), "above 0 and at most 1 (leave units out that were not drawn)")
    units = np.unique(labels_of(arms, told.size, "arms"), return_inverse=True)[1]
    of = np.zeros(told.size, dtype=np.intp)
    if phases is not None:
        of = np.unique(labels_of(phases, told.size, "phases"), return_inverse=True)[1]
    path = _exponential(np.log(_learned(units, told, of, concentration)) - np.log(told))
    return _evidence(path, f"{units.size} units, against chances near those of their draws")


def equal_means(values: ArrayLike, arms: ArrayLike, strata: Labels | None = None) -> Evidence:
    """Return the evidence against "the values of two arms have the same mean".

    Units come in blocks, each with at least one of either arm; the means of the blocks before are bet on. Exactly valid
    for independent units whatever the mean is, also where it changes from block to block, for both arms alike. Blocks
    are of one stratum each and their evidence multiplies, so that the mean may differ between strata, too.

    Args:
        values: One a unit, in order of arrival; within [0, 1], such as whether it was judged.
        arms: 0 or 1, one a unit.
        strata: Of each unit a label of what it was drawn under, such as the odds of the draw; null where all are alike.

    Raises:
        TypeError: a number is none.
        ValueError: the lengths differ, or a value or an arm is out of range.

    Source: R. J. Turner, A. Ly and P. D. Grünwald, Generic E-variables for exact sequential k-sample tests that allow
    for optional stopping, Journal of Statistical Planning and Inference 230 (2024), 106116. Each factor is linear in
    the value, so that values between 0 and 1 are as good as zeros and ones.
    """
    rows, told = checked_rows(values), checked_rows(arms, "boolean", "arms")
    if rows.size != told.size:
        raise ValueError(f"{rows.size} values, {told.size} arms: each unit has one of both")
    of = np.zeros(told.size, dtype=np.intp)
    if strata is not None:
        of = np.unique(labels_of(strata, told.size, "strata"), return_inverse=True)[1]
    check_each("values", rows, (rows >= 0) & (rows <= 1), "within [0, 1]")
    sides = told.astype(np.intp)
    blocks, owners = _blocks(sides.tolist(), of.tolist())
    count = owners.size
    closed = blocks < count
    rows, sides, blocks = rows[closed], sides[closed], blocks[closed]
    counts = np.stack([np.bincount(blocks[sides == arm], minlength=count) for arm in (0, 1)]).astype(np.float64)
    sums = np.stack([np.bincount(blocks[sides == arm], rows[sides == arm], minlength=count) for arm in (0, 1)]).astype(
        np.float64
    )
    seen, came = _earlier(counts, owners), _earlier(sums, owners)
    pooled = (came.sum(axis=0) + 0.5) / (seen.sum(axis=0) + 1)
    paths: list[NDArray[np.float64]] = []
    for weight in POOLING:
        means = (came + weight * pooled) / (seen + weight)
        common = (counts * means).sum(axis=0) / counts.sum(axis=0)
        mean, same = means[sides, blocks], common[blocks]
        factors = rows * mean / same + (1 - rows) * (1 - mean) / (1 - same)
        steps: NDArray[np.float64] = np.bincount(blocks, np.log(factors), minlength=count).astype(np.float64)
        paths.append(np.cumsum(steps))
    with np.errstate(over="ignore"):
        path = np.exp(np.logaddexp.reduce(np.array(paths), axis=0) - np.log(len(POOLING)))
    return _evidence(path, f"{rows.size} units in {count} blocks of both arms")


def more_often(events: ArrayLike, share: float) -> Evidence:
    """Return the evidence against "an event comes with a chance of at most `share`".

    The likelihood of chances above the share, mixed by Jeffreys' prior over those alone, against that of the share
    itself. For every chance up to the share it is at most 1 in expectation after each step.

    Args:
        events: 1 where it came and 0 where it did not, in order of arrival; independent of each other.
        share: At least 0 and below 1.

    Raises:
        TypeError: a number is none.
        ValueError: an event is neither 0 nor 1, or the share is out of range.

    Sources: H. Robbins, Statistical methods related to the law of the iterated logarithm, Annals of Mathematical
    Statistics 41 (1970), 1397-1409 (mixtures); the inequality is J. Ville's (1939).
    """
    check_number("share", share, least=0, below=1, hint="how often the event may come")
    rows = checked_rows(events, "boolean", "events")
    came = np.cumsum(rows)
    missed = np.arange(1, rows.size + 1) - came
    with np.errstate(divide="ignore", over="ignore"):
        mixed = _above(came, missed, share) - _above(np.zeros(1), np.zeros(1), share)
        path = np.exp(mixed - special.xlogy(came, share) - special.xlog1py(missed, -share))
    return _evidence(path, f"{int(rows.sum())} events of {rows.size}, against at most {share:.3g} of them")


def combined(e_values: ArrayLike, *, independent: bool) -> float:
    """Return one e-value of several of the same hypothesis: their product where they are independent, else their mean.

    Independent are those of data that do not share units, such as phases of an experiment that followed each other.

    Args:
        e_values: At least one, each at least 0; infinite is allowed.
        independent: Whether they are.

    Raises:
        TypeError: an e-value is no number, or `independent` is neither True nor False.
        ValueError: there is none, one is below 0, or 0 and infinity are to be multiplied.

    Source: V. Vovk and R. Wang, E-values: calibration, combination and applications, Annals of Statistics 49 (2021),
    1736-1754.
    """
    check_flag("independent", independent)
    values = checked_rows(e_values, "float", "e_values", infinite=True)
    check_each("e_values", values, values >= 0, "at least 0")
    if values.size == 0:
        raise ValueError("e_values is empty, and must have at least one")
    if not independent:
        return float(values.mean())
    if bool(np.isinf(values).any()) and bool((values == 0).any()):
        raise ValueError("e_values has both 0 and infinity, whose product is no number")
    with np.errstate(over="ignore", under="ignore"):
        return float(values.prod())


def _check_concentration(concentration: float) -> None:
    check_number("concentration", concentration, above=0, hint="as after how many units the shares are expected")


def _above(came: NDArray[np.float64], missed: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return the logarithm of the integral of p^came (1 - p)^missed over Jeffreys' prior above the share."""
    one, other = came + JEFFREYS, missed + JEFFREYS
    return special.betaln(one, other) + np.log(special.betaincc(one, other, share))


def _evidence(path: NDArray[np.float64], why: str) -> Evidence:
    if path.size == 0:
        return Evidence(1.0, 1.0, 0, path, "nothing was seen")
    return Evidence(float(path[-1]), float(path.max()), path.size, path, why)


def _learned(
    units: NDArray[np.intp], chances: NDArray[np.float64], phases: NDArray[np.intp], concentration: float
) -> NDArray[np.float64]:
    """Return the chance of each unit's own arm as learned from the units before it in its phase."""
    of_arm = phases * (int(units.max(initial=0)) + 1) + units
    return (concentration * chances + _before(of_arm)) / (concentration + _before(phases))


def _before(labels: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return for each unit how many before it have the same label."""
    found = np.empty(labels.size)
    # Sorted by label, and within one by arrival, so that a unit's place in its run is how many came before.
    order = np.argsort(labels, kind="stable")
    sizes = np.unique(labels, return_counts=True)[1]
    found[order] = np.arange(labels.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return found


def _exponential(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        return np.exp(np.cumsum(steps))


def _blocks(sides: list[int], strata: list[int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the block of each unit, and the stratum of each block.

    A block ends once it has a unit of either arm; blocks are numbered in the order of their ends, so that what each
    says is known before the next. Units of blocks that have not ended have a number that no block has.
    """
    found = np.full(len(sides), len(sides), dtype=np.intp)
    open_units: dict[int, list[int]] = {}
    owners: list[int] = []
    for at, (side, stratum) in enumerate(zip(sides, strata, strict=True)):
        units = open_units.setdefault(stratum, [])
        units.append(at)
        # Until now they were all of one arm.
        if sides[units[0]] != side:
            found[units] = len(owners)
            owners.append(stratum)
            units.clear()
    return found, np.array(owners, dtype=np.intp)


def _earlier(of_blocks: NDArray[np.float64], owners: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return what the earlier blocks of its stratum add up to for each block: its own is known too late for a bet."""
    found = np.zeros_like(of_blocks)
    for stratum in np.unique(owners):
        mine = owners == stratum
        found[:, mine] = np.cumsum(of_blocks[:, mine], axis=1) - of_blocks[:, mine]
    return found
