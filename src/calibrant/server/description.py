"""What can be said of a route, for the OpenAPI document. The rows are in `described.py` and its neighbours."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

__all__ = ["LIMIT", "PATHS", "TAGS", "Described", "Parameter", "Tag"]

Tag = Literal["inference", "batches", "record", "statistics", "workflows", "datasets", "keys", "cache", "host"]
TAGS: Final[dict[Tag, str]] = {
    "inference": "Inferences in every dialect, embeddings, and feedback.",
    "batches": "Many inferences, made later.",
    "record": "What the record has.",
    "statistics": "What the record adds up to.",
    "workflows": "Evaluations of whole workflows: runs and their episodes.",
    "datasets": "Datapoints: inputs, with the outputs that are wanted.",
    "keys": "API keys, and what was done to them.",
    "cache": "The response cache.",
    "host": "The gateway itself.",
}
"""The groups of routes, in the order of the documentation."""


class Parameter(Struct, frozen=True):
    """A parameter of a query, or a header field."""

    name: str
    kind: Any
    """Its type."""
    text: str
    required: bool = False
    place: Literal["query", "header"] = "query"
    json: bool = False
    """Whether its text is JSON."""


class Described(Struct, frozen=True, kw_only=True):
    """What one route takes and answers. A type may also be several, or a JSON Schema."""

    tag: Tag
    answer: Any
    """Of status 200; null where the answer is no JSON."""
    body: Any = None
    """Null where there is none."""
    body_wanted: bool = True
    """Whether a request without a body is refused."""
    body_type: str = "application/json"
    parameters: tuple[Parameter, ...] = ()
    events: Any = None
    """What events hold, where the answer may come as such; null where it may not."""
    raw: tuple[type, ...] = ()
    """Fields that stand in the answer beside its own, where a caller asks for them."""
    fails: tuple[int, ...] = ()
    """Statuses of errors beside those that any route has."""
    also: dict[int, Any] = {}
    """Answers of other statuses that are no errors in the route's dialect, in their place or beside them."""
    content_type: str = "application/json"
    example: Any = None
    """A body for people to copy; there is one where there is a body."""


LIMIT: Final = Parameter("limit", Annotated[int, Meta(ge=1, le=1000)], "Size of the page; 100 where it is left out.")

PATHS: Final = {
    "batch_id": "The id that the batch was answered with.",
    "inference_id": "The id of an inference.",
    "id": "An id; of a response `resp_` and an inference's id, or that id alone.",
    "function_name": "The name of a function.",
    "metric_name": "The name of a metric.",
    "target_id": "The id of an inference or an episode.",
    "episode_id": "The id of an episode.",
    "run_id": "The id of a run.",
    "hash": "The hash of a configuration, as rows have it.",
    "dataset_name": "The name of a dataset.",
    "confirmation_id": "The id that a confirmation was answered with.",
    "public_id": "The twelve characters of a key that are no secret.",
}
"""What the parameters of paths are, by name."""
