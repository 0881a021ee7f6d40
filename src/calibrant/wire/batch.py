"""Batches in and out: lists of columns in, bodies of single inferences out of them, and what is told of a batch.

Each element becomes a body of `POST /inference`: it is checked, kept and made as that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Raw

from calibrant.apischema import batch as shape
from calibrant.apischema.native import ChatAnswer, JsonAnswer, JsonOutput, UsageBody
from calibrant.base.errors import InvalidRequest
from calibrant.base.ids import uuid7
from calibrant.types.batch import Batch, BatchElement, BatchRequest
from calibrant.types.content import OutputBlock
from calibrant.types.reply import FinishReason
from calibrant.types.rows import InferenceRow
from calibrant.wire import body as checks
from calibrant.wire.body import invalid

__all__ = [
    "MAX_ELEMENTS",
    "decode_batch",
    "encode_batch",
    "encode_page",
    "encode_recorded",
    "encode_started",
    "encode_summary",
]

MAX_ELEMENTS = 50_000
"""The most that OpenAI takes, too."""

_BATCH = msgspec.json.Decoder(shape.BatchBody)
_json = msgspec.json.Encoder().encode
_content = msgspec.json.Decoder(tuple[OutputBlock, ...]).decode
_output = msgspec.json.Decoder(JsonOutput).decode
_EPOCH = datetime.fromtimestamp(0, UTC)
_COLUMNS = {
    "tags": "tags",
    "allowed_tools": "allowed_tools",
    "additional_tools": "additional_tools",
    "tool_choice": "tool_choice",
    "parallel_tool_calls": "parallel_tool_calls",
    "output_schemas": "output_schema",
}
"""Lists of a batch, and what each of their entries is called in a single inference."""
_NULL = b"null"


def decode_batch(body: bytes, *, now_ms: int) -> BatchRequest:
    """Return the batch that a body asks for. Its elements are not looked into.

    Raises:
        InvalidRequest: the body is malformed, or its lists have not all the same length.
    """
    asked = checks.parse(_BATCH, body)
    checks.check_text(body)
    count = len(asked.inputs)
    if count == 0:
        raise invalid("a batch needs at least one input", "$.inputs")
    if count > MAX_ELEMENTS:
        raise invalid(f"a batch has at most {MAX_ELEMENTS} inputs, this one has {count}; split it", "$.inputs")
    if asked.credentials:
        raise InvalidRequest(
            "credentials: a batch runs later and outlives the process that accepts it, and credentials of a request "
            "are never stored; configure them with the provider (`api_key_location`)"
        )
    params = {} if asked.params is None else (asked.params.chat_completion or {})
    columns: list[tuple[str, Sequence[Any]]] = []
    for name, single in _COLUMNS.items():
        column = getattr(asked, name)
        if column is not None:
            _check_length(column, count, f"$.{name}")
            columns.append((single, column))
    for name, column in params.items():
        _check_length(column or (), count if column is not None else 0, f"$.params.chat_completion.{name}")
    episodes = _episodes(asked.episode_ids, count, now_ms)
    function = checks.stored_name(asked.function_name)
    checks.check_names([("$.function_name", function), ("$.variant_name", asked.variant_name or "")])
    return BatchRequest(
        function,
        tuple(_single(asked, index, episodes[index], columns, params) for index in range(count)),
        episodes,
        asked.variant_name,
    )


def _check_length(column: Sequence[Any], count: int, path: str) -> None:
    if len(column) != count:
        raise invalid(f"{len(column)} entries for {count} inputs; give each input one, or null", path)


def _episodes(given: Sequence[str | None] | None, count: int, now_ms: int) -> tuple[str, ...]:
    if given is None:
        return tuple(uuid7() for _ in range(count))
    _check_length(given, count, "$.episode_ids")
    return tuple(
        uuid7() if each is None else checks.checked_id(each, field=f"episode_ids[{index}]", now_ms=now_ms)
        for index, each in enumerate(given)
    )


def _single(
    asked: shape.BatchBody,
    index: int,
    episode_id: str,
    columns: Iterable[tuple[str, Sequence[Raw]]],
    params: dict[str, list[Raw] | None],
) -> bytes:
    fields: dict[str, Any] = {
        "function_name": asked.function_name,
        "input": asked.inputs[index],
        "episode_id": episode_id,
    }
    if asked.variant_name is not None:
        fields["variant_name"] = asked.variant_name
    fields |= {name: column[index] for name, column in columns if bytes(column[index]) != _NULL}
    mine = {name: column[index] for name, column in params.items() if column is not None}
    if mine:
        fields["params"] = {"chat_completion": mine}
    return _json(fields)


def encode_started(batch_id: str, elements: Sequence[BatchElement]) -> bytes:
    """Return what is answered once a batch has been accepted."""
    return _json(
        shape.StartedBatch(
            batch_id,
            [element.inference_id for element in elements],
            [element.episode_id for element in elements],
        )
    )


def encode_batch(batch: Batch, elements: Sequence[BatchElement]) -> bytes:
    """Return how a batch, or one element of it, goes.

    Args:
        batch: The batch; for one element, with that element's status.
        elements: Those that are to be told of, with their answers.
    """
    if batch.status in ("pending", "running"):
        return _json(shape.PendingBatch())
    failures = [
        shape.BatchFailure(element.inference_id, element.error_code or "", element.error_message or "")
        for element in elements
        if element.status == "failed"
    ]
    if batch.status == "failed":
        return _json(shape.FailedBatch(batch.error, failures))
    answers = [Raw(element.answer) for element in elements if element.answer is not None]
    kind = shape.CancelledBatch if batch.status == "cancelled" else shape.CompletedBatch
    return _json(kind(batch.id, answers, failures))


def encode_summary(batch: Batch) -> bytes:
    """Return what is known of a batch as a whole."""
    return _json(_summary(batch))


def encode_page(batches: Sequence[Batch], following: str | None) -> bytes:
    """Return a page of batches."""
    return _json(shape.BatchPage(batches=[_summary(batch) for batch in batches], next=following))


def encode_recorded(row: InferenceRow) -> bytes | None:
    """Return the answer that an inference had, out of its record; null where the record does not have it (any more)."""
    if row.status != "ok" or row.output is None:
        return None
    usage = UsageBody(
        row.input_tokens, row.output_tokens, None if row.cost is None else Raw(row.cost.encode()), None, None
    )
    try:
        reason = msgspec.convert(row.finish_reason, FinishReason | None)
        if row.function_type == "json":
            output = _output(row.output)
            return _json(JsonAnswer(row.id, row.episode_id, row.variant_name, output, usage, reason))
        return _json(ChatAnswer(row.id, row.episode_id, row.variant_name, _content(row.output), usage, reason))
    except msgspec.MsgspecError:
        # A redaction hook may have made anything of it.
        return None


def _summary(batch: Batch) -> shape.BatchSummary:
    return shape.BatchSummary(
        batch_id=batch.id,
        status=batch.status,
        kind=batch.kind,
        function_name=batch.function_name,
        variant_name=batch.variant_name,
        model_name=batch.model_name,
        total=batch.total,
        completed=batch.completed,
        failed=batch.failed,
        cancelled=batch.cancelled,
        error=batch.error,
        created_at=_EPOCH + timedelta(milliseconds=batch.created_at),
        updated_at=_EPOCH + timedelta(milliseconds=batch.updated_at),
    )
