"""PostgreSQL cut off, stopped, locked, slow or full while records come in: each is stored in the end, and once."""

import asyncio
import os
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg
import pytest
from tests.contract.stores.test_events import batch
from tests.support.gateway import until
from tests.support.postgres import drop, fresh_postgres, fresh_settings, own_server
from tests.support.records import begun, feedback, inferred
from tests.support.stores import POLICY, spooled

from calibrant.base.errors import StoreUnavailable
from calibrant.store.base import Batch, Entry, Pace
from calibrant.store.postgres import PostgresEvents
from calibrant.store.postgres_connection import Postgres
from calibrant.store.postgres_migrations import migrate
from calibrant.store.recorder import Recorder
from calibrant.store.spool import Spool
from calibrant.store.status import read_status
from calibrant.types.query import Query
from calibrant.types.rows import SnapshotRecord

TIMES = {"statement_timeout_s": 0.6, "lock_timeout_s": 0.2}
PAUSE_S = 0.002


class Load:
    """Records go into a spool all the while, and a recorder takes them to PostgreSQL."""

    def __init__(self, folder, settings):
        self.postgres = Postgres(settings)
        self.events = PostgresEvents(self.postgres)
        self.events.pace = Pace(frames=30)
        self.folder = folder
        self.inferences, self.models, self.feedback = [], [], []
        # Half of the least that it would wait after trouble.
        self._recorder = Recorder(folder, self.events, draw=lambda: 0.0)
        self._full, self._stop = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=asyncio.run, args=[self._spool()]), threading.Thread(target=self._run)]

    async def _spool(self):
        spool = Spool.open(self.folder, POLICY, "w")
        for number in count():
            if self._full.is_set():
                break
            record = inferred(stream=number % 3 == 0)
            records = [record, feedback(record.inference.id, linked=number % 2 == 0)]
            if record.inference.stream:
                records.insert(0, begun(id=record.inference.id, episode_id=record.inference.episode_id))
            for each in records:
                # No trouble of the database is one of the gateway's.
                await spool.append(each)
            self.inferences.append(record.inference.id)
            self.models += [call.id for call in record.model_inferences]
            self.feedback.append(records[-1].feedback.id)
            await asyncio.sleep(PAUSE_S)
        self.accepted = spool._next - 1
        await spool.close()

    def _run(self):
        self._recorder.open()
        self._recorder.run(self._stop)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._full.set()
        self._stop.set()
        for thread in self._threads:
            thread.join(20)
        self._recorder.close()

    def flowing(self, more=60):
        """Wait until more has come in and more is stored."""
        before = len(self.inferences)
        until(lambda: len(self.inferences) >= before + more, "records to come in")

    def away(self):
        """Wait until the recorder has said that the database is in trouble."""

        def said():
            status = read_status(self.folder)
            return status is not None and status.state == "store_away" and status.store_error

        return until(said, "trouble to be told", patience=45)

    def settled(self):
        """All that was accepted is in the tables, once, and nothing else is."""
        self._full.set()
        self._threads[0].join(20)

        def stored():
            with suppress(StoreUnavailable):
                books = self.events_seen(lambda reader: reader.books())
                return sum(one.stored for each in books for one in each.segments) == self.accepted

        until(stored, "the recorder to catch up", patience=30)
        assert [books.quarantined for books in self.events_seen(lambda reader: reader.books())] == [0]
        for table, ids in (
            ("inferences", self.inferences),
            ("inference_data", self.inferences),
            ("inference_text", self.inferences),
            ("model_inferences", self.models),
            ("model_inference_data", self.models),
            ("feedback", self.feedback),
        ):
            assert sorted(self.column(f"SELECT id FROM {table}")) == sorted(ids), table
        assert set(self.column("SELECT DISTINCT status FROM inferences")) == {"ok"}
        assert set(self.column("SELECT DISTINCT linked FROM feedback")) == {1}
        for table in ("inferences", "model_inferences", "feedback"):
            assert self.column(f"SELECT count(*) - count(DISTINCT seq) FROM {table}") == [0], table

    def events_seen(self, ask):
        reader = PostgresEvents(Postgres(self.postgres.settings))
        try:
            return ask(reader)
        finally:
            reader.close()

    def column(self, query):
        with self.admin() as connection:
            return [row[0] for row in connection.execute(query)]

    def admin(self):
        return admin(self.postgres.settings)


