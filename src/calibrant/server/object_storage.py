"""Handler of the route that gives back a file which the record names.

The store is the one of the configuration, whatever the caller says of it, and a path leads to a file of a user or to
nothing: TensorZero's route read any file of the machine before 2026.6.0 (CVE-2026-54457).
"""

from __future__ import annotations

import asyncio
import binascii
from urllib.parse import parse_qs

import msgspec

from calibrant.base.errors import InvalidRequest, NotFound
from calibrant.engine.engine import Engine
from calibrant.server.http import Answer, Handler, HttpRequest
from calibrant.types.storage import StoragePath

__all__ = ["object_handler"]

_decode = msgspec.json.Decoder(StoragePath).decode
_PARAMETER = "storage_path"


def object_handler(engine: Engine) -> Handler:
    """Return the handler of `GET /internal/object_storage`."""

    async def handle(http: HttpRequest) -> Answer:
        try:
            (text,) = parse_qs(http.query, keep_blank_values=True, strict_parsing=True, max_num_fields=8)[_PARAMETER]
            path = _decode(text)
        except (KeyError, ValueError, RecursionError) as error:
            raise InvalidRequest(
                f"{_PARAMETER}: send the `storage_path` of a recorded file as JSON, percent-encoded, once: {error}"
            ) from None
        found = None if engine.files is None else await engine.files.read(path)
        if found is None:
            raise NotFound(f"{_PARAMETER}: there is no such file, or no longer")
        data = await asyncio.to_thread(binascii.b2a_base64, found, newline=False)
        return Answer(200, msgspec.json.encode({"data": data.decode(), "reused_object_store": True}))

    return handle
