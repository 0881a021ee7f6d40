"""Where a provider's credential is, by what its type can do with a location.

`sdk` means another chain on AWS than on GCP, and what lies at a static location of a GCP type is no token but
the key of an account, which is exchanged for one.
"""

from __future__ import annotations

from collections.abc import Mapping

from calibrant.config.document_models import AnyProvider
from calibrant.config.document_parts import LocationPair
from calibrant.config.schema import AwsLocations, Credential
from calibrant.config.vendors import VENDORS, Vendor

__all__ = ["AWS_TYPES", "GCP_TYPES", "credential_at", "default_credential", "provider_credential"]

AWS_TYPES = frozenset({"aws_bedrock", "aws_sagemaker"})
"""Provider types whose calls AWS's signature protects."""

GCP_TYPES = frozenset({"gcp_vertex_anthropic", "gcp_vertex_gemini"})
"""Provider types that want a token of Google's."""

_STATIC = ("env::", "path::", "path_from_env::")


def credential_at(type_: str, location: str | LocationPair) -> Credential:
    """Return the credential of a provider of this type that the document has at a location."""
    if isinstance(location, str):
        return Credential(_normal(type_, location))
    return Credential(_normal(type_, location.default), _normal(type_, location.fallback))


def default_credential(vendor: Vendor, defaults: Mapping[str, Credential]) -> Credential:
    """Return the credential of a provider that does not say where it is.

    Args:
        vendor: Its type.
        defaults: What `provider_types.T.defaults` says, by type.
    """
    if vendor.type in defaults:
        return defaults[vendor.type]
    fallback = None if vendor.fallback is None else _normal(vendor.type, vendor.fallback)
    return Credential(_normal(vendor.type, vendor.credential), fallback)


def provider_credential(table: AnyProvider, defaults: Mapping[str, Credential]) -> Credential:
    """Return the credential of a configured provider: its own, else that of its type."""
    vendor = VENDORS[str(table.__struct_config__.tag)]
    key_id, secret_key = getattr(table, "access_key_id", None), getattr(table, "secret_access_key", None)
    if key_id == secret_key == "sdk":
        return Credential("sdk::aws")
    if key_id is not None and secret_key is not None:
        return Credential("none", aws=AwsLocations(key_id, secret_key, getattr(table, "session_token", None)))
    for key in ("api_key_location", "credential_location", "api_key"):
        location = getattr(table, key, None)
        if location is not None:
            return credential_at(vendor.type, location)
    return default_credential(vendor, defaults)


def _normal(type_: str, location: str) -> str:
    if type_ in AWS_TYPES:
        return "sdk::aws" if location == "sdk" else location
    if type_ in GCP_TYPES:
        if location == "sdk":
            return "sdk::gcp"
        return f"gcp::{location}" if location.startswith(_STATIC) else location
    return location
