"""A few early deaths are forgiven; more of them make the next start wait, for a bounded time."""

from calibrant.app.backoff import Backoff


def test_a_few_early_deaths_are_forgiven():
    backoff = Backoff()
    for at in (100.0, 100.5, 101.0):
        backoff.note(at)
        assert backoff.until == at


def test_more_of_them_wait_longer_and_longer_but_not_for_ever():
    backoff = Backoff()
    waits = []
    for at in range(100, 112):
        backoff.note(float(at))
        waits.append(round(backoff.until - at, 3))
    assert waits[:6] == [0.0, 0.0, 0.0, 0.4, 0.8, 1.6]
    assert waits == sorted(waits)
    assert waits[-1] == 5.0


def test_what_was_long_ago_is_forgotten():
    backoff = Backoff()
    for at in range(10):
        backoff.note(100.0 + at)
    backoff.note(1000.0)
    assert backoff.until == 1000.0


def test_a_system_without_room_is_not_asked_again_at_once():
    backoff = Backoff()
    backoff.postpone(100.0)
    assert backoff.until == 105.0
