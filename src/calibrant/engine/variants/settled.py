"""A stream of an answer that is there already, as variants have it that cannot stream."""

from __future__ import annotations

from time import monotonic

from msgspec.structs import replace

from calibrant.engine.attempt import OpenStream
from calibrant.engine.ended import Ended, Over, nothing
from calibrant.types.reply import Reply, as_chunk

__all__ = ["settled"]


def settled(reply: Reply) -> OpenStream:
    """Return the answer as a stream of one chunk. What is raw of it belongs to the calls that were made for it."""
    first = as_chunk(replace(reply, raw=b""))
    return OpenStream([first], Over(), Ended(), nothing(), None, monotonic())
