"""Changes that configuration or caller make to a provider's request, and tools that a provider runs itself."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

__all__ = ["EVERYWHERE", "ExtraBody", "ExtraHeader", "ProviderTool", "Scope"]


class Scope(Struct, frozen=True):
    """Which calls something is for; a field that is null says nothing."""

    variant_name: str | None = None
    model_name: str | None = None
    provider_name: str | None = None

    def holds(self, variant_name: str, model_name: str, provider_name: str) -> bool:
        """Return whether a call is among them."""
        return (
            self.variant_name in (None, variant_name)
            and self.model_name in (None, model_name)
            and self.provider_name in (None, provider_name)
        )


EVERYWHERE = Scope()


class ExtraBody(Struct, frozen=True):
    """One change of a request's body."""

    pointer: str
    """JSON Pointer (RFC 6901); `-` as its last step appends to a list."""
    value: Any = None
    delete: bool = False
    """Takes away what is there, if anything is; `value` does not count then."""
    scope: Scope = EVERYWHERE


class ExtraHeader(Struct, frozen=True):
    """One change of a request's headers."""

    name: str
    """In lower case."""
    value: str | None = None
    """Null takes the header away."""
    scope: Scope = EVERYWHERE


class ProviderTool(Struct, frozen=True):
    """A tool that the provider itself runs, such as web search, in its own words."""

    tool: dict[str, Any]
    scope: Scope = EVERYWHERE
