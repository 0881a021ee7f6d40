"""M1, shares of independent rows: coverage counted exactly over every outcome, nothing is drawn.

For one share p and n rows the coverage of an interval is a finite sum over the binomial. It jumps where p passes an end
of an interval, and between two ends it has no dip, so the worst case over all p is beside an end, and is looked for
there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import sqrt

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import special

from bench.measurement.cells import Cell, Figures
from calibrant.measure.exact import beta_interval, clopper_pearson_interval
from calibrant.measure.interval import wilson_interval
from calibrant.measure.paired import bonett_price_interval
from calibrant.measure.unpaired import compare_unpaired
from calibrant.types.estimate import Estimate

__all__ = ["one_share", "paired_shares", "unpaired_shares"]

Bounds = tuple[float, float]
Numbers = NDArray[np.float64]

SIZES = (30, 100, 300, 1000, 3000)
LOWEST, HIGHEST = 0.5, 0.98
"""Of the true share. Below a half all is mirrored."""
_SHARES = np.linspace(LOWEST, HIGHEST, 481)
_Z = 1.959963984540054
_SPREADS = 5.5
"""How many standard deviations of each count are enumerated; what lies outside counts as missed."""
_BLOCK = 200


def _ends(found: Estimate) -> Bounds:
    assert found.low is not None and found.high is not None
    return found.low, found.high


def _wald(successes: int, n: int, z: float = _Z) -> Bounds:
    share = successes / n
    half = z * sqrt(share * (1 - share) / n)
    return share - half, share + half


_ONE: dict[str, Callable[[int, int], Bounds]] = {
    "clopper_pearson": lambda k, n: _ends(clopper_pearson_interval(k, n)),
    "wilson": lambda k, n: _ends(wilson_interval(k, n)),
    "beta": lambda k, n: _ends(beta_interval(k, n)),
    "wald": _wald,
    "mean ± SE": lambda k, n: _wald(k, n, 1.0),
}
_OURS = ("clopper_pearson", "wilson", "beta")


def one_share(draw: Generator, *, method: str, n: int) -> Figures:
    """Count how often an interval of one share covers: on average over p, and at the worst p."""
    low, high = np.array([_ONE[method](k, n) for k in range(n + 1)]).T
    ends = np.concatenate([low, high])
    beside = np.concatenate([np.nextafter(ends, 0), ends, np.nextafter(ends, 1)])
    places = np.unique([LOWEST, HIGHEST, *beside[(beside > LOWEST) & (beside < HIGHEST)]])
    exactly = _coverage(places, low, high, n)
    at = int(exactly.argmin())
    return {
        "average": float(_coverage(_SHARES, low, high, n).mean()),
        "worst": float(exactly[at]),
        "worst_at": float(places[at]),
    }


def _coverage(shares: Numbers, low: Numbers, high: Numbers, n: int) -> Numbers:
    """Return the chance that an interval holds the share, for each share."""
    k = np.arange(n + 1)
    blocks = [shares[start : start + _BLOCK, None] for start in range(0, shares.size, _BLOCK)]
    return np.concatenate([(chances(k, n, p) * ((low <= p) & (p <= high))).sum(axis=1) for p in blocks])


def paired_shares(draw: Generator, *, n: int, apart: float, gain: float) -> Figures:
    """Count how often the interval of two shares on the same items covers.

    Args:
        draw: Not used.
        n: Items.
        apart: The share of items on which the two variants do not agree.
        gain: The true difference.
    """
    lost, won = (apart - gain) / 2, (apart + gain) / 2
    ours = usual = 0.0
    for b, c, chance in _trinomial(n, lost, won):
        first, second = np.zeros(n), np.zeros(n)
        first[:b] = 1
        second[b : b + c] = 1
        low, high = _ends(bonett_price_interval(first, second))
        ours += chance * (low <= gain <= high)
        centre, half = (c - b) / n, _Z * sqrt(b + c - (c - b) ** 2 / n) / n
        usual += chance * (abs(centre - gain) <= half)
    return {"ours": ours, "usual": usual}


def unpaired_shares(draw: Generator, *, n: int, share: float, gain: float) -> Figures:
    """Count how often the interval of two shares on items of their own covers; each variant has `n` items."""
    ours = usual = 0.0
    for k, of_k in _likely(n, share):
        for m, of_m in _likely(n, share + gain):
            low, high = _ends(compare_unpaired(_rows(k, n), _rows(m, n), kind="boolean").difference)
            ours += of_k * of_m * (low <= gain <= high)
            one, other = k / n, m / n
            half = _Z * sqrt((one * (1 - one) + other * (1 - other)) / n)
            usual += of_k * of_m * (abs(other - one - gain) <= half)
    return {"ours": ours, "usual": usual}


def _rows(successes: int, n: int) -> Numbers:
    return (np.arange(n) < successes).astype(np.float64)


def _trinomial(n: int, lost: float, won: float) -> Iterator[tuple[int, int, float]]:
    for b, of_b in _likely(n, lost):
        for c, of_c in _likely(n - b, won / (1 - lost)):
            yield b, c, of_b * of_c


def _likely(n: int, share: float) -> list[tuple[int, float]]:
    """Return the counts that a binomial is likely to come to, with their chances."""
    reach = _SPREADS * sqrt(n * share * (1 - share)) + 4
    k = np.arange(max(0, int(n * share - reach)), min(n, int(n * share + reach)) + 1)
    return list(zip(k.tolist(), chances(k, n, share).tolist(), strict=True))


def chances(k: NDArray[np.intp], n: int, p: Numbers | float) -> Numbers:
    """Return the chance of each count of a binomial."""
    ways = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return np.exp(ways + special.xlogy(k, p) + special.xlog1py(n - k, -np.asarray(p)))


PAIRED = ((0.05, 0.0), (0.05, 0.03), (0.1, 0.0), (0.1, 0.05), (0.2, 0.0), (0.2, 0.08), (0.3, 0.0), (0.3, 0.08))
"""How often the two variants do not agree, and by how much the second is better."""
UNPAIRED = tuple((share, gain) for share in (0.5, 0.7, 0.8, 0.9, 0.93) for gain in (0.0, 0.05))


def cells(*, quick: bool) -> list[Cell]:
    """Return the grid; a quick one leaves out what takes long."""
    sizes = SIZES[:3] if quick else SIZES
    return [
        *(Cell("M1", one_share, {"method": method, "n": n}) for method in _ONE for n in sizes),
        *(Cell("M1", paired_shares, {"n": n, "apart": a, "gain": g}) for n in sizes for a, g in PAIRED),
        *(Cell("M1", unpaired_shares, {"n": n, "share": p, "gain": g}) for n in sizes for p, g in UNPAIRED),
    ]
