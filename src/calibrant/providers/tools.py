"""The tools that a provider is told of: those of the call, as far as its dialect has them.

Where a dialect has no word for "these of them", it is told of those alone. Where it has no custom tools, a call with
one is refused: left out, the model would answer something else than was asked.
"""

from __future__ import annotations

from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.providers.base import JSON_TOOL
from calibrant.types.call import ModelCall
from calibrant.types.tool import CustomTool, Specific, Tool, ToolConfig

__all__ = ["custom_names", "forced_json", "tools_of"]


def tools_of(provider: Provider, call: ModelCall, *, custom: bool = False, narrows: bool = False) -> ToolConfig | None:
    """Return the tools; with `json_mode` `tool` the one that carries the output.

    Args:
        provider: Who is asked.
        call: The call.
        custom: Whether the dialect has custom tools.
        narrows: Whether it can be told of all tools and which of them may be called. Otherwise those that may not be
            called are left out here.

    Raises:
        ProviderError: a custom tool may be called, and the dialect has none.
    """
    if call.json_mode == "tool":
        return forced_json(call)
    config = call.tools
    if config is None:
        return None
    if config.allowed is not None and not narrows:
        config = _narrowed(config, config.allowed)
    if config.custom and not custom:
        raise ProviderError(
            f"provider {provider.name!r} ({provider.type}) has no custom tools, so it cannot be given "
            f"{config.custom[0].name!r}: send a tool of type 'function', or use a provider of type 'openai'",
            retryable=False,
        )
    return config


def forced_json(call: ModelCall) -> ToolConfig:
    """Return the one tool that carries the output, which must be called."""
    schema = call.output_schema if call.output_schema else {"type": "object"}
    tool = Tool(JSON_TOOL, "Respond to the user with what this tool's parameters describe.", schema)
    return ToolConfig((tool,), Specific(JSON_TOOL), parallel=False)


def custom_names(call: ModelCall) -> frozenset[str]:
    """Return the names of the custom tools, by which calls of them in the conversation are known."""
    config = call.tools
    return _NO_NAMES if config is None or not config.custom else frozenset(tool.name for tool in config.custom)


_NO_NAMES: frozenset[str] = frozenset()


def _narrowed(config: ToolConfig, allowed: tuple[str, ...]) -> ToolConfig:
    def kept(tool: Tool | CustomTool) -> bool:
        return tool.name in allowed

    return ToolConfig(
        tuple(filter(kept, config.tools)), config.choice, config.parallel, tuple(filter(kept, config.custom))
    )
