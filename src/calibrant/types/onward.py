"""What goes to another gateway beside a call of a model of it."""

from __future__ import annotations

from msgspec import Struct

from calibrant.types.extra import ExtraBody, ExtraHeader, ProviderTool

__all__ = ["Onward"]


class Onward(Struct, frozen=True):
    """Of one call: what changes its answer, then what only goes along with it."""

    namespace: str | None = None
    extra_body: tuple[ExtraBody, ...] = ()
    extra_headers: tuple[ExtraHeader, ...] = ()
    """Never recorded: they may hold a credential."""
    provider_tools: tuple[ProviderTool, ...] = ()
    tags: dict[str, str] = {}
    dryrun: bool = False
    internal: bool = False
    raw_usage: bool = False
    raw_response: bool = False
