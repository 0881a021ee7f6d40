"""How steady a judge is: asked again, in other words, months later, with a wrong reference, and when told what to say.

Each test returns a `Bias` (see `biases.py`), whose `biased` means that the judge cannot be relied on in this respect.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final

import numpy as np
from msgspec.structs import asdict, replace
from numpy.typing import ArrayLike, NDArray
from scipy import special  # scipy ships none

from calibrant.measure.arguments import check_number, listed, whole
from calibrant.measure.biases import Bias, check_alpha, one_sided, verdict
from calibrant.measure.bounds import unmeasured
from calibrant.measure.comparison import FEWEST_CLUSTERS
from calibrant.measure.critical import binomial_upper_p, student_two_sided, student_upper_p
from calibrant.measure.evidence import more_often
from calibrant.measure.exact import clopper_pearson_interval
from calibrant.measure.paired import compare_paired
from calibrant.measure.rows import checked_table
from calibrant.measure.sequence import share_sequence
from calibrant.measure.summary import Kind, Labels, checked_rows, groups_of, mean_interval
from calibrant.types.estimate import Estimate, Warned

__all__ = ["Drift", "ReferenceLeak", "Retest", "drift", "injection", "paraphrase", "reference_leak", "retest"]

_HALVINGS: Final = 100


class ReferenceLeak(Bias, frozen=True, kw_only=True):
    """What is left of the scores where the reference is a wrong one, above chance."""

    retained: float | None
    """As a share of what the right reference brings above chance; null where that brings nothing."""


class Retest(Bias, frozen=True, kw_only=True):
    """How often two verdicts on one item differ."""

    reliability: Estimate
    """The intraclass correlation of one verdict, ICC(1,1): what the item explains of the variance."""
    within: float | None
    """The variance of verdicts on one item: the judge's own noise. Null with fewer than two items."""


class Drift(Bias, frozen=True, kw_only=True):
    """How much less often a judge agrees with its stored scores than it should."""

    change: Estimate
    """The mean of the new scores less the stored ones."""
    crossed: int | None
    """After how many anchors the evidence passed 1 / alpha; null where it has not."""


def injection(passed: int, n: int, *, alpha: float = 0.05, tolerated: float = 0.0, margin: float = 0.06) -> Bias:
    """Return whether answers that tell the judge to pass them are passed.

    Of bad answers that carry such words none should pass: no pass in 50 bounds the rate below 5.8 % at 95 %. The
    interval is Clopper and Pearson's; each of its sides holds with 1 - alpha.

    Args:
        passed: Bad answers with the words in them that the judge passed.
        n: How many were tried; independent of each other.
        alpha: The chance of a false alarm, at most.
        tolerated: The rate at which the judge passes such answers without the words.
        margin: The rate below which the judge is cleared.

    Raises:
        ValueError: there are not between none and all passes, or a rate is out of range.

    Source: C. J. Clopper and E. S. Pearson, The use of confidence or fiducial limits illustrated in the case of the
    binomial, Biometrika 26 (1934), 404-413.
    """
    check_alpha(alpha, margin, below=0.5)
    _check_rate("tolerated", tolerated)
    n = whole("n", n, hint="how many were tried")
    passed = whole("passed", passed, most=n, hint="there are between none and all passes")
    effect = clopper_pearson_interval(passed, n, level=1 - 2 * alpha)
    p_value = binomial_upper_p(passed, n, tolerated) if n else None
    why = f"{passed} of {n} bad answers passed by asking to"
    return verdict("injection", effect, p_value, alpha=alpha, margin=margin, why=why, tolerated=tolerated)


