"""Ids of the Responses dialect: those of an answer and its items are made of the inference's, and lead back to it."""

from __future__ import annotations

import re

from calibrant.base.ids import parse_uuid7

__all__ = ["inference_of", "item_id", "owner_of", "response_id"]

_ITEM = re.compile(r"(?:msg|fc|ctc|rs|unk)_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_(\d{1,6})")


def response_id(inference_id: str) -> str:
    """Return the id of the answer."""
    return f"resp_{inference_id}"


def inference_of(response: str, *, now_ms: int) -> str | None:
    """Return the inference whose answer has this id, or null where no answer of ours can have it."""
    try:
        return parse_uuid7(response.removeprefix("resp_"), now_ms=now_ms)
    except ValueError:
        return None


def item_id(kind: str, inference_id: str, place: int) -> str:
    """Return the id of an item.

    Args:
        kind: What its type's ids begin with.
        inference_id: The inference that it answers.
        place: Its place in the output.
    """
    return f"{kind}_{inference_id}_{place}"


def owner_of(item: str) -> tuple[str, int] | None:
    """Return the inference and the place of an item of ours, or null for an id that is not ours."""
    found = _ITEM.fullmatch(item)
    return None if found is None else (found[1], int(found[2]))
