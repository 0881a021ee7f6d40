"""The values that pass between the engine, the provider codecs and the network, so that these need not meet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal, Protocol

from msgspec import Struct

from calibrant.types.message import Message
from calibrant.types.reply import Usage
from calibrant.types.request import NO_PARAMS, JsonMode, Params
from calibrant.types.sent import Sent
from calibrant.types.tool import ToolConfig

__all__ = [
    "BatchCall",
    "BatchEnd",
    "BatchLine",
    "Deadline",
    "EmbeddingCall",
    "EmbeddingReply",
    "Exchange",
    "Headers",
    "HttpCall",
    "ModelCall",
    "Response",
    "Sender",
]

Headers = tuple[tuple[str, str], ...]
"""Header fields in order; names in lower case."""


class ModelCall(Struct, frozen=True, gc=False):
    """One call of a model, rendered, in no provider's dialect.

    Messages hold only text, tool calls, tool results, files, thoughts and unknown blocks here:
    templates have been rendered and raw text has become text.
    """

    system: str | None
    messages: tuple[Message, ...]
    params: Params = NO_PARAMS
    tools: ToolConfig | None = None
    json_mode: JsonMode | None = None
    """Null for a chat function."""
    output_schema: dict[str, Any] | None = None
    stream: bool = False
    provider_tools: tuple[Any, ...] = ()
    """Tools that the provider itself runs (web search and the like), in its own words."""
    sent: Sent | None = None
    """What of the caller's own words still stands, for a provider of the caller's dialect."""


class EmbeddingCall(Struct, frozen=True, gc=False):
    """One call of an embedding model, in no provider's dialect."""

    input: tuple[str | tuple[int, ...], ...]
    """Texts, or texts as token ids."""
    dimensions: int | None = None
    encoding_format: Literal["float", "base64"] | None = None
    """How the caller wants the numbers; a codec may ask the provider for either form."""


class EmbeddingReply(Struct, frozen=True, gc=False):
    """The vectors of an embedding model, in the order of the inputs."""

    embeddings: tuple[tuple[float, ...] | str, ...]
    """Numbers; or, where the call asked for `base64` and the provider speaks it, little-endian float32 as base64."""
    usage: Usage
    raw: bytes = b""
    model: str | None = None
    request_id: str | None = None


class HttpCall(Struct, frozen=True, gc=False):
    """An HTTP request as a value. Before `sign` it holds no secret, so it is recorded as it is."""

    method: str
    url: str
    headers: Headers
    body: bytes
    stream: bool = False
    """Whether the caller reads the body piece by piece as it comes."""


class Exchange(Struct, frozen=True, gc=False):
    """An HTTP answer that has been read."""

    status: int
    headers: Headers
    body: bytes


class BatchCall(Struct, frozen=True, gc=False):
    """One call of one of a provider's own batches."""

    id: str
    """By which its answer is found again: the inference's."""
    body: bytes
    """What the call would have as its body if it were made on its own."""


class BatchLine(Struct, frozen=True, gc=False):
    """What came of one call of a batch."""

    id: str
    answer: Exchange | None
    """What it would have been answered on its own; null where it was never made."""
    problem: str = ""
    """Why it was not."""


class BatchEnd(Struct, frozen=True, gc=False):
    """A provider's batch that is over."""

    lines: tuple[BatchLine, ...]
    problem: str = ""
    """Why it has no lines, or not all."""
    cancelled: bool = False


class Deadline(Struct, frozen=True, gc=False):
    """Instants on the monotonic clock (`time.monotonic()`) by which a step must be done; null waits for `total`."""

    total: float
    connect: float | None = None
    first_byte: float | None = None
    """Until the first byte of the answer's body (of its head, where it has no body)."""
    idle_s: float | None = None
    """Not an instant but a span: how long the body may pause once it has begun; null for as long as it likes."""


class Response(Protocol):
    """An HTTP answer whose head has come."""

    status: int
    headers: Headers

    async def read(self) -> bytes:
        """Return the whole body, decompressed."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, decompressed. Ends cleanly or raises `Disconnected`."""
        ...

    def close(self) -> None:
        """Give the connection up. A body that was read to its end has returned it already. Idempotent."""
        ...


class Sender(Protocol):
    """The one way out: something that sends an HTTP call."""

    async def send(self, call: HttpCall, deadline: Deadline) -> Response:
        """Send the call and return once the answer's head has come.

        Raises:
            Unreachable: no connection could be made.
            Disconnected: the connection broke.
            BadAnswer: what came back is not HTTP.
            InferenceTimeout: the deadline passed.
        """
        ...
