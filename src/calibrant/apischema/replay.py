"""The bodies of `POST /v1/replay` and `POST /v1/inferences/render`, and what answers them.

Inbound shapes refuse unknown fields and take null wherever a field is optional.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from calibrant.apischema.inferences import MAX_LIMIT, ListBody
from calibrant.apischema.native import CacheOptions
from calibrant.apischema.statistics import IntervalShown
from calibrant.types.replay import SampleKind

__all__ = [
    "MAX_CONCURRENCY",
    "CaseLine",
    "DatasetChoice",
    "DifferenceShown",
    "FaultShown",
    "FiguresShown",
    "PromptShown",
    "RenderBody",
    "RenderedList",
    "RenderedShown",
    "ReplayBody",
    "RunLine",
    "SummaryLine",
    "UnrenderedShown",
]

MAX_CONCURRENCY = 64
_Ids = Annotated[list[str], Meta(min_length=1, max_length=MAX_LIMIT)]


class DatasetChoice(Struct, frozen=True, forbid_unknown_fields=True):
    """Datapoints of a dataset, by id."""

    name: str
    version: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    """The present one where it is null."""
    function_name: str | None = None
    limit: Annotated[int, Meta(ge=1, le=2**53)] | None = None


class ReplayBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`POST /v1/replay`: exactly one of the first three says what to ask, one of `variant_name` and `variant` how."""

    inference_ids: _Ids | None = None
    query: ListBody | None = None
    dataset: DatasetChoice | None = None
    variant_name: str | None = None
    variant: dict[str, Any] | None = None
    """As `internal_dynamic_variant_config` of `POST /inference`."""
    templates: dict[str, str] | None = None
    """Texts by the name of the template, in the place of those of `variant_name`."""
    dryrun: bool | None = None
    concurrency: Annotated[int, Meta(ge=1, le=MAX_CONCURRENCY)] | None = None
    cache_options: CacheOptions | None = None
    credentials: dict[str, str] | None = None


class RunLine(Struct, frozen=True, kw_only=True, tag="run"):
    """The first line."""

    run_id: str
    samples: int | None
    """Null where nobody counted them."""
    recorded: bool
    """Whether the inferences are in the record."""


class FiguresShown(Struct, frozen=True, kw_only=True):
    """What an answer cost; null is unknown."""

    input_tokens: int | None
    output_tokens: int | None
    cost: Decimal | None
    processing_time_ms: float | None


class FaultShown(Struct, frozen=True):
    """Why there is no answer."""

    code: str
    message: str


class CaseLine(Struct, frozen=True, kw_only=True, tag="case"):
    """What came of one sample."""

    number: int
    """Of the sample, from 0; lines come as cases are over."""
    sample_type: SampleKind
    sample_id: str
    function_name: str | None
    variant_name: str | None
    inference_id: str | None
    output: Any
    stored_output: Any
    same_output: bool | None
    usage: FiguresShown
    stored_usage: FiguresShown
    cached: bool
    error: FaultShown | None


class DifferenceShown(Struct, frozen=True, kw_only=True):
    """One figure over the cases of which both answers have it."""

    stored: IntervalShown
    replayed: IntervalShown
    difference: IntervalShown


class SummaryLine(Struct, frozen=True, kw_only=True, tag="summary"):
    """The last line: without it the run is not whole."""

    run_id: str
    cases: int
    failed: int
    cached: int
    total_cost: Decimal | None
    failure: IntervalShown
    same_output: IntervalShown
    input_tokens: DifferenceShown
    output_tokens: DifferenceShown
    cost: DifferenceShown
    processing_time_ms: DifferenceShown


class RenderBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`POST /v1/inferences/render`."""

    inference_ids: Annotated[list[str], Meta(max_length=MAX_LIMIT)] | None = None
    datapoint_ids: Annotated[list[str], Meta(max_length=MAX_LIMIT)] | None = None
    variants: dict[str, str]
    """By the name of the function, the variant whose templates are to be used."""


class PromptShown(Struct, frozen=True):
    """What a model would be told."""

    system: str | None
    messages: list[Any]


class RenderedShown(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="outcome", tag="rendered"):
    """One sample, rendered."""

    type: SampleKind
    id: str
    function_name: str
    variant_name: str
    input: PromptShown
    stored_input: Any
    stored_output: Any
    episode_id: str | None
    tags: dict[str, str]
    tools: list[Any]
    """Every tool that a model would be told of."""
    output_schema: dict[str, Any] | None
    tool_choice: Any | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET


class UnrenderedShown(Struct, frozen=True, tag_field="outcome", tag="failed"):
    """One sample that could not be rendered."""

    type: SampleKind
    id: str
    error: FaultShown


class RenderedList(Struct, frozen=True):
    """The samples, in the order asked: inferences, then datapoints."""

    samples: list[RenderedShown | UnrenderedShown]
