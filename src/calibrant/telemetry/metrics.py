"""Metrics: plain numbers in the worker, merged over the host, written as Prometheus text.

The line adds to integers in a dictionary. Each process publishes them into the run folder now and then;
whoever is asked for `/metrics` merges what all of them published. Counters of a worker that is gone stay
until the gateway starts anew, so that the host's sums never fall.
Each metric is exposed under two names: `calibrant_X`, and `tensorzero_X` for dashboards that know that one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

__all__ = [
    "COUNTERS",
    "OVERHEAD",
    "Figures",
    "Histogram",
    "InferenceLabels",
    "Metrics",
    "Spent",
    "exposition",
    "forget_published",
    "merge",
    "read_published",
]

COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "requests": ("HTTP requests to inference, embeddings and feedback routes.", ("endpoint", "status")),
    "inferences": ("Inferences made.", ("endpoint", "function_name", "model_name", "status")),
    "input_tokens": ("Input tokens, as providers reported them.", ("model_name",)),
    "output_tokens": ("Output tokens, as providers reported them.", ("model_name",)),
    "cost_usd": ("US dollars that calls of providers cost, as far as that is known.", ("model_name",)),
    "unknown_costs": ("Calls of providers that made something and whose cost is unknown.", ("model_name",)),
    "provider_errors": ("Failed calls of providers.", ("model_name", "provider_name", "code")),
    "cache_hits": ("Calls that the response cache answered.", ("model_name",)),
    "cache_misses": ("Calls that asked the response cache in vain.", ("model_name",)),
    "breaker_opened": ("Times that a provider's circuit breaker opened.", ("model_name", "provider_name")),
    "breaker_closed": (
        "Times that a provider whose circuit breaker was open recovered.",
        ("model_name", "provider_name"),
    ),
    "breaker_skipped": (
        "Calls that went around a provider with an open circuit breaker.",
        ("model_name", "provider_name"),
    ),
    "credential_failures": ("Failed tries to fetch or renew a credential.", ("kind",)),
    "judge_failures": (
        "Judges and fusers that could not answer, so that a candidate was picked by chance.",
        ("function_name", "variant_name"),
    ),
    "file_failures": ("Files that could not be fetched, kept or uploaded.", ("step",)),
    "batches": ("Batches, by what became of them: accepted, completed, failed, cancelled.", ("status",)),
    "feedback": ("Feedback accepted.", ("metric_name",)),
    "auth_refused": ("Requests refused for want of a good API key, or of what it opens.", ("reason",)),
    "rejected": ("Requests refused because the spool had no room.", ()),
    "internal_errors": ("Faults of the gateway itself.", ("where",)),
}
"""Every counter: what it counts, and by which labels."""

InferenceLabels = tuple[str, str, str, str, str]
"""Endpoint, function, model, variant, and `ok` or the error's code."""

OVERHEAD = "inference_latency_overhead_seconds"
_OVERHEAD_HELP = "Time of the gateway beyond the time of the provider."
_OVERHEAD_LABELS = ("function_name", "variant_name")


class Histogram(msgspec.Struct):
    """Counts per bucket (the last one is everything above), and the sum of what was observed."""

    counts: list[int]
    total: float = 0.0


class Figures(msgspec.Struct):
    """Everything that one process has counted."""

    buckets: tuple[float, ...] = ()
    counters: dict[str, list[tuple[tuple[str, ...], float]]] = {}
    overhead: list[tuple[tuple[str, ...], Histogram]] = []


