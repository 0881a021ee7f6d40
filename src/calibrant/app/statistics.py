"""The statistics of a function, read from the record."""

from __future__ import annotations

from calibrant.app.options import Options
from calibrant.base.errors import NotFound
from calibrant.config.schema import Config, Metric
from calibrant.experiments.stats import FunctionStats, function_stats
from calibrant.store.sqlite_reader import SqliteReader

__all__ = ["read_stats"]


def read_stats(options: Options, config: Config, function_name: str) -> FunctionStats:
    """Return how the variants of a function did.

    Metrics are those of the configuration, and those that only the record knows, taken as it holds them.

    Raises:
        NotFound: neither the configuration nor the record knows the function.
        StoreUnavailable: there is no database, or it cannot be read.
    """
    reader = SqliteReader(options.database_path)
    try:
        outcomes = list(reader.outcomes(function_name))
        if not outcomes and function_name not in config.functions:
            known = ", ".join(sorted(config.functions)) or "none"
            raise NotFound(f"there is no function {function_name!r}, in the configuration ({known}) or in the record")
        metrics = _metrics(config, reader, function_name)
        scores = {
            metric.name: {s.target_id: s.number for s in reader.scores(function_name, metric.name, metric.level)}
            for metric in metrics
        }
    finally:
        reader.close()
    return function_stats(function_name, outcomes, metrics, scores)


def _metrics(config: Config, reader: SqliteReader, function_name: str) -> list[Metric]:
    found: list[Metric] = []
    for seen in reader.metrics(function_name):
        if seen.kind not in ("boolean", "float"):
            continue
        known = config.metrics.get(seen.metric_name)
        found.append(known or Metric(seen.metric_name, seen.kind, "max", seen.level))
    return found
