"""What the batteries run over: requests, answers, errors and refusals of one dialect, as values.

A dialect's file in `dialects/` makes them and `dialects/all.py` gathers them. Each answer is written by us after the
page that it names; `judge` is the vendor's package that reads it in `test_<package>_sdk.py`, or null where no
package does, and then the matrix calls it unverified.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from calibrant.base.errors import ProviderError, Refused
from calibrant.config.schema import Provider
from calibrant.providers.base import Adapter, Embedder
from calibrant.providers.catalog import adapter, embedder
from calibrant.types.call import EmbeddingCall, EmbeddingReply, Headers, ModelCall
from calibrant.types.reply import Reply

CAPABILITIES = (
    *(
        "text",
        "stream",
        "tools",
        "parallel tools",
        "forced tools",
        "custom tools",
        "allowed tools",
        "structured output",
        "images",
        "files",
        "audio",
    ),
    *("reasoning", "stop reasons", "usage", "cache tokens", "errors", "provider tools", "embeddings"),
)
"""Columns of the conformance matrix that cases cover."""


RESPONSES = "openai (Responses API)"


def provider(kind: str, **fields: Any) -> Provider:
    """Return a provider of this type, named `my_KIND`, of the model `the-model`."""
    return Provider(**{"name": f"my_{kind}", "type": kind, "model_name": "the-model", **fields})


@dataclass(frozen=True)
class Case:
    """What every case has."""

    name: str
    kind: str
    covers: tuple[str, ...]
    """Columns of the matrix, of `CAPABILITIES`."""
    docs: str
    """The page that it was written from."""
    fields: dict[str, Any] = field(default_factory=dict, kw_only=True)
    """Fields of the provider beside name, type and model, such as `options`."""

    def made(self) -> Adapter:
        """Return the adapter."""
        return adapter(provider(self.kind, **self.fields))

    @property
    def row(self) -> str:
        """The row of the matrix: the provider type, or OpenAI's other API."""
        responses = self.fields.get("options", {}).get("api_type") == "responses"
        return RESPONSES if responses else self.kind

    def __str__(self) -> str:
        return f"{self.row}: {self.name}"


@dataclass(frozen=True)
class Golden(Case):
    """A call, and the whole request that it becomes."""

    call: ModelCall = field(kw_only=True)
    url: str = field(kw_only=True)
    body: Any = field(kw_only=True)
    """The body as JSON values."""
    headers: Headers = field(default=(), kw_only=True)
    """Headers that must be among those sent."""


@dataclass(frozen=True)
class Answer(Case):
    """An answer, whole or streamed or both, and what it means."""

    read: str = field(kw_only=True)
    """The day on which the page was read."""
    reply: Reply = field(kw_only=True)
    """What it means, but for `raw`."""
    whole: bytes | None = field(default=None, kw_only=True)
    stream: bytes | None = field(default=None, kw_only=True)
    headers: Headers = field(default=(), kw_only=True)
    judge: str | None = field(default=None, kw_only=True)
    json_tool: bool = field(default=False, kw_only=True)
    """Whether `json_mode` is `tool` in the call that it answers."""


@dataclass(frozen=True)
class Failure(Case):
    """An error status, and what it means."""

    status: int = field(kw_only=True)
    body: bytes = field(kw_only=True)
    says: str = field(kw_only=True)
    """What the message holds."""
    retryable: bool = field(kw_only=True)
    headers: Headers = field(default=(), kw_only=True)
    retry_after: float | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class BrokenStream(Case):
    """A stream that ends in an error, and what came before it."""

    stream: bytes = field(kw_only=True)
    error: type[ProviderError] = field(default=Refused, kw_only=True)
    says: str = field(default="", kw_only=True)
    retryable: bool = field(default=True, kw_only=True)
    partial: Reply = field(kw_only=True)
    """What its chunks fold to, but for `raw`."""


@dataclass(frozen=True)
class Unservable(Case):
    """A call that the provider cannot serve: refused before it is sent."""

    call: ModelCall = field(kw_only=True)
    says: str = field(kw_only=True)
    """What the message holds: the field."""


@dataclass(frozen=True)
class Embedded(Case):
    """A call for embeddings, the request that it becomes, an answer and what that means."""

    call: EmbeddingCall = field(kw_only=True)
    url: str = field(kw_only=True)
    body: Any = field(kw_only=True)
    answer: bytes = field(kw_only=True)
    reply: EmbeddingReply = field(kw_only=True)
    """What it means, but for `raw`."""
    headers: Headers = field(default=(), kw_only=True)
    judge: str | None = field(default=None, kw_only=True)

    def embedder(self) -> Embedder:
        """Return the adapter."""
        return embedder(provider(self.kind, **self.fields))


AnyCase = Golden | Answer | Failure | BrokenStream | Unservable | Embedded
