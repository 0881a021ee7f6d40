import pytest

from calibrant.config.schema import BreakerPolicy
from calibrant.routing.breaker import CLOSED, available, failed, is_probe, probed, released, state, succeeded

POLICY = BreakerPolicy(failures=3, open_s=5, max_open_s=30)


def fail(breaker, *times, policy=POLICY, **more):
    for now in times:
        breaker = failed(breaker, policy, now, now, **more)
    return breaker


def test_it_opens_after_so_many_failures_in_a_row():
    assert state(fail(CLOSED, 1, 2), 2) == "closed"
    opened = fail(CLOSED, 1, 2, 3)
    assert [state(opened, now) for now in (3, 7.9, 8)] == ["open", "open", "half_open"]
    assert [available(opened, now) for now in (3, 7.9, 8)] == [False, False, True]


def test_a_success_in_between_starts_the_count_anew():
    breaker = succeeded(fail(CLOSED, 1, 2), 2.5, 2.6)
    assert breaker == CLOSED
    assert state(fail(breaker, 3, 4), 4) == "closed"


def test_it_opens_for_twice_as_long_each_time_up_to_the_longest():
    breaker, now, spans = fail(CLOSED, 1, 2, 3), 3, []
    for _ in range(5):
        spans.append(breaker.until - now)
        now = breaker.until
        breaker = fail(breaker, now)
    assert spans == [5, 10, 20, 30, 30]
    # And from the beginning once it has recovered.
    recovered = succeeded(breaker, breaker.until, breaker.until + 1)
    assert state(recovered, breaker.until + 1) == "closed"
    again = fail(recovered, *(breaker.until + n for n in (2, 3, 4)))
    assert again.until == breaker.until + 4 + 5


def test_it_never_opens_for_longer_than_a_float_can_say():
    breaker = CLOSED
    for _ in range(2000):
        breaker = fail(breaker, max(breaker.until, 1.0))
    assert breaker.until - breaker.since == 30


def test_one_probe_at_a_time():
    opened = fail(CLOSED, 1, 2, 3)
    assert [is_probe(opened, now) for now in (7, 8)] == [False, True]
    assert not is_probe(CLOSED, 8)
    probing = probed(opened, 9, 60)
    assert [available(probing, now) for now in (9, 59.9, 60)] == [False, False, True]
    assert not is_probe(probing, 10)
    assert available(released(probing, 9), 9)
    # Only the probe itself makes room for another.
    assert released(probing, 10) == probing


def test_what_began_before_the_last_change_does_not_count():
    opened = fail(CLOSED, 1, 2, 3)
    assert failed(opened, POLICY, 2.9, 20) == opened
    assert succeeded(opened, 2.9, 20) == opened
    recovered = succeeded(opened, 8, 9)
    assert failed(recovered, POLICY, 8.9, 10) == recovered


def test_failing_once_more_while_it_is_open_changes_nothing():
    opened = fail(CLOSED, 1, 2, 3)
    assert fail(opened, 4) == opened
    assert fail(opened, 4, retry_after=100).until == 104
    assert fail(opened, 4, retry_after=0.1) == opened


@pytest.mark.parametrize(("retry_after", "until"), [(60, 61), (0.5, 1.5)])
def test_who_says_until_when_is_left_alone_until_then_at_once(retry_after, until):
    busy = fail(CLOSED, 1, retry_after=retry_after)
    assert (state(busy, 1), busy.until) == ("open", until)


@pytest.mark.parametrize("retry_after", [None, 0])
def test_who_does_not_is_one_failure_of_several(retry_after):
    assert state(fail(CLOSED, 1, retry_after=retry_after), 1) == "closed"
