import asyncio
import os
import stat
import threading

import pytest
from msgspec.structs import replace
from tests.support.records import inferred
from tests.support.stores import POLICY, FullDisk, crash

from calibrant.base.errors import ConfigError, SpoolFull
from calibrant.store.disk import Disk
from calibrant.store.frame import decode_record, scan
from calibrant.store.segments import Figures, is_free, lock_path, read_figures, survey
from calibrant.store.spool import Spool
from calibrant.types.rows import Shed


def frames(directory):
    found = [segment for incarnation in survey(directory) for segment in incarnation.segments]
    return [frame for segment in found for frame in scan((directory / segment.name).read_bytes()).frames]


def run(directory, work, policy=POLICY, disk=None):
    async def go():
        spool = Spool.open(directory, policy, "w", disk=disk)
        try:
            return await work(spool)
        finally:
            await spool.close()

    return asyncio.run(go())


class CountingDisk(Disk):
    def __init__(self):
        self.writes = 0
        self.syncs = 0

    def write(self, descriptor, data):
        self.writes += 1
        return super().write(descriptor, data)

    def sync(self, descriptor):
        self.syncs += 1
        super().sync(descriptor)


def test_one_write_for_all_appends_of_a_turn(tmp_path):
    disk = CountingDisk()
    records = [inferred() for _ in range(50)]

    async def work(spool):
        futures = [spool.append(record) for record in records]
        assert disk.writes == 0
        await asyncio.wait(futures)
        assert disk.writes == 1
        assert spool.figures == Figures(written=50)

    run(tmp_path / "spool", work, disk=disk)
    found = frames(tmp_path / "spool")
    assert [frame.sequence for frame in found] == list(range(1, 51))
    assert [decode_record(frame) for frame in found] == records


def test_a_cancelled_caller_does_not_disturb_the_others(tmp_path):
    async def work(spool):
        first, second = spool.append(inferred()), spool.append(inferred())
        first.cancel()
        await second

    run(tmp_path, work)
    assert len(frames(tmp_path)) == 2


def test_only_the_owner_can_read(tmp_path):
    async def work(spool):
        await spool.append(inferred())

    directory = tmp_path / "a" / "spool"
    run(directory, work)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_a_full_segment_is_followed_by_another(tmp_path):
    async def work(spool):
        for _ in range(6):
            await spool.append(inferred())

    run(tmp_path, work, replace(POLICY, segment_bytes=3_000))
    (incarnation,) = survey(tmp_path)
    assert len(incarnation.segments) == 3
    assert [segment.number for segment in incarnation.segments] == [1, 2, 3]
    assert len(frames(tmp_path)) == 6


def test_the_lock_tells_the_living_from_the_dead(tmp_path):
    async def go():
        spool = Spool.open(tmp_path, POLICY, "w")
        await spool.append(inferred())
        alive = survey(tmp_path)[0]
        crash(spool)
        return spool.incarnation, alive, survey(tmp_path)[0]

    name, alive, dead = asyncio.run(go())
    assert (alive.name, alive.dead, alive.segments[0].sealed) == (name, False, False)
    assert (dead.name, dead.dead, dead.segments[0].sealed) == (name, True, True)
    assert is_free(lock_path(tmp_path, name))


