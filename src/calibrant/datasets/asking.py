"""From a content to the request that asks it again."""

from __future__ import annotations

from calibrant.types.datapoint import Content
from calibrant.types.request import InferenceRequest

__all__ = ["request_of"]


def request_of(content: Content, *, variant_name: str | None = None, dryrun: bool = True) -> InferenceRequest:
    """Return the request of a function's content, as nobody but this gateway makes it; no cache has a part in it.

    Args:
        content: What to ask; its function is asked.
        variant_name: Through which variant; null draws one.
        dryrun: Whether nothing is recorded.
    """
    tools = content.tools
    return InferenceRequest(
        content.input,
        function_name=content.function_name,
        variant_name=variant_name,
        tools=tools.tools,
        custom_tools=tools.custom_tools,
        allowed_tools=tools.allowed_tools,
        tool_choice=tools.tool_choice,
        parallel_tool_calls=tools.parallel_tool_calls,
        provider_tools=tools.provider_tools,
        output_schema=content.output_schema,
        dryrun=dryrun,
        internal=True,
    )
