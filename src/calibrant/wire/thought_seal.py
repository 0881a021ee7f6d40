"""Reasoning of any provider in the one opaque field that OpenAI's clients send back: `encrypted_content`.

What a Responses API wrote goes out and comes back byte for byte. What another provider wants back beside the text
(whose it is, its signature, its extra data) is packed up with a mark. That hides nothing: it keeps things together.
"""

from __future__ import annotations

import binascii
from typing import Any, cast

import msgspec
from msgspec import Struct

from calibrant.types.content import Thought

__all__ = ["is_sealed", "own_id", "seal", "unseal"]

_MARK = "calibrant.1."
_json = msgspec.json.Encoder().encode


class _Seal(Struct, frozen=True, omit_defaults=True):
    provider_type: str | None = None
    signature: str | None = None
    extra_data: Any = None


_decode = msgspec.json.Decoder(_Seal).decode


def own_id(thought: Thought) -> str | None:
    """Return the id that a Responses API gave the reasoning, or null where none did."""
    extra: Any = thought.extra_data
    if isinstance(extra, dict) and len(cast("dict[str, Any]", extra)) == 1:
        found = cast("dict[str, Any]", extra).get("id")
        return found if isinstance(found, str) else None
    return None


def seal(thought: Thought) -> str | None:
    """Return what clients shall send back, or null where the text is all there is."""
    if thought.provider_type is None or own_id(thought) is not None:
        return thought.signature
    kept = _Seal(thought.provider_type, thought.signature, thought.extra_data)
    return _MARK + binascii.b2a_base64(_json(kept), newline=False).decode()


def is_sealed(encrypted: str | None) -> bool:
    """Return whether the text is a seal of ours."""
    return encrypted is not None and encrypted.startswith(_MARK)


def unseal(encrypted: str | None, text: str | None, summary: list[Any] | None, id_: str | None) -> Thought:
    """Return the thought that an item of reasoning holds.

    A seal that cannot be read is taken for OpenAI's, which no other provider is sent.
    """
    if encrypted is not None and encrypted.startswith(_MARK):
        try:
            kept = _decode(binascii.a2b_base64(encrypted[len(_MARK) :], strict_mode=True))
            return Thought(text, kept.signature, summary, kept.provider_type, kept.extra_data)
        except (binascii.Error, ValueError, RecursionError):
            pass
    return Thought(text, encrypted, summary, "openai", None if id_ is None else {"id": id_})
