"""What a model would be told of an input, for the formats of others."""

from __future__ import annotations

from calibrant.base.errors import InvalidRequest, NotFound, RenderError
from calibrant.engine.compiled import CompiledChainOfThought, CompiledVariant, Compiler
from calibrant.engine.tools import resolve_tools
from calibrant.render.prompt import render_input
from calibrant.types.datapoint import Content
from calibrant.types.message import Input, Message
from calibrant.types.request import InferenceRequest
from calibrant.types.tool import CustomTool, Tool

__all__ = ["call_of", "prompt_of", "tools_of"]


def call_of(compiler: Compiler | None, function_name: str, variant_name: str) -> CompiledVariant:
    """Return the variant whose templates render a prompt.

    Raises:
        NotFound: there is no such function or variant.
        InvalidRequest: it has no one prompt, or there is no configuration.
    """
    if compiler is None:
        raise InvalidRequest("variant: there is no configuration to take it from")
    variant = compiler.function(function_name).variants.get(variant_name)
    match variant:
        case CompiledVariant():
            return variant
        case CompiledChainOfThought():
            return variant.call
        case None:
            raise NotFound(f"Unknown variant: {variant_name[:80]!r} of the function {function_name!r}")
        case _:
            raise InvalidRequest(f"variant: {variant_name!r} of {function_name!r} has no one prompt to render with")


def prompt_of(given: Input, call: CompiledVariant | None) -> tuple[str | None, tuple[Message, ...]]:
    """Return the system prompt and the messages.

    Raises:
        InvalidRequest: a template is missing or cannot be rendered.
    """
    try:
        if call is None:
            return render_input(given, None, frozenset())
        return render_input(given, call.templates, call.variant.legacy_roles)
    except RenderError as error:
        hint = "; name the `variant` whose templates are to render it" if call is None else ""
        raise InvalidRequest(f"{error.message}{hint}") from None


def tools_of(compiler: Compiler | None, content: Content) -> tuple[Tool | CustomTool, ...]:
    """Return all tools that a model would be told of; only a content's own where its function is not known.

    Raises:
        InvalidRequest: it names a tool that the function has no more.
    """
    own = content.tools
    if compiler is None or content.type == "json":
        return (*own.tools, *own.custom_tools)
    try:
        function = compiler.function(content.function_name)
    except NotFound:
        return (*own.tools, *own.custom_tools)
    request = InferenceRequest(
        content.input, tools=own.tools, custom_tools=own.custom_tools, allowed_tools=own.allowed_tools
    )
    config, _ = resolve_tools(compiler, function, request)
    if config is None:
        return ()
    told = (*config.tools, *config.custom)
    return told if config.allowed is None else tuple(tool for tool in told if tool.name in config.allowed)
