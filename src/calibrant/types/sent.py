"""What a caller wrote in a vendor's dialect, kept so that a provider of the same dialect gets it as it was."""

from __future__ import annotations

from msgspec import Raw, Struct
from msgspec.structs import replace

__all__ = ["Sent", "SentMessage"]


class SentMessage(Struct, frozen=True):
    """One message."""

    raw: bytes | None
    """JSON, as written; null where configuration has changed it, or nothing is left of it for this dialect."""
    place: int | None
    """Which message of the input it became; null for one that went into the system prompt."""


class Sent(Struct, frozen=True):
    """One request."""

    model: str
    """Whom it is for, as written; answers echo it."""
    speakers: frozenset[str]
    """The provider types that speak the dialect."""
    fields: dict[str, Raw]
    """The fields of the body that have not become anybody else's business: neither model, messages nor our own."""
    messages: tuple[SentMessage, ...]
    tools: frozenset[str] = frozenset()
    """Names of the tools in `fields`."""
    headers: tuple[tuple[str, str], ...] = ()
    """Those that say how the body is to be read."""
    only: tuple[str, ...] = ()
    """What no other dialect can say, by JSON path."""
    whole_system: bool = True
    """Whether the system prompt is the caller's own."""
    answers_pass: bool = True
    """Whether answers of such a provider pass as they are, too."""

    def without(self, changed: set[int]) -> Sent:
        """Return it without the words of messages, given by their places, that are no longer what is asked."""
        if not changed:
            return self
        kept = tuple([SentMessage(None, each.place) if each.place in changed else each for each in self.messages])
        return replace(self, messages=kept)