def admin(settings):
    """A connection of somebody else's."""
    return psycopg.connect(settings.url, autocommit=True, options=f"-c search_path={settings.schema}")


@contextmanager
def loaded(folder, url=None, **times):
    settings = fresh_settings(url, **{**TIMES, **times})
    load = Load(folder, settings)
    migrate(load.postgres)
    with load:
        load.flowing()
        yield load
    drop(settings)


@pytest.mark.slow
def test_sessions_that_are_cut_off(tmp_path):
    with loaded(tmp_path) as load, load.admin() as other:
        cut = 0
        deadline = time.monotonic() + 15
        while cut < 3 and time.monotonic() < deadline:
            # In the middle of something, so that nobody knows whether it was committed.
            (found,) = other.execute(
                "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                "application_name = 'calibrant' AND xact_start IS NOT NULL AND query !~* 'pg_stat_activity') t"
            ).fetchone()
            cut += found
            # A batch or two go well in between.
            time.sleep(0.3 if found else 0.002)
        assert cut >= 3
        load.settled()


@pytest.mark.slow
def test_a_table_that_is_locked_for_longer_than_anybody_waits(tmp_path):
    with loaded(tmp_path) as load, load.admin() as other:
        with other.transaction():
            other.execute("LOCK TABLE model_inferences IN ACCESS EXCLUSIVE MODE")
            assert any(each in load.away() for each in ("lock timeout", "took longer"))
            load.flowing()
        load.settled()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_is_stopped_and_started_again(tmp_path, mode):
    with own_server() as server, loaded(tmp_path, server.url) as load:
        for _ in range(2):
            server.stop(mode)
            assert load.away()
            load.flowing()
            server.start()
            until(lambda: read_status(tmp_path).state == "running", "the recorder to go on")
            load.flowing()
        load.settled()


@pytest.mark.slow
def test_a_disk_that_is_full(tmp_path):
    times = {"statement_timeout_s": 10, "lock_timeout_s": 10}
    with own_server() as server, small_disk(server) as disk, loaded(tmp_path, server.url, **times) as load:
        with load.admin() as other:
            other.execute(f"CREATE TABLESPACE tight LOCATION '{disk}'")
            for name in load.column("SELECT inhrelid::regclass::text FROM pg_inherits"):
                if name.startswith("model_inference_data_2"):
                    other.execute(f"ALTER TABLE {name} SET TABLESPACE tight")
        filler = disk / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        assert "No space left on device" in load.away()
        load.flowing()
        assert load.column("SELECT count(*) FROM quarantine") == [0]
        filler.unlink()
        load.settled()


@contextmanager
def small_disk(server):
    """A file system with room for little."""
    place = Path(tempfile.mkdtemp(prefix="calibrant-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        place.rmdir()
        pytest.skip("only who may mount a file system can have one that is full")
    try:
        folder = place / "tablespace"
        folder.mkdir()
        os.chown(folder, server.data.stat().st_uid, server.data.stat().st_gid)
        place.chmod(0o755)
        yield folder
    finally:
        server.stop("immediate")
        subprocess.run(["umount", place], check=True)
        place.rmdir()


def refuse(load, what):
    """Have the server do something before any row of a model call is stored."""
    with load.admin() as other:
        other.execute(f"CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what}; END $$")
        other.execute(
            "CREATE TRIGGER trouble BEFORE INSERT ON model_inferences FOR EACH STATEMENT EXECUTE FUNCTION trouble()"
        )


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'", "No space left"),
        pytest.param("PERFORM pg_sleep(5); RETURN NULL", "statement timeout", marks=pytest.mark.slow),
        ("RAISE EXCEPTION 'permission denied' USING ERRCODE = '42501'", "permission denied"),
        ("RAISE EXCEPTION 'read-only' USING ERRCODE = '25006'", "read-only"),
    ],
    ids=["full", "slow", "right", "read-only"],
)
def test_statements_that_the_server_will_not_do(tmp_path, what, said):
    with loaded(tmp_path) as load:
        refuse(load, what)
        assert said in load.away() or "took longer" in load.away()
        load.flowing()
        # What was refused is trouble of the database, never a fault of rows.
        assert load.column("SELECT count(*) FROM quarantine") == [0]
        with load.admin() as other:
            other.execute("DROP FUNCTION trouble CASCADE")
        load.settled()


