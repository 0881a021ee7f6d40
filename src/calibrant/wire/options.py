"""From what a request says of extra fields, extra headers and provider tools to values; checked, with JSON paths."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import UNSET

from calibrant.apischema.options import ExtraBodyEntry, ExtraHeaderEntry, ProviderToolBody
from calibrant.types.extra import EVERYWHERE, ExtraBody, ExtraHeader, ProviderTool, Scope
from calibrant.wire import body as checks
from calibrant.wire.body import invalid

__all__ = ["to_extra_body", "to_extra_headers", "to_provider_tools"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\r\n\0]*")
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "host"})
"""Headers that say how a message is sent, which is not the caller's business."""


def to_extra_body(entries: Sequence[ExtraBodyEntry] | None, path: str) -> tuple[ExtraBody, ...]:
    """Return the changes of the provider's request.

    Raises:
        InvalidRequest: an entry changes nothing, or its pointer is none.
    """
    return tuple([_body(entry, f"{path}[{index}]") for index, entry in enumerate(entries or ())])


def to_extra_headers(entries: Sequence[ExtraHeaderEntry] | None, path: str) -> tuple[ExtraHeader, ...]:
    """Return the changes of its headers.

    Raises:
        InvalidRequest: an entry changes nothing, or is no header.
    """
    return tuple([_header(entry, f"{path}[{index}]") for index, entry in enumerate(entries or ())])


def to_provider_tools(entries: Sequence[ProviderToolBody] | None, path: str) -> tuple[ProviderTool, ...]:
    """Return the provider's own tools.

    Raises:
        InvalidRequest: one nests too deeply.
    """
    found: list[ProviderTool] = []
    for index, entry in enumerate(entries or ()):
        checks.refuse_deep(entry.tool, f"{path}[{index}].tool")
        scope = entry.scope
        held = (
            EVERYWHERE
            if scope is None
            else Scope(None, scope.model_name, scope.provider_name or scope.model_provider_name)
        )
        found.append(ProviderTool(entry.tool, held))
    return tuple(found)


def _body(entry: ExtraBodyEntry, path: str) -> ExtraBody:
    if not entry.pointer.startswith("/"):
        raise invalid("no JSON Pointer; start it with '/', such as '/generationConfig/topK'", f"{path}.pointer")
    if (entry.value is UNSET) != bool(entry.delete):
        raise invalid("an entry needs exactly one of `value` and `delete: true`", path)
    checks.refuse_deep(entry.value, f"{path}.value")
    return ExtraBody(
        entry.pointer,
        None if entry.value is UNSET else entry.value,
        entry.delete or False,
        _scope(entry, path),
    )


def _header(entry: ExtraHeaderEntry, path: str) -> ExtraHeader:
    if not _TOKEN.fullmatch(entry.name):
        raise invalid("no name of a header", f"{path}.name")
    if entry.name.lower() in _FRAMING:
        raise invalid("this header is set by the gateway alone", f"{path}.name")
    if (entry.value is None) != bool(entry.delete):
        raise invalid("an entry needs exactly one of `value` and `delete: true`", path)
    if entry.value is not None and not _VALUE.fullmatch(entry.value):
        raise invalid("a header's value has no line break and no NUL", f"{path}.value")
    return ExtraHeader(entry.name.lower(), entry.value, _scope(entry, path))


def _scope(entry: ExtraBodyEntry | ExtraHeaderEntry, path: str) -> Scope:
    if entry.provider_name is not None and entry.model_name is None:
        raise invalid("`provider_name` goes with `model_name`", f"{path}.provider_name")
    if entry.variant_name is not None and entry.model_name is not None:
        raise invalid("an entry is for a variant or for a model, not for both", f"{path}.variant_name")
    if entry.variant_name is None and entry.model_name is None:
        return EVERYWHERE
    return Scope(entry.variant_name, entry.model_name, entry.provider_name)
