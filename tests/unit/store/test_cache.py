"""The response cache: what is found, for how long, by whom, and what happens when its database is no good."""

import asyncio
import sqlite3

import pytest

from calibrant.store.cache import ResponseCache, cache_key
from calibrant.types.cached import Cached


class Clock:
    def __init__(self):
        self.ms = 1_000_000_000

    def __call__(self):
        return self.ms


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_cache(tmp_path, clock):
    def _open(name="cache.db", **settings):
        sizes = {"max_bytes": 10**6, "max_entry_bytes": 10**5, "memory_bytes": 10**5, "ttl_s": 100, **settings}
        return ResponseCache(tmp_path / name, now_ms=clock, **sizes)

    return _open


def entry(clock, body=b"{}"):
    return Cached(clock(), (("content-type", "application/json"),), body)


def run(work):
    return asyncio.run(work())


def test_what_is_put_is_found_here_at_once_and_elsewhere_soon(open_cache, clock):
    async def work():
        one, other = open_cache(), open_cache()
        it = entry(clock, b"\xff" * 300)
        assert await one.get(b"k", None) is None
        one.put(b"k", "m", it)
        assert await one.get(b"k", None) == it
        await asyncio.sleep(0.1)
        assert await other.get(b"k", None) == it
        await one.close()
        await other.close()
        again = open_cache()
        assert await again.get(b"k", None) == it
        await again.close()

    run(work)


def test_age_counts(open_cache, clock):
    async def work():
        cache = open_cache()
        cache.put(b"k", "m", entry(clock))
        clock.ms += 50_000
        assert await cache.get(b"k", 49) is None
        assert await cache.get(b"k", 50) is not None
        clock.ms += 50_001
        assert await cache.get(b"k", 1000) is None
        assert await cache.get(b"k", None) is None
        await cache.close()

    run(work)


def test_a_newer_answer_takes_the_place_of_an_older(open_cache, clock):
    async def work():
        cache = open_cache()
        cache.put(b"k", "m", entry(clock, b"old"))
        await asyncio.sleep(0.1)
        cache.put(b"k", "m", entry(clock, b"new and longer"))
        await cache.close()
        other = open_cache()
        found = await other.get(b"k", None)
        assert found is not None and found.body == b"new and longer"
        await other.close()

    run(work)


@pytest.mark.parametrize("model_name", [None, "m"])
def test_a_purge_reaches_every_worker(open_cache, clock, model_name):
    async def work():
        one, other = open_cache(), open_cache()
        one.put(b"k", "m", entry(clock))
        one.put(b"l", "n", entry(clock))
        await asyncio.sleep(0.1)
        await other.refresh()
        assert await other.get(b"k", None) is not None
        other.put(b"late", "m", entry(clock))
        assert await one.purge(model_name) == (2 if model_name is None else 1)
        assert await one.get(b"k", None) is None
        await other.refresh()
        assert await other.get(b"k", None) is None
        assert (await other.get(b"l", None) is None) == (model_name is None)
        await asyncio.sleep(0.1)
        assert await one.get(b"late", None) is None
        clock.ms += 1
        one.put(b"k", "m", entry(clock))
        await asyncio.sleep(0.1)
        assert await other.get(b"k", None) is not None
        await one.close()
        await other.close()

    run(work)


def test_the_oldest_go_first_where_there_is_no_room(open_cache, clock, tmp_path):
    async def work():
        cache = open_cache(max_bytes=5000, memory_bytes=0)
        for number in range(20):
            clock.ms += 1
            cache.put(bytes([number]), "m", entry(clock, bytes(range(256)) * 2 + bytes([number]) * 300))
            await asyncio.sleep(0.06)
        found = [number for number in range(20) if await cache.get(bytes([number]), None) is not None]
        assert found == list(range(found[0], 20)) and 3 <= len(found) < 20
        await cache.close()

    run(work)
    connection = sqlite3.connect(tmp_path / "cache.db")
    (counted,) = connection.execute("SELECT value FROM state WHERE name = 'bytes'").fetchone()
    (summed,) = connection.execute("SELECT sum(size) FROM answers").fetchone()
    connection.close()
    assert counted == summed <= 5000


def test_memory_is_bounded_and_large_answers_are_not_kept(open_cache, clock):
    async def work():
        cache = open_cache(memory_bytes=1000, max_entry_bytes=600)
        for number in range(10):
            cache.put(bytes([number]), "m", entry(clock, b"x" * 500))
        assert cache._remembered <= 1000 and len(cache._memory) == 2
        cache.put(b"large", "m", entry(clock, b"x" * 601))
        await asyncio.sleep(0.1)
        assert await cache.get(b"large", None) is None
        assert await cache.get(bytes([0]), None) is not None
        await cache.close()

    run(work)


def test_a_database_that_is_none_is_an_empty_cache(open_cache, clock, tmp_path, caplog):
    (tmp_path / "bad.db").write_bytes(b"no database" * 500)

    async def work():
        cache = open_cache("bad.db")
        assert await cache.get(b"k", None) is None
        cache.put(b"k", "m", entry(clock))
        assert await cache.get(b"k", None) is not None
        await cache.refresh()
        with pytest.raises(OSError, match="cannot be written"):
            await cache.purge()
        await cache.close()

    run(work)
    assert caplog.text.count("cannot be used") == 1


def test_only_the_owner_may_read_it(open_cache, clock, tmp_path):
    async def work():
        cache = open_cache()
        cache.put(b"k", "m", entry(clock))
        await cache.close()

    run(work)
    assert (tmp_path / "cache.db").stat().st_mode & 0o077 == 0


def test_keys_tell_parts_apart():
    keys = [
        cache_key("ab", "c"),
        cache_key("a", "bc"),
        cache_key("abc"),
        cache_key("ab", "c", ""),
        cache_key(b"ab", "d"),
    ]
    assert len(set(keys)) == 5 and cache_key("a") == cache_key(b"a")
