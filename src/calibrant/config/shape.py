"""Compares a tree of TOML values with a shape and finds every mistake at once.

msgspec's own `convert` stops at the first mistake; this walk goes on, and takes out what is wrong, so that
the rest can be checked further. It knows shapes (msgspec's description of types) and marks, and nothing of
what any particular key means.
"""

from __future__ import annotations

import datetime
import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from msgspec import Struct, inspect

from calibrant.config.marks import Mark, fault_of
from calibrant.config.problem import Path

__all__ = ["Fault", "did_you_mean", "prune", "rewrite"]

Kind = inspect.Type
Tree = dict[str, Any]

_GONE: Any = object()


class Fault(Struct, frozen=True):
    """A value that does not fit its shape. Never quotes the value."""

    path: Path
    problem: str
    remedy: str


def prune(value: Any, kind: Kind) -> tuple[Any, list[Fault]]:
    """Return the value without what does not fit, and what did not fit.

    A table that lacks something required goes as a whole, since nothing further can be said of it.
    """
    faults: list[Fault] = []
    kept = _fit(value, kind, (), faults)
    return ({} if kept is _GONE else kept), faults


def rewrite(value: Any, kind: Kind, change: Callable[[Mark, Any, Path], Any], path: Path = ()) -> Any:
    """Return the value with every marked part replaced by what `change` makes of it. The value must fit."""
    mark, kind = _marked(_member(kind, value) or kind)
    if mark is not None:
        return change(mark, value, path)
    match kind:
        case inspect.StructType():
            fields = {field.encode_name: field.type for field in kind.fields}
            return {
                key: rewrite(item, fields[key], change, (*path, key)) if key in fields else item
                for key, item in value.items()
            }
        case inspect.DictType():
            return {key: rewrite(item, kind.value_type, change, (*path, key)) for key, item in value.items()}
        case inspect.VarTupleType():
            return [rewrite(item, kind.item_type, change, (*path, i)) for i, item in enumerate(value)]
        case _:
            return value


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return advice about a name that is not known."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    if not names:
        return "there is none to name"
    shown = ", ".join(repr(each) for each in names[:20])
    return f"known: {shown}" + (", ..." if len(names) > 20 else "")


def _fit(value: Any, kind: Kind, path: Path, faults: list[Fault]) -> Any:
    chosen = _choose(value, kind, path, faults)
    if chosen is None:
        return _GONE
    mark, chosen = _marked(chosen)
    match chosen:
        case inspect.StructType() if isinstance(value, dict):
            return _fit_struct(cast("Tree", value), chosen, path, faults)
        case inspect.DictType() if isinstance(value, dict):
            return _fit_dict(cast("Tree", value), chosen, path, faults)
        case inspect.VarTupleType() if isinstance(value, list):
            return _fit_list(cast("list[Any]", value), chosen, path, faults)
        case _:
            return _fit_leaf(value, chosen, mark, path, faults)


def _choose(value: Any, kind: Kind, path: Path, faults: list[Fault]) -> Kind | None:
    """Return the member of a union that the value is meant for; says why when there is none."""
    member = _member(kind, value)
    if member is not None:
        return member
    tags = _tags(kind)
    if tags and isinstance(value, dict):
        tag = cast("Tree", value).get("type")
        if tag is None:
            faults.append(Fault((*path, "type"), "is missing", f"write one of {_listed(tags)}"))
        else:
            advice = did_you_mean(tag, tags) if isinstance(tag, str) else f"write one of {_listed(tags)}"
            faults.append(Fault((*path, "type"), "is no type that can stand here", advice))
        return None
    faults.append(_mismatch(value, kind, path))
    return None


def _fit_struct(value: Tree, kind: inspect.StructType, path: Path, faults: list[Fault]) -> Any:
    fields = {field.encode_name: field for field in kind.fields}
    kept: Tree = {}
    for key, item in value.items():
        if key == kind.tag_field:
            kept[key] = item
        elif key not in fields:
            faults.append(Fault((*path, key), "is not a key that can stand here", did_you_mean(key, fields)))
        else:
            fitted = _fit(item, fields[key].type, (*path, key), faults)
            if fitted is not _GONE:
                kept[key] = fitted
    for name, field in fields.items():
        if field.required and name not in value:
            faults.append(Fault((*path, name), "is missing", f"write {_described(field.type)}"))
    whole = all(name in kept for name, field in fields.items() if field.required)
    return kept if whole else _GONE


def _fit_dict(value: Tree, kind: inspect.DictType, path: Path, faults: list[Fault]) -> Tree:
    fitted = {key: _fit(item, kind.value_type, (*path, key), faults) for key, item in value.items()}
    return {key: item for key, item in fitted.items() if item is not _GONE}


def _fit_list(value: list[Any], kind: inspect.VarTupleType, path: Path, faults: list[Fault]) -> Any:
    if kind.min_length is not None and len(value) < kind.min_length:
        faults.append(Fault(path, "is empty", f"name at least {kind.min_length}"))
        return _GONE
    fitted = [_fit(item, kind.item_type, (*path, i), faults) for i, item in enumerate(value)]
    kept = [item for item in fitted if item is not _GONE]
    # Its faults are noted; what is left of it may be too short to stand.
    return _GONE if len(kept) < (kind.min_length or 0) else kept


