"""Batches that a provider makes itself: handed over as a whole, asked after, and recorded call by call once it is over.

They cost half at most vendors. A variant's retries and its other providers have no part in them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TypeVar

from msgspec.structs import replace

from calibrant.base.errors import (
    CalibrantError,
    InvalidRequest,
    ProviderError,
    ProvidersExhausted,
    SpoolFull,
    StoreUnavailable,
)
from calibrant.base.ids import uuid7
from calibrant.engine.batches.done import ENDPOINT, already_recorded, failed
from calibrant.engine.compiled import CompiledModel, CompiledProvider, CompiledVariant
from calibrant.engine.engine import Caller, Engine
from calibrant.engine.infer import begin, count
from calibrant.engine.journal import Journal, ProviderCall
from calibrant.engine.limits import Limit, outermost
from calibrant.engine.output import answer, head
from calibrant.engine.ownership import owned
from calibrant.engine.prepare import encoded
from calibrant.engine.record import inferred
from calibrant.engine.resolve import Lot, Plan
from calibrant.engine.variants.chat_completion import model_call
from calibrant.providers.base import Batcher, Steps
from calibrant.providers.catalog import batcher
from calibrant.store.catalogue import Catalogue
from calibrant.types.answer import Answered
from calibrant.types.batch import Batch, BatchElement, Finished
from calibrant.types.call import BatchCall, BatchEnd, BatchLine, Exchange, ModelCall
from calibrant.wire import native as dialect

__all__ = ["check", "hand_over", "native_of", "stop"]

_AT_ONCE = 20
"""So many elements are prepared, or recorded, before other requests get their turn."""
_PAUSE_MS = 5_000
"""A provider is not asked more often how a batch goes."""
_LOST_MS = 600_000
"""So long after the provider's time is over, a batch is given up that was never said to be handed over: its worker died
in the middle.
"""

T = TypeVar("T")


def native_of(
    engine: Engine, variant: CompiledVariant, model: CompiledModel[CompiledProvider]
) -> CompiledProvider | None:
    """Return the provider that makes batches of this variant itself; null where the gateway has to.

    It is the first of the model's providers. One at an address of its own may lack the interface, so there it is only
    used where the configuration says `always`; headers and settings of single calls have no place in a batch.
    """
    wanted = engine.config.gateway.batch.native
    first = model.providers[0] if model.providers else None
    if wanted == "never" or first is None or first.dynamic or batcher(first.provider) is None:
        return None
    if variant.variant.extra_headers or first.provider.extra_headers:
        return None
    return first if wanted == "always" or first.provider.api_base is None else None


async def hand_over(engine: Engine, variant: CompiledVariant, provider: CompiledProvider, plans: Sequence[Plan]) -> str:
    """Give a batch to its provider and return the provider's id of it.

    Raises:
        InvalidRequest: an element cannot be told the provider.
        ProvidersExhausted: the provider does not take it.
    """
    calls: list[BatchCall] = []
    limit = outermost(engine.config.gateway, monotonic())
    for position, plan in enumerate(plans):
        try:
            step, call = _prepared(plan, variant, provider, Journal(plan.inference_id), limit)
            await _encode(plan, variant, call, step)
        except CalibrantError as error:
            raise InvalidRequest(f"element {position}: {error.message}") from None
        calls.append(BatchCall(plan.inference_id, step.raw_request))
        if position % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
    return await _converse(engine, provider, _batcher(provider).submit(calls))


async def check(engine: Engine, catalogue: Catalogue, batch: Batch) -> Batch:
    """Ask the provider how a batch goes, and record what came of it; return the batch as it is now.

    One asks at a time, and not more often than every few seconds.

    Raises:
        ProvidersExhausted: the provider cannot be asked now.
        SpoolFull: there is no room to record what came.
        StoreUnavailable: the catalogue or the record cannot be asked now.
    """
    now = engine.clock.wall_ms()
    if batch.kind != "native" or batch.status not in ("pending", "running") or now - batch.checked_at < _PAUSE_MS:
        return batch
    if batch.provider_batch_id is None:
        lost = now - batch.created_at > engine.config.gateway.global_outbound_http_timeout_ms + _LOST_MS
        return await asyncio.to_thread(partial(_give_up, catalogue, batch, now)) if lost else batch
    provider = _provider(engine, batch)
    worker = uuid7()
    if provider is None or not await asyncio.to_thread(partial(_lease, engine, catalogue, batch, worker)):
        return batch
    keeper = asyncio.get_running_loop().create_task(_keep(engine, catalogue, batch, worker))
    try:
        end = await _converse(engine, provider, _batcher(provider).poll(batch.provider_batch_id))
        if end is not None:
            await _record_all(engine, catalogue, batch, provider, end)
    finally:
        keeper.cancel()
        await asyncio.wait((keeper,))
        found = await asyncio.to_thread(partial(_released, catalogue, batch, worker))
    if found.status in ("completed", "failed", "cancelled"):
        engine.metrics.count("batches", (found.status,))
    return found


async def stop(engine: Engine, batch: Batch) -> None:
    """Have the provider end a batch early.

    Raises:
        ProvidersExhausted: the provider cannot be told now.
    """
    provider = _provider(engine, batch)
    if batch.provider_batch_id is not None and provider is not None:
        await _converse(engine, provider, _batcher(provider).cancel(batch.provider_batch_id))


def _prepared(
    plan: Plan, variant: CompiledVariant, provider: CompiledProvider, journal: Journal, limit: Limit
) -> tuple[ProviderCall[CompiledProvider], ModelCall]:
    call = model_call(plan, variant, journal)
    step = ProviderCall(variant.variant.name, variant.variant.model, provider, limit, monotonic(), batched=True)
    return step, call


async def _encode(plan: Plan, variant: CompiledVariant, call: ModelCall, step: ProviderCall[CompiledProvider]) -> None:
    """Put what the provider is sent into the step."""
    ready = call if plan.files is None else await plan.files.ready(call, step.provider.provider, step.limit)
    encoded(plan, variant.variant, ready, step)


def _batcher(provider: CompiledProvider) -> Batcher:
    found = batcher(provider.provider)
    if found is None:
        raise ProvidersExhausted(f"the provider {provider.provider.name!r} has no batches of its own (any more)")
    return found


def _provider(engine: Engine, batch: Batch) -> CompiledProvider | None:
    """Return the provider that has a batch; null while the configuration does not name it."""
    model = engine.compiler.model(batch.model_name)
    providers = () if model is None else model.providers
    return next((each for each in providers if each.provider.name == batch.provider_name), None)


async def _converse(engine: Engine, provider: CompiledProvider, steps: Steps[T]) -> T:
    """Make the HTTP calls that a codec asks for, one after the other, and return what it made of their answers."""
    limit = outermost(engine.config.gateway, monotonic())
    name = provider.provider.name
    secret = engine.secrets.get(provider.provider.credential, {})
    try:
        http = next(steps)
        while True:
            signed = provider.adapter.sign(http, secret, engine.clock.wall_ms() / 1e3)
            response = await engine.sender.send(signed, limit.deadline(stream=False))
            http = steps.send(Exchange(response.status, response.headers, await response.read()))
    except StopIteration as ended:
        return ended.value
    except ProviderError as error:
        message = error.message
        if secret is not None:
            message = secret.strike(message.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
        raise ProvidersExhausted(f"the batch interface of the provider {name!r} failed: {message}") from None


async def _record_all(
    engine: Engine, catalogue: Catalogue, batch: Batch, provider: CompiledProvider, end: BatchEnd
) -> None:
    lines = {line.id: line for line in end.lines}
    while elements := await asyncio.to_thread(partial(_claim, catalogue, batch)):
        cancelled = False
        for element in elements:
            line = lines.get(element.inference_id) or BatchLine(element.inference_id, None, end.problem)
            if line.answer is None and end.cancelled:
                cancelled = True
                continue
            try:
                done = await _outcome(engine, batch, provider, element, line)
            except (SpoolFull, StoreUnavailable):
                raise
            except CalibrantError as error:
                # The configuration of now does not know what it was accepted by.
                done = failed(element, error)
            await asyncio.to_thread(partial(_finish, engine, catalogue, done))
        if cancelled:
            await asyncio.to_thread(partial(_cancel, engine, catalogue, batch, elements))
    if end.cancelled:
        await asyncio.to_thread(partial(_cancel, engine, catalogue, batch, ()))
    elif not end.lines:
        await asyncio.to_thread(partial(_end, catalogue, batch, end.problem, engine.clock.wall_ms()))


async def _outcome(
    engine: Engine, batch: Batch, provider: CompiledProvider, element: BatchElement, line: BatchLine
) -> Finished:
    """Record what came of one element, as if it had been made on its own."""
    if element.status == "orphaned" and (known := await already_recorded(engine, element)) is not None:
        return known
    # What the key may use was asked when the batch was accepted; what has been paid for is recorded.
    caller = Caller(ENDPOINT, key_id=batch.key_id)
    lot = Lot(element.inference_id, batch.id, batch.variant_name, batch.probability)
    started = monotonic()
    request = dialect.decode(element.body or b"", now_ms=engine.clock.wall_ms())
    plan, journal = begin(engine, request, caller, started, lot)
    variant = next(plan.draw.order)
    if not isinstance(variant, CompiledVariant):
        return failed(element, InvalidRequest(f"the variant {batch.variant_name!r} makes no batches any more"))
    step, call = _prepared(plan, variant, provider, journal, outermost(engine.config.gateway, started))
    # What was sent is worked out again for the record; an answer that has come is not given up for want of that.
    with suppress(CalibrantError):
        await _encode(plan, variant, call, step)
    try:
        said = line.answer
        if said is None:
            raise ProviderError(line.problem)
        reply = provider.adapter.decode(said.status, said.headers, said.body, json_tool=call.json_mode == "tool")
    except ProviderError as error:
        journal.failed(step, error, started)
        wrapped = ProvidersExhausted(f"the provider {provider.provider.name!r} failed: {error.message}")
        await _spool(engine, plan, journal, error=wrapped)
        return failed(element, wrapped)
    journal.succeeded(step, reply, started)
    answered = answer(head(engine, plan, variant.variant.name), plan, owned(reply, step), journal)
    await _spool(engine, plan, journal, answered=answered)
    return Finished(element.inference_id, "completed", dialect.encode(answered))


async def _spool(
    engine: Engine,
    plan: Plan,
    journal: Journal,
    *,
    answered: Answered | None = None,
    error: CalibrantError | None = None,
) -> None:
    if plan.files is not None:
        await plan.files.settle()
    now = monotonic()
    count(engine, plan, journal, now, error)
    if engine.spool is None:
        return
    made = inferred(engine, plan, journal, now, answered=answered, error=error)
    # Nobody knows how long the provider took for each of them.
    row = replace(made.inference, processing_ms=None)
    calls = tuple(replace(each, response_ms=None) for each in made.model_inferences)
    await engine.spool.append(replace(made, inference=row, model_inferences=calls))


def _lease(engine: Engine, catalogue: Catalogue, batch: Batch, worker: str) -> bool:
    now_ms = engine.clock.wall_ms()
    lease_ms = round(engine.config.gateway.batch.lease_s * 1e3)
    with catalogue.transaction() as tx:
        leased = tx.lease_batch(batch.id, worker, now_ms=now_ms, until_ms=now_ms + lease_ms)
        if leased:
            tx.checked(batch.id, now_ms)
        return leased


async def _keep(engine: Engine, catalogue: Catalogue, batch: Batch, worker: str) -> None:
    """Renew the lease for as long as the provider and the record take."""
    while True:
        await asyncio.sleep(engine.config.gateway.batch.lease_s / 3)
        with suppress(StoreUnavailable):
            await asyncio.to_thread(partial(_lease, engine, catalogue, batch, worker))


def _released(catalogue: Catalogue, batch: Batch, worker: str) -> Batch:
    with catalogue.transaction() as tx:
        tx.release_batches(worker)
        return tx.batch(batch.id) or batch


def _claim(catalogue: Catalogue, batch: Batch) -> tuple[BatchElement, ...]:
    with catalogue.transaction() as tx:
        return tx.claim_elements(batch.id, _AT_ONCE)


def _finish(engine: Engine, catalogue: Catalogue, done: Finished) -> None:
    with catalogue.transaction() as tx:
        tx.finish_element(done, engine.clock.wall_ms())


def _cancel(engine: Engine, catalogue: Catalogue, batch: Batch, elements: Sequence[BatchElement]) -> None:
    """Cancel what the provider was kept from making."""
    with catalogue.transaction() as tx:
        for element in elements:
            tx.put_back(element.inference_id, orphaned=False)
        if tx.open_elements(batch.id):
            tx.cancel_batch(batch.id, engine.clock.wall_ms())


def _end(catalogue: Catalogue, batch: Batch, problem: str, now_ms: int) -> None:
    with catalogue.transaction() as tx:
        tx.end_batch(batch.id, "failed", problem.encode("utf-8", "replace").decode(), now_ms)


def _give_up(catalogue: Catalogue, batch: Batch, now_ms: int) -> Batch:
    why = "the gateway was stopped while it handed the batch over; whether the provider has it is not known"
    with catalogue.transaction() as tx:
        tx.end_batch(batch.id, "failed", why, now_ms)
        return tx.fail_open_elements(batch.id, "not_handed_over", why, now_ms) or batch
