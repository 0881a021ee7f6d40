"""A request that came in this dialect goes to a provider of it as its caller wrote it.

Of the body that was made of the request, what stays is what the caller did not say: the model, what the configuration
asked for, and what comes from the record. A field that the caller sent takes its place, unread.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from calibrant.apischema.openai_responses import InputText, MessageItem
from calibrant.types.request import Verbatim

__all__ = ["as_written"]

_json = msgspec.json.Encoder().encode
_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_names = msgspec.json.Decoder(list[str]).decode
_KEPT = frozenset({"model", "stream", "input", "instructions", "tools", "text", "reasoning", "include", "store"})
"""Fields that are not simply the caller's."""
_OURS = frozenset({"background", "conversation"})
"""Fields that the gateway answers itself."""


class _Named(msgspec.Struct):
    name: str | None = None


_named = msgspec.json.Decoder(_Named).decode


def as_written(made: bytes, verbatim: Verbatim, prior: list[Any]) -> bytes:
    """Return the body to send.

    Args:
        made: The body that was made of the request by way of our own model of it.
        verbatim: What the caller wrote.
        prior: Items of the record that come before the caller's.
    """
    body = _fields(made)
    theirs = {name: value for name, value in verbatim.fields.items() if name not in verbatim.overridden}
    body |= {name: value for name, value in theirs.items() if name not in _KEPT and name not in _OURS}
    if verbatim.input is not None:
        body["input"] = Raw(_json([*_carried(verbatim), *prior, *verbatim.input]))
        body.pop("instructions", None)
        _keep(body, theirs, "instructions")
    if bytes(theirs.get("stream", b"")) == b"false":
        # Whether to stream is ours to say, since not every variant passes a stream on.
        body.setdefault("stream", theirs["stream"])
    if "store" in theirs:
        # Where it is there already, the configuration asks for reasoning that comes only with answers not kept.
        body.setdefault("store", theirs["store"])
    for name in ("text", "reasoning"):
        if _said(theirs, name):
            body[name] = _merged(name, body.get(name), theirs[name], verbatim.overridden)
    if _said(theirs, "tools"):
        body["tools"] = _tools(body.get("tools"), theirs["tools"])
    if _said(theirs, "include"):
        body["include"] = _union(body.get("include"), theirs["include"])
    return _json(body)


def _carried(verbatim: Verbatim) -> list[MessageItem]:
    return [] if verbatim.carried is None else [MessageItem("developer", [InputText(verbatim.carried)])]


def _keep(body: dict[str, Raw], theirs: Mapping[str, Raw], name: str) -> None:
    if name in theirs:
        body[name] = theirs[name]


def _said(theirs: Mapping[str, Raw], name: str) -> bool:
    return name in theirs and bytes(theirs[name]) != b"null"


def _merged(name: str, made: Raw | None, theirs: Raw, overridden: frozenset[str]) -> Raw:
    """Return an object with the caller's keys, and those that the caller left to the configuration."""
    ours = {} if made is None else _fields(made)
    said = {key: value for key, value in _fields(theirs).items() if f"{name}.{key}" not in overridden}
    if name == "reasoning":
        # We ask for a summary wherever we ask for effort; the caller has said what is wanted.
        ours.pop("summary", None)
    return Raw(_json(ours | said))


def _tools(made: Raw | None, theirs: Raw) -> Raw:
    written = _list(theirs)
    names = {_named(tool).name for tool in written} - {None}
    ours = [] if made is None else [tool for tool in _list(made) if _named(tool).name not in names]
    return Raw(_json([*ours, *written]))


def _union(made: Raw | None, theirs: Raw) -> Raw:
    written = _names(theirs)
    ours = [] if made is None else _names(made)
    return Raw(_json([*written, *(name for name in ours if name not in written)]))
