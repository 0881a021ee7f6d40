"""Who wins, and when nobody does."""

import pytest

from calibrant.experiments.differences import Difference
from calibrant.experiments.verdicts import verdict
from calibrant.measure.bounds import unmeasured
from calibrant.types.estimate import Estimate


def difference(second, better=None, doubts=(), measured=True):
    estimate = Estimate(0.1, 0.0, 0.2, 0.95, 100, 100, "newcombe") if measured else unmeasured(0.95)
    return Difference("m", "a", second, estimate, 100.0, True, None, 0.5, doubts, better=better)


def of(*differences, live="abcd"):
    found = verdict("m", differences, lambda name: name in live)
    return (found.outcome, found.winner)


@pytest.mark.parametrize(
    ("differences", "said"),
    [
        ([], ("nothing_to_compare", None)),
        ([difference("b", measured=False)], ("nothing_to_compare", None)),
        ([difference("b")], ("undecided", None)),
        ([difference("b", better=True)], ("winner", "b")),
        ([difference("b", better=False)], ("winner", "a")),
        ([difference("b", better=True), difference("c", better=False)], ("winner", "b")),
        ([difference("b", better=False), difference("c", better=False)], ("winner", "a")),
        # Better than the first are both; which of the two is, nobody asked.
        ([difference("b", better=True), difference("c", better=True)], ("undecided", None)),
        ([difference("b", better=True), difference("c")], ("undecided", None)),
        ([difference("b", better=True), difference("c", measured=False)], ("undecided", None)),
        ([difference("b", better=True), difference("c", doubts=("odds_changed",))], ("not_trusted", None)),
    ],
)
def test_the_winner_is_who_beats_everybody(differences, said):
    assert of(*differences) == said


def test_who_can_no_longer_be_drawn_takes_no_part():
    both = difference("b", better=True), difference("c")
    assert of(*both, live="ab") == ("winner", "b")
    # Of an experiment that is over all take part.
    assert of(*both, live="") == ("undecided", None)


def test_who_was_only_asked_for_takes_no_part():
    assert of(difference("b", better=True), difference("c", doubts=("not_drawn",))) == ("winner", "b")
    assert of(difference("c", doubts=("not_drawn",))) == ("not_trusted", None)


def test_doubts_are_told_once_each():
    doubted = difference("b", doubts=("sample_ratio", "feedback_parity")), difference("c", doubts=("sample_ratio",))
    assert verdict("m", doubted, lambda name: True).doubts == ("sample_ratio", "feedback_parity")
