"""What a caller wrote in a vendor's dialect, kept so that a provider of the same dialect gets it as it was."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Literal

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

__all__ = ["Dialect", "Sent", "SentMessage"]

Dialect = Literal["native", "openai_chat", "openai_responses", "anthropic_messages"]

_json = msgspec.json.Encoder().encode
_keys = msgspec.json.Decoder(dict[str, Raw]).decode


class SentMessage(Struct, frozen=True, gc=False):
    """One message, or one item of those that became a message."""

    raw: bytes | None
    """JSON, as written; null where it is another now, or nothing is left of it for this dialect."""
    place: int | None
    """Which message of the input it became; null for one that went into the system prompt."""


class Sent(Struct, frozen=True, gc=False):
    """One request."""

    dialect: Dialect
    model: str
    """Whom it is for, as written; answers echo it."""
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

    def without(self, changed: Set[int]) -> Sent:
        """Return it without the words of messages, given by their places, that are no longer what is asked."""
        if not changed:
            return self
        kept = tuple([SentMessage(None, each.place) if each.place in changed else each for each in self.messages])
        return replace(self, messages=kept)

    def without_fields(self, names: Set[str]) -> Sent:
        """Return it without fields, each given by its name, or as `name.key` where it is a key of an object."""
        fields = {name: raw for name, raw in self.fields.items() if name not in names}
        for path in names:
            name, _, key = path.partition(".")
            if key and bytes(fields.get(name, b"null")) != b"null":
                fields[name] = Raw(_json({each: raw for each, raw in _keys(fields[name]).items() if each != key}))
        return replace(self, fields=fields)

    def moved(self, places: Mapping[int, int]) -> Sent:
        """Return it for messages that stand elsewhere now: their new places by the old; of all others nothing stays."""
        kept = [each for each in self.messages if each.place is None or each.place in places]
        return replace(
            self,
            messages=tuple([SentMessage(e.raw, None if e.place is None else places[e.place]) for e in kept]),
        )
