"""Secrets: values that no repr, log line, error or row ever shows; and where they are found."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Literal
from urllib.parse import quote

from msgspec import Struct

from calibrant.base.clock import Clock, SystemClock
from calibrant.base.errors import MissingCredential
from calibrant.config.credential import default_credential
from calibrant.config.lookup import Absent, look_up
from calibrant.config.problem import Problem, dotted
from calibrant.config.schema import AwsLocations, Config, Credential
from calibrant.config.vendors import RELAY, VENDORS

__all__ = ["AwsKeys", "Credentials", "PassedOn", "Secret", "Secrets", "TokenSource"]

_DYNAMIC = "dynamic::"
_GCP = "gcp::"
_SDK: Mapping[str, Literal["aws", "gcp"]] = {"sdk::aws": "aws", "sdk::gcp": "gcp"}


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
        """Return what somebody else wrote, without the value: providers quote a key that they refuse.

        JSON may have a backslash before each slash of it, an address may have it percent-encoded.
        """
        if self._value:
            for form in dict.fromkeys((self._value, self._value.replace("/", "\\/"), quote(self._value, safe=""))):
                body = body.replace(form.encode(), b"***")
        return body

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


class PassedOn(Struct, frozen=True):
    """What goes to another gateway: its own key, and the credentials of a request, by name, for the providers there."""

    key: Secret | None
    credentials: Mapping[str, Secret]

    def strike(self, body: bytes) -> bytes:
        """Return what somebody else wrote, without any of the values."""
        for secret in self.credentials.values():
            body = secret.strike(body)
        return body if self.key is None else self.key.strike(body)


Credentials = Secret | AwsKeys | PassedOn
"""What `sign` gets: a key or token, AWS's keys, or what another gateway gets."""


class TokenSource(Struct, frozen=True):
    """A credential that is fetched, expires and is fetched again."""

    location: str
    """`sdk::aws`, `sdk::gcp` or `gcp::LOCATION`."""
    kind: Literal["aws", "gcp"]
    key: Secret | None = None
    """What is at LOCATION: the JSON of an account."""


class _Held(Struct, frozen=True):
    credential: Credentials
    expires: float
    """Unix time in seconds; infinite where it does not."""


