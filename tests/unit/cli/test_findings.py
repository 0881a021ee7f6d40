"""The sentences of `calibrant stats`."""

import pytest
from tests.support.experiments import outcome

from calibrant.cli.findings import about_differences, about_parity, about_split, about_verdict, notes
from calibrant.config.schema import Metric
from calibrant.experiments.differences import Difference, Part, Sequential
from calibrant.experiments.feedback_parity import FeedbackParity, FeedbackShare
from calibrant.experiments.missing import IfMissing
from calibrant.experiments.sample_ratio import SampleRatio, VariantShare
from calibrant.experiments.stats import Comparisons, FunctionStats, MetricStats, function_stats
from calibrant.experiments.strata import LeftOut
from calibrant.experiments.verdicts import Verdict
from calibrant.types.estimate import Estimate, Warned


def ratio(*variants, failed=False, basis="record", causes=()):
    return SampleRatio(100, variants, basis, 12345.6 if failed else 0.9, 0.5, 0.001, failed, causes)


EVEN = VariantShare("a", 50, 0.5, 0.5), VariantShare("b", 50, 0.5, None)


def test_the_split():
    assert about_split(ratio(*EVEN), "episode") == [
        (
            "split: as planned, as far as can be seen: a 50 episodes (50.0%, planned 50.0%), b 50 episodes (50.0%); "
            "e-value 0.9, alarm at 1,000"
        )
    ]
    first, second = about_split(ratio(*EVEN, failed=True, basis="configuration", causes=("rain",)), "unit")
    assert first.startswith("SPLIT NOT AS PLANNED by the weights of now: a 50 units (") and "e-value 12,346" in first
    assert first.endswith("no winner is named, and the differences below are not to be trusted")
    assert second == "likely cause: rain"
    assert about_split(ratio(EVEN[0]), "episode") == [
        "split: nothing was drawn, as all 100 episodes are of one variant"
    ]
    assert about_split(ratio(basis="none"), "episode")[0].startswith("split: not checked")


def test_the_feedback():
    shares = FeedbackShare("a", 1000, 900, None), FeedbackShare("b", 0, 0, 1.0), FeedbackShare("c", 100, 80, 3e7)
    right = FeedbackParity("good", shares, 0.001, False)
    assert about_parity([right], {"good": "inference"}) == [
        "feedback on good: as often for each, as far as can be seen (a 90.0%, b -, c 80.0%)"
    ]
    wrong = [FeedbackParity(name, shares, 0.001, True, ("rain", name)) for name in ("good", "nice")]
    first, second, *causes = about_parity(wrong, {"good": "inference", "nice": "episode"})
    assert first == (
        "FEEDBACK ON good IS NOT AS OFTEN FOR EACH: a 900 of 1,000 inferences (90.0%), b 0 of 0 inferences (-), "
        "c 80 of 100 inferences (80.0%); e-value 3.0e+07, alarm at 2,000; by this metric no winner is named, and the "
        "differences below are not to be trusted"
    )
    assert "a 900 of 1,000 episodes" in second
    assert causes == ["likely cause: rain", "likely cause: good", "likely cause: nice"]


def said(kind="boolean", clusters=83, warnings=(), bounds=(-0.004, 0.066), count=1, unit="episode", **more):
    estimate = Estimate(0.031, *bounds, 0.95, 500, clusters, "cluster_welch", warnings=warnings)
    fields = {"watched": False, "always_valid": None, "p_value": 0.08, "doubts": (), **more}
    difference = Difference("good", "A", "B", estimate, 80.0, **fields)
    found = FunctionStats("f", unit, ratio(), (), (), 0, Comparisons(count), (difference,), ())
    metric = MetricStats("good", kind, "inference", "max", estimate, None, 500, 1.0)
    return about_differences(found, metric)


