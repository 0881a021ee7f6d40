"""From a configured provider to the adapter that speaks to it: one line a dialect."""

from __future__ import annotations

from calibrant.base.errors import ConfigError
from calibrant.config.schema import Provider
from calibrant.providers.base import Adapter
from calibrant.providers.compatible import COMPATIBLE
from calibrant.providers.openai_chat import OpenAIChat

__all__ = ["adapter"]


def adapter(provider: Provider) -> Adapter:
    """Return the adapter for a provider.

    Raises:
        ConfigError: its type or its API is not built, or it needs an address and has none.
    """
    vendor = COMPATIBLE.get(provider.type)
    where = f"provider {provider.name!r}"
    if vendor is None:
        built = ", ".join(sorted(COMPATIBLE))
        raise ConfigError(f"{where}: the type {provider.type!r} is not built in this version; there are {built}")
    api_type = provider.options.get("api_type", "chat_completions")
    if api_type != "chat_completions":
        raise ConfigError(f"{where}: api_type {api_type!r} is not built in this version; use 'chat_completions'")
    base = provider.api_base or vendor.base
    if not base:
        raise ConfigError(f"{where}: the type {provider.type!r} needs api_base, the address of the server")
    return OpenAIChat(provider, vendor, base)
