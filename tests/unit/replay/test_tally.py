"""What cases add up to, against sums by hand and scipy."""

import numpy as np
import pytest
from msgspec.structs import replace
from scipy import stats

from calibrant.measure.summary import mean_interval
from calibrant.replay.tally import LEVEL, Tally
from calibrant.types.replay import Case, Fault, Figures, Sample


def case(number, *, group=None, before=Figures(), after=Figures(), same=None, fault=None, cached=False):
    sample = Sample(kind="inference", id=f"i{number}", content=None, group_key=group or f"g{number}", figures=before)
    return Case(number=number, sample=sample, figures=after, same_output=same, fault=fault, cached=cached)


def added(*cases):
    tally = Tally()
    for each in cases:
        tally.add(each)
    return tally.summary()


def test_nothing():
    found = added()
    assert (found.cases, found.failed, found.cached, found.total_cost) == (0, 0, 0, None)
    assert found.failure.estimate is found.cost.difference.estimate is None
    assert [warned.code for warned in found.same_output.warnings] == ["no_rows"]


def test_differences_are_of_pairs_and_have_students_interval():
    draw = np.random.default_rng(7)
    before, after = draw.normal(300, 80, 40), draw.normal(250, 80, 40)
    found = added(
        *(
            case(n, before=Figures(processing_ms=x), after=Figures(processing_ms=y))
            for n, (x, y) in enumerate(zip(before, after, strict=True))
        ),
        # One without its counterpart takes no part.
        case(99, after=Figures(processing_ms=1e6)),
        case(100, before=Figures(processing_ms=1e6)),
    )
    apart = after - before
    low, high = stats.t.interval(LEVEL, len(apart) - 1, apart.mean(), stats.sem(apart))
    difference = found.processing_ms.difference
    assert (difference.estimate, difference.low, difference.high) == pytest.approx((apart.mean(), low, high))
    assert found.processing_ms.stored.estimate == pytest.approx(before.mean())
    assert found.processing_ms.replayed.estimate == pytest.approx(after.mean())
    assert difference.n == 40 and found.cases == 42


def test_what_belongs_together_is_one_cluster():
    rows = [(f"g{n // 4}", float(n % 3 == 0)) for n in range(40)]
    found = added(*(case(n, group=group, same=bool(value)) for n, (group, value) in enumerate(rows)))
    wanted = mean_interval([value for _, value in rows], [group for group, _ in rows], "boolean")
    mine = found.same_output
    assert (mine.low, mine.high, mine.clusters) == (pytest.approx(wanted.low), pytest.approx(wanted.high), 10)


def test_failures_count_and_have_no_figures():
    fault = Fault("timeout", "too late")
    figures = Figures(1, 2, "0.1", 3.0)
    found = added(
        case(0, before=figures, after=replace(figures, cost="0.000000000000000000000000000001")),
        case(1, before=figures, after=replace(figures, cost="1")),
        case(2, before=figures, after=figures, fault=fault),
    )
    assert (found.cases, found.failed, found.failure.estimate) == (3, 1, pytest.approx(1 / 3))
    assert found.total_cost == "1.000000000000000000000000000001"
    assert found.input_tokens.difference.n == found.cost.stored.n == 2


def test_an_answer_from_the_cache_says_nothing_of_cost_and_time():
    figures = Figures(1, 2, "0.1", 3.0)
    found = added(
        case(0, before=figures, after=Figures(0, 0, "0", 0.1), cached=True, same=True),
        case(1, before=figures, after=figures, same=True),
    )
    assert (found.cached, found.processing_ms.difference.n, found.same_output.n) == (1, 1, 2)
    assert found.input_tokens.replayed.estimate == 1
