"""A datapoint's content held against its function: input, tools, output.

An output may be wrong on purpose: to have a bad one judged is what some datapoints are for. So one that breaks its
schema is kept with a null value, as an inference's would be.
"""

from __future__ import annotations

from msgspec import Raw
from msgspec.structs import replace

from calibrant.base.errors import InvalidRequest
from calibrant.engine.compiled import CompiledFunction, Compiler
from calibrant.engine.output import parse_json
from calibrant.engine.tools import ToolSchemas, resolve_tools
from calibrant.render.inputs import check_input
from calibrant.render.schema import Schema
from calibrant.types.content import OutputBlock, ToolCall
from calibrant.types.datapoint import Content, JsonValue
from calibrant.types.key import DEFAULT_FUNCTION
from calibrant.types.request import InferenceRequest

__all__ = ["checked_content"]

_NULL = Raw(b"null")


def checked_content(compiler: Compiler, content: Content) -> Content:
    """Return a content as it is kept: with its output schema, and its output read by it.

    Raises:
        NotFound: there is no such function.
        InvalidRequest: it is of another type, or the input or the tools are not as the function takes them.
    """
    if content.function_name == DEFAULT_FUNCTION:
        # Any model stands behind it, and it has nothing of its own to check by.
        return content if content.type == "chat" else _of_type(content, "chat")
    function = compiler.function(content.function_name)
    if function.function.type != content.type:
        _of_type(content, function.function.type)
    check_input(content.input, function.schemas, function.schema_only_roles)
    if content.type == "json":
        return _json(function, content)
    _, schemas = resolve_tools(compiler, function, _request(content))
    if isinstance(content.output, tuple):
        return replace(content, output=tuple(_checked(block, schemas) for block in content.output))
    return content


def _of_type(content: Content, kind: str) -> Content:
    raise InvalidRequest(
        f"type: the function {content.function_name!r} is of type {kind!r}, and the datapoint of type {content.type!r}"
    )


def _request(content: Content) -> InferenceRequest:
    tools = content.tools
    return InferenceRequest(
        content.input,
        content.function_name,
        tools=tools.tools,
        custom_tools=tools.custom_tools,
        allowed_tools=tools.allowed_tools,
        tool_choice=tools.tool_choice,
        parallel_tool_calls=tools.parallel_tool_calls,
        provider_tools=tools.provider_tools,
    )


def _json(function: CompiledFunction, content: Content) -> Content:
    schema = function.output_schema
    if content.output_schema is not None:
        try:
            schema = Schema(content.output_schema)
        except ValueError as error:
            raise InvalidRequest(f"output_schema is no JSON Schema: {error}") from None
    output = content.output
    if isinstance(output, JsonValue) and output.raw is not None:
        parsed = parse_json(output.raw, schema)
        output = JsonValue(output.raw, parsed if isinstance(parsed, Raw) else _NULL)
    return replace(content, output=output, output_schema=None if schema is None else schema.source)


def _checked(block: OutputBlock, schemas: ToolSchemas) -> OutputBlock:
    if not isinstance(block, ToolCall):
        return block
    if block.raw_name not in schemas:
        return replace(block, name=None, arguments=None)
    schema = schemas[block.raw_name]
    arguments = None if schema is None else parse_json(block.raw_arguments, schema)
    return replace(block, name=block.raw_name, arguments=arguments)
