"""The bodies of the native dialect: `POST /inference`, `POST /feedback` and their answers.

Inbound shapes refuse unknown fields and take null wherever a field is optional. They are only shapes:
what the fields mean, and which exclude each other, is `wire/native.py`'s business.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct

from calibrant.apischema.options import ExtraBodyEntry, ExtraHeaderEntry, ProviderToolBody
from calibrant.types.content import OutputBlock
from calibrant.types.reply import FinishReason
from calibrant.types.request import JsonMode
from calibrant.types.storage import StoragePath

__all__ = [
    "Block",
    "CacheOptions",
    "CachePointBlock",
    "ChatAnswer",
    "ChatParams",
    "FeedbackBody",
    "FileBlock",
    "GrammarBody",
    "ImageBlock",
    "InferenceBody",
    "InputBody",
    "JsonAnswer",
    "JsonOutput",
    "MessageBody",
    "NamedTool",
    "ParamsBody",
    "RawTextBlock",
    "TemplateBlock",
    "TextBlock",
    "ThoughtBlock",
    "TokenCount",
    "ToolBody",
    "ToolCallBlock",
    "ToolFormat",
    "ToolResultBlock",
    "UnknownBlock",
    "UsageBody",
]

TokenCount = Annotated[int, Meta(ge=0, le=2**32 - 1)]
"""A number of tokens that a caller may ask for."""


class TextBlock(Struct, frozen=True, kw_only=True, tag="text", forbid_unknown_fields=True):
    """Text, or arguments of the template that is named after the role; exactly one."""

    text: str | None = None
    arguments: dict[str, Any] | None = None


class TemplateBlock(Struct, frozen=True, kw_only=True, tag="template", forbid_unknown_fields=True):
    """Arguments of a template, by its name."""

    name: str
    arguments: dict[str, Any]


class ToolCallBlock(Struct, frozen=True, kw_only=True, tag="tool_call", forbid_unknown_fields=True):
    """A tool call, as a caller writes it (`name`, `arguments`) or as an answer has it (`raw_*` too)."""

    id: str
    name: str | None = None
    arguments: str | dict[str, Any] | None = None
    raw_name: str | None = None
    raw_arguments: str | None = None


class ToolResultBlock(Struct, frozen=True, kw_only=True, tag="tool_result", forbid_unknown_fields=True):
    """What a tool answered."""

    id: str
    name: str
    result: str


class FileBlock(Struct, frozen=True, kw_only=True, tag="file", forbid_unknown_fields=True):
    """A file by `url`, base64 in `data`, or as the record names it in `storage_path`. `file_type` may be left out."""

    file_type: Literal["url", "base64", "object_storage_pointer", "object_storage"] | None = None
    url: str | None = None
    data: str | None = None
    mime_type: str | None = None
    detail: str | None = None
    filename: str | None = None
    source_url: str | None = None
    """Where the sender found the data; accepted and not used."""
    storage_path: StoragePath | None = None


class ImageBlock(FileBlock, frozen=True, kw_only=True, tag="image", forbid_unknown_fields=True):
    """The older name of `FileBlock`."""


class RawTextBlock(Struct, frozen=True, kw_only=True, tag="raw_text", forbid_unknown_fields=True):
    """Text that no template may touch."""

    value: str


class ThoughtBlock(Struct, frozen=True, kw_only=True, tag="thought", forbid_unknown_fields=True):
    """Reasoning that a model showed."""

    text: str | None = None
    signature: str | None = None
    summary: list[Any] | None = None
    provider_type: str | None = None
    extra_data: Any = None


class CachePointBlock(Struct, frozen=True, kw_only=True, tag="cache_point", forbid_unknown_fields=True):
    """What comes before this may be kept in the provider's prompt cache."""

    ttl: str | None = None


class UnknownBlock(Struct, frozen=True, kw_only=True, tag="unknown", forbid_unknown_fields=True):
    """A provider's own block."""

    data: Any
    model_name: str | None = None
    provider_name: str | None = None


Block = (
    TextBlock
    | TemplateBlock
    | ToolCallBlock
    | ToolResultBlock
    | FileBlock
    | ImageBlock
    | RawTextBlock
    | ThoughtBlock
    | UnknownBlock
    | CachePointBlock
)


