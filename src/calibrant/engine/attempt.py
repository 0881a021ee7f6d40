"""One variant's attempt at an inference: its model's providers, the models that take over, then retries.

`attempts` decides who is called next and knows no network; `call_model` and `open_model` make the calls.
Whatever fails is noted in the journal. A stream counts as answered once its first chunk is there; from then
on nothing is tried again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from functools import partial
from time import monotonic
from typing import Any, TypeVar, final

from msgspec import Struct
from msgspec.structs import replace

from calibrant.base.errors import (
    CalibrantError,
    ClientDisconnected,
    FileUnavailable,
    Forbidden,
    Inexpressible,
    InferenceTimeout,
    InvalidRequest,
    MissingCredential,
    ProviderError,
    ProvidersExhausted,
    Truncated,
)
from calibrant.config.schema import Variant
from calibrant.config.vendors import RELAY
from calibrant.engine.caching import Keeping, keep, keeping, recall, uncharged
from calibrant.engine.compiled import CompiledModel, CompiledProvider, P
from calibrant.engine.ended import Ended, Over, nothing
from calibrant.engine.engine import Engine
from calibrant.engine.files import Attached
from calibrant.engine.journal import Journal, ProviderCall
from calibrant.engine.limits import TIMER_S, Limit, outermost, tighter
from calibrant.engine.ownership import owned
from calibrant.engine.prepare import prepared
from calibrant.engine.resolve import Plan
from calibrant.net.retry import delay
from calibrant.providers.base import Adapter, StreamDecoder
from calibrant.types.cached import Cached
from calibrant.types.call import HttpCall, ModelCall, Response
from calibrant.types.reply import Chunk, Reply, as_chunk

__all__ = [
    "GIVEN_UP",
    "Exhausted",
    "OpenStream",
    "Pause",
    "attempts",
    "call_model",
    "each_provider",
    "failed_by_all",
    "open_model",
]

_UNASKED = (MissingCredential, Inexpressible, FileUnavailable, Forbidden)
"""What keeps a provider from being asked at all."""
GIVEN_UP = (ProviderError, InferenceTimeout, *_UNASKED)
"""What makes a call fail and leaves the next provider its turn."""

T = TypeVar("T")


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


@final
class Pause(Struct, frozen=True):
    """How long to wait before the next call."""

    seconds: float


class Exhausted(ProvidersExhausted):
    """Every provider that could be asked failed, with what their failures say about trying again."""

    def __init__(self, message: str, failures: Sequence[CalibrantError]) -> None:
        """Take what is common to the failures."""
        super().__init__(message)
        self.retryable = any(error.retryable for error in failures)
        waits = [e.retry_after for e in failures if isinstance(e, (ProviderError, Exhausted)) and e.retry_after]
        self.retry_after: float | None = min(waits) if waits else None


def _exhausted(model_name: str, failures: Sequence[tuple[str, CalibrantError]]) -> Exhausted:
    reasons = "; ".join(f"{provider}: {error.message}" for provider, error in failures)
    message = f"all providers of the model {model_name!r} failed: {reasons}"
    return Exhausted(message, [error for _, error in failures])


async def call_model(engine: Engine, plan: Plan, variant: Variant, call: ModelCall, journal: Journal) -> Reply:
    """Return the model's whole answer.

    Raises:
        ProvidersExhausted: every provider failed, on every retry.
        InferenceTimeout: the model's or the variant's time is over.
        ClientDisconnected: nobody waits for it any more.
    """
    reply: Reply | None = None
    for step in attempts(engine, variant, journal, stream=False):
        if type(step) is Pause:
            await _while_there(plan, asyncio.sleep(step.seconds))
            continue
        try:
            reply = await _while_there(plan, _asked(engine, plan, variant, call, step, journal))
        except GIVEN_UP as error:
            step.error = step.discreet(error)
        except ClientDisconnected as error:
            journal.failed(step, error, monotonic())
            raise
        else:
            journal.succeeded(step, reply, monotonic())
            reply = owned(reply, step)
    assert reply is not None, "attempts end with an answer or an error"
    return reply


async def open_model(engine: Engine, plan: Plan, variant: Variant, call: ModelCall, journal: Journal) -> OpenStream:
    """Return the model's stream, with its first chunk at hand.

    Raises:
        ProvidersExhausted: every provider failed, on every retry.
        InferenceTimeout: the model's or the variant's time is over.
        ClientDisconnected: nobody waits for it any more.
    """
    opened: OpenStream | None = None
    for step in attempts(engine, variant, journal, stream=True):
        if type(step) is Pause:
            await _while_there(plan, asyncio.sleep(step.seconds))
            continue
        try:
            opened = await _while_there(plan, _opened(engine, plan, variant, call, step, journal))
        except GIVEN_UP as error:
            step.error = step.discreet(error)
        except ClientDisconnected as error:
            journal.failed(step, error, monotonic())
            raise
    assert opened is not None, "attempts end with an answer or an error"
    return opened


def attempts(
    engine: Engine, variant: Variant, journal: Journal, *, stream: bool
) -> Iterator[ProviderCall[CompiledProvider] | Pause]:
    """Yield the calls to make, one after the other, and the seconds to wait between retries.

    The caller sets `error` on a call that fails. One that comes back without is the last: it was answered.

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
            calls = _each_model if model.fallbacks else each_provider
            yield from calls(engine, model, variant.name, journal, limit, stream=stream)
            return
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


