"""A schema put into the part of the language that a provider accepts; one that is nested too deep is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider

__all__ = ["in_part"]


def in_part(
    provider: Provider, accepted: Callable[[dict[str, Any]], dict[str, Any]], schema: dict[str, Any]
) -> dict[str, Any]:
    """Return what `accepted`, which walks down the schema, makes of it.

    Raises:
        ProviderError: the schema is nested too deep.
    """
    try:
        return accepted(schema)
    except RecursionError:
        raise ProviderError(
            f"provider {provider.name!r} ({provider.type}) takes no schema that is nested this deep; flatten it",
            retryable=False,
        ) from None
