"""OpenAI's chat completions as a provider speaks it: the request that we send, the answers that we read.

Holds the fields of every compatible vendor side by side; which of them a vendor is sent is said in
`providers/compatible.py`. Answers are read leniently: what we do not know is skipped, what a vendor may
leave out is null. The body that callers send to the gateway is another file, `openai_request.py`.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct, UnsetType

__all__ = [
    "Allowed",
    "AllowedTools",
    "AnswerChoice",
    "AnswerCustom",
    "AnswerFunction",
    "AnswerMessage",
    "AnswerToolCall",
    "AssistantMessage",
    "AudioPart",
    "AudioTextPart",
    "ChatAnswer",
    "ChatChunk",
    "ChatRequest",
    "ChatUsage",
    "ChoiceDelta",
    "ChoiceEnd",
    "ChunkChoice",
    "CompletionDetails",
    "CustomFormat",
    "CustomGrammar",
    "CustomSpec",
    "CustomToolSpec",
    "Document",
    "DocumentPart",
    "FilePart",
    "FunctionSpec",
    "GroqExtras",
    "ImagePart",
    "ImageUrl",
    "InputAudio",
    "JsonSchema",
    "NamedCustomTool",
    "NamedFunction",
    "NamedTool",
    "PromptDetails",
    "Reasoning",
    "ResponseFormat",
    "StreamOptions",
    "SystemMessage",
    "TextPart",
    "TextPiece",
    "Thinking",
    "ThinkingPart",
    "ToolMessage",
    "ToolSpec",
    "UsedCustom",
    "UsedCustomTool",
    "UsedFunction",
    "UsedTool",
    "UserMessage",
]

# --- what we send; every null is left out ---


class TextPart(Struct, frozen=True, gc=False, omit_defaults=True, tag_field="type", tag="text"):
    """A piece of text; OpenRouter takes a mark that everything up to it may be cached."""

    text: str
    cache_control: dict[str, str] | None = None


class ImageUrl(Struct, frozen=True, gc=False, omit_defaults=True):
    """An image, by address or as a data URL."""

    url: str
    detail: str | None = None


class ImagePart(Struct, frozen=True, gc=False, tag_field="type", tag="image_url"):
    """An image."""

    image_url: ImageUrl


class Document(Struct, frozen=True, gc=False):
    """A file in the request itself, as a data URL; OpenRouter takes an address too."""

    filename: str
    file_data: str


class FilePart(Struct, frozen=True, gc=False, tag_field="type", tag="file"):
    """A document, such as a PDF."""

    file: Document


class DocumentPart(Struct, frozen=True, gc=False, tag_field="type", tag="document_url"):
    """A document in Mistral's form."""

    document_url: str


class InputAudio(Struct, frozen=True, gc=False):
    """Sound as base64."""

    data: str
    format: str


class AudioPart(Struct, frozen=True, gc=False, tag_field="type", tag="input_audio"):
    """Sound."""

    input_audio: InputAudio


class AudioTextPart(Struct, frozen=True, gc=False, tag_field="type", tag="input_audio"):
    """Sound in Mistral's form: base64, or an address."""

    input_audio: str


class ThinkingPart(Struct, frozen=True, gc=False, tag_field="type", tag="thinking"):
    """Reasoning in Mistral's form."""

    thinking: tuple[TextPart, ...]


class UsedFunction(Struct, frozen=True, gc=False):
    """What an earlier answer called, arguments as the model wrote them."""

    name: str
    arguments: str


class UsedTool(Struct, frozen=True, gc=False, tag_field="type", tag="function"):
    """A tool call of an earlier answer."""

    id: str
    function: UsedFunction


class UsedCustom(Struct, frozen=True, gc=False):
    """What an earlier answer called, and the text that it was given."""

    name: str
    input: str


class UsedCustomTool(Struct, frozen=True, gc=False, tag_field="type", tag="custom"):
    """A call of a custom tool in an earlier answer."""

    id: str
    custom: UsedCustom


class SystemMessage(Struct, frozen=True, gc=False, tag_field="role", tag="system"):
    """The system prompt."""

    content: str | list[TextPart]


class UserMessage(Struct, frozen=True, gc=False, tag_field="role", tag="user"):
    """A user's turn; a part of a type that we do not know is sent as it is."""

    content: str | list[Any]


class AssistantMessage(Struct, frozen=True, gc=False, tag_field="role", tag="assistant", omit_defaults=True):
    """A model's turn."""

    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[Any] | None = None
    tool_calls: list[UsedTool | UsedCustomTool] | None = None


class ToolMessage(Struct, frozen=True, gc=False, tag_field="role", tag="tool"):
    """What a tool answered."""

    tool_call_id: str
    content: str


