"""The table of routes: one line each, with the roles that open it."""

from __future__ import annotations

from typing import Final

from calibrant.engine.engine import Engine
from calibrant.server.batches import BatchDesk
from calibrant.server.cache import purge_handler
from calibrant.server.confirmations import ConfirmationDesk
from calibrant.server.dataset_files import FileDesk
from calibrant.server.datasets import DatasetDesk
from calibrant.server.embeddings import embeddings_handler
from calibrant.server.erasure import Erase, erasure_handler
from calibrant.server.feedback import feedback_handler
from calibrant.server.host import Host
from calibrant.server.http import Handler
from calibrant.server.inference import MESSAGES, NATIVE, OPENAI_CHAT, OPENAI_RESPONSES, count_handler, inference_handler
from calibrant.server.inference_files import InferenceFileDesk
from calibrant.server.inferences import InferenceDesk
from calibrant.server.keys import KeyDesk
from calibrant.server.lookups import LookupDesk
from calibrant.server.models import models_handler
from calibrant.server.object_storage import object_handler
from calibrant.server.reference import Reference
from calibrant.server.replay import ReplayDesk
from calibrant.server.responses import response_handler
from calibrant.server.routes import OPEN, Route
from calibrant.server.statistics import StatisticsDesk
from calibrant.server.workflow import WorkflowDesk
from calibrant.types.key import Role

__all__ = ["ADMIN", "CONFIRM", "CURATE", "FEEDBACK", "INFERENCE", "READ", "routes"]

INFERENCE: Final[frozenset[Role]] = frozenset(("inference",))
FEEDBACK: Final[frozenset[Role]] = frozenset(("feedback",))
READ: Final[frozenset[Role]] = frozenset(("read", "optimizer", "confirmer"))
CURATE: Final[frozenset[Role]] = frozenset(("optimizer",))
"""To write datasets."""
CONFIRM: Final[frozenset[Role]] = frozenset(("confirmer",))
"""To spend of the error budget: not an optimizer's to do."""
ADMIN: Final[frozenset[Role]] = frozenset(("admin",))
"""`admin` opens every route; these are opened by nothing else."""


