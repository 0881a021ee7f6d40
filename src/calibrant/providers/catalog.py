"""From a configured provider to the adapter that speaks to it: one line a dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from calibrant.base.errors import ConfigError
from calibrant.config.schema import Provider
from calibrant.providers.anthropic import Anthropic, VertexAnthropic
from calibrant.providers.base import Adapter, Embedder
from calibrant.providers.bedrock import Bedrock
from calibrant.providers.bedrock_embeddings import BedrockEmbeddings
from calibrant.providers.compatible import COMPATIBLE
from calibrant.providers.gemini import AiStudioGemini, VertexGemini
from calibrant.providers.openai_chat import OpenAIChat
from calibrant.providers.sagemaker import SageMaker

__all__ = ["BUILT", "adapter", "embedder"]

_ADAPTERS: Mapping[str, Callable[[Provider], Adapter]] = {
    "anthropic": Anthropic,
    "gcp_vertex_anthropic": VertexAnthropic,
    "aws_bedrock": Bedrock,
    "aws_sagemaker": SageMaker,
    "gcp_vertex_gemini": VertexGemini,
    "google_ai_studio_gemini": AiStudioGemini,
}
"""Dialects of their own, by provider type; the vendors of OpenAI's dialect stand in `compatible.py`."""

_EMBEDDERS: Mapping[str, Callable[[Provider], Embedder]] = {
    "aws_bedrock": BedrockEmbeddings,
    "gcp_vertex_gemini": VertexGemini,
    "google_ai_studio_gemini": AiStudioGemini,
}
"""Dialects of embeddings, by provider type."""

BUILT = frozenset({*_ADAPTERS, *COMPATIBLE})
"""The provider types that can be called."""


def adapter(provider: Provider) -> Adapter:
    """Return the adapter for a provider.

    Raises:
        ConfigError: its type or its API is not built, or it needs an address and has none.
    """
    make = _ADAPTERS.get(provider.type)
    return _compatible(provider) if make is None else make(provider)


def embedder(provider: Provider) -> Embedder:
    """Return the adapter for a provider's embeddings.

    Raises:
        ConfigError: its type has none.
    """
    make = _EMBEDDERS.get(provider.type)
    if make is None:
        known = ", ".join(sorted(_EMBEDDERS))
        raise ConfigError(
            f"provider {provider.name!r}: the type {provider.type!r} has no embeddings; there are {known}"
        )
    return make(provider)


def _compatible(provider: Provider) -> Adapter:
    vendor = COMPATIBLE.get(provider.type)
    where = f"provider {provider.name!r}"
    if vendor is None:
        raise ConfigError(f"{where}: there is no provider type {provider.type!r}; there are {', '.join(sorted(BUILT))}")
    api_type = provider.options.get("api_type", "chat_completions")
    if api_type != "chat_completions":
        raise ConfigError(f"{where}: api_type {api_type!r} is not built in this version; use 'chat_completions'")
    base = provider.api_base or vendor.base
    if not base:
        raise ConfigError(f"{where}: the type {provider.type!r} needs api_base, the address of the server")
    return OpenAIChat(provider, vendor, base)
