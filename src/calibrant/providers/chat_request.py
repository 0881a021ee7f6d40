"""From a `ModelCall` to the body of `POST /chat/completions`, as a vendor's row says."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from calibrant.apischema.openai_chat import (
    Allowed,
    AllowedTools,
    ChatRequest,
    CustomFormat,
    CustomGrammar,
    CustomSpec,
    CustomToolSpec,
    FunctionSpec,
    JsonSchema,
    NamedCustomTool,
    NamedFunction,
    NamedTool,
    Reasoning,
    ResponseFormat,
    StreamOptions,
    SystemMessage,
    TextPart,
    Thinking,
    ToolSpec,
)
from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.providers.chat_messages import EPHEMERAL, VendorMessage, starts_with_cache_point, vendor_messages
from calibrant.providers.chat_sent import as_sent
from calibrant.providers.compatible import Vendor
from calibrant.providers.spoken import speaks
from calibrant.providers.tools import custom_names, tools_of
from calibrant.types.call import ModelCall
from calibrant.types.content import Text
from calibrant.types.request import NO_PARAMS, Params
from calibrant.types.tool import CustomTool, Specific, Tool, ToolConfig

__all__ = ["ASK_FOR_JSON", "encode_request", "says_json"]

_encode = msgspec.json.Encoder().encode

_WITH_USAGE = StreamOptions(include_usage=True)
_ANY_OBJECT = ResponseFormat("json_object")
_SCHEMA_NAME = "response"
ASK_FOR_JSON = "Respond using JSON."


def encode_request(provider: Provider, vendor: Vendor, call: ModelCall) -> bytes:
    """Return the body. What nobody asked for is left out, what the vendor does not know is not sent.

    Raises:
        ProviderError: the call needs tools, files or a schema that the vendor does not take.
    """
    params = call.params
    tools = tools_of(provider, call, custom=vendor.custom_tools, narrows=vendor.allowed_tools)
    if tools is not None and (
        not (tools.tools or tools.custom or call.provider_tools) or (tools.choice == "none" and not vendor.none_choice)
    ):
        tools = None
    if vendor.json_strict is None and call.json_mode == "strict" and call.output_schema is not None:
        raise ProviderError(
            f"provider {provider.name!r} ({vendor.type}) takes no schema: `json_mode`: use `on`, or another provider",
            retryable=False,
        )
    messages = _messages(provider, vendor, call, with_tools=tools is not None)
    model = provider.model_name or vendor.default_model or UNSET
    sent = call.sent
    if sent is not None and speaks(provider, sent.dialect):
        made = _encode(_full(provider, vendor, call, tools, model, messages))
        return as_sent(provider, vendor, call, sent, made, ASK_FOR_JSON if _needs_the_word(vendor, call) else None)
    if _is_plain(params) and _is_bare(call, tools) and not provider.options:
        if not call.stream:
            return _encode(ChatRequest(model, messages))
        return _encode(
            ChatRequest(model, messages, stream=True, stream_options=_WITH_USAGE if vendor.stream_usage else None)
        )
    return _encode(_full(provider, vendor, call, tools, model, messages))


def _full(
    provider: Provider,
    vendor: Vendor,
    call: ModelCall,
    tools: ToolConfig | None,
    model: str | UnsetType,
    messages: list[VendorMessage],
) -> ChatRequest:
    params = call.params
    long_name = vendor.max_tokens == "max_completion_tokens"
    reasoning, thinking = _thinking(vendor, params)
    return ChatRequest(
        model=model,
        messages=messages,
        temperature=params.temperature,
        top_p=params.top_p,
        max_tokens=None if long_name else params.max_tokens,
        max_completion_tokens=params.max_tokens if long_name else None,
        seed=params.seed if vendor.seed == "seed" else None,
        random_seed=params.seed if vendor.seed == "random_seed" else None,
        presence_penalty=params.presence_penalty,
        frequency_penalty=params.frequency_penalty,
        stop=params.stop_sequences or None,
        tools=_tools(provider, vendor, tools, call.provider_tools),
        tool_choice=None if tools is None else _choice(vendor, tools),
        parallel_tool_calls=tools.parallel if tools is not None and vendor.parallel_tool_calls else None,
        response_format=_response_format(vendor, call),
        reasoning_effort=params.reasoning_effort if vendor.effort == "reasoning_effort" else None,
        reasoning=reasoning,
        thinking=thinking,
        reasoning_format=_option(provider, vendor, "reasoning_format"),
        prompt_mode=_option(provider, vendor, "prompt_mode"),
        service_tier=_tier(vendor, params.service_tier),
        verbosity=params.verbosity if vendor.verbosity else None,
        stream=True if call.stream else None,
        stream_options=_WITH_USAGE if call.stream and vendor.stream_usage else None,
    )


def _is_bare(call: ModelCall, tools: ToolConfig | None) -> bool:
    return tools is None and not call.provider_tools and call.json_mode in (None, "off")


def _is_plain(params: Params) -> bool:
    return params is NO_PARAMS or params == NO_PARAMS


def _messages(provider: Provider, vendor: Vendor, call: ModelCall, *, with_tools: bool) -> list[VendorMessage]:
    messages = vendor_messages(provider, vendor, call.messages, with_tools=with_tools, custom=custom_names(call))
    system = call.system
    # JSON mode is refused, or spins on white space, unless the word stands in some message; where there is no such
    # mode, the word is all there is.
    if _needs_the_word(vendor, call):
        system = f"{system}\n\n{ASK_FOR_JSON}" if system else ASK_FOR_JSON
    if system is not None:
        marked = vendor.cache_points and starts_with_cache_point(call.messages)
        messages.insert(0, SystemMessage([TextPart(system, EPHEMERAL)] if marked else system))
    return messages


def _needs_the_word(vendor: Vendor, call: ModelCall) -> bool:
    wanted = call.json_mode in ("on", "strict") and _response_format(vendor, call) in (None, _ANY_OBJECT)
    return wanted and not says_json(call)


def says_json(call: ModelCall) -> bool:
    """Return whether the word stands in the call already."""
    if call.system is not None and "json" in call.system.lower():
        return True
    return any(
        isinstance(block, Text) and "json" in block.text.lower()
        for message in call.messages
        for block in message.content
    )


def _response_format(vendor: Vendor, call: ModelCall) -> ResponseFormat | None:
    schema = call.output_schema
    if call.json_mode not in ("on", "strict"):
        return None
    if vendor.json_strict == "grammar":
        return None if schema is None else ResponseFormat("json_object", value=schema)
    if call.json_mode == "strict" and vendor.json_strict == "json_schema" and schema is not None:
        return ResponseFormat("json_schema", json_schema=JsonSchema(_SCHEMA_NAME, strict=True, schema=schema))
    return _ANY_OBJECT if vendor.json_on else None


def _tools(provider: Provider, vendor: Vendor, tools: ToolConfig | None, own: tuple[Any, ...]) -> list[Any] | None:
    if tools is None and not own:
        return None
    if not vendor.tools:
        raise ProviderError(
            f"provider {provider.name!r} ({vendor.type}) takes no `tools`; use another provider",
            retryable=False,
        )
    if tools is None:
        return list(own)
    sent: list[Any] = [_tool(vendor, tool) for tool in tools.tools]
    return [*sent, *map(_custom, tools.custom), *own]


def _tool(vendor: Vendor, tool: Tool) -> ToolSpec:
    return ToolSpec(
        FunctionSpec(
            name=tool.name,
            description=tool.description or None,
            parameters=tool.parameters,
            strict=True if tool.strict and vendor.strict_tools else None,
        )
    )


def _custom(tool: CustomTool) -> CustomToolSpec:
    grammar = tool.grammar
    form = None if grammar is None else CustomFormat("grammar", CustomGrammar(grammar.syntax, grammar.definition))
    return CustomToolSpec(CustomSpec(tool.name, tool.description or None, form))


def _choice(vendor: Vendor, tools: ToolConfig) -> str | NamedTool | NamedCustomTool | AllowedTools | None:
    choice = tools.choice
    if isinstance(choice, Specific):
        return _named(tools, choice.specific)
    if tools.allowed is not None and choice != "none":
        return AllowedTools(Allowed(choice, [_named(tools, name) for name in tools.allowed]))
    if choice == "required":
        return vendor.required_choice
    return None if choice == "auto" else choice


def _named(tools: ToolConfig, name: str) -> NamedTool | NamedCustomTool:
    is_custom = any(tool.name == name for tool in tools.custom)
    return NamedCustomTool(NamedFunction(name)) if is_custom else NamedTool(NamedFunction(name))


def _thinking(vendor: Vendor, params: Params) -> tuple[Reasoning | None, Thinking | None]:
    budget, effort = params.thinking_budget_tokens, params.reasoning_effort
    if vendor.effort == "reasoning":
        # One or the other; the budget is the more exact wish.
        if budget is not None:
            return Reasoning(max_tokens=budget), None
        return (None if effort is None else Reasoning(effort=effort)), None
    if budget is None or vendor.budget is None:
        return None, None
    switch = "enabled" if budget > 0 else "disabled"
    counted = budget if vendor.budget == "thinking" and budget > 0 else None
    return None, Thinking(switch, counted)


def _tier(vendor: Vendor, tier: str | None) -> str | None:
    return None if tier is None or not vendor.service_tier else vendor.tiers.get(tier, tier)


def _option(provider: Provider, vendor: Vendor, key: str) -> object:
    return provider.options.get(key) if key in vendor.options else None
