"""From what somebody wants to the row that is kept: names, hashes, group keys. Pure."""

from __future__ import annotations

from typing import Final

import msgspec
from blake3 import blake3

from calibrant.base.errors import InvalidRequest
from calibrant.types.datapoint import (
    BY_DATAPOINT,
    BY_EPISODE,
    BY_TAG,
    Content,
    Datapoint,
    NewDatapoint,
)

__all__ = ["checked_dataset", "checked_group_by", "content_hash", "group_key", "made"]

_RESERVED: Final = ("tensorzero::", "calibrant::")
_BUILDER: Final = "builder"
_LONGEST: Final = 500
_encode = msgspec.json.Encoder().encode


def checked_dataset(name: str) -> str:
    """Return the name of a dataset.

    Raises:
        InvalidRequest: nobody may call a dataset so.
    """
    if not name or len(name) > _LONGEST or "\0" in name:
        raise InvalidRequest(f"dataset name: write 1 to {_LONGEST} characters, without NUL")
    if name == _BUILDER or name.startswith(_RESERVED):
        raise InvalidRequest(
            f"dataset name: {name[:80]!r} is reserved, as {_BUILDER!r} and all that begins with `tensorzero::` or "
            "`calibrant::` is; choose another"
        )
    return name


def checked_group_by(text: str) -> str:
    """Return by what the datapoints of a dataset belong together.

    Raises:
        InvalidRequest: there is no such way.
    """
    if text in (BY_EPISODE, BY_DATAPOINT):
        return text
    if text.startswith(BY_TAG) and text != BY_TAG and "\0" not in text and len(text) <= _LONGEST:
        return text
    raise InvalidRequest(
        f"group_by: {text[:80]!r} is none of {BY_EPISODE!r}, {BY_DATAPOINT!r} and '{BY_TAG}NAME', such as "
        f"'{BY_TAG}user_id'"
    )


def content_hash(content: Content) -> str:
    """Return the BLAKE3 of a content's JSON, in hexadecimal digits."""
    return blake3(_encode(content)).hexdigest()


def group_key(group_by: str, *, root_id: str, episode_id: str | None, tags: dict[str, str]) -> str:
    """Return what a datapoint shares with those that it must not be separated from.

    Args:
        group_by: How its dataset groups.
        root_id: The datapoint that it was made of in the end, or itself.
        episode_id: Its episode, if it has one.
        tags: Its tags.
    """
    if group_by.startswith(BY_TAG):
        name = group_by.removeprefix(BY_TAG)
        if name in tags:
            # Told apart from ids, which anybody may write into a tag.
            return f"{group_by}={tags[name]}"
    if group_by == BY_DATAPOINT:
        return root_id
    return episode_id or root_id


def made(
    wanted: NewDatapoint, datapoint_id: str, *, dataset_name: str, version: int, group_by: str, actor: str, now_ms: int
) -> Datapoint:
    """Return the row of a datapoint that is wanted.

    Args:
        wanted: What is wanted, checked.
        datapoint_id: Its id.
        dataset_name: Where it goes.
        version: Of the dataset that it comes with.
        group_by: How the dataset groups.
        actor: Who wants it.
        now_ms: Unix time.
    """
    root_id = wanted.origin.root_id or datapoint_id
    return Datapoint(
        id=datapoint_id,
        dataset_name=dataset_name,
        since=version,
        name=wanted.name,
        episode_id=wanted.episode_id,
        tags=wanted.tags,
        group_key=group_key(group_by, root_id=root_id, episode_id=wanted.episode_id, tags=wanted.tags),
        content_hash=content_hash(wanted.content),
        content=wanted.content,
        origin=wanted.origin,
        actor=actor,
        updated_at=now_ms,
    )
