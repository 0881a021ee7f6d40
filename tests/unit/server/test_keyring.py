"""What is remembered of keys, for how long, and how much of it."""

import asyncio
import threading
from contextlib import contextmanager

import pytest

from calibrant.base.errors import StoreUnavailable
from calibrant.server import keyring as module
from calibrant.server.keyring import Keyring
from calibrant.types.key import ApiKey, StoredKey


class Shelf:
    """A catalogue of keys that counts what it is asked."""

    def __init__(self, *public_ids):
        self.known = {each: ApiKey(public_id=each, created_at=1, updated_at=1) for each in public_ids}
        self.looks = []
        self.away = False
        self.hold = None

    @contextmanager
    def reading(self):
        if self.hold is not None:
            assert self.hold.wait(20)
        if self.away:
            raise StoreUnavailable("away")
        yield self

    def key(self, public_id):
        self.looks.append(public_id)
        found = self.known.get(public_id)
        return None if found is None else StoredKey(found, b"d" * 32)

    def close(self):
        self.closed = True


class Time:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def run():
    def _run(main, *public_ids, ttl_s=1.0):
        shelf, time = Shelf(*public_ids), Time()

        async def go():
            ring = Keyring(shelf, ttl_s=ttl_s, monotonic=time)
            try:
                await main(ring, shelf, time)
            finally:
                ring.close()

        asyncio.run(asyncio.wait_for(go(), 20))
        assert shelf.closed

    return _run


def test_good_and_bad_answers_are_kept_for_the_time_to_live(run):
    async def main(ring, shelf, time):
        for _ in range(3):
            assert (await ring.find("here")).principal.public_id == "here"
            assert await ring.find("gone") is None
        assert shelf.looks == ["here", "gone"]
        time.now += 0.999
        await ring.find("here")
        assert len(shelf.looks) == 2
        del shelf.known["here"]
        shelf.known["gone"] = ApiKey(public_id="gone", created_at=1, updated_at=1)
        time.now += 0.002
        assert await ring.find("here") is None and (await ring.find("gone")) is not None
        assert await ring.find("here") is None and (await ring.find("gone")) is not None
        assert len(shelf.looks) == 4

    run(main, "here")


def test_an_answer_at_hand_does_not_suspend(run):
    async def main(ring, shelf, time):
        await ring.find("here")
        coroutine = ring.find("here")
        with pytest.raises(StopIteration) as done:
            coroutine.send(None)
        assert done.value.value.principal.public_id == "here"

    run(main, "here")


def test_without_a_time_to_live_it_is_asked_every_time(run):
    async def main(ring, shelf, time):
        await ring.find("here")
        await ring.find("here")
        assert shelf.looks == ["here", "here"] and ring._known == ring._asked == {}

    run(main, "here", ttl_s=0)


def test_who_comes_meanwhile_waits_for_the_same_answer_even_if_the_first_leaves(run):
    async def main(ring, shelf, time):
        shelf.hold = threading.Event()
        loop = asyncio.get_running_loop()
        first, *others = [loop.create_task(ring.find("here")) for _ in range(20)]
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        shelf.hold.set()
        assert all([await other for other in others])
        assert shelf.looks == ["here"] and ring._asked == {}

    run(main, "here")


def test_a_change_made_here_is_not_undone_by_an_answer_that_was_on_its_way(run):
    async def main(ring, shelf, time):
        shelf.hold = threading.Event()
        old = asyncio.get_running_loop().create_task(ring.find("here"))
        await asyncio.sleep(0)
        ring.forget("here")
        shelf.hold.set()
        assert await old is not None
        del shelf.known["here"]
        assert await ring.find("here") is None

    run(main, "here")


def test_what_goes_wrong_is_not_remembered_and_nothing_old_is_answered(run):
    async def main(ring, shelf, time):
        await ring.find("here")
        shelf.away = True
        assert await ring.find("here")
        time.now += 1.001
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await ring.find("here")
        shelf.away = False
        assert await ring.find("here")

    run(main, "here")


def test_callers_cannot_fill_the_memory(run, monkeypatch):
    monkeypatch.setattr(module, "_UNKNOWN", 8)
    monkeypatch.setattr(module, "_KNOWN", 8)

    async def main(ring, shelf, time):
        for number in range(50):
            await ring.find(f"no {number}")
            await ring.find(f"yes {number}")
            assert len(ring._unknown) <= 8 and len(ring._known) <= 8
        # What does not exist never drives out what does.
        await ring.find("yes 49")
        assert shelf.looks.count("yes 49") == 1

    run(main, *(f"yes {number}" for number in range(50)))


def test_a_key_that_went_or_came_is_not_remembered_both_ways(run):
    async def main(ring, shelf, time):
        await ring.find("here")
        del shelf.known["here"]
        time.now += 2
        assert await ring.find("here") is None
        assert "here" not in ring._known
        shelf.known["here"] = ApiKey(public_id="here", created_at=1, updated_at=1)
        time.now += 2
        assert await ring.find("here") is not None
        assert await ring.find("here") is not None

    run(main, "here")


def test_no_digest_is_printed():
    stored = StoredKey(ApiKey(public_id="a", created_at=1, updated_at=1), b"canary")
    assert "canary" not in f"{stored!r} {module.Held.of(stored)!r}"
