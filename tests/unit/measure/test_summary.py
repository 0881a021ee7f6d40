"""The entry points choose the method that the rows deserve, and refuse what they cannot read."""

import msgspec
import numpy as np
import pytest

from calibrant.measure.summary import mean_interval, quantile_interval
from calibrant.types.estimate import Estimate


@pytest.mark.parametrize(
    ("kind", "clusters", "method"),
    [
        ("boolean", None, "wilson"),
        ("boolean", ["a", "b", "c", "d"], "wilson"),
        ("boolean", ["a", "a", "b", "c"], "cluster_wilson"),
        ("float", None, "student"),
        ("float", [1, 2, 3, 4], "student"),
        ("float", [1, 1, 2, 3], "cluster_student"),
    ],
)
def test_the_method_follows_the_kind_and_the_clusters(kind, clusters, method: str) -> None:
    found = mean_interval([1, 0, 1, 1], clusters, kind)
    assert found.method == method
    assert found.why
    assert found.low is not None
    assert found.low < found.estimate < found.high


def test_a_quantile_follows_the_clusters() -> None:
    values = np.arange(100.0)
    assert quantile_interval(values, 0.5).method == "order_statistic"
    assert quantile_interval(values, 0.5, np.arange(100)).method == "order_statistic"
    assert quantile_interval(values, 0.5, np.arange(100) // 2).method == "cluster_woodruff"


def test_clusters_cost_certainty() -> None:
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(40), 5)
    values = rng.random(200) < rng.beta(1, 1, size=40)[labels]
    plain, clustered = mean_interval(values, None, "boolean"), mean_interval(values, labels, "boolean")
    assert clustered.estimate == plain.estimate
    assert clustered.high - clustered.low > 1.3 * (plain.high - plain.low)
    assert "40 clusters" in clustered.why


@pytest.mark.parametrize(
    ("values", "clusters", "kind", "message"),
    [
        ([0.0, float("nan")], None, "float", "finite"),
        ([0.0, 0.5], None, "boolean", "0 or 1"),
        ([[0.0], [1.0]], None, "float", "one-dimensional"),
        ([0.0, 1.0], ["a"], "float", "one label a row"),
        ([0.0, 1.0], ["a", None], "float", r"clusters\[1\] is missing"),
    ],
)
def test_rows_that_cannot_be_read_are_refused(values, clusters, kind, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mean_interval(values, clusters, kind)


def test_a_level_or_a_quantile_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="level"):
        mean_interval([1.0, 2.0], level=95)
    with pytest.raises(ValueError, match="quantile"):
        quantile_interval([1.0, 2.0], 1.0)


def test_no_rows_with_clusters_are_no_number() -> None:
    assert mean_interval([], [], "boolean").estimate is None
    assert quantile_interval([], 0.5, []).estimate is None


def test_an_estimate_survives_json() -> None:
    found = mean_interval([1, 0, 1, 1], ["a", "a", "b", "c"], "boolean")
    assert msgspec.json.decode(msgspec.json.encode(found), type=Estimate) == found
