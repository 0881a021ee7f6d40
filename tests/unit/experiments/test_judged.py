"""What a metric says of each inference or episode."""

from tests.support.experiments import outcome

from calibrant.config.schema import Metric
from calibrant.experiments.drawn import drawn_rows
from calibrant.experiments.judged import judged, mixed_episodes

GOOD = Metric("good", "boolean", "max", "inference")
HAPPY = Metric("happy", "float", "max", "episode")
ROWS = drawn_rows(
    [
        outcome(1, "e1", "a"),
        outcome(2, "e1", "a", status="error"),
        outcome(3, "e2", "b", unit="user"),
        outcome(4, "mixed", "a"),
        outcome(5, "mixed", "b", chance=None),
    ],
    lambda namespace: {},
)


def told(metric, values):
    return [(each.variant_name, each.unit, each.drawn, each.value) for each in judged(metric, ROWS, values)]


def test_each_inference_is_one_row_failed_or_not():
    assert told(GOOD, {"i1": 1.0, "i5": 0.0}) == [
        ("a", "e1", True, 1.0),
        ("a", "e1", True, None),
        ("b", "user", True, None),
        ("a", "mixed", True, None),
        ("b", "mixed", False, 0.0),
    ]


def test_each_episode_of_one_variant_is_one_row():
    assert mixed_episodes(ROWS) == {"mixed"}
    assert told(HAPPY, {"e2": 0.5, "mixed": 1.0}) == [("a", "e1", True, None), ("b", "user", True, 0.5)]
