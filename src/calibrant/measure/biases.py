"""Whether a judge is moved by what should not move it: position, length and style, its own family.

Each test holds two scores of the same answers against each other, or the judge against people. It says two things that
are not each other's opposite: that there is a bias (`biased`), and that there is none that matters (`cleared`). A test
of few answers says neither. How steady a judge is stands in `stability.py`.
"""

from __future__ import annotations

from math import sqrt
from typing import Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import asdict, replace
from numpy.typing import ArrayLike, NDArray

from calibrant.measure.arguments import check_alpha as check_chance
from calibrant.measure.arguments import check_number
from calibrant.measure.bounds import few_units, unmeasured
from calibrant.measure.cluster import Clusters
from calibrant.measure.comparison import FEWEST_CLUSTERS
from calibrant.measure.critical import student_two_sided, student_upper_p
from calibrant.measure.exact import clopper_pearson_interval
from calibrant.measure.paired import compare_paired
from calibrant.measure.rows import check_each, labels_of
from calibrant.measure.summary import Kind, Labels, checked_rows, groups_of, mean_interval
from calibrant.measure.unpaired import compare_unpaired
from calibrant.types.estimate import Estimate, Warned

__all__ = [
    "Bias",
    "BiasTest",
    "Position",
    "check_alpha",
    "invariance",
    "length_bias",
    "one_sided",
    "position_bias",
    "self_preference",
    "verdict",
]

BiasTest = Literal[
    "position",
    "invariance",
    "length",
    "self_preference",
    "injection",
    "reference_leak",
    "retest",
    "paraphrase",
    "drift",
]


class Bias(Struct, frozen=True, kw_only=True):
    """What one test of a judge came to."""

    test: BiasTest
    effect: Estimate
    """The size of what was looked for, 0 where there is none, with an interval at 1 - alpha; where the test has one
    side, at 1 - 2 alpha, so that each bound by itself holds at 1 - alpha."""
    p_value: float | None = None
    """Of no effect, or of none above what is tolerated; null where too little was seen or there is an e-value."""
    e_value: float | None = None
    """The same as evidence that may be watched; biased from 1 / alpha on."""
    alpha: float
    """The chance with which a judge without the bias is called biased, at most."""
    margin: float
    """An effect that does not matter, in the units of `effect`."""
    biased: bool
    """The effect is there: p is at most alpha and the interval leaves out 0, or the e-value has passed 1 / alpha."""
    cleared: bool
    """The interval lies within the margin: an effect that matters is ruled out."""
    why: str


class Position(Bias, frozen=True, kw_only=True):
    """How much more often an answer wins for being shown first."""

    consistency: Estimate
    """The share of pairs with one verdict in both orders."""
    first: int
    """Of the pairs without, how many were won by whichever was shown first."""
    second: int
    """And by whichever was shown second."""


def verdict(
    test: BiasTest,
    effect: Estimate,
    p_value: float | None,
    *,
    alpha: float,
    margin: float,
    why: str,
    tolerated: float = 0.0,
) -> Bias:
    """Return what an effect, its interval and its p-value, of no more than `tolerated`, come to."""
    low, high, point = effect.low, effect.high, effect.estimate
    if low is None and high is None:
        # All alike: no interval, but if so many have the same effect the test says enough.
        apart = point is not None and abs(point) > tolerated
    else:
        apart = (low is not None and low > tolerated) or (high is not None and high < -tolerated)
    cleared = p_value is not None and low is not None and high is not None and -margin <= low and high <= margin
    return Bias(
        test=test,
        effect=effect,
        p_value=p_value,
        alpha=alpha,
        margin=margin,
        biased=p_value is not None and p_value <= alpha and apart and not cleared,
        cleared=cleared,
        why=why,
    )


def check_alpha(alpha: float, margin: float, *, below: float = 1.0) -> None:
    """Check what every test is told; alpha of one side is below a half.

    Raises:
        TypeError: a number is none.
        ValueError: alpha is out of range, or the margin is below 0.
    """
    check_chance(alpha, below=below)
    check_number("margin", margin, least=0, hint="the effect that does not matter")