ALWAYS = Sequential(-0.02, 0.082, 0.95, "asymptotic", 1.0)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (
            {"needed": 1243},
            (
                "B - A = +3.1 pp [-0.4, +6.6], 500 inferences in 83 episodes, cluster-robust; cannot rule out "
                "no change; 1,240 inferences would, were it as large as it looks"
            ),
        ),
        (
            {"watched": True, "always_valid": ALWAYS, "clusters": 500},
            (
                "B - A = +3.1 pp [-0.4, +6.6], at any look [-2.0, +8.2], 500 inferences, independent; "
                "cannot rule out no change"
            ),
        ),
        (
            {"bounds": (0.004, 0.058), "count": 4, "watched": True},
            (
                "B - A = +3.1 pp [+0.4, +5.8], 500 inferences in 83 episodes, cluster-robust; "
                "leaves out no change by itself, not over any number of looks and 4 comparisons"
            ),
        ),
        (
            {"differs": True, "better": False, "adjusted_p": 0.0213, "kind": "float", "unit": "unit"},
            (
                "B - A = +0.031 [-0.004, +0.066], 500 inferences in 83 units, cluster-robust; "
                "rules out no change: B is worse (p 0.021 over 1 comparison)"
            ),
        ),
        (
            {"doubts": ("sample_ratio", "not_drawn"), "left_out": LeftOut(1200)},
            (
                "B - A = +3.1 pp [-0.4, +6.6], 500 inferences in 83 episodes, cluster-robust, 1,200 left out that were "
                "drawn when the other could not be; NOT TO BE TRUSTED: the split is not as planned; callers named "
                "one of the variants"
            ),
        ),
        (
            {"p_value": None, "bounds": (None, None), "warnings": (Warned("too_few_units", "3 clusters"),)},
            (
                "B - A = +3.1 pp, 500 inferences in 83 episodes, cluster-robust; too little to rule anything out: "
                "3 clusters"
            ),
        ),
        (
            {"p_value": None, "watched": True},
            (
                "B - A = +3.1 pp [-0.4, +6.6], 500 inferences in 83 episodes, cluster-robust; too little to rule "
                "anything out at any look: it wants 30 episodes of each variant, and 5 of either outcome of a share"
            ),
        ),
    ],
)
def test_a_difference(fields, line):
    assert said(**fields) == [line]


def test_each_reason_to_leave_out_is_told():
    (line,) = said(left_out=LeftOut(0, 1200, 5, 7), unit="unit")
    assert (
        "cluster-robust, 1,200 left out that were drawn by other odds, or as another one, than their unit was at "
        "first, 5 left out that were drawn by odds that nobody knows, 7 left out of times or segments with fewer than "
        "20 units of one of them; cannot"
    ) in line


def test_strata_are_told_where_there_are_several():
    parts = [
        Part(share, 1000, 0.5, Estimate(point, None, None, 0.95, 9, 9, "welch"))
        for share, point in ((0.1, 0.02), (0.5, 0.042))
    ]
    assert len(said(strata=tuple(parts[:1]))) == 1
    assert said(strata=tuple(parts))[1] == (
        "B - A by the odds of the two: +2.0 pp at 10.0% B (1,000 episodes), +4.2 pp at 50.0% B (1,000 episodes)"
    )


ENDS = IfMissing(-0.301, 0.12, -0.33, 0.15, 0.0, 1.0, "type", 210, 1402, False)


@pytest.mark.parametrize(
    ("ends", "kind", "line"),
    [
        (
            ENDS,
            "boolean",
            (
                "B - A, whatever 1,402 inferences of B and 210 of A without feedback would have said: -30.1 to +12.0 "
                "pp [-33.0, +15.0]; that leaves open which is better"
            ),
        ),
        (
            IfMissing(0.2, 0.5, None, None, 0.25, 7.5, "observed", 1, 2, True),
            "float",
            (
                "B - A, whatever 2 inferences of B and 1 of A without feedback would have said within what was seen "
                "(0.25 to 7.5): +0.2 to +0.5; B is better whatever they would have said"
            ),
        ),
        (
            IfMissing(-0.5, -0.2, -0.6, -0.1, 0.0, 1.0, "type", 1, 2, True),
            "boolean",
            (
                "B - A, whatever 2 inferences of B and 1 of A without feedback would have said: -50.0 to -20.0 pp "
                "[-60.0, -10.0]; B is worse whatever they would have said"
            ),
        ),
    ],
)
def test_what_missing_feedback_could_make_of_it(ends, kind, line):
    assert said(if_missing=ends, kind=kind)[-1] == line


def test_the_verdict():
    told = [
        about_verdict(Verdict("good", *rest), 2)
        for rest in (
            ("winner", "b", ()),
            ("undecided", None, ()),
            ("not_trusted", None, ("unknown_odds", "unknown_draws")),
            ("nothing_to_compare", None, ()),
        )
    ]
    assert told == [
        "best by good: b; each other one is worse (at 5 % chance of error over 2 comparisons)",
        "no winner by good yet",
        (
            "no winner by good: the weights were not the same throughout, and nobody knows which held when; "
            "nobody knows how the variants were drawn"
        ),
        "",
    ]


def test_what_was_counted_how():
    rows = [
        outcome(1, "e1", "a", served="b"),
        outcome(2, "e1", "b", status="error"),
        outcome(3, "e3", "b", chance=None),
        outcome(4, "e4", "c", chance=None),
    ]
    found = notes(function_stats("f", rows, [Metric("good", "boolean", "max", "inference")], {}))
    assert found[-4:] == [
        "b: 1 inferences named it; its metrics leave them out",
        "c: 1 inferences named it, and none was drawn that could be compared",
        "failed inferences have no feedback: they count in the split and in the feedback rate, not in means",
        "1 episodes are of several variants; episode-level metrics leave them out",
    ]
    assert "a: 1 inferences were answered by another; they count for it" in found