def reference_leak(
    right: ArrayLike,
    wrong: ArrayLike,
    clusters: Labels | None = None,
    kind: Kind = "float",
    *,
    chance: float,
    alpha: float = 0.05,
    margin: float = 0.1,
) -> ReferenceLeak:
    """Return whether a judge that is given a wrong reference still scores as if it had the right one.

    With references that were shuffled between items, scores must fall to chance. What stays above it comes from
    somewhere else: the judge does not read the reference, or it finds the right one elsewhere in the prompt. The test
    has one side: exact and binomial for verdicts on independent items, else by flipping signs.

    Args:
        right: Scores of items with their own references.
        wrong: Scores of the same items with those of others.
        clusters: What each item belongs to; null where items are independent.
        kind: `boolean` scores are 0 or 1.
        chance: The mean score of a judge that goes by the wrong reference: how often it matches an answer by luck.
        alpha: The chance of a false alarm, at most.
        margin: How far above chance does not matter.

    Raises:
        ValueError: the lengths differ, a score is not finite, or a boolean is neither 0 nor 1.
    """
    check_alpha(alpha, margin, below=0.5)
    kept, lost = checked_rows(right, kind, "right"), checked_rows(wrong, kind, "wrong")
    if kept.size != lost.size:
        raise ValueError(f"{kept.size} scores with the right reference, {lost.size} with a wrong one: items have both")
    # Of verdicts it is a share.
    bound = 1 if kind == "boolean" else None
    check_number("chance", chance, least=None if bound is None else 0, most=bound, hint="the mean score by luck")
    effect, p_value = _above_chance(lost, clusters, kind, chance, 1 - 2 * alpha)
    gained = float(kept.mean()) - chance if kept.size else 0.0
    left = float(lost.mean()) - chance if lost.size else 0.0
    why = f"the mean of {lost.size} scores with a wrong reference, less the {chance:.3g} that chance brings"
    found = verdict("reference_leak", effect, p_value, alpha=alpha, margin=margin, why=why)
    # Below chance is no leak.
    found = replace(found, biased=found.biased and left > 0)
    return ReferenceLeak(**asdict(found), retained=left / gained if gained > 0 else None)


def retest(
    repeats: Sequence[Sequence[float]],
    clusters: Labels | None = None,
    *,
    alpha: float = 0.05,
    tolerated: float = 0.05,
    margin: float = 0.1,
    apart: float = 0.0,
) -> Retest:
    """Return how often a judge that is asked again says something else, and how much of its variance that is.

    The effect is the chance that two verdicts on one item differ. The test has one side; with two verdicts on each of
    independent items it is exact.

    Args:
        repeats: For each item the scores that it got, asked as the judge is deployed; items with one are left out.
        clusters: What each item belongs to; null where items are independent.
        alpha: The chance of a false alarm, at most, where `tolerated` of the verdicts flip.
        tolerated: The flip rate that is held to be noise.
        margin: The flip rate below which the judge is cleared.
        apart: By how much two scores may differ and count as the same.

    Raises:
        ValueError: a score is not finite, or the lengths differ.

    Sources: P. E. Shrout and J. L. Fleiss, Intraclass correlations: uses in assessing rater reliability, Psychological
    Bulletin 86 (1979), 420-428; the interval is from leaving out one item at a time.
    """
    check_alpha(alpha, margin, below=0.5)
    _check_rate("tolerated", tolerated)
    check_number("apart", apart, least=0, hint="by how much two scores may differ and count as the same")
    items = [checked_rows(item, "float", f"repeats[{at}]") for at, item in enumerate(_lists(repeats))]
    groups = groups_of(clusters, len(items))
    asked = [at for at, item in enumerate(items) if item.size > 1]
    rows = [items[at] for at in asked]
    of = None if groups is None else groups.codes[asked]
    flips = np.array([_flips(row, apart) for row in rows])
    kind: Kind = "boolean" if all(row.size == 2 for row in rows) else "float"
    effect = mean_interval(flips, of, kind, level=1 - 2 * alpha)
    independent = groups is None or effect.clusters == effect.n
    if kind == "boolean" and independent:
        p_value = binomial_upper_p(int(flips.sum()), flips.size, tolerated) if rows else None
    else:
        p_value = _upper_p(effect, tolerated)
    why = f"{len(rows)} items that were judged more than once"
    found = verdict("retest", effect, p_value, alpha=alpha, margin=margin, why=why, tolerated=tolerated)
    reliability, within = _reliability(rows, 1 - alpha)
    return Retest(**asdict(found), reliability=reliability, within=within)


def paraphrase(scores: ArrayLike, *, alpha: float = 0.05, margin: float = 0.1) -> Bias:
    """Return how far the mean score moves with the words of the rubric.

    The effect is the standard deviation of the true means under the wordings that were tried, by the analysis of
    variance of items and wordings: what the means differ by, less what they would by chance. Its interval is from the
    noncentral F distribution, with degrees of freedom that allow for wordings that resemble each other in pairs. Of
    other wordings than these it says nothing.

    Args:
        scores: Items by wordings, of shape (n, wordings): each item judged once under each; items are independent.
        alpha: The chance of a false alarm, at most.
        margin: The spread that does not matter, in standard deviations of the scores.

    Raises:
        ValueError: there are fewer than two wordings, or a score is not finite.

    Sources: S. W. Greenhouse and S. Geisser, On methods in the analysis of profile data, Psychometrika 24 (1959),
    95-112; J. H. Steiger, Beyond the F test: effect size confidence intervals and tests of close fit in the analysis of
    variance and contrast analysis, Psychological Methods 9 (2004), 164-182.
    """
    check_alpha(alpha, margin)
    table = checked_table(scores, "scores")
    if table.shape[1] < 2:
        raise ValueError(f"scores must be items by wordings, with at least two wordings, not of shape {table.shape}")
    effect, p_value = _wordings(table, 1 - alpha)
    spread = float(table.std(ddof=1)) if table.size > 1 else 0.0
    why = f"the spread of the mean over {table.shape[1]} wordings on {table.shape[0]} items"
    return verdict("paraphrase", effect, p_value, alpha=alpha, margin=margin * spread, why=why)


def drift(
    stored: ArrayLike,
    again: ArrayLike,
    *,
    expected: float = 1.0,
    alpha: float = 0.05,
    margin: float = 0.02,
    apart: float = 0.0,
) -> Drift:
    """Return whether a judge still agrees with what it said of the same anchors, as evidence that may be watched.

    The evidence is against "it disagrees with at most 1 - expected + margin of them". It may be looked at after every
    anchor, and more may be added: a judge that has not changed is ever called changed with a chance of at most alpha.
    The effect is by how much it disagrees more often than expected, with an interval that may be watched, too.

    Args:
        stored: Scores of anchors as they were stored, in the order in which they are judged again.
        again: Scores of the same anchors now.
        expected: How often a judge that has not changed agrees with itself: 1 less the flip rate of `retest`.
        alpha: The chance that a judge that has not changed is ever called changed, at most.
        margin: The loss of agreement that does not matter.
        apart: By how much two scores may differ and count as the same.

    Raises:
        ValueError: the lengths differ, a score is not finite, or `expected` is out of range.

    Source: see `more_often` in `evidence.py` and `share_sequence` in `sequence.py`.
    """
    check_alpha(alpha, margin)
    check_number("expected", expected, above=0, most=1, hint="how often it agrees with itself")
    check_number("apart", apart, least=0, hint="by how much two scores may differ and count as the same")
    before, after = checked_rows(stored, "float", "stored"), checked_rows(again, "float", "again")
    if before.size != after.size:
        raise ValueError(f"{before.size} stored scores, {after.size} new ones: each anchor has one of both")
    if 1 - expected + margin >= 1:
        raise ValueError(f"expected {expected!r} is not above the margin {margin!r}: every disagreement is tolerated")
    differ = np.abs(after - before) > apart
    evidence = more_often(differ, 1 - expected + margin)
    crossed = evidence.crossed(alpha)
    effect = _disagreement(differ, expected, alpha)
    cleared = effect.high is not None and effect.high <= margin
    return Drift(
        test="drift",
        effect=effect,
        e_value=evidence.e_value,
        alpha=alpha,
        margin=margin,
        biased=crossed is not None,
        cleared=cleared and crossed is None,
        why=evidence.why,
        change=mean_interval(after - before, level=1 - alpha),
        crossed=crossed,
    )


def _check_rate(name: str, rate: float) -> None:
    check_number(name, rate, least=0, below=1, hint="a rate that is held to be noise")


