"""Erasure in one process, over files: what is found, whatever ends it half-way, and what is left alone."""

import asyncio
from contextlib import closing, contextmanager

import msgspec
import pytest
from blake3 import blake3
from tests.support import records
from tests.support.homes import appended, stored
from tests.support.postgres import fresh_postgres, fresh_vault
from tests.support.stores import POLICY

from calibrant.app import erasure as module
from calibrant.app import removal
from calibrant.app.backup import make_backup
from calibrant.app.erasure import erase
from calibrant.app.options import Options
from calibrant.base.errors import StoreUnavailable
from calibrant.config.load import load
from calibrant.datasets.making import made
from calibrant.engine.feedback import link
from calibrant.store.backup_manifest import BackupEntry, note_backup
from calibrant.store.blobs import BlobFolder, blob_key
from calibrant.store.cache import ResponseCache
from calibrant.store.frame import encode_frame
from calibrant.store.postgres import PostgresEvents
from calibrant.store.postgres_catalogue import PostgresCatalogue
from calibrant.store.postgres_connection import Postgres
from calibrant.store.postgres_migrations import migrate
from calibrant.store.recorder import Recorder
from calibrant.store.segments import hold
from calibrant.store.spool import Spool
from calibrant.store.sqlite import SqliteEvents
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.store.vectors import VectorStore
from calibrant.types.batch import Batch, BatchElement
from calibrant.types.cached import Cached
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, DatapointQuery, NewDatapoint, Origin
from calibrant.types.erasure import Backup, Whose
from calibrant.types.message import Input, Message
from calibrant.types.query import Query

X = Whose(tag=("user_id", "x-the-user"))
MINE, YOURS = {"user_id": "x-the-user"}, {"user_id": "y"}
WORD = b"zebrafinch"
CONFIG = load(None, environ={})


@pytest.fixture
def options(tmp_path):
    (tmp_path / "data").mkdir()
    return Options(data_dir=str(tmp_path / "data"))


def done_by(options, whose=X, **fields):
    return erase(options, {}, CONFIG, whose, **{"plan": False, "actor": "k", **fields})


def said(text=WORD, **fields):
    return records.inferred(input=b'{"messages":["%b"]}' % text, output=b'[{"text":"%b"}]' % text, **fields)


def in_files(options, *needles):
    found = set()
    for path in (options.spool_dir.parent).rglob("*"):
        if path.is_file() and any(needle in path.read_bytes() for needle in needles):
            found.add(path.name)
    return found


@contextmanager
def record(options):
    with closing(SqliteEvents(options.database_path)) as events:
        yield events


def kept_file(options, content):
    key = blob_key(blake3(content).hexdigest(), "image/png")
    BlobFolder(options.blobs_dir).put(key, content)
    return key


def fill(options):
    """Leave something of two users in every place."""
    mine, yours = said(tags=MINE), said(b"blackbird", tags=YOURS)
    keys = [kept_file(options, content) for content in (WORD * 9, b"shared")]
    pictures = [
        said(b" ".join((WORD if user is MINE else b"none", *(key.encode() for key in some))), tags=user)
        for user, some in ((MINE, keys), (YOURS, keys[1:]))
    ]
    comments = [
        records.feedback(each.inference.id, kind="comment", number=None, document=b'"%b"' % word)
        for each, word in ((mine, WORD), (yours, b"blackbird"))
    ]
    with record(options) as events:
        stored(events, [mine, yours, *pictures, *comments])
        lost = records.feedback(mine.inference.id, kind="comment", number=None, document=b'"%b"' % WORD, linked=False)
        quarantine(events, lost, said(WORD * 3, tags=MINE), said(b"blackbird", tags=YOURS))
    with closing(SqliteCatalogue(options.catalogue_path)) as catalogue, catalogue.transaction() as tx:
        fields = {"key_id": None, "kind": "gateway", "function_name": "f", "variant_name": "v", "model_name": "m"}
        tx.add_batch(
            Batch(id="b", status="pending", probability=None, total=2, created_at=1, updated_at=1, **fields),
            [
                BatchElement(str(at), "b", at, "e", body=msgspec.json.encode({"tags": tags, "input": word}))
                for at, (tags, word) in enumerate(((MINE, WORD.decode()), (YOURS, "blackbird")))
            ],
        )
        dataset = tx.change_dataset("d", "add", group_by="episode", actor="k", now_ms=1)
        points = [point(WORD.decode(), mine.inference.id, dataset), point("blackbird", yours.inference.id, dataset)]
        tx.add_datapoints(points)
    vectors = VectorStore(options.vectors_path)
    vectors.put("m", {row.inference.input.decode(): b"1234" * 8 for row in (mine, yours)})
    asyncio.run(cached(options))
    return mine, yours, keys


