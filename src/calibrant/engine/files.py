"""The files of one inference: fetched where a provider wants bytes, kept by their hash, struck from what is recorded.

A codec is given bytes or an address and does no I/O; `wants_bytes` says which a provider takes. What is fetched is
fetched once an inference, whatever is retried. A file is in the store before the row that names it is spooled.
"""

from __future__ import annotations

import asyncio
import binascii
import logging
from asyncio import AbstractEventLoop, Future, Task
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from math import inf
from time import monotonic
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from calibrant.base.errors import FileUnavailable, InferenceTimeout, SpoolFull
from calibrant.config.schema import FilePolicy, Provider
from calibrant.engine.limits import Limit
from calibrant.net.address import parse_url
from calibrant.net.fetch import FetchFailed, FetchLimits, fetch
from calibrant.providers.addresses import wants_bytes
from calibrant.store.blobs import Blobs, blob_key, blob_key_in, digest
from calibrant.store.bucket import Bucket, BucketFailed
from calibrant.telemetry.metrics import Metrics
from calibrant.types.call import ModelCall, Sender
from calibrant.types.content import File
from calibrant.types.message import Input, Message
from calibrant.types.storage import DisabledStorage, S3Storage, StorageKind, StoragePath

__all__ = ["Attached", "Files", "has_files"]

_log = logging.getLogger(__name__)
_AT_ONCE = 16
"""Files that one worker fetches at the same time."""
_GRACE_S = 1.0
_THREADS = 2
_UNKNOWN = "application/octet-stream"
_SHORTEST = 32
"""Base64 shorter than this could be a word of the prompt; it is left where it is in what is recorded."""


def has_files(input: Input) -> bool:  # noqa: A002 - the protocol's own word
    """Return whether any message has a file."""
    # A plain loop: nearly no inference has any, and each pays for the look.
    for message in input.messages:
        for block in message.content:
            if type(block) is File:
                return True
    return False


class _Bytes(Struct, frozen=True):
    """What a file turned out to be."""

    data: str
    mime_type: str | None


class Files:
    """Where files come from and where they go. One per worker."""

    def __init__(
        self,
        policy: FilePolicy,
        kind: StorageKind,
        *,
        sender: Sender,
        metrics: Metrics,
        blobs: Blobs | None = None,
        bucket: Bucket | None = None,
        eager: bool = False,
        shed: bool = False,
    ) -> None:
        """Start nothing yet.

        Args:
            policy: What may be fetched.
            kind: Where files are kept, as rows say it.
            sender: The way out for addresses that strangers choose.
            metrics: Counts what goes wrong.
            blobs: Keeps files here; what is in a bucket in the end stands here until it is there. Null keeps none.
            bucket: Has files that are no longer here.
            eager: Fetch and keep also what providers take by its address.
            shed: Go on where a file cannot be kept, without it; else the inference fails.
        """
        self.policy = policy
        self.kind = kind
        self.eager = eager
        self.shed = shed
        self.keeps = blobs is not None
        self.metrics = metrics
        self._sender = sender
        self._blobs = blobs
        self._bucket = bucket
        self._limits = FetchLimits(policy.max_bytes, policy.timeout_s, policy.max_redirects, policy.content_types)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._threads = ThreadPoolExecutor(_THREADS, "files")
        self._tasks: set[Task[_Bytes]] = set()

    def path(self, name: str, mime_type: str | None) -> StoragePath:
        """Return where the file with this hash is kept."""
        prefix = self.kind.prefix if isinstance(self.kind, S3Storage) else ""
        return StoragePath(self.kind, prefix + blob_key(name, mime_type))

    def get(self, url: str, mime_type: str | None) -> Task[_Bytes]:
        """Begin to fetch a file."""
        return self._begin(self._get(url, mime_type))

    def load(self, path: StoragePath, mime_type: str | None) -> Task[_Bytes]:
        """Begin to read a file back."""
        return self._begin(self._load(path, mime_type))

    def keep(self, loop: AbstractEventLoop, file: _Bytes, *, really: bool) -> Future[StoragePath]:
        """Begin to keep a file; without `really`, only its name is worked out."""
        return loop.run_in_executor(self._threads, self._keep, file, really)

    async def read(self, path: StoragePath) -> bytes | None:
        """Return a file that was kept, or null where there is none of that name.

        Of the path only the name counts, which is that of what is in the file: it is looked for where the
        configuration keeps files, whatever place, prefix or kind of store the path speaks of.

        Raises:
            FileUnavailable: the path names no file, none are kept, or the store cannot be asked now.
        """
        key = blob_key_in(path.path)
        if key is None:
            raise FileUnavailable("storage_path: it names no file that could have been kept")
        if self._blobs is None:
            raise FileUnavailable("storage_path: no files are kept, since `object_storage.type` is 'disabled'")
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, self._blobs.get, key)
            if found is None and self._bucket is not None:
                found = await self._bucket.get(key)
        except (OSError, BucketFailed) as error:
            raise FileUnavailable(f"storage_path: the object storage cannot be read now: {error}") from None
        return found

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._threads.shutdown(wait=False)

    def _begin(self, work: Coroutine[Any, Any, _Bytes]) -> Task[_Bytes]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: Task[_Bytes]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.metrics.count("file_failures", ("fetch",))

    async def _get(self, url: str, mime_type: str | None) -> _Bytes:
        async with self._slots:
            fetched = await fetch(self._sender, url, self._limits, mime_type=mime_type, until=inf)
        return await self._encoded(fetched.content, fetched.mime_type)

    async def _load(self, path: StoragePath, mime_type: str | None) -> _Bytes:
        try:
            content = await self.read(path)
        except FileUnavailable as error:
            raise FetchFailed(error.message.removeprefix("storage_path: ")) from None
        if content is None:
            raise FetchFailed("it is not in the object storage, or no longer")
        return await self._encoded(content, mime_type)

    async def _encoded(self, content: bytes, mime_type: str | None) -> _Bytes:
        loop = asyncio.get_running_loop()
        data = await loop.run_in_executor(self._threads, _base64, content)
        return _Bytes(data, mime_type)

    def _keep(self, file: _Bytes, really: bool) -> StoragePath:
        content = binascii.a2b_base64(file.data)
        name = digest(content)
        if really and self._blobs is not None:
            self._blobs.put(blob_key(name, file.mime_type), content)
            return self.path(name, file.mime_type)
        return _unkept(name, file.mime_type)


