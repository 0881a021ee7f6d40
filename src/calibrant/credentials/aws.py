"""AWS's own chain of credentials: environment, shared files, SSO, a process, a container, an instance.

https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import botocore.config
import botocore.exceptions
import botocore.session
import botocore.utils

from calibrant.config.secret import AwsKeys, Secret
from calibrant.credentials.source import Fetched, FetchFailed, Lacking

__all__ = ["AwsChain"]

_CONNECT_S = 3
_READ_S = 8
_SETTINGS_WRONG = (
    botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.ProfileNotFound,
    botocore.exceptions.ConfigNotFound,
    botocore.exceptions.ConfigParseError,
    botocore.exceptions.InvalidConfigError,
    botocore.exceptions.UnknownCredentialError,
)


class AwsChain:
    """What a machine's settings say of AWS, through botocore, which reads the environment for itself."""

    location = "sdk::aws"
    kind = "aws"

    def __init__(self) -> None:
        """Ask nothing yet."""
        session = cast("Any", botocore.session).get_session()
        session.set_default_client_config(
            botocore.config.Config(
                connect_timeout=_CONNECT_S, read_timeout=_READ_S, retries={"total_max_attempts": 2, "mode": "standard"}
            )
        )
        self._session = session
        self._credentials: Any = None

    def fetch(self) -> Fetched:
        """Return the keys as they are now.

        Raises:
            FetchFailed: a service that has them did not give them.
            Lacking: nobody has any.
        """
        try:
            if self._credentials is None:
                self._credentials = self._session.get_credentials()
            if self._credentials is None:
                raise Lacking("AWS's own settings (environment, shared files, container, instance) have no credentials")
            keys = self._credentials.get_frozen_credentials()
        except _SETTINGS_WRONG as error:
            raise Lacking(f"AWS's own settings cannot be used ({type(error).__name__})") from None
        except Lacking:
            raise
        except Exception as error:  # noqa: BLE001 - a named edge: what botocore and its plug-ins raise has no common root
            raise FetchFailed(_said(error)) from None
        if not keys.access_key or not keys.secret_key:
            raise FetchFailed("AWS's chain gave half a key")
        token = Secret(keys.token) if keys.token else None
        return Fetched(AwsKeys(Secret(keys.access_key), Secret(keys.secret_key), token), _expiry(self._credentials))

    def region(self) -> str:
        """Return the region that AWS's own settings name, or that of the instance.

        Raises:
            Lacking: there is none.
        """
        try:
            region: object = self._session.get_config_variable("region")
            if not region:
                region = cast("Any", botocore.utils).IMDSRegionProvider(self._session).provide()
        except Exception as error:  # noqa: BLE001 - a named edge, as above
            raise Lacking(f"AWS's own settings cannot be used ({type(error).__name__})") from None
        if not region:
            raise Lacking("AWS's own settings (environment, shared files, instance) name no region")
        return str(region)


def _expiry(credentials: object) -> float | None:
    # botocore tells only whether the end is near; the time itself it keeps for itself.
    expiry = cast("datetime | None", getattr(credentials, "_expiry_time", None))
    return None if expiry is None else expiry.timestamp()


def _said(error: Exception) -> str:
    """Return the error's name and AWS's code. Its text may quote what a process or a service said."""
    name = type(error).__name__
    if isinstance(error, botocore.exceptions.ClientError):
        response = cast("Any", error).response
        return f"AWS's chain failed ({name}: {response.get('Error', {}).get('Code', 'no code')})"
    return f"AWS's chain failed ({name})"
