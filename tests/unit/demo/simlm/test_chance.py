"""Chance by counting: uniform, independent, the same anywhere."""

import numpy as np
import pytest
from scipy import stats

from calibrant.demo.simlm.chance import key_of, keys, normals, uniforms

MANY = np.arange(100_000)


@pytest.mark.parametrize("parts", [(0, MANY), (MANY, 0), (7, key_of("x"), MANY), (MANY * 1000, 5), (MANY + 2**62,)])
def test_numbers_are_uniform_whatever_is_counted(parts):
    drawn = uniforms(*parts)
    assert drawn.min() > 0 and drawn.max() < 1
    assert stats.kstest(drawn, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 4 / np.sqrt(MANY.size)


def test_neighbouring_seeds_and_names_have_nothing_in_common():
    for other in (uniforms(1, MANY), uniforms(0, MANY, 0), uniforms(MANY, 0)):
        assert abs(np.corrcoef(uniforms(0, MANY), other)[0, 1]) < 4 / np.sqrt(MANY.size)


def test_normals_are_normal():
    assert stats.kstest(normals(3, MANY), "norm").pvalue > 1e-3


def test_the_same_question_has_the_same_answer_alone_or_among_others():
    assert uniforms(3, 17) == uniforms(3, MANY)[17]
    assert uniforms(np.arange(3)[:, None], MANY[:5]).shape == (3, 5)
    assert keys(1, 2) != keys(2, 1) and 0 <= keys(1, 2) < 2**63


def test_numbers_do_not_change_between_versions():
    # A stored result names a seed; these were computed with integers of Python, without numpy.
    def mixed(state):
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB % 2**64
        return state ^ (state >> 31)

    state = 0
    for part in (5, 2**62 + 1, 9):
        state = mixed(((state ^ part) + 0x9E3779B97F4A7C15) % 2**64)
    assert uniforms(5, 2**62 + 1, 9) == ((state >> 12) + 0.5) / 2**52
    assert keys(5, 2**62 + 1, 9) == state >> 1
    assert key_of("difficulty") == 0x456972D19048869B
