"""What intervals over arrays and over sums have in common. Loads neither numpy nor scipy, so a gateway may use it."""

from __future__ import annotations

from math import isnan, sqrt

from calibrant.types.estimate import Estimate, Method, Warned

__all__ = ["FEW_EVENTS", "FEW_UNITS", "few_events", "few_units", "one_cluster", "unmeasured", "wilson_bounds"]

FEW_UNITS = 20
"""Below this many units a t interval leans on the shape of the data, so it comes with a warning."""

FEW_EVENTS = 10
"""Below this many of the rarer outcome, at their weight as independent rows, a clustered share is less sure than it
says: in simulation its 95 % interval covers 88 to 93 %."""


def wilson_bounds(share: float, n: float, critical: float) -> tuple[float, float]:
    """Return the bounds of Wilson's score interval for an observed share of `n` rows.

    `n` need not be whole: `cluster.py` passes an effective number of rows.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    Journal of the American Statistical Association 22 (1927), 209-212.
    """
    spread = critical * critical / n
    centre = (share + spread / 2) / (1 + spread)
    half = critical / (1 + spread) * sqrt(share * (1 - share) / n + spread / (4 * n))
    # The score interval lies within [0, 1] and holds the share; rounding may push it past by an ulp.
    return min(max(0.0, centre - half), share), max(min(1.0, centre + half), share)


def unmeasured(level: float) -> Estimate:
    """Return the estimate of nothing: no rows, so no number."""
    warning = Warned("no_rows", "no rows: nothing was measured", 2)
    return Estimate(None, None, None, level, 0, 0, "none", why="there are no rows", warnings=(warning,))


def few_units(units: float) -> tuple[Warned, ...]:
    """Return a warning when a t interval stands on too few units to be trusted to its level."""
    if units >= FEW_UNITS or isnan(units):
        return ()
    text = f"{units:.3g} independent units: below {FEW_UNITS} the interval leans on the shape of the data"
    return (Warned("few_units", text, FEW_UNITS),)


def few_events(share: float, effective: float) -> tuple[Warned, ...]:
    """Return a warning when too few clustered rows have the rarer outcome; where none has, another warning says it."""
    events = effective * min(share, 1 - share)
    if not 0 < events < FEW_EVENTS:
        return ()
    text = f"of the rarer outcome there are as many as {events:.2g} independent rows: the interval may be too narrow"
    return (Warned("few_events", text),)


def one_cluster(point: float, n: int, level: float, method: Method) -> Estimate:
    """Return the estimate of rows that are all of one cluster: a number without an interval."""
    warning = Warned("too_few_units", f"all {n} rows are of one cluster: nothing shows how clusters differ", 2)
    return Estimate(point, None, None, level, n, 1, method, warnings=(warning,))