def test_a_table_that_is_missing_is_waited_for(tmp_path):
    with loaded(tmp_path) as load:
        with load.admin() as other:
            other.execute("ALTER TABLE feedback RENAME TO elsewhere")
        assert "calibrant migrate" in load.away()
        assert load.column("SELECT count(*) FROM quarantine") == [0]
        with load.admin() as other:
            other.execute("ALTER TABLE elsewhere RENAME TO feedback")
        load.settled()


def test_whoever_follows_the_numbers_of_two_recorders_misses_nothing(tmp_path):
    each = 240
    hosts = [tmp_path / "a", tmp_path / "b"]
    ids = set()
    for host in hosts:
        records = [inferred() for _ in range(each)]
        ids |= {record.inference.id for record in records}
        spooled(host, *records)
    with fresh_postgres() as postgres:
        migrate(postgres)
        threads = [threading.Thread(target=drained, args=(host, postgres.settings)) for host in hosts]
        with admin(postgres.settings) as follower:
            for thread in threads:
                thread.start()
            seen, last = [], 0
            done = False
            while not done:
                # Looked at before the question: who is done by now has shown everything.
                done = not any(thread.is_alive() for thread in threads)
                rows = follower.execute(
                    "SELECT seq, id FROM inferences WHERE seq > %s ORDER BY seq", (last,)
                ).fetchall()
                seen += rows
                last = rows[-1][0] if rows else last
            assert len(seen) == len(ids) == 2 * each
            assert {row[1] for row in seen} == ids
            # They did take turns: otherwise this has shown nothing.
            workers = follower.execute("SELECT worker FROM inferences ORDER BY seq").fetchall()
            assert sum(one != other for one, other in zip(workers, workers[1:], strict=False)) > 5


def drained(host, settings):
    events = PostgresEvents(Postgres(settings))
    events.pace = Pace(frames=4)
    recorder = Recorder(host, events)
    recorder.open()
    recorder.drain()
    recorder.close()


def test_rows_that_can_never_be_stored_go_to_quarantine_alone():
    long = "".join(chr(0x4E00 + (number * 7919) % 20000) for number in range(4000))
    bad = {
        7: inferred(input_tokens=2**63),
        20: inferred(function_name=long),
        21: inferred(variant_name="\ud800"),
        38: feedback("t", metric_name=long),
    }
    records = [bad.get(number) or inferred() for number in range(40)]
    # A lone surrogate cannot be spooled; the frame is another record's.
    framed = batch(*(inferred() if number == 21 else record for number, record in enumerate(records)))
    entries = tuple(Entry(record, entry.frame) for record, entry in zip(records, framed.entries, strict=True))
    whole = Batch("w", framed.segment, 0, framed.end, framed.last_sequence, entries, at_ms=1)
    with fresh_postgres() as postgres:
        migrate(postgres)
        events = PostgresEvents(postgres)
        done = events.append(whole)
        assert (done.stored, len(done.refused)) == (36, 4)
        waiting = events.quarantined()
        assert [entry.sequence for entry in waiting] == [number + 1 for number in bad]
        reasons = [entry.reason for entry in waiting]
        for reason, told in zip(reasons, ("out of range", "index row", "surrogates", "index row"), strict=True):
            assert told in reason
        good = {record.inference.id for number, record in enumerate(records) if number not in bad}
        assert {row.id for row in events.find(Query(limit=100, include_failed=True))} == good
        assert events.append(whole).stored == 0


def test_a_stream_whose_two_records_stand_apart_from_a_bad_row_is_whole():
    start = begun()
    end = inferred(id=start.inference.id, stream=True)
    with fresh_postgres() as postgres:
        migrate(postgres)
        events = PostgresEvents(postgres)
        done = events.append(batch(SnapshotRecord("ab" * 32, b"{}", "1"), start, inferred(input_tokens=2**63), end))
        assert (done.stored, len(done.refused)) == (3, 1)
        (row,) = events.find(Query())
        assert (row.id, row.status, row.output) == (end.inference.id, "ok", end.inference.output)


def test_a_session_that_was_ended_while_nobody_used_it_is_not_lent_again():
    with fresh_postgres() as postgres:
        migrate(postgres)
        reader = PostgresEvents(postgres)
        assert reader.find(Query()) == ()
        with admin(postgres.settings) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'calibrant'")
            left = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'calibrant'"
            until(lambda: not other.execute(left).fetchall(), "the sessions to be gone")
        assert reader.find(Query()) == ()
