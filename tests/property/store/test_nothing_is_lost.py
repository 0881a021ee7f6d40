"""Workers, recorder and store are killed and broken in any order: nothing is lost or doubled, the books add up."""

import asyncio
import functools
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.support.records import begun, feedback, inferred
from tests.support.stores import FullDisk, ShakyEvents, crash, crash_recorder, opened

from calibrant.base.errors import SpoolFull, StoreUnavailable
from calibrant.config.schema import SpoolPolicy
from calibrant.store.accounting import accounting
from calibrant.store.segments import survey
from calibrant.store.spool import Spool
from calibrant.store.sqlite import SqliteEvents
from calibrant.store.sqlite_reader import SqliteReader


@functools.cache
def empty_database():
    """A database with tables, as bytes: migrating one for each example would take most of the time."""
    with tempfile.TemporaryDirectory() as folder:
        events = SqliteEvents(Path(folder) / "events.db")
        events.used_bytes()
        events.close()
        return (Path(folder) / "events.db").read_bytes()


class Machine(RuleBasedStateMachine):
    when_full = "reject"

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.directory = self.folder / "spool"
        self.directory.mkdir()
        self.path = self.folder / "events.db"
        self.loop = asyncio.new_event_loop()
        self.policy = SpoolPolicy(min_free_bytes=0, segment_bytes=6_000, when_full=self.when_full)
        # Processes are killed here, not machines: waiting for the disk would prove nothing and take minutes.
        self.real_sync, os.fsync = os.fsync, lambda descriptor: None
        self.path.write_bytes(empty_database())
        self.workers = []
        self.open_streams = []
        self.expected = {}
        self.feedback = set()
        self.seen = []
        self.recorder = opened(self.directory, self.path)
        self.reader = SqliteReader(self.path)
        self.recorder.pass_once()

    def append(self, worker, record):
        """Return whether the worker's answer went out."""

        async def go():
            try:
                await worker.append(record)
            except SpoolFull:
                return False
            return True

        return self.loop.run_until_complete(go())

    def worker(self, number):
        async def start():
            return Spool.open(self.directory, self.policy, "w", disk=FullDisk())

        while len(self.workers) <= number:
            self.workers.append(self.loop.run_until_complete(start()))
        return self.workers[number]

    @rule(number=st.integers(0, 1), size=st.sampled_from([10, 3_000]))
    def infer(self, number, size):
        worker = self.worker(number)
        record = inferred(worker=worker.incarnation, output=b"x" * size)
        shed = worker.figures.pending
        if self.append(worker, record) and worker.figures.pending <= shed:
            self.expected[record.inference.id] = "ok"
            self.seen.append(record.inference.id)

    @rule(number=st.integers(0, 1))
    def begin(self, number):
        worker = self.worker(number)
        record = begun(worker=worker.incarnation)
        shed = worker.figures.pending
        if self.append(worker, record) and worker.figures.pending <= shed:
            self.expected[record.inference.id] = "running"
            self.open_streams.append((worker, record.inference.id))
            self.seen.append(record.inference.id)

    @precondition(lambda self: self.open_streams)
    @rule()
    def end(self):
        worker, stream = self.open_streams.pop()
        shed = worker.figures.pending
        went = self.append(worker, inferred(id=stream, worker=worker.incarnation, stream=True))
        # Where the end could not be recorded, the stream is found interrupted when its worker is gone.
        self.expected[stream] = "ok" if went and worker.figures.pending <= shed else "interrupted"

    @precondition(lambda self: self.seen)
    @rule(number=st.integers(0, 1), which=st.integers(0, 99))
    def judge(self, number, which):
        worker = self.worker(number)
        record = feedback(self.seen[which % len(self.seen)], linked=False)
        shed = worker.figures.pending
        if self.append(worker, record) and worker.figures.pending <= shed:
            self.feedback.add(record.feedback.id)

    @rule(number=st.integers(0, 1), room=st.integers(0, 4_000), can_truncate=st.booleans())
    def fill_disk(self, number, room, can_truncate):
        disk = self.worker(number)._disk
        disk.room, disk.can_truncate = room, can_truncate

    @rule()
    def free_disk(self):
        for worker in self.workers:
            worker._disk.room, worker._disk.can_truncate = 2**60, True
            self.loop.run_until_complete(self.look(worker))

    async def look(self, worker):
        worker._timer.cancel()
        worker._look()

    @precondition(lambda self: self.workers)
    @rule(torn=st.booleans())
    def kill_worker(self, torn):
        worker = self.workers.pop()
        self.loop.run_until_complete(self.look(worker))
        crash(worker)
        for _, stream in [pair for pair in self.open_streams if pair[0] is worker]:
            self.expected[stream] = "interrupted"
        self.open_streams = [pair for pair in self.open_streams if pair[0] is not worker]
        for incarnation in survey(self.directory):
            if torn and incarnation.name == worker.incarnation and incarnation.segments:
                with (self.directory / incarnation.segments[-1].name).open("ab") as file:
                    file.write(b"\x40\0\0\0torn")

    @rule()
    def kill_recorder(self):
        crash_recorder(self.recorder)
        self.recorder = opened(self.directory, self.path)

    @rule(place=st.sampled_from(["before", "before commit", "after commit", "settle", "after retire"]))
    def break_store(self, place):
        events = self.recorder._events
        assert isinstance(events, ShakyEvents)
        events.fail = place

    @rule()
    def record(self):
        try:
            self.recorder.pass_once()
        except StoreUnavailable as error:
            self.recorder._note_trouble(error.message)

    @invariant()
    def books_add_up(self):
        assert accounting(self.directory, self.reader).total.missing == 0

    def teardown(self):
        try:
            for worker in self.workers:
                worker._disk.room, worker._disk.can_truncate = 2**60, True
                self.loop.run_until_complete(worker.close())
            for _, stream in self.open_streams:
                self.expected[stream] = "interrupted"
            self.recorder._events.fail = ""
            self.recorder.drain()
            self.check()
        finally:
            self.recorder.close()
            self.reader.close()
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()
            os.fsync = self.real_sync
            shutil.rmtree(self.folder)

    def check(self):
        with sqlite3.connect(self.path) as connection:
            rows = dict(connection.execute("SELECT id, status FROM inferences").fetchall())
            judged = [row[0] for row in connection.execute("SELECT id FROM feedback")]
            orphans = connection.execute(
                "SELECT count(*) FROM inference_data WHERE seq NOT IN (SELECT seq FROM inferences)"
            ).fetchone()
        connection.close()
        assert rows == self.expected
        assert sorted(judged) == sorted(self.feedback)
        assert orphans == (0,)
        total = accounting(self.directory, self.reader).total
        assert (total.spooled, total.quarantined, total.missing) == (0, 0, 0)
        assert total.stored + total.shed == total.accepted
        left = {path.name for path in self.directory.iterdir()}
        assert left <= {"recorder.lock", "recorder.json"}


class SheddingMachine(Machine):
    when_full = "shed"


_settings = settings(max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
TestReject = Machine.TestCase
TestReject.settings = _settings
TestShed = SheddingMachine.TestCase
TestShed.settings = _settings
