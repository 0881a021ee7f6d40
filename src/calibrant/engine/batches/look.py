"""What is told of batches, and cancelling them. Nobody learns of a batch that is not theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from calibrant.base.errors import NotFound
from calibrant.engine.batches.native import stop
from calibrant.engine.engine import Engine
from calibrant.store.batches import BatchReading
from calibrant.store.catalogue import Catalogue
from calibrant.types.batch import Batch, BatchElement, BatchOwner
from calibrant.wire.batch import encode_recorded

__all__ = ["all_elements", "cancel", "find_batch", "find_element", "list_batches", "with_answers"]

_PAGE = 1000
_GONE = (
    "what was answered is no longer kept: it is in the record no more, or never was (record.payloads); fetch answers "
    "within gateway.batch.keep_answers_s"
)


def find_batch(view: BatchReading, batch_id: str, owner: BatchOwner) -> Batch:
    """Return a batch.

    Raises:
        NotFound: there is none, or it is another's.
    """
    batch = view.batch(batch_id)
    if batch is None or not (owner.everyone or batch.key_id == owner.key_id):
        raise NotFound(f"there is no batch {batch_id[:80]!r}; GET /batch_inference lists yours")
    return batch


def all_elements(catalogue: Catalogue, batch: Batch) -> tuple[BatchElement, ...]:
    """Return the elements of a batch that has ended; none while it goes on."""
    if batch.status in ("pending", "running"):
        return ()
    found: list[BatchElement] = []
    with catalogue.reading() as view:
        while page := view.batch_elements(batch.id, after=found[-1].position if found else -1, limit=_PAGE):
            found += page
    return tuple(found)


def find_element(catalogue: Catalogue, batch: Batch, inference_id: str) -> tuple[Batch, tuple[BatchElement, ...]]:
    """Return one element of a batch, and the batch with that element's status: it may be finished before the rest.

    Raises:
        NotFound: there is none.
    """
    with catalogue.reading() as view:
        element = view.batch_element(batch.id, inference_id)
    if element is None:
        raise NotFound(f"the batch {batch.id!r} has no inference {inference_id[:80]!r}")
    status = element.status
    return replace(batch, status="running" if status == "orphaned" else status), (element,)


async def with_answers(engine: Engine, elements: Sequence[BatchElement]) -> list[BatchElement]:
    """Return the elements with what the record has of answers that are kept nowhere else.

    Raises:
        StoreUnavailable: the record cannot be asked now.
    """
    return [await _answered(engine, element) for element in elements]


async def _answered(engine: Engine, element: BatchElement) -> BatchElement:
    if element.status != "completed" or element.answer is not None:
        return element
    row = None if engine.targets is None else await engine.targets.inference(element.inference_id)
    answer = None if row is None else encode_recorded(row)
    if answer is None:
        return replace(element, status="failed", error_code="answer_not_kept", error_message=_GONE)
    return replace(element, answer=answer)


def list_batches(
    catalogue: Catalogue, owner: BatchOwner, before: str | None, limit: int
) -> tuple[Sequence[Batch], str | None]:
    """Return a page of batches, and what the next one begins before."""
    if not catalogue.exists():
        return (), None
    with catalogue.reading() as view:
        found = view.list_batches(owner, before=before, limit=limit + 1)
    return found[:limit], found[limit - 1].id if len(found) > limit else None


async def cancel(engine: Engine, catalogue: Catalogue, batch_id: str, owner: BatchOwner) -> Batch:
    """Cancel a batch, unless it has ended, and return it as it is now.

    One that a provider makes goes on until the provider has stopped it: what it made until then is paid for.

    Raises:
        NotFound: there is none, or it is another's.
        ProvidersExhausted: its provider cannot be told now.
        StoreUnavailable: the catalogue cannot be written now.
    """
    batch, ended = await asyncio.to_thread(partial(_cancelled, catalogue, batch_id, owner, engine.clock.wall_ms()))
    if ended:
        engine.metrics.count("batches", ("cancelled",))
    elif batch.status in ("pending", "running"):
        await stop(engine, batch)
    return batch


def _cancelled(catalogue: Catalogue, batch_id: str, owner: BatchOwner, now_ms: int) -> tuple[Batch, bool]:
    with catalogue.transaction() as tx:
        batch = find_batch(tx, batch_id, owner)
        if batch.kind == "native" or batch.status not in ("pending", "running"):
            return batch, False
        tx.cancel_batch(batch_id, now_ms)
        return find_batch(tx, batch_id, owner), True
