"""The body of `POST /responses` for a caller who speaks the dialect: the caller's fields and items.

Of the body that was made of the request, what stays is what the caller did not say: the model, what the configuration
asked for, and what comes from the record. A field that the caller sent takes its place, unread.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from calibrant.config.schema import Provider
from calibrant.providers.responses_input import to_items
from calibrant.providers.spoken import written
from calibrant.providers.tools import custom_names
from calibrant.types.call import ModelCall
from calibrant.types.sent import Sent

__all__ = ["as_sent"]

_json = msgspec.json.Encoder().encode
_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_names = msgspec.json.Decoder(list[str]).decode
_text = msgspec.json.Decoder(str | None).decode
_KEPT = frozenset({"model", "stream", "instructions", "tools", "text", "reasoning", "include", "store"})
"""Fields that are not simply the caller's."""
_OURS = frozenset({"background", "conversation"})
"""Fields that the gateway answers itself."""


class _Named(msgspec.Struct):
    name: str | None = None


_named = msgspec.json.Decoder(_Named).decode


def as_sent(provider: Provider, call: ModelCall, sent: Sent, made: bytes, added: str | None) -> bytes:
    """Return the body to send.

    Args:
        provider: Whom it goes to.
        call: What is asked.
        sent: What of the caller's words still stands.
        made: The body that was made of the call in our own words.
        added: Instructions of ours beside the caller's.

    Raises:
        ProviderError: a message that configuration changed has no form in this dialect.
    """
    body = _fields(made)
    theirs = sent.fields
    body |= {name: value for name, value in theirs.items() if name not in _KEPT and name not in _OURS}
    custom = custom_names(call)
    items = written(sent, lambda place: to_items(provider, (call.messages[place],), custom))
    body["input"] = Raw(_json(items))
    if sent.whole_system:
        _set_instructions(body, theirs, added)
    if bytes(theirs.get("stream", b"")) == b"false":
        # Whether to stream is ours to say, since not every variant passes a stream on.
        body.setdefault("stream", theirs["stream"])
    if "store" in theirs:
        # Where it is there already, the configuration asks for reasoning that comes only with answers not kept.
        body.setdefault("store", theirs["store"])
    for name in ("text", "reasoning"):
        if _said(theirs, name):
            body[name] = _merged(name, body.get(name), theirs[name])
    if _said(theirs, "tools"):
        body["tools"] = _tools(body.get("tools"), theirs["tools"])
    if _said(theirs, "include"):
        body["include"] = _union(body.get("include"), theirs["include"])
    return _json(body)


def _set_instructions(body: dict[str, Any], theirs: Mapping[str, Raw], added: str | None) -> None:
    """Put the caller's own in the place of ours, which have what the items of the input say, too."""
    body.pop("instructions", None)
    if added is not None:
        own = _text(theirs["instructions"]) if "instructions" in theirs else None
        body["instructions"] = f"{own}\n\n{added}" if own else added
    elif "instructions" in theirs:
        body["instructions"] = theirs["instructions"]


def _said(theirs: Mapping[str, Raw], name: str) -> bool:
    return name in theirs and bytes(theirs[name]) != b"null"


def _merged(name: str, made: Raw | None, theirs: Raw) -> Raw:
    """Return an object with the caller's keys, and those that the caller left to the configuration."""
    ours = {} if made is None else _fields(made)
    if name == "reasoning":
        # We ask for a summary wherever we ask for effort; the caller has said what is wanted.
        ours.pop("summary", None)
    return Raw(_json(ours | _fields(theirs)))


def _tools(made: Raw | None, theirs: Raw) -> Raw:
    given = _list(theirs)
    names = {_named(tool).name for tool in given} - {None}
    ours = [] if made is None else [tool for tool in _list(made) if _named(tool).name not in names]
    return Raw(_json([*ours, *given]))


def _union(made: Raw | None, theirs: Raw) -> Raw:
    given = _names(theirs)
    ours = [] if made is None else _names(made)
    return Raw(_json([*given, *(name for name in ours if name not in given)]))
