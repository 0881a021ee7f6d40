"""Settings of a provider that may lie elsewhere: an address or a region that is a location.

What the environment says is settled once, when a worker starts; `dynamic::` comes with each request. Neither changes
the hash of the configuration. They decide where a credential goes, so each is checked before it is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from calibrant.base.errors import MissingCredential
from calibrant.config.lookup import Absent, look_up
from calibrant.config.problem import Problem, dotted
from calibrant.config.schema import Config, Model, Provider

__all__ = [
    "REGION_FROM_SDK",
    "dynamic_settings",
    "fault_of_setting",
    "is_located",
    "placeholders",
    "settle",
    "settled_for",
    "wants_region",
    "with_region",
]

REGION_FROM_SDK = "sdk"
"""A region that is wherever AWS's own settings have it."""

_DYNAMIC = "dynamic::"
_ENVIRONMENT = ("env::", "path_from_env::")
_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")


def _fault_of_url(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return "is no address"
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.hostname or "") or port == 0:
        return "is no address that starts with https:// or http://"
    if parts.username is not None or parts.password is not None:
        return "has a user or a password in it"
    if parts.query or parts.fragment or not value.isprintable() or " " in value:
        return "has more than scheme, host, port and path"
    return None


def _fault_of_region(value: str) -> str | None:
    return None if _REGION.fullmatch(value) else "is no name of a region"


_FAULTS: Mapping[str, Callable[[str], str | None]] = {
    "endpoint": _fault_of_url,
    "endpoint_url": _fault_of_url,
    "region": _fault_of_region,
}
_PLACEHOLDERS = {"endpoint": "https://dynamic.invalid", "endpoint_url": "https://dynamic.invalid", "region": "dynamic"}


def fault_of_setting(key: str, value: str) -> str | None:
    """Return what is wrong with the value of `endpoint`, `endpoint_url` or `region`, or null. It is not quoted."""
    return _FAULTS[key](value)


def is_located(key: str, value: str) -> bool:
    """Return whether the value says where the setting is, in place of what it is."""
    if key == "region" and value == REGION_FROM_SDK:
        return True
    return any(value.startswith(scheme) and len(value) > len(scheme) for scheme in (*_ENVIRONMENT, _DYNAMIC))


def settle(config: Config, environ: Mapping[str, str]) -> tuple[Config, tuple[Problem, ...]]:
    """Return the configuration with every setting that the environment has in the place of where it is.

    A region of AWS's own settings is taken from AWS_REGION or AWS_DEFAULT_REGION; without these it stays `sdk`.

    Returns:
        The configuration, and a problem for each setting that is missing or cannot be right.
    """
    problems: list[Problem] = []

    def settled(place: tuple[str, ...], provider: Provider) -> Provider:
        changed: dict[str, Any] = {}
        for key in _FAULTS.keys() & provider.options.keys():
            value: object = provider.options[key]
            if not isinstance(value, str) or not is_located(key, value) or value.startswith(_DYNAMIC):
                continue
            path = dotted((*place, key))
            found = _from_environment(value, environ)
            if isinstance(found, Absent):
                problems.append(Problem("environment", path, found.why, f"set it, or write the {key} itself"))
            elif found != REGION_FROM_SDK and (fault := _FAULTS[key](found)) is not None:
                problems.append(Problem("environment", path, f"what {value!r} holds {fault}", f"mend the {key}"))
            else:
                changed[key] = found
        return replace(provider, options={**provider.options, **changed}) if changed else provider

    return _with_providers(config, settled), tuple(problems)


def _from_environment(value: str, environ: Mapping[str, str]) -> str | Absent:
    if value == REGION_FROM_SDK:
        return next((environ[name] for name in _REGION_VARIABLES if environ.get(name)), REGION_FROM_SDK)
    return look_up(value, environ)


def wants_region(config: Config) -> tuple[str, ...]:
    """Return the path of each provider whose region AWS's own settings are still to say."""
    return tuple(
        dotted((*place, "region"))
        for place, provider in config.providers()
        if provider.options.get("region") == REGION_FROM_SDK
    )


def with_region(config: Config, region: str) -> Config:
    """Return the configuration with this region wherever AWS's own settings were to say it."""

    def settled(_: tuple[str, ...], provider: Provider) -> Provider:
        if provider.options.get("region") != REGION_FROM_SDK:
            return provider
        return replace(provider, options={**provider.options, "region": region})

    return _with_providers(config, settled)


def _with_providers(config: Config, change: Callable[[tuple[str, ...], Provider], Provider]) -> Config:
    changed = {place: change(place, provider) for place, provider in config.providers()}

    def of(section: str, models: Mapping[str, Model]) -> dict[str, Model]:
        return {
            name: replace(
                model, providers=tuple(changed[section, name, "providers", each.name] for each in model.providers)
            )
            for name, model in models.items()
        }

    return replace(
        config,
        models=of("models", config.models),
        embedding_models=of("embedding_models", config.embedding_models),
    )


def dynamic_settings(provider: Provider) -> tuple[str, ...]:
    """Return the settings that come with each request."""
    return tuple(
        key
        for key in _FAULTS
        if isinstance(provider.options.get(key), str) and provider.options[key].startswith(_DYNAMIC)
    )


def placeholders(provider: Provider) -> Provider:
    """Return the provider with something that looks right in the place of what comes with each request."""
    options = {key: _PLACEHOLDERS[key] for key in dynamic_settings(provider)}
    return replace(provider, options={**provider.options, **options}) if options else provider


def settled_for(provider: Provider, credentials: Mapping[str, str]) -> Provider:
    """Return the provider with the settings that a request brought.

    Args:
        provider: As configured.
        credentials: The request's `credentials`.

    Raises:
        MissingCredential: the request has not brought one of them, or what it brought is no address or no region.
    """
    options: dict[str, Any] = {}
    for key in dynamic_settings(provider):
        name = provider.options[key].removeprefix(_DYNAMIC)
        value = credentials.get(name)
        if value is None:
            why = f"the request has no {name!r} in its `credentials`"
        elif (fault := _FAULTS[key](value)) is not None:
            why = f"what the request has at {name!r} in its `credentials` {fault}"
        else:
            options[key] = value
            continue
        raise MissingCredential(f"The {key} of the provider {provider.name!r} is missing: {why}")
    return replace(provider, options={**provider.options, **options})
