"""Critical values agree with the distributions they come from."""

import pytest
from scipy import stats

from calibrant.measure.critical import (
    binomial_quantile,
    binomial_upper_p,
    normal_two_sided,
    normal_two_sided_p,
    student_two_sided,
)


def test_normal_and_student_quantiles_are_those_of_the_tables() -> None:
    assert normal_two_sided(0.95) == pytest.approx(1.959963984540054)
    assert student_two_sided(0.95, 1) == pytest.approx(12.706204736432095)
    assert student_two_sided(0.95, 7.5) == pytest.approx(stats.t.ppf(0.975, 7.5))


@pytest.mark.parametrize("n", [1, 2, 10, 73, 1000])
@pytest.mark.parametrize("p", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("probability", [0.025, 0.5, 0.975])
def test_a_binomial_quantile_is_the_smallest_count_that_reaches_the_probability(
    n: int, p: float, probability: float
) -> None:
    found = binomial_quantile(probability, n, p)
    assert stats.binom.cdf(found, n, p) >= probability
    assert found == 0 or stats.binom.cdf(found - 1, n, p) < probability


def test_tails_are_those_of_scipy() -> None:
    assert normal_two_sided_p(-1.959963984540054) == pytest.approx(0.05)
    for successes in (1, 3, 20):
        assert binomial_upper_p(successes, 20, 0.2) == pytest.approx(stats.binom.sf(successes - 1, 20, 0.2))
    assert binomial_upper_p(0, 20, 0.2) == 1 and binomial_upper_p(1, 20, 0.0) == 0
