"""Handlers of the inference routes: decode, call the engine, encode. One for every dialect."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from msgspec.structs import replace

from calibrant.base.errors import CalibrantError
from calibrant.base.ids import EVALUATED_FROM
from calibrant.engine.count import count_tokens
from calibrant.engine.engine import Caller, Engine
from calibrant.engine.infer import infer
from calibrant.engine.recall import continued
from calibrant.engine.stream import Stream, open_stream
from calibrant.engine.workflow import evaluated
from calibrant.server.http import Answer, Handler, HttpRequest, StreamAnswer
from calibrant.types.answer import Answered, Head
from calibrant.types.reply import Chunk
from calibrant.types.request import InferenceRequest
from calibrant.types.rows import ModelInferenceRow
from calibrant.wire import anthropic_messages, native, openai_chat, openai_responses, responses_events

__all__ = [
    "MESSAGES",
    "NATIVE",
    "OPENAI_CHAT",
    "OPENAI_RESPONSES",
    "Codec",
    "Events",
    "caller_of",
    "count_handler",
    "inference_handler",
]


class Events(Protocol):
    """Encodes one stream, event by event; every method returns bytes to send."""

    def preceding(self, calls: Sequence[ModelInferenceRow]) -> bytes:
        """Return the event that tells what is raw of the calls before the one that streams."""
        ...

    def chunk(self, chunk: Chunk) -> bytes:
        """Return the events of a chunk; empty where it says nothing to the caller."""
        ...

    def final(self, answered: Answered) -> bytes:
        """Return the events that end a whole answer; its calls are those that `preceding` has not told."""
        ...

    def error(self, err: CalibrantError) -> bytes:
        """Return the event that ends a broken one."""
        ...

    def done(self) -> bytes:
        """Return the end marker."""
        ...


@dataclass(frozen=True, slots=True)
class Codec:
    """One inbound dialect."""

    endpoint: str
    """Its name in metrics."""
    decode: Callable[[bytes, int], InferenceRequest]
    encode: Callable[[Answered], bytes]
    events: Callable[[Head], Events]
    with_headers: Callable[[InferenceRequest, Mapping[str, str]], InferenceRequest] | None = None
    """Adds what the dialect says in headers; null where it says nothing there."""


def _native(body: bytes, now_ms: int) -> InferenceRequest:
    return native.decode(body, now_ms=now_ms)


def _openai_chat(body: bytes, now_ms: int) -> InferenceRequest:
    return openai_chat.decode(body, now_ms=now_ms)


def _openai_responses(body: bytes, now_ms: int) -> InferenceRequest:
    return openai_responses.decode(body, now_ms=now_ms)


def _messages(body: bytes, now_ms: int) -> InferenceRequest:
    return anthropic_messages.decode(body, now_ms=now_ms)


NATIVE = Codec("inference", _native, native.encode, native.Events)
OPENAI_CHAT = Codec("openai_chat_completions", _openai_chat, openai_chat.encode, openai_chat.Events)
OPENAI_RESPONSES = Codec("openai_responses", _openai_responses, openai_responses.encode, responses_events.Events)


MESSAGES = Codec(
    "anthropic_messages",
    _messages,
    anthropic_messages.encode,
    anthropic_messages.events,
    anthropic_messages.with_headers,
)


def count_handler(engine: Engine) -> Handler:
    """Return the handler of `POST /v1/messages/count_tokens`."""
    wall_ms = engine.clock.wall_ms

    async def handle(http: HttpRequest) -> Answer:
        started = monotonic()
        request = anthropic_messages.with_headers(_messages(http.body, wall_ms()), http.headers)
        if request.episode_id is not None and request.episode_id >= EVALUATED_FROM:
            request = await evaluated(engine, request, request.episode_id)
        counted = await count_tokens(engine, request, caller_of(http, "anthropic_count_tokens"), started)
        return Answer(200, anthropic_messages.encode_count(counted.tokens, estimated=counted.estimated))

    return handle


def inference_handler(engine: Engine, codec: Codec) -> Handler:
    """Return the handler of a dialect's inference route."""
    wall_ms = engine.clock.wall_ms
    nobody = Caller(codec.endpoint)

    async def handle(http: HttpRequest) -> Answer | StreamAnswer:
        started = monotonic()
        request = codec.decode(http.body, wall_ms())
        if codec.with_headers is not None:
            request = codec.with_headers(request, http.headers)
        known = http.principal is not None or "traceparent" in http.headers or http.presence is not None
        caller = caller_of(http, codec.endpoint) if known else nobody
        if request.recall is not None:
            request = await continued(engine, request, request.recall, caller)
        if request.episode_id is not None and request.episode_id >= EVALUATED_FROM:
            request = await evaluated(engine, request, request.episode_id)
        if request.stream:
            stream = await open_stream(engine, request, caller, started)
            return StreamAnswer(_events(stream, codec.events(stream.head)))
        return Answer(200, codec.encode(await infer(engine, request, caller, started)))

    return handle


async def _events(stream: Stream, events: Events) -> AsyncIterator[bytes]:
    told = stream.preceding
    if told:
        yield events.preceding(told)
    async for chunks in stream.chunks():
        data = b"".join([events.chunk(chunk) for chunk in chunks])
        if data:
            yield data
    if stream.error is not None:
        yield events.error(stream.error) + events.done()
    elif stream.answered is not None:
        answered = stream.answered
        if told:
            answered = replace(answered, calls=answered.calls[len(told) :])
        yield events.final(answered) + events.done()


def caller_of(http: HttpRequest, endpoint: str) -> Caller:
    """Return where a request came from, and by whose key. The trace context is W3C's `traceparent`."""
    key_id = grants = None
    if http.principal is not None:
        key_id, grants = http.principal.public_id, http.principal.grants
    parts = http.headers["traceparent"].split("-") if "traceparent" in http.headers else ()
    if len(parts) >= 4 and len(parts[1]) == 32 and len(parts[2]) == 16:
        return Caller(endpoint, parts[1], parts[2], key_id, grants, http.presence)
    return Caller(endpoint, key_id=key_id, grants=grants, presence=http.presence)