def _fit_leaf(value: Any, kind: Kind, mark: Mark | None, path: Path, faults: list[Fault]) -> Any:
    if not _accepts(kind, value):
        faults.append(_mismatch(value, kind, path))
        return _GONE
    wrong = None if mark is None else fault_of(mark, value)
    if wrong is not None:
        faults.append(Fault(path, *wrong))
        return _GONE
    return value


def _mismatch(value: Any, kind: Kind, path: Path) -> Fault:
    problem = f"is {_named(value)}"
    if isinstance(value, str) and isinstance(kind, inspect.LiteralType):
        return Fault(path, "is none of the words that can stand here", f"write {_described(kind)}")
    if _alike(inspect.FloatType(), value) and _described(kind).startswith(("a number", "an integer")):
        problem = f"is {value}"
    return Fault(path, problem, f"write {_described(kind)}")


def _marked(kind: Kind) -> tuple[Mark | None, Kind]:
    if isinstance(kind, inspect.Metadata):
        extra = cast("dict[str, Mark]", kind.extra or {})  # pyright: ignore[reportUnknownMemberType]
        return extra.get("mark"), kind.type
    return None, kind


def _members(kind: Kind) -> tuple[Kind, ...]:
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)


def _tags(kind: Kind) -> dict[str, inspect.StructType]:
    structs = [member for member in _members(kind) if isinstance(member, inspect.StructType)]
    return {str(struct.tag): struct for struct in structs if struct.tag is not None}


def _member(kind: Kind, value: Any) -> Kind | None:
    """Return the member of a union that a value is meant for, or null where none is."""
    members = _members(kind)
    tags = _tags(kind)
    if tags and isinstance(value, dict):
        tag = cast("Tree", value).get("type")
        return tags.get(tag) if isinstance(tag, str) else None
    if len(members) == 1:
        return members[0]
    # A wrong value is reported against the member of its own sort: a word that is none of the words, say.
    alike = [member for member in members if _alike(_marked(member)[1], value)]
    return next((member for member in alike if _accepts(_marked(member)[1], value)), alike[0] if alike else None)


def _alike(kind: Kind, value: Any) -> bool:
    match kind:
        case inspect.StructType() | inspect.DictType():
            return isinstance(value, dict)
        case inspect.VarTupleType():
            return isinstance(value, list)
        case inspect.IntType() | inspect.FloatType():
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case inspect.StrType() | inspect.LiteralType():
            return isinstance(value, str)
        case inspect.BoolType():
            return isinstance(value, bool)
        case _:
            return isinstance(kind, inspect.AnyType)


def _accepts(kind: Kind, value: Any) -> bool:
    match kind:
        case inspect.AnyType():
            return True
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.LiteralType():
            return isinstance(value, str) and value in kind.values
        case inspect.StrType():
            return isinstance(value, str) and len(value) >= (kind.min_length or 0)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool) and _within(kind, value)
        case inspect.FloatType():
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            return number and math.isfinite(value) and _within(kind, value)
        case _:
            return _alike(kind, value)


def _within(kind: inspect.IntType | inspect.FloatType, value: float) -> bool:
    return (
        (kind.ge is None or value >= kind.ge)
        and (kind.gt is None or value > kind.gt)
        and (kind.le is None or value <= kind.le)
    )


_WORDS: Mapping[type[Kind], str] = {
    inspect.BoolType: "true or false",
    inspect.StructType: "a table",
    inspect.DictType: "a table",
    inspect.VarTupleType: "an array",
    inspect.AnyType: "a value",
}


def _described(kind: Kind) -> str:
    _, kind = _marked(kind)
    match kind:
        case inspect.UnionType():
            parts = [_described(member) for member in kind.types if not isinstance(member, inspect.NoneType)]
            return " or ".join(dict.fromkeys(parts))
        case inspect.LiteralType():
            words = sorted(str(value) for value in kind.values)
            return f"one of {_listed(words)}" if len(words) > 1 else repr(words[0])
        case inspect.StrType():
            return "a string that is not empty" if kind.min_length else "a string"
        case inspect.IntType():
            return "an integer" + _bounds(kind)
        case inspect.FloatType():
            return "a number" + _bounds(kind)
        case inspect.VarTupleType():
            return f"an array, each of it {_described(kind.item_type)}"
        case _:
            return _WORDS.get(type(kind), "something else")


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    bounds = [(kind.ge, "at least"), (kind.gt, "greater than"), (kind.le, "at most")]
    said = [f"{words} {bound:g}" for bound, words in bounds if bound is not None]
    return f" of {' and '.join(said)}" if said else ""


def _named(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return "a string" if value else "an empty string"
        case int() | float():
            return "a number"
        case list():
            return "an array"
        case dict():
            return "a table"
        case datetime.date() | datetime.time():
            return "a date or time"
        case _:
            return "something else"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(repr(word) for word in sorted(words))
