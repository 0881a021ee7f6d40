"""Many questions, held against statsmodels and scipy, and against simulations with a known truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from calibrant.measure.multiplicity import (
    benjamini_hochberg,
    benjamini_yekutieli,
    best_of,
    e_benjamini_hochberg,
    fcr_level,
    holm,
)

METHODS = {holm: "holm", benjamini_hochberg: "fdr_bh", benjamini_yekutieli: "fdr_by"}
p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("many", "level"), [(1, 0.05), (12, 0.1), (30, 0.5)])
def test_statsmodels_agrees(many, level, method):
    # Few cases: each has statsmodels collect all garbage of the process.
    draw = np.random.default_rng(many)
    values = draw.choice([0.0, 0.001, 0.04, 1.0, *draw.random(20) ** 3], many)
    found = method(values, level=level)
    rejected, adjusted, *_ = multipletests(values, alpha=level, method=METHODS[method])
    assert found.adjusted == pytest.approx(adjusted, abs=1e-12)
    near = np.abs(found.adjusted - level) < 1e-9
    assert (found.found == rejected)[~near].all()
    assert found.count == found.found.sum()


@given(p_lists)
def test_scipy_agrees(values):
    for method, name in ((benjamini_hochberg, "bh"), (benjamini_yekutieli, "by")):
        assert method(values).adjusted == pytest.approx(stats.false_discovery_control(values, method=name), abs=1e-12)


@given(p_lists, st.randoms())
def test_the_order_does_not_matter(values, random):
    order = list(range(len(values)))
    random.shuffle(order)
    for method in METHODS:
        assert method([values[at] for at in order]).adjusted == pytest.approx(method(values).adjusted[order])


def test_e_values_by_their_definition():
    draw = np.random.default_rng(3)
    for _ in range(200):
        values = np.exp(draw.normal(0, 4, draw.integers(1, 20)))
        level, many = 0.1, values.size
        ranked = np.sort(values)[::-1]
        ranks = [k for k in range(1, many + 1) if ranked[k - 1] >= many / (k * level)]
        wanted = values >= ranked[max(ranks) - 1] if ranks else np.zeros(many, dtype=bool)
        assert (e_benjamini_hochberg(values, level=level).found == wanted).all()
    assert e_benjamini_hochberg([np.inf, 0.0]).found.tolist() == [True, False]


def test_the_errors_are_kept_and_the_usual_way_keeps_neither():
    draw = np.random.default_rng(11)
    rounds, many, real = 2000, 40, 8
    family, shares, usual = 0, [], 0
    for _ in range(rounds):
        z = draw.normal(0, 1, many)
        z[:real] += 3
        values = 2 * stats.norm.sf(np.abs(z))
        family += bool(holm(values, level=0.05).found[real:].any())
        found = benjamini_hochberg(values, level=0.10).found
        shares.append(found[real:].sum() / max(1, found.sum()))
        usual += bool((values[real:] < 0.05).any())
    assert family / rounds <= 0.05 + 0.012
    assert np.mean(shares) <= 0.10
    assert usual / rounds > 0.7


def test_e_values_of_stopped_processes_keep_the_share_of_false_findings():
    draw = np.random.default_rng(5)
    shares = []
    for _ in range(400):
        # Bets on a mean of 0: each process is stopped where it looks best.
        steps = draw.choice([-1.0, 1.0], size=(20, 100))
        steps[:5] = draw.choice([-1.0, 1.0], size=(5, 100), p=[0.2, 0.8])
        e_values = np.cumprod(1 + 0.3 * steps, axis=1).max(axis=1)
        # The largest value of a process is no e-value, and its calibrated form is: see Ville's inequality.
        calibrated = np.maximum(0.0, np.sqrt(e_values) - 1)
        found = e_benjamini_hochberg(calibrated, level=0.1).found
        shares.append(found[5:].sum() / max(1, found.sum()))
    assert np.mean(shares) <= 0.1


def test_intervals_of_what_was_picked():
    assert fcr_level(10, 10) == pytest.approx(0.95)
    assert fcr_level(1, 100) == pytest.approx(1 - 0.05 / 100)
    draw = np.random.default_rng(2)
    missed = {"usual": [], "ours": []}
    for _ in range(3000):
        x = draw.normal(0, 1, 50)
        picked = np.sort(np.abs(x))[::-1][:5]
        for name, level in (("usual", 0.95), ("ours", fcr_level(5, 50))):
            missed[name].append(float((picked > stats.norm.isf((1 - level) / 2)).mean()))
    assert np.mean(missed["ours"]) <= 0.05 + 0.01 < 0.3 < np.mean(missed["usual"])


def test_the_best_of_many_looks_better_than_it_is_by_about_so_much():
    draw = np.random.default_rng(8)
    for many in (5, 20, 100):
        largest = draw.normal(0, 0.05, (4000, many)).max(axis=1).mean()
        assert 0.6 * best_of(0.05, many) < largest <= best_of(0.05, many)
    assert best_of(0.05, 1) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: holm([1.5]), "within"),
        (lambda: holm([np.nan]), "finite"),
        (lambda: holm([[0.1]]), "one-dimensional"),
        (lambda: benjamini_hochberg([0.1], level=1), "level"),
        (lambda: e_benjamini_hochberg([-1.0]), "at least 0"),
        (lambda: fcr_level(0, 3), "at least one"),
        (lambda: fcr_level(4, 3), "at most all"),
        (lambda: fcr_level(1, 3, level=0), "level"),
        (lambda: best_of(-1, 3), "at least 0"),
    ],
)
def test_what_is_out_of_range(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_nothing_asked_is_nothing_found():
    for method in (holm, benjamini_hochberg, benjamini_yekutieli, e_benjamini_hochberg):
        assert method([]).count == 0
