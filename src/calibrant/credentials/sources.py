"""Makes the sources that the configuration needs, and loads a cloud's library only for one that does."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol

from calibrant.config.environment import settings_from_environ
from calibrant.config.secret import Secrets, TokenSource
from calibrant.credentials.source import Lacking, Source
from calibrant.credentials.transport import Transport

__all__ = ["Chain", "chain", "open_sources"]

_LIBRARIES = {"aws": "botocore", "gcp": "google-auth"}


class Chain(Source, Protocol):
    """AWS's chain, which knows a region too."""

    def region(self) -> str:
        """Return the region that AWS's own settings name. Waits, so it is called in a thread.

        Raises:
            Lacking: there is none.
        """
        ...


def open_sources(secrets: Secrets, environ: Mapping[str, str], ca_bundle: str | None) -> list[Source]:
    """Return the sources that can be asked. Why another cannot is noted in the secrets. Nothing is asked yet.

    Args:
        secrets: Says which are needed.
        environ: The environment.
        ca_bundle: PEM file of authorities to trust beside the system's.
    """
    opened: list[Source] = []
    for source in secrets.sources:
        try:
            opened.append(chain() if source.kind == "aws" else _gcp(source, environ, ca_bundle))
        except Lacking as error:
            secrets.lack(source.location, str(error))
    return opened


def chain() -> Chain:
    """Return AWS's chain.

    Raises:
        Lacking: its library is not installed, or its settings cannot be read.
    """
    return _load("aws").AwsChain()


def _gcp(source: TokenSource, environ: Mapping[str, str], ca_bundle: str | None) -> Source:
    module = _load("gcp")
    try:
        transport = Transport(settings_from_environ(environ).proxies, ca_bundle)
    except OSError:
        raise Lacking(f"the CA bundle {ca_bundle!r} cannot be used") from None
    return module.GcpToken(source.location, source.key, environ, transport)


def _load(kind: str) -> Any:
    try:
        return importlib.import_module(f"calibrant.credentials.{kind}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("botocore", "google"):
            raise
        raise Lacking(f"{_LIBRARIES[kind]} is not installed; run: pip install 'calibrant[{kind}]'") from None
