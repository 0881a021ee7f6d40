import os
import sqlite3
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.support.records import begun, feedback, inferred
from tests.support.stores import POLICY, ShakyEvents, crash_recorder, drained, opened, spooled

from calibrant.base.clock import SystemClock
from calibrant.base.errors import ConfigError, StoreUnavailable
from calibrant.store.accounting import accounting
from calibrant.store.base import OTHERS_LAG_MS, Pace
from calibrant.store.linking import Refusal
from calibrant.store.recorder import Recorder
from calibrant.store.segments import survey
from calibrant.store.sqlite import SqliteEvents
from calibrant.store.sqlite_reader import SqliteReader
from calibrant.store.status import read_status
from calibrant.types.query import Query
from calibrant.types.rows import SnapshotRecord


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.db"


@pytest.fixture
def reader(path):
    reader = SqliteReader(path)
    yield reader
    reader.close()


def total(spool, reader):
    return accounting(spool, reader).total


def test_everything_arrives_and_the_folder_is_empty(spool, path, reader):
    record = inferred()
    spooled(spool, SnapshotRecord("ab" * 32, b"{}", "0.1.0"), record, feedback(record.inference.id))
    done = drained(spool, path)
    assert (done.frames, done.complete, done.waiting) == (3, True, 0)
    (row,) = reader.get([record.inference.id])
    assert replace(row, worker="") == record.inference
    assert reader.model_inferences(row.id) == record.model_inferences
    assert reader.feedback_for(row.id)[0].number == 1.0
    assert reader.snapshot("ab" * 32) == SnapshotRecord("ab" * 32, b"{}", "0.1.0")
    assert {file.name for file in spool.iterdir()} == {"recorder.lock", "recorder.json"}
    books = total(spool, reader)
    assert (books.accepted, books.stored, books.missing) == (3, 3, 0)
    status = read_status(spool)
    assert (status.state, status.lag_bytes, status.store_error) == ("stopped", 0, "")
    assert status.watermark_ms > 0


def test_a_stream_without_an_end_is_interrupted_once_its_worker_is_dead(spool, path, reader):
    open_stream, ended = begun(), begun()
    final = inferred(id=ended.inference.id, stream=True)
    spooled(spool, open_stream, ended, final)
    drained(spool, path)
    rows = reader.get([open_stream.inference.id, ended.inference.id])
    assert [row.status for row in rows] == ["interrupted", "ok"]
    assert rows[1].output == final.inference.output
    assert reader.find(Query()) == (rows[1],)
    assert {row.status for row in reader.find(Query(include_failed=True))} == {"ok", "interrupted"}
    assert [row.id for row in reader.find(Query(status="interrupted"))] == [open_stream.inference.id]


def test_a_segment_that_comes_back_is_not_counted_twice(spool, path, reader):
    spooled(spool, inferred(), inferred())
    (segment,) = survey(spool)[0].segments
    data = (spool / segment.name).read_bytes()
    drained(spool, path)
    (spool / segment.name).write_bytes(data)
    drained(spool, path)
    assert total(spool, reader).stored == 2
    assert len(reader.find(Query())) == 2


def test_feedback_finds_a_target_in_another_segment_that_is_read_later(spool, path, reader):
    record = inferred()
    spooled(spool, feedback(record.inference.id, linked=False), worker="a")
    spooled(spool, record, worker="b")
    done = drained(spool, path)
    assert done.waiting == 0
    (found,) = reader.feedback_for(record.inference.id)
    assert found.linked
    assert total(spool, reader).stored == 2


def test_feedback_waits_a_while_for_a_target_in_the_spool_of_another_host(spool, path):
    class Shared(SqliteEvents):
        shared = True

    record = inferred()
    spooled(spool, feedback(record.inference.id, linked=False))
    clock = Late()
    recorder = Recorder(spool, Shared(path), clock=clock)
    recorder.open()
    try:
        recorder.drain()
        for _ in range(3):
            assert recorder.pass_once().waiting == 1
        clock.late_ms = OTHERS_LAG_MS + 1
        assert recorder.pass_once().waiting == 0
        (entry,) = recorder._events.quarantined()
        assert entry.state == "refused" and "no inference" in entry.reason
    finally:
        recorder.close()


class Late(SystemClock):
    late_ms = 0

    def wall_ms(self):
        return super().wall_ms() + self.late_ms


