"""From a `ModelCall` to the body of `POST /model/ID/converse`.

Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, API_runtime_OutputConfig.html,
API_runtime_ToolConfiguration.html, docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html
"""

from __future__ import annotations

from typing import Any

import msgspec

from calibrant.apischema.bedrock import (
    CacheBlock,
    ConverseMessage,
    ConverseRequest,
    InferenceConfig,
    InputSchema,
    JsonSchemaDefinition,
    NamedTool,
    OutputConfig,
    SchemaHolder,
    ServiceTier,
    TextBlock,
    TextFormat,
    ToolBlock,
    ToolChoice,
    ToolSpec,
)
from calibrant.apischema.bedrock import ToolConfig as WireTools
from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.providers.anthropic_schema import accepted
from calibrant.providers.bedrock_messages import first_cache_point, to_messages, used_tools
from calibrant.providers.bedrock_model import effort, model_fields
from calibrant.providers.schema_depth import in_part
from calibrant.providers.tools import tools_of
from calibrant.types.call import ModelCall
from calibrant.types.request import NO_PARAMS, Params
from calibrant.types.tool import Specific, Tool
from calibrant.types.tool import ToolChoice as Choice

__all__ = ["encode_converse"]

_encode = msgspec.json.Encoder().encode

_SCHEMA_NAME = "response"
_ASK_FOR_JSON = "Respond using JSON."
_TIERS = frozenset({"default", "flex", "priority", "reserved"})
_ANY_TOOL = ToolChoice(any={})
_ANY_OBJECT = {"type": "object"}


def encode_converse(provider: Provider, call: ModelCall) -> bytes:
    """Return the body. What nobody asked for is left out, what the API does not know is not sent.

    Raises:
        ProviderError: the call asks for what the API does not take; the message names the field.
    """
    messages = _messages(provider, call)
    point = first_cache_point(call.messages)
    system = _system(call, point)
    # A cache point at the end of the system prompt covers the tools as well.
    tools = _tools(provider, call, point if system is None else None)
    params = call.params
    if tools is None and call.json_mode is None and (params is NO_PARAMS or params == NO_PARAMS):
        return _encode(ConverseRequest(messages, system))
    return _encode(
        ConverseRequest(
            messages,
            system,
            _inference_config(params),
            tools,
            model_fields(provider.model_name, params, one_call=_one_call(call)),
            _output_config(provider, call),
            ServiceTier(params.service_tier) if params.service_tier in _TIERS else None,
        )
    )


def _messages(provider: Provider, call: ModelCall) -> list[ConverseMessage]:
    messages = to_messages(provider, call.messages)
    if not messages:
        raise ProviderError(
            f"provider {provider.name!r}: `messages` holds nothing to send; send a message with content",
            retryable=False,
        )
    return messages


def _system(call: ModelCall, point: CacheBlock | None) -> list[Any] | None:
    text = call.system
    if (call.json_mode == "on" or (call.json_mode == "strict" and call.output_schema is None)) and (
        text is None or "json" not in text.lower()
    ):
        # Converse has no JSON without a schema.
        text = f"{text}\n\n{_ASK_FOR_JSON}" if text else _ASK_FOR_JSON
    if text is None or not text.strip():
        return None
    return [TextBlock(text)] if point is None else [TextBlock(text), point]


def _inference_config(params: Params) -> InferenceConfig | None:
    config = InferenceConfig(params.max_tokens, params.temperature, params.top_p, params.stop_sequences or None)
    return None if config == _NO_CONFIG else config


_NO_CONFIG = InferenceConfig()


def _output_config(provider: Provider, call: ModelCall) -> OutputConfig | None:
    tries = effort(provider.model_name, call.params)
    form = None
    if call.json_mode == "strict" and call.output_schema is not None:
        schema = _encode(in_part(provider, accepted, call.output_schema)).decode()
        form = TextFormat(SchemaHolder(JsonSchemaDefinition(schema, _SCHEMA_NAME)))
    return None if tries is None and form is None else OutputConfig(form, tries)


def _tools(provider: Provider, call: ModelCall, point: CacheBlock | None) -> WireTools | None:
    config = tools_of(provider, call)
    used = used_tools(call.messages)
    tools: list[Any] = []
    if config is not None and (config.choice != "none" or used):
        # Converse cannot forbid the tools that it is told of; in a conversation that has used some it must be told.
        tools += [_tool(provider, tool) for tool in config.tools]
    if used and not tools:
        tools += [ToolBlock(ToolSpec(name, InputSchema(_ANY_OBJECT))) for name in used]
    tools += call.provider_tools
    if not tools:
        return None
    if point is not None:
        tools.append(point)
    return WireTools(tools, None if config is None or not config.tools else _choice(config.choice))


def _tool(provider: Provider, tool: Tool) -> ToolBlock:
    schema = tool.parameters
    if tool.strict:
        schema = in_part(provider, accepted, schema)
    elif "type" not in schema:
        schema = {**_ANY_OBJECT, **schema}
    return ToolBlock(
        ToolSpec(tool.name, InputSchema(schema), tool.description or None, strict=True if tool.strict else None)
    )


def _choice(choice: Choice) -> ToolChoice | None:
    if isinstance(choice, Specific):
        return ToolChoice(tool=NamedTool(choice.specific))
    # Models that may not be forced refuse the field, even where it says `auto`.
    return _ANY_TOOL if choice == "required" else None


def _one_call(call: ModelCall) -> bool:
    config = call.tools
    if config is None or call.json_mode == "tool":
        return False
    return config.parallel is False and config.choice == "auto" and bool(config.tools)
