"""Bodies that codecs write piece by piece: described here for the documentation, and never encoded from here."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from calibrant.apischema.datapoints import DatapointBody
from calibrant.apischema.inferences import StoredBody
from calibrant.apischema.native import UsageBody
from calibrant.apischema.openai_answer import CompletionUsage, Delta, Finish
from calibrant.apischema.options import RawResponse, RawUsage
from calibrant.types.reply import FinishReason

__all__ = [
    "AccountBody",
    "AccountingBody",
    "AnthropicErrorBody",
    "AnthropicModel",
    "AnthropicModels",
    "AnthropicTokens",
    "CalibrantRaw",
    "ChatEvent",
    "ChunkEvent",
    "DatapointCount",
    "Datapoints",
    "EmbeddingsRaw",
    "ErrorBody",
    "FeedbackAnswer",
    "HealthBody",
    "Imported",
    "JsonEvent",
    "MessageAnswer",
    "OpenAIErrorBody",
    "PurgedBody",
    "RawAnswer",
    "ResponseBody",
    "StatusBody",
    "StoredFileBody",
    "StoredInferences",
    "TensorzeroRaw",
    "TokensOfMessage",
    "TokensOfResponse",
    "TypedEvent",
]

# --- errors ---


class ErrorBody(Struct, frozen=True):
    """An error."""

    error: str
    """What is wrong, where, and what helps."""
    error_json: dict[str, Any] | UnsetType = UNSET
    """The error as a value, where `gateway.unstable_error_json` is set; its form may change."""
    raw_response: list[RawResponse] | UnsetType = UNSET
    """What each provider answered, where `include_raw_response` asked for it."""


class _OpenAIError(Struct, frozen=True):
    message: str
    type: str | UnsetType = UNSET
    param: str | UnsetType = UNSET
    code: str | UnsetType = UNSET
    error_json: dict[str, Any] | UnsetType = UNSET
    tensorzero_error_json: dict[str, Any] | UnsetType = UNSET


class OpenAIErrorBody(Struct, frozen=True):
    """An error, in OpenAI's dialect."""

    error: _OpenAIError
    tensorzero_raw_response: list[RawResponse] | UnsetType = UNSET
    """What each provider answered, where `tensorzero::include_raw_response` asked for it."""


class _AnthropicError(Struct, frozen=True):
    type: str
    message: str
    error_json: dict[str, Any] | UnsetType = UNSET


class AnthropicErrorBody(Struct, frozen=True):
    """An error, in Anthropic's dialect."""

    type: Literal["error"]
    error: _AnthropicError
    tensorzero_raw_response: list[RawResponse] | UnsetType = UNSET
    """What each provider answered, where `tensorzero::include_raw_response` asked for it."""


# --- what is raw, beside an answer ---


class RawAnswer(Struct, frozen=True):
    """What is raw of the providers' answers; each field is there where it was asked for."""

    raw_usage: list[RawUsage] | UnsetType = UNSET
    raw_response: list[RawResponse] | UnsetType = UNSET
    original_response: str | UnsetType | None = UNSET


class TensorzeroRaw(Struct, frozen=True):
    """What is raw of the providers' answers; each field is there where it was asked for."""

    tensorzero_raw_usage: list[RawUsage] | UnsetType = UNSET
    tensorzero_raw_response: list[RawResponse] | UnsetType = UNSET
    tensorzero_original_response: str | UnsetType | None = UNSET


class CalibrantRaw(Struct, frozen=True):
    """The same, where the request was written with `calibrant::`."""

    calibrant_raw_usage: list[RawUsage] | UnsetType = UNSET
    calibrant_raw_response: list[RawResponse] | UnsetType = UNSET
    calibrant_original_response: str | UnsetType | None = UNSET


class EmbeddingsRaw(Struct, frozen=True):
    """What each provider answered, where it was asked for."""

    tensorzero_raw_response: list[RawResponse] | UnsetType = UNSET
    calibrant_raw_response: list[RawResponse] | UnsetType = UNSET


# --- events of streams ---


class ChatEvent(Struct, frozen=True, kw_only=True):
    """What one event adds to the answer of a chat function. Usage and finish reason are in the last one."""

    inference_id: str
    episode_id: str
    variant_name: str
    content: list[dict[str, Any]]
    """Pieces of blocks; those of one block share their `id`."""
    usage: UsageBody | UnsetType = UNSET
    finish_reason: FinishReason | UnsetType | None = UNSET
    aggregated_response: Any = UNSET
    """The whole answer, where `include_aggregated_response` asked for it."""
    raw_chunk: str | UnsetType = UNSET
    original_chunk: str | UnsetType = UNSET


class JsonEvent(Struct, frozen=True, kw_only=True):
    """What one event adds to the answer of a JSON function. Usage and finish reason are in the last one."""

    inference_id: str
    episode_id: str
    variant_name: str
    raw: str
    usage: UsageBody | UnsetType = UNSET
    finish_reason: FinishReason | UnsetType | None = UNSET
    aggregated_response: Any = UNSET
    """The whole answer, where `include_aggregated_response` asked for it."""
    raw_chunk: str | UnsetType = UNSET
    original_chunk: str | UnsetType = UNSET


