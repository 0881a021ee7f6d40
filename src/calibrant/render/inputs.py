"""Checks an input before any variant is drawn: arguments against the function's schemas, and who says what."""

from __future__ import annotations

from collections.abc import Mapping

from calibrant.base.errors import InputInvalid, InvalidRequest
from calibrant.render.schema import Schema
from calibrant.types.content import Template, Text, ToolCall
from calibrant.types.message import Input

__all__ = ["check_input"]


def check_input(input: Input, schemas: Mapping[str, Schema], schema_only_roles: frozenset[str]) -> None:  # noqa: A002
    """Check every template argument of the input, and that only the assistant calls tools.

    Args:
        input: What the caller sent.
        schemas: The function's schemas, by template name.
        schema_only_roles: Roles whose plain text would have to go through a template with a schema.

    Raises:
        InputInvalid: an argument breaks its schema, or there is no schema for it; the message has the path.
        InvalidRequest: a message of the user has a tool call, which no provider's dialect can say.
    """
    _check_system(input, schemas.get("system"))
    for i, message in enumerate(input.messages):
        for j, block in enumerate(message.content):
            if isinstance(block, Template):
                where = f"input.messages[{i}].content[{j}]"
                schema = schemas.get(block.name)
                if schema is None:
                    known = ", ".join(sorted(schemas)) or "none"
                    raise InputInvalid(
                        f"{where}: the function has no schema for the template {block.name!r} (it has: {known}); "
                        f"add `schemas.{block.name}` to the function, or send plain text"
                    )
                _check(where + ".arguments", block.arguments, schema)
            elif isinstance(block, Text) and message.role in schema_only_roles:
                raise InputInvalid(
                    f"input.messages[{i}].content[{j}]: the function has a schema for the role {message.role!r}; "
                    "send `arguments` for its template instead of text"
                )
            elif type(block) is ToolCall and message.role == "user":
                raise InvalidRequest(
                    f"input.messages[{i}].content[{j}]: a tool call belongs into a message of the assistant; "
                    "what came of it is a `tool_result` of the user"
                )


def _check_system(input: Input, schema: Schema | None) -> None:  # noqa: A002
    if schema is None:
        if isinstance(input.system, dict):
            raise InputInvalid(
                "input.system: an object was sent, but the function has no schema for `system`; "
                "add `schemas.system` to the function, or send a string"
            )
        return
    if input.system is None:
        raise InputInvalid("input.system: the function has a schema for it, so its arguments must be sent")
    _check("input.system", input.system, schema)


def _check(where: str, value: object, schema: Schema) -> None:
    fault = schema.fault(value)
    if fault is not None:
        raise InputInvalid(f"{where} breaks the function's schema at {fault}")
