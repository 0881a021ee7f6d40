"""Options that every inbound dialect has: changes of a provider's request, its own tools, what is raw of an answer."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Raw, Struct

__all__ = ["ExtraBodyEntry", "ExtraHeaderEntry", "ProviderToolBody", "RawResponse", "RawUsage", "ToolScope"]


class ExtraBodyEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change of a provider's request; for some calls only where a variant or a model is named."""

    pointer: str
    value: Any = UNSET
    delete: bool | None = None
    variant_name: str | None = None
    model_name: str | None = None
    provider_name: str | None = None


class ExtraHeaderEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change of the headers of a provider's request."""

    name: str
    value: str | None = None
    delete: bool | None = None
    variant_name: str | None = None
    model_name: str | None = None
    provider_name: str | None = None


class ToolScope(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which models a provider's own tool is for."""

    model_name: str
    provider_name: str | None = None
    model_provider_name: str | None = None
    """The older name of `provider_name`."""


class ProviderToolBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tool that the provider itself runs."""

    tool: dict[str, Any]
    scope: ToolScope | None = None


class RawUsage(Struct, frozen=True):
    """A provider's own count of what one call used."""

    model_inference_id: str
    provider_type: str
    api_type: str
    data: Raw | None


class RawResponse(Struct, frozen=True):
    """What a provider answered to one call, as it came."""

    model_inference_id: str
    provider_type: str
    api_type: str
    data: str
