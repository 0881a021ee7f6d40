"""Datapoints and inferences in Parquet files: a column for each field of a line of ours, with documents as JSON text.

Needs `pyarrow`, which the extra `parquet` brings; whoever imports this module without it gets an `ImportError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import pyarrow
import pyarrow.parquet
from msgspec import Raw, Struct

__all__ = ["DATAPOINTS", "INFERENCES", "Columns", "read_parquet", "write_parquet"]

_ROWS: Final = 500
_line = msgspec.json.Decoder(dict[str, Raw]).decode
_decode = msgspec.json.Decoder().decode
_instant = msgspec.json.Decoder(datetime).decode
_encode = msgspec.json.Encoder().encode
# pyarrow says nothing of its types, so it is `Any` from here on.
_arrow = cast("Any", pyarrow)
_parquet = cast("Any", pyarrow.parquet)


class Columns(Struct, frozen=True):
    """The columns of a file, by what they hold."""

    texts: tuple[str, ...]
    documents: tuple[str, ...]
    """Their JSON as text."""
    numbers: tuple[str, ...]
    instants: tuple[str, ...] = ()
    """Milliseconds, UTC."""
    inside: str | None = None
    """A field whose own fields are columns beside the others."""


DATAPOINTS: Final = Columns(
    texts=(
        "type",
        "dataset_name",
        "function_name",
        "id",
        "name",
        "episode_id",
        "source_inference_id",
        "staled_at",
        "updated_at",
        "source",
        "source_feedback_id",
        "parent_id",
        "root_id",
        "group_key",
        "content_hash",
        "actor",
    ),
    documents=(
        "input",
        "output",
        "output_schema",
        "allowed_tools",
        "additional_tools",
        "tool_choice",
        "parallel_tool_calls",
        "provider_tools",
        "tags",
    ),
    numbers=("since_version",),
)
INFERENCES: Final = Columns(
    texts=(
        "type",
        "inference_id",
        "episode_id",
        "function_name",
        "variant_name",
        "snapshot_hash",
        "finish_reason",
        "status",
        "error_code",
        "error_message",
    ),
    documents=(
        "input",
        "output",
        "dispreferred_outputs",
        "inference_params",
        "tags",
        "allowed_tools",
        "additional_tools",
        "tool_choice",
        "parallel_tool_calls",
        "provider_tools",
        "output_schema",
        "cost",
        "feedback",
        "model_inferences",
    ),
    numbers=("processing_time_ms", "ttft_ms", "input_tokens", "output_tokens"),
    instants=("timestamp",),
    inside="usage",
)
"""A cost is text, so that it has every digit."""


def write_parquet(lines: Iterable[bytes], path: Path, columns: Columns = DATAPOINTS) -> None:
    """Write lines of ours as rows, a few hundred at a time."""
    instant = _arrow.timestamp("ms", tz="UTC")
    schema = _arrow.schema(
        [(name, _arrow.string()) for name in (*columns.texts, *columns.documents)]
        + [(name, _arrow.int64()) for name in columns.numbers]
        + [(name, instant) for name in columns.instants]
    )
    rest = iter(lines)
    with _parquet.ParquetWriter(str(path), schema, compression="zstd") as writer:
        while some := list(islice(rest, _ROWS)):
            rows = [_row(_line(line), columns) for line in some]
            writer.write_table(_arrow.Table.from_pylist(rows, schema=schema))


def read_parquet(path: Path) -> Iterator[bytes]:
    """Yield each datapoint as a line of ours, reading a few hundred at a time.

    Raises:
        ValueError: it is no such file.
    """
    with _parquet.ParquetFile(str(path)) as file:
        for batch in file.iter_batches(batch_size=_ROWS):
            for row in batch.to_pylist():
                yield _back(row)


def _row(line: dict[str, Raw], columns: Columns) -> dict[str, Any]:
    if columns.inside is not None:
        line |= _line(line.pop(columns.inside))
    row: dict[str, Any] = {name: _decode(line[name]) for name in (*columns.texts, *columns.numbers) if name in line}
    row |= {name: _instant(line[name]) for name in columns.instants}
    documents = {name: bytes(line[name]).decode() for name in columns.documents if name in line}
    return row | {name: text for name, text in documents.items() if text != "null"}


def _back(row: dict[str, Any]) -> bytes:
    plain, documents = (*DATAPOINTS.texts, *DATAPOINTS.numbers), DATAPOINTS.documents
    fields = {name: row[name] for name in plain if row.get(name) is not None}
    return _encode(fields | {name: Raw(row[name].encode()) for name in documents if row.get(name) is not None})
