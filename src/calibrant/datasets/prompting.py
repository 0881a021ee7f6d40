"""What a model would be told of an input, for the formats of others."""

from __future__ import annotations

from calibrant.base.errors import InvalidRequest, NotFound, RenderError
from calibrant.engine.compiled import CompiledChainOfThought, CompiledVariant, Compiler
from calibrant.render.prompt import render_input
from calibrant.types.message import Input, Message

__all__ = ["call_of", "prompt_of"]


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
