"""The values that pass between the engine, the provider codecs and the network, so that these need not meet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

from msgspec import Struct

from calibrant.types.message import Message
from calibrant.types.request import JsonMode, Params
from calibrant.types.tool import ToolConfig

__all__ = ["Deadline", "Headers", "HttpCall", "ModelCall", "Response", "Sender"]

Headers = tuple[tuple[str, str], ...]
"""Header fields in order; names in lower case."""


class ModelCall(Struct, frozen=True):
    """One call of a model, rendered, in no provider's dialect.

    Messages hold only text, tool calls, tool results, files, thoughts and unknown blocks here:
    templates have been rendered and raw text has become text.
    """

    system: str | None
    messages: tuple[Message, ...]
    params: Params = Params()
    tools: ToolConfig | None = None
    json_mode: JsonMode | None = None
    """Null for a chat function."""
    output_schema: dict[str, Any] | None = None
    stream: bool = False


class HttpCall(Struct, frozen=True):
    """An HTTP request as a value. Before `sign` it holds no secret, so it is recorded as it is."""

    method: str
    url: str
    headers: Headers
    body: bytes
    stream: bool = False
    """Whether the caller reads the body piece by piece as it comes."""


class Deadline(Struct, frozen=True):
    """Instants on the monotonic clock (`time.monotonic()`) by which a step must be done; null waits for `total`."""

    total: float
    connect: float | None = None
    first_byte: float | None = None
    """Until the first byte of the answer's body (of its head, where it has no body)."""


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