class FunctionSpec(Struct, frozen=True, gc=False, omit_defaults=True):
    """A function that the model may call."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolSpec(Struct, frozen=True, gc=False, tag_field="type", tag="function"):
    """A tool that the model may call."""

    function: FunctionSpec


class CustomGrammar(Struct, frozen=True, gc=False):
    """What the text must follow."""

    syntax: str
    definition: str


class CustomFormat(Struct, frozen=True, gc=False, omit_defaults=True):
    """`text`, or `grammar` with it."""

    type: str
    grammar: CustomGrammar | None = None


class CustomSpec(Struct, frozen=True, gc=False, omit_defaults=True):
    """A tool that is called with text."""

    name: str
    description: str | None = None
    format: CustomFormat | None = None


class CustomToolSpec(Struct, frozen=True, gc=False, tag_field="type", tag="custom"):
    """A tool that the model may call with text."""

    custom: CustomSpec


class NamedFunction(Struct, frozen=True, gc=False):
    """The name of a function."""

    name: str


class NamedTool(Struct, frozen=True, gc=False, tag_field="type", tag="function"):
    """The one tool that must be called."""

    function: NamedFunction


class NamedCustomTool(Struct, frozen=True, gc=False, tag_field="type", tag="custom"):
    """The one custom tool that must be called."""

    custom: NamedFunction


class Allowed(Struct, frozen=True, gc=False):
    """Which of the tools may be called, and whether one of them must be."""

    mode: str
    tools: list[NamedTool | NamedCustomTool]


class AllowedTools(Struct, frozen=True, gc=False, tag_field="type", tag="allowed_tools"):
    """A choice among some of the tools."""

    allowed_tools: Allowed


class JsonSchema(Struct, frozen=True, gc=False):
    """The schema that the output keeps to."""

    name: str
    strict: bool
    schema: dict[str, Any]


class ResponseFormat(Struct, frozen=True, gc=False, omit_defaults=True):
    """`json_object`, or `json_schema` with the schema; `value` is where TGI looks for it."""

    type: str
    json_schema: JsonSchema | None = None
    value: dict[str, Any] | None = None


class StreamOptions(Struct, frozen=True, gc=False):
    """Asks for the usage at the end of a stream."""

    include_usage: bool


class Thinking(Struct, frozen=True, gc=False, omit_defaults=True):
    """Turns thinking on or off (DeepSeek), with a budget (Fireworks)."""

    type: str
    budget_tokens: int | None = None


class Reasoning(Struct, frozen=True, gc=False, omit_defaults=True):
    """OpenRouter's one field for both: an effort, or a budget."""

    effort: str | None = None
    max_tokens: int | None = None


class ChatRequest(Struct, frozen=True, gc=False, omit_defaults=True):
    """The body of `POST /chat/completions`."""

    model: str | UnsetType
    messages: list[SystemMessage | UserMessage | AssistantMessage | ToolMessage]
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    seed: int | None = None
    random_seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] | None = None
    tools: list[Any] | None = None
    tool_choice: str | NamedTool | NamedCustomTool | AllowedTools | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    reasoning: Reasoning | None = None
    thinking: Thinking | None = None
    reasoning_format: Any = None
    prompt_mode: Any = None
    service_tier: str | None = None
    verbosity: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None


# --- what we read ---


class TextPiece(Struct, frozen=True, gc=False):
    """A piece of text within a part of a content that is a list."""

    text: str | None = None


class AnswerFunction(Struct, frozen=True, gc=False):
    """A function that the model calls. Some servers send the arguments as an object."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class AnswerCustom(Struct, frozen=True, gc=False):
    """A custom tool that the model calls, and the text for it."""

    name: str | None = None
    input: str | None = None


class AnswerToolCall(Struct, frozen=True, gc=False):
    """A tool call, or a piece of one; the id and the name come once, some servers leave `index` out."""

    id: str | None = None
    function: AnswerFunction | None = None
    index: int | None = None
    custom: AnswerCustom | None = None


class AnswerMessage(Struct, frozen=True, gc=False):
    """The answer. Content is a list where the vendor mixes text with reasoning (Mistral)."""

    content: str | list[dict[str, Any]] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[AnswerToolCall] | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    """OpenRouter's reasoning, with what its author wants back."""


class ChoiceEnd(Struct, frozen=True, gc=False):
    """Why an answer ended, as vendors say it."""

    finish_reason: str | None = None
    stop_reason: Any = None
    """vLLM's stop sequence; a number for a token."""
    native_finish_reason: Any = None
    """The word of the vendor behind OpenRouter."""
    content_filter_results: Raw = Raw()
    """Azure's verdict on the answer."""
    error: Raw = Raw()
    """What went wrong behind OpenRouter."""


class AnswerChoice(ChoiceEnd, frozen=True, kw_only=True):
    """One of the answers; we only ever ask for one."""

    message: AnswerMessage


class ChatAnswer(Struct, frozen=True, gc=False):
    """The body of a whole answer."""

    choices: list[AnswerChoice] | None = None
    id: str | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    usage: Raw = Raw()
    error: Raw = Raw()


class ChoiceDelta(AnswerMessage, frozen=True):
    """A piece of the answer, in the same fields."""


class ChunkChoice(ChoiceEnd, frozen=True):
    """A step of one of the answers."""

    delta: ChoiceDelta | None = None
    index: int | None = None


class GroqExtras(Struct, frozen=True, gc=False):
    """What Groq sends beside the standard fields: a stream's usage, and why it was stopped early."""

    usage: Raw = Raw()
    error: str | None = None


class ChatChunk(Struct, frozen=True, gc=False):
    """One event of a stream."""

    choices: list[ChunkChoice] | None = None
    id: str | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    usage: Raw = Raw()
    error: Raw = Raw()
    x_groq: GroqExtras | None = None


class PromptDetails(Struct, frozen=True, gc=False):
    """What the prompt's tokens were."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class CompletionDetails(Struct, frozen=True, gc=False):
    """What the completion's tokens were."""

    reasoning_tokens: int | None = None


class ChatUsage(Struct, frozen=True, gc=False):
    """Tokens, as vendors count them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    """DeepSeek's name for cached tokens."""
    reasoning_tokens: int | None = None
    """SGLang's place for them."""
