"""Counting the tokens of a request: the body of `POST /messages/count_tokens`, and its answer."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from calibrant.providers.refusal import UNREADABLE, bad_answer

__all__ = ["count_body", "decode_count"]

_encode = msgspec.json.Encoder().encode
_fields = msgspec.json.Decoder(dict[str, Raw])
_COUNTED = frozenset(
    {
        "cache_control",
        "context_management",
        "mcp_servers",
        "messages",
        "model",
        "output_config",
        "output_format",
        "speed",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    }
)
"""The fields of a request that the route takes."""


class _Count(Struct, frozen=True):
    input_tokens: int


_decode = msgspec.json.Decoder(_Count).decode


def count_body(body: bytes, model: str) -> bytes:
    """Return the body that has the tokens of a request counted.

    Args:
        body: The request, as it would be sent.
        model: The model, which has to be named here even where the request has it in its address.
    """
    kept: dict[str, Any] = {key: raw for key, raw in _fields.decode(body).items() if key in _COUNTED}
    return _encode({**kept, "model": model})


def decode_count(provider: str, status: int, body: bytes) -> int:
    """Return the count.

    Raises:
        BadAnswer: the body has none.
    """
    try:
        return _decode(body).input_tokens
    except UNREADABLE as error:
        raise bad_answer(provider, status, body, f"the answer is no count of tokens: {error}") from None
