"""Embeddings as a caller asks for them, and what the caller gets."""

from __future__ import annotations

from msgspec import Struct

from calibrant.types.cached import NO_CACHE, CachePolicy
from calibrant.types.call import EmbeddingCall, EmbeddingReply
from calibrant.types.rows import ModelInferenceRow

__all__ = ["Embedded", "EmbeddingRequest"]


class EmbeddingRequest(Struct, frozen=True):
    """Some texts to embed."""

    model_name: str
    """A configured embedding model or a shorthand."""
    call: EmbeddingCall
    namespace: str | None = None
    credentials: dict[str, str] = {}
    """Values for `dynamic::` credentials. Never recorded."""
    cache: CachePolicy = NO_CACHE
    """A `dryrun` reads from it and puts nothing into it."""
    include_raw_response: bool = False
    prefix: str = "tensorzero"
    """The vendor prefix that the caller used (`tensorzero` or `calibrant`); answers echo it."""


class Embedded(Struct, frozen=True):
    """The vectors of a request."""

    request: EmbeddingRequest
    reply: EmbeddingReply
    cost: str | None
    """US dollars of all calls, as decimal text; null while unknown."""
    calls: tuple[ModelInferenceRow, ...] = ()
    """The calls of providers that were made, failed ones included."""
