"""From a `ModelCall` to the body of `POST /responses`."""

from __future__ import annotations

from typing import Any

import msgspec

from calibrant.apischema import openai_responses as shape
from calibrant.apischema.openai_responses import (
    AllowedTools,
    CustomFormat,
    CustomNamed,
    Format,
    ReasoningOptions,
    ResponsesRequest,
    ResponseTool,
    TextOptions,
    ToolNamed,
)
from calibrant.config.schema import Provider
from calibrant.providers.chat_request import ASK_FOR_JSON, says_json
from calibrant.providers.responses_input import to_items
from calibrant.providers.responses_sent import as_sent
from calibrant.providers.spoken import speaks
from calibrant.providers.tools import custom_names, tools_of
from calibrant.types.call import ModelCall
from calibrant.types.tool import CustomTool, Specific, ToolConfig

__all__ = ["encode_responses"]

_encode = msgspec.json.Encoder().encode
_ENCRYPTED = ("reasoning.encrypted_content",)
_SCHEMA_NAME = "response"


def encode_responses(provider: Provider, call: ModelCall) -> bytes:
    """Return the body.

    Raises:
        ProviderError: the call asks for what the API does not take; the message names the field.
    """
    params = call.params
    tools, choice, parallel = _tools(provider, call)
    form = _format(call)
    # JSON mode is refused, or spins on white space, unless the word stands in some message.
    added = ASK_FOR_JSON if form is not None and form.type == "json_object" and not says_json(call) else None
    encrypted = bool(provider.options.get("include_encrypted_reasoning"))
    body = _encode(
        ResponsesRequest(
            provider.model_name,
            to_items(provider, call.messages, custom_names(call)),
            f"{call.system}\n\n{added}" if added and call.system else added or call.system,
            params.temperature,
            params.top_p,
            params.max_tokens,
            tools,
            choice,
            parallel,
            None if form is None and params.verbosity is None else TextOptions(form, params.verbosity),
            # A summary is the only part of the reasoning that the API shows.
            None if params.reasoning_effort is None else ReasoningOptions(params.reasoning_effort, "auto"),
            params.service_tier,
            _ENCRYPTED if encrypted else None,
            # What is encrypted comes only with answers that OpenAI does not keep.
            False if encrypted else None,
            True if call.stream else None,
        )
    )
    sent = call.sent
    return body if sent is None or not speaks(provider, sent.dialect) else as_sent(provider, call, sent, body, added)


def _format(call: ModelCall) -> Format | None:
    if call.json_mode == "strict" and call.output_schema is not None:
        return Format("json_schema", _SCHEMA_NAME, strict=True, schema=call.output_schema)
    return Format("json_object") if call.json_mode in ("on", "strict") else None


_Choice = str | ToolNamed | CustomNamed | AllowedTools | None


def _tools(provider: Provider, call: ModelCall) -> tuple[list[Any] | None, _Choice, bool | None]:
    config = tools_of(provider, call, custom=True, narrows=True)
    if config is None:
        return list(call.provider_tools) or None, None, None
    tools: list[Any] = [
        ResponseTool(tool.name, tool.parameters, tool.strict, tool.description or None) for tool in config.tools
    ]
    tools += map(_custom, config.custom)
    tools += call.provider_tools
    return (tools, _choice(config), config.parallel) if tools else (None, None, None)


def _custom(tool: CustomTool) -> shape.CustomTool:
    grammar = tool.grammar
    form = None if grammar is None else CustomFormat("grammar", grammar.syntax, grammar.definition)
    return shape.CustomTool(tool.name, tool.description or None, form)


def _choice(config: ToolConfig) -> _Choice:
    choice = config.choice
    if isinstance(choice, Specific):
        return _named(config, choice.specific)
    if config.allowed is not None and choice != "none":
        return AllowedTools(choice, [_named(config, name) for name in config.allowed])
    return None if choice == "auto" else choice


def _named(config: ToolConfig, name: str) -> ToolNamed | CustomNamed:
    return CustomNamed(name) if any(tool.name == name for tool in config.custom) else ToolNamed(name)
