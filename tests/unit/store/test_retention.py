import os
import sqlite3
import time
import tracemalloc

from tests.support.homes import stored
from tests.support.records import feedback, inferred
from tests.support.stores import drained, spooled

from calibrant.base.ids import id_millis, uuid7
from calibrant.config.schema import Retention
from calibrant.store import sqlite_search
from calibrant.store.blobs import BlobFolder, blob_key, digest
from calibrant.store.retention import sweep
from calibrant.store.sqlite import SqliteEvents
from calibrant.types.query import Query

DAY_MS = 86_400_000


def filled(tmp_path, number, **changes):
    spooled(tmp_path / "spool", *[inferred(**changes) for _ in range(number)])
    drained(tmp_path / "spool", tmp_path / "events.db")
    return SqliteEvents(tmp_path / "events.db")


def test_old_payloads_go_and_metadata_stays(tmp_path):
    events = filled(tmp_path, 5)
    born = id_millis(events.find(Query())[0].id)
    assert sweep(events, Retention(), now_ms=born + 29 * DAY_MS).dropped == 0
    assert sweep(events, Retention(), now_ms=born + 31 * DAY_MS).dropped == 10
    rows = events.find(Query())
    assert len(rows) == 5
    assert all(row.input is None and row.output is None for row in rows)
    assert events.model_inferences(rows[0].id)[0].raw_request is None
    events.close()


def test_0_keeps_them(tmp_path):
    events = filled(tmp_path, 1)
    assert sweep(events, Retention(payload_days=0, max_database_bytes=0), now_ms=2**45).dropped == 0
    events.close()


def test_a_database_that_grows_warns_and_then_loses_its_oldest_payloads(tmp_path):
    noise = bytes(range(256)) * 8
    events = filled(tmp_path, 900, output=noise)
    newest = events.find(Query(limit=1))[0].id
    used = events.used_bytes()
    assert sweep(events, Retention(max_database_bytes=used * 2), now_ms=0).warning == ""
    near = sweep(events, Retention(max_database_bytes=int(used * 1.1)), now_ms=0)
    assert near.dropped == 0
    assert "retention.max_database_bytes" in near.warning
    before = events.path.stat().st_size
    over = sweep(events, Retention(max_database_bytes=used - 1), now_ms=0)
    assert over.dropped == 1000
    assert events.used_bytes() < used
    assert events.get([newest])[0].output == noise
    while sweep(events, Retention(max_database_bytes=1), now_ms=0).more:
        pass
    assert "no payload is left" in sweep(events, Retention(max_database_bytes=1), now_ms=0).warning
    events.close()
    assert events.path.stat().st_size < before


def test_files_go_with_the_payloads_that_could_name_them(tmp_path):
    events = filled(tmp_path, 1)
    now_ms = int(time.time() * 1000)
    blobs = BlobFolder(tmp_path / "blobs")
    old, young = (blob_key(digest(content), "image/png") for content in (b"old", b"young"))
    for key, days in ((old, 31), (young, 29)):
        blobs.put(key, b"")
        os.utime(tmp_path / "blobs" / key, (now_ms / 1000 - days * 86_400,) * 2)
    kept = sweep(events, Retention(payload_days=0), now_ms=now_ms, blobs=blobs)
    assert (kept.dropped, len(list(blobs.all_keys()))) == (0, 2)
    swept = sweep(events, Retention(), now_ms=now_ms, blobs=blobs)
    assert (swept.dropped, swept.more, list(blobs.all_keys())) == (1, True, [young])
    assert sweep(events, Retention(), now_ms=now_ms, blobs=blobs).dropped == 0
    events.close()


def test_a_step_looks_at_so_many_rows_whatever_the_size_of_the_table(tmp_path):
    events = filled(tmp_path, 5)
    later = id_millis(uuid7()) + DAY_MS
    # As many calls of models go with them.
    assert [events.drop_inferences(limit=2, before_ms=later) for _ in range(4)] == [4, 4, 2, 0]
    events.close()


def test_a_step_deletes_facts_of_one_kind(tmp_path):
    events = filled(tmp_path, 2)
    stored(events, [feedback(row.id) for row in events.find(Query())], segment="x.00000001.seg")
    later = id_millis(uuid7()) + 2 * DAY_MS
    policy = Retention(payload_days=1, metadata_days=1, feedback_days=1)
    steps = [sweep(events, policy, now_ms=later) for _ in range(4)]
    assert [step.dropped for step in steps] == [4, 4, 2, 0]
    assert [step.more for step in steps[:3]] == [True] * 3
    events.close()


def test_memory_does_not_grow_with_the_payloads_that_go(tmp_path):
    events = stored(SqliteEvents(tmp_path / "events.db"), [inferred(input=_long(number)) for number in range(40)])
    tracemalloc.start()
    try:
        assert events.drop_inferences(limit=100, before_ms=id_millis(uuid7()) + DAY_MS) == 80
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    events.close()
    assert peak < 4_000_000, "forty texts of 250 KB were in memory together"


def _long(number):
    return b'"' + (f"some words of {number} " * 20_000)[:250_000].encode() + b'"'


def test_files_go_with_inferences_where_those_go_first(tmp_path):
    events = filled(tmp_path, 1)
    now_ms = int(time.time() * 1000)
    blobs = BlobFolder(tmp_path / "blobs")
    key = blob_key(digest(b"old"), "image/png")
    blobs.put(key, b"")
    os.utime(tmp_path / "blobs" / key, (now_ms / 1000 - 8 * 86_400,) * 2)
    for policy, left in ((Retention(metadata_days=9), 1), (Retention(payload_days=0, metadata_days=7), 0)):
        sweep(events, policy, now_ms=now_ms, blobs=blobs)
        assert len(list(blobs.all_keys())) == left
    events.close()


def test_the_index_of_texts_does_not_grow_with_what_has_come_and_gone(tmp_path, monkeypatch):
    """With a steady coming and going FTS5 alone would keep the marks of everything that ever went."""
    monkeypatch.setattr(sqlite_search, "_GARBAGE_ROWS", 40)
    events = SqliteEvents(tmp_path / "events.db")
    sizes = []
    for number in range(16):
        stored(events, [inferred(input=_words(100 * number + each)) for each in range(40)], segment=f"{number}.seg")
        while number >= 2 and _kept(events) > 80:
            events.drop_payloads(limit=20)
        while events.shrink(max_pages=100):
            pass
        sizes.append(_index_bytes(events))
        assert len(events.find(Query(text=f"word{100 * number + 39}x", limit=5))) == 1
    assert max(sizes) < 4 * sizes[1], sizes
    events.close()
    check = sqlite3.connect(tmp_path / "events.db")
    check.execute("INSERT INTO inference_text (inference_text) VALUES ('integrity-check')")
    check.close()


def test_free_pages_are_given_back_many_at_a_time(tmp_path):
    events = filled(tmp_path, 300, output=os.urandom(10_000))
    while events.drop_payloads(limit=500):
        pass
    assert events.shrink(max_pages=100) == 100
    events.close()


def _words(number):
    return b'"' + b" ".join(f"word{number}x{each}".encode() for each in range(60)) + b'"'


def _kept(events):
    with events._asked() as connection:
        return connection.execute("SELECT count(*) FROM inference_data").fetchone()[0]


def _index_bytes(events):
    with events._asked() as connection:
        return connection.execute("SELECT sum(length(block)) FROM inference_text_data").fetchone()[0]
