"""From what happened to the rows that are kept. Pure but for the redaction hook, which is the user's."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from calibrant.base.errors import CalibrantError
from calibrant.config.schema import PayloadPolicy
from calibrant.engine.engine import Engine
from calibrant.engine.journal import Journal
from calibrant.engine.resolve import Plan
from calibrant.types.answer import Answered
from calibrant.types.request import Params
from calibrant.types.rows import Begun, InferenceRow, Inferred, ModelInferenceRow, RowStatus

__all__ = ["begun", "inferred", "output_json"]

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_NO_PARAMS = Params()


def begun(engine: Engine, plan: Plan, variant_name: str, now: float) -> Begun:
    """Return the record of a stream that is about to send its first byte."""
    journal = Journal(plan.inference_id, variant_name=variant_name)
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
    policy = plan.function.function.payloads
    variant_name = journal.variant_name or plan.assigned
    usage = answered.usage if answered is not None else None
    payload = _payloads(engine, plan, answered) if policy == "full" else {}
    bare = policy == "none"
    return InferenceRow(
        id=plan.inference_id,
        episode_id=plan.episode_id,
        function_name=plan.function.function.name,
        variant_name=variant_name,
        function_type=plan.function.function.type,
        status=status,
        snapshot_hash=engine.config.hash,
        dialect=request.dialect,
        stream=request.stream,
        error_code=error.code if error is not None else None,
        error_message=error.message if error is not None and not bare else None,
        http_status=error.status if error is not None else 200,
        namespace=request.namespace,
        unit=plan.episode_id,
        assigned_variant=plan.assigned,
        probability=plan.probability,
        fallback_reason="; ".join(journal.failures) if variant_name != plan.assigned and not bare else None,
        finish_reason=answered.finish_reason if answered is not None else None,
        processing_ms=(now - plan.started) * 1e3,
        ttft_ms=None if first_chunk is None else (first_chunk - plan.started) * 1e3,
        durations=journal.durations,
        input_tokens=usage.input_tokens if usage is not None else None,
        output_tokens=usage.output_tokens if usage is not None else None,
        trace_id=plan.caller.trace_id,
        span_id=plan.caller.span_id,
        key_id=plan.caller.key_id,
        tags={} if bare else plan.tags,
        worker=engine.spool.incarnation if engine.spool is not None else "",
        **payload,
    )


def _payloads(engine: Engine, plan: Plan, answered: Answered | None) -> dict[str, Any]:
    request = plan.request
    parts: dict[str, bytes | None] = {"input": _encode(request.input)}
    if answered is not None:
        parts["output"] = output_json(answered)
    if request.params != _NO_PARAMS:
        parts["inference_params"] = _encode({"chat_completion": request.params})
    if plan.tools is not None:
        parts["tool_params"] = _encode(plan.tools)
    if plan.output_schema is not None:
        parts["output_schema"] = _encode(plan.output_schema.source)
    if engine.redact is None:
        return parts
    return {name: _redacted(engine, value, name) for name, value in parts.items()}


def _kept(engine: Engine, row: ModelInferenceRow, policy: PayloadPolicy) -> ModelInferenceRow:
    if policy != "full":
        message = row.error_message if policy == "metadata" else None
        return msgspec.structs.replace(row, raw_request=None, raw_response=None, error_message=message)
    return msgspec.structs.replace(
        row,
        raw_request=_redacted(engine, row.raw_request, "raw_request"),
        raw_response=_redacted(engine, row.raw_response, "raw_response"),
    )


def _redacted(engine: Engine, payload: bytes | None, what: str) -> bytes | None:
    if payload is None or engine.redact is None:
        return payload
    try:
        return engine.redact(payload, what)
    except Exception:  # noqa: BLE001 - a named edge: the hook is the user's code: what it cannot redact is not kept
        _log.exception("the redaction hook failed on %s; the payload is not recorded", what)
        engine.metrics.count("internal_errors", ("redact",))
        return None
