"""The document that a person writes: every section and key of it, as TOML has them.

This is what may be written, not what it means: `schema.Config` is that. The structs say the type, the default
and the bounds of each key; `unbuilt.py` lists the keys that are known but do nothing yet. The sections stand
in `document_gateway.py`, `document_models.py` and `document_functions.py`.
"""

# ruff: noqa: RUF012 - msgspec gives each value its own empty table

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import inspect

from calibrant.config.document_functions import Evaluation, FunctionTable
from calibrant.config.document_gateway import (
    AutopilotTable,
    ClickHouseTable,
    GatewayTable,
    ObjectStorageTable,
    PostgresTable,
    RateLimitingTable,
    RecordTable,
    RetentionTable,
    SpoolTable,
)
from calibrant.config.document_models import AnyProvider, EmbeddingModelTable, ModelTable, ProviderTypesTable
from calibrant.config.document_parts import Table
from calibrant.config.marks import JsonFile, Private
from calibrant.config.problem import Path

__all__ = ["DOCUMENT", "Document", "MetricTable", "ToolTable"]


class MetricTable(Table, frozen=True, kw_only=True):
    """`[metrics.M]`."""

    type: Literal["boolean", "float"]
    optimize: Literal["min", "max"]
    level: Literal["inference", "episode"]
    description: str = ""


class ToolTable(Table, frozen=True, kw_only=True):
    """`[tools.T]`."""

    description: str
    parameters: JsonFile
    strict: bool = False
    name: str | None = None


class Document(Table, frozen=True, kw_only=True):
    """The whole of it."""

    gateway: GatewayTable = GatewayTable()
    clickhouse: ClickHouseTable = ClickHouseTable()
    postgres: PostgresTable = PostgresTable()
    rate_limiting: RateLimitingTable = RateLimitingTable()
    object_storage: ObjectStorageTable | None = None
    autopilot: AutopilotTable = AutopilotTable()
    models: dict[str, ModelTable] = {}
    embedding_models: dict[str, EmbeddingModelTable] = {}
    provider_types: ProviderTypesTable = ProviderTypesTable()
    functions: dict[str, FunctionTable] = {}
    metrics: dict[str, MetricTable] = {}
    tools: dict[str, ToolTable] = {}
    evaluations: dict[str, Evaluation] = {}
    optimizers: dict[str, Private] = {}
    spool: SpoolTable = SpoolTable()
    record: RecordTable = RecordTable()
    retention: RetentionTable = RetentionTable()

    def model_tables(self) -> Iterator[tuple[tuple[str, str], ModelTable | EmbeddingModelTable]]:
        """Yield every model, of chat and of embeddings, after its place."""
        for name, model in self.models.items():
            yield ("models", name), model
        for name, embedding_model in self.embedding_models.items():
            yield ("embedding_models", name), embedding_model

    def provider_tables(self) -> Iterator[tuple[Path, AnyProvider]]:
        """Yield every provider of theirs after its place."""
        for path, model in self.model_tables():
            for name, provider in model.providers.items():
                yield (*path, "providers", name), provider


DOCUMENT = inspect.type_info(Document)
"""The document's shape as a tree, which `shape.py` walks."""
