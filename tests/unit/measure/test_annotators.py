"""The alternative annotator test: with judges whose worth is known."""

import numpy as np
import pytest

from calibrant.measure.annotators import alternative_annotator


def world(draw, people, judge, items=80, raters=3, scale="nominal"):
    truth = draw.integers(0, 2, items) if scale == "nominal" else draw.integers(1, 6, items)

    def rated(right):
        if scale == "interval":
            return [float(each) for each in truth + draw.normal(0, right, items)]
        return [int(each) for each in np.where(draw.random(items) < right, truth, 1 - truth)]

    return [rated(people) for _ in range(raters)], rated(judge)


def passes(rounds=150, scale="nominal", **worth):
    draw = np.random.default_rng(2)
    found = [alternative_annotator(*world(draw, scale=scale, **worth), scale=scale) for _ in range(rounds)]
    return np.mean([each.passed for each in found])


def test_a_judge_as_good_as_people_passes_and_a_bad_one_does_not():
    assert passes(people=0.85, judge=0.92) > 0.9
    assert passes(people=0.9, judge=0.6) < 0.02
    assert passes(people=0.4, judge=0.3, scale="interval") > 0.8
    assert passes(people=0.4, judge=3.0, scale="interval") < 0.02


def test_at_the_border_it_rarely_passes():
    # The judge is behind by about epsilon: 0.9 against 0.7 on items where others are right.
    assert passes(people=0.95, judge=0.74, rounds=300) < 0.1


def test_who_is_tested_and_how_it_is_told():
    draw = np.random.default_rng(3)
    people, judge = world(draw, 0.9, 0.95)
    people.append([None] * 60 + people[0][60:])
    found = alternative_annotator(people, judge)
    assert found.tested == (0, 1, 2) and len(found.wins) == len(found.p_values) == 3
    assert found.winning_rate == np.mean(found.wins) and found.passed == (found.winning_rate >= 0.5)
    assert 0.8 < found.advantage <= 1
    same = alternative_annotator(people[:2], people[0], epsilon=0.1)
    assert same.p_values[0] == 0


@pytest.mark.parametrize(
    ("people", "judge", "message"),
    [([[1]], [1], "two at least"), ([[1], [1, 2]], [1], "one rating an item"), ([[1], [1]], [1], "nobody")],
)
def test_what_does_not_fit(people, judge, message):
    with pytest.raises(ValueError, match=message):
        alternative_annotator(people, judge)
