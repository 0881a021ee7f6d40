"""Datapoints in Parquet files: a column for each field of a line of ours, with documents as JSON text.

Needs `pyarrow`, which the extra `parquet` brings; whoever imports this module without it gets an `ImportError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import pyarrow
import pyarrow.parquet
from msgspec import Raw

__all__ = ["read_parquet", "write_parquet"]

_TEXTS: Final = (
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
)
_DOCUMENTS: Final = (
    "input",
    "output",
    "output_schema",
    "allowed_tools",
    "additional_tools",
    "tool_choice",
    "parallel_tool_calls",
    "provider_tools",
    "tags",
)
_NUMBERS: Final = ("since_version",)
_ROWS: Final = 500
_line = msgspec.json.Decoder(dict[str, Raw]).decode
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
# pyarrow says nothing of its types, so it is `Any` from here on.
_arrow = cast("Any", pyarrow)
_parquet = cast("Any", pyarrow.parquet)


def write_parquet(lines: Iterable[bytes], path: Path) -> None:
    """Write lines of ours as rows, a few hundred at a time."""
    schema = _arrow.schema(
        [(name, _arrow.string()) for name in (*_TEXTS, *_DOCUMENTS)] + [(name, _arrow.int64()) for name in _NUMBERS]
    )
    rest = iter(lines)
    with _parquet.ParquetWriter(str(path), schema, compression="zstd") as writer:
        while some := list(islice(rest, _ROWS)):
            rows = [_row(_line(line)) for line in some]
            writer.write_table(_arrow.Table.from_pylist(rows, schema=schema))


def read_parquet(path: Path) -> Iterator[bytes]:
    """Yield each row as a line of ours, reading a few hundred at a time.

    Raises:
        ValueError: it is no such file.
    """
    with _parquet.ParquetFile(str(path)) as file:
        for batch in file.iter_batches(batch_size=_ROWS):
            for row in batch.to_pylist():
                yield _back(row)


def _row(line: dict[str, Raw]) -> dict[str, Any]:
    row: dict[str, Any] = {name: _decode(line[name]) for name in (*_TEXTS, *_NUMBERS) if name in line}
    documents = {name: bytes(line[name]).decode() for name in _DOCUMENTS if name in line}
    return row | {name: text for name, text in documents.items() if text != "null"}


def _back(row: dict[str, Any]) -> bytes:
    fields = {name: row[name] for name in (*_TEXTS, *_NUMBERS) if row.get(name) is not None}
    return _encode(fields | {name: Raw(row[name].encode()) for name in _DOCUMENTS if row.get(name) is not None})