def test_feedback_on_nothing_goes_to_quarantine_and_can_be_tried_again(spool, path, reader):
    record = inferred()
    spooled(spool, feedback(record.inference.id, linked=False))
    drained(spool, path)
    (entry,) = reader.quarantined()
    assert entry.state == "refused"
    assert "unknown target" in entry.reason
    books = total(spool, reader)
    assert (books.quarantined, books.missing) == (1, 0)
    spooled(spool, record)
    recorder = opened(spool, path)
    recorder.drain()
    assert recorder._events.mark(entry.id, "waiting")
    recorder.drain()
    recorder.close()
    assert len(reader.feedback_for(record.inference.id)) == 1
    assert reader.quarantined() == ()
    assert total(spool, reader).stored == 2


def test_a_stricter_judge_is_heard(spool, path, reader):
    record = inferred()
    spooled(spool, record, feedback(record.inference.id, linked=False))
    drained(spool, path, link=lambda row, target: Refusal(f"no {row.metric_name} for {target.function_name}"))
    assert reader.quarantined()[0].reason == "no correct for extract"


def test_a_row_that_is_refused_does_not_block_the_line(spool, path, reader):
    good, bad, later = inferred(), inferred(input_tokens=2**63), inferred()
    spooled(spool, good, bad, later)
    drained(spool, path)
    assert {row.id for row in reader.find(Query())} == {good.inference.id, later.inference.id}
    (entry,) = reader.quarantined()
    assert (entry.state, entry.sequence) == ("refused", 2)
    books = total(spool, reader)
    assert (books.stored, books.quarantined, books.missing) == (2, 1, 0)
    assert read_status(spool).quarantined == 1
    recorder = opened(spool, path)
    recorder._events.mark(entry.id, "waiting")
    recorder.drain()
    assert reader.quarantined()[0].state == "refused"
    assert recorder._events.mark(entry.id, "dropped")
    assert not recorder._events.mark(entry.id, "waiting")
    recorder.close()
    assert reader.quarantined()[0].frame == b""
    assert total(spool, reader).missing == 0


def test_damage_in_the_middle_goes_to_quarantine_with_its_numbers(spool, path, reader):
    spooled(spool, *[inferred() for _ in range(5)])
    (segment,) = survey(spool)[0].segments
    data = bytearray((spool / segment.name).read_bytes())
    size = len(data) // 5
    data[size + 50] ^= 0xFF
    data[2 * size + 50] ^= 0xFF
    (spool / segment.name).write_bytes(data)
    drained(spool, path)
    (entry,) = reader.quarantined()
    assert (entry.frames, entry.sequence, len(entry.frame)) == (2, 2, 2 * size)
    books = total(spool, reader)
    assert (books.stored, books.quarantined, books.missing) == (3, 2, 0)
    assert "damaged" in read_status(spool).warnings[0]


def test_a_torn_tail_is_reported_and_skipped(spool, path, reader):
    spooled(spool, inferred())
    (segment,) = survey(spool)[0].segments
    with (spool / segment.name).open("ab") as file:
        file.write(b"\x40\0\0\0torn")
    drained(spool, path)
    assert reader.quarantined() == ()
    assert total(spool, reader).missing == 0
    assert "unfinished" in read_status(spool).warnings[0]


def test_a_last_frame_that_was_accepted_and_then_damaged_is_in_the_books(spool, path, reader):
    spooled(spool, inferred(), inferred())
    (segment,) = survey(spool)[0].segments
    data = bytearray((spool / segment.name).read_bytes())
    data[-1] ^= 0xFF
    (spool / segment.name).write_bytes(data)
    drained(spool, path)
    books = total(spool, reader)
    assert (books.accepted, books.stored, books.quarantined, books.missing) == (2, 1, 1, 0)


def test_a_segment_that_somebody_removed_is_missing(spool, path, reader):
    spooled(spool, *[inferred() for _ in range(4)], policy=replace(POLICY, segment_bytes=2_000))
    segments = survey(spool)[0].segments
    (spool / segments[0].name).unlink()
    drained(spool, path)
    books = total(spool, reader)
    assert books.missing == 4 - books.stored > 0


@pytest.mark.parametrize("place", ["before", "before commit", "after commit", "settle", "after retire"])
def test_trouble_at_any_place_loses_nothing(spool, path, reader, place):
    records = [inferred() for _ in range(3)]
    spooled(spool, *records)
    recorder = opened(spool, path)
    recorder._events.fail = place
    with pytest.raises(StoreUnavailable):
        recorder.drain()
    assert read_status(spool).state == "store_away"
    crash_recorder(recorder)
    drained(spool, path)
    assert {row.id for row in reader.find(Query())} == {record.inference.id for record in records}
    assert total(spool, reader).stored == 3


