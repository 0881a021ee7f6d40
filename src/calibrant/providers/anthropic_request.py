"""From a `ModelCall` to the body of `POST /messages`."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from msgspec import UNSET

from calibrant.apischema.anthropic import (
    AnthropicMessage,
    AnthropicRequest,
    InputTool,
    JsonFormat,
    OutputConfig,
    TextBlock,
    ThinkingConfig,
    ToolChoice,
)
from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.providers.anthropic_messages import first_cache_point, to_messages
from calibrant.providers.anthropic_model import adapts, max_output_tokens, takes_budget, unthinking
from calibrant.providers.anthropic_schema import accepted
from calibrant.providers.schema_depth import in_part
from calibrant.providers.tools import tools_of
from calibrant.types.call import ModelCall
from calibrant.types.request import Params
from calibrant.types.tool import Specific, Tool, ToolConfig

__all__ = [
    "asking_for_json",
    "choice_of",
    "encode_anthropic",
    "max_tokens",
    "output_config",
    "thinking_config",
    "tier",
    "tool_of",
    "wire_tools",
]

_encode = msgspec.json.Encoder().encode

_MIN_BUDGET = 1024
_ASK_FOR_JSON = "Respond using JSON."
_TIERS = {"default": "standard_only", "standard_only": "standard_only"}
_EFFORTS = {"none": None, "minimal": "low"}
"""Words of other vendors that this API does not know; the others are sent as they are."""


def encode_anthropic(provider: Provider, call: ModelCall, *, version: str | None = None) -> bytes:
    """Return the body.

    Args:
        provider: The provider.
        call: The call.
        version: `anthropic_version` in place of a model, where the model stands in the address and `stream` too.

    Raises:
        ProviderError: the call asks for what the API does not take; the message names the field.
    """
    params = call.params
    limit = max_tokens(provider, params)
    choice, tools = wire_tools(provider, call)
    forced = choice is not None and choice.type in ("any", "tool")
    return _encode(
        AnthropicRequest(
            limit,
            _messages(provider, call),
            provider.model_name if version is None else UNSET,
            version,
            _system(call),
            params.temperature,
            params.top_p,
            params.stop_sequences or None,
            tools,
            choice,
            thinking_config(provider, params, limit, forced=forced),
            output_config(provider, call),
            None if params.service_tier is None else tier(params.service_tier),
            True if call.stream else None,
        )
    )


def _messages(provider: Provider, call: ModelCall) -> list[AnthropicMessage]:
    messages = to_messages(provider, call.messages)
    if not messages:
        raise ProviderError(
            f"provider {provider.name!r}: `messages` holds nothing to send; send a message with content",
            retryable=False,
        )
    return messages


def tier(word: str) -> str:
    """Return the API's word for a service tier."""
    return _TIERS.get(word, "auto")


def max_tokens(provider: Provider, params: Params) -> int:
    """Return how much the model may write.

    Raises:
        ProviderError: nobody says so, and the model is none that this version knows.
    """
    if params.max_tokens is not None:
        return params.max_tokens
    limit = max_output_tokens(provider.model_name)
    if limit is None:
        raise ProviderError(
            f"provider {provider.name!r} ({provider.type}) needs `max_tokens` for the model {provider.model_name!r}; "
            "set it in the variant or send it with the request",
            retryable=False,
        )
    return limit


def _system(call: ModelCall) -> str | list[TextBlock] | None:
    text = asking_for_json(call)
    control = first_cache_point(call.messages)
    return text if control is None or text is None else [TextBlock(text, control)]


def asking_for_json(call: ModelCall) -> str | None:
    """Return the system prompt, which asks for JSON where the API has no other way to say it."""
    system = call.system or None
    if call.json_mode != "on" and not (call.json_mode == "strict" and call.output_schema is None):
        return system
    if system is None:
        return _ASK_FOR_JSON
    return system if "json" in system.lower() else f"{system}\n\n{_ASK_FOR_JSON}"


