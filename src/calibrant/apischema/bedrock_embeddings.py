"""Amazon Bedrock's InvokeModel as its embedding models speak it: Titan's and Cohere's.

Source: docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html,
model-parameters-titan-embed-mm.html, model-parameters-embed-v3.html and model-parameters-embed-v4.html.
"""

from __future__ import annotations

from msgspec import Struct

__all__ = [
    "CohereAnswer",
    "CohereRequest",
    "EmbeddingConfig",
    "TitanAnswer",
    "TitanRequest",
]


class EmbeddingConfig(Struct, frozen=True, rename="camel"):
    """How long a vector of Titan Multimodal Embeddings is."""

    output_embedding_length: int


class TitanRequest(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One text for a Titan embedding model."""

    input_text: str
    dimensions: int | None = None
    embedding_config: EmbeddingConfig | None = None


class CohereRequest(Struct, frozen=True, omit_defaults=True):
    """Texts for a Cohere embedding model."""

    texts: tuple[str, ...]
    input_type: str
    embedding_types: tuple[str, ...]
    output_dimension: int | None = None


class TitanAnswer(Struct, frozen=True, rename="camel"):
    """One vector."""

    embedding: tuple[float, ...] | None = None
    input_text_token_count: int | None = None
    message: str | None = None
    """What went wrong on the way (multimodal)."""


class CohereAnswer(Struct, frozen=True):
    """Vectors, bare or by their type."""

    embeddings: list[tuple[float, ...]] | dict[str, list[tuple[float, ...]]] | None = None
    id: str | None = None
