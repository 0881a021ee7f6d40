"""A foreign database as the importer sees it: pages of rows by id, all engines alike. The values are plain.

Documents are JSON text, ids canonical UUIDs, tags a mapping, instants Unix milliseconds, hashes hexadecimal digits, and
what the source does not have is null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

__all__ = [
    "COLUMNS",
    "EXAMPLES",
    "FEEDBACK",
    "INFERENCES",
    "LEFT_OUT",
    "NIL",
    "OTHER",
    "TABLES",
    "Row",
    "Source",
]

Row = dict[str, Any]

INFERENCES: Final = ("chat_inferences", "json_inferences")
FEEDBACK: Final = (
    "boolean_metric_feedback",
    "float_metric_feedback",
    "comment_feedback",
    "demonstration_feedback",
)
_DATAPOINTS: Final = ("chat_datapoints", "json_datapoints")
EXAMPLES: Final = "dicl_examples"
"""Of in-context learning: an input and an output, for a variant of a function."""
TABLES: Final = ("config_snapshots", *INFERENCES, "model_inferences", *FEEDBACK, *_DATAPOINTS, EXAMPLES)
"""What is imported, by the names of PostgreSQL, in the order in which it is: feedback wants its target to be there."""

LEFT_OUT: Final = {
    "model_inference_cache": "a cache fills again by itself, and its keys are not ours",
    "batch_requests": "a batch is finished where it was begun; the inferences of finished ones are imported",
    "batch_model_inferences": "a batch is finished where it was begun; the inferences of finished ones are imported",
    "workflow_evaluation_runs": "its inferences and their tags are imported; the run itself is not",
    "workflow_evaluation_run_episodes": "its inferences and their tags are imported; the run itself is not",
    "inference_evaluation_runs": "its inferences and their tags are imported; the run itself is not",
    "inference_evaluation_human_feedback": "the feedback that it was made from is imported, with its tags",
}
"""What the source may have besides, and why it stays there."""

_HEAD: Final = ("id", "function_name", "variant_name", "episode_id", "processing_time_ms", "ttft_ms", "tags")
_PAYLOAD: Final = ("input", "output", "inference_params", "extra_body")
_TOOLS: Final = ("dynamic_tools", "dynamic_provider_tools", "allowed_tools", "tool_choice", "parallel_tool_calls")
_FEEDBACK: Final = ("id", "value", "tags", "snapshot_hash")
_DATAPOINT: Final = (
    "id",
    "dataset_name",
    "function_name",
    "episode_id",
    "input",
    "output",
    "tags",
    "is_custom",
    "source_inference_id",
    "name",
    "staled_at",
    "updated_at",
)
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "config_snapshots": ("hash", "canonical_hash", "config", "extra_templates", "tensorzero_version", "tags"),
    "chat_inferences": (*_HEAD, "snapshot_hash", *_PAYLOAD, *_TOOLS, "tool_params"),
    "json_inferences": (*_HEAD, "snapshot_hash", *_PAYLOAD, "output_schema", "auxiliary_content"),
    "model_inferences": (
        "id",
        "inference_id",
        "model_name",
        "model_provider_name",
        "input_tokens",
        "output_tokens",
        "provider_cache_read_input_tokens",
        "provider_cache_write_input_tokens",
        "cost",
        "response_time_ms",
        "ttft_ms",
        "cached",
        "finish_reason",
        "raw_request",
        "raw_response",
    ),
    "boolean_metric_feedback": (*_FEEDBACK, "target_id", "metric_name"),
    "float_metric_feedback": (*_FEEDBACK, "target_id", "metric_name"),
    "comment_feedback": (*_FEEDBACK, "target_id", "target_type"),
    "demonstration_feedback": (*_FEEDBACK, "inference_id"),
    "chat_datapoints": (*_DATAPOINT, *_TOOLS, "tool_params"),
    "json_datapoints": (*_DATAPOINT, "output_schema"),
    "dicl_examples": ("id", "function_name", "variant_name", "namespace", "input", "output"),
}
"""What is read of each table; a source that has not all of it has null in its place."""
OTHER: Final = tuple(LEFT_OUT)

NIL: Final = "00000000-0000-0000-0000-000000000000"
"""Before every id."""


class Source(Protocol):
    """A database to import from; nothing in it is changed. Every method raises `StoreUnavailable` where it is away."""

    name: str
    """What may be shown of its address."""

    def identity(self) -> str:
        """Return what tells this source from others, whatever its address."""
        ...

    def count(self, table: str) -> int | None:
        """Return how many rows a table has, or null where there is no such table."""
        ...

    def page(self, table: str, *, after: str, limit: int) -> list[Row]:
        """Return the next rows of a table, by id; of snapshots by hash, where `after` is empty for the first."""
        ...

    def calls(self, inference_ids: Sequence[str]) -> list[Row]:
        """Return the model inferences of these inferences, by id."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
