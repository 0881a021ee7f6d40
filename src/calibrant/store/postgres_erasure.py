"""Deleting inferences from the record in PostgreSQL for good, in transactions of the caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from calibrant.store.erasing import Removed
from calibrant.store.postgres_connection import Connection

__all__ = ["erase_feedback", "erase_inferences", "vacuum"]

_VACUUMED: Final = (
    "inferences",
    "inference_data",
    "inference_text",
    "model_inferences",
    "model_inference_data",
    "feedback",
    "quarantine",
    "datapoints",
    "datapoint_contents",
    "datapoint_tags",
    "datapoint_prints",
    "datapoint_bands",
    "split_groups",
    "batch_inferences",
    "workflow_evaluation_run_episodes",
)


def erase_inferences(connection: Connection, inference_ids: Sequence[str], episode_ids: Sequence[str]) -> Removed:
    """Delete inferences and everything about them, and feedback on these episodes."""
    ids = list(inference_ids)
    connection.execute(
        "DELETE FROM model_inference_data WHERE id IN (SELECT id FROM model_inferences WHERE inference_id = ANY(%s))",
        (ids,),
    )
    models = connection.execute("DELETE FROM model_inferences WHERE inference_id = ANY(%s)", (ids,)).rowcount
    targets = [*inference_ids, *episode_ids]
    feedback = connection.execute("DELETE FROM feedback WHERE target_id = ANY(%s)", (targets,)).rowcount
    connection.execute("DELETE FROM inference_text WHERE id = ANY(%s)", (ids,))
    connection.execute("DELETE FROM inference_data WHERE id = ANY(%s)", (ids,))
    gone = connection.execute("DELETE FROM inferences WHERE id = ANY(%s)", (ids,)).rowcount
    return Removed(gone, models, feedback)


def erase_feedback(connection: Connection, feedback_ids: Sequence[str]) -> int:
    """Delete feedback."""
    return connection.execute("DELETE FROM feedback WHERE id = ANY(%s)", (list(feedback_ids),)).rowcount


def vacuum(connection: Connection) -> None:
    """Have the server reclaim what was deleted in the tables that erasure touches. Nobody is shut out meanwhile."""
    timeout = connection.execute("SHOW statement_timeout").fetchone()
    connection.execute("SET statement_timeout = 0")
    try:
        for table in _VACUUMED:
            connection.execute(f"VACUUM {table}".encode())
    finally:
        connection.execute("SELECT set_config('statement_timeout', %s, false)", timeout)