def point(text, inference_id, dataset):
    content = Content("chat", "f", Input((Message("user", (Text(text),)),)), (Text(text),))
    wanted = NewDatapoint(content, origin=Origin("inference", inference_id))
    fields = {"version": dataset.version, "group_by": "episode", "actor": "k", "now_ms": 1}
    return made(wanted, f"id-{blake3(inference_id.encode()).hexdigest()}", dataset_name="d", **fields)


def quarantine(events, *refused):
    for number, each in enumerate(refused, 1):
        with events._transaction() as connection:
            connection.execute(
                "INSERT INTO quarantine (incarnation, segment, start, sequence, frames, state, reason, at_ms, frame) "
                "VALUES ('w', 'w.00000009.seg', ?, ?, 1, 'refused', 'why', 1, ?)",
                (number, number, encode_frame(number, each)),
            )


async def cached(options):
    sizes = {"max_bytes": 10**6, "max_entry_bytes": 10**5, "memory_bytes": 10**5, "ttl_s": 10**9}
    cache = ResponseCache(options.cache_path, now_ms=lambda: 10**12, **sizes)
    for model, body in (("m", WORD), ("other", b"blackbird")):
        cache.put(model.encode(), model, Cached(10**12, (), body))
    await cache.close()


def yours_is_whole(options, yours, keys):
    with record(options) as events:
        (row,) = events.get([yours.inference.id])
        assert (row.input, row.output, row.tags) == (yours.inference.input, yours.inference.output, YOURS)
        assert len(events.model_inferences(row.id)) == len(events.feedback_for(row.id)) == 1
        assert [each.state for each in events.quarantined()] == ["dropped", "dropped", "refused"]
        assert sum(books.quarantined for books in events.books()) == 3
        assert len(events.erasable(Whose(tag=("user_id", "y")), "inferences", after="", limit=9).rows) == 2
    with closing(SqliteCatalogue(options.catalogue_path)) as catalogue, catalogue.reading() as view:
        assert b"blackbird" in view.batch_element("b", "1").body and view.batch("b").failed == 1
        (kept,) = view.find_datapoints([f"id-{blake3(yours.inference.id.encode()).hexdigest()}"])
        assert kept.until is None and kept.content.output == (Text("blackbird"),)
    assert VectorStore(options.vectors_path).get("m", [yours.inference.input.decode()])
    assert "cache.db" in in_files(options, b"blackbird")
    assert list(BlobFolder(options.blobs_dir).all_keys()) == keys[1:]


def test_every_place_is_emptied_of_one_user_and_nothing_else_is_touched(options):
    mine, yours, keys = fill(options)
    assert in_files(options, WORD) >= {"events.db", "catalogue.db", "cache.db"}
    plan = done_by(options, plan=True)
    assert in_files(options, WORD) >= {"events.db", "catalogue.db", "cache.db"}
    done = done_by(options)
    names = ("inferences", "model_inferences", "feedback", "datapoints", "batch_elements", "quarantined", "files")
    assert [getattr(plan, name) for name in names] == [getattr(done, name) for name in names] == [2, 2, 1, 1, 1, 2, 1]
    assert (done.files_kept, done.vectors, done.cached_answers, done.purged_models) == (1, 1, 1, ["m"])
    assert in_files(options, WORD, b"x-the-user", mine.inference.id.encode()) == set()
    yours_is_whole(options, yours, keys)
    assert options.erased_path.exists()


def test_again_nothing_is_left_to_do(options):
    _, yours, keys = fill(options)
    done_by(options)
    again = done_by(options)
    assert not any(value for name, value in msgspec.structs.asdict(again).items() if name not in ("notes", "plan"))
    yours_is_whole(options, yours, keys)


STEPS = ("_purge_cache", "_remove_files", "_remove_from_catalogue", "_forget_vectors", "scrub")


class Killed(BaseException):
    """Nobody catches it, as nobody catches a kill."""


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_what_ends_half_way_is_finished_by_the_next(options, monkeypatch, step, after):
    _, yours, keys = fill(options)
    whole = getattr(removal.Removal, step)

    def cut(self, *values):
        if after:
            whole(self, *values)
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(removal.Removal, step, cut)
        done_by(options)
    done_by(options)
    assert in_files(options, WORD, b"x-the-user") == set()
    yours_is_whole(options, yours, keys)


def spooled(options, *rows):
    """A worker that lives on, with these in its spool; return what ends it."""
    loop = asyncio.new_event_loop()

    async def begin():
        spool = Spool.open(options.spool_dir, POLICY, "w0")
        for row in rows:
            await spool.append(row)
        return spool

    spool = loop.run_until_complete(begin())

    def add(row):
        async def one():
            await spool.append(row)

        loop.run_until_complete(one())

    def end():
        loop.run_until_complete(spool.close())
        loop.close()

    return add, end


