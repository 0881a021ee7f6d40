"""What feedback comes to: every home adds up as plain Python over the same rows does."""

import random
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.stores.test_queries import MANY, METRICS, fresh, passed_over, rounds, world
from tests.support.homes import stored
from tests.support.records import feedback, inference

from calibrant.measure.moments import moments_of
from calibrant.store.sqlite_functions import bucket_of
from calibrant.types.query import MetricKey, Scored
from calibrant.types.replay import RUN_TAG
from calibrant.types.rows import Inferred

__all__ = ["fresh"]

CLOSE = {"rel": 1e-9, "abs": 1e-9}


def added_up(asked, rows, judged):
    """The same, row by row."""
    latest = {}
    for one in sorted((one.feedback for one in judged), key=lambda row: row.id):
        if (one.metric_name, one.level) == (asked.metric.name, asked.metric.level) and one.number is not None:
            latest[one.target_id] = one.number
    rows = [row for row in rows if row.function_name == asked.function_name and RUN_TAG not in row.tags]
    units = []
    if asked.metric.level == "inference":
        units = [(row.variant_name, row.id, row.episode_id, latest[row.id]) for row in rows if row.id in latest]
    else:
        for episode, value in latest.items():
            of_it = [row for row in rows if row.episode_id == episode]
            if len({row.variant_name for row in of_it}) == 1:
                units.append((of_it[0].variant_name, min(row.id for row in of_it), episode, value))
    groups = defaultdict(lambda: defaultdict(list))
    for variant, id_, cluster, value in units:
        if asked.variant_name in (None, variant):
            key = tuple(variant if group == "variant" else bucket_of(id_, group) for group in asked.by)
            groups[key][cluster].append(value)
    return {key: moments_of(groups[key]) for key in sorted(groups)}


@given(st.integers(0, 2**64))
@MANY
def test_any_moments_are_what_the_rows_add_up_to(fresh, seed):
    if passed_over(fresh, seed):
        return
    rng = random.Random(seed)
    rows, _, judged = world(rng)
    events = stored(fresh(), [*(Inferred(row, ()) for row in rows), *judged])
    for _ in range(rounds(fresh, 10)):
        asked = Scored(
            function_name=rng.choice(["draft", "draft_two", "nobody"]),
            metric=rng.choice(METRICS),
            by=tuple(rng.sample(["variant", "minute", "day", "week", "month"], k=rng.randrange(3))),
            variant_name=rng.choice([None, None, "a"]),
        )
        found, wanted = events.moments(asked), added_up(asked, rows, judged)
        assert [group.key for group in found] == list(wanted), asked
        for group in found:
            same = wanted[group.key]
            assert (group.n, group.clusters, group.sizes) == (same.n, same.clusters, same.sizes), asked
            for name in ("mean", "squares", "moves"):
                assert getattr(group, name) == pytest.approx(getattr(same, name), **CLOSE), (asked, name)


def test_values_that_are_large_and_close_together_keep_their_spread(fresh):
    rows = [inference(function_name="f", variant_name="v") for _ in range(4)]
    given_ = [1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3]
    judged = [
        feedback(row.id, metric_name="m", kind="float", number=value) for row, value in zip(rows, given_, strict=True)
    ]
    events = stored(fresh(), [*(Inferred(row, ()) for row in rows), *judged])
    (group,) = events.moments(Scored("f", MetricKey("m", "inference"), by=()))
    assert group.squares == pytest.approx(5.0) and group.mean == 1e9 + 1.5
