from __future__ import annotations

from typing import Any

import pytest

from calibrant.providers.anthropic_schema import accepted

CLOSED = {"type": "object", "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        ({"type": "object"}, CLOSED),
        ({"type": ["object", "null"]}, {"type": ["object", "null"], "additionalProperties": False}),
        ({"properties": {"a": True}}, {"properties": {"a": True}, "additionalProperties": False}),
        ({"type": "object", "additionalProperties": {"type": "string"}}, CLOSED),
        ({"type": "integer", "minimum": 1}, {"type": "integer", "description": "minimum: 1"}),
        (
            {"type": "string", "description": "a name", "maxLength": 3, "pattern": "^a"},
            {"type": "string", "description": 'a name (maxLength: 3, pattern: "^a")'},
        ),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "string", "format": "odd"}, {"type": "string", "description": 'format: "odd"'}),
        ({"type": "string", "format": ["date"]}, {"type": "string", "description": 'format: ["date"]'}),
        (
            {"type": "array", "items": {"type": "object"}, "minItems": 1},
            {"type": "array", "items": CLOSED, "minItems": 1},
        ),
        ({"type": "array", "minItems": 2}, {"type": "array", "description": "minItems: 2"}),
        ({"oneOf": [{"type": "object"}, True]}, {"anyOf": [CLOSED, True]}),
        ({"anyOf": [{}], "oneOf": [{}]}, {"anyOf": [{}], "description": "oneOf: [{}]"}),
        ({"allOf": [{"type": "object"}]}, {"allOf": [CLOSED]}),
        ({"enum": ["a", 1, None, True]}, {"enum": ["a", 1, None, True]}),
        ({"enum": [{"a": 1}]}, {"description": 'enum: [{"a":1}]'}),
        ({"const": [1]}, {"description": "const: [1]"}),
        ({"properties": 1, "$id": "x", "$comment": "y"}, {"description": "properties: 1"}),
        (
            {"$ref": "#/$defs/a", "description": "d", "$defs": {"a": {"type": "object"}}},
            {"$ref": "#/$defs/a", "$defs": {"a": CLOSED}},
        ),
        ({"type": "object", "title": "T", "default": {}}, {**CLOSED, "title": "T", "default": {}}),
    ],
    ids=str,
)
def test_a_schema_in_the_part_of_the_language_that_is_accepted(schema: dict[str, Any], sent: dict[str, Any]) -> None:
    before = repr(schema)
    assert accepted(schema) == sent
    assert repr(schema) == before


def test_what_is_accepted_stays_as_it_is() -> None:
    once = accepted({"type": "object", "properties": {"a": {"type": "integer", "maximum": 3}}, "required": ["a"]})
    assert accepted(once) == once
