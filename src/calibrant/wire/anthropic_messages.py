"""Anthropic's Messages dialect: `POST /v1/messages` and `POST /v1/messages/count_tokens`, in and out.

Read in this order: `anthropic_input.py`, `anthropic_thought.py` and `anthropic_tools.py` (what is asked),
`anthropic_answer.py` (a whole answer), `anthropic_stream.py` (a streamed one), `anthropic_relay.py` (the answers of
a provider that speaks the dialect itself, which pass as they are).

A request is read twice: into our own words, for every provider, and as fields and messages that stay as they were
written, for providers of the dialect (`Sent`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from calibrant.apischema import anthropic_request as shape
from calibrant.types.answer import Head
from calibrant.types.content import CachePoint
from calibrant.types.request import InferenceRequest, Params
from calibrant.types.sent import Sent, SentMessage
from calibrant.wire import body as checks
from calibrant.wire.anthropic_answer import encode, encode_count, encode_models
from calibrant.wire.anthropic_input import Reader, part_of, raw_depth
from calibrant.wire.anthropic_relay import Relay
from calibrant.wire.anthropic_stream import Events
from calibrant.wire.anthropic_tools import to_tool_choice, to_tools
from calibrant.wire.body import invalid
from calibrant.wire.own import to_own, to_target

__all__ = ["decode", "encode", "encode_count", "encode_models", "events", "with_headers"]

_LENIENT = msgspec.json.Decoder(shape.MessagesBody)
_STRICT = msgspec.json.Decoder(shape.StrictMessagesBody)
_fields = msgspec.json.Decoder(dict[str, Raw])
_raws = msgspec.json.Decoder(list[Raw])
_mark = msgspec.json.Decoder(shape.TextBody)
_any = msgspec.json.Decoder()
_OURS = ("tensorzero::", "calibrant::")
_READ = frozenset({"model", "messages"})
_TRANSLATED = frozenset(shape.MessagesBody.__struct_fields__)
_HINTS = frozenset({"metadata", "context_management", "diagnostics", "speed"})
"""Fields that say nothing about the answer itself; providers of other dialects do without them."""
_NULL = b"null"
_HEADERS = ("anthropic-version", "anthropic-beta")
_TIERS = {"standard_only": "default"}
_THINKING = frozenset({"enabled", "adaptive", "disabled"})
_SAID_BY = {
    "temperature": ("temperature",),
    "max_tokens": ("max_tokens",),
    "top_p": ("top_p",),
    "stop_sequences": ("stop_sequences",),
    "service_tier": ("service_tier",),
    "thinking_budget_tokens": ("thinking",),
    "reasoning_effort": ("thinking", "output_config"),
    "json_mode": ("output_config", "output_format"),
}
"""Which fields of the dialect a parameter of ours takes the place of."""


def decode(body: bytes, *, now_ms: int) -> InferenceRequest:
    """Return the inference that a body asks for.

    Raises:
        InvalidRequest: the body is malformed or contradicts itself; the message has the JSON path.
        NotImplementedYet: it asks for something that this version does not have.
    """
    asked = checks.parse(_LENIENT, body)
    if not asked.messages:
        raise invalid("there must be a message", "$.messages")
    fields = checks.parse(_fields, body)
    checks.check_text(body)
    target = to_target(asked.model, bare=True)
    own = to_own(asked, _STRICT, body, target, now_ms)
    tools = to_tools(asked.tools)
    choice, parallel = to_tool_choice(asked.tool_choice, tools)
    reader = Reader()
    given, messages = reader.input(asked, _raws.decode(fields["messages"]), _cache_mark(asked, tools.mark))
    form = _form(asked)
    params = _params(asked, form)
    kept = {key: raw for key, raw in fields.items() if key not in _READ and not key.startswith(_OURS)}
    sent = Sent(
        "anthropic_messages",
        asked.model,
        kept if own.params is None else _without(kept, own.params),
        messages,
        frozenset(tool.name for tool in tools.tools),
        only=(*_only(asked, kept), *tools.only, *reader.only),
    )
    request = InferenceRequest(
        given,
        target.function,
        target.model,
        asked.stream or False,
        params if own.params is None else own.params.over(params),
        own.tags,
        tools.tools,
        (),  # custom_tools
        None,  # allowed_tools
        choice,
        parallel,
        None if form is None else form.schema,
        "anthropic_messages",
        target.prefix,
        *own.options,
        True,  # include_usage
        None,  # recall
        sent,
    )
    _check_depth(body, kept, asked.tools or (), messages)
    checks.check_documents(body, request)
    return request


def with_headers(request: InferenceRequest, headers: Mapping[str, str]) -> InferenceRequest:
    """Return the request with those of its headers that say how the body is to be read."""
    found = tuple((name, headers[name]) for name in _HEADERS if headers.get(name, "").isprintable() and name in headers)
    if request.sent is None or not found:
        return request
    return replace(request, sent=replace(request.sent, headers=found))


def events(head: Head) -> Events | Relay:
    """Return what writes a streamed answer."""
    return Relay(head) if head.verbatim else Events(head)


def _only(asked: shape.MessagesBody, kept: Mapping[str, Raw]) -> list[str]:
    """Return which fields no other dialect can say."""
    found = [
        f"`$.{key}`"
        for key, raw in kept.items()
        if key not in _TRANSLATED and key not in _HINTS and bytes(raw) != _NULL
    ]
    if asked.thinking is not None and asked.thinking.type not in _THINKING:
        found.append(f"`$.thinking.type` ({asked.thinking.type})")
    if asked.max_tokens == 0:
        found.append("`$.max_tokens` (0)")
    form = asked.output_format or (asked.output_config and asked.output_config.format)
    if form is not None and form.type != "json_schema":
        found.append(f"`$.output_config.format.type` ({form.type})")
    return found


def _without(kept: dict[str, Raw], params: Params) -> dict[str, Raw]:
    """Return the fields but for those that the caller has said better in our own."""
    said = {field for name, fields in _SAID_BY.items() if getattr(params, name) is not None for field in fields}
    return {key: raw for key, raw in kept.items() if key not in said}


def _form(asked: shape.MessagesBody) -> shape.SchemaFormat | None:
    form = asked.output_format if asked.output_config is None else asked.output_config.format or asked.output_format
    return form if form is not None and form.type == "json_schema" else None


def _params(asked: shape.MessagesBody, form: shape.SchemaFormat | None) -> Params:
    thinking, tier = asked.thinking, asked.service_tier
    budget = None
    if thinking is not None:
        budget = 0 if thinking.type == "disabled" else thinking.budget_tokens
    return Params(
        temperature=asked.temperature,
        max_tokens=asked.max_tokens,
        top_p=asked.top_p,
        stop_sequences=asked.stop_sequences,
        json_mode=None if form is None else "strict",
        reasoning_effort=None if asked.output_config is None else asked.output_config.effort,
        service_tier=None if tier is None else _TIERS.get(tier, tier),
        thinking_budget_tokens=budget,
    )


def _cache_mark(asked: shape.MessagesBody, on_tools: CachePoint | None) -> CachePoint | None:
    """Return the mark of the prompt cache that stands before the first message: the one on the system prompt's end."""
    if not asked.system:
        return on_tools
    if isinstance(asked.system, str):
        return None
    path = f"$.system[{len(asked.system) - 1}]"
    control = part_of(_mark, asked.system[-1], path).cache_control
    return None if control is None else CachePoint(control.ttl)


def _check_depth(body: bytes, kept: Mapping[str, Raw], tools: Sequence[Raw], messages: Sequence[SentMessage]) -> None:
    """Refuse what nests too deep among what is only passed on: changes by `extra_body` walk through it."""
    if body.count(b"[") + body.count(b"{") <= checks.MAX_DEPTH:
        return
    # One by one: hardly any of them has so many brackets, whatever all have together.
    parts = [(f"$.{key}", raw) for key, raw in kept.items() if key != "tools"]
    parts += [(f"$.tools[{index}]", raw) for index, raw in enumerate(tools)]
    parts += [(f"$.messages[{index}]", Raw(each.raw)) for index, each in enumerate(messages) if each.raw is not None]
    for path, raw in parts:
        if raw_depth(raw) > checks.MAX_DEPTH:
            checks.refuse_deep(part_of(_any, raw, path), path)
