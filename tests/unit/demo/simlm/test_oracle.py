"""What SimLM is for: it tells a method that holds from one that does not."""

import numpy as np
import pytest
from msgspec.structs import replace

from calibrant.demo.simlm.calibrate import calibrated
from calibrant.demo.simlm.parameters import Assignment, Judge, Parameters, Rule
from calibrant.demo.simlm.world import World
from calibrant.measure import compare_paired, corrected_mean, mean_interval, sample_ratio

PROMPTS = ["Answer.", "Think step by step."]
WORLD = World(
    calibrated(
        Parameters(
            seed=6,
            rules={"steps": Rule(phrase="step by step")},
            judges={"lenient": Judge(tpr=0.9, tnr=0.6)},
            assignment=Assignment(skew=(1.0, 0.9)),
        ),
        accuracy=0.7,
        effects={"steps": 0.08},
        icc=0.3,
    )
)
RUNS, ITEMS = 300, 400


def test_an_interval_that_leaves_groups_out_does_not_cover():
    rng, truth = np.random.default_rng(1), WORLD.accuracy("")
    covers = np.zeros(2)
    for run in range(RUNS):
        items = np.arange(run * ITEMS, (run + 1) * ITEMS)
        rows = WORLD.outcomes(items, "", rng).astype(float)
        for at, groups in enumerate((None, WORLD.clusters(items))):
            found = mean_interval(rows, groups, "boolean")
            covers[at] += found.low <= truth <= found.high
    assert covers[0] / RUNS < 0.8
    assert covers[1] / RUNS > 0.92


@pytest.mark.parametrize("temperature", [0, 1])
def test_a_paired_difference_covers_the_true_effect(temperature):
    rng, truth = np.random.default_rng(2), WORLD.true_effect(*PROMPTS)
    covers = 0
    for run in range(RUNS):
        items = np.arange(run * ITEMS, (run + 1) * ITEMS)
        first, second = WORLD.outcomes(items, PROMPTS, rng if temperature else None).astype(float)
        found = compare_paired(first, second, WORLD.clusters(items), "boolean").difference
        covers += found.low <= truth <= found.high
    assert covers / RUNS > 0.92


def test_a_lenient_judge_misleads_and_is_corrected():
    rng, truth, covers = np.random.default_rng(3), WORLD.accuracy(""), np.zeros(2)
    for run in range(RUNS):
        # One item of each group, so that rows are independent.
        items = (np.arange(1200) + run * 1200) * WORLD.parameters.cluster_size
        right = WORLD.outcomes(items, "", rng)
        passed = WORLD.judge("lenient", WORLD.outputs(items, "", right)).astype(float)
        found = corrected_mean(right[:200].astype(float), passed[:200], passed[200:]).truth
        alone = mean_interval(passed, kind="boolean")
        covers += [alone.low <= truth <= alone.high, found.low <= truth <= found.high]
    assert covers[0] / RUNS < 0.5
    assert covers[1] / RUNS > 0.92


def test_a_bug_of_assignment_is_found_and_none_is_not():
    units = np.arange(20_000)
    fair = World(replace(WORLD.parameters, assignment=Assignment()))
    assert sample_ratio(WORLD.assign(units, [1, 1]), [0.5, 0.5]).crossed(1e-3) < units.size
    assert sample_ratio(fair.assign(units, [1, 1]), [0.5, 0.5]).crossed(1e-3) is None
