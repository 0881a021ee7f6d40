"""How variants did, out of the moments that a store tells of."""

import statistics

import pytest

from calibrant.config.schema import Metric
from calibrant.insights.performance import feedback_timeseries, performances
from calibrant.measure.moments import moments_of
from calibrant.types.query import Moments

DAY = 86_400_000
METRIC = Metric("m", "float", "max", "inference")


class Told:
    """A reader that only knows moments."""

    def __init__(self, *groups):
        self.groups = groups
        self.asked = []

    def moments(self, asked):
        self.asked.append(asked)
        return self.groups


def group(key, values):
    sums = moments_of({str(number): [value] for number, value in enumerate(values)})
    return Moments(key, *(getattr(sums, name) for name in Moments.__struct_fields__[1:]))


def test_a_single_row_has_a_mean_and_nothing_else():
    (found,) = performances(Told(group(("v",), [3.0])), "f", METRIC, "cumulative")
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
    assert told.asked[0].by == ("day", "variant")
    assert feedback_timeseries(told, "f", METRIC, "day", 2, []) == []
