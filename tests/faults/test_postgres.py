"""PostgreSQL that is cut off, locked, slow or full while a recorder drains into it: nothing is lost or doubled."""

import asyncio
import random
import threading
import time
from contextlib import suppress
from itertools import count

import psycopg
import pytest
from tests.support.homes import appended
from tests.support.postgres import fresh_postgres, server_url
from tests.support.records import feedback, inferred

from calibrant.base.errors import StoreUnavailable
from calibrant.config.schema import SpoolPolicy
from calibrant.store.accounting import accounting
from calibrant.store.postgres import PostgresEvents
from calibrant.store.postgres_migrations import migrate
from calibrant.store.postgres_reader import PostgresReader
from calibrant.store.recorder import Recorder
from calibrant.store.spool import Spool
from calibrant.types.query import Query
from calibrant.types.rows import Inferred

POLICY = SpoolPolicy(min_free_bytes=0)
PATIENCE_S = 20


@pytest.fixture
def postgres():
    with fresh_postgres(statement_timeout_s=1.0, lock_timeout_s=0.3) as made:
        migrate(made)
        yield made


def filled(folder, records, worker="w"):
    async def fill():
        spool = Spool.open(folder, POLICY, worker)
        for record in records:
            await spool.append(record)
        await spool.close()

    asyncio.run(fill())


def drained(folder, postgres):
    """Drain as `Recorder.run` does, trying again after trouble; return how often there was any."""
    recorder = Recorder(folder, PostgresEvents(postgres))
    recorder.open()
    troubles = 0
    until = time.monotonic() + PATIENCE_S
    try:
        while True:
            try:
                recorder.drain()
            except StoreUnavailable:
                troubles += 1
                assert time.monotonic() < until, "it does not come back"
                time.sleep(0.05)
            else:
                return troubles
    finally:
        recorder.close()


def check(folder, postgres, records):
    reader = PostgresReader(postgres)
    wanted = {record.inference.id for record in records if isinstance(record, Inferred)}
    found = [row.id for row in reader.find(Query(limit=10_000, payloads=False))]
    assert len(found) == len(set(found)) and set(found) == wanted
    with postgres.lent() as connection:
        (calls,) = connection.execute("SELECT count(*) FROM model_inferences").fetchone()
    assert calls == len(wanted)
    books = accounting(folder, reader).total
    assert (books.missing, books.spooled, books.quarantined) == (0, 0, 0) and books.stored == len(records)


def administrator():
    return psycopg.connect(server_url(), autocommit=True)


def cut(postgres, stop, made):
    """End every session of the recorder, again and again."""
    with administrator() as connection:
        made.set()
        while not stop.wait(0.02):
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'calibrant' AND pid <> pg_backend_pid()"
            )


def lock(postgres, stop, made):
    """Hold a lock on a table for longer than the recorder waits for it."""
    with psycopg.connect(server_url()) as connection:
        connection.execute(f"SET search_path = {postgres.settings.schema}")
        connection.execute("LOCK TABLE arrivals IN ACCESS EXCLUSIVE MODE")
        made.set()
        stop.wait(1.5)


def slow(postgres, stop, made):
    """Make every batch slower than a statement may be."""
    schema = postgres.settings.schema
    with administrator() as connection:
        connection.execute(f"SET search_path = {schema}")
        connection.execute(
            "CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_sleep(5); RETURN NULL; END $$"
        )
        connection.execute("CREATE TRIGGER pause AFTER UPDATE ON arrivals EXECUTE FUNCTION pause()")
        made.set()
        stop.wait(2.5)
        with suppress(psycopg.errors.LockNotAvailable):
            connection.execute("DROP TRIGGER pause ON arrivals")


def full(postgres, stop, made):
    """Have the server say that its disk is full."""
    schema = postgres.settings.schema
    with administrator() as connection:
        connection.execute(f"SET search_path = {schema}")
        connection.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
        )
        connection.execute("CREATE TRIGGER full_disk BEFORE UPDATE ON arrivals EXECUTE FUNCTION full_disk()")
        made.set()
        stop.wait(1.5)
        connection.execute("DROP TRIGGER full_disk ON arrivals")


@pytest.mark.parametrize("trouble", [cut, lock, slow, full])
def test_trouble_while_a_recorder_drains(postgres, tmp_path, trouble):
    records = [inferred() for _ in range(600)]
    records += [feedback(record.inference.id) for record in records[:100]]
    filled(tmp_path, records)
    stop, made = threading.Event(), threading.Event()
    maker = threading.Thread(target=trouble, args=(postgres, stop, made))
    maker.start()
    assert made.wait(20)
    timer = threading.Timer(3.0, stop.set)
    timer.start()
    try:
        troubles = drained(tmp_path, postgres)
    finally:
        stop.set()
        timer.cancel()
        maker.join()
    assert troubles or trouble is cut
    check(tmp_path, postgres, records)


def test_a_commit_whose_answer_was_cut_off_is_not_made_again(postgres, tmp_path):
    records = [inferred() for _ in range(50)]
    filled(tmp_path, records)
    events = PostgresEvents(postgres)
    recorder = Recorder(tmp_path, events)
    recorder.open()
    append = events.append

    def appended_and_cut(batch):
        append(batch)
        raise StoreUnavailable("cut off behind the commit")

    events.append = appended_and_cut
    with pytest.raises(StoreUnavailable):
        recorder.drain()
    del events.append
    recorder.drain()
    recorder.close()
    check(tmp_path, postgres, records)


def test_who_follows_the_order_of_arrival_of_two_hosts_misses_nothing(postgres, tmp_path):
    hosts = [[inferred() for _ in range(150)] for _ in range(2)]
    for number, records in enumerate(hosts):
        for start in range(0, 150, 10):
            # Many short segments, so that batches of both hosts meet.
            filled(tmp_path / str(number), records[start : start + 10], worker=f"w{number}")
    seen, last, over = [], 0, threading.Event()

    def follow():
        nonlocal last
        for turn in count():
            done = over.is_set()
            with postgres.lent() as connection:
                rows = connection.execute(
                    "SELECT seq, id FROM inferences WHERE seq > %s ORDER BY seq", (last,)
                ).fetchall()
            seen.extend(row[1] for row in rows)
            last = rows[-1][0] if rows else last
            if done and turn:
                return

    follower = threading.Thread(target=follow)
    follower.start()
    recorders = [threading.Thread(target=drained, args=(tmp_path / str(number), postgres)) for number in range(2)]
    for each in recorders:
        each.start()
    for each in recorders:
        each.join()
    over.set()
    follower.join()
    assert len(seen) == 300 and set(seen) == {record.inference.id for records in hosts for record in records}


def test_two_that_migrate_at_once_do_not_meet():
    with fresh_postgres() as postgres:
        faults = []

        def one():
            try:
                migrate(postgres)
            except Exception as error:
                faults.append(error)

        threads = [threading.Thread(target=one) for _ in range(3)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert faults == []
        assert PostgresReader(postgres).health().ok


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"input_tokens": 2**63}, "out of range"),
        ({"function_name": random.Random(1).randbytes(20_000).hex()}, "index row"),
    ],
    ids=["a number", "a name too long for an index"],
)
def test_a_row_that_can_never_be_stored_goes_to_quarantine_alone(postgres, fields, reason):
    good = [inferred() for _ in range(5)]
    events = PostgresEvents(postgres)
    appended(events, [*good[:3], inferred(**fields), *good[3:]])
    (entry,) = events.quarantined()
    assert entry.state == "refused" and reason in entry.reason
    assert {row.id for row in events.find(Query())} == {record.inference.id for record in good}
