"""Which tools an inference has: its function's, those that came with the request, and which of them may be called.

Whatever is wrong with them is the request's fault, so it is a 400 that names the tool.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from calibrant.base.errors import InvalidRequest
from calibrant.engine.compiled import CompiledFunction, Compiler
from calibrant.render.schema import Schema
from calibrant.types.request import InferenceRequest
from calibrant.types.tool import CustomTool, Specific, Tool, ToolChoice, ToolConfig

__all__ = ["ToolSchemas", "check_json_tool", "resolve_tools"]

ToolSchemas = dict[str, Schema | None]
"""By the name that the model sees, what its arguments must be; null for a tool that is called with text."""

_Known = dict[str, Tool | CustomTool]
"""Tools by the name that a request calls them: the configuration's key, or their own where they came with it."""


def resolve_tools(
    compiler: Compiler, function: CompiledFunction, request: InferenceRequest
) -> tuple[ToolConfig | None, ToolSchemas]:
    """Return the tools of an inference, and how calls of those that may be called are judged.

    Raises:
        InvalidRequest: there are none in a JSON function; a name is unknown, or two have it; a schema is none.
    """
    configured = function.function.tools
    asked = (
        request.tools
        or request.custom_tools
        or request.allowed_tools
        or request.tool_choice
        or request.parallel_tool_calls is not None
    )
    if not configured and not asked:
        return None, {}
    if function.function.type == "json" and asked:
        raise InvalidRequest(
            f"tools: the function {function.function.name!r} returns JSON and takes no tools; use a chat function"
        )
    known = _known(configured, request)
    allowed = None if request.allowed_tools is None else _allowed(compiler, known, request)
    callable_ = known if allowed is None else {key: tool for key, tool in known.items() if tool.name in allowed}
    choice = _choice(request.tool_choice or function.function.tool_choice, callable_, known)
    parallel = request.parallel_tool_calls
    if parallel is None:
        parallel = function.function.parallel_tool_calls
    if not callable_:
        # The provider's own tools may be all there is; what was chosen is for them then.
        chosen = request.tool_choice is not None or request.parallel_tool_calls is not None
        return (ToolConfig((), choice, parallel) if chosen else None), {}
    return (
        ToolConfig(
            tuple([tool for tool in known.values() if isinstance(tool, Tool)]),
            choice,
            parallel,
            tuple([tool for tool in known.values() if isinstance(tool, CustomTool)]) if request.custom_tools else (),
            None if allowed is None or len(allowed) == len(known) else allowed,
        ),
        _schemas(compiler, function, request, callable_.values()),
    )


def check_json_tool(function: CompiledFunction, request: InferenceRequest, tools: ToolConfig | None) -> None:
    """Refuse what a chat function cannot do with an output schema.

    Raises:
        InvalidRequest: `json_mode` `tool` without a schema or beside tools, or a schema that nothing asks for.
    """
    if function.function.type == "json":
        return
    mode = request.params.json_mode
    if mode == "tool":
        if request.output_schema is None:
            raise InvalidRequest(
                "params.chat_completion.json_mode: 'tool' needs `output_schema` in a chat function: it is what the "
                "tool's arguments are"
            )
        other = next((tool.name for tool in (*tools.tools, *tools.custom)), None) if tools is not None else None
        if other is not None or request.provider_tools:
            named = "provider_tools" if other is None else f"the tool {other!r}"
            raise InvalidRequest(
                f"params.chat_completion.json_mode: 'tool' makes the output a tool's call, so there can be no other: "
                f"leave out {named} (`allowed_tools: []` leaves out a function's own), or send 'strict'"
            )
    elif mode is None and request.output_schema is not None:
        raise InvalidRequest(
            f"output_schema: the function {function.function.name!r} answers in chat, so nothing asks for JSON; send "
            "`params.chat_completion.json_mode` 'tool' or 'strict' with it"
        )


def _known(configured: Mapping[str, Tool], request: InferenceRequest) -> _Known:
    known: _Known = dict(configured)
    for tool in (*request.tools, *request.custom_tools):
        if tool.name in known or any(tool.name == other.name for other in known.values()):
            raise InvalidRequest(f"tools: there is more than one tool named {tool.name!r}")
        known[tool.name] = tool
    return known


def _allowed(compiler: Compiler, known: _Known, request: InferenceRequest) -> tuple[str, ...]:
    """Return the names, as the model sees them, of the tools that may be called.

    A configured tool that the function does not have may be allowed all the same, and is known from then on. In the
    native dialect the list chooses among configured tools, and those that come with the request are there to be called.
    """
    wanted: list[str] = []
    missing: list[str] = []
    for name in request.allowed_tools or ():
        tool = _named(known, name) or compiler.tool(name)
        if tool is None:
            missing.append(name)
            continue
        if _named(known, tool.name) is None:
            known[name] = tool
        wanted.append(tool.name)
    if missing:
        raise InvalidRequest(f"allowed_tools: unknown {missing}; there are {sorted({*known, *compiler.tool_keys()})}")
    if request.dialect == "native":
        wanted += [tool.name for tool in (*request.tools, *request.custom_tools)]
    return tuple(dict.fromkeys(wanted))


def _choice(choice: ToolChoice, callable_: _Known, known: _Known) -> ToolChoice:
    if not isinstance(choice, Specific):
        return choice
    tool = _named(callable_, choice.specific)
    if tool is None:
        hidden = _named(known, choice.specific) is not None
        why = "is not among `allowed_tools`" if hidden else "does not exist"
        raise InvalidRequest(f"tool_choice: the tool {choice.specific!r} {why}; there are {sorted(callable_)}")
    return Specific(tool.name)


def _named(known: _Known, name: str) -> Tool | CustomTool | None:
    """Return the tool of this key, else the one that the model sees under this name."""
    return known.get(name) or next((tool for tool in known.values() if tool.name == name), None)


def _schemas(
    compiler: Compiler, function: CompiledFunction, request: InferenceRequest, tools: Iterable[Tool | CustomTool]
) -> ToolSchemas:
    sent = {tool.name for tool in request.tools}
    return {tool.name: _schema(compiler, function, tool, sent) for tool in tools}


def _schema(compiler: Compiler, function: CompiledFunction, tool: Tool | CustomTool, sent: set[str]) -> Schema | None:
    if isinstance(tool, CustomTool):
        return None
    if tool.name not in sent:
        return function.tool_schemas.get(tool.name) or compiler.tool_schema(tool)
    try:
        return Schema(tool.parameters)
    except ValueError as error:
        raise InvalidRequest(f"tools: the parameters of {tool.name!r} are no JSON Schema: {error}") from None