class Secrets:
    """Every credential that the configuration names: static ones looked up once, the others as they were renewed last.

    `get` waits for nothing. What changes here is what `renew`, `fail` and `lack` put in: whoever holds the
    `sources` calls these from the one event loop. What only a shorthand model would need may be missing:
    whoever calls one then hears of it.
    """

    __slots__ = ("_clock", "_configured", "_failed", "_found", "_held", "_missing", "sources")

    def __init__(
        self,
        found: Mapping[str, Secret],
        missing: Mapping[str, str],
        *,
        configured: Iterable[tuple[str, Credential]] = (),
        sources: Iterable[TokenSource] = (),
        clock: Clock | None = None,
    ) -> None:
        """Keep what was found.

        Args:
            found: Secrets by location.
            missing: Why a location has none, by location.
            configured: The path and the credential of each configured provider.
            sources: What is to be fetched.
            clock: Tells when a token has expired; the machine's own where it is null.
        """
        self._found = dict(found)
        self._missing = dict(missing)
        self._configured = tuple(configured)
        self._held: dict[str, _Held] = {}
        self._failed: dict[str, str] = {}
        self._clock = clock or SystemClock()
        self.sources = tuple(sources)
        """What is to be fetched, and renewed before it expires."""

    @classmethod
    def resolve(
        cls, config: Config, environ: Mapping[str, str], clock: Clock | None = None
    ) -> tuple[Secrets, tuple[Problem, ...]]:
        """Look up every static credential of the configuration, and the defaults of the shorthands.

        Returns:
            The secrets, and what `problems` says of them before anything has been fetched.
        """
        configured = tuple(_configured(config))
        shorthands = [default_credential(v, config.provider_defaults) for v in VENDORS.values() if v.shorthand]
        found: dict[str, Secret] = {}
        missing: dict[str, str] = {}
        sources: dict[str, TokenSource] = {}
        for credential in (*(credential for _, credential in configured), *shorthands):
            for location in _locations(credential):
                if location not in found and location not in missing and location not in sources:
                    _resolve(location, environ, found, missing, sources)
                # What comes after one that is always there is never asked for.
                if credential.aws is None and (location in found or location == "none"):
                    break
        secrets = cls(found, missing, configured=configured, sources=sources.values(), clock=clock)
        return secrets, secrets.problems()

    def problems(self) -> tuple[Problem, ...]:
        """Return a problem for each configured provider that cannot have a credential.

        A fallback that is there, that may yet be fetched, or that comes with the request, saves a missing default.
        """
        return tuple(
            Problem("environment", path, lacking, "provide it, or say in the provider where else it is")
            for path, credential in self._configured
            if (lacking := self._lacking(credential))
        )

    def get(self, credential: Credential, dynamic: Mapping[str, str]) -> Credentials | None:
        """Return the credential as it is now, or null where the provider wants none.

        Args:
            credential: Where it is.
            dynamic: The credentials that came with the request.

        Raises:
            MissingCredential: it is in no place where it should be, or has expired and could not be renewed.
        """
        found = self._found.get(credential.default)
        if found is not None:
            return found
        if credential.aws is not None:
            return self._aws(credential.aws, dynamic)
        for location in _locations(credential):
            if location == "none":
                return None
            one = self._one(location, dynamic)
            if one is not None:
                return one
        raise MissingCredential(
            "The provider's credential is missing: "
            + " and ".join(self._why(location) for location in _locations(credential))
        )

    def renew(self, location: str, credential: Credentials, expires: float | None) -> None:
        """Put a credential in the place of the one before it.

        Args:
            location: That of a source.
            credential: What it gave.
            expires: Unix time in seconds until which it holds; null where it does not end.
        """
        self._held[location] = _Held(credential, inf if expires is None else expires)
        self._failed.pop(location, None)
        self._missing.pop(location, None)

    def fail(self, location: str, why: str) -> None:
        """Note why a source gave nothing this time. What it gave before holds until it expires."""
        self._failed[location] = why

    def lack(self, location: str, why: str) -> None:
        """Note that a source has nothing to give, as the machine stands."""
        self._missing[location] = why

    def _lacking(self, credential: Credential) -> str:
        """Return why the credential cannot be had, or nothing where it may be."""
        locations = _locations(credential)
        reasons = [self._missing[location] for location in locations if location in self._missing]
        enough = 1 if credential.aws is not None else len(locations)
        return " and ".join(dict.fromkeys(reasons)) if len(reasons) >= enough else ""

    def _one(self, location: str, dynamic: Mapping[str, str]) -> Credentials | None:
        found = self._found.get(location)
        if found is not None:
            return found
        if location.startswith(_DYNAMIC):
            value = dynamic.get(location.removeprefix(_DYNAMIC))
            return None if value is None else Secret(value)
        held = self._held.get(location)
        if held is not None and self._clock.wall_ms() < held.expires * 1e3:
            return held.credential
        return None

    def _aws(self, locations: AwsLocations, dynamic: Mapping[str, str]) -> AwsKeys:
        parts = [self._one(location, dynamic) for location in _parts(locations)]
        secrets = [part for part in parts if isinstance(part, Secret)]
        if len(secrets) < len(parts):
            absent = [location for location, part in zip(_parts(locations), parts, strict=True) if part is None]
            why = " and ".join(self._why(location) for location in absent)
            raise MissingCredential(f"The provider's credential is missing: {why}")
        return AwsKeys(*secrets)

    def _why(self, location: str) -> str:
        if location.startswith(_DYNAMIC):
            name = location.removeprefix(_DYNAMIC)
            return f"the request has no {name!r} in its `credentials`"
        reason = self._failed.get(location)
        if location in self._held:
            return f"what {location!r} gave has expired and was not renewed: {reason or 'nobody tried'}"
        return reason or self._missing.get(location, f"nothing has been fetched from {location!r} yet")

    def __repr__(self) -> str:
        """Return how many there are, and nothing of what they are."""
        return f"Secrets({len(self._found)} found, {len(self._held)} fetched, {len(self._missing)} missing)"


def _configured(config: Config) -> Iterator[tuple[str, Credential]]:
    relay = config.gateway.relay
    if relay is not None:
        yield dotted(("gateway", "relay", "api_key_location")), relay.credential
    for place, provider in config.providers():
        if provider.type != RELAY:
            yield dotted(place), provider.credential


def _locations(credential: Credential) -> tuple[str, ...]:
    """Return where the credential may be; with AWS's keys one by one, where its parts are."""
    if credential.aws is not None:
        return _parts(credential.aws)
    return (credential.default,) if credential.fallback is None else (credential.default, credential.fallback)


def _parts(aws: AwsLocations) -> tuple[str, ...]:
    pair = (aws.access_key_id, aws.secret_access_key)
    return pair if aws.session_token is None else (*pair, aws.session_token)


def _resolve(
    location: str,
    environ: Mapping[str, str],
    found: dict[str, Secret],
    missing: dict[str, str],
    sources: dict[str, TokenSource],
) -> None:
    """Look at one location, and put it where it belongs."""
    if location == "none" or location.startswith(_DYNAMIC):
        return
    if location in _SDK:
        sources[location] = TokenSource(location, _SDK[location])
        return
    value = look_up(location.removeprefix(_GCP), environ)
    if isinstance(value, Absent):
        missing[location] = value.why
    elif location.startswith(_GCP):
        sources[location] = TokenSource(location, "gcp", Secret(value))
    else:
        found[location] = Secret(value)