def _each_model(
    engine: Engine,
    model: CompiledModel[CompiledProvider],
    variant_name: str,
    journal: Journal,
    outer: Limit,
    *,
    stream: bool,
) -> Iterator[ProviderCall[CompiledProvider]]:
    """Yield the calls of a model, then those of each model that takes over from it."""
    failures: list[CalibrantError] = []
    for each in (model, *(engine.compiler.model(name) for name in model.fallbacks)):
        if each is None:
            continue
        try:
            yield from each_provider(engine, each, variant_name, journal, outer, stream=stream)
            return
        except (Exhausted, InferenceTimeout, *_UNASKED) as error:
            outer.check(monotonic() + TIMER_S)
            failures.append(error)
    if all(isinstance(error, _UNASKED) for error in failures):
        raise failures[-1]
    failed = Exhausted("; ".join(error.message for error in failures), failures)
    if isinstance(failures[-1], Exhausted):
        failed.status = failures[-1].status
    raise failed


def each_provider(
    engine: Engine, model: CompiledModel[P], variant_name: str, journal: Journal, outer: Limit, *, stream: bool
) -> Iterator[ProviderCall[P]]:
    """Yield a call of each provider: in routing order, or as their strategy and their health say.

    What the caller does with them is as for `attempts`.

    Raises:
        ProvidersExhausted: there is nobody left to call.
        MissingCredential: none of them could be asked, for want of what the request should have brought.
        InferenceTimeout: the time of the model, or of what is around it, is over.
    """
    name = model.model.name
    now = monotonic()
    limit = tighter(outer, model.model.timeouts, now, "model", name, stream=stream)
    failures: list[tuple[str, CalibrantError]] = []
    balance = engine.health.balance(model, engine.metrics, engine.clock) if model.balanced else None
    for provider in model.providers if balance is None else balance.order(stream=stream):
        config = provider.provider
        limit.check(now)
        mine = tighter(limit, config.timeouts, now, "provider", config.name, stream=stream)
        call = ProviderCall(variant_name, name, provider, mine, now, salt=journal.salt)
        if balance is None:
            yield call
        else:
            hurried = bool(failures) and (mine.total, mine.first) == (limit.total, limit.first)
            call.trial = balance.begin(provider, mine.total - now, stream=stream, hurried=hurried)
            try:
                yield call
            finally:
                # Also where nobody comes back, because the inference is over.
                call.trial.let_go()
        error = call.error
        if error is None:
            return
        now = ended = monotonic()
        if isinstance(error, InferenceTimeout):
            # The network knows that time is over; the limit knows whose.
            error = mine.named(error, ended + TIMER_S)
        journal.failed(call, error, ended)
        engine.metrics.count("provider_errors", (name, config.name, error.code))
        limit.check(ended + TIMER_S)
        failures.append((config.name, error))
    raise failed_by_all(model, failures)


