"""What `calibrant stats` says in sentences: the two checks, each difference, and who is the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from calibrant.experiments.differences import Difference
    from calibrant.experiments.feedback_parity import FeedbackParity
    from calibrant.experiments.missing import IfMissing
    from calibrant.experiments.pairs import Doubt
    from calibrant.experiments.sample_ratio import SampleRatio
    from calibrant.experiments.stats import FunctionStats, MetricStats
    from calibrant.experiments.strata import LeftOut
    from calibrant.experiments.verdicts import Verdict

__all__ = ["about_differences", "about_parity", "about_split", "about_verdict", "notes"]

_DOUBTS: Final[dict[Doubt, str]] = {
    "sample_ratio": "the split is not as planned",
    "feedback_parity": "not all variants had feedback equally often",
    "not_drawn": "callers named one of the variants",
    "unknown_draws": "nobody knows how the variants were drawn",
    "unknown_odds": "the weights were not the same throughout, and nobody knows which held when",
}
_UNTRUSTED: Final = "no winner is named, and the differences below are not to be trusted"


def about_split(ratio: SampleRatio, unit: str) -> list[str]:
    """Return the check of the split, a sentence each."""
    if ratio.basis == "none":
        return ["split: not checked, as the record does not say how these variants were drawn"]
    if len(ratio.variants) < 2:
        return [f"split: nothing was drawn, as all {ratio.units:,} {unit}s are of one variant"]
    shares = ", ".join(
        f"{each.variant_name} {each.units:,} {unit}s ({each.share:.1%}"
        + (")" if each.planned is None else f", planned {each.planned:.1%})")
        for each in ratio.variants
    )
    by = {"configuration": " by the weights of now", "both": ", in part by the weights of now"}.get(ratio.basis, "")
    measured = f"{shares}; e-value {_large(ratio.e_value)}, alarm at {1 / ratio.alpha:,.0f}"
    if not ratio.failed:
        return [f"split: as planned{by}, as far as can be seen: {measured}"]
    return [f"SPLIT NOT AS PLANNED{by}: {measured}; {_UNTRUSTED}", *_causes(ratio.causes)]


def about_parity(checks: Sequence[FeedbackParity], level_of: Mapping[str, str]) -> list[str]:
    """Return the check of the feedback on each metric, a sentence each, and what may have made those fail that did.

    Args:
        checks: One a metric.
        level_of: Whether a metric is of inferences or of episodes.
    """
    said = [_parity(check, level_of[check.metric_name]) for check in checks]
    causes = dict.fromkeys(cause for check in checks for cause in check.causes)
    return [*said, *_causes(list(causes))]


def about_differences(found: FunctionStats, metric: MetricStats) -> list[str]:
    """Return what is said of each variant against the first, by a metric."""
    said: list[str] = []
    for each in found.differences:
        if each.metric_name == metric.metric_name and each.estimate.estimate is not None:
            said.append(_difference(each, metric, found.unit, found.comparisons.count))
            if len(each.strata) > 1:
                said.append(_strata(each, metric, found.unit))
            if each.if_missing is not None:
                said.append(_missing_feedback(each, each.if_missing, metric))
    return said


def about_verdict(verdict: Verdict, comparisons: int) -> str:
    """Return who is the best by a metric, or why nobody is."""
    name = verdict.metric_name
    match verdict.outcome:
        case "winner":
            return f"best by {name}: {verdict.winner}; each other one is worse ({_error(comparisons)})"
        case "undecided":
            return f"no winner by {name} yet"
        case "not_trusted":
            return f"no winner by {name}: {_doubts(verdict.doubts)}"
        case "nothing_to_compare":
            return ""


def notes(found: FunctionStats) -> list[str]:
    """Return what deserves less trust, and what was counted how."""
    said = [
        f"{variant.variant_name}, {metric.metric_name}: {warning.message}"
        for variant in found.variants
        for metric in variant.metrics
        for warning in metric.estimate.warnings
    ]
    for variant in found.variants:
        name = variant.variant_name
        if variant.asked_for and variant.drawn:
            said.append(f"{name}: {variant.asked_for:,} inferences named it; its metrics leave them out")
        elif variant.asked_for:
            said.append(f"{name}: {variant.asked_for:,} inferences named it, and none was drawn that could be compared")
        if variant.served_by_others:
            said.append(f"{name}: {variant.served_by_others:,} inferences were answered by another; they count for it")
    if any(variant.errors for variant in found.variants):
        said.append(
            "failed inferences have no feedback: they count in the split and in the feedback rate, not in means"
        )
    if found.mixed_episodes:
        said.append(f"{found.mixed_episodes} episodes are of several variants; episode-level metrics leave them out")
    return said


def _parity(check: FeedbackParity, level: str) -> str:
    names = [each.variant_name for each in check.variants]
    if not check.failed:
        rates = [
            f"{name} {_percent(each.judged, each.units)}" for name, each in zip(names, check.variants, strict=True)
        ]
        return f"feedback on {check.metric_name}: as often for each, as far as can be seen ({', '.join(rates)})"
    counts = [
        f"{name} {each.judged:,} of {each.units:,} {level}s ({_percent(each.judged, each.units)})"
        for name, each in zip(names, check.variants, strict=True)
    ]
    e_values = [each.e_value for each in check.variants if each.e_value is not None]
    return (
        f"FEEDBACK ON {check.metric_name} IS NOT AS OFTEN FOR EACH: {', '.join(counts)}; "
        f"e-value {_large(max(e_values))}, alarm at {len(e_values) / check.alpha:,.0f}; by this metric {_UNTRUSTED}"
    )


def _difference(difference: Difference, metric: MetricStats, unit: str, comparisons: int) -> str:
    estimate, always = difference.estimate, difference.always_valid
    shares = metric.type == "boolean"
    parts = [f"{_named(difference)} = {_size(estimate.estimate, shares)}{' pp' if shares else ''}"]
    if estimate.low is not None and estimate.high is not None:
        parts[0] += f" [{_size(estimate.low, shares)}, {_size(estimate.high, shares)}]"
    if difference.watched and always is not None:
        parts.append(f"at any look [{_size(always.low, shares)}, {_size(always.high, shares)}]")
    rows = f"{estimate.n:,} {metric.level}s"
    if estimate.clusters < estimate.n:
        parts += [f"{rows} in {estimate.clusters:,} {unit}s", "cluster-robust"]
    else:
        parts.append(f"{rows}, independent")
    parts += _left_out(difference.left_out, unit)
    return ", ".join(parts) + "; " + _sense(difference, metric, unit, comparisons)


def _left_out(left: LeftOut, unit: str) -> list[str]:
    from calibrant.experiments.strata import FEWEST

    told = (
        (left.apart, "that were drawn when the other could not be"),
        (left.moved, f"that were drawn by other odds, or as another one, than their {unit} was at first"),
        (left.unknown_odds, "that were drawn by odds that nobody knows"),
        (left.thin, f"of times or segments with fewer than {FEWEST} {unit}s of one of them"),
    )
    return [f"{count:,} left out {why}" for count, why in told if count]


def _strata(difference: Difference, metric: MetricStats, unit: str) -> str:
    """Return the difference in each stratum."""
    shares = metric.type == "boolean"
    parts = [
        f"{_size(part.estimate.estimate, shares)}{' pp' if shares else ''} at {part.share or 0.0:.1%} "
        f"{difference.second} ({part.units:,} {unit}s)"
        for part in difference.strata
    ]
    return f"{_named(difference)} by the odds of the two: {', '.join(parts)}"


def _missing_feedback(difference: Difference, ends: IfMissing, metric: MetricStats) -> str:
    """Return what the difference is at most and at least, whatever is missing."""
    shares = metric.type == "boolean"
    bounds = f"{_size(ends.low, shares)} to {_size(ends.high, shares)}{' pp' if shares else ''}"
    if ends.interval_low is not None and ends.interval_high is not None:
        bounds += f" [{_size(ends.interval_low, shares)}, {_size(ends.interval_high, shares)}]"
    within = "" if ends.known_from == "type" else f" within what was seen ({ends.lowest:.3g} to {ends.highest:.3g})"
    missing = (
        f"{ends.missing_second:,} {metric.level}s of {difference.second} and {ends.missing_first:,} of "
        f"{difference.first}"
    )
    if not ends.survives:
        sense = "that leaves open which is better"
    else:
        better = (ends.low > 0) == (metric.optimize == "max")
        sense = f"{difference.second} is {'better' if better else 'worse'} whatever they would have said"
    return f"{_named(difference)}, whatever {missing} without feedback would have said{within}: {bounds}; {sense}"


def _named(difference: Difference) -> str:
    return f"{difference.second} - {difference.first}"


def _sense(difference: Difference, metric: MetricStats, unit: str, comparisons: int) -> str:
    """Return what a difference can and cannot rule out."""
    if difference.doubts:
        return f"NOT TO BE TRUSTED: {_doubts(difference.doubts)}"
    if difference.p_value is None:
        return f"too little to rule anything out{_missing(difference, unit)}"
    if difference.differs:
        word = "better" if difference.better else "worse"
        adjusted = difference.adjusted_p or 0.0
        over = f"p {_small(adjusted)} over {_comparisons(comparisons)}"
        return f"rules out no change: {difference.second} is {word} ({over})"
    said = "cannot rule out no change"
    low, high = difference.estimate.low, difference.estimate.high
    if low is not None and high is not None and (low > 0 or high < 0):
        looks = "any number of looks and " if difference.watched else ""
        said = f"leaves out no change by itself, not over {looks}{_comparisons(comparisons)}"
    if difference.needed is not None:
        said += f"; {_rounded(difference.needed)} {metric.level}s would, were it as large as it looks"
    return said


def _missing(difference: Difference, unit: str) -> str:
    from calibrant.experiments.differences import FEWEST_OUTCOMES, FEWEST_UNITS

    if difference.estimate.warnings:
        return ": " + "; ".join(warning.message for warning in difference.estimate.warnings)
    wanted = f"{FEWEST_UNITS} {unit}s of each variant, and {FEWEST_OUTCOMES} of either outcome of a share"
    return f" at any look: it wants {wanted}"


def _causes(causes: Sequence[str]) -> list[str]:
    return [f"likely cause: {cause}" for cause in causes]


def _doubts(doubts: Sequence[Doubt]) -> str:
    return "; ".join(_DOUBTS[doubt] for doubt in doubts)


def _error(comparisons: int) -> str:
    return f"at 5 % chance of error over {_comparisons(comparisons)}"


def _comparisons(count: int) -> str:
    return "1 comparison" if count == 1 else f"{count} comparisons"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _size(value: float | None, shares: bool) -> str:
    if value is None:
        return "?"
    return f"{100 * value:+.1f}" if shares else f"{value:+.3g}"


def _large(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}" if value < 1e6 else f"{value:.1e}"


def _small(value: float) -> str:
    return f"{value:.3f}" if value >= 0.0005 else "below 0.001"


def _rounded(value: int) -> str:
    """Return a number of rows with the three digits that a plan has."""
    digits = max(len(str(value)) - 3, 0)
    return f"{round(value, -digits):,}"
