"""Which dialects providers speak that callers speak, too, and how a caller's messages stand in a body."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Raw

from calibrant.apischema.anthropic import SPEAKERS
from calibrant.config.schema import Provider
from calibrant.types.sent import Dialect, Sent

__all__ = ["speakers", "speaks", "written"]

_TYPES: dict[Dialect, frozenset[str]] = {
    "anthropic_messages": SPEAKERS,
    # Those that take every field of OpenAI's, or do without one that they do not know.
    "openai_chat": frozenset({"azure", "openai", "openrouter", "sglang", "vllm"}),
}


def speaks(provider: Provider, dialect: Dialect) -> bool:
    """Return whether the provider is to get what a caller wrote in the dialect as it is."""
    if provider.options.get("api_type") == "responses":
        return dialect == "openai_responses"
    return provider.type in _TYPES.get(dialect, ())


def speakers(dialect: Dialect) -> str:
    """Return who speaks the dialect, for an error's message."""
    if dialect == "openai_responses":
        return "whose `api_type` is 'responses'"
    return f"of the types {', '.join(sorted(_TYPES.get(dialect, ())))}"


def written(sent: Sent, made: Callable[[int], Iterable[Any]]) -> list[Any]:
    """Return the messages as the caller wrote them.

    Args:
        sent: What of the caller's words still stands.
        made: Returns a message in our own words, by its place, for one that is another now.
    """
    out: list[Any] = []
    done: set[int] = set()
    for each in sent.messages:
        if each.raw is not None:
            out.append(Raw(each.raw))
        elif each.place is not None and each.place not in done:
            done.add(each.place)
            out += made(each.place)
    return out
