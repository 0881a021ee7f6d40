"""Where a configuration keeps files, and what is found out before a worker is ready."""

import asyncio
import errno
import os
from pathlib import Path

import pytest
from tests.support.canned import Reply, canned

from calibrant.app.bucket import open_bucket
from calibrant.app.files import blob_folder, open_files
from calibrant.app.options import Options
from calibrant.base.errors import ConfigError
from calibrant.config.load import load
from calibrant.net.client import Client
from calibrant.net.settings import ClientSettings
from calibrant.store.blobs import BlobFolder
from calibrant.store.bucket import BucketFailed
from calibrant.telemetry.metrics import Metrics
from calibrant.types.storage import DisabledStorage, FilesystemStorage, S3Storage

KEYS = {"S3_ACCESS_KEY_ID": "AKID", "S3_SECRET_ACCESS_KEY": "s3cret"}
BUCKET = '[object_storage]\ntype = "s3_compatible"\nbucket_name = "my-files"\nendpoint = "{base}"\nallow_http = true\n'


@pytest.fixture
def opened(tmp_path):
    def _opened(toml, environ=KEYS):
        file = tmp_path / "calibrant.toml"
        file.write_text(toml)
        config, options = load(str(file), environ={}), Options(str(tmp_path / "data"))

        async def main():
            settings = ClientSettings()
            client = Client(settings=settings)
            try:
                files = await open_files(config, options, environ, settings=settings, sender=client, metrics=Metrics())
                await files.close()
                return files.files
            finally:
                await client.close()

        return asyncio.run(main())

    return _opened


def placed(tmp_path, toml):
    file = tmp_path / "calibrant.toml"
    file.write_text(toml)
    folder, kind = blob_folder(load(str(file), environ={}), Options(str(tmp_path / "data")))
    return folder and folder.directory, kind


def test_where_files_go(tmp_path):
    data = tmp_path / "data"
    assert placed(tmp_path, "") == (data / "blobs", FilesystemStorage(str(data / "blobs")))
    elsewhere = '[object_storage]\ntype = "filesystem"\npath = "there"\n'
    assert placed(tmp_path, elsewhere) == (tmp_path / "there", FilesystemStorage(str(tmp_path / "there")))
    assert placed(tmp_path, '[object_storage]\ntype = "disabled"\n') == (None, DisabledStorage())
    assert placed(tmp_path, BUCKET.format(base="http://s3.test/")) == (
        data / "uploads",
        S3Storage("my-files", None, "http://s3.test", True),
    )


def test_a_path_of_the_data_folder_is_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert Options("data").blobs_dir == Path(os.path.realpath(tmp_path)) / "data/blobs"


def test_nothing_configured_works(opened):
    files = opened("")
    assert files.keeps and not files.eager


def test_a_folder_that_cannot_be_written_ends_the_start(opened, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigError, match=r"object_storage: files cannot be kept in .*taken"):
        opened('[object_storage]\ntype = "filesystem"\npath = "taken"\n')


def test_a_full_disk_does_not(opened, monkeypatch, caplog):
    def full(folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(BlobFolder, "probe", full)
    assert opened("").keeps
    assert "No space left on device" in caplog.text


def test_a_bucket_is_written_to_before_a_worker_is_ready(opened):
    with canned(lambda seen: Reply(b"")) as store:
        files = opened(BUCKET.format(base=store.base))
    (seen,) = store.seen
    assert (seen.method, seen.path, seen.body) == ("PUT", "/my-files/.calibrant-validate", b"calibrant")
    assert "Credential=AKID/" in seen.headers["authorization"] and "/us-east-1/s3/" in seen.headers["authorization"]
    assert files.eager


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (404, "NoSuchBucket")])
def test_one_that_refuses_ends_the_start(opened, status, code):
    body = f"<Error><Code>{code}</Code></Error>".encode()
    with canned(lambda seen: Reply(body, status=status)) as store, pytest.raises(ConfigError, match=code) as caught:
        opened(BUCKET.format(base=store.base))
    assert "s3cret" not in caught.value.message


def test_one_that_is_away_does_not(opened, caplog):
    with canned(lambda seen: Reply(b"", status=503)) as store:
        opened(BUCKET.format(base=store.base))
    opened(BUCKET.format(base="http://127.0.0.1:9"))
    assert caplog.text.count("files wait in") == 2


def test_without_any_keys_the_message_names_where_they_could_be(tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))

    async def main():
        client = Client(settings=ClientSettings())
        try:
            await open_bucket(S3Storage("b"), {}, client).probe()
        finally:
            await client.close()

    with pytest.raises(BucketFailed, match="S3_ACCESS_KEY_ID"):
        asyncio.run(main())


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('type = "s3_compatible"', "object_storage.bucket_name: names no bucket"),
        ('type = "s3_compatible"\nbucket_name = "a/b"', "bucket_name: names no bucket"),
        ('type = "s3_compatible"\nbucket_name = "abc"\nendpoint = "http://s3.test"', "endpoint: is plain HTTP"),
        ('type = "s3_compatible"\nbucket_name = "abc"\nendpoint = "s3.test"', "endpoint: is no address"),
        ('type = "s3_compatible"\nbucket_name = "abc"\nendpoint = "https://u:p@s3.test"', "endpoint: has a user"),
        ('type = "s3_compatible"\nbucket_name = "abc"\nregion = "a b"', "region: is no name of a region"),
        ('type = "s3_compatible"\nbucket_name = "abc"\nprefix = "a/../b"', "prefix: has more than"),
        ('type = "s3_compatible"\nbucket_name = "abc"\nprefix = "/a"', "prefix: has more than"),
        ('type = "s3_compatible"\nbucket_name = "abc"\nprefix = "a//b"', "prefix: has more than"),
        ('type = "filesystem"', "path"),
    ],
)
def test_mistakes_are_told(tmp_path, table, said):
    file = tmp_path / "calibrant.toml"
    file.write_text(f"[object_storage]\n{table}\n")
    with pytest.raises(ConfigError) as caught:
        load(str(file), environ={})
    assert said in caught.value.message
