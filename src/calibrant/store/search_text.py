"""What text search looks at: the words of an inference, not the JSON around them. Pure; alike on every store.

The text is every string in the input, but for those that name a type or a role, and the same of the output, of which
only `raw` counts where it is a JSON function's. It is compared in lower case. A search finds any part of it, however
short: it is found where the index has all the triples of its characters and the text really holds it. An entry of the
index is taken out by the text that it was made of, so whoever changes what the text is has to make the index anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from msgspec import DecodeError
from msgspec.json import decode

__all__ = ["MIN_INDEXED", "folded", "hits", "pattern", "searched", "text_of_payloads"]

MIN_INDEXED = 3
"""Shorter texts are in no index."""
_FIXED = frozenset(("type", "role"))


def folded(text: str) -> str:
    """Return a text as it is compared. A NUL, at which SQLite would stop reading, is a space."""
    return text.lower().replace("\0", " ")


def text_of_payloads(given: bytes | None, made: bytes | None) -> str:
    """Return the text of an inference, folded: of its input, then of its output; each string on a line of its own."""
    output = _document(made)
    if isinstance(output, dict):
        fields = cast("dict[str, Any]", output)
        if "raw" in fields:
            output = fields["raw"]
    return folded("\n".join((*_strings(_document(given)), *_strings(output))))


def hits(text: str, wanted: str) -> int:
    """Return how often a text holds another, without overlap; both folded."""
    return text.count(wanted) if wanted else 0


def searched(wanted: str) -> str | None:
    """Return what to ask the index of trigrams for a text; null where the text is too short for it."""
    text = folded(wanted)
    triples = dict.fromkeys(text[at : at + MIN_INDEXED] for at in range(len(text) - MIN_INDEXED + 1))
    return " AND ".join('"' + triple.replace('"', '""') + '"' for triple in triples) or None


def pattern(wanted: str) -> str:
    """Return the pattern of LIKE, with `!` as its escape, that finds a text anywhere."""
    text = folded(wanted)
    for special in "!%_":
        text = text.replace(special, f"!{special}")
    return f"%{text}%"


def _document(payload: bytes | None) -> Any:
    if payload is None:
        return None
    try:
        return decode(payload)
    except (DecodeError, RecursionError):
        # A redaction hook may leave anything.
        return payload.decode(errors="replace")


def _strings(value: Any) -> Iterator[str]:
    pending: list[Any] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, list):
            pending += reversed(cast("list[Any]", item))
        elif isinstance(item, dict):
            fields = cast("dict[str, Any]", item)
            pending += [each for name, each in reversed(fields.items()) if name not in _FIXED]
