"""One variant's attempt at an inference: its model's providers in routing order, then retries.

Whatever fails is noted in the journal. A stream counts as answered once its first chunk is there; from
then on nothing is tried again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from calibrant.base.errors import (
    CalibrantError,
    InferenceTimeout,
    InvalidRequest,
    MissingCredential,
    ProviderError,
    ProvidersExhausted,
    Truncated,
)
from calibrant.config.schema import Variant
from calibrant.engine.compiled import CompiledModel, CompiledProvider
from calibrant.engine.engine import Engine
from calibrant.engine.journal import Journal, ProviderCall
from calibrant.engine.limits import Limit, tighter
from calibrant.engine.resolve import Plan
from calibrant.net.retry import delay
from calibrant.providers.base import StreamDecoder
from calibrant.types.call import ModelCall, Response
from calibrant.types.reply import Chunk, Reply

__all__ = ["OpenStream", "call_model", "open_model"]

T = TypeVar("T")
_One = Callable[[CompiledProvider, ProviderCall, Limit], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class OpenStream:
    """A stream whose first chunks have come."""

    first: list[Chunk]
    decoder: StreamDecoder
    response: Response
    rest: AsyncIterator[bytes]
    call: ProviderCall


async def call_model(engine: Engine, plan: Plan, variant: Variant, call: ModelCall, journal: Journal) -> Reply:
    """Return the model's whole answer.

    Raises:
        ProvidersExhausted: every provider failed, on every retry.
        InferenceTimeout: the model's or the variant's time is over.
    """

    async def one(provider: CompiledProvider, noted: ProviderCall, limit: Limit) -> Reply:
        response = await _send(engine, plan, provider, call, noted, limit)
        body = await response.read()
        if response.status >= 300:
            raise provider.adapter.error(response.status, response.headers, body)
        reply = provider.adapter.decode(response.status, response.headers, body, json_tool=call.json_mode == "tool")
        journal.succeeded(noted, reply, monotonic())
        return reply

    return await _with_retries(engine, variant, call, journal, one)


async def open_model(engine: Engine, plan: Plan, variant: Variant, call: ModelCall, journal: Journal) -> OpenStream:
    """Return the model's stream, with its first chunk at hand.

    Raises:
        ProvidersExhausted: every provider failed, on every retry.
        InferenceTimeout: the model's or the variant's time is over.
    """

    async def one(provider: CompiledProvider, noted: ProviderCall, limit: Limit) -> OpenStream:
        if limit.first is None:
            return await _open(engine, plan, provider, call, noted, limit)
        try:
            async with asyncio.timeout(limit.first - monotonic()):
                return await _open(engine, plan, provider, call, noted, limit)
        except TimeoutError:
            raise InferenceTimeout(f"{limit.first_whose} ran out of time for the first chunk") from None

    return await _with_retries(engine, variant, call, journal, one)


async def _open(
    engine: Engine, plan: Plan, provider: CompiledProvider, call: ModelCall, noted: ProviderCall, limit: Limit
) -> OpenStream:
    response = await _send(engine, plan, provider, call, noted, limit)
    try:
        if response.status >= 300:
            raise provider.adapter.error(response.status, response.headers, await response.read())
        decoder = provider.adapter.decoder(json_tool=call.json_mode == "tool")
        rest = response.chunks()
        async for data in rest:
            first = decoder.feed(data)
            if first:
                noted.first_chunk = monotonic()
                return OpenStream(first, decoder, response, rest, noted)
        first = decoder.close()
        if not first:
            raise Truncated("the stream ended before its first chunk")
        noted.first_chunk = monotonic()
        return OpenStream(first, decoder, response, rest, noted)
    except BaseException:
        response.close()
        raise


async def _send(
    engine: Engine, plan: Plan, provider: CompiledProvider, call: ModelCall, noted: ProviderCall, limit: Limit
) -> Response:
    adapter = provider.adapter
    http = adapter.encode(call)
    noted.raw_request = http.body
    secret = engine.secrets.get(provider.provider.credential, plan.request.credentials)
    return await engine.sender.send(adapter.sign(http, secret), limit.deadline(call.stream))


async def _with_retries(engine: Engine, variant: Variant, call: ModelCall, journal: Journal, one: _One[T]) -> T:
    model = engine.compiler.model(variant.model)
    if model is None:
        raise InvalidRequest(f"the variant {variant.name!r} names the model {variant.model!r}, which does not exist")
    stream = call.stream
    now = monotonic()
    outer = Limit(now + engine.config.gateway.global_outbound_http_timeout_ms / 1e3, "the gateway")
    limit = tighter(outer, variant.timeouts, now, f"the variant {variant.name!r}", stream=stream)
    retry = 0
    while True:
        try:
            return await _with_fallback(engine, model, variant, stream, journal, limit, one)
        except (ProvidersExhausted, InferenceTimeout) as error:
            limit.check(monotonic())
            if retry >= variant.retries.num_retries or not error.retryable:
                raise
            asked = error.retry_after if isinstance(error, _Exhausted) else None
            pause = delay(
                retry,
                max_delay_s=variant.retries.max_delay_s,
                jitter=random.random(),  # noqa: S311 - jitter, not cryptography
                retry_after=asked,
            )
            await asyncio.sleep(min(pause, max(0.0, limit.total - monotonic())))
            limit.check(monotonic())
            journal.backoff_s += pause
            retry += 1


class _Exhausted(ProvidersExhausted):
    """Every provider of the model failed, with what their failures say about trying again."""

    def __init__(self, model_name: str, failures: list[tuple[str, CalibrantError]]) -> None:
        reasons = "; ".join(f"{name}: {error.message}" for name, error in failures)
        super().__init__(f"all providers of the model {model_name!r} failed: {reasons}")
        self.retryable = any(error.retryable for _, error in failures)
        waits = [error.retry_after for _, error in failures if isinstance(error, ProviderError) and error.retry_after]
        self.retry_after = min(waits) if waits else None


async def _with_fallback(
    engine: Engine,
    model: CompiledModel,
    variant: Variant,
    stream: bool,
    journal: Journal,
    outer: Limit,
    one: _One[T],
) -> T:
    name = model.model.name
    limit = tighter(outer, model.model.timeouts, monotonic(), f"the model {name!r}", stream=stream)
    failures: list[tuple[str, CalibrantError]] = []
    for provider in model.providers:
        now = monotonic()
        limit.check(now)
        mine = tighter(
            limit, provider.provider.timeouts, now, f"the provider {provider.provider.name!r}", stream=stream
        )
        noted = ProviderCall(variant.name, name, provider.provider, b"", now)
        try:
            return await one(provider, noted, mine)
        except MissingCredential:
            raise
        except (ProviderError, InferenceTimeout) as error:
            ended = monotonic()
            journal.failed(noted, error, ended)
            engine.metrics.count("provider_errors", (name, provider.provider.name, error.code))
            limit.check(ended)
            failures.append((provider.provider.name, error))
    raise _Exhausted(name, failures)
