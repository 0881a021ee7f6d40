"""A judge that is moved by what should not move it: false alarms, power, and what is cleared, with known truth."""

import numpy as np
import pytest

from calibrant.measure.biases import invariance, length_bias, position_bias, self_preference
from calibrant.measure.paired import compare_paired

ROUNDS = 1000


def ordered(draw, n, shift, noise):
    """Verdicts on pairs in both orders: `shift` of them by place alone, the others by merit with errors."""
    better = draw.random(n) < 0.5
    blind = draw.random(n) < shift
    seen = [np.where(draw.random(n) < noise, ~better, better) for _ in range(2)]
    return np.where(blind, True, seen[0]).astype(float), np.where(blind, True, ~seen[1]).astype(float)


@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_a_judge_without_a_favourite_place_is_seldom_called_biased(noise):
    draw = np.random.default_rng(1)
    assert np.mean([position_bias(*ordered(draw, 100, 0, noise)).biased for _ in range(ROUNDS)]) <= 0.05


def test_a_hundred_pairs_show_a_position_bias_of_15_points():
    draw = np.random.default_rng(2)
    found = [position_bias(*ordered(draw, 100, 0.15, 0.05)) for _ in range(ROUNDS)]
    assert np.mean([each.biased for each in found]) >= 0.8
    assert np.mean([each.effect.estimate for each in found]) == pytest.approx(0.15, abs=0.01)
    covered = [each.effect.low <= 0.15 <= each.effect.high for each in found]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.025)


def test_a_position_bias_by_hand():
    straight, swapped = np.repeat([1, 1, 0, 0], [60, 12, 3, 25]), np.repeat([0, 1, 0, 1], [60, 12, 3, 25])
    found = position_bias(straight, swapped)
    assert (found.first, found.second, found.consistency.estimate) == (12, 3, 0.85)
    assert found.effect.estimate == pytest.approx(0.09)
    # Twelve heads or more of fifteen, and three or fewer.
    assert found.p_value == pytest.approx(2 * (1 + 15 + 105 + 455) / 2**15)
    assert found.biased and not found.cleared and found.test == "position"
    mirrored = position_bias(1 - straight, 1 - swapped)
    assert mirrored.effect.estimate == pytest.approx(-0.09) and mirrored.biased


def test_ties_count_half_and_a_judge_of_one_mind_is_cleared():
    steady = position_bias([1.0, 0.0] * 50, [0.0, 1.0] * 50)
    assert steady.cleared and not steady.biased and steady.p_value == 1
    tied = position_bias([1.0] * 20 + [0.5] * 80, [0.5] * 20 + [0.5] * 80)
    assert tied.effect.estimate == pytest.approx(0.1) and tied.biased and tied.first == 20
    documents = position_bias([1.0, 0.0] * 50, [1.0, 1.0] * 50, np.repeat(np.arange(10), 10))
    assert documents.effect.clusters == 10


@pytest.mark.parametrize(("kind", "shift"), [("float", 0.0), ("float", 0.3), ("boolean", 0.0), ("boolean", 0.15)])
def test_padding_that_moves_scores_and_padding_that_does_not(kind, shift):
    draw = np.random.default_rng(3)
    found = []
    for _ in range(400 if kind == "float" else ROUNDS):
        if kind == "float":
            before = draw.normal(3, 1, 100)
            after = before + draw.normal(shift, 0.7, 100)
        else:
            before = (draw.random(100) < 0.6).astype(float)
            lifted = draw.random(100) < shift / 0.4
            after = np.where(draw.random(100) < 0.05, 1 - before, np.maximum(before, lifted))
        found.append(invariance(before, after, kind=kind))
    share = np.mean([each.biased for each in found])
    assert share >= 0.8 if shift else share <= 0.06


def test_a_change_that_is_sure_and_small_is_cleared():
    before = np.random.default_rng(4).normal(3, 1, 400)
    small = invariance(before, before + 0.01 + 0.02 * np.resize([1, -1], 400))
    assert small.p_value <= 0.05 and small.cleared and not small.biased
    assert small.margin == pytest.approx(0.1 * before.std(ddof=1))
    unknown = invariance(before[:20], before[:20] + np.random.default_rng(5).normal(0, 1, 20))
    assert not unknown.biased and not unknown.cleared


