"""One variant's attempt at an inference: its model's providers in routing order, then retries.

`attempts` decides who is called next and knows no network; `call_model` and `open_model` make the calls.
Whatever fails is noted in the journal. A stream counts as answered once its first chunk is there; from then
on nothing is tried again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from time import monotonic

from msgspec import Struct
from msgspec.structs import replace

from calibrant.base.errors import (
    CalibrantError,
    FileUnavailable,
    Inexpressible,
    InferenceTimeout,
    InvalidRequest,
    MissingCredential,
    ProviderError,
    ProvidersExhausted,
    Truncated,
)
from calibrant.config.schema import Variant
from calibrant.engine.caching import Keeping, keep, recall, uncharged
from calibrant.engine.compiled import CompiledModel, CompiledProvider, P
from calibrant.engine.ended import Ended, Over, nothing
from calibrant.engine.engine import Engine
from calibrant.engine.files import Attached
from calibrant.engine.journal import Journal, ProviderCall
from calibrant.engine.limits import TIMER_S, Limit, outermost, tighter
from calibrant.engine.prepare import prepared
from calibrant.engine.resolve import Plan
from calibrant.net.retry import delay
from calibrant.providers.base import StreamDecoder
from calibrant.types.call import HttpCall, ModelCall, Response
from calibrant.types.reply import Chunk, Reply, as_chunk

__all__ = ["Exhausted", "OpenStream", "Pause", "attempts", "call_model", "each_provider", "open_model"]

_GIVEN_UP = (ProviderError, InferenceTimeout, MissingCredential, Inexpressible, FileUnavailable)
"""What makes a call fail and leaves the next provider its turn."""


class OpenStream(Struct, frozen=True):
    """A stream whose first chunks have come."""

    first: list[Chunk]
    decoder: StreamDecoder
    response: Response
    rest: AsyncIterator[bytes]
    call: ProviderCall[CompiledProvider] | None
    """Null where every call that was made for it is in the journal already."""
    first_at: float
    """Monotonic seconds at which the first chunks had come."""
    keeping: Keeping | None = None
    """What of it goes into the cache; null for nothing."""


class Pause(Struct, frozen=True):
    """How long to wait before the next call."""

    seconds: float


class Exhausted(ProvidersExhausted):
    """Every provider of the model failed, with what their failures say about trying again."""

    def __init__(self, model_name: str, failures: list[tuple[str, CalibrantError]]) -> None:
        """List why each failed."""
        reasons = "; ".join(f"{name}: {error.message}" for name, error in failures)
        super().__init__(f"all providers of the model {model_name!r} failed: {reasons}")
        self.retryable = any(error.retryable for _, error in failures)
        waits = [error.retry_after for _, error in failures if isinstance(error, ProviderError) and error.retry_after]
        self.retry_after = min(waits) if waits else None


async def call_model(engine: Engine, plan: Plan, variant: Variant, call: ModelCall, journal: Journal) -> Reply:
    """Return the model's whole answer.

    Raises:
        ProvidersExhausted: every provider failed, on every retry.
        InferenceTimeout: the model's or the variant's time is over.
    """
    for step in attempts(engine, variant, journal, stream=False):
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            continue
        try:
            ready = call if plan.files is None else await _with_files(plan.files, call, step, journal)
            http = prepared(engine, plan, variant, ready, step)
            reply = await _ask(engine, plan, http, call, step)
        except _GIVEN_UP as error:
            step.error = step.discreet(error)
            continue
        journal.succeeded(step, reply, monotonic())
        return reply
    raise AssertionError("attempts end with an answer or an error")


async def open_model(engine: Engine, plan: Plan, variant: Variant, call: ModelCall, journal: Journal) -> OpenStream:
    """Return the model's stream, with its first chunk at hand.

    Raises:
        ProvidersExhausted: every provider failed, on every retry.
        InferenceTimeout: the model's or the variant's time is over.
    """
    for step in attempts(engine, variant, journal, stream=True):
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            continue
        try:
            ready = call if plan.files is None else await _with_files(plan.files, call, step, journal)
            http = prepared(engine, plan, variant, ready, step)
            return await _open_in_time(engine, plan, http, call, step)
        except _GIVEN_UP as error:
            step.error = step.discreet(error)
    raise AssertionError("attempts end with an answer or an error")


def attempts(
    engine: Engine, variant: Variant, journal: Journal, *, stream: bool
) -> Iterator[ProviderCall[CompiledProvider] | Pause]:
    """Yield the calls to make, one after the other, and the seconds to wait between retries.

    The caller stops at the first call that succeeds; it sets `error` on one that does not, and goes on.

    Raises:
        ProvidersExhausted: there is nobody left to call.
        InferenceTimeout: the model's or the variant's time is over.
    """
    model = engine.compiler.model(variant.model)
    if model is None:
        raise InvalidRequest(f"the variant {variant.name!r} names the model {variant.model!r}, which does not exist")
    now = monotonic()
    outer = journal.limit or outermost(engine.config.gateway, now)
    limit = tighter(outer, variant.timeouts, now, "variant", variant.name, stream=stream)
    retry = 0
    while True:
        try:
            yield from each_provider(engine, model, variant.name, journal, limit, stream=stream)
        except (Exhausted, InferenceTimeout) as error:
            now = monotonic()
            limit.check(now)
            if retry >= variant.retries.num_retries or not error.retryable:
                raise
            asked = error.retry_after if isinstance(error, Exhausted) else None
            cap = variant.retries.max_delay_s
            jitter = random.random()  # noqa: S311 - jitter, not cryptography
            pause = min(delay(retry, max_delay_s=cap, jitter=jitter, retry_after=asked), limit.total - now)
            journal.backoff_s += pause
            yield Pause(pause)
            limit.check(monotonic())
            retry += 1


def each_provider(
    engine: Engine, model: CompiledModel[P], variant_name: str, journal: Journal, outer: Limit, *, stream: bool
) -> Iterator[ProviderCall[P]]:
    """Yield a call of each provider, in routing order; what the caller does with them is as for `attempts`.

    Raises:
        ProvidersExhausted: there is nobody left to call.
        MissingCredential: none of them could be asked, for want of what the request should have brought.
        InferenceTimeout: the time of the model, or of what is around it, is over.
    """
    name = model.model.name
    now = monotonic()
    limit = tighter(outer, model.model.timeouts, now, "model", name, stream=stream)
    failures: list[tuple[str, CalibrantError]] = []
    for provider in model.providers:
        config = provider.provider
        limit.check(now)
        mine = tighter(limit, config.timeouts, now, "provider", config.name, stream=stream)
        call = ProviderCall(variant_name, name, provider, mine, now, salt=journal.salt)
        yield call
        error = call.error or ProviderError("nobody said what became of the call")
        now = ended = monotonic()
        if isinstance(error, InferenceTimeout):
            # The network knows that time is over; the limit knows whose.
            error = mine.over(ended + TIMER_S) or error
        journal.failed(call, error, ended)
        engine.metrics.count("provider_errors", (name, config.name, error.code))
        limit.check(ended + TIMER_S)
        failures.append((config.name, error))
    if all(isinstance(error, (MissingCredential, Inexpressible, FileUnavailable)) for _, error in failures):
        # Nobody was asked: the fault is the request's, not the providers'.
        raise failures[-1][1]
    raise Exhausted(name, failures)


async def _with_files(
    files: Attached, call: ModelCall, step: ProviderCall[CompiledProvider], journal: Journal
) -> ModelCall:
    """Return the call with every file as this provider takes it; what that takes is no time of the provider's."""
    began = step.started
    ready = await files.ready(call, step.provider.provider, step.limit)
    if ready is not call:
        step.started = monotonic()
        spent = step.started - began
        journal.upstream_s += spent
        journal.durations["fetch"] = journal.durations.get("fetch", 0.0) + spent * 1e3
    return ready