def routes(  # noqa: PLR0913 - one thing to work on for each kind of handler
    engine: Engine,
    host: Host,
    desk: KeyDesk | None = None,
    batches: BatchDesk | None = None,
    recorded: InferenceDesk | None = None,
    datasets: DatasetDesk | None = None,
    workflows: WorkflowDesk | None = None,
    erase: Erase | None = None,
    confirmations: ConfirmationDesk | None = None,
) -> list[Route]:
    """Return every route that the gateway answers."""
    desk = desk or KeyDesk(None, engine.clock)
    batches = batches or BatchDesk(engine, None, lambda: None)
    recorded = recorded or InferenceDesk(engine, None)
    workflows = workflows or WorkflowDesk(engine, None, None)
    datasets = datasets or DatasetDesk(engine, None)
    confirmations = confirmations or ConfirmationDesk(None, engine.clock)
    replays = ReplayDesk(engine, recorded.questions, datasets)
    infer, chat = inference_handler(engine, NATIVE), inference_handler(engine, OPENAI_CHAT)
    responses = inference_handler(engine, OPENAI_RESPONSES)
    books = "What became of every record."
    reference = Reference(engine.config.gateway)
    table = [
        Route("POST", "/inference", infer, "Make one inference.", roles=INFERENCE),
        Route("POST", "/batch_inference", batches.submit, "Have many inferences made later.", roles=INFERENCE),
        Route("GET", "/batch_inference", batches.list, "List batches.", roles=INFERENCE),
        Route("GET", "/batch_inference/{batch_id}", batches.show, "Show what came of a batch.", roles=INFERENCE),
        Route("GET", _ELEMENT, batches.show_one, "Show what came of one inference of a batch.", roles=INFERENCE),
        Route("POST", "/batch_inference/{batch_id}/cancel", batches.cancel, "Cancel a batch.", roles=INFERENCE),
        *_openai("POST", "/chat/completions", chat, "Make one inference.", INFERENCE),
        *_openai("POST", "/responses", responses, "Make one inference (Responses).", INFERENCE),
        *_openai(
            "GET",
            "/responses/{id}",
            response_handler(engine, recorded.withheld),
            "Show a recorded response.",
            INFERENCE | READ,
        ),
        *_openai("POST", "/embeddings", embeddings_handler(engine), "Embed texts.", INFERENCE),
        *_openai("GET", "/models", models_handler(engine), "List functions and models.", INFERENCE | READ),
        Route("POST", "/v1/messages", inference_handler(engine, MESSAGES), _MESSAGES, "anthropic", INFERENCE),
        Route("POST", "/v1/messages/count_tokens", count_handler(engine), _COUNT, "anthropic", INFERENCE),
        Route("POST", "/feedback", feedback_handler(engine), "Judge an inference or an episode.", roles=FEEDBACK),
        Route("POST", "/v1/inferences/list_inferences", recorded.list, "List recorded inferences.", roles=READ),
        Route("POST", "/v1/inferences/get_inferences", recorded.get, "Show inferences by id.", roles=READ),
        Route("POST", "/v1/inferences/render", replays.render, "What a model would be told.", roles=READ),
        Route("POST", "/v1/replay", replays.run, _REPLAY, roles=INFERENCE),
        Route("GET", "/v1/inferences/export", InferenceFileDesk(recorded).export, _EXPORT, roles=READ),
        *_workflow_routes(workflows),
        *_statistics_routes(StatisticsDesk(engine, recorded.questions)),
        *_lookup_routes(LookupDesk(engine, recorded.questions, workflows.catalogue, recorded.withheld)),
        Route("GET", "/status", host.status, "Version and configuration hash.", roles=OPEN),
        Route("GET", "/health", host.healthy, "Readiness, and the state of the database.", roles=OPEN),
        Route("GET", "/metrics", host.metrics, "Prometheus metrics of the host.", roles=READ),
        Route("GET", "/internal/accounting", host.accounting, books, roles=READ),
        Route("GET", "/internal/object_storage", object_handler(engine), "A file that the record names.", roles=READ),
        Route("GET", "/v1/keys", desk.list, "List API keys.", roles=ADMIN),
        Route("POST", "/v1/keys", desk.create, "Make an API key.", roles=ADMIN),
        Route("PATCH", "/v1/keys/{public_id}", desk.change, "Change an API key.", roles=ADMIN),
        Route("POST", "/v1/keys/{public_id}/disable", desk.disable, "Disable an API key.", roles=ADMIN),
        Route("POST", "/v1/keys/{public_id}/enable", desk.enable, "Enable an API key again.", roles=ADMIN),
        Route("DELETE", "/v1/cache", purge_handler(engine), "Forget cached answers.", roles=ADMIN),
        Route("POST", "/v1/erasures", erasure_handler(erase), "Forget a user or an episode.", roles=ADMIN),
        *_datasets(datasets),
        Route("POST", "/v1/confirmations", confirmations.run, _CONFIRM, roles=CONFIRM),
        Route("GET", "/v1/confirmations", confirmations.list, "List confirmations.", roles=READ),
        Route("GET", _CONFIRMATION, confirmations.show, "Show a confirmation.", roles=READ),
        Route("POST", f"{_DATASET}/reveal", confirmations.show_sealed, "Take datapoints out of the seal.", roles=ADMIN),
        Route("GET", f"{_DATASET}/holdout", confirmations.holdout, "What is sealed of a dataset.", roles=READ),
        Route("GET", "/v1/audit", desk.audit, "What was done to API keys, and by whom.", roles=ADMIN),
        Route("GET", "/openapi.json", reference.document, "This API, as OpenAPI.", roles=OPEN),
        Route("GET", "/docs", reference.page, "This API, for people.", roles=OPEN),
    ]
    reference.tell_of(table)
    return table


