"""Files of inferences into their datapoints."""

import asyncio

from calibrant.base.errors import FileUnavailable
from calibrant.datasets.files import with_files
from calibrant.types.content import File, Text
from calibrant.types.datapoint import Content, NewDatapoint
from calibrant.types.message import Input, Message
from calibrant.types.storage import FilesystemStorage, StoragePath


def path(name):
    return StoragePath(FilesystemStorage("/f"), name)


def wanted(*blocks):
    return NewDatapoint(Content("chat", "f", Input((Message("user", (Text("see"), *blocks)),), "s")), "n")


class Kept:
    async def read(self, where):
        if where.path == "away":
            raise FileUnavailable("away")
        return {"there": b"hi"}.get(where.path)


def test_what_is_kept_is_copied_and_the_rest_stays_a_name():
    there = File(None, None, "text/plain", "low", "x.txt", path("there"), "https://x")
    gone, away = (File(mime_type="text/plain", storage_path=path(name)) for name in ("gone", "away"))
    found = asyncio.run(with_files(Kept(), wanted(there, gone, away)))
    filled = File(None, "aGk=", "text/plain", "low", "x.txt", None, "https://x")
    assert found == wanted(filled, gone, away)


def test_nothing_is_done_where_there_is_nothing_to_do():
    plain = wanted(File(url="https://x"), File(data="aGk="))
    assert asyncio.run(with_files(Kept(), plain)) is plain
    named = wanted(File(storage_path=path("there")))
    assert asyncio.run(with_files(None, named)) is named
