"""From a request to a plan: which function, which variants in which order, which tools. Nothing is called yet.

Whatever is wrong with the request itself is found here, so that it is a 400 and not a failed inference.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from calibrant.base.errors import InputInvalid, InvalidRequest, NotFound
from calibrant.base.ids import uuid7
from calibrant.config.dynamic import DYNAMIC_VARIANT
from calibrant.engine.compiled import CompiledFunction, Servable
from calibrant.engine.draw import Draw, check_namespace, drawn
from calibrant.engine.engine import Caller, Engine
from calibrant.engine.files import Attached, has_files
from calibrant.engine.grants import check_models, check_request
from calibrant.engine.sent import check_speakers
from calibrant.engine.tools import ToolSchemas, check_json_tool, resolve_tools
from calibrant.render.inputs import check_input
from calibrant.render.schema import Schema
from calibrant.types.request import InferenceRequest
from calibrant.types.tool import ToolConfig

__all__ = ["Lot", "Plan", "resolve"]


class Lot(Struct, frozen=True):
    """What was settled of an inference when the batch was accepted that it is part of."""

    inference_id: str
    batch_id: str
    variant_name: str
    probability: float | None
    """The chance that the draw for the whole batch had of choosing the variant; null where the caller did."""


class Plan(Struct, frozen=True):
    """One inference, decided as far as it can be before a provider is called."""

    request: InferenceRequest
    caller: Caller
    function: CompiledFunction
    inference_id: str
    episode_id: str
    draw: Draw
    """Which variant the draw, or the caller, chose, and who is tried after it."""
    tags: dict[str, str]
    tools: ToolConfig | None
    tool_schemas: ToolSchemas
    """Of the tools that may be called."""
    output_schema: Schema | None
    started: float
    """Monotonic seconds at which the request's body was complete."""
    files: Attached | None = None
    """The files of the input; null where there are none."""


def resolve(engine: Engine, request: InferenceRequest, caller: Caller, started: float, lot: Lot | None = None) -> Plan:
    """Decide everything about an inference that does not need a provider.

    Args:
        engine: The engine.
        request: What was asked.
        caller: Where it came from.
        started: Monotonic seconds at which the request had arrived.
        lot: What is settled, where the inference is part of a batch.

    Raises:
        NotFound: the function or the pinned variant is unknown.
        InvalidRequest: the request contradicts itself or the function's contract.
        Forbidden: the caller's API key may not use the function or the model.
    """
    if caller.grants is not None:
        check_request(engine, request, caller.grants)
    function = _function(engine, request)
    check_input(request.input, function.schemas, function.schema_only_roles)
    if request.sent is not None and request.sent.only and request.dynamic_variant is None:
        check_speakers(engine, function, request.variant_name, request.sent)
    tools, tool_schemas = resolve_tools(engine.compiler, function, request)
    if request.output_schema is not None or request.params.json_mode is not None:
        check_json_tool(function, request, tools)
    inference_id = uuid7() if lot is None else lot.inference_id
    episode_id = request.episode_id or uuid7()
    tags = _tags(request, caller)
    if lot is not None:
        tags["tensorzero::batch_id"] = lot.batch_id
    if request.dynamic_variant is not None:
        draw = _pin(episode_id, DYNAMIC_VARIANT, _dynamic(engine, request, request.dynamic_variant))
    elif request.variant_name is not None:
        tags["tensorzero::variant_pinned"] = request.variant_name
        draw = _pin(episode_id, request.variant_name, _pinned(function, request))
    elif lot is not None:
        # The draw was for the batch, so it is the batch that the chance is a chance of.
        order = iter((_variant(function, lot.variant_name),))
        draw = Draw(lot.batch_id, lot.variant_name, lot.probability, order)
    else:
        draw = drawn(function, request, episode_id)
    if caller.grants is not None:
        draw = replace(draw, order=check_models(engine, function, draw.order, caller.grants))
    return Plan(
        request,
        caller,
        function,
        inference_id,
        episode_id,
        draw=draw,
        tags=tags,
        tools=tools,
        tool_schemas=tool_schemas,
        output_schema=_output_schema(function, request),
        started=started,
        files=_attached(engine, function, request) if has_files(request.input) else None,
    )


def _attached(engine: Engine, function: CompiledFunction, request: InferenceRequest) -> Attached | None:
    if engine.files is None:
        return None
    noted = engine.spool is not None and not request.dryrun and function.function.payloads == "full"
    # A hook that redacts payloads cannot redact a file, so none is kept.
    return Attached(engine.files, request.input, noted=noted, kept=noted and engine.redact is None)


def _tags(request: InferenceRequest, caller: Caller) -> dict[str, str]:
    tags = dict(request.tags)
    if request.namespace is not None:
        tags["tensorzero::namespace"] = request.namespace
    if request.internal:
        tags["tensorzero::internal"] = "true"
    if caller.key_id is not None:
        tags["tensorzero::api_key_public_id"] = caller.key_id
    return tags


def _function(engine: Engine, request: InferenceRequest) -> CompiledFunction:
    if request.function_name is not None:
        return engine.compiler.function(request.function_name)
    name = request.model_name or ""
    function = engine.compiler.default_function(name)
    if function is None:
        raise InvalidRequest(
            f"model_name: there is no model {name!r}; name a configured one "
            f"({', '.join(engine.compiler.model_names()[:10]) or 'none'}) or a shorthand such as 'openai::gpt-4o-mini'"
        )
    return function


def _pinned(function: CompiledFunction, request: InferenceRequest) -> Servable:
    found = _variant(function, request.variant_name or "")
    check_namespace(found, request.namespace)
    return found


def _variant(function: CompiledFunction, name: str) -> Servable:
    found = function.variants.get(name)
    if found is None:
        raise NotFound(
            f"Unknown variant: {name!r}; "
            f"the function {function.function.name!r} has {', '.join(sorted(function.variants))}"
        )
    return found


def _pin(episode_id: str, name: str, variant: Servable) -> Draw:
    return Draw(episode_id, name, None, iter((variant,)))


def _dynamic(engine: Engine, request: InferenceRequest, table: dict[str, Any]) -> Servable:
    if request.function_name is None or request.variant_name is not None:
        raise InvalidRequest(
            "internal_dynamic_variant_config: it takes the place of a function's variant; send it with a function, "
            "and without a variant's name"
        )
    if not request.dryrun:
        raise InvalidRequest("internal_dynamic_variant_config: it is for trials, which nobody records; send `dryrun`")
    return engine.compiler.dynamic(request.function_name, table)


def _output_schema(function: CompiledFunction, request: InferenceRequest) -> Schema | None:
    if request.output_schema is None:
        return function.output_schema
    try:
        return Schema(request.output_schema)
    except ValueError as error:
        raise InputInvalid(f"output_schema is no JSON Schema: {error}") from None