async def _ask(
    engine: Engine, plan: Plan, http: HttpCall, call: ModelCall, step: ProviderCall[CompiledProvider]
) -> Reply:
    adapter, json_tool = step.provider.adapter, call.json_mode == "tool"
    if step.cache_key is not None:
        held = await recall(engine, plan.request.cache, step)
        if held is not None:
            return uncharged(adapter.decode(200, held.headers, held.body, json_tool=json_tool), step)
    response = await engine.sender.send(http, step.limit.deadline(stream=False))
    body = await response.read()
    reply = adapter.decode(response.status, response.headers, body, json_tool=json_tool)
    if step.cache_key is not None and response.status < 300:
        keep(engine, plan, step, reply, response.headers, body)
    return reply


async def _open_in_time(
    engine: Engine, plan: Plan, http: HttpCall, call: ModelCall, step: ProviderCall[CompiledProvider]
) -> OpenStream:
    limit = step.limit
    if limit.first is None:
        return await _open(engine, plan, http, call, step)
    try:
        # The network's own deadline ends with the first byte, which may be no chunk yet.
        async with asyncio.timeout(limit.first - monotonic()):
            return await _open(engine, plan, http, call, step)
    except TimeoutError:
        raise InferenceTimeout(f"{limit.first_whose} ran out of time for the first chunk") from None


async def _open(
    engine: Engine, plan: Plan, http: HttpCall, call: ModelCall, step: ProviderCall[CompiledProvider]
) -> OpenStream:
    adapter = step.provider.adapter
    if step.cache_key is not None:
        held = await recall(engine, plan.request.cache, step)
        if held is not None:
            return _replayed(adapter.decoder(json_tool=call.json_mode == "tool"), held.body, step)
    response = await engine.sender.send(http, step.limit.deadline(stream=True))
    try:
        if response.status >= 300:
            # An error, unless that is how the provider says that it will not answer this.
            status, headers, body = response.status, response.headers, await response.read()
            reply = adapter.decode(status, headers, body, json_tool=call.json_mode == "tool")
            at = step.first_chunk = monotonic()
            return OpenStream([as_chunk(reply)], Over(), response, nothing(), step, at)
        decoder = adapter.decoder(json_tool=call.json_mode == "tool")
        rest = response.chunks()
        keeping = None if step.cache_key is None else Keeping(response.headers, [])
        async for data in rest:
            if keeping is not None:
                keeping.pieces.append(data)
            first = decoder.feed(data)
            if first:
                break
        else:
            first = decoder.close()
        if not first:
            raise Truncated("the stream ended before its first chunk")
    except BaseException:
        response.close()
        raise
    at = step.first_chunk = monotonic()
    return OpenStream(first, decoder, response, rest, step, at, keeping)


def _replayed(decoder: StreamDecoder, body: bytes, step: ProviderCall[CompiledProvider]) -> OpenStream:
    """Return a stream of the cache as it once came, all of it at hand."""
    chunks = [
        replace(chunk, raw=chunk.raw if step.verbatim else b"", usage=None)
        for chunk in (*decoder.feed(body), *decoder.close())
    ]
    at = step.first_chunk = monotonic()
    return OpenStream(chunks, Over(), Ended(), nothing(), step, at)
