"""Google's tokens: of the account whose JSON is given, or of the application default credentials.

https://google.aip.dev/auth/4110 has the order of the latter. It is walked here, since google-auth's own walk needs
`requests`, runs `gcloud`, and asks for a project that nobody wants.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC
from pathlib import Path
from typing import Any, cast

import google.auth.aws
import google.auth.credentials
import google.auth.exceptions
import google.auth.external_account_authorized_user
import google.auth.identity_pool
import google.auth.impersonated_credentials
import google.auth.pluggable
import google.auth.transport
import google.oauth2.credentials
import google.oauth2.service_account
import msgspec

from calibrant.config.secret import Secret
from calibrant.credentials.metadata import metadata_token
from calibrant.credentials.source import Fetched, FetchFailed, Lacking
from calibrant.credentials.transport import Answer, NoAnswer, Transport

__all__ = ["GcpToken"]

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_AWS_SUBJECT = "urn:ietf:params:aws:token-type:aws4_request"
_CODE = re.compile(r"[a-z_]{1,40}")
_JSON = msgspec.json.Decoder(dict[str, Any])

Account = google.auth.credentials.Credentials


class GcpToken:
    """One account's access token."""

    kind = "gcp"

    def __init__(self, location: str, key: Secret | None, environ: Mapping[str, str], transport: Transport) -> None:
        """Read the account, where it is given.

        Args:
            location: Where the configuration says that it is.
            key: The JSON of an account; null for the application default credentials.
            environ: The environment.
            transport: How to reach Google.

        Raises:
            Lacking: the JSON is none of an account.
        """
        self.location = location
        self._environ = environ
        self._transport = transport
        self._account = (
            None if key is None else _account(key.reveal(), f"what is at {location.removeprefix('gcp::')!r}")
        )

    def fetch(self) -> Fetched:
        """Return a new token.

        Raises:
            FetchFailed: the server that gives them did not.
            Lacking: there are no application default credentials.
        """
        account = self._account or self._default_account()
        if account is None:
            return metadata_token(self._transport, self._environ)
        try:
            cast("Any", account).refresh(_Request(self._transport))
        except google.auth.exceptions.GoogleAuthError as error:
            raise FetchFailed(_said(error)) from None
        except Exception as error:  # noqa: BLE001 - a named edge: an answer that google-auth did not expect
            raise FetchFailed(f"Google's token could not be had ({type(error).__name__})") from None
        token, expiry = cast("Any", account).token, cast("Any", account).expiry
        if not isinstance(token, str) or not token:
            raise FetchFailed("Google's server gave no token")
        return Fetched(Secret(token), None if expiry is None else expiry.replace(tzinfo=UTC).timestamp())

    def _default_account(self) -> Account | None:
        """Return the account in the file that the environment or gcloud names, or null where there is no file."""
        named = self._environ.get("GOOGLE_APPLICATION_CREDENTIALS")
        file = Path(named) if named else _gcloud_file(self._environ)
        if not named and not file.is_file():
            return None
        try:
            text = file.read_text()
        except (OSError, ValueError):
            raise Lacking(f"the file {str(file)!r} cannot be read") from None
        self._account = _account(text, f"the file {str(file)!r}")
        return self._account


class _Response(google.auth.transport.Response):
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._answer.headers

    @property
    def data(self) -> bytes:
        return self._answer.data


class _Request(google.auth.transport.Request):
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: object,
    ) -> _Response:
        content = body.encode() if isinstance(body, str) else body
        try:
            return _Response(
                self._transport.request(method, url, headers or {}, content, timeout_s=min(timeout or 10, 10))
            )
        except NoAnswer as error:
            raise google.auth.exceptions.TransportError(str(error)) from None


def _gcloud_file(environ: Mapping[str, str]) -> Path:
    folder = environ.get("CLOUDSDK_CONFIG")
    home = Path(environ.get("HOME", "/"))
    return (Path(folder) if folder else home / ".config" / "gcloud") / "application_default_credentials.json"


def _account(text: str, what: str) -> Account:
    """Return the account that a JSON text describes.

    Raises:
        Lacking: it describes none.
    """
    try:
        info = _JSON.decode(text)
    except msgspec.DecodeError:
        raise Lacking(f"{what} is no JSON of an account") from None
    make = _MAKERS.get(str(info.get("type")))
    if make is None:
        raise Lacking(f"{what} has no `type` that is one of {', '.join(sorted(_MAKERS))}")
    try:
        return make(info)
    except Exception as error:  # noqa: BLE001 - a named edge: google-auth raises what it meets in a JSON that is wrong
        raise Lacking(f"{what} cannot be used ({type(error).__name__}); take a new key of the account") from None


def _service_account(info: dict[str, Any]) -> Account:
    return cast("Any", google.oauth2.service_account.Credentials).from_service_account_info(info, scopes=_SCOPES)


def _authorized_user(info: dict[str, Any]) -> Account:
    return cast("Any", google.oauth2.credentials.Credentials).from_authorized_user_info(info)


def _impersonated(info: dict[str, Any]) -> Account:
    make = cast("Any", google.auth.impersonated_credentials.Credentials)
    return make.from_impersonated_service_account_info(info, scopes=_SCOPES)


def _external(info: dict[str, Any]) -> Account:
    module: Any = google.auth.identity_pool
    if info.get("subject_token_type") == _AWS_SUBJECT:
        module = google.auth.aws
    elif "executable" in (info.get("credential_source") or {}):
        module = google.auth.pluggable
    return module.Credentials.from_info(info, scopes=_SCOPES)


def _external_user(info: dict[str, Any]) -> Account:
    return cast("Any", google.auth.external_account_authorized_user.Credentials).from_info(info)


_MAKERS: Mapping[str, Callable[[dict[str, Any]], Account]] = {
    "service_account": _service_account,
    "authorized_user": _authorized_user,
    "external_account": _external,
    "external_account_authorized_user": _external_user,
    "impersonated_service_account": _impersonated,
}


def _said(error: Exception) -> str:
    """Return the error's name and Google's code. The rest may quote what was sent."""
    for part in error.args:
        code = cast("dict[str, Any]", part).get("error") if isinstance(part, dict) else None
        if isinstance(code, str) and _CODE.fullmatch(code):
            return f"Google refused the account's key ({code})"
    return f"Google's token could not be had ({type(error).__name__})"
