"""The templates of a variant and the schemas of a function, whether written in the old way or the new.

Works on an embedded document, where the content of a file stands in the place of its path.
"""

from __future__ import annotations

from msgspec import Struct

from calibrant.config.document_functions import FunctionTable, Prompted
from calibrant.config.problem import Path

__all__ = ["Source", "schema_sources", "template_sources"]

_ROLES = ("system", "user", "assistant")


class Source(Struct, frozen=True):
    """A text and where the document has it."""

    name: str
    text: str
    path: Path
    """From the variant or function on."""
    legacy: bool = False


def template_sources(variant: Prompted) -> list[Source]:
    """Return the variant's templates; a name comes twice where it is set twice."""
    found = [Source(name, table.path, ("templates", name, "path")) for name, table in variant.templates.items()]
    for role in _ROLES:
        for text, path in (
            (getattr(variant, f"{role}_template"), (f"{role}_template",)),
            (getattr(variant.input_wrappers, role), ("input_wrappers", role)),
        ):
            if text is not None:
                found.append(Source(role, text, path, legacy=True))
    return found


def schema_sources(function: FunctionTable) -> list[Source]:
    """Return the schemas of the function's templates; a name comes twice where it is set twice."""
    found = [Source(name, table.path, ("schemas", name, "path")) for name, table in function.schemas.items()]
    for role in _ROLES:
        text = getattr(function, f"{role}_schema")
        if text is not None:
            found.append(Source(role, text, (f"{role}_schema",), legacy=True))
    return found