def fitted(x, held, y):
    return np.linalg.lstsq(np.column_stack([np.ones(x.size), x, held]), y, rcond=None)[0][1]


def test_the_slope_on_length_leaves_out_one_answer_at_a_time():
    draw = np.random.default_rng(6)
    lengths, people = draw.integers(20, 2000, 40), draw.normal(0, 1, 40)
    judge = people + 0.2 * np.log2(lengths) + draw.normal(0, 1, 40)
    x = np.log2(lengths)
    left = [fitted(*(np.delete(rows, at) for rows in (x, people, judge))) for at in range(40)]
    found = length_bias(people, judge, lengths)
    assert found.effect.estimate == pytest.approx(fitted(x, people, judge))
    assert found.effect.std_error == pytest.approx(np.sqrt(39 / 40 * np.square(left - np.mean(left)).sum()))
    clusters = np.repeat(np.arange(10), 4)
    left = [fitted(*(rows[clusters != at] for rows in (x, people, judge))) for at in range(10)]
    found = length_bias(people, judge, lengths, clusters)
    assert found.effect.std_error == pytest.approx(np.sqrt(9 / 10 * np.square(left - np.mean(left)).sum()))


def test_where_people_score_all_the_same_the_slope_is_the_plain_one():
    draw = np.random.default_rng(7)
    lengths = draw.integers(20, 2000, 40)
    judge = 0.2 * np.log2(lengths) + draw.normal(0, 1, 40)
    found = length_bias(np.ones(40), judge, lengths)
    assert found.effect.estimate == pytest.approx(np.polyfit(np.log2(lengths), judge, 1)[0])


def test_a_judge_that_errs_by_chance_is_not_biased_where_people_like_long_answers():
    draw = np.random.default_rng(12)
    found = {"longer": [], "shorter": []}
    for _ in range(300):
        doubled = draw.uniform(5, 9, 300)
        people = draw.random(300) < 0.2 * doubled - 0.9
        judge = np.where(draw.random(300) < 0.75, people, draw.random(300) < 0.5)
        found["longer"].append(length_bias(people, judge, 2**doubled).biased)
        found["shorter"].append(length_bias(1 - people, 1 - judge, 2**doubled).biased)
    assert max(np.mean(each) for each in found.values()) <= 0.07


def test_an_effect_that_goes_the_other_way_is_no_bias_of_that_name_and_is_told():
    draw = np.random.default_rng(13)
    lengths = draw.integers(20, 2000, 200)
    judge = -np.log2(lengths) + draw.normal(0, 0.1, 200)
    shorter = length_bias(np.ones(200), judge, lengths)
    assert not shorter.biased and not shorter.cleared and "the other way" in shorter.why
    own = np.repeat([1, 0], 100)
    harsh = self_preference(np.ones(200), np.repeat([1, 0, 1, 0], [50, 50, 90, 10]), own)
    assert not harsh.biased and not harsh.cleared and "the other way" in harsh.why and harsh.p_value > 0.99


@pytest.mark.parametrize("slope", [0.0, 0.25])
def test_a_judge_that_likes_length_is_told_from_one_that_does_not(slope):
    draw = np.random.default_rng(7)
    found, covered = [], []
    for _ in range(ROUNDS):
        doubled = draw.normal(8, 1.5, 100)
        people = draw.normal(3, 1, 100) + 0.2 * doubled
        # The spread of the judge's errors grows with length, which a plain regression would take for certainty.
        judge = people + slope * doubled + draw.normal(0, 0.3, 100) * np.abs(doubled - 6)
        each = length_bias(people, judge, 2**doubled)
        found.append(each.biased)
        covered.append(each.effect.low <= slope <= each.effect.high)
    assert np.mean(found) >= 0.8 if slope else np.mean(found) <= 0.06
    # Each bound by itself holds at 1 - alpha.
    assert np.mean(covered) == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("wrong", "of_judge", "raters"), [(0.0, 0.1, 1), (0.1, 0.1, 1), (0.1, 0.25, 1), (0.2, 0.1, 5)])
