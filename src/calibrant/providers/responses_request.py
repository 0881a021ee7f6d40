"""From a `ModelCall` to the body of `POST /responses`."""

from __future__ import annotations

from typing import Any

import msgspec

from calibrant.apischema.openai_responses import (
    Format,
    ReasoningOptions,
    ResponsesRequest,
    ResponseTool,
    TextOptions,
    ToolNamed,
)
from calibrant.config.schema import Provider
from calibrant.providers.base import JSON_TOOL
from calibrant.providers.chat_request import ASK_FOR_JSON, says_json
from calibrant.providers.responses_input import to_items
from calibrant.providers.responses_verbatim import as_written
from calibrant.types.call import ModelCall
from calibrant.types.tool import Specific, Tool, ToolChoice, ToolConfig

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
    tools, choice, parallel = _tools(call)
    form = _format(call)
    encrypted = bool(provider.options.get("include_encrypted_reasoning"))
    body = _encode(
        ResponsesRequest(
            provider.model_name,
            to_items(provider, call.messages),
            _instructions(call, form),
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
    verbatim = call.verbatim
    if verbatim is None:
        return body
    return as_written(body, verbatim, to_items(provider, call.messages[: verbatim.prior]))


def _instructions(call: ModelCall, form: Format | None) -> str | None:
    # JSON mode is refused, or spins on white space, unless the word stands in some message.
    if form is not None and form.type == "json_object" and not says_json(call):
        return f"{call.system}\n\n{ASK_FOR_JSON}" if call.system else ASK_FOR_JSON
    return call.system


def _format(call: ModelCall) -> Format | None:
    if call.json_mode == "strict" and call.output_schema is not None:
        return Format("json_schema", _SCHEMA_NAME, strict=True, schema=call.output_schema)
    return Format("json_object") if call.json_mode in ("on", "strict") else None


def _tools(call: ModelCall) -> tuple[list[Any] | None, str | ToolNamed | None, bool | None]:
    config = _json_tool(call) if call.json_mode == "tool" else call.tools
    tools: list[Any] = []
    choice: str | ToolNamed | None = None
    parallel = None
    if config is not None and config.tools:
        tools += [
            ResponseTool(tool.name, tool.parameters, tool.strict, tool.description or None) for tool in config.tools
        ]
        choice, parallel = _choice(config.choice), config.parallel
    tools += call.provider_tools
    return tools or None, choice, parallel


def _choice(choice: ToolChoice) -> str | ToolNamed | None:
    if isinstance(choice, Specific):
        return ToolNamed(choice.specific)
    return None if choice == "auto" else choice


def _json_tool(call: ModelCall) -> ToolConfig:
    schema = call.output_schema if call.output_schema else {"type": "object"}
    tool = Tool(JSON_TOOL, "Respond to the user with what this tool's parameters describe.", schema)
    return ToolConfig((tool,), Specific(JSON_TOOL), parallel=False)