def test_durability_disk_answers_after_the_disk(tmp_path):
    gate = threading.Event()

    class SlowDisk(CountingDisk):
        def sync(self, descriptor):
            assert gate.wait(10)
            super().sync(descriptor)

    async def work(spool):
        first = [spool.append(inferred()) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert not any(future.done() for future in first)
        later = [spool.append(inferred()) for _ in range(3)]
        gate.set()
        await asyncio.wait([*first, *later])
        assert disk.syncs <= 4

    disk = SlowDisk()
    run(tmp_path, work, replace(POLICY, durability="disk", segment_bytes=3_000), disk)
    assert len(frames(tmp_path)) == 6


def test_a_disk_that_does_not_synchronise_is_an_error_and_a_new_segment(tmp_path):
    class BadDisk(Disk):
        bad = True

        def sync(self, descriptor):
            if self.bad:
                raise OSError(5, "Input/output error")

    disk = BadDisk()

    async def work(spool):
        with pytest.raises(SpoolFull, match="synchronising failed"):
            await spool.append(inferred())
        disk.bad = False
        await spool.append(inferred())

    run(tmp_path, work, replace(POLICY, durability="disk"), disk)
    assert len(survey(tmp_path)[0].segments) == 2


def test_durability_memory_answers_at_once(tmp_path):
    async def work(spool):
        assert spool.append(inferred()).done()
        assert frames(tmp_path) == []

    run(tmp_path, work, replace(POLICY, durability="memory"))
    assert len(frames(tmp_path)) == 1


@pytest.mark.parametrize("can_truncate", [True, False])
def test_a_full_disk_leaves_whole_frames_and_gives_numbers_back(tmp_path, can_truncate):
    disk = FullDisk()
    disk.can_truncate = can_truncate

    async def work(spool):
        await spool.append(inferred())
        one = os.stat(tmp_path / survey(tmp_path)[0].segments[0].name).st_size
        disk.room = one + 100
        fits, does_not = spool.append(inferred()), spool.append(inferred())
        await fits
        with pytest.raises(SpoolFull, match="No space left") as caught:
            await does_not
        assert str(tmp_path) in caught.value.message
        with pytest.raises(SpoolFull):
            spool.reserve()
        disk.room = 2**60
        await spool.append(inferred())
        assert spool.figures == Figures(written=3, rejected=2)

    run(tmp_path, work, disk=disk)
    assert [frame.sequence for frame in frames(tmp_path)] == [1, 2, 3]


def test_shedding_is_counted_and_numbers_are_not_reused(tmp_path):
    disk = FullDisk()

    async def work(spool):
        await spool.append(inferred())
        disk.room = 100
        await spool.append(inferred())
        await spool.append(inferred())
        assert spool.reserve() is False
        assert spool.figures == Figures(written=1, pending=2)
        disk.room = 2**60
        spool._timer.cancel()
        spool._look()
        assert spool.reserve() is True
        await spool.append(inferred())
        assert spool.figures == Figures(written=4)

    run(tmp_path, work, replace(POLICY, when_full="shed"), disk)
    found = frames(tmp_path)
    assert [frame.sequence for frame in found] == [1, 3, 4]
    assert decode_record(found[1]) == Shed(2)


@pytest.mark.parametrize(
    ("policy", "setting"),
    [({"max_bytes": 10}, "spool.max_bytes is 10"), ({"min_free_bytes": 2**62}, "spool.min_free_bytes")],
)
def test_room_is_asked_for_before_the_upstream_is_paid(tmp_path, policy, setting):
    async def work(spool):
        if "max_bytes" in policy:
            assert spool.reserve() is True
            await spool.append(inferred())
        with pytest.raises(SpoolFull, match=setting):
            spool.reserve()
        # What was paid for is recorded all the same.
        await spool.append(inferred())
        assert spool.figures.rejected == 1
        return spool.incarnation

    name = run(tmp_path, work, replace(POLICY, **policy))
    assert read_figures(tmp_path, name).rejected == 1


def test_a_disk_with_nothing_free_has_no_room_even_if_nothing_is_to_be_kept_free(tmp_path):
    class NothingFree(Disk):
        def free(self, directory):
            return 0

    async def work(spool):
        with pytest.raises(SpoolFull, match="0 bytes are free on the disk"):
            spool.reserve()

    run(tmp_path, work, POLICY, NothingFree())


def test_a_spool_opens_on_a_full_disk_and_publishes_later(tmp_path, monkeypatch):
    write, full = os.pwrite, [True]

    def pwrite(descriptor, data, offset):
        if full[0]:
            raise OSError(28, "No space left on device")
        return write(descriptor, data, offset)

    async def work(spool):
        await spool.append(inferred())
        spool._publish()
        assert read_figures(tmp_path, spool.incarnation) == Figures()
        full[0] = False
        return spool.incarnation

    monkeypatch.setattr(os, "pwrite", pwrite)
    assert read_figures(tmp_path, run(tmp_path, work)).written == 1


def test_other_workers_count_towards_max_bytes(tmp_path):
    async def work(spool):
        await spool.append(inferred())
        other = Spool.open(tmp_path, replace(POLICY, max_bytes=10), "v")
        with pytest.raises(SpoolFull):
            other.reserve()
        await other.close()

    run(tmp_path, work)


def test_a_folder_that_was_removed_is_noticed(tmp_path):
    async def work(spool):
        await spool.append(inferred())
        for path in tmp_path.iterdir():
            path.unlink()
        spool._timer.cancel()
        spool._look()
        with pytest.raises(SpoolFull, match="removed or replaced"):
            spool.reserve()
        with pytest.raises(SpoolFull, match="removed or replaced"):
            await spool.append(inferred())

    run(tmp_path, work)


def test_a_folder_that_cannot_be_made_is_a_mistake_of_configuration(tmp_path):
    (tmp_path / "file").write_text("")

    async def go():
        Spool.open(tmp_path / "file" / "spool", POLICY, "w")

    with pytest.raises(ConfigError, match="file/spool"):
        asyncio.run(go())
