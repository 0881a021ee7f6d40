"""JSON Schemas in the part of the language that Anthropic's structured outputs accept.

Objects must be closed, so that one with free names (`additionalProperties` is a schema) has only its `properties`,
as the vendor's SDK does it too. Limits on values (`minimum`, `maxLength`, ...) are refused: they become part of the
description, so that the model still reads them.

Source: platform.claude.com/docs/en/build-with-claude/structured-outputs.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

__all__ = ["accepted"]

_KEPT = frozenset({"type", "$ref", "required", "additionalProperties", "description", "title", "default"})
_CHOICES = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}
_BESIDE_REF = frozenset({"$ref", "$defs", "definitions"})
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"},
)
_MAX_MIN_ITEMS = 1


def accepted(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema as the API takes it.

    Raises:
        RecursionError: it is nested too deep.
    """
    out: dict[str, Any] = {}
    told: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "$defs", "definitions") and isinstance(value, dict):
            out[key] = {name: _schema(inner) for name, inner in cast("dict[str, Any]", value).items()}
        elif key == "items":
            out[key] = _schema(value)
        elif key in _CHOICES and (key != "oneOf" or "anyOf" not in schema):
            out[_CHOICES[key]] = _list(value)
        elif _is_kept(key, value):
            out[key] = value
        elif not key.startswith("$"):
            told[key] = value
    if "$ref" in out:
        # Beside a reference, nothing else may stand.
        return {key: value for key, value in out.items() if key in _BESIDE_REF}
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


def _is_kept(key: str, value: Any) -> bool:
    match key:
        case "format":
            return isinstance(value, str) and value in _FORMATS
        case "minItems":
            return isinstance(value, int) and value <= _MAX_MIN_ITEMS
        case "enum":
            return isinstance(value, list) and all(_is_plain(each) for each in cast("list[Any]", value))
        case "const":
            return _is_plain(value)
        case _:
            return key in _KEPT


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float))


def _is_object(schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema
