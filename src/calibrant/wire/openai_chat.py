"""OpenAI's chat dialect: `/openai/v1/chat/completions` and `GET /openai/v1/models`, in and out.

`decode` reads a request, our own fields under `tensorzero::` or `calibrant::`; answers echo the prefix
that the model's name had. What OpenAI knows and we have no words for goes to providers of the dialect as it was written
(`openai_sent.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

import msgspec
from msgspec import UNSET

from calibrant.apischema import openai_answer as answer
from calibrant.apischema import openai_request as shape
from calibrant.base.errors import CalibrantError
from calibrant.types.answer import Answered, Head
from calibrant.types.reply import (
    Chunk,
    Delta,
    TextDelta,
    ThoughtDelta,
    ToolCallDelta,
    UnknownDelta,
)
from calibrant.types.request import NO_PARAMS, InferenceRequest, JsonMode, Params
from calibrant.types.rows import ModelInferenceRow
from calibrant.wire import body as checks
from calibrant.wire import openai_answer as parts
from calibrant.wire import sse
from calibrant.wire.body import invalid
from calibrant.wire.call_order import CallOrder
from calibrant.wire.error import encode_error
from calibrant.wire.openai_messages import to_input
from calibrant.wire.openai_sent import to_sent
from calibrant.wire.openai_tools import to_custom_tools, to_tool_choice, to_tools
from calibrant.wire.own import Own, to_own, to_target
from calibrant.wire.raw import RawFields

__all__ = ["Events", "decode", "encode", "encode_models"]

_LENIENT = msgspec.json.Decoder(shape.ChatBody)
_STRICT = msgspec.json.Decoder(shape.StrictChatBody)
_PARAMS = (
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "stop",
    "stop_sequences",
    "reasoning_effort",
    "service_tier",
    "verbosity",
    "response_format",
)
_param_fields: Callable[[shape.ChatBody], tuple[object, ...]] = attrgetter(*_PARAMS)
_NO_PARAMS = (None,) * len(_PARAMS)
_JSON_MODE: dict[str, JsonMode] = {"text": "off", "json_object": "on", "json_schema": "strict"}
_json = msgspec.json.Encoder().encode


def decode(body: bytes, *, now_ms: int) -> InferenceRequest:
    """Return the inference that a body asks for.

    Raises:
        InvalidRequest: the body is malformed or contradicts itself; the message has the JSON path.
        NotImplementedYet: it asks for something that this version does not have.
    """
    asked = checks.parse(_LENIENT, body)
    if asked.n is not None and asked.n != 1:
        raise invalid("only one choice can be asked for; send 1 or leave it out", "$.n")
    target = to_target(asked.model)
    prefix = target.prefix
    own = to_own(asked, _STRICT, body, target, now_ms)
    choice, allowed = (None, None) if asked.tool_choice is None else to_tool_choice(asked.tool_choice)
    form = asked.response_format
    params = _params(asked)
    given = to_input(asked.messages)
    request = InferenceRequest(
        given,
        target.function,
        target.model,
        asked.stream or False,
        params if own.params is None else own.params.over(params),
        own.tags,
        to_tools(asked.tools) if asked.tools else (),
        to_custom_tools(asked.tools) if asked.tools else (),
        allowed,
        choice,
        asked.parallel_tool_calls,
        form.json_schema.schema if form is not None and form.json_schema is not None else None,
        "openai_chat",
        prefix,
        *own.options,
        _include_usage(asked, own, prefix),
        None,  # recall
        to_sent(asked, body, own.params),
    )
    checks.check_documents(body, request)
    return request


def encode(answered: Answered) -> bytes:
    """Return the body of a whole answer."""
    raw = RawFields.asked(answered.head.request)
    body = _whole(answered)
    return body if raw is None else raw.whole(body, answered.calls)


def _whole(answered: Answered) -> bytes:
    head = answered.head
    message = (
        parts.chat_message(answered.content, head)
        if head.function_type == "chat"
        else answer.AnswerMessage(content=answered.raw)
    )
    return _json(
        answer.Completion(
            id=head.inference_id,
            episode_id=head.episode_id,
            created=head.created,
            model=parts.model_name(head),
            choices=(
                answer.Choice(
                    message,
                    parts.finish(answered.finish_reason, calls=message.tool_calls is not UNSET, head=head),
                ),
            ),
            usage=parts.usage_body(answered.usage, answered.cost, head),
        )
    )


def encode_models(names: Sequence[str], created: int) -> bytes:
    """Return the list of what a request's `model` may name.

    Args:
        names: The whole names, prefix included.
        created: Unix time in seconds.
    """
    return _json(answer.ModelList(tuple(answer.ListedModel(name, created) for name in names)))


class Events:
    """Writes a streamed answer: chunks, then `final` or `error`, then `done`. Calls come one after the other."""

    __slots__ = (
        "_blocks",
        "_calls",
        "_chat",
        "_custom",
        "_custom_names",
        "_extras",
        "_head",
        "_named",
        "_order",
        "_raw",
        "_silent",
        "_start",
    )

    def __init__(self, head: Head) -> None:
        """Write the part that all events share once."""
        self._head = head
        self._chat = head.function_type == "chat"
        self._raw = RawFields.asked(head.request)
        self._silent = True
        self._blocks: dict[tuple[type[Delta], str], int] = {}
        self._calls: dict[str, int] = {}
        self._extras: dict[int, int] = {}
        self._named: set[str] = set()
        self._custom_names = parts.custom_names(head)
        self._order = CallOrder(free=bool(self._custom_names))
        self._custom: set[str] = set()
        who = {
            "id": head.inference_id,
            "episode_id": head.episode_id,
            "object": "chat.completion.chunk",
            "created": head.created,
            "model": parts.model_name(head),
        }
        self._start = b"data: " + _json(who)[:-1] + b',"choices":'

    def chunk(self, chunk: Chunk) -> bytes:
        """Return the event for what the chunk adds to the message; empty where it adds nothing.

        A caller who wants what is raw gets an event for every one of the provider's.
        """
        event = self._added(chunk)
        if self._raw is None or not chunk.raw:
            return event
        return self._raw.chunk(event or self._start + b"[]}\n\n", chunk)

    def _added(self, chunk: Chunk) -> bytes:
        text: str | None = None
        calls: list[answer.ToolCallPiece] = []
        extra: list[shape.ExtraBlock] = []
        for delta in chunk.content:
            if isinstance(delta, TextDelta):
                self._place(delta)
                text = delta.text if text is None else text + delta.text
            elif isinstance(delta, ToolCallDelta):
                if self._chat:
                    self._place(delta)
                    calls += [self._piece(each) for each in self._order.add(delta)]
                else:
                    # A JSON function that is served by a tool call has its text in the call's arguments.
                    text = (text or "") + delta.raw_arguments
            elif self._chat:
                extra.append(self._extra_piece(delta))
        if not (text or calls or extra) and (text is None or not self._silent):
            return b""
        return self._event(text, calls, extra)

    def preceding(self, calls: Sequence[ModelInferenceRow]) -> bytes:
        """Return the event that tells what is raw of the calls before the one that streams."""
        return b"" if self._raw is None else self._raw.preceding(self._start + b"[]}\n\n", calls)

    def final(self, answered: Answered) -> bytes:
        """Return what had to wait, the event with the finish reason, and the usage where asked for and known."""
        rest = [self._piece(delta) for delta in self._order.rest()]
        waited = self._event(None, rest, []) if rest else b""
        role = b'"role":"assistant"' if self._silent else b""
        self._silent = False
        reason = parts.finish(answered.finish_reason, calls=bool(self._calls), head=self._head)
        last = b'%s[{"index":0,"delta":{%s},"finish_reason":"%s"}]}\n\n' % (
            self._start,
            role,
            reason.encode(),
        )
        spent = (
            parts.usage_body(answered.usage, answered.cost, self._head) if self._head.request.include_usage else None
        )
        event = b'%s[],"usage":%s}\n\n' % (self._start, _json(spent)) if spent is not None else b""
        if self._raw is not None and self._head.request.include_raw_usage:
            event = self._raw.final(event or self._start + b"[]}\n\n", answered.calls)
        return waited + last + event

    def error(self, err: CalibrantError) -> bytes:
        """Return the event that says that the stream broke."""
        return sse.event(encode_error(err, "openai"))

    def done(self) -> bytes:
        """Return the event that ends the stream."""
        return sse.DONE

    def _place(self, delta: Delta) -> int:
        """Return the place of the delta's block among the blocks of the message."""
        return self._blocks.setdefault((type(delta), delta.id), len(self._blocks))

    def _piece(self, delta: ToolCallDelta) -> answer.ToolCallPiece:
        first = delta.id not in self._calls
        index = self._calls.setdefault(delta.id, len(self._calls))
        name: str | None = None
        if delta.raw_name and delta.id not in self._named:
            self._named.add(delta.id)
            name = delta.raw_name
        if name is not None and name in self._custom_names:
            self._custom.add(delta.id)
        custom = delta.id in self._custom
        told = UNSET if name is None else name
        return answer.ToolCallPiece(
            index=index,
            id=delta.id if first else UNSET,
            type=("custom" if custom else "function") if first else UNSET,
            function=UNSET if custom else answer.CalledFunction(delta.raw_arguments, told),
            custom=answer.CalledCustom(delta.raw_arguments, told) if custom else UNSET,
        )

    def _extra_piece(self, delta: ThoughtDelta | UnknownDelta) -> shape.ExtraBlock:
        place = self._place(delta)
        first = place not in self._extras
        index = self._extras.setdefault(place, len(self._extras))
        return parts.extra_piece(delta, index=index, place=place if first else None)

    def _event(self, text: str | None, calls: list[answer.ToolCallPiece], extra: list[shape.ExtraBlock]) -> bytes:
        ours = self._head.request.prefix == "calibrant"
        delta = answer.Delta(
            role="assistant" if self._silent else UNSET,
            content=UNSET if text is None else text,
            tool_calls=calls or UNSET,
            tensorzero_extra_content=extra if extra and not ours else UNSET,
            calibrant_extra_content=extra if extra and ours else UNSET,
        )
        self._silent = False
        return b'%s[{"index":0,"delta":%s,"finish_reason":null}]}\n\n' % (self._start, _json(delta))


def _params(asked: shape.ChatBody) -> Params:
    if _param_fields(asked) == _NO_PARAMS:
        return NO_PARAMS
    limit = asked.max_tokens
    if asked.max_completion_tokens is not None:
        limit = min(asked.max_completion_tokens, asked.max_completion_tokens if limit is None else limit)
    stop = asked.stop_sequences if asked.stop is None else asked.stop
    return Params(
        temperature=asked.temperature,
        max_tokens=limit,
        seed=asked.seed,
        top_p=asked.top_p,
        presence_penalty=asked.presence_penalty,
        frequency_penalty=asked.frequency_penalty,
        stop_sequences=(stop,) if isinstance(stop, str) else stop,
        json_mode=None if asked.response_format is None else _JSON_MODE[asked.response_format.type],
        reasoning_effort=asked.reasoning_effort,
        service_tier=asked.service_tier,
        verbosity=asked.verbosity,
    )


def _include_usage(asked: shape.ChatBody, own: Own, prefix: str) -> bool:
    wanted = None if asked.stream_options is None else asked.stream_options.include_usage
    if own.raw_usage and asked.stream and wanted is False:
        raise invalid(
            f"`{prefix}::include_raw_usage` comes with the usage of the stream; leave this out or send true",
            "$.stream_options.include_usage",
        )
    return wanted is True or own.raw_usage