def test_a_judge_that_errs_as_often_as_people_is_not_biased_where_length_goes_with_what_is_good(
    wrong, of_judge, raters, sign
):
    draw = np.random.default_rng(9)
    found = []
    for _ in range(200):
        doubled = draw.normal(8, 1, 200)
        good = sign * 0.5 * (doubled - 8) + draw.normal(0, 0.75**0.5, 200) > 0
        people = np.mean([good ^ (draw.random(200) < wrong) for _ in range(raters)], axis=0) > 0.5
        judge = (good ^ (draw.random(200) < of_judge)).astype(float)
        found.append(length_bias(people, judge, 2**doubled).biased)
    assert np.mean(found) <= 0.09


@pytest.mark.parametrize(("own", "biased"), [(0.8, False), (0.95, True)])
def test_a_judge_that_favours_its_own_family(own, biased):
    draw = np.random.default_rng(8)
    found = []
    for _ in range(ROUNDS):
        mine = np.repeat([1, 0], 150)
        # The own family is better, too, which is no bias.
        people = draw.random(300) < np.where(mine == 1, 0.8, 0.65)
        judge = draw.random(300) < np.where(people, np.where(mine == 1, own, 0.8), 0.2)
        found.append(self_preference(people, judge, mine).biased)
    assert np.mean(found) >= 0.8 if biased else np.mean(found) <= 0.06


def test_the_gap_is_of_good_answers_alone():
    people, judge = np.repeat([1, 1, 1, 1, 0], [40, 10, 30, 20, 50]), np.repeat([1, 0, 1, 0, 1], [40, 10, 30, 20, 50])
    own = np.repeat([1, 1, 0, 0, 1], [40, 10, 30, 20, 50])
    found = self_preference(people, judge, own)
    assert found.effect.estimate == pytest.approx(0.2) and found.effect.method == "newcombe"
    clusters = np.arange(150)
    assert self_preference(people, judge, own, clusters).p_value == found.p_value
    with pytest.raises(ValueError, match="both kinds"):
        self_preference(people, judge, own, [0] * 150)


def test_too_little_to_tell():
    few = length_bias([1.0, 2.0], [1.0, 3.0], [10, 20])
    assert few.p_value is None and not few.biased and not few.cleared
    alike = length_bias([1.0, 2.0] * 10, [1.0, 3.0] * 10, [10] * 20)
    assert alike.effect.estimate is None and alike.effect.warnings[0].code == "too_few_units"
    exact = length_bias([1.0] * 10, [1.0] * 10, range(1, 11))
    assert exact.effect.warnings[0].code == "no_variation"
    assert length_bias([], [], []).effect.estimate is None
    assert not position_bias([1.0] * 4, [1.0] * 4, ["a", "a", "b", "b"]).biased
    assert not self_preference([1], [1], [1]).cleared


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (lambda: position_bias([1.0], [1.0, 0.0]), "each pair has one of both"),
        (lambda: position_bias([0.7], [1.0]), "a tie"),
        (lambda: position_bias([1.0], [1.0], alpha=0.0), "alpha"),
        (lambda: invariance([1.0], [1.0], margin=-1.0), "margin"),
        (lambda: length_bias([1.0], [1.0], [0.0]), "above 0"),
        (lambda: length_bias([1.0], [1.0], []), "one of all each"),
        (lambda: self_preference([1], [1], []), "one of all each"),
    ],
)
def test_what_is_out_of_range(asked, says):
    with pytest.raises(ValueError, match=says):
        asked()


def test_the_interval_is_that_of_a_paired_comparison():
    draw = np.random.default_rng(9)
    straight, swapped = ordered(draw, 60, 0.1, 0.2)
    found = position_bias(straight, swapped, alpha=0.1)
    wanted = compare_paired(1 - swapped, straight, kind="boolean", level=0.9)
    assert found.effect == wanted.difference and found.p_value == wanted.p_value