def drained(options):
    with closing(Recorder(options.spool_dir, SqliteEvents(options.database_path), link=link)) as recorder:
        recorder.open()
        recorder.drain()


def ids_in(options, tags):
    with record(options) as events:
        found = events.erasable(Whose(tag=("user_id", tags["user_id"])), "inferences", after="", limit=99)
        return [row.id for row in found.rows]


def test_what_waits_in_the_spool_does_not_come_back(options):
    mine, yours, late = said(tags=MINE), said(b"blackbird", tags=YOURS), said(b"late", tags=YOURS)
    add, end = spooled(options, mine, records.feedback(mine.inference.id), yours)
    try:
        assert WORD in b"".join(path.read_bytes() for path in options.spool_dir.glob("*.seg"))
        plan = done_by(options, plan=True)
        assert plan.inferences == 0 and "No recorder runs" in plan.notes[0]
        done = done_by(options)
        assert (done.inferences, done.feedback) == (1, 1) and done.spool_bytes > 0
        assert in_files(options, WORD, b"x-the-user") == set()
        # The worker goes on in its segment, and the recorder behind what was overwritten.
        add(late)
        drained(options)
        assert ids_in(options, YOURS) == [yours.inference.id, late.inference.id] and ids_in(options, MINE) == []
    finally:
        end()
    drained(options)
    with record(options) as events:
        (books,) = events.books()
        assert (sum(each.stored for each in books.segments), books.quarantined) == (4, 0)
    assert not list(options.spool_dir.glob("*.seg"))


def test_a_recorder_that_does_not_come_to_an_end_is_not_waited_for_for_ever(options, monkeypatch):
    options.spool_dir.mkdir()
    with record(options) as events:
        stored(events, [said(tags=MINE)])
    monkeypatch.setattr(module, "_DRAIN_S", 0.1)
    lock = hold(options.spool_dir / "recorder.lock")
    with open(lock, "rb", buffering=0), pytest.raises(StoreUnavailable, match="nothing was erased"):
        done_by(options)
    assert ids_in(options, MINE)


def test_one_at_a_time(options):
    options.run_dir.mkdir()
    lock = hold(options.run_dir / "erasure.lock")
    with open(lock, "rb", buffering=0), pytest.raises(StoreUnavailable, match="an erasure or a backup"):
        done_by(options)


def test_no_backup_meanwhile(options, tmp_path):
    options.run_dir.mkdir()
    lock = hold(options.run_dir / "erasure.lock")
    with open(lock, "rb", buffering=0), pytest.raises(StoreUnavailable, match="an erasure or a backup"):
        make_backup(options, {}, CONFIG, tmp_path / "backup")
    assert make_backup(options, {}, CONFIG, tmp_path / "backup").manifest.home == "sqlite"


def test_what_the_database_does_later_by_itself_is_told(options, monkeypatch):
    fill(options)
    monkeypatch.setattr(SqliteEvents, "scrub", lambda _: "later")
    assert any("old_parts_lifetime" in each for each in done_by(options).notes)


