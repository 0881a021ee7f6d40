"""What a model would be told of a sample by a variant, without asking one."""

from __future__ import annotations

from collections.abc import Mapping

from calibrant.base.errors import CalibrantError
from calibrant.datasets.prompting import call_of, prompt_of, tools_of
from calibrant.engine.compiled import Compiler
from calibrant.types.key import DEFAULT_FUNCTION
from calibrant.types.replay import Fault, Rendered, Sample

__all__ = ["rendered"]


def rendered(compiler: Compiler, sample: Sample, variants: Mapping[str, str]) -> Rendered:
    """Return the prompt of a sample.

    Args:
        compiler: Has the functions.
        sample: What to render.
        variants: By the name of the function, the variant whose templates are to be used.
    """
    content = sample.content
    if content is None:
        return Rendered(sample=sample, fault=sample.fault)
    variant = variants.get(content.function_name)
    if variant is None:
        message = f"variants: it names none for the function {content.function_name!r}"
        return Rendered(sample=sample, fault=Fault("invalid_request", message))
    try:
        # Who asked a model without a function said all that it was told.
        model_alone = content.function_name == DEFAULT_FUNCTION
        call = None if model_alone else call_of(compiler, content.function_name, variant)
        system, messages = prompt_of(content.input, call)
        tools = tools_of(compiler, content)
    except CalibrantError as error:
        return Rendered(sample=sample, variant_name=variant, fault=Fault(error.code, error.message))
    return Rendered(sample=sample, variant_name=variant, system=system, messages=messages, tools=tools)
