"""What a provider's codec is: five pure functions and an incremental decoder."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

from calibrant.base.errors import ProviderError
from calibrant.config.secret import Credentials
from calibrant.types.call import (
    BatchCall,
    BatchEnd,
    EmbeddingCall,
    EmbeddingReply,
    Exchange,
    Headers,
    HttpCall,
    ModelCall,
)
from calibrant.types.reply import Chunk, Reply

__all__ = ["JSON_TOOL", "Adapter", "Batcher", "Counter", "Embedder", "Steps", "StreamDecoder"]

T = TypeVar("T")
Steps: TypeAlias = Generator[HttpCall, Exchange, T]
"""Several HTTP calls that follow from one another: yields each, not signed, is sent its answer, and returns what came
of all. It is as pure as the codecs."""

JSON_TOOL = "respond"
"""The tool that carries the output where `json_mode` is `tool`."""


class StreamDecoder(Protocol):
    """Turns the bytes of a streamed answer into chunks; the same chunks however the bytes are cut.

    One event of the provider is one chunk, even where it brings nothing but its raw form.
    """

    def feed(self, data: bytes) -> list[Chunk]:
        """Return the chunks that these bytes complete.

        A failure that comes after good chunks in the same bytes is raised by the next call, so that no chunk
        is lost.

        Raises:
            Refused: the provider sent an error.
            BadAnswer: what came is not what the protocol promises.
        """
        ...

    def close(self) -> list[Chunk]:
        """Return what was held back, once the provider has closed the stream.

        Raises:
            Truncated: neither the end marker nor a finish reason ever came.
            Refused, BadAnswer: as for `feed`.
        """
        ...


class Adapter(Protocol):
    """One provider's dialect. Holds no state of a call and may be shared."""

    def encode(self, call: ModelCall) -> HttpCall:
        """Return the request. No secret is in it.

        Raises:
            ProviderError: the call asks for what this provider does not have; trying it again is no use.
        """
        ...

    def sign(self, http: HttpCall, secret: Credentials | None, now: float) -> HttpCall:
        """Return the request with the credential in it; unchanged where the provider needs none.

        Args:
            http: The request, as encoded.
            secret: The credential.
            now: Unix time in seconds, for signatures that hold for minutes.
        """
        ...

    def decode(self, status: int, headers: Headers, body: bytes, *, json_tool: bool = True) -> Reply:
        """Return the whole answer.

        Args:
            status: The HTTP status.
            headers: The HTTP headers.
            body: The whole body.
            json_tool: Whether a call of the tool `respond` is the output itself and becomes text. A caller
                that knows that `json_mode` is not `tool` says no: then it is a tool like any other.

        Raises:
            Refused: the provider sent an error, whatever the status.
            BadAnswer: the body is not what the protocol promises.
        """
        ...

    def decoder(self, *, json_tool: bool = True) -> StreamDecoder:
        """Return a decoder for one streamed answer."""
        ...

    def error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        """Return what an error status means."""
        ...


@runtime_checkable
class Counter(Protocol):
    """An adapter whose provider counts the tokens of a request without answering it."""

    def encode_count(self, call: ModelCall) -> HttpCall:
        """Return the request.

        Raises:
            ProviderError: the call asks for what this provider does not have.
        """
        ...

    def decode_count(self, status: int, headers: Headers, body: bytes) -> int:
        """Return the count.

        Raises:
            Refused: the provider sent an error.
            BadAnswer: the body is not what the protocol promises.
        """
        ...


class Embedder(Protocol):
    """One provider's dialect of embeddings. `sign` and `error` are those of `Adapter`."""

    def encode_embedding(self, call: EmbeddingCall) -> HttpCall:
        """Return the request.

        Raises:
            ProviderError: the call asks for what this provider does not have.
        """
        ...

    def decode_embedding(self, status: int, headers: Headers, body: bytes) -> EmbeddingReply:
        """Return the vectors.

        Raises:
            Refused: the provider sent an error.
            BadAnswer: the body is not what the protocol promises.
        """
        ...

    def sign(self, http: HttpCall, secret: Credentials | None, now: float) -> HttpCall:
        """Return the request with the credential in it."""
        ...

    def error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        """Return what an error status means."""
        ...


class Batcher(Protocol):
    """One provider's dialect of batches. What its calls are, and what their answers mean, `Adapter` knows."""

    def submit(self, calls: Sequence[BatchCall]) -> Steps[str]:
        """Hand over a batch; returns the provider's id of it.

        Raises:
            Refused: the provider sent an error.
            BadAnswer: an answer is not what the protocol promises.
        """
        ...

    def poll(self, batch_id: str) -> Steps[BatchEnd | None]:
        """Ask how it goes; returns what came of it, or null while it goes on.

        Raises:
            Refused, BadAnswer: as for `submit`.
        """
        ...

    def cancel(self, batch_id: str) -> Steps[None]:
        """Have it end early. That it has ended, and what came of it, `poll` tells.

        Raises:
            Refused: the provider sent an error.
        """
        ...