def test_feedback_on_an_episode_is_found_again_by_who_was_ended_before(options, monkeypatch):
    mine = said(tags=MINE)
    whole = records.feedback(mine.inference.episode_id, level="episode")
    with record(options) as events:
        stored(events, [mine, whole])
    monkeypatch.setattr(SqliteEvents, "erase_feedback", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        done_by(options)
    with record(options) as events:
        assert len(events.find(Query())) == 1
    monkeypatch.undo()
    done_by(options)
    with record(options) as events:
        assert not events.find(Query()) and not events.feedback_for(whole.feedback.target_id)


def test_a_home_is_given_as_many_ids_as_it_takes_well(options, monkeypatch):
    with record(options) as events:
        stored(events, [said(tags=MINE) for _ in range(5)])
    seen = []

    def erase(self, inference_ids, episode_ids):
        seen.append((len(inference_ids), len(episode_ids)))
        return whole(self, inference_ids, episode_ids)

    whole = SqliteEvents.erase
    monkeypatch.setattr(SqliteEvents, "erase", erase)
    monkeypatch.setattr(SqliteEvents, "erased_at_once", 3)
    monkeypatch.setattr(removal, "_STEP", 2)
    assert done_by(options).inferences == 5
    assert seen == [(0, 3), (0, 2), (3, 0), (2, 0)]


def test_a_stream_that_has_not_ended_is_told(options):
    with record(options) as events:
        stored(events, [records.begun(tags=MINE)])
    done = done_by(options)
    assert (done.inferences, done.running) == (1, 1) and "Erase again then" in done.notes[0]


def test_a_file_that_was_used_since_stays(options):
    key = kept_file(options, b"picture")
    old = records.inferred(tags=MINE, input=key.encode(), id="00000000-0001-7000-8000-000000000000")
    with record(options) as events:
        stored(events, [old])
    done = done_by(options)
    assert (done.files, done.files_kept) == (0, 1) and BlobFolder(options.blobs_dir).get(key) == b"picture"


def test_the_index_of_texts_keeps_no_piece(options):
    rows = [said("日本語 bird".encode(), tags=MINE), *(said(b"other %d" % n, tags=YOURS) for n in range(30))]
    with record(options) as events:
        for at, row in enumerate(rows):
            # In pieces of their own.
            stored(events, [row], segment=f"w.{at:08}.seg", first=at + 1)
        events.scrub()
    piece = "日本語".encode()
    with record(options) as events:
        (count,) = events._all("SELECT count(*) FROM inference_text_data WHERE instr(block, ?) > 0", (piece,))[0]
    assert count > 0
    done_by(options)
    assert in_files(options, piece) == set()


def test_feedback_and_datapoints_of_theirs_about_others_go_too(options):
    yours = said(b"blackbird", tags=YOURS)
    given = records.feedback(yours.inference.id, tags=MINE, kind="comment", number=None, document=b'"%b"' % WORD)
    with record(options) as events:
        appended(events, [yours, given])
    assert done_by(options).feedback == 1
    assert in_files(options, WORD, b"x-the-user") == set() and ids_in(options, YOURS)


def test_the_log_says_who_erased_how_much_and_not_whom(options):
    with record(options) as events:
        stored(events, [said(tags=MINE), said(tags=YOURS)])
    done_by(options)
    with closing(SqliteCatalogue(options.catalogue_path)) as catalogue, catalogue.reading() as view:
        (entry,) = view.audit()
    assert (entry.actor, entry.action, entry.detail) == ("k", "record.erase", {"inferences": 1, "model_inferences": 1})
    assert entry.subject.startswith("tag user_id ") and "x-the-user" not in entry.subject


def test_backups_are_named_where_they_were_noted(options):
    data = options.spool_dir.parent
    assert done_by(options, plan=True).backups == []
    note_backup(data, BackupEntry("2027-01-15T08:00:00Z", "/backups/one", "ab" * 32))
    done = done_by(options, plan=True)
    assert done.backups == [Backup("2027-01-15T08:00:00Z", "/backups/one")] and "named" in done.notes[-1]
    (data / "backups.json").write_bytes(b"{")
    assert "cannot be read" in done_by(options, plan=True).backups[0].path


def test_in_postgresql_the_same_goes_and_the_same_stays(options, monkeypatch):
    with fresh_postgres() as postgres, fresh_vault() as vault:
        migrate(postgres)
        opened = lambda *_, **__: PostgresCatalogue(Postgres(postgres.settings), vault)  # noqa: E731
        monkeypatch.setattr(module, "open_events", lambda *_, **__: PostgresEvents(Postgres(postgres.settings)))
        monkeypatch.setattr(module, "open_catalogue", opened)
        events, catalogue = PostgresEvents(postgres), PostgresCatalogue(postgres, vault)
        mine, yours = said(tags=MINE), said(b"blackbird", tags=YOURS)
        about = [records.feedback(each.inference.id) for each in (mine, yours)]
        lost = records.feedback(mine.inference.id, document=b'"%b"' % WORD, linked=False)
        with events._asked() as connection:
            connection.execute(
                "INSERT INTO quarantine (incarnation, segment, start, sequence, frames, state, reason, at_ms, frame) "
                "VALUES ('w', 's', 1, 1, 1, 'waiting', 'why', 1, %s)",
                (encode_frame(1, lost),),
            )
        stored(events, [mine, yours, *about])
        with catalogue.transaction() as tx:
            dataset = tx.change_dataset("d", "add", group_by="episode", actor="k", now_ms=1)
            tx.add_datapoints(
                [point(each.inference.input.decode(), each.inference.id, dataset) for each in (mine, yours)]
            )
        plan, done = done_by(options, plan=True), done_by(options)
        names = ("inferences", "model_inferences", "feedback", "datapoints", "quarantined")
        assert [getattr(plan, name) for name in names] == [getattr(done, name) for name in names] == [1] * 5
        assert any("other hosts" in note for note in done.notes)
        assert [row.id for row in events.find(Query())] == [yours.inference.id]
        assert events.feedback_for(yours.inference.id) == (about[1].feedback,)
        assert [(each.state, each.frame) for each in events.quarantined()] == [("dropped", b"")]
        with catalogue.reading() as view:
            assert [each.origin.source for each in view.datapoints(DatapointQuery(dataset_name="d", version=1))] in (
                ["erased", "inference"],
                ["inference", "erased"],
            )
            assert view.audit()[0].action == "record.erase"
        assert done_by(options).inferences == 0
