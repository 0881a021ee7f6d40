"""The body of `POST /messages` for a caller who speaks the dialect: the caller's fields, byte for byte.

In their place, or beside them, stands what configuration asks for: the model, what templates rendered, tools of the
function, parameters of the variant where the caller said nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from calibrant.config.schema import Provider
from calibrant.providers import anthropic_request as request
from calibrant.providers.anthropic_messages import to_messages
from calibrant.providers.spoken import speaks, written
from calibrant.providers.tools import tools_of
from calibrant.types.call import Headers, ModelCall
from calibrant.types.sent import Sent

__all__ = ["sent_body", "sent_headers", "spoken"]

_encode = msgspec.json.Encoder().encode
_list = msgspec.json.Decoder(list[Raw])
_fields = msgspec.json.Decoder(dict[str, Raw])
_SAMPLING = ("temperature", "top_p")
"""What the API's version of 2026-10-21 takes no more."""


def spoken(provider: Provider, call: ModelCall) -> Sent | None:
    """Return what the caller wrote in this provider's dialect; null where it was another."""
    return call.sent if call.sent is not None and speaks(provider, call.sent.dialect) else None


def sent_body(provider: Provider, call: ModelCall, sent: Sent, *, version: str | None = None) -> bytes:
    """Return the body; `version` as for `encode_anthropic`.

    Raises:
        ProviderError: what configuration adds is nothing that the API takes; the message names the field.
    """
    return _encode(_body(provider, call, sent, version))


def sent_headers(headers: Headers, call: ModelCall, sent: Sent) -> Headers:
    """Return the headers with those of the caller that say how the body is to be read."""
    theirs = dict(sent.headers)
    if any(getattr(call.params, name) is not None and name not in sent.fields for name in _SAMPLING):
        # What configuration adds may be nothing that the caller's version of the API takes.
        theirs.pop("anthropic-version", None)
    return tuple({**dict(headers), **theirs}.items())


def _body(provider: Provider, call: ModelCall, sent: Sent, version: str | None) -> dict[str, Any]:
    fields = sent.fields
    params = call.params
    body: dict[str, Any] = {"model": provider.model_name} if version is None else {"anthropic_version": version}
    if "max_tokens" not in fields:
        body["max_tokens"] = request.max_tokens(provider, params)
    body |= fields
    body["messages"] = written(sent, lambda place: to_messages(provider, (call.messages[place],)))
    _add_system(body, call, sent)
    _add_tools(body, provider, call, sent)
    for name in _SAMPLING:
        if name not in fields and (value := getattr(params, name)) is not None:
            body[name] = value
    if "stop_sequences" not in fields and params.stop_sequences:
        body["stop_sequences"] = params.stop_sequences
    if "service_tier" not in fields and params.service_tier is not None:
        body["service_tier"] = request.tier(params.service_tier)
    if "thinking" not in fields:
        limit = params.max_tokens if params.max_tokens is not None else request.max_tokens(provider, params)
        thinking = request.thinking_config(provider, params, limit, forced=_forced(call))
        body |= {} if thinking is None else {"thinking": thinking}
    _add_output(body, provider, call)
    if call.stream or "stream" in fields:
        # Some variants wait for what their caller streams.
        body["stream"] = call.stream
    return body


def _add_system(body: dict[str, Any], call: ModelCall, sent: Sent) -> None:
    asked = request.asking_for_json(call)
    if not sent.whole_system or asked != (call.system or None):
        body.pop("system", None)
        if asked is not None:
            body["system"] = asked


def _add_tools(body: dict[str, Any], provider: Provider, call: ModelCall, sent: Sent) -> None:
    if call.json_mode == "tool":
        body["tool_choice"], body["tools"] = request.wire_tools(provider, call)
        return
    config = tools_of(provider, call)
    added: list[Any] = list(call.provider_tools)
    if config is not None:
        added += [request.tool_of(provider, tool) for tool in config.tools if tool.name not in sent.tools]
        choice = None if "tool_choice" in sent.fields else request.choice_of(provider, config, call.params)
        body |= {} if choice is None else {"tool_choice": choice}
    if added:
        body["tools"] = [*(_list.decode(sent.fields["tools"]) if "tools" in sent.fields else ()), *added]


def _forced(call: ModelCall) -> bool:
    return call.json_mode == "tool" or (call.tools is not None and call.tools.choice not in ("auto", "none"))


def _add_output(body: dict[str, Any], provider: Provider, call: ModelCall) -> None:
    said: dict[str, Any] = _fields.decode(body["output_config"]) if "output_config" in body else {}
    params = call.params
    if "output_format" in body or "format" in said:
        # The form is the caller's own.
        call = replace(call, json_mode=None)
    if "effort" in said:
        call = replace(call, params=replace(params, reasoning_effort=None))
    config = request.output_config(provider, call)
    if config is not None:
        ours = {"effort": config.effort, "format": config.format}
        body["output_config"] = {**{key: value for key, value in ours.items() if value is not None}, **said}
