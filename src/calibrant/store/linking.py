"""Feedback that came before its target was in the store: how the recorder judges it once the target is known."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from calibrant.store.base import TargetView
from calibrant.types.rows import FeedbackRow, InferenceRow

__all__ = ["Link", "Refusal", "link_known", "target_of"]


class Refusal(Struct, frozen=True):
    """Why feedback is not accepted after all."""

    reason: str


Link = Callable[[FeedbackRow, TargetView | None], FeedbackRow | Refusal]
"""Judges feedback with its target; None when there is no such target and none can come any more."""


def link_known(feedback: FeedbackRow, target: TargetView | None) -> FeedbackRow | Refusal:
    """Accept whatever has a target; the engine brings a stricter judge."""
    if target is None:
        return Refusal(f"unknown target: there is no {feedback.level} {feedback.target_id}")
    return replace(feedback, linked=True)


def target_of(row: InferenceRow) -> TargetView:
    """Return what feedback needs to know of an inference that is not stored yet."""
    return TargetView(
        inference_id=row.id,
        episode_id=row.episode_id,
        function_name=row.function_name,
        function_type=row.function_type,
        variant_name=row.variant_name,
        status=row.status,
        output_schema=row.output_schema,
        tool_params=row.tool_params,
    )
