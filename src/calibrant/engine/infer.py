"""The straight line: one inference from request to answer. Streams walk the same line in `stream.py`.

resolve, then for each variant (`variants/run.py`): render; encode, sign, send, decode (`attempt.py`); then record and
spool.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from msgspec.structs import replace

from calibrant.base.errors import (
    AllVariantsFailed,
    CalibrantError,
    ClientDisconnected,
    FileUnavailable,
    Inexpressible,
    InternalError,
)
from calibrant.engine.compiled import Servable
from calibrant.engine.engine import Caller, Engine
from calibrant.engine.grants import check_variant
from calibrant.engine.journal import Journal
from calibrant.engine.output import answer, head
from calibrant.engine.presence import LEFT
from calibrant.engine.record import inferred
from calibrant.engine.resolve import Lot, Plan, resolve
from calibrant.engine.variants.run import reply_of
from calibrant.types.answer import Answered
from calibrant.types.request import InferenceRequest
from calibrant.wire.raw import raw_responses

__all__ = ["Make", "begin", "count", "infer", "record", "serve", "wants_raw"]

_LIMITED = 429
"""The limit of a gateway is reached: the caller is to slow down, whatever else has failed."""

T = TypeVar("T")
Make = Callable[[Engine, Plan, Servable, Journal], Awaitable[T]]
"""Has a variant answer: whole, or as a stream that has begun."""


async def infer(
    engine: Engine, request: InferenceRequest, caller: Caller, started: float, lot: Lot | None = None
) -> Answered:
    """Make one inference and return its answer, once its record is as durable as configured.

    Args:
        engine: The engine.
        request: What was asked.
        caller: Where it came from.
        started: Monotonic seconds at which the request had arrived.
        lot: What is settled, where the inference is part of a batch.

    Raises:
        RequestError: the request cannot be served as it stands.
        InferenceError: no variant could serve it; recorded all the same.
        SpoolFull: there is no room to record it.
    """
    plan, journal = begin(engine, request, caller, started, lot)
    answered = await serve(engine, plan, journal, _answered)
    if wants_raw(request):
        answered = replace(answered, calls=tuple(journal.rows))
    if plan.files is not None:
        await plan.files.settle()
    done = record(engine, plan, journal, answered=answered)
    if done is not None:
        await done
    return answered


async def _answered(engine: Engine, plan: Plan, variant: Servable, journal: Journal) -> Answered:
    reply = await reply_of(engine, plan, variant, journal)
    return answer(head(engine, plan, variant.variant.name, verbatim=journal.verbatim), plan, reply, journal)


def begin(
    engine: Engine, request: InferenceRequest, caller: Caller, started: float, lot: Lot | None = None
) -> tuple[Plan, Journal]:
    """Decide what can be decided before a provider is called, and make sure that it can be recorded.

    Raises:
        RequestError: the request cannot be served as it stands.
        SpoolFull: there is no room to record it.
    """
    plan = resolve(engine, request, caller, started, lot)
    if not request.dryrun:
        engine.reserve()
    if plan.files is not None:
        plan.files.begin()
    journal = Journal(plan.inference_id)
    journal.durations["resolve"] = (monotonic() - started) * 1e3
    return plan, journal


async def serve(engine: Engine, plan: Plan, journal: Journal, make: Make[T]) -> T:
    """Return what the first variant that can serve makes of the plan.

    Raises:
        CalibrantError: none can; the inference is recorded as failed.
    """
    faults: list[CalibrantError] = []
    try:
        for variant in plan.draw.order:
            if journal.failures:
                journal.start_over()
            try:
                if plan.caller.grants is not None:
                    check_variant(variant, plan.caller.grants)
                return await make(engine, plan, variant, journal)
            except CalibrantError as error:
                _give_up(plan, variant, journal, error)
                faults.append(error)
        if faults and all(isinstance(error, (Inexpressible, FileUnavailable)) for error in faults):
            # Nobody was asked: the fault is the request's, not the variants'.
            raise faults[-1]
        failed = AllVariantsFailed(
            f"all variants of the function {plan.function.function.name!r} failed: {'; '.join(journal.failures)}"
        )
        if faults and faults[-1].status == _LIMITED:
            failed.status = _LIMITED
        raise failed
    except CalibrantError as error:
        await _failed(engine, plan, journal, error)
        raise
    except Exception as error:
        await _failed(engine, plan, journal, InternalError(f"a fault of the gateway: {type(error).__name__}"))
        raise


def _give_up(plan: Plan, variant: Servable, journal: Journal, error: CalibrantError) -> None:
    """Note why a variant was given up; its error goes on where no other may follow, or nobody waits for one."""
    journal.failures.append(f"{variant.variant.name}: {error.message}")
    presence = plan.caller.presence
    if presence is not None and presence.gone:
        raise ClientDisconnected(LEFT) from error
    if plan.draw.pinned:
        raise error


def wants_raw(request: InferenceRequest) -> bool:
    """Return whether the caller asked for what is raw of the providers' answers."""
    return request.include_raw_usage or request.include_raw_response or request.include_original_response


async def _failed(engine: Engine, plan: Plan, journal: Journal, error: CalibrantError) -> None:
    if plan.request.include_raw_response:
        error.provider_answers = tuple(raw_responses(journal.rows))
    if plan.files is not None:
        await plan.files.settle()
    done = record(engine, plan, journal, error=error)
    if done is not None:
        await done


def record(
    engine: Engine,
    plan: Plan,
    journal: Journal,
    *,
    answered: Answered | None = None,
    error: CalibrantError | None = None,
    first_chunk: float | None = None,
) -> Future[None] | None:
    """Count what happened and hand its record to the spool.

    Returns:
        A future that is done once the record is as durable as configured; null where nothing is recorded.
    """
    now = monotonic()
    journal.durations["upstream"] = journal.upstream_s * 1e3
    count(engine, plan, journal, now, error)
    if engine.spool is None or plan.request.dryrun:
        return None
    made = inferred(engine, plan, journal, now, answered=answered, error=error, first_chunk=first_chunk)
    if plan.request.dialect == "openai_responses":
        # The next turn of a conversation often comes before the recorder has stored this one.
        engine.recent.keep(made.inference)
    return engine.spool.append(made)


def count(engine: Engine, plan: Plan, journal: Journal, now: float, error: CalibrantError | None) -> None:
    """Add an inference that is over to the metrics."""
    model_name = journal.rows[-1].model_name if journal.rows else ""
    status = "ok" if error is None else error.code
    engine.metrics.count_inference(
        (plan.caller.endpoint, plan.function.function.name, model_name, journal.variant_name, status),
        journal.counted(),
        max(0.0, now - plan.started - journal.upstream_s - journal.backoff_s),
    )
