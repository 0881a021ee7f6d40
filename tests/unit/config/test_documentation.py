"""`docs/configuration.md` has every key of the document, with its default and whether it works."""

import re
from pathlib import Path

from msgspec import NODEFAULT, Struct, inspect

from calibrant.config.document import DOCUMENT
from calibrant.config.document_functions import Judge, JudgeVariant
from calibrant.config.unbuilt import UNBUILT

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"
ROW = re.compile(r"^\| `([^`]+)` \| (.*?) \| (.*?) \| (.+) \|$")
HEADING = re.compile(r"^#+ `\[([^\]]+)\]`")


def bare(kind):
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def structs_of(kind):
    """The tables to descend into, with what stands between them and the key; none where a plain value will do."""
    kind = bare(kind)
    if isinstance(kind, inspect.DictType):
        return [(f".*{between}", each) for between, each in structs_of(kind.value_type)]
    if isinstance(kind, inspect.VarTupleType):
        return [(f"[]{between}", each) for between, each in structs_of(kind.item_type)]
    members = [bare(m) for m in getattr(kind, "types", (kind,))]
    members = [m for m in members if not isinstance(m, inspect.NoneType)]
    return [("", m) for m in members] if all(isinstance(m, inspect.StructType) for m in members) else []


def default_of(field):
    if field.required:
        return "required"
    value = field.default if field.default is not NODEFAULT else field.default_factory()
    if value is None or value in ((), {}) or isinstance(value, Struct):
        return ""
    if value is True or value is False:
        return str(value).lower()
    return f"`{list(value) if isinstance(value, tuple) else value}`"


def matches(pattern, parts):
    return all(want in ("*", got) for want, got in zip(pattern, parts, strict=False))


def status_of(path):
    parts, said = path.replace("[]", "").split("."), []
    for row in UNBUILT:
        pattern = row.pattern.split(".")
        if len(parts) < len(pattern) or not matches(pattern, parts):
            continue
        word = "warns" if row.reach == "inert" else "refused"
        if not row.values:
            return word
        if len(parts) == len(pattern):
            said += [(word, value) for value in row.values]
    by_word = {word: ", ".join(sorted(f"`{str(v).lower()}`" for w, v in said if w == word)) for word, _ in said}
    return "; ".join(["works", *(f"{word}: {values}" for word, values in by_word.items())])


def keys():
    """Every key by its path, with `*` for names; what several tables share is written out where it first stands."""
    found, seen = {}, {Judge, JudgeVariant}

    def add(path, default, status):
        if path in found:
            default = default if found[path][0] == default else "by type"
            # A key works where it does so in one of the types that have it.
            status = max(status, found[path][1], key=lambda each: ("refused", "warns", each).index(each))
        found[path] = (default, status)

    def walk(kind, path):
        structs = [(between, each) for between, each in structs_of(kind) if each.cls not in seen]
        seen.update(each.cls for _, each in structs)
        for between, struct in structs:
            here = path + between
            refused = False
            if struct.tag_field:
                tag_status = status_of(f"{here}.{struct.tag_field}".lstrip("."))
                refused = "refused: " in tag_status and f"`{struct.tag}`" in tag_status
                add(f"{here}.{struct.tag_field}".lstrip("."), "required", tag_status)
            for field in struct.fields:
                key = f"{here}.{field.encode_name}".lstrip(".")
                if any(each.cls not in seen for _, each in structs_of(field.type)):
                    walk(field.type, key)
                else:
                    add(key, default_of(field), "refused" if refused else status_of(key))

    walk(DOCUMENT, "")
    expanded = {path for path in found for other in found if other.startswith((f"{path}.", f"{path}["))}
    return {path: entry for path, entry in found.items() if path not in expanded}


def documented():
    section, found = None, {}
    for line in PAGE.read_text().splitlines():
        if heading := HEADING.match(line):
            section = re.sub(r"\b[A-Z]\b", "*", heading[1])
        elif (row := ROW.match(line)) and section is not None:
            key = re.sub(r"(?<=\.)[A-Z]\b", "*", row[1])
            found[f"{section}{'' if key.startswith('[') else '.'}{key}"] = (row[2], row[3])
    return found


def test_every_key_is_documented_as_it_is():
    expected, found = keys(), documented()
    del expected["optimizers"]  # a section of its own, without keys
    assert "## `[optimizers]`" in PAGE.read_text()
    assert sorted(expected.keys() - found.keys()) == []
    assert sorted(found.keys() - expected.keys()) == []
    assert {path: found[path] for path in expected if found[path] != expected[path]} == {}
    assert len(expected) > 250