def position_bias(
    straight: ArrayLike,
    swapped: ArrayLike,
    clusters: Labels | None = None,
    *,
    alpha: float = 0.05,
    margin: float = 0.1,
) -> Position:
    """Return whether a judge of pairs prefers the place of an answer, from its verdicts on both orders.

    Of pairs that are judged the same way in both orders the place says nothing; of the others, the answer shown first
    should have won half, which is the exact binomial test (McNemar's of "wins when shown first" and "wins when shown
    second"). The effect is the difference of the two. With ties, or where pairs come in clusters, signs are flipped.

    Args:
        straight: For each pair in the one order 1 where the answer shown first won, 0 where the other did, 0.5 a tie.
        swapped: The same of the same pairs in the other order: again 1 where the answer then shown first won.
        clusters: What each pair belongs to; null where pairs are independent.
        alpha: The chance of a false alarm, at most.
        margin: The difference that does not matter.

    Raises:
        ValueError: the lengths differ, or a verdict is none of 0, 0.5 and 1.

    Sources: L. Zheng and others, Judging LLM-as-a-judge with MT-Bench and Chatbot Arena (NeurIPS 2023),
    arXiv:2306.05685, section 3.3; L. Shi and others, Judging the judges: a systematic study of position bias in
    LLM-as-a-judge (2024), arXiv:2406.07791.
    """
    check_alpha(alpha, margin)
    one, other = checked_rows(straight, "float", "straight"), checked_rows(swapped, "float", "swapped")
    if one.size != other.size:
        raise ValueError(f"{one.size} verdicts straight, {other.size} swapped: each pair has one of both")
    for name, rows in (("straight", one), ("swapped", other)):
        check_each(
            name, rows, np.isin(rows, (0.0, 0.5, 1.0)), "1 (the one shown first won), 0 (the other) or 0.5 (a tie)"
        )
    kind: Kind = "float" if bool((np.concatenate([one, other]) == 0.5).any()) else "boolean"
    found = compare_paired(1 - other, one, clusters, kind, level=1 - alpha)
    first, second = int((one + other > 1).sum()), int((one + other < 1).sum())
    why = f"{first + second} of {one.size} pairs changed with the order, {first} of them towards the one shown first"
    made = verdict("position", found.difference, found.p_value, alpha=alpha, margin=margin, why=why)
    consistency = mean_interval(one + other == 1, clusters, "boolean", level=1 - alpha)
    return Position(**asdict(made), consistency=consistency, first=first, second=second)


def invariance(
    before: ArrayLike,
    after: ArrayLike,
    clusters: Labels | None = None,
    kind: Kind = "float",
    *,
    alpha: float = 0.05,
    margin: float = 0.1,
) -> Bias:
    """Return whether a change that should not matter moves the scores: padding, a preamble, markdown, a false citation.

    Where no score moved at all, the interval is that of the share that could have, times the range of the scores.

    Args:
        before: The judge's scores of answers as they were.
        after: Of the same answers with the change.
        clusters: What each answer belongs to; null where they are independent.
        kind: `boolean` scores are 0 or 1.
        alpha: The chance of a false alarm, at most.
        margin: The change that does not matter, in standard deviations of `before`.

    Raises:
        ValueError: as for `compare_paired`.

    Source: M. T. Ribeiro, T. Wu, C. Guestrin and S. Singh, Beyond accuracy: behavioral testing of NLP models with
    CheckList (ACL 2020), arXiv:2005.04118 (invariance tests).
    """
    check_alpha(alpha, margin)
    rows, moved = checked_rows(before, kind, "before"), checked_rows(after, kind, "after")
    found = compare_paired(rows, moved, clusters, kind, level=1 - alpha)
    spread = _spread(rows)
    effect = found.difference
    if effect.low is None and effect.estimate == 0 and found.p_value is not None:
        effect = _unmoved(effect, rows)
    why = f"the mean change of {effect.n} answers, against {margin:g} standard deviations of {spread:.3g}"
    return verdict("invariance", effect, found.p_value, alpha=alpha, margin=margin * spread, why=why)


