"""Reasoning in Anthropic's dialect, whose blocks have room for a text and one opaque string.

Anthropic's own signatures pass byte for byte. What another provider wants back (its signature, the summary, its own
data) is packed into that string, so that a client which only keeps it, as clients must, brings everything back.
"""

from __future__ import annotations

import binascii
from typing import Any, cast

import msgspec
from msgspec import Struct

from calibrant.apischema.anthropic import SPEAKERS
from calibrant.types.content import Thought

__all__ = ["BREAK", "paragraphs", "read", "sealed", "shown"]

_MARK = "calibrant.thought."
BREAK = "\n\n"
"""Between two paragraphs of a summary."""


class _Sealed(Struct, frozen=True, omit_defaults=True):
    """What a client keeps for us."""

    provider_type: str | None = None
    signature: str | None = None
    summary: list[Any] | None = None
    extra_data: Any = None
    hidden: bool = False
    """Whether the thought has no text of its own: what was shown is its summary, or nothing."""
    alone: bool = False
    """Whether an empty text stood after it, which keeps it apart from what follows."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Sealed).decode


def shown(thought: Thought) -> str:
    """Return the text that a reader sees: the thought itself, or else its summary."""
    return paragraphs(thought.summary) if thought.text is None else thought.text


def paragraphs(summary: list[Any] | None) -> str:
    """Return the text of a summary."""
    parts = [cast("dict[str, Any]", part).get("text") for part in summary or () if isinstance(part, dict)]
    return BREAK.join([text for text in parts if isinstance(text, str)])


def sealed(thought: Thought, *, alone: bool = False) -> str:
    """Return what stands in the opaque field; empty where a provider gave nothing that it wants back.

    Args:
        thought: The thought.
        alone: Whether an empty text stands after it.
    """
    if thought.provider_type is None or thought.provider_type in SPEAKERS:
        return thought.signature or ""
    if thought.signature is None and thought.summary is None and thought.extra_data is None:
        return ""
    kept = _Sealed(
        thought.provider_type,
        thought.signature,
        thought.summary,
        thought.extra_data,
        hidden=thought.text is None,
        alone=alone,
    )
    return _MARK + binascii.b2a_base64(_encode(kept), newline=False).decode()


def read(text: str | None, opaque: str) -> tuple[Thought, bool]:
    """Return the thought that a block holds, and whether an empty text stood after it.

    Args:
        text: What the block shows; null for one that shows nothing.
        opaque: Its signature, or its data.
    """
    kept = _opened(opaque)
    if kept is None:
        # Whose an unsigned thought is, nobody can say any more.
        return Thought(text, opaque or None, provider_type="anthropic" if opaque else None), False
    thought = Thought(
        None if kept.hidden else text or "", kept.signature, kept.summary, kept.provider_type, kept.extra_data
    )
    return thought, kept.alone


def _opened(opaque: str) -> _Sealed | None:
    if not opaque.startswith(_MARK):
        return None
    try:
        return _decode(binascii.a2b_base64(opaque[len(_MARK) :]))
    except (ValueError, msgspec.DecodeError, RecursionError):
        # Not ours after all, or not whole: a provider will say what it thinks of it.
        return None
