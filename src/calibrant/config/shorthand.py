"""What the part of a shorthand after `type::` means: the name of a model, or on GCP the path of one.

Callers choose these names, and a GCP path decides which host gets the credential, so each part is checked.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec.structs import replace

from calibrant.config.credential import GCP_TYPES, default_credential
from calibrant.config.relay import relay_provider
from calibrant.config.schema import Config, Provider
from calibrant.config.vendors import VENDORS

__all__ = ["fault_of_shorthand", "shorthand_provider"]

_RESPONSES = "responses::"
"""Before a model of OpenAI: it is spoken to by the Responses API."""
_PUBLISHERS = {"gcp_vertex_anthropic": "anthropic", "gcp_vertex_gemini": "google"}
_PATH = re.compile(
    r"projects/(?P<project_id>[a-z0-9.:-]+)/locations/(?P<location>[a-z0-9-]+)/"
    r"(?:publishers/(?P<publisher>[a-z0-9-]+)/models/(?P<model>[A-Za-z0-9._@-]+)|endpoints/(?P<endpoint_id>[A-Za-z0-9_-]+))"
)


def shorthand_provider(kind: str, name: str, config: Config) -> Provider | None:
    """Return the provider that `kind::name` names, or null where it names none."""
    vendor = VENDORS.get(kind)
    if vendor is None or not vendor.shorthand or fault_of_shorthand(kind, name) is not None:
        return None
    if config.gateway.relay is not None:
        return relay_provider(config.gateway.relay, f"{kind}::{name}")
    credential = default_credential(vendor, config.provider_defaults)
    provider = Provider(name=kind, type=kind, model_name=name, credential=credential)
    if kind == "openai" and name.startswith(_RESPONSES):
        return replace(provider, model_name=name.removeprefix(_RESPONSES), options={"api_type": "responses"})
    match = _PATH.fullmatch(name) if kind in GCP_TYPES else None
    if match is None:
        return provider
    options: dict[str, Any] = {"location": match["location"], "project_id": match["project_id"]}
    if match["endpoint_id"] is not None:
        options["endpoint_id"] = match["endpoint_id"]
    return replace(provider, model_name=match["model"] or "", options=options)


def fault_of_shorthand(kind: str, name: str) -> tuple[str, str] | None:
    """Return what is wrong with the part after `kind::` and what would be right, or null where it will do."""
    if not name.removeprefix(_RESPONSES if kind == "openai" else ""):
        return f"names '{kind}::', which has no model after the `::`", f"write '{kind}::MODEL'"
    if kind not in GCP_TYPES:
        return None
    match = _PATH.fullmatch(name)
    publisher = _PUBLISHERS[kind]
    models = f"'{kind}::projects/PROJECT/locations/LOCATION/publishers/{publisher}/models/MODEL'"
    if match is not None and match["publisher"] == publisher:
        return None
    if kind == "gcp_vertex_anthropic":
        return f"names '{kind}::' without the path of a model", f"write {models}"
    if match is not None and match["endpoint_id"] is not None:
        return None
    endpoints = f"'{kind}::projects/PROJECT/locations/LOCATION/endpoints/ENDPOINT'"
    return f"names '{kind}::' without the path of a model", f"write {models} or {endpoints}"
