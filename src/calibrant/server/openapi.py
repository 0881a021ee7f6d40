"""The OpenAPI document: made of the table of routes and of what `described.py` says of each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from calibrant.apischema.told import AnthropicErrorBody, ErrorBody, OpenAIErrorBody
from calibrant.server.described import READ_AS
from calibrant.server.description import PATHS, TAGS, Described, Parameter
from calibrant.server.routes import Route
from calibrant.server.schemas import JsonSchema, Schemas
from calibrant.wire.error import ErrorShape

__all__ = ["build_document"]

_ERRORS: Final[dict[ErrorShape, type]] = {
    "native": ErrorBody,
    "openai": OpenAIErrorBody,
    "anthropic": AnthropicErrorBody,
}
_ANY: Final = (400, 408, 413, 415, 417, 431, 500, 503)
"""Statuses of errors that any route may answer with."""
_REFUSED: Final = (401, 403)
_SCHEMES: Final[dict[str, JsonSchema]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer sk-t0-...`"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "The same key by itself."},
    "api-key": {"type": "apiKey", "in": "header", "name": "api-key", "description": "The same key by itself."},
}
_ABOUT: Final = """\
The gateway speaks TensorZero's protocol, and the dialects of OpenAI (chat completions, Responses, embeddings) and
Anthropic. Wherever a name begins with `tensorzero::`, `calibrant::` may stand in its place.

Request bodies may be compressed (`gzip`, `br`, `zstd`, `deflate`). Answers carry `x-calibrant-version` and
`x-tensorzero-gateway-version`. A path answers `HEAD` where it answers `GET`, and `OPTIONS` with its methods."""


def build_document(
    routes: Sequence[Route], *, version: str, base_path: str, keys_asked: bool, described: Mapping[str, Described]
) -> dict[str, Any]:
    """Return the document.

    Args:
        routes: The table of routes.
        version: Of the gateway.
        base_path: Below which the routes stand; empty for none.
        keys_asked: Whether the gateway asks for API keys.
        described: What each route takes and answers, by method and path.

    Raises:
        KeyError: nothing is said of a route, or of a parameter of its path.
    """
    schemas = Schemas(READ_AS)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        said = described[f"{route.method} {route.path}"]
        operation = _operation(route, said, schemas, keys_asked=keys_asked)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    asked = "" if keys_asked else "\n\nThis gateway asks for no API keys (`gateway.auth.enabled`)."
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Calibrant",
            "version": version,
            "description": _ABOUT + asked,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_path.rstrip("/") or "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.components.items())), "securitySchemes": _SCHEMES},
    }


def _operation(route: Route, said: Described, schemas: Schemas, *, keys_asked: bool) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "description": _roles(route),
        "tags": [said.tag],
    }
    names = re.findall(r"\{(\w+)\}", route.path)
    parameters = [_in_path(name) for name in names] + [_parameter(each, schemas) for each in said.parameters]
    if parameters:
        operation["parameters"] = parameters
    if said.body is not None:
        media = {"schema": schemas.of(said.body), "example": said.example}
        operation["requestBody"] = {"required": said.body_wanted, "content": {said.body_type: media}}
    operation["responses"] = _responses(route, said, schemas)
    if route.roles:
        # Where no key is asked for, one may be sent nevertheless.
        operation["security"] = [*([] if keys_asked else [{}]), *({name: []} for name in _SCHEMES)]
    else:
        operation["security"] = []
    return operation


def _responses(route: Route, said: Described, schemas: Schemas) -> dict[str, Any]:
    error = schemas.of(_ERRORS[route.errors])
    failures = {*_ANY, *said.fails, *(_REFUSED if route.roles else ())}
    found: dict[int, dict[str, Any]] = {
        status: {"description": HTTPStatus(status).phrase, "content": {"application/json": {"schema": error}}}
        for status in failures
    }
    for status, kind in said.also.items():
        content = {"application/json": {"schema": schemas.of(kind)}}
        found[status] = {"description": HTTPStatus(status).phrase, "content": content}
    found[200] = {"description": HTTPStatus(200).phrase, "content": _answers(said, schemas, error)}
    return {str(status): found[status] for status in sorted(found)}


def _answers(said: Described, schemas: Schemas, error: JsonSchema) -> dict[str, Any]:
    if said.answer is None:
        content: dict[str, Any] = {said.content_type: {"schema": {"type": "string"}}}
    else:
        schema = schemas.of(said.answer)
        if said.raw:
            schema = {"allOf": [schema, *(schemas.of(each) for each in said.raw)]}
        content = {said.content_type: {"schema": schema}}
    if said.events is not None:
        content["text/event-stream"] = {"schema": _events(schemas.of(said.events), error)}
    return content


def _events(data: JsonSchema, error: JsonSchema) -> JsonSchema:
    """Return the schema of one server-sent event. This version of OpenAPI has no other place for it."""
    holds = {"type": "string", "contentMediaType": "application/json", "contentSchema": {"anyOf": [data, error]}}
    return {
        "type": "object",
        "description": "Each of the events, where `stream` is true; an error once it has begun is the last of them.",
        "properties": {
            "event": {"type": "string"},
            "data": {"anyOf": [{"type": "string", "const": "[DONE]"}, holds]},
        },
        "required": ["data"],
    }


def _in_path(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "description": PATHS[name], "schema": schema}


def _parameter(parameter: Parameter, schemas: Schemas) -> dict[str, Any]:
    schema = schemas.of(parameter.kind)
    said: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.text,
    }
    return said | ({"content": {"application/json": {"schema": schema}}} if parameter.json else {"schema": schema})


def _operation_id(route: Route) -> str:
    return re.sub(r"\W+", "_", f"{route.method.lower()}{route.path}").strip("_")


def _roles(route: Route) -> str:
    if not route.roles:
        return "Open to anybody: no API key is asked for."
    roles = ", ".join(f"`{role}`" for role in (*sorted(route.roles - {"admin"}), "admin"))
    return f"Where API keys are asked for, this wants one with a role among {roles}."
