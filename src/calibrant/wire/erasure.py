"""Erasure on the wire. What an erasure did is told as `types.erasure.Erasure` stands."""

from __future__ import annotations

from uuid import UUID

import msgspec

from calibrant.apischema.erasure import ErasureBody
from calibrant.base.errors import InvalidRequest
from calibrant.types.erasure import Erasure, Whose
from calibrant.wire.body import parse

__all__ = ["decode_erasure", "encode_erasure", "whose"]

_body = msgspec.json.Decoder(ErasureBody)


def decode_erasure(body: bytes) -> tuple[Whose, bool]:
    """Return what a body wants forgotten, and whether it only asks for the plan.

    Raises:
        InvalidRequest: it is malformed, or says not which.
    """
    asked = parse(_body, body)
    tag = None if asked.tag is None else (asked.tag.key, asked.tag.value)
    return whose(tag, asked.episode_id), asked.plan


def whose(tag: tuple[str, str] | None, episode_id: str | None) -> Whose:
    """Return what is meant by a tag or an episode.

    Raises:
        InvalidRequest: it is both or neither, an empty name, or no episode's id.
    """
    if (tag is None) == (episode_id is None):
        raise InvalidRequest("an erasure wants either a tag or an episode: name one of the two")
    if tag is not None:
        if not tag[0] or not tag[1]:
            raise InvalidRequest("tag: neither its key nor its value may be empty")
        return Whose(tag=tag)
    try:
        return Whose(episode_id=str(UUID(episode_id)))
    except ValueError:
        raise InvalidRequest(f"episode_id: {str(episode_id)[:80]!r} is no UUID") from None


def encode_erasure(done: Erasure) -> bytes:
    """Return what an erasure did, or would do."""
    return msgspec.json.encode(done)
