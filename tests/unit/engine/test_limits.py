import pytest

from calibrant.base.errors import InferenceTimeout, Stalled
from calibrant.config.schema import Gateway, Timeouts
from calibrant.engine.limits import Limit, outermost, tighter


def test_the_tighter_limit_wins_and_gives_its_name():
    limit = tighter(Limit(10, "the gateway"), Timeouts(total_ms=500), 1, "model", "m", stream=False)
    assert (limit.total, limit.total_whose) == (1.5, "the model 'm'")
    looser = tighter(limit, Timeouts(total_ms=5000), 1, "provider", "p", stream=False)
    assert (looser.total, looser.total_whose) == (1.5, "the model 'm'")


def test_streams_have_limits_of_their_own():
    timeouts = Timeouts(total_ms=1, ttft_ms=200, stream_total_ms=2000)
    limit = tighter(Limit(10, "the gateway"), timeouts, 0, "model", "m", stream=True)
    assert (limit.total, limit.first, limit.first_whose) == (2.0, 0.2, "the model 'm'")
    assert tighter(Limit(10, "g"), timeouts, 0, "model", "m", stream=False).first is None


def test_the_tighter_first_chunk_wins():
    limit = Limit(10, "g", first=0.1, first_whose="the variant 'v'")
    assert tighter(limit, Timeouts(ttft_ms=200), 0, "model", "m", stream=True).first_whose == "the variant 'v'"
    assert tighter(limit, Timeouts(ttft_ms=50), 0, "model", "m", stream=True).first_whose == "the model 'm'"


def test_a_deadline_asks_for_the_first_byte_of_streams_only():
    limit = Limit(10, "g", first=1)
    assert limit.deadline(stream=True).first_byte == 1
    assert limit.deadline(stream=False).first_byte is None


@pytest.mark.parametrize(
    ("now", "begun", "says"),
    [(0.5, False, None), (1, False, "first chunk"), (1, True, None), (2, True, "^the gateway ran out of time$")],
)
def test_who_ran_out_of_time(now, begun, says):
    error = Limit(2, "the gateway", first=1, first_whose="the model 'm'").over(now, begun=begun)
    if says is None:
        assert error is None
        return
    with pytest.raises(InferenceTimeout, match=says):
        raise error


def test_there_is_no_going_on_after_the_end():
    limit = Limit(2, "the gateway")
    limit.check(1.9)
    with pytest.raises(InferenceTimeout):
        limit.check(2)


def test_the_tightest_pause_wins_and_is_for_streams_only():
    gateway = Gateway(stream_read_timeout_ms=900)
    limit = outermost(gateway, 5)
    assert (limit.idle_s, limit.idle_whose) == (0.9, "the gateway")
    assert outermost(Gateway(), 5).idle_s is None
    tight = tighter(limit, Timeouts(idle_ms=300), 5, "provider", "p", stream=True)
    assert (tight.idle_s, tight.idle_whose) == (0.3, "the provider 'p'")
    assert tighter(tight, Timeouts(idle_ms=400), 5, "model", "m", stream=True).idle_whose == "the provider 'p'"
    assert tight.deadline(stream=True).idle_s == 0.3
    assert tight.deadline(stream=False).idle_s is None


def test_the_network_s_error_gets_a_name():
    limit = Limit(10, "the gateway", idle_s=0.3, idle_whose="the model 'm'")
    late, quiet = InferenceTimeout("late"), Stalled("quiet")
    assert limit.named(late, 5) is late
    assert limit.named(late, 10).message == "the gateway ran out of time"
    named = limit.named(quiet, 5)
    assert isinstance(named, Stalled)
    assert named.message == "nothing came for 300 ms, the most that the model 'm' allows a stream"
    assert Limit(10, "the gateway").named(quiet, 5) is quiet
