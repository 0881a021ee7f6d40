"""Our own fields in the bodies of other vendors' dialects, under two prefixes: `tensorzero::` and `calibrant::`."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from calibrant.apischema.native import CacheOptions, ParamsBody
from calibrant.apischema.options import ExtraBodyEntry, ExtraHeaderEntry, ProviderToolBody

__all__ = ["OWN", "OwnFields", "prefixed"]


def prefixed(field: str) -> str | None:
    """Name our fields as they are on the wire: `tensorzero_tags` is `tensorzero::tags`."""
    return field.replace("_", "::", 1) if field.startswith(("tensorzero_", "calibrant_")) else None


class OwnFields(Struct, frozen=True, gc=False, kw_only=True, rename=prefixed):
    """What a request may say beside what its dialect knows. Each dialect's body inherits it."""

    tensorzero_variant_name: str | None = None
    tensorzero_episode_id: str | None = None
    tensorzero_namespace: str | None = None
    tensorzero_dryrun: bool | None = None
    tensorzero_tags: dict[str, str] | None = None
    tensorzero_cache_options: CacheOptions | None = None
    tensorzero_credentials: dict[str, str] | None = None
    tensorzero_extra_body: list[ExtraBodyEntry] | None = None
    tensorzero_extra_headers: list[ExtraHeaderEntry] | None = None
    tensorzero_provider_tools: list[ProviderToolBody] | None = None
    tensorzero_params: ParamsBody | None = None
    tensorzero_deny_unknown_fields: bool | None = None
    tensorzero_include_raw_usage: bool | None = None
    tensorzero_include_raw_response: bool | None = None
    tensorzero_include_original_response: bool | None = None
    tensorzero_internal_dynamic_variant_config: dict[str, Any] | None = None

    calibrant_variant_name: str | None = None
    calibrant_episode_id: str | None = None
    calibrant_namespace: str | None = None
    calibrant_dryrun: bool | None = None
    calibrant_tags: dict[str, str] | None = None
    calibrant_cache_options: CacheOptions | None = None
    calibrant_credentials: dict[str, str] | None = None
    calibrant_extra_body: list[ExtraBodyEntry] | None = None
    calibrant_extra_headers: list[ExtraHeaderEntry] | None = None
    calibrant_provider_tools: list[ProviderToolBody] | None = None
    calibrant_params: ParamsBody | None = None
    calibrant_deny_unknown_fields: bool | None = None
    calibrant_include_raw_usage: bool | None = None
    calibrant_include_raw_response: bool | None = None
    calibrant_include_original_response: bool | None = None
    calibrant_internal_dynamic_variant_config: dict[str, Any] | None = None


OWN = OwnFields.__struct_fields__
