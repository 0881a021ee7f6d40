"""How variants did, out of the moments that a store tells of."""

import statistics

import pytest

from calibrant.config.schema import Metric
from calibrant.insights.performance import feedback_timeseries, performances
from calibrant.measure.moments import moments_of
from calibrant.measure.sequence import mean_sequence, share_sequence
from calibrant.types.query import Moments

DAY = 86_400_000
METRIC = Metric("m", "float", "max", "inference")


class Told:
    """A reader that only knows moments."""

    def __init__(self, *groups, whole=()):
        self.groups = groups
        self.whole = whole
        self.asked = []

    def moments(self, asked):
        self.asked.append(asked)
        return self.whole if asked.by == ("variant",) else self.groups


def group(key, values):
    sums = moments_of({str(number): [value] for number, value in enumerate(values)})
    return Moments(key, *(getattr(sums, name) for name in Moments.__struct_fields__[1:]))


def test_a_single_row_has_a_mean_and_nothing_else():
    (found,) = performances(Told(whole=[group(("v",), [3.0])]), "f", METRIC, "cumulative")
    assert (found.period_ms, found.variant_name, found.stdev) == (0, "v", None)
    assert (found.estimate.estimate, found.estimate.low) == (3.0, None)
    assert [warning.code for warning in found.estimate.warnings] == ["too_few_units"]


def test_a_series_adds_up_and_shows_the_last_periods():
    days = {0: [1.0, 2.0], 3: [10.0], 5: [4.0, 4.5, 1e6]}
    told = Told(*(group((day * DAY, "v"), values) for day, values in days.items()), group((5 * DAY, "w"), [7.0]))
    points = feedback_timeseries(told, "f", METRIC, "day", 2, ["v"])
    assert [point.end_ms for point in points] == [4 * DAY, 6 * DAY]
    rows = []
    for day, point in zip((3, 5), points, strict=True):
        rows = [value for each, values in days.items() if each <= day for value in values]
        assert (point.variant_name, point.count) == ("v", len(rows))
        assert point.mean == pytest.approx(statistics.mean(rows))
        assert point.variance == pytest.approx(statistics.variance(rows))
    assert [asked.by for asked in told.asked] == [("variant",), ("day", "variant")]
    assert feedback_timeseries(told, "f", METRIC, "day", 2, []) == []


def clustered(key, clusters):
    sums = moments_of(clusters)
    return Moments(key, *(getattr(sums, name) for name in Moments.__struct_fields__[1:]))


def series(kind, days, whole):
    told = Told(*(group((day * DAY, "v"), values) for day, values in days.items()), whole=(whole,))
    return feedback_timeseries(told, "f", Metric("m", kind, "max", "inference"), "day", 10)


def test_bounds_of_a_series_hold_at_every_look():
    days = {0: [1.0], 1: [0.0, 1.0] * 20}
    first, second = series("boolean", days, group(("v",), days[0] + days[1]))
    assert (first.method, second.method, first.alpha) == ("beta_binomial", "beta_binomial", 0.05)
    assert (first.low, first.high) == pytest.approx(share_sequence(1, 1))
    assert (second.low, second.high) == pytest.approx(share_sequence(21, 41))


def test_a_mean_has_bounds_once_there_are_rows_enough():
    days = {0: [1.0, 2.0] * 14, 1: [3.0, 4.0]}
    first, second = series("float", days, group(("v",), days[0] + days[1]))
    assert (first.count, first.low, first.high, first.method) == (28, None, None, None)
    assert second.method == "asymptotic"
    assert (second.low, second.high) == pytest.approx(mean_sequence(second.mean, second.variance, 30))


def test_rows_that_repeat_each_other_count_for_fewer():
    rows = [0.0, 1.0] * 20
    whole = clustered(("v",), {str(number): [rows[number]] * 4 for number in range(40)})
    days = {0: [value for value in rows for _ in range(4)]}
    (point,) = series("boolean", days, whole)
    alone = share_sequence(20, 40)
    # Four copies of a row say what one says.
    assert (point.count, point.low, point.high) == (160, pytest.approx(alone[0], 0.02), pytest.approx(alone[1], 0.02))


def test_a_single_episode_shows_no_bounds():
    days = {0: [0.0, 1.0] * 20}
    (point,) = series("boolean", days, clustered(("v",), {"one": days[0]}))
    assert (point.low, point.high, point.method) == (None, None, None)
