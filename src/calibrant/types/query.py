"""Questions to the record, as values: which inferences, in which order, and what they add up to.

A store turns them into its own language; what they mean is said here, and every store answers alike.

A filter is true, false or unknown of an inference. A comparison with a metric is unknown where nobody gave a value of
it, `Not` of what is unknown is unknown, and `And` and `Or` follow SQL. Only inferences are found of which a filter is
true.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from calibrant.types.rows import Level, RowStatus

__all__ = [
    "Aggregate",
    "And",
    "BooleanMetric",
    "Comparison",
    "Demonstrated",
    "Filter",
    "FloatMetric",
    "Group",
    "MetricKey",
    "Moments",
    "Not",
    "Or",
    "Order",
    "OutputSource",
    "Query",
    "Scored",
    "Tagged",
    "Tally",
    "Time",
]

Comparison = Literal["<", "<=", "=", ">", ">=", "!="]
OutputSource = Literal["inference", "demonstration", "none"]
"""The output shown: the model's, the latest demonstration (inferences without one are left out), or none."""
Group = Literal["function", "variant", "model", "provider", "minute", "hour", "day", "week", "month"]
"""What to count by. Times are of the ids, in UTC; weeks begin on Monday."""


class MetricKey(Struct, frozen=True):
    """A metric, and what its feedback is on."""

    name: str
    level: Level
    """Of an inference, or of its episode: then all inferences of an episode have its value."""


class BooleanMetric(Struct, frozen=True, tag="boolean_metric"):
    """The latest feedback on a boolean metric is this value."""

    metric: MetricKey
    value: bool


class FloatMetric(Struct, frozen=True, tag="float_metric"):
    """The latest feedback on a float metric compares so with a value."""

    metric: MetricKey
    comparison: Comparison
    value: float


class Tagged(Struct, frozen=True, tag="tag"):
    """A tag has this value; or, with `same` false, it has another or is not there."""

    key: str
    value: str
    same: bool = True


class Time(Struct, frozen=True, tag="time"):
    """The inference began then. Ids know whole milliseconds."""

    comparison: Comparison
    micros: int
    """Unix time."""


class Demonstrated(Struct, frozen=True, tag="demonstration_feedback"):
    """Somebody showed what the output should have been; or, with `has` false, nobody did."""

    has: bool


class And(Struct, frozen=True, tag="and"):
    """All of them; none is true."""

    children: tuple[Filter, ...]


class Or(Struct, frozen=True, tag="or"):
    """One of them; none is false."""

    children: tuple[Filter, ...]


class Not(Struct, frozen=True, tag="not"):
    """The contrary."""

    child: Filter


Filter = And | Or | Not | BooleanMetric | FloatMetric | Tagged | Time | Demonstrated


class Order(Struct, frozen=True):
    """One term of an order. Inferences without a value of the metric come last in either direction."""

    by: Literal["time", "metric", "relevance"]
    """`relevance` is how often the text of the query occurs."""
    descending: bool = True
    metric: MetricKey | None = None
    """Of the order by a metric."""


class Query(Struct, frozen=True):
    """Which inferences. Failed and unfinished ones are left out unless asked for."""

    function_name: str | None = None
    variant_name: str | None = None
    episode_id: str | None = None
    status: RowStatus | None = None
    """Just these; overrides `include_failed`."""
    include_failed: bool = False
    before: str | None = None
    """Ids smaller than this one."""
    after: str | None = None
    """Ids greater than this one; the page is then the oldest of them, unless an order is given."""
    limit: int = 20
    payloads: bool = True
    offset: int = 0
    filters: Filter | None = None
    text: str | None = None
    """Occurs in the input or the output, upper or lower case: `store/search_text.py`. What is indexed is found."""
    order_by: tuple[Order, ...] = ()
    """Empty is by time, the newest first. Ties go by id, the newest first."""
    source: OutputSource = "inference"
    functions: tuple[str, ...] | None = None
    """Those that the caller may see; null is all. A name may end in `*`."""
    replays: bool = True
    """Whether inferences that replays made count; what is said of variants leaves them out."""


class Aggregate(Struct, frozen=True):
    """What inferences add up to; or calls of models, where a model or a provider is named or counted by."""

    where: Query = Query()
    """Which inferences; its order, limit and offset mean nothing here."""
    by: tuple[Group, ...] = ()
    model_name: str | None = None
    provider_name: str | None = None
    quantiles: tuple[float, ...] = ()
    """Each over 0 and at most 1: the smallest duration that so large a share of durations does not exceed."""

    @property
    def of_calls(self) -> bool:
        """Whether calls of models are counted, and not inferences."""
        asked = self.model_name is not None or self.provider_name is not None
        return asked or not {"model", "provider"}.isdisjoint(self.by)


class Tally(Struct, frozen=True):
    """One group of an aggregate. Groups come in the order of their keys; without `by` there is one, even of nothing."""

    key: tuple[str | int, ...] = ()
    """A value for each of `by`; of times, the Unix milliseconds at which the interval begins."""
    count: int = 0
    failed: int = 0
    """How many ended badly or never ended; none unless the query asks for such."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: str = "0"
    """US dollars, exact; of what has a known cost."""
    unpriced: int = 0
    """How many have no known cost."""
    processing_ms: tuple[float | None, ...] = ()
    """A duration for each quantile; null where there is none. Of calls it is the response's time."""
    ttft_ms: tuple[float | None, ...] = ()
    cache_read_tokens: int = 0
    """Of calls only, as are the next two."""
    cache_write_tokens: int = 0
    cached: int = 0
    """How many calls the response cache answered."""


class Scored(Struct, frozen=True):
    """What the latest feedback on one metric comes to, group by group.

    Of a metric of inferences each inference that has feedback is a row, and its episode the cluster. Of a metric of
    episodes each episode is a row that stands for the variant that served it, and for the time of its first inference;
    one that several variants of the function served is left out. Inferences that replays made are no rows.
    """

    function_name: str
    metric: MetricKey
    by: tuple[Group, ...] = ("variant",)
    """`variant` and times."""
    variant_name: str | None = None


class Moments(Struct, frozen=True):
    """Sums over the rows of one group that say all that a mean and its cluster-robust variance need."""

    key: tuple[str | int, ...]
    n: int
    mean: float
    squares: float
    """Σ (x - mean)² over the rows."""
    clusters: int
    sizes: int
    """Σ m² over the clusters, where m is how many rows one has."""
    moves: float
    """Σ (u / (n - m))² over the clusters, where u is Σ (x - mean) of one's rows: how far the mean moves without it."""
