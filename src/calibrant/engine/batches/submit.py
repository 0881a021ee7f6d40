"""A batch is accepted: every element is checked as a single inference would be, then all are stored, or none."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial
from time import monotonic

from msgspec import Struct
from msgspec.structs import replace

from calibrant.base.errors import CalibrantError, Forbidden, InvalidRequest, MissingCredential
from calibrant.base.ids import uuid7
from calibrant.engine.batches.native import hand_over, native_of
from calibrant.engine.compiled import CompiledModel, CompiledProvider, CompiledVariant
from calibrant.engine.engine import Caller, Engine
from calibrant.engine.grants import check_variant
from calibrant.engine.resolve import Lot, Plan, resolve
from calibrant.store.catalogue import Catalogue
from calibrant.types.batch import Batch, BatchElement, BatchRequest
from calibrant.types.request import InferenceRequest
from calibrant.wire import native as dialect

__all__ = ["submit"]

_AT_ONCE = 20
"""So many elements are checked before other requests get their turn."""


class _Chosen(Struct, frozen=True):
    """Who makes all of the batch."""

    variant: CompiledVariant
    probability: float | None


async def submit(
    engine: Engine, catalogue: Catalogue, asked: BatchRequest, caller: Caller
) -> tuple[Batch, tuple[BatchElement, ...]]:
    """Accept a batch and return it with its elements.

    Raises:
        RequestError: an element could not be served as it stands, or the batch as a whole; nothing is accepted.
        ProvidersExhausted: the provider whose batch it would be does not take it.
        StoreUnavailable: it cannot be stored now.
        SpoolFull: there is no room to record it.
    """
    engine.reserve()
    # First, or the answer to an unknown function would speak of an element.
    engine.compiler.function(asked.function_name)
    batch_id = uuid7()
    chosen = _choose(engine, asked, batch_id, caller)
    name = chosen.variant.variant.model
    model = engine.compiler.model(name)
    if model is None:
        raise InvalidRequest(
            f"the variant {chosen.variant.variant.name!r} names the model {name!r}, which is not there"
        )
    native = native_of(engine, chosen.variant, model)
    _check_credentials(engine, _callable(engine, model) if native is None else (native,))
    plans: list[Plan] = []
    elements: list[BatchElement] = []
    for position, (body, episode_id) in enumerate(zip(asked.bodies, asked.episode_ids, strict=True)):
        lot = Lot(uuid7(), batch_id, chosen.variant.variant.name, chosen.probability)
        plan = _planned(engine, body, caller, lot, position)
        if native is not None:
            plans.append(plan)
        elements.append(BatchElement(lot.inference_id, batch_id, position, episode_id, body=body))
        if position % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
    now = engine.clock.wall_ms()
    batch = Batch(
        id=batch_id,
        key_id=caller.key_id,
        status="pending",
        kind="gateway" if native is None else "native",
        function_name=asked.function_name,
        variant_name=chosen.variant.variant.name,
        probability=chosen.probability,
        model_name=name,
        provider_name="" if native is None else native.provider.name,
        total=len(elements),
        created_at=now,
        updated_at=now,
    )
    kept = tuple(elements)
    await asyncio.to_thread(partial(_add, catalogue, batch, kept))
    if native is not None:
        try:
            theirs = await hand_over(engine, chosen.variant, native, plans)
        except CalibrantError as error:
            await asyncio.to_thread(partial(_refused, catalogue, batch_id, error, now))
            raise
        await asyncio.to_thread(partial(_taken, catalogue, batch_id, theirs, engine.clock.wall_ms()))
    engine.metrics.count("batches", ("accepted",))
    return batch, kept


def _add(catalogue: Catalogue, batch: Batch, elements: tuple[BatchElement, ...]) -> None:
    with catalogue.transaction() as tx:
        tx.add_batch(batch, elements)


def _taken(catalogue: Catalogue, batch_id: str, provider_batch_id: str, now_ms: int) -> None:
    with catalogue.transaction() as tx:
        tx.submitted(batch_id, provider_batch_id, now_ms)


def _refused(catalogue: Catalogue, batch_id: str, error: CalibrantError, now_ms: int) -> None:
    message = error.message.encode("utf-8", "replace").decode()
    with catalogue.transaction() as tx:
        tx.end_batch(batch_id, "failed", message, now_ms)
        tx.fail_open_elements(batch_id, error.code, message, now_ms)


def _choose(engine: Engine, asked: BatchRequest, batch_id: str, caller: Caller) -> _Chosen:
    """Return the one variant that makes every element.

    It is drawn for the batch, as it would be for an episode. Where something else than a `chat_completion` is drawn,
    the next of the draw's order that is one takes its place, and there is no chance that could be told.

    Raises:
        InvalidRequest: there is none that can make batches.
        Forbidden: the caller's API key may use the models of none.
    """
    first = _decoded(engine, asked.bodies[0], 0)
    with _about(0):
        # A whole batch belongs to no segment: its elements may have any tags.
        draw = resolve(engine, replace(first, episode_id=batch_id, tags={}), caller, monotonic()).draw
    barred: Forbidden | None = None
    for servable in draw.order:
        if not isinstance(servable, CompiledVariant):
            continue
        try:
            if caller.grants is not None:
                check_variant(servable, caller.grants)
        except Forbidden as error:
            barred = error
            continue
        drawn = servable.variant.name == draw.assigned
        return _Chosen(servable, draw.probability if drawn else None)
    if barred is not None:
        raise barred
    raise InvalidRequest(
        f"variant_name: a batch is made by a variant of the type 'chat_completion'; {draw.assigned!r} of the function "
        f"{asked.function_name!r} is none, and nothing else may take its place"
    )


def _planned(engine: Engine, body: bytes, caller: Caller, lot: Lot, position: int) -> Plan:
    request = _decoded(engine, body, position)
    with _about(position):
        return resolve(engine, request, caller, monotonic(), lot)


def _decoded(engine: Engine, body: bytes, position: int) -> InferenceRequest:
    with _about(position):
        return dialect.decode(body, now_ms=engine.clock.wall_ms())


@contextmanager
def _about(position: int) -> Generator[None]:
    """Say of an error which element it is about."""
    try:
        yield
    except CalibrantError as error:
        error.message = f"element {position}: {error.message}"
        error.args = (error.message,)
        raise


def _callable(engine: Engine, model: CompiledModel[CompiledProvider]) -> tuple[CompiledProvider, ...]:
    """Return the providers of a model, and of those that take over from it."""
    models = (model, *(engine.compiler.model(name) for name in model.fallbacks))
    return tuple(provider for each in models if each is not None for provider in each.providers)


def _check_credentials(engine: Engine, providers: Sequence[CompiledProvider]) -> None:
    """Refuse a batch whose every provider wants credentials that come with a request.

    Raises:
        MissingCredential: it is one.
    """
    missing: MissingCredential | None = None
    for provider in providers:
        try:
            provider.speaking({})
            engine.secrets.get(provider.provider.credential, {})
        except MissingCredential as error:
            missing = error
        else:
            return
    if missing is not None:
        raise missing
