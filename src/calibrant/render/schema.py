"""JSON Schema: a schema compiled once, and the first fault of a value as a sentence with its path."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

__all__ = ["Schema"]


class Schema:
    """One compiled schema. The draft comes from `$schema`, 2020-12 where it says none; formats are not asserted."""

    __slots__ = ("_validator", "source")

    def __init__(self, source: dict[str, Any]) -> None:
        """Compile the schema.

        Raises:
            ValueError: it is no valid JSON Schema, or it refers to what is not in it.
        """
        self.source = source
        try:
            self._validator = jsonschema_rs.validator_for(source, validate_formats=False, retriever=_refuse)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
            raise ValueError(str(error).split("\n", 1)[0]) from None

    def accepts(self, value: Any) -> bool:
        """Return whether the value satisfies the schema."""
        return self._validator.is_valid(value)

    def fault(self, value: Any) -> str | None:
        """Return the first fault as `path: what is wrong`, or null where there is none."""
        if self._validator.is_valid(value):
            return None
        error = next(iter(self._validator.iter_errors(value)))
        path = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
        return f"{path}: {error.message}"


def _refuse(uri: str) -> Any:
    # A schema must not make the gateway fetch what it names.
    raise ValueError(f"the schema refers to {uri}, which is not part of it")
