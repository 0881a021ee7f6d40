"""A line of an export of inferences: the inference as lists show it, with its feedback and, where wanted, its calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from calibrant.apischema.exported import ExportedBody
from calibrant.types.query import OutputSource
from calibrant.types.rows import FeedbackRow, InferenceRow, ModelInferenceRow
from calibrant.wire.lookups import to_call_shown, to_feedback_shown
from calibrant.wire.stored import Configured, to_stored

__all__ = ["encode_exported"]

_encode = msgspec.json.Encoder().encode


def encode_exported(
    row: InferenceRow,
    *,
    source: OutputSource,
    demonstration: bytes | None,
    configured: Configured,
    feedback: Sequence[FeedbackRow],
    calls: Sequence[ModelInferenceRow] | None,
) -> bytes:
    """Return a line without its end.

    Args:
        row: The inference.
        source: Which output to show.
        demonstration: The latest one, where that is the output.
        configured: Which tools a function has now.
        feedback: On the inference and on its episode.
        calls: Of models; null where they were not asked for.
    """
    shown = to_stored(row, source=source, demonstration=demonstration, configured=configured)
    fields: dict[str, Any] = {name: getattr(shown, name) for name in shown.__struct_fields__}
    if calls is not None:
        fields["model_inferences"] = [to_call_shown(call) for call in calls]
    return _encode(ExportedBody(**fields, feedback=[to_feedback_shown(each) for each in feedback]))
