"""From a configured provider to the adapter that speaks to it: one line a dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from calibrant.base.errors import ConfigError
from calibrant.config.schema import Provider
from calibrant.config.vendors import RELAY
from calibrant.providers.anthropic import Anthropic, VertexAnthropic
from calibrant.providers.anthropic_batch import AnthropicBatches
from calibrant.providers.azure import Azure, AzureEmbeddings
from calibrant.providers.base import Adapter, Batcher, Embedder
from calibrant.providers.bedrock import Bedrock
from calibrant.providers.bedrock_embeddings import BedrockEmbeddings
from calibrant.providers.compatible import COMPATIBLE, Vendor
from calibrant.providers.gemini import AiStudioGemini, VertexGemini
from calibrant.providers.openai_batch import OpenAIBatches
from calibrant.providers.openai_chat import OpenAIChat
from calibrant.providers.openai_embeddings import OpenAIEmbeddings
from calibrant.providers.openai_responses import OpenAIResponses
from calibrant.providers.relay import Relay
from calibrant.providers.relay_embeddings import RelayEmbeddings
from calibrant.providers.sagemaker import SageMaker
from calibrant.providers.vertex_batch import vertex_batches

__all__ = ["BUILT", "adapter", "batcher", "embedder"]

_ADAPTERS: Mapping[str, Callable[[Provider], Adapter]] = {
    "anthropic": Anthropic,
    "gcp_vertex_anthropic": VertexAnthropic,
    "aws_bedrock": Bedrock,
    "azure": Azure,
    "aws_sagemaker": SageMaker,
    "gcp_vertex_gemini": VertexGemini,
    "google_ai_studio_gemini": AiStudioGemini,
}
"""Dialects of their own, by provider type; the vendors of OpenAI's dialect stand in `compatible.py`."""

_EMBEDDERS: Mapping[str, Callable[[Provider], Embedder]] = {
    "azure": AzureEmbeddings,
    "aws_bedrock": BedrockEmbeddings,
    "gcp_vertex_gemini": VertexGemini,
    "google_ai_studio_gemini": AiStudioGemini,
    RELAY: RelayEmbeddings,
}
"""Dialects of embeddings, by provider type."""

_BATCHERS: Mapping[str, Callable[[Provider], Batcher | None]] = {
    "anthropic": AnthropicBatches,
    "openai": OpenAIBatches,
    "gcp_vertex_gemini": vertex_batches,
}
"""Dialects of batches, by provider type."""

BUILT = frozenset({*_ADAPTERS, *COMPATIBLE})
"""The provider types that can be called."""


def adapter(provider: Provider) -> Adapter:
    """Return the adapter for a provider.

    Raises:
        ConfigError: its type is unknown, or it needs an address and has none.
    """
    if provider.type == RELAY:
        return Relay(provider)
    make = _ADAPTERS.get(provider.type)
    return _compatible(provider) if make is None else make(provider)


def embedder(provider: Provider) -> Embedder:
    """Return the adapter for a provider's embeddings.

    Raises:
        ConfigError: its type has none.
    """
    make = _EMBEDDERS.get(provider.type)
    if make is not None:
        return make(provider)
    vendor = COMPATIBLE.get(provider.type)
    if vendor is not None and vendor.embeddings is not None:
        return OpenAIEmbeddings(provider, f"{_base(provider, vendor)}/embeddings")
    known = sorted({*_EMBEDDERS, *(each.type for each in COMPATIBLE.values() if each.embeddings is not None)})
    raise ConfigError(
        f"provider {provider.name!r}: the type {provider.type!r} has no embeddings; there are {', '.join(known)}"
    )


def batcher(provider: Provider) -> Batcher | None:
    """Return the codec of a provider's own batches, or null where its type has none, or it lacks what they need."""
    make = _BATCHERS.get(provider.type)
    return None if make is None else make(provider)


def _compatible(provider: Provider) -> Adapter:
    vendor = COMPATIBLE.get(provider.type)
    if vendor is None:
        known = ", ".join(sorted(BUILT))
        raise ConfigError(f"provider {provider.name!r}: there is no provider type {provider.type!r}; there are {known}")
    base = _base(provider, vendor)
    if provider.options.get("api_type") == "responses":
        return OpenAIResponses(provider, base)
    return OpenAIChat(provider, vendor, base)


def _base(provider: Provider, vendor: Vendor) -> str:
    base = provider.api_base or vendor.base
    if not base:
        raise ConfigError(
            f"provider {provider.name!r}: the type {provider.type!r} needs api_base, the address of the server"
        )
    return base.rstrip("/")
