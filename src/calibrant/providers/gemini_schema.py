"""JSON Schemas in the part of the language that Gemini holds an output to (`responseJsonSchema`).

What it would ignore becomes part of the description, so that the model still reads it. The parameters of functions
are sent as they are: `parametersJsonSchema` takes the whole language.

Source: ai.google.dev/api/generate-content#GenerationConfig.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

__all__ = ["response_schema"]

_ONE = frozenset({"items", "additionalProperties"})
_MANY = frozenset({"prefixItems", "anyOf", "oneOf"})
_KEPT = frozenset(
    {"$id", "$anchor", "type", "format", "title", "description", "enum", "minItems", "maxItems", "minimum", "maximum"}
    | {"required", "propertyOrdering", *_ONE, *_MANY}
)
_NAMED = {"properties": "properties", "$defs": "$defs", "definitions": "$defs"}


def response_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema as the API takes it.

    Raises:
        RecursionError: it is nested too deep.
    """
    out: dict[str, Any] = {}
    told: dict[str, Any] = {}
    for key, value in _merged(schema).items():
        if key in _NAMED and isinstance(value, dict):
            out.setdefault(_NAMED[key], {}).update(_named(cast("dict[str, Any]", value)))
        elif key == "$ref":
            out[key] = str(value).replace("#/definitions/", "#/$defs/")
        elif key in _KEPT:
            out[key] = _inner(key, value)
        elif key == "const" and _is_plain(value):
            out["enum"] = [value]
        elif not key.startswith("$"):
            told[key] = value
    if "$ref" in out:
        # Beside a reference, nothing else may stand.
        return {key: value for key, value in out.items() if key.startswith("$")}
    if told:
        said = ", ".join(f"{key}: {msgspec.json.encode(value).decode()}" for key, value in told.items())
        out["description"] = f"{out['description']} ({said})" if out.get("description") else said
    return out


def _inner(key: str, value: Any) -> Any:
    if key in _ONE and isinstance(value, dict):
        return response_schema(cast("dict[str, Any]", value))
    if key in _MANY and isinstance(value, list):
        return [_schema(each) for each in cast("list[Any]", value)]
    return value


def _named(schemas: dict[str, Any]) -> dict[str, Any]:
    return {name: _schema(each) for name, each in schemas.items()}


def _schema(value: Any) -> Any:
    return response_schema(cast("dict[str, Any]", value)) if isinstance(value, dict) else value


def _is_plain(value: Any) -> bool:
    """Return whether an `enum` may hold the value: it takes texts and numbers."""
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with the only member of an `allOf` in its place."""
    every = schema.get("allOf")
    if not isinstance(every, list):
        return schema
    members = cast("list[Any]", every)
    if len(members) != 1 or not isinstance(members[0], dict):
        return schema
    return {**cast("dict[str, Any]", members[0]), **{key: value for key, value in schema.items() if key != "allOf"}}
