"""What the pictures show: simulations whose truth is known, measured with `calibrant.measure`. Seeds are fixed."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy import stats

from calibrant import measure
from calibrant.types.estimate import Estimate

Rows = NDArray[np.float64]
REPEATS = 2000
"""Repeats behind every share that a picture states."""


class Interval(Struct, frozen=True):
    """An interval of one repeat."""

    low: float
    point: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether the value is inside."""
        return self.low <= value <= self.high

    @property
    def width(self) -> float:
        """From end to end."""
        return self.high - self.low


class Repeats(Struct, frozen=True):
    """The same thing measured again and again."""

    truth: float
    intervals: tuple[Interval, ...]

    @property
    def missed(self) -> float:
        """The share of repeats whose interval does not hold the truth."""
        return sum(not each.holds(self.truth) for each in self.intervals) / len(self.intervals)

    @property
    def saw(self) -> float:
        """The share of repeats whose interval does not hold 0."""
        return sum(not each.holds(0.0) for each in self.intervals) / len(self.intervals)

    @property
    def half_width(self) -> float:
        """Half the mean width."""
        return sum(each.width for each in self.intervals) / len(self.intervals) / 2


def _interval(found: Estimate) -> Interval:
    if found.estimate is None or found.low is None or found.high is None:
        raise ValueError(f"no interval: {found.warnings}")
    return Interval(found.low, found.estimate, found.high)


def wald(successes: int, n: int) -> Interval:
    """The interval of the textbook, p plus and minus 1.96 standard errors: what not to use."""
    share = successes / n
    half = 1.96 * np.sqrt(share * (1 - share) / n)
    return Interval(share - half, share, share + half)


def evaluations(truth: float, *, items: int = 100, seed: int) -> tuple[Repeats, Repeats]:
    """Evaluations of independent items: Wilson's interval of each, and Wald's."""
    drawn = np.random.default_rng(seed).binomial(items, truth, REPEATS).tolist()
    wilson = tuple(_interval(measure.wilson_interval(successes, items)) for successes in drawn)
    return Repeats(truth, wilson), Repeats(truth, tuple(wald(successes, items) for successes in drawn))


def clusters(
    *, truth: float = 0.8, icc: float = 0.13, documents: int = 40, each: int = 10, seed: int
) -> tuple[Repeats, Repeats, float]:
    """Rows of documents that resemble each other: the naive interval, the clustered one, and the mean design effect."""
    rng = np.random.default_rng(seed)
    spread = 1 / icc - 1
    labels = np.repeat(np.arange(documents), each)
    naive: list[Interval] = []
    clustered: list[Interval] = []
    effects: list[float] = []
    for _ in range(REPEATS):
        hard = rng.beta(truth * spread, (1 - truth) * spread, documents)
        rows = (rng.random(documents * each) < np.repeat(hard, each)).astype(np.float64)
        naive.append(_interval(measure.mean_interval(rows, kind="boolean")))
        found = measure.mean_interval(rows, labels, "boolean")
        clustered.append(_interval(found))
        effects.append(found.design_effect or 1.0)
    return Repeats(truth, tuple(naive)), Repeats(truth, tuple(clustered)), float(np.mean(effects))


class Pairs(Struct, frozen=True):
    """Two variants on the same items, compared both ways."""

    paired: Repeats
    unpaired: Repeats
    shares: tuple[float, float]
    """The true ones."""
    discordance: float
    """The share of items on which the two do not agree."""


def pairs(*, items: int = 300, alike: float = 0.9, seed: int) -> Pairs:
    """Items as hard for one variant as for the other, nearly: .75 against .81."""
    rng = np.random.default_rng(seed)
    shares = (0.75, 0.81)
    bars = stats.norm.ppf(shares)
    paired: list[Interval] = []
    unpaired: list[Interval] = []
    differing = 0.0
    for _ in range(REPEATS):
        common = rng.normal(size=items) * np.sqrt(alike)
        own = rng.normal(size=(2, items)) * np.sqrt(1 - alike)
        first, second = ((common + own[arm] < bars[arm]).astype(np.float64) for arm in (0, 1))
        paired.append(_interval(measure.bonett_price_interval(first, second)))
        unpaired.append(_interval(measure.compare_unpaired(first, second, kind="boolean").difference))
        differing += float((first != second).mean()) / REPEATS
    truth = shares[1] - shares[0]
    return Pairs(Repeats(truth, tuple(paired)), Repeats(truth, tuple(unpaired)), shares, differing)


class Selections(Struct, frozen=True):
    """Candidates of which none is better than another, and the best of them."""

    truth: float
    candidates: tuple[Interval, ...]
    """Of the first repeat, on the validation items."""
    chosen: Rows
    """For each repeat, the best candidate's score on the items that it was chosen by."""
    sealed: Rows
    """And on items that no choice has seen."""
    expected: float
    """What `measure.best_of` marks the best down by."""


def selections(*, candidates: int = 15, items: int = 100, sealed: int = 400, seed: int) -> Selections:
    """The best of 15 that are all alike."""
    rng = np.random.default_rng(seed)
    truth = 0.7
    scores = rng.binomial(items, truth, (REPEATS, candidates))
    first = tuple(_interval(measure.wilson_interval(int(each), items)) for each in scores[0])
    error = float(np.sqrt(truth * (1 - truth) / items))
    return Selections(
        truth,
        first,
        scores.max(axis=1) / items,
        rng.binomial(sealed, truth, REPEATS) / sealed,
        measure.best_of(error, candidates),
    )


class Looks(Struct, frozen=True):
    """An experiment between two variants that are the same, looked at each day."""

    days: int
    z_alarms: Rows
    """The share of experiments in which a z-test has been below 5 % on some day until each."""
    e_alarms: Rows
    """The same of the e-process."""
    z_path: Rows
    """The z-test's p-value each day, of one experiment in which it gave a false alarm."""
    e_path: Rows
    """The always-valid p-value of the same experiment."""


def looks(*, days: int = 60, a_day: int = 50, repeats: int = REPEATS, seed: int) -> Looks:
    """Each day so many pairs of episodes, one an arm; both arms succeed in 80 %."""
    rng = np.random.default_rng(seed)
    z_below = np.zeros((repeats, days), dtype=bool)
    e_below = np.zeros((repeats, days), dtype=bool)
    example: tuple[Rows, Rows] | None = None
    ends = np.arange(1, days + 1) * a_day
    for repeat in range(repeats):
        first, second = rng.random((2, days * a_day)) < 0.8
        difference = second.astype(np.float64) - first
        z_p, e_p = _p_values(first, second, ends), _always_valid(difference, ends)
        z_below[repeat], e_below[repeat] = z_p < 0.05, e_p < 0.05
        # Shown is the first that a daily look would have stopped, and that a look at the end would not have.
        if example is None and z_below[repeat, 7:].any() and z_p[-1] > 0.2:
            example = z_p, e_p
    if example is None:
        raise ValueError("no experiment gave a false alarm; take more")
    return Looks(
        days,
        np.maximum.accumulate(z_below, axis=1).mean(axis=0),
        np.maximum.accumulate(e_below, axis=1).mean(axis=0),
        *example,
    )


def _p_values(first: NDArray[np.bool_], second: NDArray[np.bool_], ends: NDArray[np.int_]) -> Rows:
    """The two-sided z-test of two shares, after so many pairs."""
    shares = [np.cumsum(arm)[ends - 1] / ends for arm in (first, second)]
    pooled = (shares[0] + shares[1]) / 2
    error = np.sqrt(2 * pooled * (1 - pooled) / ends)
    return 2 * stats.norm.sf(np.abs(shares[1] - shares[0]) / error)


def _always_valid(difference: Rows, ends: NDArray[np.int_]) -> Rows:
    """Two-sided: the better of both directions, at twice the price."""
    largest = [np.maximum.accumulate(measure.better(sign * difference).path) for sign in (1.0, -1.0)]
    return np.minimum(1.0, 2 / np.maximum(*largest))[ends - 1]


class Judged(Struct, frozen=True):
    """The share that people would pass, by three ways."""

    judge: Repeats
    people: Repeats
    corrected: Repeats
    gain: float
    """How many labels of people one is worth together with the judge."""


def judged(*, truth: float = 0.7, labels: int = 150, items: int = 2000, seed: int) -> Judged:
    """A judge that passes 97 % of what is good and 25 % of what is not."""
    rng = np.random.default_rng(seed)
    found: tuple[list[Interval], list[Interval], list[Interval]] = ([], [], [])
    gains: list[float] = []
    for _ in range(REPEATS):
        good = (rng.random(labels + items) < truth).astype(np.float64)
        passed = (rng.random(labels + items) < np.where(good == 1, 0.97, 0.25)).astype(np.float64)
        best = measure.corrected_mean(good[:labels], passed[:labels], passed[labels:], kind="boolean")
        found[0].append(_interval(measure.wilson_interval(int(passed[labels:].sum()), items)))
        found[1].append(_interval(measure.wilson_interval(int(good[:labels].sum()), labels)))
        found[2].append(_interval(best.truth))
        gains.append(best.gain)
    judge, people, corrected = (Repeats(truth, tuple(each)) for each in found)
    return Judged(judge, people, corrected, float(np.mean(gains)))
