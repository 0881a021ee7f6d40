"""The response cache: what is found, for how long, by whom, and what happens when its database is no good."""

import asyncio
import sqlite3
import threading

import pytest

from calibrant.store import cache as module
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
def open_cache(tmp_path, clock, monkeypatch):
    # A busy machine must not make a miss of what is there.
    monkeypatch.setattr(module, "_PATIENCE_S", 30)

    def _open(name="cache.db", **settings):
        sizes = {"max_bytes": 10**6, "max_entry_bytes": 10**5, "memory_bytes": 10**5, "ttl_s": 100, **settings}
        return ResponseCache(tmp_path / name, now_ms=clock, **sizes)

    return _open


def entry(clock, body=b"{}"):
    return Cached(clock(), (("content-type", "application/json"),), body)


async def written(cache):
    cache._flush()
    await asyncio.wrap_future(cache._writing)


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


def test_a_purge_of_one_model_leaves_what_others_have_yet_to_write(open_cache, clock):
    async def work():
        one, other = open_cache(), open_cache(memory_bytes=0)
        one.put(b"first", "n", entry(clock))
        await asyncio.sleep(0.1)
        # Neither has been written when the purge comes: here, and in another worker.
        one.put(b"k", "m", entry(clock))
        one.put(b"l", "n", entry(clock))
        other.put(b"late", "m", entry(clock))
        other.put(b"other", "n", entry(clock))
        assert await one.purge("m") == 0
        await one.close()
        await other.close()
        again = open_cache(memory_bytes=0)
        found = {key for key in (b"first", b"k", b"l", b"late", b"other") if await again.get(key, None) is not None}
        assert found == {b"first", b"l", b"other"}
        clock.ms += 1
        # What is purged for all is so for that model, too, and its own mark is gone.
        await again.purge()
        again.put(b"k", "m", entry(clock))
        clock.ms += 1
        again.put(b"new", "m", entry(clock))
        await again.close()
        last = open_cache(memory_bytes=0)
        assert [await last.get(key, None) is not None for key in (b"k", b"l", b"new")] == [False, False, True]
        await last.close()

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
        cache = open_cache(memory_bytes=4000, max_entry_bytes=600)
        for number in range(10):
            cache.put(bytes([number]), "m", entry(clock, b"x" * 500))
        assert cache._remembered <= 4000 and len(cache._memory) == 2
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
        await asyncio.sleep(0.1)
        await cache.refresh()
        with pytest.raises(OSError, match="cannot be written"):
            await cache.purge()
        await cache.close()

    run(work)
    assert caplog.text.count("cannot be read") == caplog.text.count("cannot be written") == 1


def test_headers_and_what_an_entry_is_made_of_count(open_cache, clock):
    async def work():
        cache = open_cache(memory_bytes=100_000)
        headers = tuple((f"x-header-{number}", "v" * 20) for number in range(15))
        for number in range(100):
            cache.put(bytes([number]), "m", Cached(clock(), headers, b"x" * 255))
        assert 15 <= len(cache._memory) <= 30
        await cache.close()

    run(work)


