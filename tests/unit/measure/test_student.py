"""Critical values without scipy are scipy's."""

import pytest

from calibrant.measure import critical, student

LEVELS = [0.5, 0.8, 0.9, 0.95, 0.99, 0.999]


@pytest.mark.parametrize("level", LEVELS)
def test_of_the_normal_distribution(level):
    assert student.normal_two_sided(level) == pytest.approx(critical.normal_two_sided(level), rel=1e-12)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("freedom", [1.0, 1.5, 2.0, 3.7, 10, 29.25, 100, 999.5, 1e3, 1e5, 1e7])
def test_of_student_s_distribution(level, freedom):
    assert student.student_two_sided(level, freedom) == pytest.approx(
        critical.student_two_sided(level, freedom), rel=1e-9
    )