def test_a_locked_database_is_waited_for(spool, path, reader):
    drained(spool, path)
    spooled(spool, inferred())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    recorder = opened(spool, path)
    with pytest.raises(StoreUnavailable, match="locked"):
        recorder.drain()
    assert "locked" in read_status(spool).store_error
    assert total(spool, reader).spooled == 1
    other.execute("ROLLBACK")
    other.close()
    recorder.drain()
    recorder.close()
    assert total(spool, reader).stored == 1


def test_a_missing_folder_or_file_is_waited_for(spool, tmp_path):
    spooled(spool, inferred())
    path = tmp_path / "away" / "events.db"
    recorder = opened(spool, path)
    with pytest.raises(StoreUnavailable, match="does not exist"):
        recorder.drain()
    path.parent.mkdir()
    recorder.drain()
    path.rename(tmp_path / "elsewhere.db")
    with pytest.raises(StoreUnavailable):
        recorder.drain()
    assert not path.exists()
    (tmp_path / "elsewhere.db").rename(path)
    recorder.drain()
    recorder.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where it likes; the next test needs no chmod")
def test_a_read_only_database_is_waited_for(spool, path):
    drained(spool, path)
    spooled(spool, inferred())
    path.chmod(0o400)
    recorder = opened(spool, path)
    with pytest.raises(StoreUnavailable):
        recorder.drain()
    path.chmod(0o600)
    recorder.drain()
    recorder.close()


class ReadOnlyEvents(ShakyEvents):
    read_only = True

    def _connection(self):
        connection = super()._connection()
        connection.execute(f"PRAGMA query_only = {int(self.read_only)}")
        return connection


def test_a_store_that_refuses_every_write_is_waited_for(spool, path, reader):
    spooled(spool, inferred())
    events = ReadOnlyEvents(path)
    recorder = opened(spool, path, events=events)
    with pytest.raises(StoreUnavailable, match="readonly"):
        recorder.drain()
    assert reader.quarantined() == ()
    events.read_only = False
    recorder.drain()
    recorder.close()
    assert total(spool, reader).stored == 1


def test_there_is_one_recorder(spool, path):
    first = opened(spool, path)
    with pytest.raises(ConfigError, match="another recorder"):
        opened(spool, path)
    first.close()
    opened(spool, path).close()


def test_it_runs_until_it_is_stopped(spool, path, reader):
    recorder = opened(spool, path)
    stop = threading.Event()
    thread = threading.Thread(target=recorder.run, args=(stop,))
    thread.start()
    try:
        spooled(spool, *[inferred() for _ in range(10)])
        for _ in range(500):
            if path.exists() and reader.health().ok and len(reader.find(Query())) == 10:
                break
            stop.wait(0.01)
    finally:
        stop.set()
        thread.join(10)
    recorder.close()
    assert len(reader.find(Query())) == 10


def test_books_before_there_is_a_database_say_so(spool, path, reader):
    spooled(spool, inferred())
    with pytest.raises(StoreUnavailable, match="No such file"):
        accounting(Path(spool), reader)


def test_texts_become_known_to_searches_while_there_is_little_to_do(spool, path, reader):
    spooled(spool, *[inferred(input=b'"a needle"') for _ in range(250)])
    recorder = opened(spool, path)
    recorder.pass_once()
    assert reader.search_behind() == 250
    stop = threading.Event()
    thread = threading.Thread(target=recorder.run, args=(stop,))
    thread.start()
    try:
        for _ in range(500):
            if not reader.search_behind():
                break
            stop.wait(0.01)
    finally:
        stop.set()
        thread.join(10)
    recorder.close()
    assert len(reader.find(Query(text="NEEDLE", limit=999))) == 250


def test_texts_are_left_alone_where_nobody_searches(spool, path, reader):
    spooled(spool, inferred())
    recorder = opened(spool, path, search=False)
    recorder.pass_once()
    assert not recorder._index_text()
    assert reader.search_behind() == 1
    recorder.close()


class Measured(ShakyEvents):
    """A store that likes small pieces and long rests."""

    pace = Pace(frames=2, rest_s=7.0)
    sizes = ()

    def append(self, batch):
        self.sizes += (len(batch.entries),)
        return super().append(batch)


class Stop(threading.Event):
    """Asked to stop after three looks; notes how long each rest was to be."""

    def __init__(self):
        super().__init__()
        self.rests = []

    def wait(self, timeout=None):
        self.rests.append(timeout)
        if len(self.rests) == 3:
            self.set()
        return self.is_set()


def test_a_store_is_written_in_the_pieces_that_it_likes(spool, path):
    spooled(spool, *[inferred() for _ in range(5)])
    events = Measured(path)
    recorder = opened(spool, path, events=events)
    stop = Stop()
    recorder.run(stop)
    recorder.close()
    assert events.sizes == (2, 2, 1)
    assert stop.rests == [7.0, 7.0, 7.0]
