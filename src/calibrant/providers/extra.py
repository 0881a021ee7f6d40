"""`extra_body` and `extra_headers`: what configuration and caller change of a request before it is signed.

Changes are made in order, so that a later one sees what an earlier one did. Pointers are JSON Pointers
(RFC 6901). A write makes the objects on its way; it never makes a list, and an index is one that is there or the
next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from calibrant.base.errors import ProviderError
from calibrant.types.call import HttpCall
from calibrant.types.extra import ExtraBody, ExtraHeader

__all__ = ["changed"]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_END = "-"


def changed(http: HttpCall, body: Sequence[ExtraBody], headers: Sequence[ExtraHeader]) -> HttpCall:
    """Return the request with the changes made.

    Raises:
        ProviderError: a pointer leads nowhere in this body; the message names it.
    """
    if body:
        document = _decode(http.body)
        for extra in body:
            _change(document, extra)
        http = replace(http, body=_encode(document))
    if headers:
        fields = dict(http.headers)
        for header in headers:
            fields.pop(header.name, None)
            if header.value is not None:
                fields[header.name] = header.value
        http = replace(http, headers=tuple(fields.items()))
    return http


def _change(document: Any, extra: ExtraBody) -> None:
    steps = [step.replace("~1", "/").replace("~0", "~") for step in extra.pointer.split("/")[1:]]
    if not steps:
        raise _astray(extra, "it names the whole body; name a field of it, such as '/field'")
    here = document
    for step in steps[:-1]:
        found = _child(here, step, extra)
        if found is None:
            if extra.delete:
                return
            found = _made(here, step, extra)
        here = found
    if extra.delete:
        _delete(here, steps[-1], extra)
    else:
        _write(here, steps[-1], extra)


def _child(here: Any, step: str, extra: ExtraBody) -> Any:
    if isinstance(here, dict):
        return cast("dict[str, Any]", here).get(step)
    if isinstance(here, list):
        items = cast("list[Any]", here)
        index = _index(items, step, extra)
        return items[index] if index < len(items) else None
    raise _astray(extra, f"there is no object or list to find {step!r} in")


def _made(here: Any, step: str, extra: ExtraBody) -> dict[str, Any]:
    made: dict[str, Any] = {}
    _put(here, step, made, extra)
    return made


def _write(here: Any, step: str, extra: ExtraBody) -> None:
    _put(here, step, extra.value, extra)


def _put(here: Any, step: str, value: Any, extra: ExtraBody) -> None:
    if isinstance(here, dict):
        here[step] = value
    elif isinstance(here, list):
        items = cast("list[Any]", here)
        index = _index(items, step, extra)
        items[index : index + 1] = [value]
    else:
        raise _astray(extra, f"there is no object or list to put {step!r} in")


def _delete(here: Any, step: str, extra: ExtraBody) -> None:
    if isinstance(here, dict):
        cast("dict[str, Any]", here).pop(step, None)
    elif isinstance(here, list):
        items = cast("list[Any]", here)
        index = _index(items, step, extra)
        del items[index : index + 1]
    else:
        raise _astray(extra, f"there is no object or list to take {step!r} out of")


def _index(items: list[Any], step: str, extra: ExtraBody) -> int:
    if step == _END:
        return len(items)
    if not (step.isascii() and step.isdigit()) or int(step) > len(items):
        raise _astray(extra, f"{step!r} is no place in a list of {len(items)}; '-' appends")
    return int(step)


def _astray(extra: ExtraBody, why: str) -> ProviderError:
    return ProviderError(f"extra_body: the pointer {extra.pointer!r} cannot be followed: {why}", retryable=False)
