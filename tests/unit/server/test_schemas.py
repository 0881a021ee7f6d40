"""Schemas of types: they allow what msgspec reads, and nothing is lost on the way."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from calibrant.server import schemas as module
from calibrant.server.schemas import Schemas


class Inner(Struct, frozen=True, forbid_unknown_fields=True):
    """Inside."""

    text: str
    """What it says."""


class Cat(Struct, frozen=True, tag="cat"):
    lives: Annotated[int, Meta(ge=0, le=9)] = 9


class Dog(Struct, frozen=True, tag="dog"):
    tricks: list[str] = []


class Tree(Struct, frozen=True):
    children: list["Tree"] = []


class Base(Struct, frozen=True, rename=lambda name: name.replace("_", "::", 1)):
    own_field: str | None = None
    """Of the base."""


class Whole(Base, frozen=True, kw_only=True):
    """Everything."""

    inner: Inner
    pet: Cat | Dog | None = None
    raw: Raw = Raw()
    unset: int | UnsetType = UNSET
    both: float | UnsetType | None = UNSET
    choice: Literal["a", "b"] | None = None
    mixed: str | list[Inner] = ""
    at: Annotated[datetime, Meta(tz=True)] | None = None
    id: UUID | None = None
    pair: tuple[int, str] | None = None
    many: Annotated[tuple[str, ...], Meta(max_length=3)] = ()
    by_name: dict[str, int] | None = None
    anything: Any = None


def made(kind, read_as=None):
    schemas = Schemas(read_as or {})
    return schemas.of(kind), schemas.components


def field(name, read_as=None):
    return made(Whole, read_as)[1]["Whole"]["properties"][name]


def test_a_struct_is_a_component():
    schema, components = made(Whole)
    assert schema == {"$ref": "#/components/schemas/Whole"}
    assert set(components) == {"Whole", "Inner", "Cat", "Dog"}
    assert components["Inner"] == {
        "type": "object",
        "properties": {"text": {"type": "string", "description": "What it says."}},
        "description": "Inside.",
        "required": ["text"],
        "additionalProperties": False,
    }
    assert components["Whole"]["required"] == ["inner"]


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("raw", {}),
        ("anything", {}),
        ("unset", {"type": "integer"}),
        ("both", {"type": ["number", "null"]}),
        ("choice", {"type": ["string", "null"], "enum": ["a", "b", None]}),
        ("at", {"type": ["string", "null"], "format": "date-time"}),
        ("id", {"type": ["string", "null"], "format": "uuid"}),
        ("many", {"type": "array", "items": {"type": "string"}, "maxItems": 3}),
        ("by::name", {"type": ["object", "null"], "additionalProperties": {"type": "integer"}}),
        ("own::field", {"type": ["string", "null"], "description": "Of the base."}),
    ],
)
def test_fields(name, schema):
    assert field(name) == schema


def test_a_tagged_union_has_a_discriminator_beside_null():
    choice, null = field("pet")["anyOf"]
    assert null == {"type": "null"}
    assert choice["discriminator"] == {
        "propertyName": "type",
        "mapping": {"cat": "#/components/schemas/Cat", "dog": "#/components/schemas/Dog"},
    }
    cat = made(Whole)[1]["Cat"]
    assert cat["properties"]["type"] == {"type": "string", "const": "cat"}
    assert cat["properties"]["lives"] == {"type": "integer", "minimum": 0, "maximum": 9, "default": 9}


def test_structs_without_a_tag_side_by_side():
    schema, components = made((Inner, Tree))
    assert schema == {"anyOf": [{"$ref": "#/components/schemas/Inner"}, {"$ref": "#/components/schemas/Tree"}]}
    assert components["Tree"]["properties"]["children"]["items"] == {"$ref": "#/components/schemas/Tree"}


def test_a_field_may_be_read_as_something_else_also_of_a_base():
    assert field("raw", {(Whole, "raw"): list[Inner]})["items"] == {"$ref": "#/components/schemas/Inner"}
    assert field("own::field", {(Base, "own_field"): int})["type"] == "integer"


def test_names_that_collide_are_told_apart_by_module():
    other = msgspec.defstruct("Inner", [("number", int)], module="calibrant.some_place")
    private = msgspec.defstruct("_Inner", [("number", int)], module="calibrant.hidden")
    _, components = made((Inner, other, private))
    assert set(components) == {"Inner", "SomePlaceInner", "HiddenInner"}


def test_a_schema_stays_as_it_is():
    assert made({"type": "object"}) == ({"type": "object"}, {})


def test_what_json_does_not_have_is_refused():
    with pytest.raises(TypeError, match="BytesType has no place"):
        made(bytes)


def test_without_its_source_a_field_goes_undescribed(monkeypatch):
    module._said_in_module.cache_clear()
    monkeypatch.setattr(module.inspect, "getsource", lambda _: (_ for _ in ()).throw(OSError))
    try:
        assert "description" not in made(Inner)[1]["Inner"]["properties"]["text"]
    finally:
        module._said_in_module.cache_clear()


VALUES = st.builds(
    Whole,
    own_field=st.none() | st.text(),
    inner=st.builds(Inner, st.text()),
    pet=st.none() | st.builds(Cat, st.integers(0, 9)) | st.builds(Dog, st.lists(st.text())),
    raw=st.sampled_from([Raw(b"null"), Raw(b'{"a":[1]}')]),
    unset=st.just(UNSET) | st.integers(-(2**63), 2**63 - 1),
    both=st.just(UNSET) | st.none() | st.floats(allow_nan=False, allow_infinity=False),
    choice=st.none() | st.sampled_from(["a", "b"]),
    mixed=st.text() | st.lists(st.builds(Inner, st.text())),
    id=st.none() | st.uuids(),
    pair=st.none() | st.tuples(st.integers(0, 9), st.text()),
    many=st.lists(st.text(), max_size=3).map(tuple),
    by_name=st.none() | st.dictionaries(st.text(), st.integers(0, 9)),
)


@given(VALUES)
def test_what_is_written_is_allowed(value):
    schema, components = made(Whole)
    validator = jsonschema_rs.Draft202012Validator({**schema, "components": {"schemas": components}})
    validator.validate(msgspec.json.decode(msgspec.json.encode(value)))
