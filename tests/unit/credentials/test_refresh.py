"""Renewal, on a clock that moves only when somebody waits."""

import asyncio
import threading

import pytest
from tests.support.clouds import ManualClock, Scripted

from calibrant.base.errors import MissingCredential
from calibrant.config.schema import Credential
from calibrant.config.secret import Secret, Secrets
from calibrant.credentials.refresh import Refresher, pause_after_failure, pause_before_renewal
from calibrant.credentials.source import FetchFailed, Lacking
from calibrant.telemetry.metrics import Metrics

WHERE = Credential("sdk::gcp")


class Rig:
    """A refresher, and what it keeps fresh. Its waits end at once; the clock has moved on by then."""

    def __init__(self, *sources, try_s=5.0):
        self.clock = ManualClock()
        self.begin = self.clock.now
        self.secrets = Secrets({}, {}, clock=self.clock)
        self.metrics = Metrics()
        self.waits = []
        self.until = 0.0
        self.over = asyncio.Event()
        self.refresher = Refresher(
            self.secrets, sources, metrics=self.metrics, clock=self.clock, sleep=self._sleep, try_s=try_s
        )

    async def _sleep(self, seconds):
        if self.clock.now - self.begin >= self.until:
            self.over.set()
            await asyncio.Event().wait()
        self.waits.append(seconds)
        self.clock.now += seconds

    @property
    def now(self):
        return self.secrets.get(WHERE, {}).reveal()

    @property
    def failures(self):
        return dict(self.metrics.figures().counters.get("credential_failures", []))

    def token(self, text, left=3600):
        return lambda: (Secret(text), self.clock.now + left)

    async def run(self, seconds):
        """Let so much time pass."""
        self.until = seconds
        self.refresher.start()
        await self.over.wait()
        await self.refresher.close()


def go(work):
    return asyncio.run(work())


def test_each_source_is_asked_once_before_anything_starts():
    async def work():
        one, two = Scripted((Secret("a"), None)), Scripted(FetchFailed("away"), location="gcp::env::X")
        rig = Rig(one, two)
        await rig.refresher.first()
        assert (one.asked, two.asked) == (1, 1) and rig.now == "a"
        with pytest.raises(MissingCredential, match="away"):
            rig.secrets.get(Credential("gcp::env::X"), {})
        assert rig.failures == {("gcp",): 1}

    go(work)


def test_the_first_tries_are_made_side_by_side():
    async def work():
        together = threading.Barrier(2, timeout=10)
        steps = (lambda: together.wait() and None or (Secret("a"), None),)
        await Rig(Scripted(*steps), Scripted(*steps, location="gcp::env::X")).refresher.first()

    go(work)


def test_a_token_is_renewed_before_it_expires():
    async def work():
        rig = Rig(source := Scripted())
        source.steps = [rig.token("a"), rig.token("b"), rig.token("c")]
        await rig.refresher.first()
        assert rig.now == "a"
        await rig.run(3300)
        assert source.asked == 2 and rig.now == "b"
        assert max(rig.waits) <= 60

    go(work)


def test_what_does_not_end_is_not_asked_again():
    async def work():
        rig = Rig(source := Scripted((Secret("a"), None)))
        await rig.refresher.first()
        rig.refresher.start()
        await asyncio.sleep(0)
        await rig.refresher.close()
        assert source.asked == 1 and rig.waits == []

    go(work)


def test_the_old_one_holds_until_it_really_expires():
    async def work():
        rig = Rig(source := Scripted())
        source.steps = [rig.token("a"), FetchFailed("away")]
        await rig.refresher.first()
        await rig.run(3500)
        rig.clock.now = rig.begin + 3599.9
        assert rig.now == "a" and source.asked > 4
        rig.clock.now = rig.begin + 3600
        with pytest.raises(MissingCredential, match=r"'sdk::gcp' gave has expired and was not renewed: away"):
            _ = rig.now
        assert rig.failures[("gcp",)] == source.asked - 1

    go(work)


def test_after_a_failure_it_comes_back():
    async def work():
        rig = Rig(source := Scripted())
        source.steps = [FetchFailed("away"), FetchFailed("away"), rig.token("a")]
        await rig.refresher.first()
        await rig.run(10)
        assert rig.now == "a" and sum(rig.waits) <= 70

    go(work)


def test_what_is_lacking_may_come():
    async def work():
        rig = Rig(source := Scripted())
        source.steps = [Lacking("nobody has any"), rig.token("a")]
        await rig.refresher.first()
        with pytest.raises(MissingCredential, match="nobody has any"):
            _ = rig.now
        await rig.run(60)
        assert rig.now == "a"

    go(work)


def test_a_source_that_hangs_is_waited_for_and_not_asked_beside_itself():
    async def work():
        release = threading.Event()
        rig = Rig(source := Scripted(lambda: release.wait(10) and (Secret("late"), None)), try_s=0.01)
        await rig.refresher.first()
        with pytest.raises(MissingCredential, match=r"no answer within 0\.01 s"):
            _ = rig.now
        release.set()
        rig.refresher._renewals[0]._try_s = 10
        await rig.refresher.first()
        assert rig.now == "late" and source.asked == 1

    go(work)


def test_the_log_tells_ever_more_rarely_and_nothing_secret(caplog):
    async def work():
        rig = Rig(source := Scripted())
        source.steps = [rig.token("canary", 1)] + [FetchFailed("away")] * 40 + [rig.token("canary2")]
        await rig.refresher.first()
        await rig.run(3600)
        return source.asked

    with caplog.at_level("INFO", "calibrant"):
        asked = go(work)
    told = [record.getMessage() for record in caplog.records]
    assert asked >= 42 and 3 < len(told) < 12
    assert any("is there again" in text for text in told) and any("sdk::gcp" in text for text in told)
    assert not any("canary" in text for text in told)


def test_a_system_without_room_for_threads(monkeypatch):
    def full(_self):
        raise RuntimeError("can't start new thread")

    async def work():
        rig = Rig(Scripted((Secret("a"), None)))
        monkeypatch.setattr(threading.Thread, "start", full)
        await rig.refresher.first()
        with pytest.raises(MissingCredential, match="no room for a thread"):
            _ = rig.now

    go(work)


@pytest.mark.parametrize(
    ("left", "latest"), [(3600, 3300), (600, 300), (300, 150), (100, 50), (2, 1), (0, 1), (-50, 1)]
)
def test_when_to_renew(left, latest):
    for jitter in (0.0, 0.5, 1.0):
        pause = pause_before_renewal(left, jitter)
        assert latest * 0.9 <= pause <= latest or pause == 1


def test_when_to_try_again():
    assert [pause_after_failure(n, 1.0) for n in (1, 2, 3, 10, 10_000)] == [2, 4, 8, 60, 60]
    assert pause_after_failure(1, 0.0) == 1
