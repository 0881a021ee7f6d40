"""A backup is whole while others write, and a restore checks everything before anything is in its place."""

import asyncio
import hashlib
import os
import random
import sqlite3
import string
import subprocess
from datetime import datetime

import pytest
from tests.support.homes import stored
from tests.support.records import inferred
from tests.support.stores import POLICY, crash, drained, opened, spooled

from calibrant.base.errors import ConfigError, StoreUnavailable
from calibrant.datasets import editing, holdout
from calibrant.datasets.editing import Actor
from calibrant.store import backup
from calibrant.store.accounting import accounting
from calibrant.store.backup import BackupSource, back_up
from calibrant.store.backup_manifest import read_backups
from calibrant.store.blobs import BlobFolder, blob_key, digest
from calibrant.store.restore import restore
from calibrant.store.segments import hold
from calibrant.store.spool import Spool
from calibrant.store.sqlite import SqliteEvents
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.store.sqlite_reader import SqliteReader
from calibrant.store.vault import SealedAnswer
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, NewDatapoint
from calibrant.types.message import Input, Message
from calibrant.types.query import Query
from calibrant.types.split import Shares

ACTOR = Actor("tester", 1_900_000_000_000)
WORDS = ["".join(random.Random(n).choices(string.ascii_lowercase, k=6)) for n in range(300)]


def source(data):
    return BackupSource(
        data,
        data / "spool",
        "sqlite",
        data / "events.db",
        data / "catalogue.db",
        (data / "blobs", data / "uploads"),
        data / "sealed.db",
    )


