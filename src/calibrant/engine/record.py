"""From what happened to the rows that are kept. Pure but for the redaction hook, which is the user's."""

from __future__ import annotations

import logging

import msgspec

from calibrant.base.errors import CalibrantError
from calibrant.config.schema import PayloadPolicy
from calibrant.engine.engine import Engine
from calibrant.engine.journal import Journal
from calibrant.engine.resolve import Plan
from calibrant.types.answer import Answered
from calibrant.types.request import NO_PARAMS
from calibrant.types.rows import Begun, InferenceRow, Inferred, ModelInferenceRow, RowStatus

__all__ = ["begun", "inferred", "output_json", "redacted"]

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_PAYLOADS = ("input", "output", "inference_params", "tool_params", "output_schema")
"""The payloads of an `InferenceRow`, in its order."""
_Payloads = tuple[bytes | None, bytes | None, bytes | None, bytes | None, bytes | None]
_NO_PAYLOADS: _Payloads = (None, None, None, None, None)


def begun(engine: Engine, plan: Plan, journal: Journal, now: float) -> Begun:
    """Return the record of a stream that is about to send its first byte."""
    return Begun(_inference(engine, plan, journal, now, status="running"))


def inferred(
    engine: Engine,
    plan: Plan,
    journal: Journal,
    now: float,
    *,
    answered: Answered | None = None,
    error: CalibrantError | None = None,
    first_chunk: float | None = None,
) -> Inferred:
    """Return the record of an inference that is over.

    Args:
        engine: The engine.
        plan: What was decided.
        journal: What happened.
        now: Monotonic seconds at which it was over.
        answered: The answer; for a stream that broke, what had come of it.
        error: Why it failed, if it did.
        first_chunk: Monotonic seconds of a stream's first chunk.
    """
    status: RowStatus = "ok" if error is None else "error"
    row = _inference(engine, plan, journal, now, status=status, answered=answered, error=error, first_chunk=first_chunk)
    policy = plan.function.function.payloads
    rows = journal.rows
    if plan.files is not None:
        rows = [msgspec.structs.replace(row, raw_request=plan.files.masked(row.raw_request)) for row in rows]
    if policy != "full" or engine.redact is not None:
        rows = [_kept(engine, row, policy) for row in rows]
    return Inferred(row, tuple(rows))


def output_json(answered: Answered) -> bytes:
    """Return an answer's output as it is stored: content blocks, or `{raw, parsed}` for a JSON function."""
    if answered.head.function_type == "json":
        return _encode({"raw": answered.raw, "parsed": answered.parsed})
    return _encode(answered.content)


def _inference(
    engine: Engine,
    plan: Plan,
    journal: Journal,
    now: float,
    *,
    status: RowStatus,
    answered: Answered | None = None,
    error: CalibrantError | None = None,
    first_chunk: float | None = None,
) -> InferenceRow:
    request = plan.request
    function = plan.function.function
    caller = plan.caller
    variant_name = journal.variant_name or plan.draw.assigned
    usage = answered.usage if answered is not None else None
    payloads = _payloads(engine, plan, answered) if function.payloads == "full" else _NO_PAYLOADS
    bare = function.payloads == "none"
    # By position, in the order of the row's fields: a Struct finds each keyword by going through all its fields,
    # which for a row of this length takes fifteen times as long.
    return InferenceRow(
        plan.inference_id,
        plan.episode_id,
        function.name,
        variant_name,
        function.type,
        status,
        engine.config.hash,
        request.dialect,
        request.stream,
        error.code if error is not None else None,
        error.message if error is not None and not bare else None,
        error.status if error is not None else 200,
        request.namespace,
        plan.draw.unit,
        plan.draw.assigned,
        plan.draw.probability,
        "; ".join(journal.failures) if variant_name != plan.draw.assigned and not bare else None,  # fallback_reason
        answered.finish_reason if answered is not None else None,
        (now - plan.started) * 1e3,  # processing_ms
        None if first_chunk is None else (first_chunk - plan.started) * 1e3,  # ttft_ms
        journal.durations,
        usage.input_tokens if usage is not None else None,
        usage.output_tokens if usage is not None else None,
        answered.cost if answered is not None else journal.cost(),
        caller.trace_id,
        caller.span_id,
        caller.key_id,
        {} if bare else plan.tags,
        engine.spool.incarnation if engine.spool is not None else "",  # worker
        *payloads,
        journal.strategy,
    )


def _payloads(engine: Engine, plan: Plan, answered: Answered | None) -> _Payloads:
    """Return what `_PAYLOADS` names."""
    request = plan.request
    payloads: _Payloads = (
        _encode(request.input if plan.files is None else plan.files.stored()),
        None if answered is None else output_json(answered),
        None if request.params == NO_PARAMS else _encode({"chat_completion": request.params}),
        None if plan.tools is None else _encode(plan.tools),
        None if plan.output_schema is None else _encode(plan.output_schema.source),
    )
    if engine.redact is None:
        return payloads
    given, made, params, tools, schema = (
        redacted(engine, value, name) for name, value in zip(_PAYLOADS, payloads, strict=True)
    )
    return given, made, params, tools, schema


def _kept(engine: Engine, row: ModelInferenceRow, policy: PayloadPolicy) -> ModelInferenceRow:
    if policy != "full":
        message = row.error_message if policy == "metadata" else None
        return msgspec.structs.replace(row, raw_request=None, raw_response=None, error_message=message)
    return msgspec.structs.replace(
        row,
        raw_request=redacted(engine, row.raw_request, "raw_request"),
        raw_response=redacted(engine, row.raw_response, "raw_response"),
    )


def redacted(engine: Engine, payload: bytes | None, what: str) -> bytes | None:
    """Return what the user's hook lets us keep of a payload; null where the hook fails."""
    if payload is None or engine.redact is None:
        return payload
    try:
        kept = engine.redact(payload, what)
        if not isinstance(kept, bytes):
            raise TypeError(f"it returned {type(kept).__name__}, not bytes")
        return kept
    except Exception:  # noqa: BLE001 - a named edge: the hook is the user's code: what it cannot redact is not kept
        _log.exception("the redaction hook failed on %s; the payload is not recorded", what)
        engine.metrics.count("internal_errors", ("redact",))
        return None
