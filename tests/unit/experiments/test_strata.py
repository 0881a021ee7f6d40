"""Where rows count, and which count nowhere."""

import numpy as np
from tests.support.experiments import outcome

from calibrant.config.schema import Metric
from calibrant.experiments.drawn import drawn_rows
from calibrant.experiments.judged import judged
from calibrant.experiments.pairs import pairs_of
from calibrant.experiments.strata import LeftOut, layer_of, strata_of
from calibrant.routing.assign import draw

GOOD = Metric("good", "boolean", "max", "inference")


def many(snapshot, share, units, *, names=("a", "b"), of_second=None):
    """One inference of each of so many units of either variant, drawn at `share` for the second."""
    rows = []
    for name, chance, count in zip(names, (1 - share, share), (units, of_second or units), strict=True):
        rows += [
            outcome(f"{snapshot}{name}{i}", f"{snapshot}{name}{i}", name, chance=chance, snapshot=snapshot)
            for i in range(count)
        ]
    return rows


def strata(rows, unheard=()):
    drawn = drawn_rows(rows, lambda namespace: {})
    pair = pairs_of(drawn, lambda name: True)[0]
    values = {row.inference_id: float(i % 2) for i, row in enumerate(rows) if row.inference_id not in unheard}
    return strata_of(judged(GOOD, drawn, values), pair)


def sizes(found):
    return [(each.share, len(each.first.judged), len(each.second.judged), each.units) for each in found]


def test_each_of_equal_odds_is_one_stratum_whatever_the_configuration_was():
    found, left = strata([*many("s", 0.1, 40), *many("t", 0.5, 30), *many("u", 0.1, 20)])
    assert sizes(found) == [(0.1, 60, 60, 120), (0.5, 30, 30, 60)] and left == LeftOut()


def test_a_unit_counts_once_as_it_was_drawn_first():
    rows = [*many("s", 0.1, 40), *many("t", 0.5, 30)]
    rows += [outcome(f"later{i}", f"sa{i}", "a", snapshot="t") for i in range(3)]
    rows += [outcome(f"other{i}", f"ta{i}", "b", snapshot="t") for i in range(4)]
    found, left = strata(rows)
    assert sizes(found) == [(0.1, 40, 40, 80), (0.5, 30, 30, 60)] and left == LeftOut(moved=7)


def test_where_a_third_variant_goes_its_units_count_nowhere():
    """The odds of the two stay, so both times are one stratum; who fell on the third one all fall on the second."""
    early, late = {"a": 0.3, "b": 0.3, "c": 0.4}, {"a": 0.5, "b": 0.5}

    def one(snapshot, unit, chances):
        name = draw(unit / 100, chances)
        return outcome(f"{snapshot}{unit}", f"u{unit}", name, chance=chances[name], snapshot=snapshot)

    rows = [one("s", unit, early) for unit in range(100)] + [one("t", unit, late) for unit in range(100)]
    ((found,), left) = strata(rows)
    # What units of either said again would be of 30 of the first, and of 10 of the second.
    assert sizes([found]) == [(0.5, 30, 30, 60)] and left == LeftOut(moved=100)


def test_a_stratum_with_too_few_units_of_one_of_the_two_says_nothing():
    found, left = strata([*many("s", 0.05, 40, of_second=19), *many("t", 0.5, 30)])
    assert sizes(found) == [(0.5, 30, 30, 60)] and left == LeftOut(thin=59)
    # What counts is who has feedback; what is left out is what had some.
    found, left = strata([*many("s", 0.05, 40, of_second=20), *many("t", 0.5, 30)], unheard={"isb3"})
    assert sizes(found) == [(0.5, 30, 30, 60)] and left == LeftOut(thin=59)


def test_where_all_have_few_the_largest_is_shown():
    found, left = strata([*many("s", 0.05, 40, of_second=3), *many("t", 0.5, 9)])
    assert sizes(found) == [(0.5, 9, 9, 18)] and left == LeftOut(thin=43)


def test_what_could_not_be_drawn_beside_the_other_is_left_out():
    alone = [outcome(f"o{i}", f"o{i}", "a", chance=1.0, snapshot="o") for i in range(5)]
    found, left = strata([*alone, *many("s", 0.5, 30)])
    assert sizes(found) == [(0.5, 30, 30, 60)] and left == LeftOut(apart=5)
    found, left = strata([*alone, *(outcome(f"p{i}", f"p{i}", "b", chance=1.0, snapshot="p") for i in range(4))])
    assert sizes(found) == [(None, 0, 0, 0)] and left == LeftOut(apart=9)


def test_what_has_no_feedback_counts_in_the_weight_and_may_be_given_a_value():
    (found,), _ = strata(many("s", 0.5, 3), unheard={"isa0", "isb1"})
    assert (found.units, found.fewest) == (6, 2)
    plain, filled = layer_of(found), layer_of(found, 0.25, 0.75)
    assert (list(plain.first), list(plain.second)) == ([1.0, 0.0], [1.0, 1.0])
    assert (list(filled.first), list(filled.second)) == ([0.25, 1.0, 0.0], [1.0, 0.75, 1.0])
    assert list(filled.clusters_second) == ["sb0", "sb1", "sb2"] and plain.weight == filled.weight == 6
    assert np.asarray(plain.first).dtype == np.float64