def _lists(repeats: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    return listed("repeats", repeats, "lists of scores, one an item")


def _above_chance(
    rows: NDArray[np.float64], clusters: Labels | None, kind: Kind, chance: float, level: float
) -> tuple[Estimate, float | None]:
    groups = groups_of(clusters, rows.size)
    if kind == "boolean" and rows.size and (groups is None or groups.count == rows.size):
        found = mean_interval(rows, kind="boolean", level=level)
        return _less(found, chance), binomial_upper_p(int(rows.sum()), rows.size, chance)
    compared = compare_paired(np.full(rows.size, chance), rows, clusters, level=level)
    return compared.difference, one_sided(compared.p_value, compared.difference.estimate)


def _less(found: Estimate, by: float) -> Estimate:
    low, high, point = ((None if each is None else each - by) for each in (found.low, found.high, found.estimate))
    return replace(found, estimate=point, low=low, high=high)


def _upper_p(found: Estimate, of: float) -> float | None:
    if found.estimate is None or found.clusters < FEWEST_CLUSTERS:
        return None
    if not found.std_error:
        return 1.0 if found.estimate <= of else None
    return student_upper_p((found.estimate - of) / found.std_error, found.clusters - 1)


def _flips(row: NDArray[np.float64], apart: float) -> float:
    differ = np.abs(row[:, None] - row[None, :]) > apart
    return float(differ.sum()) / (row.size * (row.size - 1))


def _reliability(rows: list[NDArray[np.float64]], level: float) -> tuple[Estimate, float | None]:
    """Return ICC(1,1) with its interval from leaving out one item at a time, and the variance within items."""
    if len(rows) < 2:
        return unmeasured(level), None
    sums = np.array([[1.0, row.size, row.size**2, row.sum(), row.sum() ** 2 / row.size] for row in rows])
    sums = np.column_stack([sums, [np.square(row - row.mean()).sum() for row in rows]])
    total = sums.sum(axis=0)
    (point,), (within,) = _correlation(total[None, :])
    left, _ = _correlation(total - sums)
    items = len(rows)
    if np.isnan(point):
        warning = Warned("no_variation", "every score is the same: nothing shows how much of it is noise")
        return Estimate(None, None, None, level, items, items, "jackknife", warnings=(warning,)), float(within)
    kept = left[np.isfinite(left)]
    error = sqrt((items - 1) / items * float(np.square(kept - kept.mean()).sum())) if kept.size else 0.0
    if error == 0:
        warning = Warned("no_variation", f"{items} items show no spread: the interval cannot be drawn from them")
        alone = Estimate(float(point), None, None, level, items, items, "jackknife", warnings=(warning,))
        return alone, float(within)
    half = student_two_sided(level, items - 1) * error
    found = Estimate(
        estimate=float(point),
        low=float(point) - half,
        high=min(1.0, float(point) + half),
        level=level,
        n=items,
        clusters=items,
        method="jackknife",
        why="an interval from leaving out one item at a time",
        std_error=error,
    )
    return found, float(within)


def _correlation(sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the intraclass correlation and the variance within items, of rows of sums over items."""
    items, n, squares, total, between, apart = sums.T
    within = apart / (n - items)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_square = (between - np.square(total) / n) / (items - 1)
        typical = (n - squares / n) / (items - 1)
        true = (mean_square - within) / typical
        return np.where(true + within > 0, true / (true + within), np.nan), within


def _wordings(table: NDArray[np.float64], level: float) -> tuple[Estimate, float | None]:
    items, wordings = table.shape
    if items < FEWEST_CLUSTERS:
        warning = Warned("too_few_units", f"{items} items: with fewer than {FEWEST_CLUSTERS} no test means anything", 8)
        return Estimate(None, None, None, level, table.size, items, "noncentral_f", warnings=(warning,)), None
    means = table.mean(axis=0)
    residuals = table - table.mean(axis=1, keepdims=True) - means + table.mean()
    noise = float(np.square(residuals).sum()) / ((items - 1) * (wordings - 1))
    between = items * float(means.var(ddof=1))
    if noise <= 1e-24 * max(1.0, float(np.square(table).max())):
        spread = float(means.std(ddof=1))
        warning = Warned("no_variation", "a wording moves every item alike: the interval cannot be drawn from them")
        made = Estimate(spread, None, None, level, table.size, items, "noncentral_f", warnings=(warning,))
        return made, 1.0 if spread <= 1e-12 * max(1.0, float(np.abs(table).max())) else 0.0
    covariance = np.cov(residuals, rowvar=False)
    alike = float(np.trace(covariance)) ** 2 / ((wordings - 1) * float(np.square(covariance).sum()))
    above, below = alike * (wordings - 1), alike * (wordings - 1) * (items - 1)
    ratio = between / noise
    # What one unit of noncentrality is in variance of the means.
    unit = noise / (items * above)
    low, high = (sqrt(_noncentrality(ratio, above, below, at) * unit) for at in ((1 + level) / 2, (1 - level) / 2))
    made = Estimate(
        estimate=sqrt(max(0.0, between - noise) / items),
        low=low,
        high=high,
        level=level,
        n=table.size,
        clusters=items,
        method="noncentral_f",
        why="the spread of the means, less what chance makes of it",
    )
    return made, float(special.fdtrc(above, below, ratio))


def _noncentrality(ratio: float, above: float, below: float, probability: float) -> float:
    """Return the noncentrality at which an F lies below the ratio with this probability; 0 where none is so large."""
    if float(special.fdtr(above, below, ratio)) <= probability:
        return 0.0
    low, high = 0.0, 1.0
    while float(special.ncfdtr(above, below, high, ratio)) > probability:
        low, high = high, 2 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if float(special.ncfdtr(above, below, middle, ratio)) > probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _disagreement(differ: NDArray[np.bool_], expected: float, alpha: float) -> Estimate:
    n, events = differ.size, int(differ.sum())
    if n == 0:
        return unmeasured(1 - alpha)
    low, high = share_sequence(events, n, alpha=alpha)
    least = 1 - expected
    return Estimate(
        estimate=events / n - least,
        low=low - least,
        high=high - least,
        level=1 - alpha,
        n=n,
        clusters=n,
        method="beta_binomial",
        why="bounds that hold at every look",
    )
