"""The statistics of a function, read from the record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Literal

from calibrant.app.homes import open_reader
from calibrant.app.options import Options
from calibrant.base.errors import ConfigError, InvalidRequest, NotFound
from calibrant.base.ids import id_millis
from calibrant.config.load import read_environment
from calibrant.config.schema import Config, Function, Metric
from calibrant.config.snapshot import restore
from calibrant.experiments.drawn import configured_shares, held_chances, may_be_drawn
from calibrant.experiments.stats import FunctionStats, function_stats
from calibrant.measure.arguments import MOST
from calibrant.store.base import Reader
from calibrant.types.rows import Level

__all__ = ["read_stats"]


def read_stats(
    options: Options,
    config: Config,
    function_name: str,
    since_ms: int | None = None,
    until_ms: int | None = None,
) -> FunctionStats:
    """Return how the variants of a function did.

    Metrics are those of the configuration, and those that only the record knows, taken as it holds them.

    Args:
        options: Where the record is.
        config: Says what metrics are, and how variants are drawn now.
        function_name: The function.
        since_ms: Only inferences that began then or later, in Unix milliseconds.
        until_ms: Only those that began before.

    Raises:
        NotFound: neither the configuration nor the record knows the function.
        InvalidRequest: a value of feedback is too large to count with.
        StoreUnavailable: there is no database, or it cannot be read.
    """
    reader = open_reader(options, read_environment())
    try:
        outcomes = list(reader.outcomes(function_name))
        if not outcomes and function_name not in config.functions:
            known = ", ".join(sorted(config.functions)) or "none"
            raise NotFound(f"there is no function {function_name!r}, in the configuration ({known}) or in the record")
        if since_ms is not None:
            outcomes = [row for row in outcomes if id_millis(row.inference_id) >= since_ms]
        if until_ms is not None:
            outcomes = [row for row in outcomes if id_millis(row.inference_id) < until_ms]
        metrics = _metrics(config, reader, function_name)
        targets = {each for row in outcomes for each in (row.inference_id, row.episode_id)}
        scores = {
            metric.name: {
                score.target_id: score.number
                for score in reader.scores(function_name, metric.name, metric.level)
                if score.target_id in targets
            }
            for metric in metrics
        }
        then = _functions(reader, function_name, {row.snapshot_hash for row in outcomes if row.probability is not None})
    finally:
        reader.close()
    for name, found in scores.items():
        _check_sizes(name, found)
    function = config.functions.get(function_name)
    return function_stats(
        function_name,
        outcomes,
        metrics,
        scores,
        shares=configured_shares(function),
        held=lambda phase: held_chances(then.get(phase[0]), phase[1]),
        live=partial(may_be_drawn, function),
    )


def _check_sizes(metric_name: str, scores: Mapping[str, float]) -> None:
    for target_id, number in scores.items():
        if not abs(number) <= MOST:
            raise InvalidRequest(
                f"the metric {metric_name!r} has the value {number:g} for {target_id}, too large to count with (at "
                f"most {MOST:g}): send that feedback again, since the last value counts, or leave it out by the time"
            )


def _functions(reader: Reader, function_name: str, hashes: Iterable[str]) -> dict[str, Function]:
    """Return the function as each of these configurations had it, of those that are kept and can be read."""
    found: dict[str, Function] = {}
    for each in hashes:
        record = reader.snapshot(each)
        try:
            function = None if record is None else restore(record.config).functions.get(function_name)
        except ConfigError:
            # One of a newer version: the odds are then told by the draws themselves.
            continue
        if function is not None:
            found[each] = function
    return found


def _metrics(config: Config, reader: Reader, function_name: str) -> list[Metric]:
    recorded: dict[str, dict[Level, Literal["boolean", "float"]]] = {}
    for seen in reader.metrics(function_name):
        if seen.kind == "boolean" or seen.kind == "float":
            levels = recorded.setdefault(seen.metric_name, {})
            # Zeros and ones are numbers too: a metric that was ever a float is read as one.
            if levels.get(seen.level) != "float":
                levels[seen.level] = seen.kind
    return [_metric(name, levels, config.metrics.get(name)) for name, levels in recorded.items()]


def _metric(name: str, levels: dict[Level, Literal["boolean", "float"]], known: Metric | None) -> Metric:
    # The configuration may have changed its type or level since; what was measured has not.
    level = known.level if known is not None and known.level in levels else next(iter(levels))
    return Metric(name, levels[level], known.optimize if known is not None else "max", level)
