"""Two variants as they were run: which comparison is made, and what becomes of failures."""

import numpy as np
import pytest

from calibrant.measure.arms import Arm, compare
from calibrant.measure.paired import compare_paired
from calibrant.measure.unpaired import compare_unpaired

NAMES = [f"i{n}" for n in range(40)]


def scores(seed, n=40):
    return [float(each) for each in np.random.default_rng(seed).integers(0, 2, n)]


def test_the_same_items_are_paired_in_whatever_order_they_come():
    first, second = scores(1), scores(2)
    turned = list(range(40))[::-1]
    found = compare(
        Arm(scores=first, items=NAMES),
        Arm(scores=[second[at] for at in turned], items=[NAMES[at] for at in turned]),
        kind="boolean",
    )
    wanted = compare_paired(first, second, kind="boolean")
    assert found.paired and found.comparison.p_value == wanted.p_value
    assert found.comparison.difference.low == wanted.difference.low and "item by item" in found.why


def test_clusters_go_with_the_first_ones_items():
    first, second, labels = scores(1), scores(2), [f"d{n // 4}" for n in range(40)]
    arms = [Arm(scores=each, items=NAMES, clusters=labels) for each in (first, second)]
    assert compare(*arms).comparison.difference.low == compare_paired(first, second, labels).difference.low


@pytest.mark.parametrize("items", [None, [f"other{n}" for n in range(30)]])
def test_items_of_their_own_are_unpaired(items):
    first, second = scores(1), scores(2, 30)
    found = compare(Arm(scores=first, items=NAMES), Arm(scores=second, items=items), kind="boolean")
    wanted = compare_unpaired(first, second, kind="boolean")
    assert not found.paired and found.comparison.difference.low == wanted.difference.low
    assert (found.attempted, found.failed) == ((40, 30), (0, 0))


def test_what_failed_scores_worst_and_is_told():
    first = scores(1)
    second = [None if n % 5 == 0 else 1.0 for n in range(40)]
    found = compare(Arm(scores=first, items=NAMES), Arm(scores=second, items=NAMES), kind="boolean")
    assert found.failed == (0, 8) and found.comparison.second.estimate == 32 / 40
    assert found.comparison.second.n == 40
    assert found.comparison.difference.warnings[-1].code == "failures_differ"
    low = compare(Arm(scores=[3.0, None] * 10), Arm(scores=[3.0, None] * 10), worst=-5.0)
    assert low.comparison.first.estimate == -1.0 and not low.comparison.difference.warnings[1:]


def test_leaving_failures_out_would_name_the_wrong_winner():
    # The second variant fails on what is hard, and is worse on the rest.
    draw = np.random.default_rng(3)
    hard = draw.random(400) < 0.3
    first = np.where(hard, draw.random(400) < 0.3, draw.random(400) < 0.9).astype(float)
    second = [None if h else float(draw.random() < 0.85) for h in hard]
    names = [str(n) for n in range(400)]
    found = compare(Arm(scores=first.tolist(), items=names), Arm(scores=second, items=names), kind="boolean")
    assert found.comparison.difference.high < 0
    assert np.mean([each for each in second if each is not None]) > first.mean()


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (Arm(scores=[1.0], items=["a", "b"]), Arm(scores=[1.0]), "2 items"),
        (Arm(scores=[1.0], clusters=[]), Arm(scores=[1.0]), "0 clusters"),
        (Arm(scores=[1.0, 0.0], items=["a", "a"]), Arm(scores=[1.0], items=["a"]), "twice"),
        (Arm(scores=[1.0, 0.0], items=["a", "b"]), Arm(scores=[1.0], items=["a"]), "1 items are of both"),
    ],
)
def test_what_does_not_fit(first, second, message):
    with pytest.raises(ValueError, match=message):
        compare(first, second)
