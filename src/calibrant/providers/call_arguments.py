"""A tool call's arguments, for the wires that have them as a JSON object and not as text."""

from __future__ import annotations

from typing import Any

import msgspec

from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider

__all__ = ["arguments_object"]

_decode = msgspec.json.Decoder().decode


def arguments_object(provider: Provider, arguments: str) -> Any:
    """Return a call's `arguments` as the JSON object that the wire has; none at all are an empty one.

    Raises:
        ProviderError: they are not a JSON object.
    """
    if not arguments.strip():
        return {}
    try:
        value = _decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        value = None
    if isinstance(value, dict):
        # As the model wrote them: numbers keep every digit.
        return msgspec.Raw(arguments.encode())
    raise ProviderError(
        f"provider {provider.name!r} takes a tool call's `arguments` only as a JSON object; mend those of the call "
        "in the conversation, or take it out",
        retryable=False,
    )
