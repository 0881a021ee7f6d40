"""What providers answer about their own batches: as much of it as is read."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, Struct

__all__ = [
    "AnthropicBatch",
    "AnthropicBatchLine",
    "AnthropicError",
    "AnthropicProblem",
    "AnthropicResult",
    "OpenAIBatch",
    "OpenAIBatchLine",
    "OpenAIFile",
    "OpenAIProblem",
    "OpenAIProblems",
    "OpenAIResponse",
    "StorageList",
    "StorageObject",
    "VertexBatchLine",
    "VertexJob",
    "VertexLabelled",
    "VertexOutput",
    "VertexProblem",
]


class OpenAIFile(Struct, frozen=True):
    """An uploaded file."""

    id: str


class OpenAIProblem(Struct, frozen=True):
    """Why a batch, or a line of it, was not taken."""

    code: str | None = None
    message: str | None = None
    line: int | None = None


class OpenAIProblems(Struct, frozen=True):
    """All of them."""

    data: list[OpenAIProblem] = []


class OpenAIBatch(Struct, frozen=True):
    """A batch."""

    id: str
    status: str
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: OpenAIProblems | None = None


class OpenAIResponse(Struct, frozen=True):
    """The answer of one call."""

    status_code: Annotated[int, Meta(ge=100, le=599)]
    body: Raw
    request_id: str | None = None


class OpenAIBatchLine(Struct, frozen=True):
    """A line of the output file, or of the error file."""

    custom_id: str
    response: OpenAIResponse | None = None
    error: OpenAIProblem | None = None


class AnthropicBatch(Struct, frozen=True):
    """A message batch."""

    id: str
    processing_status: str
    cancel_initiated_at: str | None = None


class AnthropicResult(Struct, frozen=True):
    """What came of one message."""

    type: str
    message: Raw = Raw()
    error: Raw = Raw()
    """Both are empty where they are missing."""


class AnthropicBatchLine(Struct, frozen=True):
    """A line of the results."""

    custom_id: str
    result: AnthropicResult


class AnthropicProblem(Struct, frozen=True):
    """The inner part of an error."""

    type: str = ""


class AnthropicError(Struct, frozen=True):
    """The outer part of an error."""

    error: AnthropicProblem = AnthropicProblem()


class VertexOutput(Struct, frozen=True, rename="camel"):
    """Where a job's answers are."""

    gcs_output_directory: str | None = None


class VertexProblem(Struct, frozen=True):
    """Why a job failed."""

    message: str = ""


class VertexJob(Struct, frozen=True, rename="camel"):
    """A batch prediction job."""

    name: str
    state: str = ""
    output_info: VertexOutput | None = None
    error: VertexProblem | None = None


class VertexLabelled(Struct, frozen=True):
    """The request of a line, as far as it tells whose it is."""

    labels: dict[str, str] = {}


class VertexBatchLine(Struct, frozen=True):
    """A line of the answers, which has the request again."""

    request: VertexLabelled = VertexLabelled()
    response: Raw = Raw()
    """Empty, null or without a field where there is none."""
    status: str = ""


class StorageObject(Struct, frozen=True):
    """An object of a bucket."""

    name: str


class StorageList(Struct, frozen=True, rename="camel"):
    """A page of a bucket's objects."""

    items: list[StorageObject] = []
    next_page_token: str | None = None