def _statistics_routes(desk: StatisticsDesk) -> list[Route]:
    function, models = "/internal/functions/{function_name}", "/internal/models"
    rows = (
        ("/internal/functions/inference_counts", desk.function_counts, "Count inferences by function."),
        (f"{function}/inference_count", desk.inference_count, "Count inferences of a function."),
        (f"{function}/inference_count/{{metric_name}}", desk.feedback_count, "Count inferences with feedback."),
        (f"{function}/metrics", desk.metrics, "Which metrics a function has feedback on."),
        (f"{function}/variant_performances", desk.performances, "How variants did by a metric, over time."),
        (f"{function}/variant_sampling_probabilities", desk.sampling_probabilities, "How often variants are drawn."),
        (f"{function}/throughput_by_variant", desk.throughput, "How often variants answered, over time."),
        (f"{function}/variant_usage", desk.variant_usage, "Tokens, cost and latency of variants, over time."),
        ("/internal/feedback/timeseries", desk.timeseries, "What feedback came to, over time."),
        (f"{models}/count", desk.model_count, "Count models that were called."),
        (f"{models}/usage", desk.model_usage, "Tokens and cost of models, over time."),
        (f"{models}/latency", desk.model_latency, "How long models took."),
        (f"{models}/cache_statistics", desk.cache_statistics, "Tokens that providers had cached, over time."),
    )
    return [Route("GET", path, handler, summary, roles=READ) for path, handler, summary in rows]


def _lookup_routes(desk: LookupDesk) -> list[Route]:
    target, episodes = "/internal/feedback/{target_id}", "/internal/episodes"
    rows = (
        (target, desk.feedback, "List feedback on an inference or an episode."),
        (f"{target}/bounds", desk.feedback_bounds, "The first and the last feedback on a target."),
        (f"{target}/latest_id_by_metric", desk.latest_feedback, "The latest feedback on each metric."),
        (f"{target}/count", desk.count_feedback, "Count feedback on a target."),
        (f"{target}/demonstrations", desk.demonstrations, "List demonstrations of an inference."),
        ("/internal/model_inferences/{inference_id}", desk.model_inferences, "List the calls for an inference."),
        ("/internal/inference_metadata", desk.metadata, "List inferences without their payloads."),
        ("/internal/resolve_uuid/{id}", desk.resolve, "Say what has an id."),
        (episodes, desk.list_episodes, "List episodes."),
        (f"{episodes}/bounds", desk.episode_bounds, "The first and the last episode."),
        (f"{episodes}/{{episode_id}}/inference_count", desk.count_episode, "Count inferences of an episode."),
        ("/internal/config", desk.config, "The configuration of this gateway."),
        ("/internal/config/{hash}", desk.config_by_hash, "A configuration that was loaded once."),
    )
    return [
        Route("POST", "/internal/inferences/count", desk.count_inferences, "Count inferences.", roles=READ),
        Route("POST", episodes, desk.find_episodes, "List episodes by filters.", roles=READ),
        *(Route("GET", path, handler, summary, roles=READ) for path, handler, summary in rows),
    ]


def _workflow_routes(desk: WorkflowDesk) -> list[Route]:
    runs, episodes = "List runs of workflow evaluations", "List episodes of workflow evaluations"
    looked_up = (
        ("/projects", desk.projects, "List projects of workflow evaluations."),
        ("/projects/count", desk.count_projects, "Count projects of workflow evaluations."),
        ("/list_runs", desk.list_runs, f"{runs}, with the number of their episodes."),
        ("/get_runs", desk.get_runs, f"{runs} by their ids."),
        ("/runs/count", desk.count_runs, "Count runs of workflow evaluations."),
        ("/runs/search", desk.search_runs, f"{runs} by project and text."),
        ("/episodes_by_task_name", desk.tasks, f"{episodes}, several runs side by side."),
        ("/episodes_by_task_name/count", desk.count_tasks, "Count tasks of runs."),
        ("/run_statistics", desk.statistics, "What the episodes of a run say of each metric."),
        ("/run_episodes", desk.run_episodes, f"{episodes}, with their feedback."),
        ("/run_episodes/count", desk.count_run_episodes, "Count episodes of a run."),
    )
    start, episode = "Begin the evaluation of a workflow.", "Begin an episode of a run."
    return [
        Route("POST", "/workflow_evaluation_run", desk.start_run, start, roles=INFERENCE),
        Route("POST", "/workflow_evaluation_run/{run_id}/episode", desk.start_episode, episode, roles=INFERENCE),
        *(
            Route("GET", f"/internal/workflow_evaluations{path}", handler, summary, roles=READ)
            for path, handler, summary in looked_up
        ),
    ]


_ELEMENT = "/batch_inference/{batch_id}/inference/{inference_id}"
_MESSAGES = "Make one inference, in Anthropic's dialect."
_REPLAY = "Ask again what was recorded, through another variant."
_EXPORT = "Recorded inferences with their feedback, line by line."
_COUNT = "Count a request's tokens, in Anthropic's dialect."


_CONFIRMATION = "/v1/confirmations/{confirmation_id}"
_CONFIRM = "Hold a candidate against the incumbent on sealed cases."
_DATASET = "/v1/datasets/{dataset_name}"
_POINTS = f"{_DATASET}/datapoints"
_INSIDE = "/internal/datasets/{dataset_name}/datapoints"


def _datasets(desk: DatasetDesk) -> list[Route]:
    files = FileDesk(desk)
    return [
        Route("POST", "/v1/datasets", desk.make, "Make an empty dataset.", roles=CURATE),
        Route("GET", _DATASET, desk.show, "What is known of a dataset.", roles=READ),
        Route("DELETE", _DATASET, desk.clear, "Delete every datapoint of a dataset.", roles=CURATE),
        Route("GET", f"{_DATASET}/versions", desk.changes, "What was done to a dataset, and by whom.", roles=READ),
        Route("POST", _POINTS, desk.create, "Add datapoints.", roles=CURATE),
        Route("PATCH", _POINTS, desk.edit, "Put changed datapoints in the place of old ones.", roles=CURATE),
        Route("DELETE", _POINTS, desk.delete, "Delete datapoints.", roles=CURATE),
        Route("PATCH", f"{_POINTS}/metadata", desk.rename, "Name datapoints.", roles=CURATE),
        Route("POST", f"{_DATASET}/from_inferences", desk.gather, "Make datapoints of inferences.", roles=CURATE),
        Route("POST", f"{_DATASET}/list_datapoints", desk.list, "List datapoints.", roles=READ),
        Route("POST", f"{_DATASET}/get_datapoints", desk.get, "Show datapoints by id.", roles=READ),
        Route("POST", "/v1/datasets/get_datapoints", desk.get, "The same, of any dataset; deprecated.", roles=READ),
        Route("GET", f"{_DATASET}/export", files.export, "A version of a dataset, line by line.", roles=READ),
        Route("POST", f"{_DATASET}/import", files.take, "Add datapoints, a line each.", roles=CURATE),
        Route("GET", "/internal/datasets", desk.datasets, "List datasets.", roles=READ),
        Route("GET", f"{_INSIDE}/count", desk.count, "Count datapoints.", roles=READ),
        Route("POST", f"{_INSIDE}/clone", desk.clone, "Copy datapoints into a dataset.", roles=CURATE),
    ]


def _openai(method: str, path: str, handler: Handler, summary: str, roles: frozenset[Role]) -> tuple[Route, Route]:
    """Return a route of OpenAI's dialect where TensorZero has it, and where OpenAI's clients look for it."""
    summary = f"{summary.removesuffix('.')}, in OpenAI's dialect."
    return (
        Route(method, f"/openai/v1{path}", handler, summary, "openai", roles),
        Route(method, f"/v1{path}", handler, summary, "openai", roles),
    )
