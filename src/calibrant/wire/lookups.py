"""Single things of the record on the wire: feedback, model calls, episodes, configurations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from calibrant.apischema import lookups as shape
from calibrant.base.ids import id_millis
from calibrant.types.insight import EpisodeBounds, EpisodeSeen
from calibrant.types.rows import FeedbackRow, InferenceRow, ModelInferenceRow
from calibrant.wire.keys import moment

__all__ = [
    "encode_config",
    "encode_episode_bounds",
    "encode_episode_count",
    "encode_episodes",
    "encode_feedback",
    "encode_feedback_bounds",
    "encode_latest",
    "encode_metadata",
    "encode_model_inferences",
    "encode_resolved",
    "to_call_shown",
    "to_feedback_shown",
]

_json = msgspec.json.Encoder().encode
_KINDS = ("boolean", "float", "comment", "demonstration")


class _Snapshot(msgspec.Struct, frozen=True):
    document: Raw
    includes: dict[str, str]


_snapshot = msgspec.json.Decoder(_Snapshot)


def encode_feedback(rows: Iterable[FeedbackRow]) -> bytes:
    """Return feedback, in its order."""
    return _json(shape.FeedbackList([to_feedback_shown(row) for row in rows]))


def encode_feedback_bounds(rows: Sequence[FeedbackRow]) -> bytes:
    """Return the first and the last of the feedback on one target, the oldest first, and of each kind of it."""
    by_kind = {kind: _bounds([row for row in rows if row.kind == kind]) for kind in _KINDS}
    whole = _bounds(rows)
    return _json(shape.FeedbackBounds(first_id=whole.first_id, last_id=whole.last_id, by_type=shape.ByType(**by_kind)))


def encode_latest(rows: Iterable[FeedbackRow]) -> bytes:
    """Return the latest feedback on each metric; the oldest comes first."""
    return _json(shape.LatestByMetric({row.metric_name: row.id for row in rows if row.number is not None}))


def encode_model_inferences(rows: Iterable[ModelInferenceRow]) -> bytes:
    """Return the calls that were made for an inference."""
    return _json(shape.ModelInferenceList([to_call_shown(row) for row in rows]))


def encode_metadata(rows: Iterable[InferenceRow]) -> bytes:
    """Return inferences without their payloads."""
    return _json(
        shape.MetadataList(
            [
                shape.InferenceMetadata(
                    id=row.id,
                    function_name=row.function_name,
                    variant_name=row.variant_name,
                    episode_id=row.episode_id,
                    function_type=row.function_type,
                    snapshot_hash=row.snapshot_hash,
                    status=row.status,
                    timestamp=moment(id_millis(row.id)),
                )
                for row in rows
            ]
        )
    )


def encode_resolved(id_: str, found: Iterable[dict[str, Any]]) -> bytes:
    """Return what has an id: for each thing its fields of `ResolvedObject`."""
    return _json(shape.Resolved(id_, [shape.ResolvedObject(**fields) for fields in found]))


def encode_episodes(episodes: Iterable[EpisodeSeen]) -> bytes:
    """Return episodes, in their order."""
    return _json(
        shape.EpisodeList(
            [
                shape.EpisodeShown(
                    each.episode_id,
                    each.count,
                    moment(id_millis(each.first_id)),
                    moment(id_millis(each.last_id)),
                    each.last_id,
                )
                for each in episodes
            ]
        )
    )


def encode_episode_bounds(bounds: EpisodeBounds) -> bytes:
    """Return the first and the last episode, and how many there are."""
    return _json(shape.Bounds(bounds.first_id, bounds.last_id, bounds.count))


def encode_episode_count(count: int) -> bytes:
    """Return how many inferences an episode has."""
    return _json({"inference_count": count})


def encode_config(hash_: str, canonical: bytes) -> bytes:
    """Return a configuration out of its canonical form."""
    held = _snapshot.decode(canonical)
    return _json(shape.ConfigShown(hash_, held.document, held.includes, {}))


def to_feedback_shown(row: FeedbackRow) -> shape.FeedbackShown:
    """Return a piece of feedback as it is shown."""
    named: dict[str, Any] = {}
    match row.kind:
        case "boolean":
            value: bool | float | str = bool(row.number)
            named = {"target_id": row.target_id, "metric_name": row.metric_name}
        case "float":
            value = row.number or 0.0
            named = {"target_id": row.target_id, "metric_name": row.metric_name}
        case "comment":
            value = _text(row.document)
            named = {"target_id": row.target_id, "target_type": row.level}
        case "demonstration":
            value = "" if row.document is None else row.document.decode("utf-8", "replace")
            named = {"inference_id": row.target_id}
    return shape.FeedbackShown(
        type=row.kind, id=row.id, value=value, tags=row.tags, timestamp=moment(id_millis(row.id)), **named
    )


def _text(document: bytes | None) -> str:
    """Return the text of a comment; what a redaction hook made of it where that is no JSON."""
    if document is None:
        return ""
    try:
        value = msgspec.json.decode(document)
    except msgspec.DecodeError:
        return document.decode("utf-8", "replace")
    return value if isinstance(value, str) else document.decode("utf-8", "replace")


def _bounds(rows: Sequence[FeedbackRow]) -> shape.Bounds:
    return shape.Bounds(rows[0].id, rows[-1].id) if rows else shape.Bounds()


def to_call_shown(row: ModelInferenceRow) -> shape.ModelInferenceShown:
    """Return a call of a provider as it is shown."""
    return shape.ModelInferenceShown(
        id=row.id,
        inference_id=row.inference_id,
        raw_request=_payload(row.raw_request),
        raw_response=_payload(row.raw_response),
        model_name=row.model_name,
        model_provider_name=row.provider_name,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        provider_cache_read_input_tokens=row.cache_read_tokens,
        provider_cache_write_input_tokens=row.cache_write_tokens,
        response_time_ms=_whole(row.response_ms),
        ttft_ms=_whole(row.ttft_ms),
        timestamp=moment(id_millis(row.id)),
        cost=None if row.cost is None else Raw(row.cost.encode()),
        finish_reason=row.finish_reason,
        cached=row.cached,
        attempt=row.attempt,
        status=row.status,
        variant_name=row.variant_name,
        api_type=row.api_type,
        error_code=row.error_code,
        error_message=row.error_message,
        http_status=row.http_status,
        provider_request_id=row.provider_request_id,
    )


def _payload(payload: bytes | None) -> str | None:
    return None if payload is None else payload.decode("utf-8", "replace")


def _whole(millis: float | None) -> int | None:
    return None if millis is None else round(millis)
