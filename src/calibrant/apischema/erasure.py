"""`POST /v1/erasures`."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["ErasedTag", "ErasureBody"]


class ErasedTag(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tag of inferences."""

    key: str
    value: str


class ErasureBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be forgotten: by a tag or by an episode, one of the two."""

    tag: ErasedTag | None = None
    episode_id: str | None = None
    plan: bool = False
    """Say what would be erased, and erase nothing."""
