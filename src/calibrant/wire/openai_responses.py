"""OpenAI's Responses dialect: `/openai/v1/responses`, the request in and the whole answer out.

Streams are written by `responses_events.py`, items by `responses_items.py`; the input is read by `responses_input.py`.
A provider that speaks this dialect itself is sent what the caller wrote (`Sent`); for all others it is translated,
and what has no translation and a meaning is noted, so that the request is refused where it would be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

import msgspec
from msgspec import Raw

from calibrant.apischema import responses_body as shape
from calibrant.apischema.own import OWN, prefixed
from calibrant.base.errors import ResponseNotFound
from calibrant.types.answer import Answered
from calibrant.types.request import NO_PARAMS, InferenceRequest, JsonMode, Params, Recall
from calibrant.types.sent import Sent
from calibrant.wire import body as checks
from calibrant.wire.body import invalid
from calibrant.wire.own import Own, to_own, to_target
from calibrant.wire.raw import RawFields
from calibrant.wire.responses_ids import inference_of
from calibrant.wire.responses_input import InputReader
from calibrant.wire.responses_items import items_of, response_body, status_of
from calibrant.wire.responses_tools import to_tool_choice, to_tools

__all__ = ["decode", "encode"]

_LENIENT = msgspec.json.Decoder(shape.ResponsesBody)
_STRICT = msgspec.json.Decoder(shape.StrictResponsesBody)
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_JSON_MODE: dict[str, JsonMode] = {"text": "off", "json_object": "on", "json_schema": "strict"}
_OURS = frozenset({prefixed(name) or name for name in OWN} | {"input", "model", "previous_response_id"})
_PARAMS = ("text", "reasoning", "max_output_tokens", "temperature", "top_p", "service_tier")
_param_fields: Callable[[shape.ResponsesBody], tuple[object, ...]] = attrgetter(*_PARAMS)
_NO_PARAMS = (None,) * len(_PARAMS)
_OVERRIDES = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_output_tokens",
    "service_tier": "service_tier",
    "json_mode": "text.format",
    "verbosity": "text.verbosity",
    "reasoning_effort": "reasoning.effort",
}
"""In whose place of the body a parameter of ours stands."""
_LOGPROBS = "message.output_text.logprobs"


def decode(body: bytes, *, now_ms: int) -> InferenceRequest:
    """Return the inference that a body asks for.

    Raises:
        InvalidRequest: the body is malformed or contradicts itself; the message has the JSON path.
        NotFound: it goes on from an answer that cannot be in the record.
        NotImplementedYet: it asks for something that this version does not have.
    """
    asked = checks.parse(_LENIENT, body)
    _refuse(asked)
    target = to_target(asked.model, bare=True)
    own = to_own(asked, _STRICT, body, target, now_ms)
    previous = _previous(asked, now_ms)
    reader = InputReader(asked.instructions)
    given = reader.read(asked.input, continued=previous is not None)
    only_here = [*_only_here(asked), *reader.only_here]
    tools, custom = to_tools(asked.tools, only_here)
    choice, allowed = to_tool_choice(asked.tool_choice, only_here)
    params = _params(asked)
    form = None if asked.text is None else asked.text.format
    request = InferenceRequest(
        given,
        target.function,
        target.model,
        asked.stream or False,
        params if own.params is None else own.params.over(params),
        _tags(asked, own, reader),
        tools,
        custom,
        allowed,
        choice,
        asked.parallel_tool_calls if tools or custom else None,
        None if form is None else form.schema,
        "openai_responses",
        target.prefix,
        *own.options,
        True,  # include_usage
        Recall(previous, reader.references, reader.unnamed) if previous is not None or reader.references else None,
        _sent(asked, body, own, reader, only_here),
    )
    checks.check_documents(body, request)
    return request


def encode(answered: Answered) -> bytes:
    """Return the body of a whole answer."""
    head = answered.head
    status, details = status_of(answered.finish_reason)
    items = items_of(answered, head, complete=status == "completed")
    body = response_body(head, items, status, details=details, usage=answered.usage, cost=answered.cost)
    raw = RawFields.asked(head.request)
    return body if raw is None else raw.whole(body, answered.calls)


def _refuse(asked: shape.ResponsesBody) -> None:
    """Refuse what this version does not do for any provider."""
    if asked.background:
        raise invalid("answers in the background are not supported; leave it out or send false", "$.background")
    if asked.conversation is not None:
        raise invalid(
            "conversations are not supported; go on from an answer by `previous_response_id`", "$.conversation"
        )
    if asked.input is None and asked.previous_response_id is None and asked.prompt is None:
        raise invalid("there is nothing to answer; send `input`", "$.input")


def _previous(asked: shape.ResponsesBody, now_ms: int) -> str | None:
    if asked.previous_response_id is None:
        return None
    found = inference_of(asked.previous_response_id, now_ms=now_ms)
    if found is None:
        raise ResponseNotFound(f"Previous response with id {asked.previous_response_id!r} not found.")
    return found


def _only_here(asked: shape.ResponsesBody) -> list[str]:
    """Return the fields that change what is answered and that no other dialect has."""
    fields = ("prompt", "max_tool_calls", "context_management", "moderation")
    found = [f"$.{field}" for field in fields if getattr(asked, field) is not None]
    if asked.top_logprobs:
        found.append("$.top_logprobs")
    if _LOGPROBS in (asked.include or ()):
        found.append(f"$.include: {_LOGPROBS}")
    if asked.reasoning is not None and asked.reasoning.mode not in (None, "standard"):
        found.append("$.reasoning.mode")
    return found


def _params(asked: shape.ResponsesBody) -> Params:
    if _param_fields(asked) == _NO_PARAMS:
        return NO_PARAMS
    form, reasoning = asked.text, asked.reasoning
    return Params(
        temperature=asked.temperature,
        max_tokens=asked.max_output_tokens,
        top_p=asked.top_p,
        json_mode=None if form is None or form.format is None else _JSON_MODE[form.format.type],
        reasoning_effort=None if reasoning is None else reasoning.effort,
        service_tier=asked.service_tier,
        verbosity=None if form is None else form.verbosity,
    )


def _tags(asked: shape.ResponsesBody, own: Own, reader: InputReader) -> dict[str, str]:
    tags = own.tags
    if asked.metadata:
        tags = {**checks.checked_tags(asked.metadata, field="metadata"), **tags}
    reserved: dict[str, str] = {}
    if asked.store is False:
        reserved["tensorzero::store"] = "false"
    if asked.previous_response_id is not None:
        reserved["tensorzero::previous_response_id"] = asked.previous_response_id
    if reader.system_messages:
        # Unlike `instructions`, these stay with the conversation; whoever goes on from here must know them apart.
        reserved["tensorzero::system_messages"] = str(len("\n".join(reader.system_messages)))
    return {**tags, **reserved} if reserved else tags


def _sent(asked: shape.ResponsesBody, body: bytes, own: Own, reader: InputReader, only_here: Sequence[str]) -> Sent:
    # What nobody read is sent on as it is, so it must be text at least.
    checks.check_text(body)
    fields = {name: value for name, value in checks.parse(_FIELDS, body).items() if name not in _OURS}
    only = tuple([f"`{each}`" for each in only_here])
    sent = Sent("openai_responses", asked.model, fields, tuple(reader.written), only=only)
    if own.params is None:
        return sent
    params = own.params
    return sent.without_fields({field for name, field in _OVERRIDES.items() if getattr(params, name) is not None})
