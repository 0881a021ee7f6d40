"""Whether a change that was picked on one set of items is better on items that nobody has looked at. Pure.

A candidate that was picked for its score is overrated by it: of fifteen changes that do nothing, the best looks better
than the incumbent nine times in ten. So it is asked once more, on fresh items, beside the incumbent. What a quarter's
confirmations may get wrong together is its error budget, of which each spends a part.
"""

from __future__ import annotations

from math import ceil, floor
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import ArrayLike

from calibrant.measure.arguments import check_alpha, check_number
from calibrant.measure.comparison import FEWEST_CLUSTERS
from calibrant.measure.paired import compare_paired, sign_flip
from calibrant.measure.summary import Kind, Labels, checked_rows
from calibrant.types.estimate import Estimate

__all__ = ["Decision", "decide"]

_STEP: Final = 0.01


class Decision(Struct, frozen=True):
    """What a confirmation says."""

    passed: bool
    """The one-sided interval at 1 - alpha lies above the margin."""
    alpha: float
    """The chance of passing a change that is no better than the margin."""
    margin: float
    difference: Estimate
    """Candidate less incumbent, with the two-sided interval at 1 - 2 alpha, whose lower end is the one-sided bound."""

    @property
    def shown(self) -> tuple[float, float] | None:
        """The interval rounded outward to hundredths, which is all that leaves the seal; null where there is none."""
        low, high = self.difference.low, self.difference.high
        if low is None or high is None:
            return None
        # What is a hundredth but for rounding stays one.
        return round(floor(low / _STEP + 1e-9) * _STEP, 2), round(ceil(high / _STEP - 1e-9) * _STEP, 2)


def decide(
    incumbent: ArrayLike,
    candidate: ArrayLike,
    clusters: Labels | None = None,
    kind: Kind = "float",
    *,
    alpha: float = 0.05,
    margin: float = 0.0,
) -> Decision:
    """Return whether the candidate is better than the incumbent by more than a margin, on the same fresh items.

    It passes where the one-sided interval lies above the margin. Without a margin an exact test has to agree: McNemar's
    of independent booleans, else that of flipping the signs of whole clusters.

    Args:
        incumbent: One score an item, higher is better; what failed has the worst score.
        candidate: The same of the candidate, in the same order.
        clusters: What each item belongs to; null where items are independent.
        kind: `boolean` scores are 0 or 1.
        alpha: Of the one-sided test.
        margin: By how much it must be better; below 0 for a change that may cost so much.

    Raises:
        TypeError: a score is no number, or labels are neither all strings nor all integers.
        ValueError: lengths differ, a score is not finite, alpha is not between 0 and 0.5, or the margin is not finite.

    Sources: those of `compare_paired`.
    """
    check_alpha(alpha, below=0.5)
    check_number("margin", margin)
    incumbent = checked_rows(incumbent, kind, "incumbent")
    candidate = checked_rows(candidate, kind, "candidate")
    # A test by flipping signs is drawn below, where it decides something.
    found = compare_paired(incumbent, candidate, clusters, kind, level=1 - 2 * alpha, flips=1)
    difference = found.difference
    low = difference.low
    if margin == 0 and low is not None and low > 0:
        p_value = found.p_value if found.test == "mcnemar" else _flipped(incumbent, candidate, clusters)
        if p_value is None or p_value / 2 > alpha:
            # Intervals of few items are a little too narrow; what is shown agrees with what is decided.
            difference = replace(difference, low=0.0)
    enough = difference.clusters >= FEWEST_CLUSTERS
    return Decision(enough and difference.low is not None and difference.low > margin, alpha, margin, difference)


def _flipped(incumbent: ArrayLike, candidate: ArrayLike, clusters: Labels | None) -> float | None:
    apart = checked_rows(candidate, "float") - checked_rows(incumbent, "float")
    return sign_flip(apart, clusters)