def test_nobody_waits_for_a_process_that_writes(open_cache, clock, tmp_path, caplog):
    async def work():
        cache, other = open_cache(), open_cache()
        cache.put(b"k", "m", entry(clock))
        await written(cache)
        lock = sqlite3.connect(tmp_path / "cache.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        cache.put(b"l", "m", entry(clock))
        cache._flush()
        # The write is still waiting, and a reader sees what was there before.
        assert await other.get(b"k", None) is not None
        await other.refresh()
        await cache.close()
        lock.execute("ROLLBACK")
        lock.close()
        again = open_cache()
        assert await again.get(b"l", None) is None and await again.get(b"k", None) is not None
        await again.close()
        await other.close()

    run(work)
    assert caplog.text.count("cannot be written: database is locked") == 1


def test_a_purge_waits_longer_for_a_process_that_writes(open_cache, clock, tmp_path):
    async def work():
        cache, other = open_cache(), open_cache()
        cache.put(b"k", "m", entry(clock))
        await cache.close()
        lock = sqlite3.connect(tmp_path / "cache.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        purging = asyncio.ensure_future(other.purge())
        await asyncio.sleep(0.4)
        assert not purging.done()
        lock.execute("ROLLBACK")
        lock.close()
        assert await purging == 1
        await other.close()

    run(work)


def test_one_batch_is_written_at_a_time_and_what_waits_is_bounded(open_cache, clock, monkeypatch):
    monkeypatch.setattr(module, "_PENDING_BYTES", 20_000)
    go, batches = threading.Event(), []

    async def work():
        cache = open_cache(memory_bytes=10**6)
        monkeypatch.setattr(cache, "_write", lambda batch: (batches.append(len(batch)), go.wait(30)))
        for number in range(100):
            cache.put(bytes([number]), "m", entry(clock, b"x" * 500))
            await asyncio.sleep(0.005)
        assert len(batches) == 1 and cache._writes._work_queue.qsize() == 0
        assert len(cache._pending) == 12 and len(cache._memory) == 100
        go.set()
        await cache.close()
        assert batches[1:] == [12]

    run(work)


def test_a_look_that_takes_long_is_a_miss_and_so_are_those_after_it(open_cache, clock, monkeypatch):
    go = threading.Event()

    async def work():
        cache, other = open_cache(), open_cache()
        cache.put(b"k", "m", entry(clock))
        await written(cache)
        other._reads.submit(go.wait, 30)
        monkeypatch.setattr(module, "_PATIENCE_S", 0.01)
        assert await other.get(b"k", None) is None
        monkeypatch.setattr(module, "_PATIENCE_S", 30)
        assert await other.get(b"k", None) is None
        await other.refresh()
        go.set()
        await other._late
        assert await other.get(b"k", None) is not None
        await cache.close()
        await other.close()

    run(work)


@pytest.mark.parametrize("stored", [b"\x28\xb5\x2f\xfd\x00", b"\x28\xb5", "no entry", b""])
def test_a_damaged_entry_is_a_miss_and_goes(open_cache, clock, tmp_path, stored):
    def kept(*change):
        connection = sqlite3.connect(tmp_path / "cache.db", isolation_level=None)
        if change:
            connection.execute("UPDATE answers SET entry = ?", change)
        (count,) = connection.execute("SELECT count(*) FROM answers").fetchone()
        connection.close()
        return count

    async def work():
        cache = open_cache()
        cache.put(b"k", "m", entry(clock, b"x" * 500))
        await cache.close()
        assert kept(stored) == 1
        cache = open_cache()
        assert await cache.get(b"k", None) is None
        await cache.close()

    run(work)
    assert kept() == 0


def test_what_is_put_after_the_end_is_ignored(open_cache, clock):
    async def work():
        cache = open_cache()
        await cache.close()
        cache.put(b"k", "m", entry(clock))
        assert await cache.get(b"k", None) is None
        await cache.refresh()
        await asyncio.sleep(0.1)

    run(work)


def test_a_failure_is_said_again_when_it_has_worked_in_between(open_cache, clock, tmp_path, caplog):
    async def work():
        for _ in range(2):
            (tmp_path / "cache.db").mkdir()
            await cache.get(b"k", None)
            await cache.get(b"k", None)
            (tmp_path / "cache.db").rmdir()
            cache.put(b"l", "m", entry(clock))
            await written(cache)
            await cache.get(b"k", None)
            cache._close_reader()
            cache._close_writer()
            for file in tmp_path.glob("cache.db*"):
                file.unlink()
        await cache.close()

    cache = open_cache()
    run(work)
    assert caplog.text.count("cannot be read") == 2


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


def test_what_was_purged_is_in_no_byte_of_the_files(open_cache, clock, tmp_path):
    async def work():
        cache = open_cache()
        for model in ("m", "n"):
            cache.put(cache_key(model), model, entry(clock, f"words of {model} ".encode() * 9))
        await written(cache)
        assert await cache.purge("m") == 1 and await cache.scrub()
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert b"words of m" not in content and b"words of n" in content
        await cache.close()

    run(work)