class Attached:
    """The files of one inference."""

    def __init__(self, files: Files, input: Input, *, noted: bool, kept: bool) -> None:  # noqa: A002
        """Start nothing yet.

        Args:
            files: Where they come from and go.
            input: What was asked.
            noted: Whether the input will be recorded, so that each file needs a name.
            kept: Whether the files themselves are to be kept.
        """
        self._files = files
        self._input = input
        self._noted = noted
        self._keeps = kept and files.keeps
        self._eager = files.eager and self._keeps
        self._loop = asyncio.get_running_loop()
        self._got: dict[tuple[str | StoragePath, str | None], Task[_Bytes]] = {}
        self._kept: dict[str, Future[StoragePath]] = {}
        """By the base64 of the file."""
        self._places: dict[str, StoragePath] = {}

    def begin(self) -> None:
        """Keep what came as bytes, and fetch what is kept whether or not a provider wants it."""
        for _, file in _files_of(self._input):
            if file.data is not None:
                self._note(_Bytes(file.data, file.mime_type))
            elif file.url is not None and self._eager and len(self._got) < self._files.policy.max_files:
                self._start(file)

    async def ready(self, call: ModelCall, provider: Provider, limit: Limit) -> ModelCall:
        """Return the call with the bytes of every file whose address the provider does not take.

        Raises:
            FileUnavailable: one cannot be had.
            InferenceTimeout: one was not there in time.
        """
        wanted = [file for message in call.messages for file in message.content if self._lacks(provider, file)]
        if not wanted:
            return call
        await self._wait([self._start(file) for file in wanted if isinstance(file, File)], limit)
        messages = tuple(
            Message(
                message.role,
                tuple(
                    self._filled(b) if isinstance(b, File) and self._lacks(provider, b) else b for b in message.content
                ),
            )
            for message in call.messages
        )
        if call.sent is None:
            return replace(call, messages=messages)
        changed = {place for place, message in enumerate(messages) if message != call.messages[place]}
        return replace(call, messages=messages, sent=call.sent.without(changed))

    async def settle(self, *, final: bool = True) -> None:
        """Wait until every file that is here is kept.

        At the end, fetches that no provider waited for get a moment more: a provider that answers has mostly fetched
        the file itself, so it is rare that ours is not there yet. A file that is not is recorded by its address alone.

        Raises:
            SpoolFull: one cannot be kept, and the policy is to reject.
        """
        if final and (late := {task for task in self._got.values() if not task.done()}):
            _, late = await asyncio.wait(late, timeout=_GRACE_S if self._eager else 0)
            for task in late:
                task.cancel()
                self._files.metrics.count("file_failures", ("fetch",))
        for task in self._got.values():
            if task.done() and not task.cancelled() and task.exception() is None:
                self._note(task.result())
        for data, future in self._kept.items():
            if data in self._places:
                continue
            try:
                self._places[data] = await future
            except OSError as error:
                self._files.metrics.count("file_failures", ("keep",))
                why = error.strerror or type(error).__name__
                _log.error("a file of an inference cannot be kept: %s", why)
                if not self._files.shed:
                    raise SpoolFull(f"a file of the inference cannot be kept: {why}; free some disk") from None
                self._places[data] = _unkept("", None)

    def stored(self) -> Input:
        """Return the input as it is recorded: each file that is here by its place in the store. After `settle`."""
        return replace(
            self._input,
            messages=tuple(
                Message(m.role, tuple(self._stored(b) if type(b) is File else b for b in m.content))
                for m in self._input.messages
            ),
        )

    def masked(self, body: bytes | None) -> bytes | None:
        """Return a provider's request with the name of each file in the place of its base64. After `settle`."""
        if not body:
            return body
        # The longest first, since one file may be the beginning of another.
        for data, place in sorted(self._places.items(), key=lambda item: -len(item[0])):
            if len(data) >= _SHORTEST:
                body = _struck(body, data.encode(), f"<file {place.path}>".encode())
        return body

    def _note(self, file: _Bytes) -> None:
        if self._noted and file.data not in self._kept:
            self._kept[file.data] = self._files.keep(self._loop, file, really=self._keeps)

    def _lacks(self, provider: Provider, block: object) -> bool:
        if type(block) is not File or block.data is not None:
            return False
        if block.url is None:
            return block.storage_path is not None
        return wants_bytes(provider, block.url, block, always=self._files.policy.always)

    def _start(self, file: File) -> Task[_Bytes]:
        key = _key(file)
        task = self._got.get(key)
        if task is None:
            where, mime_type = key
            if isinstance(where, StoragePath):
                task = self._files.load(where, mime_type)
            elif len(self._got) >= self._files.policy.max_files:
                raise FileUnavailable(
                    f"input: more than {self._files.policy.max_files} files would have to be fetched "
                    "(`gateway.files.max_files`); send their `data`"
                )
            else:
                task = self._files.get(where, mime_type)
            self._got[key] = task
        return task

    async def _wait(self, tasks: list[Task[_Bytes]], limit: Limit) -> None:
        until = limit.total if limit.first is None else min(limit.total, limit.first)
        _, late = await asyncio.wait(set(tasks), timeout=max(0.0, until - monotonic()))
        if late:
            raise InferenceTimeout("a file of the request was not fetched in time")

    def _filled(self, file: File) -> File:
        try:
            got = self._got[_key(file)].result()
        except FetchFailed as error:
            raise FileUnavailable(f"{self._where(file)} cannot be fetched: {error}") from None
        return replace(file, url=None, data=got.data, mime_type=got.mime_type, storage_path=None, source_url=file.url)

    def _where(self, file: File) -> str:
        place = next((path for path, each in _files_of(self._input) if each is file), "input")
        return f"{place}: the file" if file.url is None else f"{place}.url: {parse_url(file.url).label}"

    def _stored(self, file: File) -> File:
        data, mime_type, source = file.data, file.mime_type, file.source_url
        if data is None and file.url is not None:
            task = self._got.get(_key(file))
            if task is None or task.cancelled() or not task.done() or task.exception() is not None:
                return file
            got = task.result()
            data, mime_type, source = got.data, got.mime_type, file.url
        place = None if data is None else self._places.get(data)
        if place is None:
            return file
        return File(None, None, mime_type or _UNKNOWN, file.detail, file.filename, place, source)


