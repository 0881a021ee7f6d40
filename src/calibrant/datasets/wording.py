"""The text of a content by which it is the same case as another, or nearly."""

from __future__ import annotations

import msgspec

from calibrant.store.search_text import text_of_payloads
from calibrant.types.datapoint import Content
from calibrant.types.message import Input

__all__ = ["input_text", "text_of"]

_encode = msgspec.json.Encoder().encode


def text_of(content: Content) -> str:
    """Return the text of a content's input, without what it should be answered: see `input_text`."""
    return input_text(content.input)


def input_text(given: Input) -> str:
    """Return every string of an input on a line of its own, in lower case.

    A system prompt that is a text is left out: every case of an application has the same, and it would make all of
    them near-duplicates. The arguments of a template belong to the case.
    """
    if isinstance(given.system, str):
        given = Input(given.messages)
    return text_of_payloads(_encode(given), None)
