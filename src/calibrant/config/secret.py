"""Secrets: values that no repr, log line, error or row ever shows; and where they are found."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath

from msgspec import Struct

from calibrant.base.errors import MissingCredential
from calibrant.config.problem import Problem, dotted
from calibrant.config.schema import Config, Credential
from calibrant.config.vendors import VENDORS

__all__ = ["AwsKeys", "Credentials", "Secret", "Secrets"]

_NOTHING_NEEDED = ("none", "sdk")


class Secret:
    """A credential. Only `reveal` gives it away, and only `sign` calls that."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Wrap the value."""
        self._value = value

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def strike(self, body: bytes) -> bytes:
        """Return what somebody else wrote, without the value: providers quote a key that they refuse."""
        return body.replace(self._value.encode(), b"***") if self._value else body

    def __repr__(self) -> str:
        """Return a text that shows nothing of the value."""
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        """Compare without saying by the time it takes where two values differ."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    __hash__ = None  # type: ignore[assignment] - a set or a cache key is no place for a secret

    def __reduce__(self) -> str:
        """Refuse to be pickled or copied into anything that is stored."""
        raise TypeError("a Secret is not stored")


class AwsKeys(Struct, frozen=True):
    """A credential for AWS's signature version 4."""

    access_key_id: Secret
    secret_access_key: Secret
    session_token: Secret | None = None

    def strike(self, body: bytes) -> bytes:
        """Return what somebody else wrote, without any of the values."""
        for secret in (self.secret_access_key, self.session_token, self.access_key_id):
            if secret is not None:
                body = secret.strike(body)
        return body


Credentials = Secret | AwsKeys
"""What `sign` gets: a key or token, or AWS's keys."""


class Secrets:
    """Every static credential that the configuration names, looked up once.

    What only a shorthand model would need may be missing: whoever calls one then hears of it.
    """

    __slots__ = ("_found", "_missing")

    def __init__(self, found: Mapping[str, Secret], missing: Mapping[str, str]) -> None:
        """Keep what was found.

        Args:
            found: Secrets by location.
            missing: Why a location has none, by location.
        """
        self._found = dict(found)
        self._missing = dict(missing)

    @classmethod
    def resolve(cls, config: Config, environ: Mapping[str, str]) -> tuple[Secrets, tuple[Problem, ...]]:
        """Look up every static credential of the configuration, and the defaults of the shorthands.

        Returns:
            The secrets, and a problem for each configured provider whose credential is missing. A fallback
            that is there, or that comes with the request, saves a missing default.
        """
        found: dict[str, Secret] = {}
        missing: dict[str, str] = {}
        wanted = {location for _, credential in _configured(config) for location in _locations(credential)}
        for vendor in VENDORS.values():
            if vendor.built and vendor.shorthand:
                default = config.provider_defaults.get(vendor.type, Credential(vendor.credential))
                wanted.update(_locations(default))
        for location in sorted(wanted):
            if location in _NOTHING_NEEDED or location.startswith("dynamic::"):
                continue
            value = _look_up(location, environ)
            if isinstance(value, Secret):
                found[location] = value
            else:
                missing[location] = value
        problems = tuple(
            Problem(
                "environment",
                path,
                " and ".join(missing[location] for location in _locations(credential)),
                "provide it, or change the provider's `api_key_location`",
            )
            for path, credential in _configured(config)
            if all(location in missing for location in _locations(credential))
        )
        return cls(found, missing), problems

    def get(self, credential: Credential, dynamic: Mapping[str, str]) -> Secret | None:
        """Return the secret, or null where the provider wants none.

        Args:
            credential: Where it is.
            dynamic: The credentials that came with the request.

        Raises:
            MissingCredential: it is in no place where it should be.
        """
        for location in _locations(credential):
            found = self._found.get(location)
            if found is not None:
                return found
            if location in _NOTHING_NEEDED:
                return None
            if location.startswith("dynamic::"):
                value = dynamic.get(location.removeprefix("dynamic::"))
                if value is not None:
                    return Secret(value)
        raise MissingCredential(
            "The provider's credential is missing: "
            + " and ".join(self._why(location) for location in _locations(credential))
        )

    def _why(self, location: str) -> str:
        if location.startswith("dynamic::"):
            name = location.removeprefix("dynamic::")
            return f"the request has no {name!r} in its `credentials`"
        return self._missing.get(location, f"nothing was found at {location!r}")

    def __repr__(self) -> str:
        """Return how many there are, and nothing of what they are."""
        return f"Secrets({len(self._found)} found, {len(self._missing)} missing)"


def _configured(config: Config) -> Iterator[tuple[str, Credential]]:
    for model in config.models.values():
        for provider in model.providers:
            yield dotted(("models", model.name, "providers", provider.name)), provider.credential


def _locations(credential: Credential) -> tuple[str, ...]:
    return (credential.default,) if credential.fallback is None else (credential.default, credential.fallback)


def _look_up(location: str, environ: Mapping[str, str]) -> Secret | str:
    """Return the secret at a static location, or why there is none."""
    scheme, _, name = location.partition("::")
    if scheme == "env":
        value = environ.get(name)
        return Secret(value) if value else f"the environment variable {name} is not set"
    file = name
    if scheme == "path_from_env":
        file = environ.get(name, "")
        if not file:
            return f"the environment variable {name}, which should name a file, is not set"
    try:
        value = FilePath(file).read_bytes().decode().strip()
    except (OSError, ValueError):
        return f"the file {file!r} cannot be read"
    return Secret(value) if value else f"the file {file!r} is empty"
