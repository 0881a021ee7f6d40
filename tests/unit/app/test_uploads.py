"""Files on their way into the bucket: none is lost, whatever the bucket does."""

import asyncio
import threading

import pytest

from calibrant.app import uploads
from calibrant.app.uploads import Uploads
from calibrant.store.blobs import BlobFolder, blob_key, digest
from calibrant.store.bucket import BucketFailed
from calibrant.telemetry.metrics import read_published


class Bucket:
    """A bucket in memory that can be away."""

    def __init__(self):
        self.kept = {}
        self.puts = 0
        self.fault = None

    async def has(self, key, size):
        if self.fault:
            raise self.fault
        return len(self.kept.get(key, (b"",))[0]) == size and key in self.kept

    async def put(self, key, content, mime_type):
        self.puts += 1
        if self.fault:
            raise self.fault
        self.kept[key] = (content, mime_type)


@pytest.fixture
def folder(tmp_path):
    return BlobFolder(tmp_path / "uploads")


def filled(folder, number=3):
    files = {blob_key(digest(bytes([n])), "image/png"): bytes([n]) for n in range(number)}
    for key, content in files.items():
        folder.put(key, content)
    return files


def counted(run_dir):
    return {name: dict(values) for figures in read_published(run_dir) for name, values in figures.counters.items()}


def test_what_waits_is_uploaded_and_then_unlinked(folder, tmp_path):
    files, bucket = filled(folder), Bucket()
    assert asyncio.run(Uploads(folder, bucket, tmp_path / "run").pass_once())
    assert bucket.kept == {key: (content, "image/png") for key, content in files.items()}
    assert list(folder.all_keys()) == []


def test_what_is_there_is_not_sent_again(folder, tmp_path):
    files, bucket = filled(folder), Bucket()
    bucket.kept = {key: (content, "image/png") for key, content in files.items()}
    assert asyncio.run(Uploads(folder, bucket, tmp_path / "run").pass_once())
    assert bucket.puts == 0 and list(folder.all_keys()) == []


def test_a_bucket_that_is_away_loses_nothing_and_is_told_of_once(folder, tmp_path, caplog):
    files, bucket = filled(folder), Bucket()
    bucket.fault = BucketFailed("the bucket 'b': cannot connect", final=False)
    moving = Uploads(folder, bucket, tmp_path / "run")
    for _ in range(3):
        assert not asyncio.run(moving.pass_once())
    assert sorted(folder.all_keys()) == sorted(files)
    assert counted(tmp_path / "run")["file_failures"][("upload",)] >= 3
    assert caplog.text.count("cannot be uploaded") == 1
    bucket.fault = None
    assert asyncio.run(moving.pass_once())
    assert bucket.kept.keys() == files.keys() and list(folder.all_keys()) == []


def test_one_that_is_refused_does_not_hold_up_the_others(folder, tmp_path):
    files = filled(folder, 30)
    poison = next(iter(files))

    class Picky(Bucket):
        async def put(self, key, content, mime_type):
            if key == poison:
                raise BucketFailed("the bucket 'b' answered PUT with status 400", final=True)
            await super().put(key, content, mime_type)

    bucket = Picky()
    assert not asyncio.run(Uploads(folder, bucket, tmp_path / "run").pass_once())
    assert bucket.kept.keys() == files.keys() - {poison} and list(folder.all_keys()) == [poison]


def test_a_bucket_that_refuses_everything_is_not_asked_for_each(folder, tmp_path):
    filled(folder, 100)
    bucket = Bucket()
    bucket.fault = BucketFailed("the bucket 'b' answered PUT with status 403 AccessDenied", final=True)
    bucket.has = lambda key, size: asyncio.sleep(0, result=False)
    assert not asyncio.run(Uploads(folder, bucket, tmp_path / "run").pass_once())
    assert bucket.puts < 20 and len(list(folder.all_keys())) == 100


def test_a_fault_of_ours_does_not_end_it(folder, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(uploads, "_BACK_OFF_S", 0.001)
    filled(folder)
    bucket, stop = Bucket(), threading.Event()
    bucket.fault = RuntimeError("what")

    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(Uploads(folder, bucket, tmp_path / "run").run(stop))
            while "a fault of the uploads" not in caplog.text:
                await asyncio.sleep(0.01)
            bucket.fault = None
            while list(folder.all_keys()):
                await asyncio.sleep(0.01)
            stop.set()

    asyncio.run(asyncio.wait_for(main(), 20))
    assert len(bucket.kept) == 3


def test_when_it_stops_it_tries_once_more(folder, tmp_path):
    files, bucket, stop = filled(folder), Bucket(), threading.Event()
    stop.set()
    asyncio.run(Uploads(folder, bucket, tmp_path / "run").run(stop))
    assert bucket.kept.keys() == files.keys()


def test_a_folder_that_cannot_be_read_is_waited_for(folder, tmp_path, monkeypatch, caplog):
    def broken():
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(folder, "all_keys", broken)
    assert not asyncio.run(Uploads(folder, Bucket(), tmp_path / "run").pass_once())
    assert "Permission denied" in caplog.text
