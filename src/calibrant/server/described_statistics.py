"""What the routes of statistics, look-ups and workflow evaluations take and answer; rows of `described.py`."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from msgspec import Meta
from msgspec.structs import replace

from calibrant.apischema import inferences, lookups, workflow
from calibrant.apischema import statistics as shown
from calibrant.insights.periods import Series, Window
from calibrant.server.description import LIMIT, Described, Parameter

__all__ = ["STATISTICS", "STATISTICS_READ_AS"]

_NONE: Final = (404,)
_FUNCTION: Final = "GET /internal/functions/{function_name}"
_TARGET: Final = "GET /internal/feedback/{target_id}"
_WORKFLOW: Final = "GET /internal/workflow_evaluations"
_WINDOW: Final = Parameter("time_window", Window, "How long a period is.", required=True)
_PERIODS: Final = Parameter(
    "max_periods", Annotated[int, Meta(ge=1, le=10_000)], "How many of the last; 10 where it is left out."
)
_SERIES: Final = (_WINDOW, _PERIODS)
_POINTS: Final = (replace(_WINDOW, kind=Series), _PERIODS)
_METRIC: Final = Parameter("metric_name", str, "A configured metric.", required=True)
_OF_FUNCTION: Final = Parameter("function_name", str, "Of one function alone.")
_OF_VARIANT: Final = Parameter("variant_name", str, "Of one variant alone.")
_OFFSET: Final = Parameter("offset", Annotated[int, Meta(ge=0)], "How many to leave out.")
_CURSORS: Final = (
    Parameter("before", UUID, "What came before this id, the newest first; not with `after`."),
    Parameter("after", UUID, "What came after this id; not with `before`."),
)
_PAGE: Final = Parameter("limit", Annotated[int, Meta(ge=1, le=1000)], "Size of the page; 20 where it is left out.")
_FEW: Final = Parameter("limit", Annotated[int, Meta(ge=1, le=100)], "Size of the page; 20 where it is left out.")
_TASKS: Final = Parameter("limit", Annotated[int, Meta(ge=1, le=1000)], "Size of the page; 15 where it is left out.")
_RUN: Final = Parameter("run_id", UUID, "Of this run.", required=True)
_RUNS: Final = Parameter("run_ids", str, "Ids of runs, with commas between them.")
_PROJECT: Final = Parameter("project_name", str, "Of one project alone.")
_FEEDBACK: Final = Described(tag="record", answer=lookups.FeedbackList, parameters=(*_CURSORS, LIMIT))
_CONFIG: Final = Described(tag="record", answer=lookups.ConfigShown, fails=_NONE)
_EPISODES: Final = Described(tag="workflows", answer=workflow.EpisodeList, parameters=(_RUN, _TASKS, _OFFSET))


def _seen(answer: type, *parameters: Parameter) -> Described:
    return Described(tag="statistics", answer=answer, parameters=parameters, fails=_NONE)


def _told(answer: type, *parameters: Parameter) -> Described:
    return Described(tag="record", answer=answer, parameters=parameters)


def _evaluated(answer: type, *parameters: Parameter) -> Described:
    return Described(tag="workflows", answer=answer, parameters=parameters)


STATISTICS: Final[dict[str, Described]] = {
    "GET /internal/functions/inference_counts": _seen(shown.FunctionCounts),
    f"{_FUNCTION}/inference_count": _seen(
        shown.InferenceCount, _OF_VARIANT, Parameter("group_by", {"enum": ["variant"]}, "Counts each variant, too.")
    ),
    f"{_FUNCTION}/inference_count/{{metric_name}}": _seen(
        shown.FeedbackCount, Parameter("threshold", float, "From which value of a float metric on to count; 0.")
    ),
    f"{_FUNCTION}/metrics": _seen(shown.FunctionMetrics),
    f"{_FUNCTION}/variant_performances": _seen(shown.Performances, _METRIC, _WINDOW, _OF_VARIANT),
    f"{_FUNCTION}/variant_sampling_probabilities": _seen(
        shown.SamplingProbabilities, Parameter("namespace", str, "Of requests of this namespace.")
    ),
    f"{_FUNCTION}/throughput_by_variant": _seen(shown.Throughput, *_SERIES),
    f"{_FUNCTION}/variant_usage": _seen(shown.VariantUsage, *_SERIES),
    "GET /internal/feedback/timeseries": _seen(
        shown.Timeseries,
        Parameter("function_name", str, "A function.", required=True),
        _METRIC,
        Parameter("variant_names", str, "Of these variants alone, with commas between them."),
        *_POINTS,
    ),
    "GET /internal/models/count": _seen(shown.ModelCount),
    "GET /internal/models/usage": _seen(shown.ModelUsage, *_SERIES),
    "GET /internal/models/latency": _seen(shown.ModelLatency, _WINDOW),
    "GET /internal/models/cache_statistics": _seen(
        shown.CacheStatistics,
        *_SERIES,
        Parameter("model_name", str, "Of one model alone."),
        Parameter("model_provider_name", str, "Of one provider alone."),
    ),
    _TARGET: _FEEDBACK,
    f"{_TARGET}/demonstrations": _FEEDBACK,
    f"{_TARGET}/bounds": _told(lookups.FeedbackBounds),
    f"{_TARGET}/latest_id_by_metric": _told(lookups.LatestByMetric),
    f"{_TARGET}/count": _told(workflow.Counted),
    "GET /internal/model_inferences/{inference_id}": _told(lookups.ModelInferenceList),
    "GET /internal/inference_metadata": _told(
        lookups.MetadataList,
        *_CURSORS,
        _PAGE,
        _OF_FUNCTION,
        _OF_VARIANT,
        Parameter("episode_id", UUID, "Of one episode alone."),
    ),
    "POST /internal/inferences/count": Described(
        tag="record", body=inferences.ListBody, answer=workflow.Counted, fails=_NONE, example={}
    ),
    "GET /internal/resolve_uuid/{id}": _told(lookups.Resolved),
    "GET /internal/episodes": _told(lookups.EpisodeList, *_CURSORS, _FEW, _OF_FUNCTION),
    "POST /internal/episodes": Described(
        tag="record", body=inferences.ListBody, answer=lookups.EpisodeList, fails=_NONE, example={"limit": 10}
    ),
    "GET /internal/episodes/bounds": _told(lookups.Bounds),
    "GET /internal/episodes/{episode_id}/inference_count": Described(
        tag="record",
        answer={
            "type": "object",
            "properties": {"inference_count": {"type": "integer"}},
            "required": ["inference_count"],
        },
    ),
    "GET /internal/config": _CONFIG,
    "GET /internal/config/{hash}": _CONFIG,
    "POST /workflow_evaluation_run": Described(
        tag="workflows",
        body=workflow.RunBody,
        answer=workflow.StartedRun,
        fails=_NONE,
        example={"variants": {"my_function": "my_variant"}, "project_name": "support"},
    ),
    "POST /workflow_evaluation_run/{run_id}/episode": Described(
        tag="workflows",
        body=workflow.EpisodeBody,
        body_wanted=False,
        answer=workflow.StartedEpisode,
        fails=_NONE,
        example={"task_name": "first"},
    ),
    f"{_WORKFLOW}/projects": _evaluated(workflow.ProjectList, LIMIT, _OFFSET),
    f"{_WORKFLOW}/projects/count": _evaluated(workflow.Counted),
    f"{_WORKFLOW}/list_runs": _evaluated(
        workflow.RunList, LIMIT, _OFFSET, _PROJECT, Parameter("run_id", str, "These runs, with commas between them.")
    ),
    f"{_WORKFLOW}/get_runs": _evaluated(workflow.RunList, _RUNS, _PROJECT),
    f"{_WORKFLOW}/runs/count": _evaluated(workflow.Counted),
    f"{_WORKFLOW}/runs/search": _evaluated(
        workflow.RunList, LIMIT, _OFFSET, _PROJECT, Parameter("q", str, "Text in the name or the id.")
    ),
    f"{_WORKFLOW}/episodes_by_task_name": _evaluated(workflow.EpisodeGroups, _RUNS, _TASKS, _OFFSET),
    f"{_WORKFLOW}/episodes_by_task_name/count": _evaluated(workflow.Counted, _RUNS),
    f"{_WORKFLOW}/run_statistics": _evaluated(
        workflow.RunStatistics, _RUN, Parameter("metric_name", str, "One metric alone.")
    ),
    f"{_WORKFLOW}/run_episodes": _EPISODES,
    f"{_WORKFLOW}/run_episodes/count": _evaluated(workflow.Counted, _RUN),
}

_Price = float | None
STATISTICS_READ_AS: Final[dict[tuple[type, str], Any]] = {
    (shown.VariantPoint, "cost"): _Price,
    (shown.ModelPoint, "cost"): _Price,
    (lookups.ModelInferenceShown, "cost"): _Price,
}