class _ChunkChoice(Struct, frozen=True):
    index: int
    delta: Delta
    finish_reason: Finish | None


class ChunkEvent(Struct, frozen=True, kw_only=True):
    """What one event adds to the answer, in OpenAI's dialect."""

    id: str
    episode_id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[_ChunkChoice]
    usage: CompletionUsage | UnsetType = UNSET


class TypedEvent(Struct, frozen=True):
    """An event as the dialect has it; its fields are those of its `type`."""

    type: str


# --- Anthropic's dialect ---


class TokensOfMessage(Struct, frozen=True):
    """Tokens as Anthropic counts them: those of the prompt cache are not among the input's."""

    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int | UnsetType | None = UNSET
    cache_read_input_tokens: int | UnsetType | None = UNSET
    tensorzero_cost: float | UnsetType = UNSET
    calibrant_cost: float | UnsetType = UNSET


class MessageAnswer(Struct, frozen=True):
    """A whole answer in Anthropic's dialect; of a provider of that dialect, with whatever else it says."""

    id: str
    """`msg_` and the inference's id."""
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    inference_id: str
    episode_id: str
    content: list[dict[str, Any]]
    """Blocks: `text`, `thinking`, `redacted_thinking`, `tool_use`, and a provider's own."""
    stop_reason: str | None
    stop_sequence: str | None
    usage: TokensOfMessage


class AnthropicTokens(Struct, frozen=True):
    """How many tokens a request is."""

    input_tokens: int
    estimated: bool | UnsetType = UNSET
    """True where it is an estimate by size."""


class AnthropicModel(Struct, frozen=True):
    """One name that can be asked for."""

    type: Literal["model"]
    id: str
    display_name: str
    created_at: str
    lifecycle: Literal["active"]


class AnthropicModels(Struct, frozen=True):
    """Functions and models in Anthropic's shape, for callers who send `anthropic-version`."""

    data: list[AnthropicModel]
    has_more: bool
    first_id: str | None
    last_id: str | None


# --- OpenAI's Responses ---


class _InputDetails(Struct, frozen=True):
    cached_tokens: int
    cache_write_tokens: int


class _OutputDetails(Struct, frozen=True):
    reasoning_tokens: int


class TokensOfResponse(Struct, frozen=True):
    """Tokens; the details are 0 where they are unknown."""

    input_tokens: int
    input_tokens_details: _InputDetails
    output_tokens: int
    output_tokens_details: _OutputDetails
    total_tokens: int
    tensorzero_cost: float | UnsetType | None = UNSET
    calibrant_cost: float | UnsetType | None = UNSET


class _ResponseFailure(Struct, frozen=True):
    code: str
    message: str


class _WhyIncomplete(Struct, frozen=True):
    reason: Literal["max_output_tokens", "content_filter"]


class ResponseBody(Struct, frozen=True, kw_only=True):
    """A response, whole. Beside these fields it repeats those of the request."""

    id: str
    """`resp_` and the inference's id."""
    object: Literal["response"]
    created_at: int
    status: Literal["in_progress", "completed", "incomplete", "failed"]
    error: _ResponseFailure | None
    incomplete_details: _WhyIncomplete | None
    model: str
    output: list[dict[str, Any]]
    """Items: `message`, `function_call`, `custom_tool_call`, `reasoning`, and a provider's own."""
    usage: TokensOfResponse | None
    previous_response_id: str | None
    inference_id: str
    episode_id: str
    instructions: Any
    metadata: Any
    parallel_tool_calls: Any
    temperature: Any
    tool_choice: Any
    tools: Any
    top_p: Any


# --- the rest ---


class FeedbackAnswer(Struct, frozen=True):
    """What became of feedback."""

    feedback_id: str


class StoredInferences(Struct, frozen=True):
    """Inferences of the record."""

    inferences: list[StoredBody]


class Datapoints(Struct, frozen=True):
    """Datapoints."""

    datapoints: list[DatapointBody]


class DatapointCount(Struct, frozen=True):
    """How many datapoints there are."""

    datapoint_count: int


class Imported(Struct, frozen=True):
    """How many datapoints were added."""

    num_imported_datapoints: int


class PurgedBody(Struct, frozen=True):
    """How many answers were forgotten."""

    purged: int


class StoredFileBody(Struct, frozen=True):
    """A file."""

    data: str
    """In base64."""
    reused_object_store: bool


class StatusBody(Struct, frozen=True):
    """That the gateway runs, and what."""

    status: Literal["ok"]
    version: str
    config_hash: str


class HealthBody(Struct, frozen=True):
    """How the gateway is: each part `ok`, or `error: why`."""

    gateway: Literal["ok"]
    database: str
    spool: str
    keys: str | UnsetType = UNSET
    """Whether API keys can be checked, where they are asked for."""


class AccountBody(Struct, frozen=True):
    """Numbers of records: `accepted = stored + spooled + quarantined + shed`."""

    accepted: int
    stored: int
    spooled: int
    quarantined: int
    shed: int
    missing: int
    rejected: int


class AccountingBody(AccountBody, frozen=True):
    """What became of every record: in all, and by worker."""

    incarnations: dict[str, AccountBody]