@pytest.fixture
def data(tmp_path):
    """A folder with stored and spooled records, a catalogue and a file."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    stored(SqliteEvents(folder / "events.db"), [inferred(input=b'"stored"'), inferred(input=b'"stored"')]).close()
    spooled(folder / "spool", inferred(input=b'"spooled"'))
    catalogue = SqliteCatalogue(folder / "catalogue.db")
    with catalogue.transaction():
        pass
    catalogue.close()
    BlobFolder(folder / "blobs").put(blob_key(digest(b"a file"), "image/png"), b"a file")
    return folder


def inputs(data):
    reader = SqliteReader(data / "events.db")
    try:
        return sorted(row.input for row in reader.find(Query(limit=1000)))
    finally:
        reader.close()


def pragma(path, name):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"PRAGMA {name}").fetchone()
    finally:
        connection.close()


def answers(data):
    reader = SqliteReader(data / "events.db")
    try:
        rows = reader.find(Query(limit=1000))
        return [(row, reader.model_inferences(row.id), reader.feedback_for(row.id)) for row in rows]
    finally:
        reader.close()


def test_a_restored_record_answers_the_same(data, tmp_path):
    made = back_up(source(data), tmp_path / "backup", version="1")
    assert made.counts["inferences"] == 2 and made.counts["spool segments"] == 1 and made.counts["blobs"] == 1
    restored = tmp_path / "restored"
    assert restore(tmp_path / "backup", restored) == made
    assert answers(restored) == answers(data)
    for name in ("journal_mode", "page_size", "auto_vacuum"):
        assert pragma(restored / "events.db", name) == pragma(data / "events.db", name)
    assert not list((tmp_path / "backup").glob("*-wal"))
    assert BlobFolder(restored / "blobs").get(blob_key(digest(b"a file"), "image/png")) == b"a file"
    # What was in the spool comes when the recorder does.
    drained(restored / "spool", restored / "events.db")
    drained(data / "spool", data / "events.db")
    assert answers(restored) == answers(data) and len(answers(restored)) == 3


def test_a_record_that_leaves_the_spool_meanwhile_is_there_once(data, tmp_path):
    """The worst moment: the spool has been copied, and is drained and removed before the database is."""

    def progress(what):
        if what == "the record":
            drained(data / "spool", data / "events.db")
            spooled(data / "spool", inferred(input=b'"later"'))
            drained(data / "spool", data / "events.db")

    back_up(source(data), tmp_path / "backup", version="1", progress=progress)
    restored = tmp_path / "restored"
    restore(tmp_path / "backup", restored)
    drained(restored / "spool", restored / "events.db")
    assert inputs(restored) == [b'"later"', b'"spooled"', b'"stored"', b'"stored"']
    reader = SqliteReader(restored / "events.db")
    assert accounting(restored / "spool", reader).total.missing == 0
    reader.close()


def test_the_ledger_may_be_further_than_the_copied_segment(tmp_path):
    data = tmp_path / "data"

    async def go():
        spool = Spool.open(data / "spool", POLICY, "w")

        async def write(text):
            await spool.append(inferred(input=text))

        await write(b'"before"')
        recorder = opened(data / "spool", data / "events.db")
        recorder.pass_once()
        await write(b'"in the copy"')

        loop = asyncio.get_running_loop()

        def meanwhile(what):
            if what == "the record":
                asyncio.run_coroutine_threadsafe(write(b'"after the copy"'), loop).result(10)
                recorder.pass_once()

        await asyncio.to_thread(back_up, source(data), tmp_path / "backup", version="1", progress=meanwhile)
        recorder.close()
        crash(spool)

    asyncio.run(go())
    restored = tmp_path / "restored"
    restore(tmp_path / "backup", restored)
    drained(restored / "spool", restored / "events.db")
    assert inputs(restored) == [b'"after the copy"', b'"before"', b'"in the copy"']
    assert list((restored / "spool").glob("*.seg")) == []
    reader = SqliteReader(restored / "events.db")
    assert accounting(restored / "spool", reader).total.missing == 0
    assert reader.quarantined() == ()
    reader.close()


def test_it_is_for_its_owner_and_for_sha256sum(data, tmp_path):
    back_up(source(data), tmp_path / "backup", version="1")
    for path in (tmp_path / "backup").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=tmp_path / "backup", check=False)
    assert checked.returncode == 0


def test_the_data_folder_names_its_backups(data, tmp_path):
    first, second = tmp_path / "one", tmp_path / "two"
    back_up(source(data), first, version="1")
    back_up(source(data), second, version="1")
    entries = read_backups(data)
    assert [entry.path for entry in entries] == [str(first), str(second)]
    assert all(datetime.fromisoformat(entry.time).tzinfo for entry in entries)
    assert entries[1].manifest_sha256 == hashlib.sha256((second / "manifest.json").read_bytes()).hexdigest()
    assert (data / "backups.json").stat().st_mode & 0o777 == 0o600
    restore(second, tmp_path / "restored")
    assert read_backups(tmp_path / "restored") == entries


@pytest.mark.parametrize("name", ["events.db", "SHA256SUMS", "spool"])
def test_what_was_changed_is_not_restored(data, tmp_path, name):
    backup, restored = tmp_path / "backup", tmp_path / "restored"
    back_up(source(data), backup, version="1")
    path = next((backup / name).glob("*.seg")) if name == "spool" else backup / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="was changed since the backup was made"):
        restore(backup, restored)
    assert list(restored.iterdir()) == []


def test_what_is_missing_or_not_finished_is_not_restored(data, tmp_path):
    backup, restored = tmp_path / "backup", tmp_path / "restored"
    back_up(source(data), backup, version="1")
    (backup / "catalogue.db").rename(tmp_path / "kept")
    with pytest.raises(ConfigError, match="is missing"):
        restore(backup, restored)
    (tmp_path / "kept").rename(backup / "catalogue.db")
    (backup / "manifest.json").unlink()
    with pytest.raises(ConfigError, match="not finished"):
        restore(backup, restored)


def test_a_line_that_leads_out_of_the_folder_is_refused(data, tmp_path):
    backup = tmp_path / "backup"
    back_up(source(data), backup, version="1")
    sums = backup / "SHA256SUMS"
    old = hashlib.sha256(sums.read_bytes()).hexdigest()
    sums.write_text(sums.read_text().replace("  events.db", "  ../events.db"))
    manifest = backup / "manifest.json"
    manifest.write_text(manifest.read_text().replace(old, hashlib.sha256(sums.read_bytes()).hexdigest()))
    with pytest.raises(ConfigError, match="none of ours"):
        restore(backup, tmp_path / "restored")
    assert list((tmp_path / "restored").iterdir()) == []


def test_a_folder_in_use_or_not_empty_is_never_restored_into(data, tmp_path):
    backup = tmp_path / "backup"
    back_up(source(data), backup, version="1")
    with pytest.raises(ConfigError, match="is not empty"):
        restore(backup, data)
    lock = hold(data / "spool" / "recorder.lock")
    try:
        with pytest.raises(ConfigError, match=r"in use by a running gateway or recorder \(recorder.lock\)"):
            restore(backup, data)
    finally:
        os.close(lock)
    assert len(inputs(data)) == 2


def test_a_restore_that_was_cut_short_is_begun_again(data, tmp_path):
    restored = tmp_path / "restored"
    (restored / ".restoring" / "spool").mkdir(parents=True)
    back_up(source(data), tmp_path / "backup", version="1")
    restore(tmp_path / "backup", restored)
    assert not (restored / ".restoring").exists() and len(inputs(restored)) == 2


def test_a_folder_with_something_in_it_takes_no_backup(data, tmp_path):
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "mine").write_text("")
    with pytest.raises(ConfigError, match="is not empty"):
        back_up(source(data), tmp_path / "backup", version="1")


def test_a_damaged_database_is_said(data, tmp_path):
    events = SqliteEvents(data / "events.db")
    stored(events, [inferred() for _ in range(200)], segment="x.00000001.seg")
    events.close()
    with (data / "events.db").open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xaa" * 4096 * 4)
    with pytest.raises(StoreUnavailable, match="damaged|malformed"):
        back_up(source(data), tmp_path / "backup", version="1")
    assert read_backups(data) == () and not (tmp_path / "backup" / "manifest.json").exists()


def test_a_copy_is_of_one_instant_however_much_is_written_meanwhile(data, tmp_path):
    """Every page that is copied could otherwise be of another transaction, and a busy writer would never let it end."""
    other = sqlite3.connect(data / "events.db", isolation_level=None)
    other.execute("CREATE TABLE pairs (a INTEGER, b BLOB)")

    def progress(what):
        if what == "the record":
            other.execute("BEGIN")
            other.execute("INSERT INTO pairs VALUES (1, zeroblob(20000000))")
            other.execute("COMMIT")

    back_up(source(data), tmp_path / "backup", version="1", progress=progress)
    other.close()
    copy = sqlite3.connect(tmp_path / "backup" / "events.db")
    assert copy.execute("SELECT count(*) FROM pairs").fetchone() == (1,)
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copy.close()


def sealed(data):
    """Seal three datapoints, and return their ids."""
    catalogue = SqliteCatalogue(data / "catalogue.db")
    editing.create(catalogue, "d", "datapoint", ACTOR)
    holdout.seal(catalogue, "d", Shares(train=0, val=0, sealed=100), None, ACTOR)
    ids = editing.add(catalogue, "d", [case(n) for n in range(3)], ACTOR)
    catalogue.vault.put_answers("c", [SealedAnswer(ids[0], "v", 1.0, b"[]")])
    return catalogue, ids


def case(number):
    words = " ".join(random.Random(number).choices(WORDS, k=12))
    return NewDatapoint(Content("chat", "f", Input((Message("user", (Text(words),)),)), (Text("yes"),)))


def test_what_is_sealed_is_copied_counted_and_restored(data, tmp_path):
    catalogue, ids = sealed(data)
    manifest = back_up(source(data), tmp_path / "backup", version="1")
    assert (manifest.counts["sealed contents"], manifest.counts["sealed answers"]) == (3, 1)
    assert manifest.vault_schema == 1
    restored = tmp_path / "restored"
    restore(tmp_path / "backup", restored)
    assert (restored / "sealed.db").stat().st_mode & 0o777 == 0o600
    again = SqliteCatalogue(restored / "catalogue.db")
    shown = holdout.reveal(again, ids, ACTOR)
    assert [each.content for each in shown] == [case(n).content for n in range(3)]
    assert again.vault.answers("c") == catalogue.vault.answers("c")
    for each in (again, catalogue):
        each.close()


def test_a_folder_that_sealed_nothing_has_no_vault_in_its_backup(data, tmp_path):
    manifest = back_up(source(data), tmp_path / "backup", version="1")
    assert manifest.vault_schema == 0 and "sealed contents" not in manifest.counts
    assert not (tmp_path / "backup" / "sealed.db").exists() and not (data / "sealed.db").exists()


def test_what_is_shown_or_sealed_while_they_are_copied_is_lost_to_neither(data, tmp_path):
    catalogue, ids = sealed(data)
    later = []

    def progress(what):
        if what == "what is sealed":
            holdout.reveal(catalogue, ids[:1], ACTOR)
            later.extend(editing.add(catalogue, "d", [case(9)], ACTOR))
            assert len(catalogue.vault.hashes(after="", limit=9)) == 3

    back_up(source(data), tmp_path / "backup", version="1", progress=progress)
    assert later
    restore(tmp_path / "backup", tmp_path / "restored")
    again = SqliteCatalogue(tmp_path / "restored" / "catalogue.db")
    with again.reading() as view:
        assert {each.id: each.split for each in view.find_datapoints([*ids, *later])} == dict.fromkeys(ids, "sealed")
    assert [each.content for each in holdout.reveal(again, ids, ACTOR)] == [case(n).content for n in range(3)]
    for each in (again, catalogue):
        each.close()


def test_nobody_seals_between_the_two_instants(data, tmp_path, monkeypatch):
    catalogue, _ = sealed(data)
    hurried = SqliteCatalogue(data / "catalogue.db", busy_timeout_s=0.0)
    held, tried = backup._held, []

    def holding(path):
        if path.name == "sealed.db":
            with pytest.raises(StoreUnavailable, match="locked"), hurried.transaction():
                raise AssertionError
            tried.append(path)
        return held(path)

    monkeypatch.setattr(backup, "_held", holding)
    back_up(source(data), tmp_path / "backup", version="1")
    assert tried
    with hurried.transaction():
        pass
    for each in (hurried, catalogue):
        each.close()


def test_a_catalogue_that_somebody_writes_on_and_on_is_said(data, tmp_path, monkeypatch):
    monkeypatch.setattr(backup, "_LOCK_S", 0.0)
    catalogue = SqliteCatalogue(data / "catalogue.db")
    with catalogue.transaction(), pytest.raises(StoreUnavailable, match="locked; try again"):
        back_up(source(data), tmp_path / "backup", version="1")
    catalogue.close()
