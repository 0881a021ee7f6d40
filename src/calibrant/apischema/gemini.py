"""Google's generateContent as Gemini speaks it: the request that we send, the answers that we read.

Sources: ai.google.dev/api/generate-content and cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference.
A part of content has one field that says what it is; parts that we do not know pass through as they are.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct

__all__ = [
    "Blob",
    "Candidate",
    "CandidateContent",
    "Content",
    "FileData",
    "FunctionCallSent",
    "FunctionCalling",
    "FunctionDeclaration",
    "FunctionResponse",
    "GeminiAnswer",
    "GeminiRequest",
    "GeminiUsage",
    "GenerationConfig",
    "Part",
    "PromptFeedback",
    "ReadCall",
    "ReadPart",
    "System",
    "Thinking",
    "ToolConfigSent",
]

# --- what we send; every null is left out ---


class Blob(Struct, frozen=True, rename="camel"):
    """A file in the request itself, as base64."""

    mime_type: str
    data: str


class FileData(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A file by its address."""

    file_uri: str
    mime_type: str | None = None


class FunctionCallSent(Struct, frozen=True, omit_defaults=True):
    """A call of an earlier answer."""

    name: str
    args: Any
    id: str | None = None


class FunctionResponse(Struct, frozen=True, omit_defaults=True):
    """What a function answered."""

    name: str
    response: Any
    id: str | None = None


class Part(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A piece of content; one of its fields says what it is."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: FunctionCallSent | None = None
    function_response: FunctionResponse | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None


class Content(Struct, frozen=True):
    """One turn; a part of a kind that we do not know is sent as it is."""

    role: str
    parts: list[Any]


class System(Struct, frozen=True):
    """The system prompt."""

    parts: tuple[Part, ...]


class FunctionDeclaration(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A function that the model may call."""

    name: str
    description: str | None = None
    parameters_json_schema: dict[str, Any] | None = None


class FunctionCalling(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """`AUTO`, `ANY`, `NONE` or `VALIDATED`, and which functions."""

    mode: str
    allowed_function_names: tuple[str, ...] | None = None


class ToolConfigSent(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """How freely the model may choose, and whether it shows what the API's own tools did."""

    function_calling_config: FunctionCalling | None = None
    include_server_side_tool_invocations: bool | None = None


class Thinking(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """How much to think: a budget in tokens, or a level."""

    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: str | None = None


class GenerationConfig(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Parameters of the answer."""

    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    seed: int | None = None
    stop_sequences: tuple[str, ...] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_mime_type: str | None = None
    response_json_schema: dict[str, Any] | None = None
    thinking_config: Thinking | None = None


class GeminiRequest(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The body of `:generateContent` and `:streamGenerateContent`."""

    contents: list[Content]
    system_instruction: System | None = None
    tools: list[Any] | None = None
    tool_config: ToolConfigSent | None = None
    generation_config: GenerationConfig | None = None
    service_tier: str | None = None


# --- what we read ---


class ReadCall(Struct, frozen=True):
    """A function that the model calls."""

    name: str | None = None
    args: Raw = Raw()
    id: str | None = None


class ReadPart(Struct, frozen=True, rename="camel"):
    """A piece of the answer."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: ReadCall | None = None


class CandidateContent(Struct, frozen=True):
    """The content of the answer."""

    parts: list[Raw] | None = None


class Candidate(Struct, frozen=True, rename="camel"):
    """One of the answers; we only ever ask for one."""

    content: CandidateContent | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    safety_ratings: Raw = Raw()
    index: int | None = None


class PromptFeedback(Struct, frozen=True, rename="camel"):
    """Why the prompt was blocked, if it was."""

    block_reason: str | None = None


class GeminiAnswer(Struct, frozen=True, rename="camel"):
    """A whole answer, and each event of a stream."""

    candidates: list[Candidate] | None = None
    prompt_feedback: Raw = Raw()
    usage_metadata: Raw = Raw()
    model_version: str | None = None
    response_id: str | None = None
    error: Raw = Raw()


class GeminiUsage(Struct, frozen=True, rename="camel"):
    """Tokens; the prompt's include cached ones, the candidates' leave thoughts out. A count of 0 may be missing."""

    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    total_token_count: int | None = None
