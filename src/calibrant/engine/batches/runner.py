"""Makes the elements of the gateway's own batches, beside the requests of this worker.

A batch is leased to one worker at a time; one that says nothing for a while has lost it, and what it ran is orphaned.
An element is marked as finished after its record was spooled, so whoever takes an orphaned one over asks the record
first, and makes it only where nothing is found: what is stored is stored once, by the id that was promised.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TypeVar

from msgspec import Struct

from calibrant.base.errors import CalibrantError, Forbidden, InternalError, SpoolFull, StoreUnavailable
from calibrant.engine.batches.done import ENDPOINT, already_recorded, failed
from calibrant.engine.batches.native import check
from calibrant.engine.engine import Caller, Engine
from calibrant.engine.infer import infer
from calibrant.engine.resolve import Lot
from calibrant.store.catalogue import Catalogue, Tx
from calibrant.types.batch import Batch, BatchElement, Finished
from calibrant.types.key import Grants
from calibrant.wire import native

__all__ = ["BatchRunner"]

T = TypeVar("T")

_log = logging.getLogger(__name__)
_IDLE_S = 1.0
_MOST_BATCHES = 8
"""Batches of which a worker makes elements in turn, so that a long one does not hold up the others."""
_SWEEP_S = 300.0
_ASK_S = 60.0
"""How often providers are asked how their own batches go, where nobody asks us."""


class _Job(Struct, frozen=True):
    """An element that this worker has claimed."""

    batch: Batch
    element: BatchElement
    grants: Grants | None
    barred: str | None
    """Why it may not be made (any more)."""


class BatchRunner:
    """One worker's part in batches. Call `start`, and `close` in the end."""

    def __init__(self, engine: Engine, catalogue: Catalogue, worker: str, *, idle_s: float = _IDLE_S) -> None:
        """Start nothing yet.

        Args:
            engine: Makes inferences.
            catalogue: Where batches are.
            worker: Tells this worker from all others, past ones too.
            idle_s: How often to look for work.
        """
        self._engine = engine
        self._catalogue = catalogue
        self._worker = worker
        self._settings = engine.config.gateway.batch
        # A lease is renewed between two looks, too.
        self._idle_s = min(idle_s, self._settings.lease_s / 4)
        self._wake = asyncio.Event()
        # One thread: what it does to the catalogue comes one after the other, and waits for nobody else's.
        self._thread = ThreadPoolExecutor(1, "batches")
        self._jobs: dict[asyncio.Task[None], _Job] = {}
        self._loop: asyncio.Task[None] | None = None
        self._leased: tuple[Batch, ...] = ()
        self._asking: asyncio.Task[None] | None = None
        self._renewed = self._swept = self._asked = float("-inf")
        self._turn = 0
        self._troubled = self._said = False

    def start(self) -> None:
        """Work from now on, until `close`."""
        self._loop = asyncio.get_running_loop().create_task(self._work())

    def wake(self) -> None:
        """Look for work now."""
        self._wake.set()

    async def close(self, patience_s: float) -> None:
        """Begin nothing more, wait for what runs, and leave the rest to others."""
        for task in (self._loop, self._asking):
            if task is not None:
                task.cancel()
                await asyncio.wait((task,))
        if self._jobs:
            await asyncio.wait(tuple(self._jobs), timeout=patience_s)
        for task in tuple(self._jobs):
            task.cancel()
        if self._jobs:
            await asyncio.wait(tuple(self._jobs))
        if self._catalogue.exists():
            try:
                await self._do(self._release)
            except StoreUnavailable as error:
                # The leases end by themselves.
                _log.warning("batches were not released: %s", error.message)
        self._thread.shutdown(wait=True)

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _work(self) -> None:
        while True:
            if self._troubled:
                await asyncio.sleep(self._idle_s)
            self._troubled = False
            self._wake.clear()
            try:
                await self._step()
                self._said = False
            except CalibrantError as error:
                if not self._said:
                    _log.warning("batches cannot be worked on now: %s", error.message)
                self._troubled = self._said = True
                continue
            except Exception:  # noqa: BLE001 - a named edge: a fault in one round must not end all batches
                _log.exception("a fault of the gateway while working on batches")
                self._engine.metrics.count("internal_errors", ("batches",))
                self._troubled = True
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._idle_s):
                    await self._wake.wait()

    async def _step(self) -> None:
        """Take on as much as there is room for."""
        if not self._catalogue.exists():
            return
        now = monotonic()
        if now - self._swept >= _SWEEP_S:
            self._swept = now
            await self._do(self._sweep)
        if now - self._asked >= _ASK_S and (self._asking is None or self._asking.done()):
            self._asked = now
            self._asking = asyncio.get_running_loop().create_task(self._ask())
        free = self._settings.concurrency - len(self._jobs)
        due = now - self._renewed >= self._settings.lease_s / 3
        if not due and free <= 0:
            return
        if not (self._leased or self._jobs) and not await self._do(self._waits):
            return
        self._turn += 1
        self._leased, jobs = await self._do(partial(self._claim, free))
        self._renewed = now
        for job in jobs:
            task = asyncio.get_running_loop().create_task(self._make(job))
            self._jobs[task] = job
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._jobs.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("an element of a batch is left to whoever comes next", exc_info=error)
            self._troubled = True
        self._wake.set()

    def _waits(self) -> bool:
        with self._catalogue.reading() as view:
            return view.batch_waits("gateway", self._worker, self._engine.clock.wall_ms())

    def _claim(self, free: int) -> tuple[tuple[Batch, ...], list[_Job]]:
        """Renew the leases, take on what nobody has, and claim so many elements, of each batch in turn."""
        now = self._engine.clock.wall_ms()
        until = now + round(self._settings.lease_s * 1e3)
        jobs: list[_Job] = []
        with self._catalogue.transaction() as tx:
            leased = tx.lease_batches(self._worker, "gateway", now_ms=now, until_ms=until, most=_MOST_BATCHES)
            order = [leased[(self._turn + at) % len(leased)] for at in range(len(leased))]
            for left, batch in zip(range(len(order), 0, -1), order, strict=True):
                share = -(-(free - len(jobs)) // left)
                if share > 0:
                    grants, barred = _grants_of(tx, batch)
                    elements = tx.claim_elements(batch.id, share)
                    jobs += [_Job(batch, element, grants, barred) for element in elements]
        return leased, jobs

    def _release(self) -> None:
        with self._catalogue.transaction() as tx:
            tx.release_batches(self._worker)

    async def _ask(self) -> None:
        """See how batches go that providers make; one that cannot be asked does not keep us from the next."""
        try:
            for batch in await self._do(self._open_native):
                try:
                    await check(self._engine, self._catalogue, batch)
                except CalibrantError as error:
                    _log.warning("batch %s: %s", batch.id, error.message)
        except CalibrantError as error:
            _log.warning("batches of providers cannot be looked at now: %s", error.message)
        except Exception:  # noqa: BLE001 - a named edge: nobody waits for this task
            _log.exception("a fault of the gateway while asking for a batch")
            self._engine.metrics.count("internal_errors", ("batches",))

    def _open_native(self) -> tuple[Batch, ...]:
        with self._catalogue.reading() as view:
            return view.open_batches("native")

    def _sweep(self) -> None:
        before = self._engine.clock.wall_ms() - self._settings.keep_answers_s * 1000
        with self._catalogue.transaction() as tx:
            tx.forget_answers(before)

    async def _make(self, job: _Job) -> None:
        """Make one element and note what became of it."""
        try:
            done = await self._outcome(job)
        except (SpoolFull, StoreUnavailable, asyncio.CancelledError) as error:
            # Of one that was broken off nobody knows how far it came.
            orphaned = job.element.status == "orphaned" or isinstance(error, asyncio.CancelledError)
            self._troubled = True
            await self._do(partial(self._put_back, job, orphaned=orphaned))
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        batch = await self._do(partial(self._finish, done))
        if batch is not None and batch.status in ("completed", "failed"):
            self._engine.metrics.count("batches", (batch.status,))

    async def _outcome(self, job: _Job) -> Finished:
        element, batch = job.element, job.batch
        if job.barred is not None:
            return failed(element, Forbidden(job.barred, reason="key"))
        if element.status == "orphaned" and (known := await already_recorded(self._engine, element)) is not None:
            return known
        caller = Caller(ENDPOINT, key_id=batch.key_id, grants=job.grants)
        lot = Lot(element.inference_id, batch.id, batch.variant_name, batch.probability)
        try:
            request = native.decode(element.body or b"", now_ms=self._engine.clock.wall_ms())
            answered = await infer(self._engine, request, caller, monotonic(), lot)
        except (SpoolFull, StoreUnavailable):
            raise
        except CalibrantError as error:
            return failed(element, error)
        except Exception as error:  # noqa: BLE001 - a named edge: one element's fault must not end the others
            _log.exception("a fault of the gateway in a batch")
            self._engine.metrics.count("internal_errors", ("batches",))
            return failed(element, InternalError(f"a fault of the gateway: {type(error).__name__}"))
        return Finished(element.inference_id, "completed", native.encode(answered))

    def _finish(self, done: Finished) -> Batch | None:
        with self._catalogue.transaction() as tx:
            return tx.finish_element(done, self._engine.clock.wall_ms())

    def _put_back(self, job: _Job, *, orphaned: bool) -> None:
        with self._catalogue.transaction() as tx:
            tx.put_back(job.element.inference_id, orphaned=orphaned)


def _grants_of(tx: Tx, batch: Batch) -> tuple[Grants | None, str | None]:
    """Return what the key of a batch may use now, and why it may use nothing."""
    if batch.key_id is None:
        return None, None
    stored = tx.key(batch.key_id)
    if stored is None or stored.key.disabled_at is not None:
        return None, f"the API key {batch.key_id!r} of this batch was disabled"
    return stored.key.principal().grants, None
