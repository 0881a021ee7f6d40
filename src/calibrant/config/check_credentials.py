"""What must hold of the keys of a provider that say where its credential, its address and its region are."""

from __future__ import annotations

from calibrant.config.check import Report
from calibrant.config.credential import AWS_TYPES
from calibrant.config.document import Document
from calibrant.config.document_models import AnyProvider
from calibrant.config.document_parts import LocationPair
from calibrant.config.problem import Path
from calibrant.config.setting import fault_of_setting, is_located

__all__ = ["check_credentials"]

_PAIR = ("access_key_id", "secret_access_key")
_RIGHT = {
    "endpoint": 'write an address such as "https://NAME.openai.azure.com", "env::NAME" or "dynamic::NAME"',
    "endpoint_url": 'write an address that starts with "https://", "env::NAME" or "dynamic::NAME"',
    "region": 'write a region such as "us-east-1", "env::NAME", "dynamic::NAME" or "sdk"',
}


def check_credentials(document: Document, report: Report) -> None:
    """Report credentials that no call could be signed with, and addresses and regions that cannot be right."""
    for here, provider in document.provider_tables():
        _check_sdk(here, provider, report)
        _check_settings(here, provider, report)
        if provider.__struct_config__.tag in AWS_TYPES:
            _check_aws(here, provider, report)
    _check_sdk(("gateway", "relay"), document.gateway.relay, report)
    for field in document.provider_types.__struct_fields__:
        defaults = getattr(document.provider_types, field).defaults
        _check_sdk(("provider_types", field, "defaults"), defaults, report)


def _check_sdk(here: Path, table: object, report: Report) -> None:
    location = getattr(table, "api_key_location", None)
    if location is not None and "sdk" in _locations(location):
        report(
            (*here, "api_key_location"),
            'is "sdk", which only AWS and GCP have',
            'write "env::NAME", or "none" for a server that wants no key',
        )


def _check_settings(here: Path, provider: AnyProvider, report: Report) -> None:
    for key, right in _RIGHT.items():
        value = getattr(provider, key, None)
        if value is None or is_located(key, value):
            continue
        fault = fault_of_setting(key, value)
        if fault is not None:
            report((*here, key), fault, right)


def _check_aws(here: Path, provider: AnyProvider, report: Report) -> None:
    if not any(getattr(provider, key) for key in ("region", "endpoint_url", "allow_auto_detect_region")):
        report((*here, "region"), "is missing", f"{_RIGHT['region']} for that of AWS's own settings")
    parts = {key: getattr(provider, key, None) for key in (*_PAIR, "session_token")}
    given = [key for key, value in parts.items() if value is not None]
    for key in _PAIR:
        if given and parts[key] is None:
            report(
                (*here, key), f"is missing beside `{given[0]}`", "write both, and `session_token` for keys that expire"
            )
    if given and getattr(provider, "api_key", None) is not None:
        report((*here, "api_key"), f"is set beside `{given[0]}`", "keep the one or the other")
    if "none" in parts.values() or len({parts[key] == "sdk" for key in given}) > 1:
        which = next(key for key in given if parts[key] in ("none", "sdk"))
        report(
            (*here, which),
            f'is "{parts[which]}", which a part of a key cannot be',
            'write where it is, or leave all of them out: that is "sdk"',
        )


def _locations(location: str | LocationPair) -> tuple[str, ...]:
    return (location,) if isinstance(location, str) else (location.default, location.fallback)
