"""Files by their hash: written once and whole, private, and gone when nothing uses them."""

import os
import stat
import threading
import time

import pytest
from blake3 import blake3

from calibrant.store.blobs import _DOOMED, _DRAFT, BlobFolder, blob_key, blob_key_in, digest, is_blob_key

DATA = b"what is in it"
KEY = blob_key(digest(DATA), "text/plain")


@pytest.fixture
def folder(tmp_path):
    return BlobFolder(tmp_path / "deep" / "blobs")


def age(folder, key, seconds):
    then = time.time() - seconds
    os.utime(folder.directory / key, (then, then))


def names(folder):
    return sorted(path.name for path in (folder.directory / "observability/files").iterdir())


def test_the_key_is_the_hash_and_the_ending_of_the_type():
    assert digest(DATA) == blake3(DATA).hexdigest()
    assert f"observability/files/{digest(DATA)}.txt" == KEY
    assert blob_key(digest(DATA), "image/jpg; q=1") == f"observability/files/{digest(DATA)}.jpg"
    assert blob_key(digest(DATA), None) == blob_key(digest(DATA), "x/y") == f"observability/files/{digest(DATA)}"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "x",
        "observability/files/",
        KEY + "/..",
        KEY + "\n",
        "observability/files/" + "g" * 64,
        KEY + ".a.b",
        KEY[:-9],
    ],
)
def test_nothing_else_is_a_key(folder, path):
    assert not is_blob_key(path)
    assert blob_key_in(path) is None
    for use in (folder.get, folder.delete, lambda key: folder.put(key, b"")):
        with pytest.raises(ValueError, match="no key of a file"):
            use(path)


def test_a_key_is_found_behind_whatever_stands_before_it():
    assert blob_key_in(f"a/../b/{KEY}") == blob_key_in(KEY) == KEY
    assert blob_key_in(f"observability/files/x/{KEY}") == KEY


@pytest.mark.parametrize("synced", [False, True])
def test_what_is_put_comes_back(tmp_path, synced):
    folder = BlobFolder(tmp_path / "deep", synced=synced)
    assert folder.get(KEY) is None and list(folder.all_keys()) == []
    folder.put(KEY, DATA)
    assert folder.get(KEY) == DATA and list(folder.all_keys()) == [KEY]
    path = tmp_path / "deep" / KEY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert folder.delete(KEY) and not folder.delete(KEY)
    assert folder.get(KEY) is None


def test_a_file_is_written_once_and_its_use_is_noted(folder):
    folder.put(KEY, DATA)
    path = folder.directory / KEY
    age(folder, KEY, 1000)
    inode = path.stat().st_ino
    folder.put(KEY, DATA)
    assert path.stat().st_ino == inode
    assert time.time() - path.stat().st_mtime < 100


def test_what_a_power_cut_left_shorter_is_written_again(folder):
    folder.put(KEY, DATA)
    (folder.directory / KEY).write_bytes(b"")
    folder.put(KEY, DATA)
    assert folder.get(KEY) == DATA


def test_a_file_of_somebody_else_is_as_good(folder, monkeypatch):
    def not_yours(path):
        raise PermissionError(1, "Operation not permitted")

    folder.put(KEY, DATA)
    inode = (folder.directory / KEY).stat().st_ino
    monkeypatch.setattr(os, "utime", not_yours)
    folder.put(KEY, DATA)
    assert (folder.directory / KEY).stat().st_ino == inode


def test_synced_means_that_file_and_name_are_on_the_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode)))
    BlobFolder(tmp_path / "a").put(KEY, DATA)
    assert synced == []
    BlobFolder(tmp_path / "b", synced=True).put(KEY, DATA)
    assert synced == [False, True]


