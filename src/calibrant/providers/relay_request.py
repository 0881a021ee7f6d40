"""From a `ModelCall` to the body of another gateway's `POST /inference`, and what goes along in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

import msgspec
from msgspec.structs import replace

from calibrant.apischema.native import NamedTool
from calibrant.apischema.native_call import (
    CallBody,
    CallInput,
    CallMessage,
    CallParams,
    CallProviderTool,
    CallTool,
    CallToolScope,
)
from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.types.call import ModelCall
from calibrant.types.content import (
    CachePoint,
    File,
    InputBlock,
    RawText,
    Template,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Unknown,
)
from calibrant.types.extra import ExtraBody, ExtraHeader, ProviderTool, Scope
from calibrant.types.onward import Onward
from calibrant.types.request import NO_PARAMS
from calibrant.types.tool import CustomTool, Specific, Tool

__all__ = ["beside", "encode_relayed", "hidden", "with_fields"]

_encode = msgspec.json.Encoder().encode


def encode_relayed(provider: Provider, call: ModelCall) -> bytes:
    """Return the body for a call of the model that the provider names.

    Raises:
        ProviderError: the call has a file that only this gateway has.
    """
    params = replace(call.params, json_mode=call.json_mode) if call.json_mode is not None else call.params
    tools = None if call.json_mode == "tool" else call.tools
    choice = None if tools is None else tools.choice
    return _encode(
        CallBody(
            model_name=provider.model_name,
            input=CallInput(
                [
                    CallMessage(message.role, [_block(provider, block) for block in message.content])
                    for message in call.messages
                ],
                call.system,
            ),
            params=None if params == NO_PARAMS else CallParams(params),
            stream=call.stream,
            additional_tools=None if tools is None else _tools(tools.tools, tools.custom),
            tool_choice=NamedTool(choice.specific) if isinstance(choice, Specific) else choice,
            parallel_tool_calls=None if tools is None else tools.parallel,
            allowed_tools=None if tools is None else tools.allowed,
            provider_tools=[CallProviderTool(tool) for tool in call.provider_tools] or None,
            output_schema=_schema(call),
        )
    )


def _schema(call: ModelCall) -> dict[str, Any] | None:
    """Return the schema where the mode asks for one: a gateway refuses one that nothing asks for."""
    if call.json_mode == "tool":
        return call.output_schema or {"type": "object"}
    return call.output_schema if call.json_mode == "strict" else None


def with_fields(onward: Onward) -> dict[str, Any]:
    """Return the fields that change what is answered."""
    fields: dict[str, Any] = {}
    if onward.namespace is not None:
        fields["namespace"] = onward.namespace
    if onward.extra_body:
        fields["extra_body"] = [_body_entry(entry) for entry in onward.extra_body]
    if onward.provider_tools:
        fields["provider_tools"] = [_provider_tool(each) for each in onward.provider_tools]
    return fields


def beside(onward: Onward) -> dict[str, Any]:
    """Return the fields that only go along."""
    fields: dict[str, Any] = {"tags": onward.tags} if onward.tags else {}
    flags = {
        "dryrun": onward.dryrun,
        "internal": onward.internal,
        "include_raw_usage": onward.raw_usage,
        "include_raw_response": onward.raw_response,
    }
    return fields | {name: True for name, asked in flags.items() if asked}


def hidden(headers: Sequence[ExtraHeader]) -> list[dict[str, Any]]:
    """Return the entries of `extra_headers`, which are in no record."""
    return [
        {"name": entry.name, **({"delete": True} if entry.value is None else {"value": entry.value})}
        | _scope(entry.scope)
        for entry in headers
    ]


def _body_entry(entry: ExtraBody) -> dict[str, Any]:
    change: dict[str, Any] = {"delete": True} if entry.delete else {"value": entry.value}
    return {"pointer": entry.pointer} | change | _scope(entry.scope)


def _scope(scope: Scope) -> dict[str, Any]:
    """Return which provider of the model a change is for; variants are this gateway's own."""
    if scope.provider_name is None:
        return {}
    return {"model_name": scope.model_name, "provider_name": scope.provider_name}


def _provider_tool(each: ProviderTool) -> CallProviderTool:
    scope = each.scope
    if scope.model_name is None:
        return CallProviderTool(each.tool)
    return CallProviderTool(each.tool, CallToolScope(scope.model_name, scope.provider_name))


def _tools(tools: Sequence[Tool], custom: Sequence[CustomTool]) -> list[CallTool] | None:
    functions = [
        CallTool(name=tool.name, description=tool.description, parameters=tool.parameters, strict=tool.strict or None)
        for tool in tools
    ]
    return [*functions, *(_custom(tool) for tool in custom)] or None


def _custom(tool: CustomTool) -> CallTool:
    form: dict[str, Any] = {"type": "text"}
    if tool.grammar is not None:
        form = {
            "type": "grammar",
            "grammar": {"syntax": tool.grammar.syntax, "definition": tool.grammar.definition},
        }
    return CallTool("openai_custom", tool.name, tool.description or None, format=form)


def _block(provider: Provider, block: InputBlock) -> dict[str, Any]:
    match block:
        case Text(text):
            return {"type": "text", "text": text}
        case ToolCall(id, name, arguments):
            return {"type": "tool_call", "id": id, "name": name, "arguments": arguments}
        case ToolResult(id, name, result):
            return {"type": "tool_result", "id": id, "name": name, "result": result}
        case File():
            return _file(provider, block)
        case Thought(text, signature, summary, provider_type, extra):
            return _given(
                "thought",
                text=text,
                signature=signature,
                summary=summary,
                provider_type=provider_type,
                extra_data=extra,
            )
        case Unknown(data, model_name, provider_name):
            return {"data": data} | _given("unknown", model_name=model_name, provider_name=provider_name)
        case CachePoint(ttl):
            return _given("cache_point", ttl=ttl)
        case RawText(value):
            return {"type": "raw_text", "value": value}
        case Template(name):
            raise ProviderError(f"the template {name!r} was not rendered before it was relayed", retryable=False)
        case _:
            assert_never(block)


def _file(provider: Provider, block: File) -> dict[str, Any]:
    about: dict[str, Any] = {"mime_type": block.mime_type, "detail": block.detail, "filename": block.filename}
    if block.data is not None:
        return _given("file", file_type="base64", data=block.data, **about)
    if block.url is None:
        raise ProviderError(f"provider {provider.name!r}: a file has neither address nor bytes", retryable=False)
    return _given("file", file_type="url", url=block.url, **about)


def _given(type: str, **fields: Any) -> dict[str, Any]:  # noqa: A002 - the wire's own word
    return {"type": type} | {name: value for name, value in fields.items() if value is not None}
