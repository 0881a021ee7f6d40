"""The answers of the OpenAI-compatible routes, as we write them.

Fields of ours carry the vendor prefix that the caller used, so each stands here twice, and one is left unset.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Raw, Struct, UnsetType

from calibrant.apischema.openai_request import ExtraBlock

__all__ = [
    "AnswerMessage",
    "CalledCustom",
    "CalledFunction",
    "Choice",
    "Completion",
    "CompletionDetails",
    "CompletionUsage",
    "Delta",
    "Finish",
    "ListedModel",
    "ModelList",
    "PromptDetails",
    "ToolCallAnswer",
    "ToolCallPiece",
]

Finish = Literal["stop", "length", "tool_calls", "content_filter"]


class CalledFunction(Struct, frozen=True, gc=False):
    """The function that the model calls. In a stream the name comes once, the arguments in pieces."""

    arguments: str
    name: str | UnsetType = UNSET


class CalledCustom(Struct, frozen=True, gc=False):
    """The custom tool that the model calls, and the text for it; in a stream as a function's."""

    input: str
    name: str | UnsetType = UNSET


class ToolCallAnswer(Struct, frozen=True, gc=False, kw_only=True):
    """A tool call."""

    id: str
    type: Literal["function", "custom"] = "function"
    function: CalledFunction | UnsetType = UNSET
    custom: CalledCustom | UnsetType = UNSET


class ToolCallPiece(Struct, frozen=True, gc=False, kw_only=True):
    """A piece of a tool call; pieces of one call share the index."""

    index: int
    id: str | UnsetType = UNSET
    type: Literal["function", "custom"] | UnsetType = UNSET
    function: CalledFunction | UnsetType = UNSET
    custom: CalledCustom | UnsetType = UNSET


class AnswerMessage(Struct, frozen=True, gc=False, kw_only=True):
    """The model's message."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    tool_calls: tuple[ToolCallAnswer, ...] | UnsetType = UNSET
    tensorzero_extra_content: tuple[ExtraBlock, ...] | UnsetType = UNSET
    calibrant_extra_content: tuple[ExtraBlock, ...] | UnsetType = UNSET


class Delta(Struct, frozen=True, gc=False, kw_only=True):
    """What one chunk adds to the model's message."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET
    tool_calls: list[ToolCallPiece] | UnsetType = UNSET
    tensorzero_extra_content: list[ExtraBlock] | UnsetType = UNSET
    calibrant_extra_content: list[ExtraBlock] | UnsetType = UNSET


class Choice(Struct, frozen=True, gc=False):
    """The one choice that an answer has."""

    message: AnswerMessage
    finish_reason: Finish
    index: int = 0
    logprobs: None = None


class PromptDetails(Struct, frozen=True, gc=False):
    """What the prompt's tokens were."""

    cached_tokens: int | UnsetType = UNSET
    cache_write_tokens: int | UnsetType = UNSET


class CompletionDetails(Struct, frozen=True, gc=False):
    """What the answer's tokens were."""

    reasoning_tokens: int


class CompletionUsage(Struct, frozen=True, gc=False, kw_only=True):
    """Tokens; null is unknown."""

    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    prompt_tokens_details: PromptDetails | UnsetType = UNSET
    completion_tokens_details: CompletionDetails | UnsetType = UNSET
    tensorzero_provider_cache_write_input_tokens: int | UnsetType = UNSET
    tensorzero_cost: Raw | UnsetType | None = UNSET
    calibrant_provider_cache_write_input_tokens: int | UnsetType = UNSET
    calibrant_cost: Raw | UnsetType | None = UNSET


class Completion(Struct, frozen=True, gc=False, kw_only=True):
    """A whole answer."""

    id: str
    episode_id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: tuple[Choice]
    usage: CompletionUsage | None


class ListedModel(Struct, frozen=True, gc=False):
    """One name that can be asked for."""

    id: str
    created: int
    object: Literal["model"] = "model"
    owned_by: str = "calibrant"


class ModelList(Struct, frozen=True, gc=False):
    """The answer of `GET /openai/v1/models`."""

    data: tuple[ListedModel, ...]
    object: Literal["list"] = "list"