def _base64(content: bytes) -> str:
    return binascii.b2a_base64(content, newline=False).decode()


def _key(file: File) -> tuple[str | StoragePath, str | None]:
    return (file.storage_path or "" if file.url is None else file.url), file.mime_type


def _files_of(input: Input) -> Iterator[tuple[str, File]]:  # noqa: A002
    """Yield every file with its place."""
    for i, message in enumerate(input.messages):
        for j, block in enumerate(message.content):
            if isinstance(block, File):
                yield f"input.messages[{i}].content[{j}]", block


def _unkept(name: str, mime_type: str | None) -> StoragePath:
    return StoragePath(DisabledStorage(), blob_key(name, mime_type) if name else "")


def _struck(body: bytes, data: bytes, name: bytes) -> bytes:
    """Return the body with the name in the place of each occurrence of the data, which may be megabytes long.

    Base64 stands at the beginning of a JSON string, or behind the comma of a data URL. Only there is it compared, so
    that nobody can send bytes that take forever to be looked through.
    """
    for mark in (b'"', b","):
        head = mark + data[:64]
        pieces: list[bytes] = []
        done = at = 0
        while (at := body.find(head, at) + 1) > 0:
            if body.startswith(data, at):
                pieces += (body[done:at], name)
                done = at = at + len(data)
        if pieces:
            body = b"".join((*pieces, body[done:]))
    return body
