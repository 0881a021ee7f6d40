import os
import time

from tests.support.records import inferred
from tests.support.stores import drained, spooled

from calibrant.base.ids import id_millis
from calibrant.config.schema import Retention
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
