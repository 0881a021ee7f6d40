"""What a comparison of two variants says, whichever way it was made."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from calibrant.types.estimate import Estimate, Warned

__all__ = ["FEWEST_CLUSTERS", "Comparison", "Test", "too_few"]

FEWEST_CLUSTERS: Final = 8
"""With fewer there is no p-value: of 2^7 patterns of signs none is rarer than 1.6 %, two-sided."""

Test = Literal["none", "sign_flip", "mcnemar", "chi_squared", "welch", "cluster_welch", "stratified_welch"]


class Comparison(Struct, frozen=True):
    """Two variants, and the second less the first."""

    first: Estimate
    second: Estimate
    difference: Estimate
    p_value: float | None
    """Two-sided, of no difference; null where there are too few clusters, which a warning of the difference says."""
    test: Test

    @property
    def decided(self) -> bool:
        """Whether the interval of the difference leaves no doubt of its sign."""
        low, high = self.difference.low, self.difference.high
        return (low is not None and low > 0) or (high is not None and high < 0)


def too_few(difference: Estimate) -> tuple[Warned, ...]:
    """Return the warnings of a difference that comes without a p-value."""
    text = f"{difference.clusters} clusters: with fewer than {FEWEST_CLUSTERS} no p-value means anything"
    return (*difference.warnings, Warned("too_few_units", text, FEWEST_CLUSTERS))
