"""Statistics only: arrays in, estimates with intervals and warnings out. Pure, on numpy and scipy.

Read `types/estimate.py` first (what nearly every function here returns), then `summary.py` (the mean and the quantile
of one variant, by the method that its rows deserve), `arms.py` (two variants), and then what the names of the files
say. `from calibrant import measure` has every function, and loads the file of one when it is first
asked for, so that a reader pays only for what it uses.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from calibrant.measure.adjusted import Adjusted, cuped, ratio_interval
    from calibrant.measure.agreement import Rates, gwet_ac1, kappa, krippendorff_alpha, rates
    from calibrant.measure.annotators import Alternative, alternative_annotator
    from calibrant.measure.arms import Arm, Compared, compare
    from calibrant.measure.attempts import Components, pass_all_k, pass_at_k, variance_components
    from calibrant.measure.biases import Bias, Position, invariance, length_bias, position_bias, self_preference
    from calibrant.measure.bootstrap import bca_interval
    from calibrant.measure.budget import alpha_of, items_needed, smallest_gain
    from calibrant.measure.calibration import Bin, Calibration, Isotonic, calibration_of, isotonic_of
    from calibrant.measure.comparison import Comparison
    from calibrant.measure.confirmation import Decision, decide
    from calibrant.measure.contamination import (
        Contamination,
        Item,
        Leak,
        Prompt,
        SplitLeaks,
        Twice,
        compare_twice,
        contamination_of,
    )
    from calibrant.measure.correction import Corrected, corrected_mean, rogan_gladen
    from calibrant.measure.evidence import (
        Evidence,
        better,
        combined,
        drawn_ratio,
        equal_means,
        more_often,
        sample_ratio,
    )
    from calibrant.measure.exact import beta_interval, clopper_pearson_interval
    from calibrant.measure.interval import order_statistic_interval, student_interval, wilson_interval
    from calibrant.measure.layered import Layer, Layered, compare_layers
    from calibrant.measure.leakage import jaccard, near_duplicates
    from calibrant.measure.minhash import bands_of, near_across, near_components, near_pairs, overlap, print_of
    from calibrant.measure.multiplicity import (
        Findings,
        benjamini_hochberg,
        benjamini_yekutieli,
        best_of,
        e_benjamini_hochberg,
        fcr_level,
        holm,
    )
    from calibrant.measure.paired import bonett_price_interval, compare_paired, mcnemar, sign_flip
    from calibrant.measure.planning import (
        Plan,
        detectable,
        items_for,
        items_like,
        paired_share_items,
        repeats,
        unpaired_share_items,
        watched_items,
    )
    from calibrant.measure.propensity import inverse_propensity_mean
    from calibrant.measure.quoting import Quote, answers_in, copied_in
    from calibrant.measure.sequence import mean_e_value, mean_sequence, share_sequence
    from calibrant.measure.shrinkage import Shrunk, shrunk
    from calibrant.measure.slices import Slices, slice_means
    from calibrant.measure.stability import (
        Drift,
        ReferenceLeak,
        Retest,
        drift,
        injection,
        paraphrase,
        reference_leak,
        retest,
    )
    from calibrant.measure.stratified import Stratified, Stratum, stratified_mean
    from calibrant.measure.summary import mean_interval, quantile_interval
    from calibrant.measure.unpaired import compare_unpaired
    from calibrant.measure.worst import WorstSlice, worst_slice

__all__ = [
    "Adjusted",
    "Alternative",
    "Arm",
    "Bias",
    "Bin",
    "Calibration",
    "Compared",
    "Comparison",
    "Components",
    "Contamination",
    "Corrected",
    "Decision",
    "Drift",
    "Evidence",
    "Findings",
    "Isotonic",
    "Item",
    "Layer",
    "Layered",
    "Leak",
    "Plan",
    "Position",
    "Prompt",
    "Quote",
    "Rates",
    "ReferenceLeak",
    "Retest",
    "Shrunk",
    "Slices",
    "SplitLeaks",
    "Stratified",
    "Stratum",
    "Twice",
    "WorstSlice",
    "alpha_of",
    "alternative_annotator",
    "answers_in",
    "bands_of",
    "bca_interval",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "best_of",
    "beta_interval",
    "better",
    "bonett_price_interval",
    "calibration_of",
    "clopper_pearson_interval",
    "combined",
    "compare",
    "compare_layers",
    "compare_paired",
    "compare_twice",
    "compare_unpaired",
    "contamination_of",
    "copied_in",
    "corrected_mean",
    "cuped",
    "decide",
    "detectable",
    "drawn_ratio",
    "drift",
    "e_benjamini_hochberg",
    "equal_means",
    "fcr_level",
    "gwet_ac1",
    "holm",
    "injection",
    "invariance",
    "inverse_propensity_mean",
    "isotonic_of",
    "items_for",
    "items_like",
    "items_needed",
    "jaccard",
    "kappa",
    "krippendorff_alpha",
    "length_bias",
    "mcnemar",
    "mean_e_value",
    "mean_interval",
    "mean_sequence",
    "more_often",
    "near_across",
    "near_components",
    "near_duplicates",
    "near_pairs",
    "order_statistic_interval",
    "overlap",
    "paired_share_items",
    "paraphrase",
    "pass_all_k",
    "pass_at_k",
    "position_bias",
    "print_of",
    "quantile_interval",
    "rates",
    "ratio_interval",
    "reference_leak",
    "repeats",
    "retest",
    "rogan_gladen",
    "sample_ratio",
    "self_preference",
    "share_sequence",
    "shrunk",
    "sign_flip",
    "slice_means",
    "smallest_gain",
    "stratified_mean",
    "student_interval",
    "unpaired_share_items",
    "variance_components",
    "watched_items",
    "wilson_interval",
    "worst_slice",
]

_PLACES: Final = {
    "adjusted": "Adjusted cuped ratio_interval",
    "agreement": "Rates gwet_ac1 kappa krippendorff_alpha rates",
    "annotators": "Alternative alternative_annotator",
    "arms": "Arm Compared compare",
    "attempts": "Components pass_all_k pass_at_k variance_components",
    "biases": "Bias Position invariance length_bias position_bias self_preference",
    "bootstrap": "bca_interval",
    "budget": "alpha_of items_needed smallest_gain",
    "calibration": "Bin Calibration Isotonic calibration_of isotonic_of",
    "comparison": "Comparison",
    "confirmation": "Decision decide",
    "contamination": "Contamination Item Leak Prompt SplitLeaks Twice compare_twice contamination_of",
    "correction": "Corrected corrected_mean rogan_gladen",
    "evidence": "Evidence better combined drawn_ratio equal_means more_often sample_ratio",
    "exact": "beta_interval clopper_pearson_interval",
    "interval": "order_statistic_interval student_interval wilson_interval",
    "layered": "Layer Layered compare_layers",
    "leakage": "jaccard near_duplicates",
    "minhash": "bands_of near_across near_components near_pairs overlap print_of",
    "multiplicity": "Findings benjamini_hochberg benjamini_yekutieli best_of e_benjamini_hochberg fcr_level holm",
    "paired": "bonett_price_interval compare_paired mcnemar sign_flip",
    "planning": "Plan detectable items_for items_like paired_share_items repeats unpaired_share_items watched_items",
    "propensity": "inverse_propensity_mean",
    "quoting": "Quote answers_in copied_in",
    "sequence": "mean_e_value mean_sequence share_sequence",
    "shrinkage": "Shrunk shrunk",
    "slices": "Slices slice_means",
    "stability": "Drift ReferenceLeak Retest drift injection paraphrase reference_leak retest",
    "stratified": "Stratified Stratum stratified_mean",
    "summary": "mean_interval quantile_interval",
    "unpaired": "compare_unpaired",
    "worst": "WorstSlice worst_slice",
}
"""Which names each file has."""
_FILES: Final = {name: file for file, names in _PLACES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_FILES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_FILES})
