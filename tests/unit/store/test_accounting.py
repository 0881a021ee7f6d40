import asyncio

from msgspec.structs import replace
from tests.support.records import inferred
from tests.support.stores import POLICY, FullDisk, crash, drained, opened

from calibrant.store.accounting import accounting
from calibrant.store.spool import Spool
from calibrant.store.sqlite_reader import SqliteReader


def test_the_books_of_a_worker_that_shed_and_died(tmp_path):
    spool, path = tmp_path / "spool", tmp_path / "events.db"
    opened(spool, path).close()
    drained(spool, path)
    reader = SqliteReader(path)
    disk = FullDisk()

    def total():
        return accounting(spool, reader).total

    async def go():
        worker = Spool.open(spool, replace(POLICY, when_full="shed"), "w", disk=disk)
        await worker.append(inferred())
        disk.room = 50
        await worker.append(inferred())
        await worker.append(inferred())
        assert (total().accepted, total().spooled, total().missing) == (1, 1, 0)
        worker._timer.cancel()
        worker._look()
        books = total()
        assert (books.accepted, books.spooled, books.shed, books.missing) == (3, 1, 2, 0)
        crash(worker)

    asyncio.run(go())
    drained(spool, path)
    books = total()
    assert (books.accepted, books.stored, books.shed, books.missing) == (3, 1, 2, 0)
    reader.close()


def test_the_books_while_a_recorder_runs(tmp_path):
    spool, path = tmp_path / "spool", tmp_path / "events.db"
    recorder = opened(spool, path)
    recorder.drain()
    reader = SqliteReader(path)

    async def go():
        worker = Spool.open(spool, replace(POLICY, segment_bytes=20_000), "w")
        for number in range(200):
            await worker.append(inferred())
            if number % 7 == 0:
                recorder.pass_once()
            books = accounting(spool, reader).total
            assert books.missing == 0
            assert books.stored + books.spooled == number + 1
        await worker.close()

    asyncio.run(go())
    recorder.close()
    reader.close()