def failed_by_all(model: CompiledModel[P], failures: Sequence[tuple[str, CalibrantError]]) -> CalibrantError:
    """Return the error of a model whose providers, at least one, failed as listed by their names."""
    if all(isinstance(error, _UNASKED) for _, error in failures):
        # Nobody was asked: the fault is the request's, not the providers'.
        return failures[-1][1]
    name = model.model.name
    return _relay_failed(name, failures) if model.providers[0].provider.type == RELAY else _exhausted(name, failures)


def _while_there(plan: Plan, work: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
    """Return work that ends when whoever asked leaves; the same work where nobody is to notice."""
    presence = plan.caller.presence
    return work if presence is None else presence.wait_for(work)


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


def _relay_failed(model_name: str, failures: Sequence[tuple[str, CalibrantError]]) -> Exhausted:
    """Return the error for a model that another gateway did not serve: 429 where a limit of that gateway is reached."""
    failed = _exhausted(model_name, failures)
    last = failures[-1][1]
    failed.status = 429 if isinstance(last, ProviderError) and last.upstream_status == 429 else 502
    return failed


async def _asked(
    engine: Engine,
    plan: Plan,
    variant: Variant,
    call: ModelCall,
    step: ProviderCall[CompiledProvider],
    journal: Journal,
) -> Reply:
    ready = call if plan.files is None else await _with_files(plan.files, call, step, journal)
    http = prepared(engine, plan, variant, ready, step)
    adapter, json_tool = step.provider.adapter, call.json_mode == "tool"
    if step.cache_key is not None:
        decode = partial(_held, adapter, json_tool=json_tool)
        held = await recall(engine, plan.request.cache, step, decode)
        if held is not None:
            return uncharged(held, step)
    response = await engine.sender.send(http, step.limit.deadline(stream=False))
    body = await response.read()
    reply = adapter.decode(response.status, response.headers, body, json_tool=json_tool)
    if step.cache_key is not None and response.status < 300:
        keep(engine, plan, step, reply, response.headers, body)
    return reply


async def _opened(
    engine: Engine,
    plan: Plan,
    variant: Variant,
    call: ModelCall,
    step: ProviderCall[CompiledProvider],
    journal: Journal,
) -> OpenStream:
    ready = call if plan.files is None else await _with_files(plan.files, call, step, journal)
    http = prepared(engine, plan, variant, ready, step)
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
        decode = partial(_held_chunks, adapter, json_tool=call.json_mode == "tool")
        held = await recall(engine, plan.request.cache, step, decode)
        if held is not None:
            return _replayed(held, step)
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
        kept = None if step.cache_key is None else keeping(engine, plan, response.headers)
        async for data in rest:
            if kept is not None:
                kept.add(data)
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
    return OpenStream(first, decoder, response, rest, step, at, kept)


def _held(adapter: Adapter, held: Cached, *, json_tool: bool) -> Reply:
    return adapter.decode(200, held.headers, held.body, json_tool=json_tool)


def _held_chunks(adapter: Adapter, held: Cached, *, json_tool: bool) -> list[Chunk]:
    decoder = adapter.decoder(json_tool=json_tool)
    return [*decoder.feed(held.body), *decoder.close()]


def _replayed(held: list[Chunk], step: ProviderCall[CompiledProvider]) -> OpenStream:
    """Return a stream of the cache as it once came, all of it at hand."""
    chunks = [replace(chunk, raw=chunk.raw if step.verbatim else b"", usage=None) for chunk in held]
    at = step.first_chunk = monotonic()
    return OpenStream(chunks, Over(), Ended(), nothing(), step, at)
