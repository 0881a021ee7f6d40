"""What is asked for comes out."""

import pytest

from calibrant.demo.simlm.calibrate import calibrated
from calibrant.demo.simlm.parameters import Parameters, Rule
from calibrant.demo.simlm.world import World

BASE = Parameters(
    types={"a": 0.5, "b": 0.25, "c": 0.25},
    rules={
        "same": Rule(phrase="one thing"),
        "ratio": Rule(phrase="another", weights={"a": 1.0, "b": 2.0, "c": 0.0}),
    },
)


@pytest.mark.parametrize("accuracy", [0.02, 0.5, 0.7, 0.98])
@pytest.mark.parametrize("icc", [0.0, 0.05, 0.3])
def test_accuracy_and_correlation_together(accuracy, icc):
    world = World(calibrated(BASE, accuracy=accuracy, icc=icc))
    assert world.accuracy("") == pytest.approx(accuracy, abs=1e-9)
    assert world.icc("") == pytest.approx(icc, abs=1e-6)


def test_effects_and_the_ratio_of_weights():
    world = World(calibrated(BASE, accuracy=0.7, effects={"same": -0.1, "ratio": 0.08}, icc=0.13))
    assert world.true_effect("", "one thing") == pytest.approx(-0.1, abs=1e-9)
    assert world.true_effect("", "another") == pytest.approx(0.08, abs=1e-9)
    weights = world.parameters.rules["ratio"].weights
    assert weights["b"] == pytest.approx(2 * weights["a"]) and weights["c"] == 0 and weights["a"] > 0
    assert world.parameters.rules["same"].weight < 0 and not world.parameters.rules["same"].weights


def test_what_is_not_asked_stays():
    assert calibrated(BASE) == BASE
    only = calibrated(BASE, icc=0.2)
    assert World(only).accuracy("") == pytest.approx(World(BASE).accuracy(""))
    none = calibrated(BASE, effects={"ratio": 0.0}).rules["ratio"]
    assert (none.weight, none.weights) == (0.0, {})


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"accuracy": 1.0}, "accuracy: must be between"),
        ({"icc": 1.0}, "icc: must be at least"),
        ({"accuracy": 0.7, "icc": 0.99}, "icc: 0.99 is out of reach"),
        ({"accuracy": 0.95, "effects": {"same": 0.06}}, "effects.same: what is asked for is out of reach"),
        ({"effects": {"none": 0.1}}, "no rule 'none': there are .'ratio', 'same'."),
    ],
)
def test_what_cannot_be_is_refused(asked, says):
    with pytest.raises(ValueError, match=says):
        calibrated(BASE, **asked)
