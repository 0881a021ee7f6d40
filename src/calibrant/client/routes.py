"""The smaller routes: feedback, embeddings, models, the cache, workflow evaluations, status, health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from calibrant.apischema.lookups import FeedbackShown
from calibrant.apischema.openai_answer import ListedModel, ModelList
from calibrant.apischema.openai_embeddings import Embedding
from calibrant.client.call import Call, get, post, segment
from calibrant.client.inference import Id, RawResponseEntry

__all__ = [
    "EmbeddingsResponse",
    "EmbeddingsUsage",
    "FeedbackResponse",
    "HealthResponse",
    "ListFeedbackResponse",
    "ListModelsResponse",
    "ListedModel",
    "PurgeCacheResponse",
    "StatusResponse",
    "StoredFeedback",
    "WorkflowEvaluationRunEpisodeResponse",
    "WorkflowEvaluationRunResponse",
    "embeddings",
    "feedback",
    "health",
    "list_feedback",
    "list_models",
    "purge_cache",
    "status",
    "workflow_evaluation_run",
    "workflow_evaluation_run_episode",
]


StoredFeedback = FeedbackShown
ListModelsResponse = ModelList


class FeedbackResponse(Struct, frozen=True):
    """The feedback was accepted."""

    feedback_id: str


class ListFeedbackResponse(Struct, frozen=True):
    """Feedback, the newest first."""

    feedback: tuple[StoredFeedback, ...]


class PurgeCacheResponse(Struct, frozen=True):
    """How many answers the response cache has forgotten."""

    purged: int


class EmbeddingsUsage(Struct, frozen=True, kw_only=True):
    """Tokens of an embedding and what they cost; null is unknown."""

    prompt_tokens: int | None = None
    total_tokens: int | None = None
    cost: Decimal | None = field(name="tensorzero_cost", default=None)
    """US dollars, with every digit."""


class EmbeddingsResponse(Struct, frozen=True, kw_only=True):
    """Vectors, in the order of the inputs."""

    data: tuple[Embedding, ...]
    model: str
    usage: EmbeddingsUsage | None = None
    raw_response: tuple[RawResponseEntry, ...] | None = field(name="tensorzero_raw_response", default=None)


class WorkflowEvaluationRunResponse(Struct, frozen=True):
    """A run has begun."""

    run_id: str


class WorkflowEvaluationRunEpisodeResponse(Struct, frozen=True):
    """An episode of a run has begun: inferences with this id are its."""

    episode_id: str


class StatusResponse(Struct, frozen=True):
    """That the gateway runs, and what."""

    status: str
    version: str
    config_hash: str = ""


class HealthResponse(Struct, frozen=True):
    """How the gateway is: each part `ok`, or `error: why`."""

    gateway: str
    database: str
    spool: str
    keys: str | None = None
    """Whether API keys can be checked; null where none is asked for."""


def feedback(
    *,
    metric_name: str,
    value: Any,
    inference_id: Id | None = None,
    episode_id: Id | None = None,
    dryrun: bool | None = None,
    internal: bool | None = None,
    tags: Mapping[str, str] | None = None,
) -> Call[FeedbackResponse]:
    """Judge an inference or an episode: a configured metric, a `comment`, or a `demonstration`."""
    body = {
        "metric_name": metric_name,
        "value": value,
        "inference_id": inference_id,
        "episode_id": episode_id,
        "dryrun": dryrun,
        "internal": internal,
        "tags": tags,
    }
    return post("/feedback", body, FeedbackResponse, repeat="unless_begun")


def list_feedback(
    *, target_id: Id, before: Id | None = None, after: Id | None = None, limit: int | None = None
) -> Call[ListFeedbackResponse]:
    """Read the feedback on an inference or an episode, the newest first."""
    path = f"/internal/feedback/{segment(target_id, 'target_id')}"
    return get(path, ListFeedbackResponse, before=before, after=after, limit=limit)


def embeddings(  # noqa: PLR0913 - the fields of the protocol
    *,
    input: str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]],  # noqa: A002 - the protocol's name
    model_name: str,
    dimensions: int | None = None,
    encoding_format: Literal["float", "base64"] | None = None,
    namespace: str | None = None,
    dryrun: bool | None = None,
    credentials: Mapping[str, str] | None = None,
    cache_options: Mapping[str, Any] | None = None,
    include_raw_response: bool | None = None,
) -> Call[EmbeddingsResponse]:
    """Embed texts with a configured embedding model, or a shorthand such as `openai::text-embedding-3-small`."""
    body = {
        "model": f"tensorzero::embedding_model_name::{model_name}",
        "input": input,
        "dimensions": dimensions,
        "encoding_format": encoding_format,
        "tensorzero::namespace": namespace,
        "tensorzero::dryrun": dryrun,
        "tensorzero::credentials": credentials,
        "tensorzero::cache_options": cache_options,
        "tensorzero::include_raw_response": include_raw_response,
    }
    return post("/openai/v1/embeddings", body, EmbeddingsResponse, repeat="unless_begun")


def list_models() -> Call[ListModelsResponse]:
    """Read what may be asked: functions, models and embedding models, under the names that OpenAI's `model` takes."""
    return get("/openai/v1/models", ListModelsResponse)


def purge_cache(*, model_name: str | None = None) -> Call[PurgeCacheResponse]:
    """Have the response cache forget the answers of one model, or all that it has."""
    asked = get("/v1/cache", PurgeCacheResponse, model_name=model_name)
    return msgspec.structs.replace(asked, method="DELETE")


def workflow_evaluation_run(
    *,
    variants: Mapping[str, str],
    tags: Mapping[str, str] | None = None,
    project_name: str | None = None,
    display_name: str | None = None,
) -> Call[WorkflowEvaluationRunResponse]:
    """Begin a run of a workflow, with the variants that its functions shall use."""
    body = {"variants": variants, "tags": tags, "project_name": project_name, "display_name": display_name}
    return post("/workflow_evaluation_run", body, WorkflowEvaluationRunResponse, repeat="unless_sent")


def workflow_evaluation_run_episode(
    *, run_id: Id, task_name: str | None = None, tags: Mapping[str, str] | None = None
) -> Call[WorkflowEvaluationRunEpisodeResponse]:
    """Begin an episode of a run: one task of the workflow."""
    path = f"/workflow_evaluation_run/{segment(run_id, 'run_id')}/episode"
    body = {"task_name": task_name, "tags": tags}
    return post(path, body, WorkflowEvaluationRunEpisodeResponse, repeat="unless_sent")


def status() -> Call[StatusResponse]:
    """Ask whether the gateway runs, and what."""
    return get("/status", StatusResponse)


def health() -> Call[HealthResponse]:
    """Ask how the gateway is. Where it has no room to record, or cannot check keys, that is a `GatewayFailed`."""
    # Whoever asks wants to know how it is now, and not how it will be in a moment.
    return msgspec.structs.replace(get("/health", HealthResponse), repeat="unless_sent")
