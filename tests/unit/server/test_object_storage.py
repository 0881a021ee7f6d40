"""A file back from the store: what is in it, and nothing else of the machine."""

import asyncio
import base64
from types import SimpleNamespace
from urllib.parse import quote

import msgspec
import pytest

from calibrant.base.errors import FileUnavailable, InvalidRequest, NotFound
from calibrant.config.schema import FilePolicy
from calibrant.engine.files import Files
from calibrant.server.http import HttpRequest
from calibrant.server.object_storage import object_handler
from calibrant.store.blobs import BlobFolder, blob_key, digest
from calibrant.telemetry.metrics import Metrics
from calibrant.types.storage import DisabledStorage, FilesystemStorage

DATA = bytes(range(256))
KEY = blob_key(digest(DATA), "image/png")
S3 = {"type": "s3_compatible", "bucket_name": "theirs", "endpoint": "http://169.254.169.254", "allow_http": True}


@pytest.fixture
def ask(tmp_path):
    folder = BlobFolder(tmp_path / "blobs")
    folder.put(KEY, DATA)
    (tmp_path / "blobs" / "secret").write_text("no")

    def _ask(query, *, blobs=folder):
        kind = FilesystemStorage(str(tmp_path)) if blobs else DisabledStorage()
        files = Files(FilePolicy(), kind, sender=None, metrics=Metrics(), blobs=blobs)
        handler = object_handler(SimpleNamespace(files=files))

        async def main():
            try:
                return await handler(HttpRequest("GET", "/internal/object_storage", query))
            finally:
                await files.close()

        return asyncio.run(main())

    return _ask


def path(where, kind=None):
    return "storage_path=" + quote(
        msgspec.json.encode({"kind": kind or {"type": "filesystem", "path": "/"}, "path": where}).decode()
    )


@pytest.mark.parametrize("kind", [None, S3, {"type": "filesystem", "path": "/etc"}, {"type": "disabled"}])
@pytest.mark.parametrize("prefix", ["", "p/q/"])
def test_the_hash_is_looked_for_at_home(ask, kind, prefix):
    answer = msgspec.json.decode(ask(path(prefix + KEY, kind)).body)
    assert answer == {"data": base64.b64encode(DATA).decode(), "reused_object_store": True}


@pytest.mark.parametrize("where", ["secret", "../secret", "/etc/passwd", "observability/files/../../secret", ""])
def test_nothing_else_is_read(ask, where):
    with pytest.raises(FileUnavailable, match="storage_path"):
        ask(path(where))


def test_a_file_that_is_not_there(ask):
    with pytest.raises(NotFound):
        ask(path(blob_key(digest(b""), None)))
    with pytest.raises(FileUnavailable, match="disabled"):
        ask(path(KEY), blobs=None)


@pytest.mark.parametrize(
    "query", ["", "x=1", "storage_path=", "storage_path={}", "storage_path=%7B", f"{path(KEY)}&{path(KEY)}", "a&b=1"]
)
def test_a_query_that_says_nothing(ask, query):
    with pytest.raises(InvalidRequest, match="storage_path"):
        ask(query)