def length_bias(
    people: ArrayLike,
    judge: ArrayLike,
    lengths: ArrayLike,
    clusters: Labels | None = None,
    *,
    alpha: float = 0.05,
    margin: float = 0.1,
) -> Bias:
    """Return whether a judge likes long answers better than people do: the slope of its scores on log2(length).

    The effect is by how much the judge's score grows when an answer doubles that people score the same, with its error
    from leaving out one cluster at a time. The test has one side, towards long answers, and asks two slopes, of which
    both must be there; p is the larger one:

    - of the judge's scores, with people's held. A judge that errs by chance follows people less than fully, so that
      where people dislike long answers the difference of the two would grow with length.
    - of the judge's scores less people's. People err, too, so that where long answers are the better ones their length
      says of an answer what people have missed, and a judge that only follows what is good would look biased.

    A judge that errs by chance at least as often as people is then called biased no more often than alpha says. One
    that errs less often than they is not safe from it: have several people judge each answer, and give what most say.

    Args:
        people: What people scored, one an answer.
        judge: The judge's scores of the same answers, on the same scale.
        lengths: Of the answers, above 0, in whatever unit.
        clusters: What each answer belongs to; null where they are independent.
        alpha: The chance of a false alarm, at most.
        margin: How many standard deviations of the judge's scores may go with one of log2(length).

    Raises:
        ValueError: the numbers of scores and lengths differ, one is not finite, or a length is not above 0.

    Sources: Y. Dubois, B. Galambosi, P. Liang and T. B. Hashimoto, Length-controlled AlpacaEval (2024),
    arXiv:2404.04475; J. G. MacKinnon, M. O. Nielsen and M. D. Webb, Cluster-robust inference: a guide to empirical
    practice, Journal of Econometrics 232 (2023), 272-299 (the jackknife by cluster); A. V. Carter, K. T. Schnepel and
    D. G. Steigerwald, Asymptotic behavior of a t-test robust to cluster heterogeneity, Review of Economics and
    Statistics 99 (2017), 698-709 (the degrees of freedom).
    """
    check_alpha(alpha, margin, below=0.5)
    given = {"people": people, "judge": judge, "lengths": lengths}
    truth, said, sizes = (checked_rows(rows, "float", name) for name, rows in given.items())
    if not truth.size == said.size == sizes.size:
        raise ValueError(
            f"{truth.size} scores of people, {said.size} of the judge, {sizes.size} lengths: one of all each"
        )
    check_each("lengths", sizes, sizes > 0, "above 0 (leave empty answers out)")
    doubled = np.log2(sizes)
    groups = groups_of(clusters, truth.size)
    effect, p_held = _slope(doubled, truth, said, groups, 1 - 2 * alpha)
    _, p_excess = _slope(doubled, np.zeros(truth.size), said - truth, groups, 1 - 2 * alpha)
    p_value = None if p_held is None or p_excess is None else max(p_held, p_excess)
    apart = _spread(doubled)
    why = "by how much the judge's score grows when an answer doubles that people score the same"
    allowed = margin * _spread(said) / apart if apart > 0 else 0.0
    return _upwards(verdict("length", effect, p_value, alpha=alpha, margin=allowed, why=why))


def self_preference(
    people: ArrayLike,
    judge: ArrayLike,
    own: ArrayLike,
    clusters: Labels | None = None,
    *,
    alpha: float = 0.05,
    margin: float = 0.1,
) -> Bias:
    """Return whether a judge passes good answers of its own family more often than good ones of others.

    The equal-opportunity gap: P(judge passes | people pass, own family) less the same of other families. That its
    family is better, if it is, takes no part as long as people are right: of the better family's answers they pass
    fewer by mistake. The test has one side, towards the own family.

    Args:
        people: 1 where people pass an answer, 0 where they fail it.
        judge: The judge's verdicts on the same answers, 0 or 1.
        own: 1 where the answer is of the judge's own family.
        clusters: What each answer belongs to; a cluster with answers of both kinds is none that this can count with.
        alpha: The chance of a false alarm, at most.
        margin: The gap that does not matter.

    Raises:
        ValueError: the lengths differ, a number is neither 0 nor 1, or a cluster has answers of both kinds.

    Sources: K. Wataoka, T. Takahashi and R. Ri, Self-preference bias in LLM-as-a-judge (2024), arXiv:2410.21819;
    A. Panickssery, S. R. Bowman and S. Feng, LLM evaluators recognize and favor their own generations (NeurIPS 2024),
    arXiv:2404.13076.
    """
    check_alpha(alpha, margin, below=0.5)
    given = {"people": people, "judge": judge, "own": own}
    truth, said, mine = (checked_rows(rows, "boolean", name) for name, rows in given.items())
    if not truth.size == said.size == mine.size:
        raise ValueError(
            f"{truth.size} verdicts of people, {said.size} of the judge, {mine.size} origins: one of all each"
        )
    labels = None if clusters is None else labels_of(clusters, truth.size)
    ours, others = (truth == 1) & (mine == 1), (truth == 1) & (mine == 0)
    of: list[NDArray[np.generic] | None] = [None, None] if labels is None else [labels[others], labels[ours]]
    if labels is not None and bool(np.isin(labels[ours], labels[others]).any()):
        raise ValueError(
            "a cluster has answers of both kinds: label by what one family alone answered, or leave it out"
        )
    found = compare_unpaired(said[others], said[ours], of[0], of[1], "boolean", level=1 - 2 * alpha)
    why = f"of answers that people pass, {int(ours.sum())} of the judge's own family and {int(others.sum())} of others"
    p_value = one_sided(found.p_value, found.difference.estimate)
    return _upwards(verdict("self_preference", found.difference, p_value, alpha=alpha, margin=margin, why=why))


