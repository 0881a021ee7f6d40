"""Handlers of statistics of the record. A key with a list of functions is told of these alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from calibrant.base.errors import InvalidRequest, NotFound
from calibrant.config.schema import Metric
from calibrant.engine.draw import chances
from calibrant.engine.engine import Engine
from calibrant.insights import performance, usage
from calibrant.insights.periods import SERIES, WINDOWS, Window
from calibrant.server.http import Answer, HttpRequest
from calibrant.server.inferences import Questions, recorded
from calibrant.server.query import choice_in, number_in, read_query
from calibrant.server.visible import check_visible, visible_functions
from calibrant.store.base import Reader
from calibrant.types.query import Query
from calibrant.wire import statistics as wire
from calibrant.wire.body import stored_name

__all__ = ["StatisticsDesk"]

_PERIODS = 10
_MAX_PERIODS = 10_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StatisticsDesk:
    """What the handlers of this file work on."""

    engine: Engine
    questions: Questions | None
    """Null where the configuration turns the record off."""

    async def function_counts(self, http: HttpRequest) -> Answer:
        """`GET /internal/functions/inference_counts`."""
        read_query(http)
        functions = visible_functions(http)
        found = await self._ask(lambda reader: usage.function_counts(reader, functions))
        return Answer(200, wire.encode_function_counts(found))

    async def sampling_probabilities(self, http: HttpRequest) -> Answer:
        """`GET /internal/functions/{function_name}/variant_sampling_probabilities`."""
        query, name = read_query(http, "namespace"), stored_name(http.params["function_name"])
        check_visible(self.engine, http, name)
        found = chances(self.engine.compiler.function(name), query.get("namespace"))
        return Answer(200, wire.encode_sampling_probabilities(found))

    async def inference_count(self, http: HttpRequest) -> Answer:
        """`GET /internal/functions/{function_name}/inference_count`."""
        query = read_query(http, "variant_name", "group_by")
        name, variant = await self._function(http), query.get("variant_name")
        if "group_by" in query:
            choice_in(query, "group_by", ("variant",))
            variants = await self._ask(lambda reader: usage.variant_counts(reader, name, variant))
            return Answer(200, wire.encode_inference_count(sum(each.count for each in variants), variants))
        where = Query(function_name=name, variant_name=variant, replays=False)
        return Answer(
            200, wire.encode_inference_count(await self._ask(lambda reader: usage.inference_count(reader, where)))
        )

    async def feedback_count(self, http: HttpRequest) -> Answer:
        """`GET /internal/functions/{function_name}/inference_count/{metric_name}`."""
        query = read_query(http, "threshold")
        name, metric_name = await self._function(http), http.params["metric_name"]
        metric = None if metric_name == "demonstration" else self._metric(metric_name)
        ask = partial(performance.feedback_counts, function_name=name, metric=metric, threshold=_threshold(query))
        return Answer(200, wire.encode_feedback_count(*await self._ask(ask)))

    async def metrics(self, http: HttpRequest) -> Answer:
        """`GET /internal/functions/{function_name}/metrics`."""
        read_query(http)
        name = await self._function(http)
        seen = await self._ask(lambda reader: reader.metrics(name))
        return Answer(200, wire.encode_metrics(name, [(each.metric_name, each.kind, each.targets) for each in seen]))

    async def performances(self, http: HttpRequest) -> Answer:
        """`GET /internal/functions/{function_name}/variant_performances`."""
        query = read_query(http, "metric_name", "time_window", "variant_name")
        name, metric, window = await self._function(http), self._metric(query.get("metric_name")), _window(query)
        variant = query.get("variant_name")
        found = await self._ask(lambda reader: performance.performances(reader, name, metric, window, variant))
        return Answer(200, wire.encode_performances(found))

    async def throughput(self, http: HttpRequest) -> Answer:
        """`GET /internal/functions/{function_name}/throughput_by_variant`."""
        window, periods = _lately(read_query(http, "time_window", "max_periods"))
        name = await self._function(http)
        found = await self._ask(lambda reader: usage.throughput(reader, name, window, periods))
        return Answer(200, wire.encode_throughput(found))

    async def variant_usage(self, http: HttpRequest) -> Answer:
        """`GET /internal/functions/{function_name}/variant_usage`."""
        window, periods = _lately(read_query(http, "time_window", "max_periods"))
        name = await self._function(http)
        found = await self._ask(lambda reader: usage.variant_usage(reader, name, window, periods))
        return Answer(200, wire.encode_variant_usage(found, usage.QUANTILES))

    async def timeseries(self, http: HttpRequest) -> Answer:
        """`GET /internal/feedback/timeseries`."""
        query = read_query(http, "function_name", "metric_name", "variant_names", "time_window", "max_periods")
        if "function_name" not in query:
            raise InvalidRequest("query: function_name is wanted")
        name = await self._known(http, query["function_name"])
        metric = self._metric(query.get("metric_name"))
        listed = query.get("variant_names")
        variants = None if listed is None else [part.strip() for part in listed.split(",") if part.strip()]
        ask = partial(
            performance.feedback_timeseries,
            function_name=name,
            metric=metric,
            window=choice_in(query, "time_window", SERIES),
            periods=_periods(query),
            variant_names=variants,
        )
        return Answer(200, wire.encode_timeseries(await self._ask(ask)))

    async def model_count(self, http: HttpRequest) -> Answer:
        """`GET /internal/models/count`."""
        read_query(http)
        functions = visible_functions(http)
        return Answer(
            200, wire.encode_model_count(await self._ask(lambda reader: usage.model_count(reader, functions)))
        )

    async def model_usage(self, http: HttpRequest) -> Answer:
        """`GET /internal/models/usage`."""
        window, periods = _lately(read_query(http, "time_window", "max_periods"))
        functions = visible_functions(http)
        found = await self._ask(lambda reader: usage.model_usage(reader, functions, window, periods))
        return Answer(200, wire.encode_model_usage(found))

    async def model_latency(self, http: HttpRequest) -> Answer:
        """`GET /internal/models/latency`."""
        window, functions = _window(read_query(http, "time_window")), visible_functions(http)
        now_ms = self.engine.clock.wall_ms()
        found = await self._ask(lambda reader: usage.model_latency(reader, functions, window, now_ms))
        return Answer(200, wire.encode_model_latency(found, usage.QUANTILES))

    async def cache_statistics(self, http: HttpRequest) -> Answer:
        """`GET /internal/models/cache_statistics`."""
        query = read_query(http, "time_window", "max_periods", "model_name", "model_provider_name")
        window, periods = _lately(query)
        ask = partial(
            usage.cache_statistics,
            functions=visible_functions(http),
            window=window,
            periods=periods,
            model_name=query.get("model_name"),
            provider_name=query.get("model_provider_name"),
        )
        return Answer(200, wire.encode_cache_statistics(await self._ask(ask)))

    async def _function(self, http: HttpRequest) -> str:
        return await self._known(http, http.params["function_name"])

    async def _known(self, http: HttpRequest, name: str) -> str:
        """Return the name of a function that the configuration or the record knows.

        Raises:
            Forbidden: the caller's key may not see it.
            NotFound: nobody knows it.
        """
        name = stored_name(name)
        check_visible(self.engine, http, name)
        if name not in self.engine.config.functions:
            where = Query(function_name=name, include_failed=True, limit=1, payloads=False)
            if not await self._ask(lambda reader: reader.find(where)):
                raise NotFound(f"Unknown function: {name[:80]!r}; neither the configuration nor the record has it")
        return name

    def _metric(self, name: str | None) -> Metric:
        metrics = self.engine.config.metrics
        if name is None:
            raise InvalidRequest("query: metric_name is wanted")
        if name not in metrics:
            raise NotFound(
                f"Unknown metric: {name[:80]!r}; the configuration has {', '.join(sorted(metrics)) or 'none'}"
            )
        return metrics[name]

    async def _ask(self, question: Callable[[Reader], T]) -> T:
        return await recorded(self.questions).ask(question)


def _window(query: dict[str, str]) -> Window:
    return choice_in(query, "time_window", WINDOWS)


def _lately(query: dict[str, str]) -> tuple[Window, int]:
    return _window(query), _periods(query)


def _periods(query: dict[str, str]) -> int:
    return number_in(query, "max_periods", _PERIODS, _MAX_PERIODS)


def _threshold(query: dict[str, str]) -> float:
    text = query.get("threshold", "0")
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value != value or value in (float("inf"), float("-inf")):
        raise InvalidRequest(f"query: threshold is {text[:40]!r}; write a number")
    return value
