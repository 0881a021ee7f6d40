"""What replays made is in the record, and in nothing that is said of how variants do."""

import pytest
from tests.support.homes import HOMES, stored
from tests.support.records import feedback, inferred

from calibrant.types.query import Aggregate, MetricKey, Query, Scored
from calibrant.types.replay import OF_TAG, RUN_TAG

REPLAY = {"user": "1", RUN_TAG: "019c8f00-0000-7000-8000-000000000001", OF_TAG: "019c8f00-0000-7000-8000-000000000002"}
QUOTES = {"user": f'"{RUN_TAG}":"no replay"', RUN_TAG + "_": "nor this"}
"""Tags that only look as a replay's do, to whoever does not read them exactly."""
SHOWN = {"metric_name": "demonstration", "kind": "demonstration", "number": None}


@pytest.fixture(params=sorted(HOMES), scope="module")
def fresh(request, tmp_path_factory):
    with HOMES[request.param](tmp_path_factory.mktemp("home")) as fresh:
        yield fresh


def test_a_replay_is_found_and_counted_unless_it_is_to_be_left_out(fresh):
    plain, odd, replay = inferred(), inferred(tags=QUOTES), inferred(tags=REPLAY)
    events = stored(fresh(), [plain, odd, replay])
    every, served = {each.inference.id for each in (plain, odd, replay)}, {plain.inference.id, odd.inference.id}
    assert {row.id for row in events.find(Query())} == every
    assert {row.id for row in events.find(Query(replays=False))} == served
    assert {row.id for row in events.find(Query(replays=False, payloads=False, function_name="extract"))} == served
    assert [group.count for group in events.aggregate(Aggregate(Query()))] == [3]
    assert [group.count for group in events.aggregate(Aggregate(Query(replays=False), by=("variant",)))] == [2]
    assert [group.count for group in events.aggregate(Aggregate(Query(replays=False), by=("model",)))] == [2]


def test_no_outcome_of_a_variant_is_a_replay(fresh):
    plain, odd, replay = inferred(), inferred(tags=QUOTES), inferred(tags=REPLAY)
    events = stored(fresh(), [replay, plain, odd])
    outcomes = list(events.outcomes("extract"))
    assert [each.inference_id for each in outcomes] == [plain.inference.id, odd.inference.id]
    assert {(each.status, each.input_tokens, each.output_tokens) for each in outcomes} == {("ok", 7, 3)}


def test_feedback_on_a_replay_is_in_no_mean(fresh):
    plain, odd, replay = inferred(), inferred(tags=QUOTES), inferred(tags=REPLAY)
    judged = [
        feedback(plain.inference.id, number=1.0),
        feedback(odd.inference.id, number=1.0),
        feedback(replay.inference.id, number=0.0),
        feedback(plain.inference.episode_id, metric_name="solved", level="episode", number=1.0),
        feedback(replay.inference.episode_id, metric_name="solved", level="episode", number=0.0),
    ]
    events = stored(fresh(), [plain, odd, replay, *judged])
    (group,) = events.moments(Scored("extract", MetricKey("correct", "inference")))
    assert (group.key, group.n, group.mean) == (("small",), 2, 1.0)
    (group,) = events.moments(Scored("extract", MetricKey("solved", "episode")))
    assert (group.key, group.n, group.mean) == (("small",), 1, 1.0)


def test_a_replay_does_not_make_an_episode_one_of_several_variants(fresh):
    plain = inferred()
    replay = inferred(tags=REPLAY, episode_id=plain.inference.episode_id, variant_name="other")
    judged = feedback(plain.inference.episode_id, metric_name="solved", level="episode", number=1.0)
    events = stored(fresh(), [plain, replay, judged])
    (group,) = events.moments(Scored("extract", MetricKey("solved", "episode")))
    assert (group.key, group.n) == (("small",), 1)


def test_what_was_shown_of_a_replay_is_no_example(fresh):
    plain, odd, replay = inferred(), inferred(tags=QUOTES), inferred(tags=REPLAY)
    shown = [feedback(each.inference.id, document=b'"better"', **SHOWN) for each in (replay, plain, odd)]
    events = stored(fresh(), [plain, odd, replay, *shown])
    found = events.demonstrations("extract", after=0, limit=10)
    assert [each.inference_id for each in found] == [plain.inference.id, odd.inference.id]
