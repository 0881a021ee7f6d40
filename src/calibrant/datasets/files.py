"""Files of inferences into their datapoints: the record keeps files for a time, a dataset for good."""

from __future__ import annotations

import asyncio
import binascii
from typing import Protocol

from msgspec.structs import replace

from calibrant.base.errors import FileUnavailable
from calibrant.types.content import File, InputBlock
from calibrant.types.datapoint import NewDatapoint
from calibrant.types.message import Message
from calibrant.types.storage import StoragePath

__all__ = ["FileStore", "with_files"]


class FileStore(Protocol):
    """Where the record keeps files."""

    async def read(self, path: StoragePath) -> bytes | None:
        """Return a file that was kept, or null where there is none of that name.

        Raises:
            FileUnavailable: none are kept, or the store cannot be asked now.
        """
        ...


async def with_files(files: FileStore | None, wanted: NewDatapoint) -> NewDatapoint:
    """Return a datapoint whose input has its files itself. One that is not there, or no longer, stays a name."""
    content = wanted.content
    if files is None or not any(_named(block) for message in content.input.messages for block in message.content):
        return wanted
    messages = [
        Message(message.role, tuple([await _filled(files, block) for block in message.content]))
        for message in content.input.messages
    ]
    given = replace(content.input, messages=tuple(messages))
    return replace(wanted, content=replace(content, input=given))


def _named(block: InputBlock) -> bool:
    return isinstance(block, File) and block.storage_path is not None


async def _filled(files: FileStore, block: InputBlock) -> InputBlock:
    if not isinstance(block, File) or block.storage_path is None:
        return block
    try:
        found = await files.read(block.storage_path)
    except FileUnavailable:
        return block
    if found is None:
        return block
    data = await asyncio.to_thread(binascii.b2a_base64, found, newline=False)
    return replace(block, data=data.decode(), storage_path=None)
