"""What every route takes and answers, one row each, for the OpenAPI document. A route without a row fails a test.

A row is keyed by the route's method and path. What the table of routes says already (summary, roles, in whose dialect
errors are told) is not repeated, and neither are the parameters of a path (`PATHS` in `description.py`) and the errors
that any route has.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from msgspec import Meta

from calibrant.apischema import (
    anthropic_request,
    batch,
    confirmations,
    erasure,
    inferences,
    keys,
    native,
    openai_request,
    replay,
    responses_body,
    told,
)
from calibrant.apischema.openai_answer import Completion, CompletionUsage, ModelList
from calibrant.apischema.openai_embeddings import EmbeddingsAnswer, EmbeddingsBody, EmbeddingsUsage
from calibrant.apischema.own import OwnFields
from calibrant.server.described_datasets import DATASETS, DATASETS_READ_AS
from calibrant.server.described_dialects import DIALECTS_READ_AS
from calibrant.server.described_statistics import STATISTICS, STATISTICS_READ_AS
from calibrant.server.description import LIMIT, Described, Parameter
from calibrant.types.confirmation import Confirmation
from calibrant.types.content import OutputBlock
from calibrant.types.erasure import Erasure
from calibrant.types.key import Role
from calibrant.types.query import OutputSource
from calibrant.types.storage import StoragePath

__all__ = ["DESCRIBED", "READ_AS"]

INFERS: Final = (404, 429, 501, 502)
"""How a request fails that calls models."""
_BEFORE = Parameter("before", str, "What `next` of the page before says.")
_HEADERS = (
    Parameter("anthropic-version", str, "Version of Anthropic's API; goes to its providers.", place="header"),
    Parameter("anthropic-beta", str, "Betas of Anthropic's API; goes to its providers.", place="header"),
)
_HELLO = [{"role": "user", "content": "Say hello."}]
_CHAT = Described(
    tag="inference",
    body=openai_request.ChatBody,
    answer=Completion,
    raw=(told.TensorzeroRaw, told.CalibrantRaw),
    events=told.ChunkEvent,
    fails=INFERS,
    example={"model": "tensorzero::model_name::openai::gpt-4o-mini", "messages": _HELLO},
)
_RESPONSES = Described(
    tag="inference",
    body=responses_body.ResponsesBody,
    answer=told.ResponseBody,
    raw=(told.TensorzeroRaw, told.CalibrantRaw),
    events=told.TypedEvent,
    fails=INFERS,
    example={"model": "openai::gpt-4o-mini", "input": "Say hello."},
)
_RESPONSE = Described(tag="inference", answer=told.ResponseBody, fails=(404,))
_EMBEDDINGS = Described(
    tag="inference",
    body=EmbeddingsBody,
    answer=EmbeddingsAnswer,
    raw=(told.EmbeddingsRaw,),
    fails=INFERS,
    example={"model": "openai::text-embedding-3-small", "input": "A text."},
)
_MODELS = Described(
    tag="inference",
    answer=(ModelList, told.AnthropicModels),
    parameters=(Parameter("anthropic-version", str, "Asks for Anthropic's shape.", place="header"),),
)
_MESSAGES = {"model": "anthropic::claude-sonnet-4-6", "max_tokens": 100, "messages": _HELLO}
_BATCH = batch.PendingBatch | batch.CompletedBatch | batch.FailedBatch | batch.CancelledBatch

DESCRIBED: Final[dict[str, Described]] = {
    "POST /inference": Described(
        tag="inference",
        body=native.InferenceBody,
        answer=(native.ChatAnswer, native.JsonAnswer),
        raw=(told.RawAnswer,),
        events=(told.ChatEvent, told.JsonEvent),
        fails=INFERS,
        example={"model_name": "openai::gpt-4o-mini", "input": {"messages": _HELLO}},
    ),
    "POST /batch_inference": Described(
        tag="batches",
        body=batch.BatchBody,
        answer=batch.StartedBatch,
        fails=INFERS,
        example={"function_name": "my_function", "inputs": [{"messages": _HELLO}]},
    ),
    "GET /batch_inference": Described(tag="batches", answer=batch.BatchPage, parameters=(_BEFORE, LIMIT)),
    "GET /batch_inference/{batch_id}": Described(tag="batches", answer=_BATCH, fails=(404,)),
    "GET /batch_inference/{batch_id}/inference/{inference_id}": Described(tag="batches", answer=_BATCH, fails=(404,)),
    "POST /batch_inference/{batch_id}/cancel": Described(tag="batches", answer=batch.BatchSummary, fails=(404,)),
    "POST /openai/v1/chat/completions": _CHAT,
    "POST /v1/chat/completions": _CHAT,
    "POST /openai/v1/responses": _RESPONSES,
    "POST /v1/responses": _RESPONSES,
    "GET /openai/v1/responses/{id}": _RESPONSE,
    "GET /v1/responses/{id}": _RESPONSE,
    "POST /openai/v1/embeddings": _EMBEDDINGS,
    "POST /v1/embeddings": _EMBEDDINGS,
    "GET /openai/v1/models": _MODELS,
    "GET /v1/models": _MODELS,
    "POST /v1/messages": Described(
        tag="inference",
        body=anthropic_request.MessagesBody,
        answer=told.MessageAnswer,
        raw=(told.TensorzeroRaw, told.CalibrantRaw),
        parameters=_HEADERS,
        events=told.TypedEvent,
        fails=INFERS,
        example=_MESSAGES,
    ),
    "POST /v1/messages/count_tokens": Described(
        tag="inference",
        body=anthropic_request.MessagesBody,
        answer=told.AnthropicTokens,
        parameters=_HEADERS,
        fails=INFERS,
        example=_MESSAGES,
    ),
    "POST /feedback": Described(
        tag="inference",
        body=native.FeedbackBody,
        answer=told.FeedbackAnswer,
        fails=(404, 501),
        example={"metric_name": "comment", "inference_id": "0196e6f4-0000-7000-8000-000000000000", "value": "Good."},
    ),
    "POST /v1/inferences/list_inferences": Described(
        tag="record", body=inferences.ListBody, answer=told.StoredInferences, fails=(404,), example={"limit": 10}
    ),
    "POST /v1/inferences/get_inferences": Described(
        tag="record",
        body=inferences.GetBody,
        answer=told.StoredInferences,
        fails=(404,),
        example={"ids": ["0196e6f4-0000-7000-8000-000000000000"]},
    ),
    "POST /v1/inferences/render": Described(
        tag="record",
        body=replay.RenderBody,
        answer=replay.RenderedList,
        example={"inference_ids": ["0196e6f4-0000-7000-8000-000000000000"], "variants": {"my_function": "my_variant"}},
    ),
    "POST /v1/replay": Described(
        tag="record",
        body=replay.ReplayBody,
        answer=None,
        content_type="application/jsonl",
        fails=(404,),
        example={"dataset": {"name": "my_dataset"}, "variant_name": "my_variant"},
    ),
    "GET /v1/inferences/export": Described(
        tag="record",
        answer=None,
        content_type="application/jsonl",
        parameters=(
            Parameter(
                "format", Literal["inferences", "chat", "preference"], "What a line is; `inferences` by default."
            ),
            Parameter("function_name", str, "Of this function."),
            Parameter("variant_name", str, "Of this variant."),
            Parameter("episode_id", UUID, "Of this episode."),
            Parameter("filters", inferences.FilterBody, "As in lists of inferences.", json=True),
            Parameter("output_source", OutputSource, "Which output is written."),
            Parameter("include_failed", bool, "Failed and unfinished ones too."),
            Parameter("model_inferences", bool, "With the calls of models."),
            Parameter("render_variant_name", str, "Whose templates render the inputs; else the variant that served."),
            Parameter("after", Annotated[int, Meta(ge=0, le=2**63 - 1)], "What `calibrant-export-next` said before."),
        ),
        fails=(404,),
    ),
    "GET /internal/object_storage": Described(
        tag="record",
        answer=told.StoredFileBody,
        parameters=(Parameter("storage_path", StoragePath, "As the record names the file.", required=True, json=True),),
        fails=(404,),
    ),
    "GET /internal/accounting": Described(tag="record", answer=told.AccountingBody),
    **STATISTICS,
    **DATASETS,
    "GET /v1/keys": Described(
        tag="keys",
        answer=keys.KeyPage,
        parameters=(Parameter("after", str, "What `next` of the page before says."), LIMIT),
    ),
    "POST /v1/keys": Described(
        tag="keys", body=keys.CreateKeyBody, answer=keys.CreatedKeyBody, example={"description": "the chat server"}
    ),
    "PATCH /v1/keys/{public_id}": Described(
        tag="keys", body=keys.ChangeKeyBody, answer=keys.KeyBody, fails=(404,), example={"roles": ["inference"]}
    ),
    "POST /v1/keys/{public_id}/disable": Described(tag="keys", answer=keys.KeyBody, fails=(404,)),
    "POST /v1/keys/{public_id}/enable": Described(tag="keys", answer=keys.KeyBody, fails=(404,)),
    "GET /v1/audit": Described(
        tag="keys",
        answer=keys.AuditPage,
        parameters=(
            Parameter("before", Annotated[int, Meta(ge=1, le=2**63 - 1)], "What `next` of the page before says."),
            LIMIT,
        ),
    ),
    "DELETE /v1/cache": Described(
        tag="cache",
        answer=told.PurgedBody,
        parameters=(Parameter("model_name", Annotated[str, Meta(min_length=1)], "Forgets the answers of one model."),),
    ),
    "POST /v1/erasures": Described(
        tag="record",
        body=erasure.ErasureBody,
        answer=Erasure,
        example={"tag": {"key": "user_id", "value": "42"}, "plan": True},
    ),
    "POST /v1/confirmations": Described(
        tag="datasets",
        body=confirmations.ConfirmationBody,
        answer=Confirmation,
        fails=(404, 409, 501),
        example={
            "dataset_name": "support",
            "function_name": "my_function",
            "incumbent": "today",
            "candidate": "tomorrow",
            "evaluator": "exact_match",
            "claimed_gain": 0.08,
        },
    ),
    "GET /v1/confirmations": Described(tag="datasets", answer=confirmations.ConfirmationPage),
    "GET /v1/confirmations/{confirmation_id}": Described(tag="datasets", answer=Confirmation, fails=(404,)),
    "GET /v1/datasets/{dataset_name}/holdout": Described(
        tag="datasets", answer=confirmations.HoldoutShown, fails=(404,)
    ),
    "GET /status": Described(tag="host", answer=told.StatusBody),
    "GET /health": Described(tag="host", answer=told.HealthBody, also={503: (told.HealthBody, told.ErrorBody)}),
    "GET /metrics": Described(tag="host", answer=None, content_type="text/plain; version=0.0.4; charset=utf-8"),
    "GET /openapi.json": Described(tag="host", answer={"type": "object"}),
    "GET /docs": Described(tag="host", answer=None, content_type="text/html; charset=utf-8"),
}

_Id = UUID | None
_Object = dict[str, Any]
_Price = float | None
READ_AS: Final[dict[tuple[type, str], Any]] = {
    (native.InferenceBody, "episode_id"): _Id,
    (native.FeedbackBody, "episode_id"): _Id,
    (native.FeedbackBody, "inference_id"): _Id,
    (OwnFields, "tensorzero_episode_id"): _Id,
    (OwnFields, "calibrant_episode_id"): _Id,
    (inferences.ListBody, "episode_id"): _Id,
    (inferences.ListBody, "before"): _Id,
    (inferences.ListBody, "after"): _Id,
    (inferences.GetBody, "ids"): Annotated[list[UUID], Meta(max_length=inferences.MAX_LIMIT)],
    (batch.BatchBody, "episode_ids"): list[_Id] | None,
    (keys.CreateKeyBody, "roles"): list[Role] | None,
    (keys.ChangeKeyBody, "roles"): list[Role],
    (keys.KeyBody, "roles"): list[Role],
    (native.UsageBody, "cost"): _Price,
    (CompletionUsage, "tensorzero_cost"): _Price,
    (CompletionUsage, "calibrant_cost"): _Price,
    (EmbeddingsUsage, "tensorzero_cost"): _Price,
    (EmbeddingsUsage, "calibrant_cost"): _Price,
    (inferences.UsageOfStored, "cost"): _Price,
    (inferences.StoredBody, "output"): list[OutputBlock] | _Object,
    (batch.BatchBody, "inputs"): list[native.InputBody],
    (batch.BatchBody, "tags"): list[dict[str, str] | None] | None,
    (batch.BatchBody, "allowed_tools"): list[list[str] | None] | None,
    (batch.BatchBody, "additional_tools"): list[list[native.ToolBody] | None] | None,
    (batch.BatchBody, "parallel_tool_calls"): list[bool | None] | None,
    (batch.BatchBody, "output_schemas"): list[_Object | None] | None,
    (batch.CompletedBatch, "inferences"): {"type": "array", "items": {"type": "object"}},
    **DIALECTS_READ_AS,
    **DATASETS_READ_AS,
    **STATISTICS_READ_AS,
}
"""What fields hold whose Structs say less, since our codecs read, or write, them in a second step."""