class Spent(msgspec.Struct, frozen=True):
    """What the calls of one inference took."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    """Of those whose cost is known, in US dollars."""
    unknown_costs: int = 0
    """How many have another."""


class _Inferences(msgspec.Struct):
    """What is counted of inferences that share their labels: one look-up an inference, not five."""

    n: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    unknown_costs: int = 0
    overhead: list[int] = []
    overhead_total: float = 0.0


_decoder = msgspec.json.Decoder(Figures)


class Metrics:
    """The counters of this process."""

    __slots__ = ("_buckets", "_counters", "_inferences")

    def __init__(self, buckets: Sequence[float] = ()) -> None:
        """Start at zero.

        Args:
            buckets: Upper bounds in seconds of the overhead histogram; empty turns it off.
        """
        self._buckets = tuple(sorted(buckets))
        self._counters: dict[str, dict[tuple[str, ...], float]] = {}
        self._inferences: dict[InferenceLabels, _Inferences] = {}

    def count(self, name: str, labels: tuple[str, ...] = (), amount: float = 1) -> None:
        """Add to a counter of `COUNTERS`; labels in the order given there."""
        values = self._counters.setdefault(name, {})
        values[labels] = values.get(labels, 0) + amount

    def count_inference(self, labels: InferenceLabels, spent: Spent, overhead_s: float) -> None:
        """Add one inference: to its counter, what it took, and the histogram of the gateway's own time."""
        entry = self._inferences.get(labels)
        if entry is None:
            entry = self._inferences[labels] = _Inferences(overhead=[0] * (len(self._buckets) + 1))
        entry.n += 1
        entry.input_tokens += spent.input_tokens
        entry.output_tokens += spent.output_tokens
        entry.cost += spent.cost
        entry.unknown_costs += spent.unknown_costs
        entry.overhead[bisect_left(self._buckets, overhead_s)] += 1
        entry.overhead_total += overhead_s

    def figures(self) -> Figures:
        """Return a copy of everything counted so far."""
        sums = Metrics()
        overhead: dict[tuple[str, ...], Histogram] = {}
        for name, values in self._counters.items():
            for labels, amount in values.items():
                sums.count(name, labels, amount)
        for (endpoint, function_name, model_name, variant_name, status), entry in self._inferences.items():
            sums.count("inferences", (endpoint, function_name, model_name, status), entry.n)
            sums.count("input_tokens", (model_name,), entry.input_tokens)
            sums.count("output_tokens", (model_name,), entry.output_tokens)
            sums.count("cost_usd", (model_name,), entry.cost)
            sums.count("unknown_costs", (model_name,), entry.unknown_costs)
            _add(overhead, (function_name, variant_name), Histogram(entry.overhead, entry.overhead_total))
        return Figures(
            buckets=self._buckets,
            counters={name: list(values.items()) for name, values in sums._counters.items()},
            overhead=list(overhead.items()) if self._buckets else [],
        )

    def publish(self, path: Path) -> None:
        """Write the figures to a file that others read; they see the old or the new ones, never half."""
        draft = path.with_suffix(".draft")
        draft.write_bytes(msgspec.json.encode(self.figures()))
        draft.replace(path)


def read_published(folder: Path, *, but: Path | None = None) -> list[Figures]:
    """Return what the processes of this host have published, leaving out the file `but`."""
    found: list[Figures] = []
    for path in sorted(folder.glob("*.metrics")):
        # A file that a power cut left empty is no reason to show nothing.
        with suppress(msgspec.MsgspecError, FileNotFoundError):
            if path != but:
                found.append(_decoder.decode(path.read_bytes()))
    return found


def forget_published(folder: Path) -> None:
    """Remove what the processes of a gateway that has ended had published."""
    for path in folder.glob("*.metrics"):
        path.unlink(missing_ok=True)


def merge(parts: Iterable[Figures]) -> Figures:
    """Return the sums over several processes. Histograms with other buckets than the last part's are left out."""
    counters: dict[str, dict[tuple[str, ...], float]] = {}
    overhead: dict[tuple[str, ...], Histogram] = {}
    parts = list(parts)
    buckets = parts[-1].buckets if parts else ()
    for part in parts:
        for name, values in part.counters.items():
            sums = counters.setdefault(name, {})
            for labels, value in values:
                sums[labels] = sums.get(labels, 0) + value
        if part.buckets != buckets:
            continue
        for labels, histogram in part.overhead:
            _add(overhead, labels, histogram)
    return Figures(buckets, {name: list(v.items()) for name, v in counters.items()}, list(overhead.items()))


def _add(sums: dict[tuple[str, ...], Histogram], labels: tuple[str, ...], histogram: Histogram) -> None:
    into = sums.setdefault(labels, Histogram([0] * len(histogram.counts)))
    into.counts = [a + b for a, b in zip(into.counts, histogram.counts, strict=True)]
    into.total += histogram.total


def exposition(figures: Figures, gauges: Iterable[tuple[str, str, float]] = ()) -> bytes:
    """Return the Prometheus text of the figures and of gauges given as (name, help, value)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fixed([*_families(figures), *_gauges(gauges)]))
    return generate_latest(registry)


class _Fixed(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _families(figures: Figures) -> list[Metric]:
    families: list[Metric] = []
    for prefix in ("calibrant", "tensorzero"):
        for name, (text, labels) in COUNTERS.items():
            counter = CounterMetricFamily(f"{prefix}_{name}", text, labels=labels)
            for values, amount in figures.counters.get(name, []):
                counter.add_metric(list(values), amount)
            families.append(counter)
        if figures.buckets:
            families.append(_histogram(prefix, figures))
    return families


def _histogram(prefix: str, figures: Figures) -> Metric:
    family = HistogramMetricFamily(f"{prefix}_{OVERHEAD}", _OVERHEAD_HELP, labels=_OVERHEAD_LABELS)
    bounds = [*(str(bound) for bound in figures.buckets), "+Inf"]
    for labels, histogram in figures.overhead:
        reached = 0
        cumulated: list[tuple[str, float]] = []
        for bound, count in zip(bounds, histogram.counts, strict=True):
            reached += count
            cumulated.append((bound, reached))
        family.add_metric(list(labels), cumulated, histogram.total)
    return family


def _gauges(gauges: Iterable[tuple[str, str, float]]) -> list[Metric]:
    return [GaugeMetricFamily(f"calibrant_{name}", text, value=value) for name, text, value in gauges]