def test_what_cannot_be_written_whole_leaves_nothing(folder, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        BlobFolder(folder.directory, synced=True).put(KEY, DATA)
    assert names(folder) == []


def test_many_at_once_write_one_file(folder):
    data = os.urandom(100_000)
    key = blob_key(digest(data), None)
    threads = [threading.Thread(target=folder.put, args=(key, data)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(folder) == [digest(data)] and folder.get(key) == data


def test_a_probe_leaves_nothing(folder, tmp_path):
    folder.probe()
    assert names(folder) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"."):
        BlobFolder(tmp_path / "file" / "blobs").probe()


def test_what_nothing_used_since_goes(folder):
    old = [blob_key(digest(bytes([n])), "image/png") for n in range(5)]
    for key in (*old, KEY):
        folder.put(key, DATA)
    for key in old:
        age(folder, key, 1000)
    (folder.directory / "observability/files/mine.txt").write_text("not ours")
    os.utime(folder.directory / "observability/files/mine.txt", (0, 0))
    before = time.time() - 500
    assert folder.drop_before(before, limit=3) == 3
    assert folder.drop_before(before, limit=3) == 2
    assert folder.drop_before(before, limit=3) == 0
    assert sorted(names(folder)) == sorted([KEY.rpartition("/")[2], "mine.txt"])
    assert BlobFolder(folder.directory / "nowhere").drop_before(before, limit=3) == 0


def test_a_file_that_is_used_while_it_goes_stays(folder, monkeypatch):
    folder.put(KEY, DATA)
    age(folder, KEY, 1000)
    rename = type(folder.directory).rename

    def used_meanwhile(self, target):
        if str(target).endswith(_DOOMED):
            folder.put(KEY, DATA)
        return rename(self, target)

    monkeypatch.setattr(type(folder.directory), "rename", used_meanwhile)
    assert folder.drop_before(time.time() - 500, limit=9) == 0
    assert folder.get(KEY) == DATA and names(folder) == [KEY.rpartition("/")[2]]


def test_a_file_that_is_used_after_it_went_is_written_again(folder, monkeypatch):
    folder.put(KEY, DATA)
    age(folder, KEY, 1000)
    finish = BlobFolder._finish_drop

    def used_after(self, doomed, before_s):
        folder.put(KEY, DATA)
        return finish(self, doomed, before_s)

    monkeypatch.setattr(BlobFolder, "_finish_drop", used_after)
    assert folder.drop_before(time.time() - 500, limit=9) == 1
    assert folder.get(KEY) == DATA


def test_what_a_kill_left_behind_is_cleared_up(folder):
    folder.put(KEY, DATA)
    fresh = blob_key(digest(b"x"), None)
    folder.put(fresh, b"x")
    here = folder.directory / "observability/files"
    # Killed between moving a file that had just been used out of the way and moving it back.
    (folder.directory / fresh).rename(here / (digest(b"x") + _DOOMED))
    for name, seconds in ((f"a{_DRAFT}", 10_000), (f"b{_DRAFT}", 10), (digest(b"y") + _DOOMED, 10_000)):
        (here / name).write_bytes(b"")
        os.utime(here / name, (time.time() - seconds,) * 2)
    folder.drop_before(time.time() - 500, limit=9)
    folder.clear_drafts()
    assert names(folder) == sorted([f"b{_DRAFT}", digest(b"x"), KEY.rpartition("/")[2]])


def test_a_file_that_nobody_uses_is_dropped_by_name(folder):
    folder.put(KEY, DATA)
    assert not folder.drop(KEY, time.time() - 60) and folder.get(KEY) == DATA
    age(folder, KEY, 120)
    assert folder.drop(KEY, time.time() - 60) and names(folder) == []
    assert folder.drop(KEY, time.time())


def test_a_drop_that_was_cut_off_is_finished_or_undone(folder):
    for seconds, gone in ((120, True), (0, False)):
        folder.put(KEY, DATA)
        age(folder, KEY, seconds)
        path = folder.directory / KEY
        path.rename(path.with_name(path.name + _DOOMED))
        assert folder.drop(KEY, time.time() - 60) is gone
        assert names(folder) == ([] if gone else [path.name])