def one_sided(p_value: float | None, effect: float | None) -> float | None:
    """Return the p-value of no effect upwards, from that of none at all."""
    if p_value is None or effect is None:
        return None
    return p_value / 2 if effect > 0 else 1 - p_value / 2


def _upwards(found: Bias) -> Bias:
    """Return what was found, with a word on an effect that goes the other way, which is no bias of this name."""
    high = found.effect.high
    if high is None or high >= -found.margin:
        return found
    return replace(found, why=f"{found.why}; it goes the other way, by more than does not matter")


def _unmoved(effect: Estimate, rows: NDArray[np.float64]) -> Estimate:
    most = float(clopper_pearson_interval(0, effect.clusters, level=effect.level).high or 0.0) * float(np.ptp(rows))
    return replace(effect, low=-most, high=most, method="clopper_pearson", warnings=())


def _spread(rows: NDArray[np.float64]) -> float:
    return float(rows.std(ddof=1)) if rows.size > 1 else 0.0


def _slope(
    x: NDArray[np.float64], held: NDArray[np.float64], y: NDArray[np.float64], groups: Clusters | None, level: float
) -> tuple[Estimate, float | None]:
    """Return the slope of y on x, the other held, and the p-value of none upwards; cluster by cluster is left out."""
    n = x.size
    if n == 0:
        return unmeasured(level), None
    codes = np.arange(n) if groups is None else groups.codes
    units = n if groups is None else groups.count
    columns = [rows - rows.mean() for rows in (x, held, y)]
    if _flat(held):
        # What says the same of all holds nothing.
        columns[1] = np.zeros(n)
    pairs = [(0, 0), (0, 1), (1, 1), (0, 2), (1, 2)]
    terms = (np.ones(n), *columns, *(columns[a] * columns[b] for a, b in pairs))
    sums = np.array([np.bincount(codes, weights=term, minlength=units) for term in terms])
    whole = sums.sum(axis=1)[:, None]
    point, spread = _partial(whole)
    least = 1e-12 * float(np.square(columns[0]).sum())
    slope = float(point[0]) if not _flat(x) and spread[0] > least else None
    slopes, spreads = _partial(whole - sums) if units >= FEWEST_CLUSTERS else (point, spread)
    if slope is None or units < FEWEST_CLUSTERS or bool((spreads <= least).any()):
        warning = Warned("too_few_units", f"{units} units, or lengths that are all alike: no slope can be tested", 8)
        return Estimate(slope, None, None, level, n, units, "jackknife", warnings=(warning,)), None
    error = sqrt((units - 1) / units * float(np.square(slopes - slopes.mean()).sum()))
    if error <= 1e-12 * abs(slope):
        warning = Warned("no_variation", "the differences show no spread: the interval cannot be drawn from them")
        return Estimate(slope, None, None, level, n, units, "jackknife", warnings=(warning,)), None
    # A slope stands on the few units that are far from what is held: as many as would say as much if all were as far.
    leverage = np.bincount(codes, weights=_rest_of(columns[0], columns[1]) ** 2, minlength=units)
    freedom = max(1.0, float(leverage.sum()) ** 2 / float(np.square(leverage).sum()) - 1)
    half = student_two_sided(level, freedom) * error
    found = Estimate(
        estimate=slope,
        low=slope - half,
        high=slope + half,
        level=level,
        n=n,
        clusters=units,
        method="jackknife",
        why="a slope, with its error from leaving out one unit at a time",
        std_error=error,
        warnings=few_units(units),
    )
    return found, student_upper_p(slope / error, freedom)


def _partial(sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return slopes of y on x with the other held, and what is left of the spread of x, from sums of products."""
    n, x, held, y, xx, xh, hh, xy, hy = sums
    xx, xh, hh, xy, hy = xx - x * x / n, xh - x * held / n, hh - held * held / n, xy - x * y / n, hy - held * y / n
    known = hh > 1e-12 * np.max(hh, initial=0.0)
    share = np.divide(xh, hh, out=np.zeros_like(xh), where=known)
    spread = xx - share * xh
    return np.divide(xy - share * hy, spread, out=np.zeros_like(xy), where=spread > 0), spread


def _rest_of(x: NDArray[np.float64], held: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = float(held @ held)
    return x - held * (float(x @ held) / spread) if spread > 0 else x


def _flat(rows: NDArray[np.float64]) -> bool:
    return float(np.ptp(rows)) == 0
