"""What feedback refers to, asked of a real store off the event loop."""

import asyncio
import threading

import pytest
from tests.support.records import inferred
from tests.support.stores import drained, spooled

from calibrant.app.targets import RecordTargets
from calibrant.base.errors import StoreUnavailable
from calibrant.store.sqlite_reader import SqliteReader
from calibrant.store.status import RecorderStatus, write_status


@pytest.fixture
def targets(tmp_path):
    reader = SqliteReader(tmp_path / "events.db")
    targets = RecordTargets(reader, tmp_path / "spool")
    yield targets
    targets.close()
    reader.close()


def test_targets_are_found_in_the_store(targets, tmp_path):
    one = inferred()
    spooled(tmp_path / "spool", one)
    drained(tmp_path / "spool", tmp_path / "events.db")
    row = one.inference

    async def go():
        assert (await targets.find(row.id, "inference")).episode_id == row.episode_id
        assert (await targets.find(row.episode_id, "episode")).inference_id == row.id
        assert await targets.find(row.id, "episode") is None
        found = await targets.inference(row.id)
        assert (found.id, found.status, found.tags) == (row.id, row.status, row.tags)
        assert (found.input, found.output) == (row.input, row.output)
        assert await targets.inference(row.episode_id) is None

    asyncio.run(go())


def test_without_a_database_the_store_is_away(targets):
    with pytest.raises(StoreUnavailable):
        asyncio.run(targets.find("x", "inference"))


def test_the_store_is_asked_off_the_event_loop(tmp_path):
    class Reader:
        shared = False

        def target(self, target_id, level):
            return threading.current_thread().name, target_id, level

    targets = RecordTargets(Reader(), tmp_path)
    thread, *asked = asyncio.run(targets.find("i", "episode"))
    targets.close()
    assert asked == ["i", "episode"]
    assert thread.startswith("targets")


def test_the_watermark_is_the_recorders(targets, tmp_path):
    assert targets.watermark_ms() == 0
    (tmp_path / "spool").mkdir()
    write_status(tmp_path / "spool", RecorderStatus(1, "running", 2, watermark_ms=3))
    assert targets.watermark_ms() == 3
