"""From a `ModelCall` to the body of `:generateContent`."""

from __future__ import annotations

from typing import Any

import msgspec

from calibrant.apischema.gemini import (
    FunctionCalling,
    FunctionDeclaration,
    GeminiRequest,
    GenerationConfig,
    Part,
    System,
    Thinking,
    ToolConfigSent,
)
from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.providers.gemini_contents import to_contents
from calibrant.providers.gemini_model import budget_of, is_vertex
from calibrant.providers.gemini_schema import response_schema
from calibrant.providers.schema_depth import in_part
from calibrant.providers.tools import tools_of
from calibrant.types.call import ModelCall
from calibrant.types.request import NO_PARAMS, Params
from calibrant.types.tool import Specific, Tool, ToolConfig

__all__ = ["encode_gemini"]

_encode = msgspec.json.Encoder().encode
_JSON = "application/json"
_TIERS = {"default": "standard"}


def encode_gemini(provider: Provider, call: ModelCall) -> bytes:
    """Return the body.

    Raises:
        ProviderError: the call asks for what the API does not take; the message names the field.
    """
    contents = to_contents(provider, call.messages)
    if not contents:
        raise ProviderError(
            f"provider {provider.name!r}: `messages` holds nothing to send; send a message with content",
            retryable=False,
        )
    tools, config = _tools(provider, call)
    return _encode(
        GeminiRequest(
            contents,
            None if not call.system else System((Part(call.system),)),
            tools,
            config,
            _generation(provider, call),
            _tier(provider, call.params.service_tier),
        )
    )


def _tier(provider: Provider, tier: str | None) -> str | None:
    if tier is None or tier == "auto" or is_vertex(provider):
        return None
    return _TIERS.get(tier, tier)


def _tools(provider: Provider, call: ModelCall) -> tuple[list[Any] | None, ToolConfigSent | None]:
    config = tools_of(provider, call, narrows=_can_narrow(call.tools))
    if config is None or not config.tools:
        return list(call.provider_tools) or None, None
    tools: list[Any] = [{"functionDeclarations": [_declared(tool) for tool in config.tools]}, *call.provider_tools]
    # Vertex AI knows neither the mode VALIDATED nor the flag.
    vertex = is_vertex(provider)
    choice = _choice(config, validated=not vertex)
    # Without the flag the API refuses tools of its own beside functions.
    mixed = True if call.provider_tools and not vertex else None
    return tools, None if choice is None and mixed is None else ToolConfigSent(choice, mixed)


def _declared(tool: Tool) -> FunctionDeclaration:
    return FunctionDeclaration(tool.name, tool.description or None, tool.parameters)


def _choice(config: ToolConfig, *, validated: bool) -> FunctionCalling | None:
    choice = config.choice
    if isinstance(choice, Specific):
        return FunctionCalling("ANY", (choice.specific,))
    if config.allowed is not None:
        return FunctionCalling("ANY", config.allowed)
    if choice == "auto":
        return FunctionCalling("VALIDATED") if validated and all(tool.strict for tool in config.tools) else None
    return FunctionCalling("NONE" if choice == "none" else "ANY")


def _can_narrow(config: ToolConfig | None) -> bool:
    """Return whether every function can be declared: the API takes names only where one of them must be called."""
    return config is not None and not config.custom and config.choice not in ("auto", "none")


def _generation(provider: Provider, call: ModelCall) -> GenerationConfig | None:
    params = call.params
    as_json = call.json_mode in ("on", "strict")
    if params == NO_PARAMS and not as_json:
        return None
    return GenerationConfig(
        params.temperature,
        params.top_p,
        params.max_tokens,
        params.seed,
        params.stop_sequences or None,
        params.presence_penalty,
        params.frequency_penalty,
        _JSON if as_json else None,
        _response_schema(provider, call),
        _thinking(provider, params),
    )


def _response_schema(provider: Provider, call: ModelCall) -> dict[str, Any] | None:
    if call.json_mode != "strict" or not call.output_schema:
        return None
    return in_part(provider, response_schema, call.output_schema)


def _thinking(provider: Provider, params: Params) -> Thinking | None:
    budget, effort = params.thinking_budget_tokens, params.reasoning_effort
    if budget is None and effort is not None:
        budget = budget_of(provider, effort)
    if budget is not None:
        # A budget and a level exclude each other; the budget is the more exact wish.
        return Thinking(include_thoughts=budget != 0, thinking_budget=budget)
    return None if effort is None else Thinking(include_thoughts=True, thinking_level=effort.upper())
