"""JSON Schemas in the part of the language that Anthropic's structured outputs accept.

Objects must be closed, and limits on values (`minimum`, `maxLength`, ...) are refused: they become part of the
description, so that the model still reads them.

Source: platform.claude.com/docs/en/build-with-claude/structured-outputs.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

__all__ = ["accepted"]

_KEPT = frozenset(
    {"type", "enum", "const", "anyOf", "allOf", "$ref", "$defs", "definitions", "properties", "required", "items"}
    | {"additionalProperties", "description", "title", "default"}
)
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"},
)
_MAX_MIN_ITEMS = 1


def accepted(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema as the API takes it."""
    out: dict[str, Any] = {}
    told: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "oneOf":
            out["anyOf"] = _list(value)
        elif key in ("anyOf", "allOf"):
            out[key] = _list(value)
        elif key in ("properties", "$defs", "definitions") and isinstance(value, dict):
            out[key] = {name: _schema(inner) for name, inner in cast("dict[str, Any]", value).items()}
        elif key == "items":
            out[key] = _schema(value)
        elif key in _KEPT or (key == "format" and value in _FORMATS) or _is_small_minimum(key, value):
            out[key] = value
        elif not key.startswith("$"):
            told[key] = value
    if _is_object(out):
        out["additionalProperties"] = False
    if told:
        said = ", ".join(f"{key}: {msgspec.json.encode(value).decode()}" for key, value in told.items())
        out["description"] = f"{out['description']} ({said})" if out.get("description") else said
    return out


def _schema(value: Any) -> Any:
    return accepted(cast("dict[str, Any]", value)) if isinstance(value, dict) else value


def _list(value: Any) -> Any:
    return [_schema(inner) for inner in cast("list[Any]", value)] if isinstance(value, list) else value


def _is_small_minimum(key: str, value: Any) -> bool:
    return key == "minItems" and isinstance(value, int) and value <= _MAX_MIN_ITEMS


def _is_object(schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema
