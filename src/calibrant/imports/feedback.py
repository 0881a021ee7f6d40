"""Feedback, from TensorZero's rows to ours. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from calibrant.imports.blocks import Unmappable, document, to_blocks, to_json_value
from calibrant.imports.inferences import KEY_TAG, to_id, to_tags
from calibrant.types.rows import FeedbackRow, Level

__all__ = ["metric_levels", "needs_level", "to_feedback"]

_encode = msgspec.json.Encoder().encode


def needs_level(table: str) -> bool:
    """Return whether rows of a table do not say of what kind their target is."""
    return table in ("boolean_metric_feedback", "float_metric_feedback")


def metric_levels(document: Mapping[str, Any]) -> dict[str, Level]:
    """Return the level of each metric that a configuration has, by name."""
    metrics = document.get("metrics")
    if not isinstance(metrics, dict):
        return {}
    levels: dict[str, Level] = {}
    for name, metric in cast("dict[str, Any]", metrics).items():
        level = cast("dict[str, Any]", metric).get("level") if isinstance(metric, dict) else None
        if level in ("inference", "episode"):
            levels[name] = level
    return levels


def to_feedback(table: str, row: Mapping[str, Any], level: Level | None = None) -> FeedbackRow:
    """Return a piece of feedback.

    Args:
        table: Which it is of.
        row: Of that table.
        level: Of the target, where the row does not say it.

    Raises:
        Unmappable: it cannot be one of ours.
    """
    common: dict[str, Any] = {
        "id": to_id(row, "id"),
        "snapshot_hash": row.get("snapshot_hash") or "",
        "tags": (tags := to_tags(row)),
        "key_id": tags.get(KEY_TAG),
    }
    value = row.get("value")
    match table:
        case "comment_feedback":
            level = row.get("target_type")
            if level not in ("inference", "episode") or not isinstance(value, str):
                raise Unmappable(f"a comment on {level!r:.40} is none that we know")
            common |= {"metric_name": "comment", "kind": "comment", "level": level, "document": _encode(value)}
            return FeedbackRow(target_id=to_id(row, "target_id"), **common)
        case "demonstration_feedback":
            shown = _demonstration(value)
            common |= {"metric_name": "demonstration", "kind": "demonstration", "level": "inference", "document": shown}
            return FeedbackRow(target_id=to_id(row, "inference_id"), **common)
        case _:
            metric_name = row.get("metric_name")
            if not isinstance(metric_name, str):
                raise Unmappable("metric_name is no text")
            if level is None:
                raise Unmappable(
                    f"the target {row.get('target_id')} of metric {metric_name!r:.80} is nowhere, and no configuration "
                    "says whether the metric is of inferences or of episodes"
                )
            kind = table.partition("_")[0]
            common |= {"metric_name": metric_name, "kind": kind, "level": level, "number": _number(value)}
            return FeedbackRow(target_id=to_id(row, "target_id"), **common)


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise Unmappable(f"value is {value!r:.40}, which is no number") from None
    if not math.isfinite(number):
        raise Unmappable(f"value is {value!r:.40}, which is no finite number")
    return number


def _demonstration(value: Any) -> bytes:
    if not isinstance(value, str):
        raise Unmappable("a demonstration without a value")
    if isinstance(document(value, "value"), dict):
        return _encode(to_json_value(value, "value"))
    shown = to_blocks(value, "value")
    if shown is None:
        raise Unmappable("a demonstration without a value")
    return _encode(shown)
