from __future__ import annotations

from typing import Any

import pytest

from calibrant.providers.gemini_schema import response_schema


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": ["string", "null"], "title": "t"}, {"type": ["string", "null"], "title": "t"}),
        ({"$schema": "s", "$comment": "c", "type": "object"}, {"type": "object"}),
        ({"const": "a"}, {"enum": ["a"]}),
        ({"const": True}, {"description": "const: true"}),
        (
            {"type": "string", "minLength": 2, "pattern": "^a"},
            {"type": "string", "description": 'minLength: 2, pattern: "^a"'},
        ),
        (
            {"type": "number", "description": "Age", "exclusiveMinimum": 0},
            {"type": "number", "description": "Age (exclusiveMinimum: 0)"},
        ),
        ({"$ref": "#/definitions/A", "description": "d"}, {"$ref": "#/$defs/A"}),
        ({"allOf": [{"type": "string"}], "title": "t"}, {"type": "string", "title": "t"}),
        ({"allOf": [{"type": "string"}, {}]}, {"description": 'allOf: [{"type":"string"},{}]'}),
        ({"anyOf": [{"const": 1}, {"type": "null"}]}, {"anyOf": [{"enum": [1]}, {"type": "null"}]}),
        ({"additionalProperties": False}, {"additionalProperties": False}),
        ({"additionalProperties": {"const": "x"}}, {"additionalProperties": {"enum": ["x"]}}),
        ({"items": {"const": "x"}, "prefixItems": [True]}, {"items": {"enum": ["x"]}, "prefixItems": [True]}),
        (
            {"$defs": {"A": {"const": 1}}, "definitions": {"B": {"const": 2}}, "properties": {"const": {"const": 3}}},
            {"$defs": {"A": {"enum": [1]}, "B": {"enum": [2]}}, "properties": {"const": {"enum": [3]}}},
        ),
    ],
)
def test_the_part_of_the_language_that_the_api_takes(given: dict[str, Any], expected: dict[str, Any]) -> None:
    before = repr(given)
    assert response_schema(given) == expected
    assert repr(given) == before
