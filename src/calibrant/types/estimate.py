"""What every function of `measure` returns: a number, its interval, and what to think of both.

A method that cannot stand behind an interval leaves it null and says so in a warning; nothing is refused in
silence.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

__all__ = ["Estimate", "Method", "SequenceMethod", "Warned", "WarningCode"]

Method = Literal[
    "none",
    "wilson",
    "student",
    "cluster_wilson",
    "cluster_student",
    "order_statistic",
    "cluster_woodruff",
    "bonett_price",
    "newcombe",
    "welch",
    "cluster_welch",
    "stratified_welch",
    "kappa",
    "gwet_ac1",
    "krippendorff_alpha",
    "ppi",
    "stratified_ppi",
    "inverse_propensity",
    "rogan_gladen",
    "clopper_pearson",
    "beta",
    "delta",
    "bca",
    "jackknife",
    "noncentral_f",
    "beta_binomial",
]
SequenceMethod = Literal["beta_binomial", "asymptotic"]
"""How the bounds of a confidence sequence came about."""
WarningCode = Literal[
    "no_rows",
    "too_few_units",
    "few_units",
    "no_variation",
    "all_equal",
    "few_events",
    "open_low",
    "open_high",
    "failures_differ",
]
"""A unit is what varies independently: a cluster, or a row where rows are not clustered.

`no_rows`: nothing was measured. `too_few_units`: no interval can be given. `few_units`: the interval is
less sure than its level says. `no_variation`: the data show no spread, so an interval cannot be drawn from
it. `all_equal`: every row of a proportion says the same, so the interval assumes the worst of the clusters.
`few_events`: of the rarer outcome of clustered rows, or of items on which people and judge differ, so few were seen
that the interval may be too narrow.
`open_low`, `open_high`: there are too few rows to bound the quantile on that side. `failures_differ`: one of two
variants failed more often, so that the difference is one of failures, too.
"""


class Warned(Struct, frozen=True):
    """Why a number deserves less trust, and what would mend it."""

    code: WarningCode
    message: str
    needed: int | None = None
    """Units (or, for an open side of a quantile, effective rows) that would lift the warning, where known."""


class Estimate(Struct, frozen=True):
    """A number and its confidence interval."""

    estimate: float | None
    """Null when there are no rows."""
    low: float | None
    """Null when there is no bound on this side; a warning says why."""
    high: float | None
    level: float
    """Nominal coverage of the interval, such as 0.95."""
    n: int
    """Rows."""
    clusters: int
    """Groups of rows; as many as rows where they are independent."""
    method: Method
    why: str = ""
    """Why this method was used, in a sentence for a person."""
    std_error: float | None = None
    """Standard error of the estimate, where the method has one."""
    effective_n: float | None = None
    """How many independent rows would say as much as these do."""
    warnings: tuple[Warned, ...] = ()

    @property
    def design_effect(self) -> float | None:
        """How many clustered rows weigh as much as one independent row; null when unknown."""
        return self.n / self.effective_n if self.effective_n else None
