"""Episodes, and single things by their id: every home answers as plain Python over the same rows does."""

import random

from hypothesis import given
from hypothesis import strategies as st
from tests.contract.stores.test_queries import MANY, fresh, id_at, passed_over, rounds
from tests.support.homes import stored
from tests.support.records import feedback, inference, inferred

from calibrant.base.ids import ahead, evaluated_episode, in_time
from calibrant.types.insight import EpisodeBounds, EpisodeSeen
from calibrant.types.query import Aggregate, Query, Tagged
from calibrant.types.rows import Inferred

__all__ = ["fresh"]

START_MS = 1_772_000_000_000


def rows_of(rng):
    """Inferences of a few episodes, some of which are of workflow evaluations."""
    episodes = [id_at(rng, START_MS + 1000 * number) for number in range(12)]
    episodes = [ahead(each) if rng.random() < 0.4 else each for each in episodes]
    return [
        inference(
            id=id_at(rng, START_MS + rng.randrange(100_000)),
            episode_id=rng.choice(episodes),
            function_name=rng.choice(["f", "f", "g"]),
            variant_name="v",
            status=rng.choice(["ok", "ok", "error"]),
            tags=rng.choice([{}, {"user": "1"}]),
        )
        for _ in range(rng.randrange(1, 50))
    ]


def seen(rows, where):
    """All episodes that have such inferences, the one that began last first."""
    fits = [
        row
        for row in rows
        if (where.include_failed or row.status == "ok")
        and where.function_name in (None, row.function_name)
        and (where.functions is None or row.function_name in where.functions)
        and (where.filters is None or row.tags.get("user") == "1")
    ]
    by_episode = {}
    for row in fits:
        by_episode.setdefault(row.episode_id, []).append(row.id)
    found = [EpisodeSeen(episode, len(ids), min(ids), max(ids)) for episode, ids in by_episode.items()]
    return sorted(found, key=lambda each: in_time(each.episode_id), reverse=True)


@given(st.integers(0, 2**64))
@MANY
def test_pages_of_episodes_go_by_when_they_began(fresh, seed):
    if passed_over(fresh, seed):
        return
    rng = random.Random(seed)
    rows = rows_of(rng)
    events = stored(fresh(), [Inferred(row, ()) for row in rows])
    for _ in range(rounds(fresh, 8)):
        where = Query(
            function_name=rng.choice([None, None, "g"]),
            include_failed=rng.random() < 0.5,
            filters=rng.choice([None, Tagged("user", "1")]),
            functions=rng.choice([None, ("f",)]),
            limit=rng.randrange(1, 6),
        )
        wanted = seen(rows, where)
        assert list(events.episodes(where)) == wanted[: where.limit], where
        first, last = (wanted[-1].episode_id, wanted[0].episode_id) if wanted else (None, None)
        assert events.episode_bounds(where) == EpisodeBounds(first, last, len(wanted)), where
        for at, each in enumerate(wanted):
            before = Query(**{**fields(where), "before": each.episode_id})
            assert list(events.episodes(before)) == wanted[at + 1 :][: where.limit], before
            after = Query(**{**fields(where), "after": each.episode_id})
            assert list(events.episodes(after)) == wanted[max(0, at - where.limit) : at], after


def fields(query):
    return {name: getattr(query, name) for name in query.__struct_fields__}


def test_feedback_and_calls_are_found_by_their_ids(fresh):
    one, other = inferred(), inferred()
    judged = feedback(one.inference.id)
    events = stored(fresh(), [one, other, judged])
    assert events.feedback_by_id(judged.feedback.id) == judged.feedback
    assert events.feedback_by_id(one.inference.id) is None
    assert events.inference_of(other.model_inferences[0].id) == other.inference.id
    assert events.inference_of(other.inference.id) is None


def test_an_episode_that_is_ahead_of_its_time_is_found_all_the_same(fresh):
    episode = evaluated_episode()
    rows = [inference(episode_id=episode) for _ in range(2)]
    events = stored(fresh(), [Inferred(row, ()) for row in rows])
    assert events.target(episode, "episode").inference_id == rows[0].id
    assert [row.id for row in events.find(Query(episode_id=episode))] == [rows[1].id, rows[0].id]
    assert events.aggregate(Aggregate(Query(episode_id=episode)))[0].count == 2
