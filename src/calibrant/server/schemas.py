"""JSON Schema of msgspec types, as components of an OpenAPI document.

`msgspec.json.schema_components` is not enough here: it fails where a default is `Raw`, keeps one of several Structs
without a tag, names what collides by its module's path, and knows nothing of what is said about single fields.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, cast

import msgspec
from msgspec import inspect as kinds

__all__ = ["JsonSchema", "Schemas"]

JsonSchema = dict[str, Any]
ReadAs = Mapping[tuple[type, str], Any]
"""What a field is whose Struct says less, such as `Raw`: by Struct, or a base of it, and field."""

_REF = "#/components/schemas/"
_NULL: JsonSchema = {"type": "null"}
_BOUNDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}


class Schemas:
    """Collects the components that the schemas of a document refer to."""

    __slots__ = ("_names", "_read_as", "components")

    def __init__(self, read_as: ReadAs) -> None:
        """Start without any component."""
        self.components: dict[str, JsonSchema] = {}
        self._names: dict[type, str] = {}
        self._read_as = read_as

    def of(self, kind: Any) -> JsonSchema:
        """Return the schema of a type, of one of several (a tuple), or of any number of one (a list of it alone).

        A schema that is one already stays as it is.

        Raises:
            TypeError: JSON has no such type.
        """
        if isinstance(kind, dict):
            return cast("JsonSchema", kind)
        if isinstance(kind, tuple):
            return {"anyOf": [self.of(each) for each in cast("tuple[Any, ...]", kind)]}
        if isinstance(kind, list):
            (each,) = cast("list[Any]", kind)
            return {"type": "array", "items": self.of(each)}
        return self._schema(kinds.type_info(kind))

    def _schema(self, kind: kinds.Type) -> JsonSchema:
        match kind:
            case kinds.Metadata():
                extra = cast("JsonSchema | None", kind.extra_json_schema)  # pyright: ignore[reportUnknownMemberType]
                return {**self._schema(kind.type), **(extra or {})}
            case kinds.StructType():
                return {"$ref": _REF + self._component(kind)}
            case kinds.UnionType():
                return self._union(kind)
            case kinds.DictType():
                return self._mapping(kind)
            case kinds.ListType() | kinds.VarTupleType():
                return self._list(kind)
            case kinds.TupleType():
                items = [self._schema(each) for each in kind.item_types]
                return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
            case _:
                return _plain(kind)

    def _mapping(self, kind: kinds.DictType) -> JsonSchema:
        values = self._schema(kind.value_type)
        return {"type": "object", "additionalProperties": values} if values else {"type": "object"}

    def _list(self, kind: kinds.ListType | kinds.VarTupleType) -> JsonSchema:
        schema: JsonSchema = {"type": "array"}
        items = self._schema(kind.item_type)
        if items:
            schema["items"] = items
        if kind.min_length is not None:
            schema["minItems"] = kind.min_length
        if kind.max_length is not None:
            schema["maxItems"] = kind.max_length
        return schema

    def _union(self, kind: kinds.UnionType) -> JsonSchema:
        # UNSET is what is not there, so it is no value.
        members = [each for each in kind.types if not isinstance(each, (kinds.NoneType, kinds.CustomType))]
        null = any(isinstance(each, kinds.NoneType) for each in kind.types)
        schemas = [self._schema(each) for each in members]
        tagged = [each for each in members if isinstance(each, kinds.StructType) and each.tag_field is not None]
        if {} in schemas:
            return {}
        if len(schemas) == 1:
            return _or_null(schemas[0]) if null else schemas[0]
        if len(tagged) == len(members):
            mapping = {str(each.tag): _REF + self._component(each) for each in tagged}
            told_by = {"propertyName": tagged[0].tag_field, "mapping": mapping}
            choice: JsonSchema = {"anyOf": schemas, "discriminator": told_by}
            return _or_null(choice) if null else choice
        return {"anyOf": [*schemas, _NULL] if null else schemas}

    def _component(self, kind: kinds.StructType) -> str:
        known = self._names.get(kind.cls)
        if known is not None:
            return known
        name = kind.cls.__name__.lstrip("_")
        if name in self.components:
            module = kind.cls.__module__.rpartition(".")[2]
            name = "".join(part.title() for part in module.split("_")) + name
        self._names[kind.cls] = name
        self.components[name] = {}
        self.components[name].update(self._object(kind))
        return name

    def _object(self, kind: kinds.StructType) -> JsonSchema:
        properties: dict[str, JsonSchema] = {}
        required: list[str] = []
        if kind.tag_field is not None:
            properties[kind.tag_field] = {"type": "string", "const": kind.tag}
            required.append(kind.tag_field)
        said = _said_of_fields(kind.cls)
        for field in kind.fields:
            read_as = self._reading(kind.cls, field.name)
            schema = dict(self._schema(field.type) if read_as is None else self.of(read_as))
            if field.name in said:
                schema["description"] = said[field.name]
            if isinstance(field.default, (str, int, float)):
                schema["default"] = field.default
            properties[field.encode_name] = schema
            if field.required:
                required.append(field.encode_name)
        schema: JsonSchema = {"type": "object", "properties": properties}
        if kind.cls.__doc__ and "_" not in kind.cls.__name__[:1]:
            schema["description"] = inspect.cleandoc(kind.cls.__doc__)
        if required:
            schema["required"] = required
        if kind.forbid_unknown_fields:
            schema["additionalProperties"] = False
        return schema

    def _reading(self, cls: type, field: str) -> Any:
        """Return what a field is read as, of the class itself or of a base that brings it; null for what it says."""
        return next((self._read_as[each, field] for each in cls.__mro__ if (each, field) in self._read_as), None)


def _plain(kind: kinds.Type) -> JsonSchema:
    match kind:
        case kinds.AnyType() | kinds.RawType():
            return {}
        case kinds.NoneType():
            return _NULL
        case kinds.BoolType():
            return {"type": "boolean"}
        case kinds.StrType():
            return {"type": "string"}
        case kinds.IntType():
            return {"type": "integer", **_bounds(kind)}
        case kinds.FloatType():
            return {"type": "number", **_bounds(kind)}
        case kinds.DateTimeType():
            return {"type": "string", "format": "date-time"}
        case kinds.UUIDType():
            return {"type": "string", "format": "uuid"}
        case kinds.LiteralType():
            values = list(kind.values)
            texts = all(isinstance(value, str) for value in values)
            return {"type": "string", "enum": values} if texts else {"enum": values}
        case _:
            raise TypeError(f"{type(kind).__name__} has no place in a JSON Schema yet; add it here")


def _bounds(kind: kinds.IntType | kinds.FloatType) -> JsonSchema:
    found = {name: getattr(kind, bound) for bound, name in _BOUNDS.items()}
    return {name: value for name, value in found.items() if value is not None}


def _or_null(schema: JsonSchema) -> JsonSchema:
    named = schema.get("type")
    if not isinstance(named, str):
        return {"anyOf": [schema, _NULL]}
    both = {**schema, "type": [named, "null"]}
    if "enum" in both:
        both["enum"] = [*both["enum"], None]
    return both


def _said_of_fields(cls: type) -> dict[str, str]:
    """Return the strings that stand under the fields of a class, those of its bases included."""
    said: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        said |= _said_in_module(each.__module__).get(each.__name__, {}) if issubclass(each, msgspec.Struct) else {}
    return said


@cache
def _said_in_module(name: str) -> dict[str, dict[str, str]]:
    """Return the strings under fields by class; none where the source is not there."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[name]))
    except (KeyError, OSError, TypeError):
        return {}
    return {each.name: _strings_under_fields(each.body) for each in tree.body if isinstance(each, ast.ClassDef)}


def _strings_under_fields(body: Sequence[ast.stmt]) -> dict[str, str]:
    said: dict[str, str] = {}
    for statement, after in pairwise(body):
        match statement, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                said[name] = inspect.cleandoc(text)
            case _:
                pass
    return said