class MessageBody(Struct, frozen=True, forbid_unknown_fields=True):
    """One turn. A bare object is an older way to write arguments of the role's template."""

    role: Literal["user", "assistant"]
    content: str | list[Block] | dict[str, Any]


class InputBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The input of a function."""

    messages: list[MessageBody] = []
    system: str | dict[str, Any] | None = None


class ChatParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Generation parameters, named as in `types.request.Params`."""

    temperature: float | None = None
    max_tokens: TokenCount | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop_sequences: tuple[str, ...] | None = None
    json_mode: JsonMode | None = None
    reasoning_effort: str | None = None
    service_tier: Literal["auto", "default", "priority", "flex"] | None = None
    thinking_budget_tokens: TokenCount | None = None
    verbosity: str | None = None


class ParamsBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters by the type of variant that they are for."""

    chat_completion: ChatParams | None = None


class GrammarBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the text of a custom tool's call must follow."""

    syntax: Literal["lark", "regex"]
    definition: str


class ToolFormat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a custom tool is called with: any text, or text that follows a grammar."""

    type: Literal["text", "grammar"]
    grammar: GrammarBody | None = None


class ToolBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tool that comes with a request."""

    type: Literal["function", "openai_custom"] = "function"
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    format: ToolFormat | None = None
    """Of an OpenAI custom tool."""


class NamedTool(Struct, frozen=True, forbid_unknown_fields=True):
    """The one tool to call."""

    specific: str


class CacheOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """How the response cache may be used."""

    enabled: Literal["on", "off", "read_only", "write_only"] = "off"
    max_age_s: TokenCount | None = None


class InferenceBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /inference`."""

    input: InputBody
    function_name: str | None = None
    model_name: str | None = None
    episode_id: str | None = None
    variant_name: str | None = None
    namespace: str | None = None
    stream: bool | None = None
    params: ParamsBody | None = None
    tags: dict[str, str] | None = None
    dryrun: bool | None = None
    internal: bool | None = None
    allowed_tools: tuple[str, ...] | None = None
    additional_tools: list[ToolBody] | None = None
    tool_choice: Literal["none", "off", "auto", "required"] | NamedTool | None = None
    """TensorZero's documentation says `off`, its code `none`."""
    parallel_tool_calls: bool | None = None
    provider_tools: list[ProviderToolBody] | None = None
    output_schema: dict[str, Any] | None = None
    cache_options: CacheOptions | None = None
    credentials: dict[str, str] | None = None
    extra_body: list[ExtraBodyEntry] | None = None
    extra_headers: list[ExtraHeaderEntry] | None = None
    include_raw_usage: bool | None = None
    include_raw_response: bool | None = None
    include_original_response: bool | None = None
    include_aggregated_response: bool | None = None
    internal_dynamic_variant_config: dict[str, Any] | None = None


class FeedbackBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /feedback`."""

    metric_name: str
    value: Any
    inference_id: str | None = None
    episode_id: str | None = None
    tags: dict[str, str] | None = None
    dryrun: bool | None = None
    internal: bool | None = None


class UsageBody(Struct, frozen=True):
    """Tokens of an inference; null is unknown."""

    input_tokens: int | None
    output_tokens: int | None
    cost: Raw | None
    """A JSON number, written as the exact decimal that it is."""
    provider_cache_read_input_tokens: int | None
    provider_cache_write_input_tokens: int | None


class ChatAnswer(Struct, frozen=True):
    """The answer of a chat function."""

    inference_id: str
    episode_id: str
    variant_name: str
    content: tuple[OutputBlock, ...]
    usage: UsageBody
    finish_reason: FinishReason | None


class JsonOutput(Struct, frozen=True):
    """What a JSON function made: its text, and its value where that is valid."""

    raw: str | None
    parsed: Any


class JsonAnswer(Struct, frozen=True):
    """The answer of a JSON function."""

    inference_id: str
    episode_id: str
    variant_name: str
    output: JsonOutput
    usage: UsageBody
    finish_reason: FinishReason | None
