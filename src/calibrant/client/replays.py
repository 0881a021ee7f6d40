"""Replay and rendering: what was recorded asked again, and what a model would be told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from calibrant.apischema.replay import (
    CaseLine,
    DifferenceShown,
    FaultShown,
    FiguresShown,
    PromptShown,
    RenderedList,
    RenderedShown,
    RunLine,
    SummaryLine,
    UnrenderedShown,
)
from calibrant.apischema.statistics import IntervalShown
from calibrant.client.call import Call, post, send
from calibrant.client.datasets import Datapoint
from calibrant.client.inference import Id
from calibrant.client.inferences import ListInferencesRequest, StoredInference

__all__ = [
    "Interval",
    "RenderFailed",
    "RenderedPrompt",
    "RenderedSample",
    "RenderedSamples",
    "ReplayCase",
    "ReplayDataset",
    "ReplayDifference",
    "ReplayError",
    "ReplayFigures",
    "ReplayLine",
    "ReplayRun",
    "ReplaySummary",
    "experimental_render_samples",
    "render",
    "replay",
]

ReplayRun = RunLine
ReplayCase = CaseLine
ReplaySummary = SummaryLine
ReplayLine = RunLine | CaseLine | SummaryLine
ReplayFigures = FiguresShown
ReplayDifference = DifferenceShown
ReplayError = FaultShown
Interval = IntervalShown
RenderedSample = RenderedShown
RenderedSamples = RenderedList
RenderedPrompt = PromptShown
RenderFailed = UnrenderedShown


class ReplayDataset(Struct, frozen=True, omit_defaults=True):
    """Datapoints of a dataset, by id; of the present version where none is named."""

    name: str
    version: int | None = None
    function_name: str | None = None
    limit: int | None = None


def replay(  # noqa: PLR0913 - the fields of the body
    *,
    inference_ids: Sequence[Id] | None = None,
    query: ListInferencesRequest | Mapping[str, Any] | None = None,
    dataset: ReplayDataset | Mapping[str, Any] | None = None,
    variant_name: str | None = None,
    variant: Mapping[str, Any] | None = None,
    templates: Mapping[str, str] | None = None,
    dryrun: bool | None = None,
    concurrency: int | None = None,
    cache_options: Mapping[str, Any] | None = None,
    credentials: Mapping[str, str] | None = None,
) -> Call[ReplayLine]:
    """Ask inferences, those of a query or a dataset again, and take what comes of each as it is over.

    The first is a `ReplayRun`, the last a `ReplaySummary`: a run that ends without one broke off. `variant_name` says
    through which variant, `templates` has other texts for some of its templates, `variant` is one that no
    configuration has. Closed before its end, the run asks nothing more.
    """
    body = {
        "inference_ids": inference_ids,
        "query": query,
        "dataset": dataset,
        "variant_name": variant_name,
        "variant": variant,
        "templates": templates,
        "dryrun": dryrun,
        "concurrency": concurrency,
        "cache_options": cache_options,
        "credentials": credentials,
    }
    return send("POST", "/v1/replay", body, ReplayLine, repeat="unless_begun")


def render(
    *,
    variants: Mapping[str, str],
    inference_ids: Sequence[Id] | None = None,
    datapoint_ids: Sequence[Id] | None = None,
) -> Call[RenderedSamples]:
    """Say what a model would be told of inferences and datapoints by variants, which `variants` names by function."""
    body = {"variants": variants, "inference_ids": inference_ids, "datapoint_ids": datapoint_ids}
    return post("/v1/inferences/render", body, RenderedSamples)


def experimental_render_samples(
    *,
    stored_samples: Sequence[StoredInference | Datapoint],
    variants: Mapping[str, str],
    concurrency: int | None = None,
) -> Call[list[RenderedSample]]:
    """Render samples as TensorZero's client does: those that cannot be are left out. `concurrency` changes nothing."""
    inferences = [each.inference_id for each in stored_samples if not isinstance(each, Datapoint)]
    datapoints = [each.id for each in stored_samples if isinstance(each, Datapoint)]
    call = render(variants=variants, inference_ids=inferences, datapoint_ids=datapoints)

    def read(body: bytes) -> list[RenderedSample]:
        return [each for each in call.read(body).samples if isinstance(each, RenderedSample)]

    return Call(method=call.method, path=call.path, body=call.body, headers=call.headers, read=read)