def wire_tools(provider: Provider, call: ModelCall) -> tuple[ToolChoice | None, list[Any] | None]:
    """Return the choice among the tools, and the tools.

    Raises:
        ProviderError: the choice cannot be made, or there is a tool that the API does not have.
    """
    config = tools_of(provider, call)
    tools: list[Any] = [] if config is None else [tool_of(provider, tool) for tool in config.tools]
    tools += call.provider_tools
    if not tools:
        return None, None
    if not call.system and (control := first_cache_point(call.messages)) is not None:
        # With no system prompt the tools are all that stands before the first message.
        last = cast("dict[str, Any]", msgspec.to_builtins(tools[-1]))
        tools[-1] = {**last, "cache_control": control}
    return (None if config is None else choice_of(provider, config, call.params)), tools


def tool_of(provider: Provider, tool: Tool) -> InputTool:
    """Return a tool."""
    schema = tool.parameters
    if tool.strict:
        return InputTool(tool.name, in_part(provider, accepted, schema), tool.description or None, strict=True)
    if "type" not in schema:
        schema = {"type": "object", **schema}
    return InputTool(tool.name, schema, tool.description or None)


def choice_of(provider: Provider, config: ToolConfig, params: Params) -> ToolChoice | None:
    """Return the choice among the tools; null where it is the API's own default.

    Raises:
        ProviderError: the API cannot be made to call a tool while it thinks.
    """
    alone = True if config.parallel is False else None
    choice = config.choice
    if choice == "none":
        return ToolChoice("none")
    if choice == "auto":
        return None if alone is None else ToolChoice("auto", None, alone)
    if params.thinking_budget_tokens:
        raise ProviderError(
            f"provider {provider.name!r} ({provider.type}) cannot be made to call a tool while it thinks; "
            "send `tool_choice` 'auto' (or another `json_mode` than 'tool'), or no `thinking_budget_tokens`",
            retryable=False,
        )
    if isinstance(choice, Specific):
        return ToolChoice("tool", choice.specific, alone)
    return ToolChoice("any", None, alone)


def thinking_config(provider: Provider, params: Params, limit: int, *, forced: bool) -> ThinkingConfig | None:
    """Return whether and how much to think.

    Raises:
        ProviderError: the model takes no budget, or not this one.
    """
    budget, effort, model = params.thinking_budget_tokens, params.reasoning_effort, provider.model_name
    if budget == 0 or (budget is None and effort == "none"):
        return ThinkingConfig(unthinking(model))
    if budget is None:
        # Some models think only if told to, and none may think before a call that it has to make.
        return ThinkingConfig("adaptive") if effort is not None and not forced and adapts(model) else None
    if not takes_budget(model):
        raise ProviderError(
            f"provider {provider.name!r} ({provider.type}): the model {model!r} takes no `thinking_budget_tokens`; "
            "it decides by itself how much to think, send `reasoning_effort`",
            retryable=False,
        )
    if budget < _MIN_BUDGET or budget >= limit:
        raise ProviderError(
            f"provider {provider.name!r} ({provider.type}) takes a `thinking_budget_tokens` of at least {_MIN_BUDGET} "
            f"and below `max_tokens`, which is {limit}; {budget} is neither sent nor changed",
            retryable=False,
        )
    return ThinkingConfig("enabled", budget)


def output_config(provider: Provider, call: ModelCall) -> OutputConfig | None:
    """Return how hard to try, and the form of the output; null where nothing is asked."""
    wanted = call.params.reasoning_effort
    effort = None if wanted is None else _EFFORTS.get(wanted, wanted)
    form = None
    if call.json_mode == "strict" and call.output_schema is not None:
        form = JsonFormat(in_part(provider, accepted, call.output_schema))
    return OutputConfig(effort, form) if effort is not None or form is not None else None
