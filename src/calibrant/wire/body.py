"""What every inbound body is checked for, whatever its dialect.

Everything here answers with `InvalidRequest`, or `NotImplementedYet` for a feature that this version lacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec
from msgspec.structs import asdict

from calibrant.apischema.native import CacheOptions, ParamsBody
from calibrant.base.errors import InvalidRequest, NotImplementedYet
from calibrant.base.ids import parse_uuid7
from calibrant.types.cached import CachePolicy
from calibrant.types.content import Template, Thought, Unknown
from calibrant.types.request import NO_PARAMS, InferenceRequest, Params

__all__ = [
    "MAX_DEPTH",
    "check_documents",
    "check_names",
    "check_text",
    "checked_episode",
    "checked_id",
    "checked_tags",
    "invalid",
    "parse",
    "refuse_deep",
    "stored_name",
    "to_cache_policy",
    "to_params",
    "unbuilt",
    "used_prefix",
]

MAX_DEPTH = 100
"""How deep a caller's document may nest; deeper ones would exhaust the stack of whoever walks them later."""

_LONG = 16_384
_RESERVED = ("tensorzero::", "calibrant::")

T = TypeVar("T")


def invalid(problem: str, path: str) -> InvalidRequest:
    """Return the error for a problem at a JSON path."""
    return InvalidRequest(f"Invalid request body: {problem} - at `{path}`")


def parse(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Return the body as the decoder's type.

    Raises:
        InvalidRequest: it is no JSON, or not of that shape; the message has the JSON path.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"Invalid request body: {error}") from error
    except msgspec.DecodeError as error:
        hint = "; a lone surrogate is no character" if b"\\ud" in body.lower() else ""
        raise InvalidRequest(f"The request body is not valid JSON: {error}{hint}") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The request body is not valid UTF-8: {error.reason}") from error
    except RecursionError as error:
        raise InvalidRequest("The request body is nested too deeply") from error


def check_text(body: bytes) -> None:
    """Refuse a body that is not UTF-8 even where nothing has looked at it, since it is passed on.

    Raises:
        InvalidRequest: it is not.
    """
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The request body is not valid UTF-8: {error.reason}") from error


def checked_id(text: str, *, field: str, now_ms: int) -> str:
    """Return the canonical form of a UUIDv7 that the caller sent."""
    try:
        return parse_uuid7(text, now_ms=now_ms)
    except ValueError as error:
        raise invalid(f"{text!r} is not a valid UUIDv7: {error}", f"$.{field}") from error


def checked_episode(text: str, *, field: str, now_ms: int) -> str:
    """Return the canonical form of an episode's UUIDv7, which may be one of a workflow evaluation."""
    try:
        return parse_uuid7(text, now_ms=now_ms, evaluated=True)
    except ValueError as error:
        raise invalid(f"{text!r} is not a valid UUIDv7: {error}", f"$.{field}") from error


def checked_tags(tags: dict[str, str], *, field: str, internal: bool = False) -> dict[str, str]:
    """Return the tags; reserved ones only for internal use, and then under the prefix that is stored."""
    reserved = [key for key in tags if key.startswith(_RESERVED)]
    if not reserved:
        return tags
    if not internal:
        raise invalid(f"tag {reserved[0]!r} has a reserved prefix; rename it", f"$.{field}")
    return {stored_name(key): value for key, value in tags.items()}


def used_prefix(name: str) -> str:
    """Return the vendor prefix that a name was written with."""
    return "calibrant" if name.startswith("calibrant::") else "tensorzero"


def stored_name(name: str) -> str:
    """Return a name with `calibrant::` replaced by `tensorzero::`, the form that is stored."""
    return "tensorzero::" + name[11:] if name.startswith("calibrant::") else name


def to_params(body: ParamsBody | None) -> Params:
    """Return the parameters that a `params` object holds."""
    if body is None or body.chat_completion is None:
        return NO_PARAMS
    return Params(**asdict(body.chat_completion))


def to_cache_policy(options: CacheOptions) -> CachePolicy:
    """Return how the response cache may be used."""
    return CachePolicy(options.enabled, options.max_age_s)


def check_documents(body: bytes, request: InferenceRequest) -> None:
    """Refuse documents that nest too deeply and names that hold NUL.

    Args:
        body: As it came; where it is short and its bytes rule both out, nothing is looked at.
        request: What was made of it.
    """
    # In a long body it is cheaper to look at what was made of it: most of its bytes are text or a file.
    long = len(body) > _LONG
    if long or body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        for path, document in _documents(request):
            refuse_deep(document, path)
    # Looking for one byte is far cheaper than looking for six, and most bodies have no escape at all.
    if long or (b"\\" in body and b"\\u0000" in body):
        check_names(_names(request))


def refuse_deep(document: object, path: str) -> None:
    """Refuse a document that nests deeper than `MAX_DEPTH`."""
    level: list[dict[str, Any] | list[Any]] = [[document]]
    for _ in range(MAX_DEPTH + 1):
        # Breadth first, and without recursion: the document may be as deep as it likes.
        level = [child for parent in level for child in _children(parent) if isinstance(child, (dict, list))]
        if not level:
            return
    raise invalid(f"nested deeper than {MAX_DEPTH} levels", path)


def check_names(names: Iterable[tuple[str, str]]) -> None:
    """Refuse NUL in names, given with their paths: not every database can store it."""
    for path, name in names:
        if "\0" in name:
            raise invalid("the character NUL is not allowed here", path)


def unbuilt(field: str, fix: str) -> NotImplementedYet:
    """Return the error for a field whose feature this version lacks."""
    return NotImplementedYet(f"`{field}` is not implemented in this version; {fix}")


def _children(parent: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return parent.values() if isinstance(parent, dict) else parent


def _documents(request: InferenceRequest) -> Iterator[tuple[str, object]]:
    yield "$.input.system", request.input.system
    yield "output_schema", request.output_schema
    yield "internal_dynamic_variant_config", request.dynamic_variant
    for tool in request.tools:
        yield f"parameters of tool {tool.name!r}", tool.parameters
    for index, message in enumerate(request.input.messages):
        for block in message.content:
            match block:
                case Template():
                    yield f"message {index}: arguments", block.arguments
                case Thought():
                    yield f"message {index}: thought", [block.summary, block.extra_data]
                case Unknown():
                    yield f"message {index}: data", block.data
                case _:
                    pass


def _names(request: InferenceRequest) -> Iterator[tuple[str, str]]:
    for field in ("function_name", "model_name", "variant_name", "namespace"):
        yield field, getattr(request, field) or ""
    for key, value in request.tags.items():
        yield "tags", key + value
    for key in request.credentials:
        yield "credentials", key
    for tool in (*request.tools, *request.custom_tools):
        yield "tools", tool.name
    for name in request.allowed_tools or ():
        yield "allowed_tools", name
