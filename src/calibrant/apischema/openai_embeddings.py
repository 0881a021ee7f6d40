"""`POST /openai/v1/embeddings`: the body as callers write it, and the answer as we write it.

Fields that are not listed are ignored, `user` among them; `StrictEmbeddingsBody` refuses them. Our own fields come
under two prefixes, `tensorzero::` and `calibrant::`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from calibrant.apischema.native import CacheOptions
from calibrant.apischema.own import prefixed

__all__ = ["Embedding", "EmbeddingsAnswer", "EmbeddingsBody", "EmbeddingsUsage", "StrictEmbeddingsBody"]

_TokenId = Annotated[int, Meta(ge=0, le=2**32 - 1)]


class EmbeddingsBody(Struct, frozen=True, kw_only=True, rename=prefixed):
    """The request."""

    model: str
    input: str | list[str | _TokenId | tuple[_TokenId, ...]]
    """A text, texts, the token ids of a text, or of several; never a mixture."""
    dimensions: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    encoding_format: Literal["float", "base64"] | None = None

    tensorzero_namespace: str | None = None
    tensorzero_dryrun: bool | None = None
    tensorzero_credentials: dict[str, str] | None = None
    tensorzero_cache_options: CacheOptions | None = None
    tensorzero_include_raw_response: bool | None = None
    tensorzero_deny_unknown_fields: bool | None = None

    calibrant_namespace: str | None = None
    calibrant_dryrun: bool | None = None
    calibrant_credentials: dict[str, str] | None = None
    calibrant_cache_options: CacheOptions | None = None
    calibrant_include_raw_response: bool | None = None
    calibrant_deny_unknown_fields: bool | None = None


class StrictEmbeddingsBody(EmbeddingsBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The request, for callers who want unknown fields refused."""

    user: str | None = None


class Embedding(Struct, frozen=True):
    """One vector."""

    embedding: tuple[float, ...] | str
    """Numbers, or little-endian float32 as base64."""
    index: int
    object: Literal["embedding"] = "embedding"


class EmbeddingsUsage(Struct, frozen=True, kw_only=True):
    """Tokens; null is unknown."""

    prompt_tokens: int | None
    total_tokens: int | None
    tensorzero_cost: Raw | UnsetType | None = UNSET
    calibrant_cost: Raw | UnsetType | None = UNSET


class EmbeddingsAnswer(Struct, frozen=True, kw_only=True):
    """The answer."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingsUsage
