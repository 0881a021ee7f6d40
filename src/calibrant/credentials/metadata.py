"""The token of the machine's own service account, from the metadata server that every machine of Google's has.

https://cloud.google.com/compute/docs/access/authenticate-workloads
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec

from calibrant.config.secret import Secret
from calibrant.credentials.source import Fetched, FetchFailed, Lacking
from calibrant.credentials.transport import NoAnswer, Transport

__all__ = ["metadata_token"]

_ADDRESS = "169.254.169.254"
_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
_TRIES = 3
_WAIT_S = 2.0


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float


_decoder = msgspec.json.Decoder(_Token)


def metadata_token(transport: Transport, environ: Mapping[str, str]) -> Fetched:
    """Return the token.

    Raises:
        FetchFailed: the server did not give one.
        Lacking: nothing on this machine has a credential for Google.
    """
    host = environ.get("GCE_METADATA_HOST") or _ADDRESS
    asked_at = time.time()
    answer = None
    for _ in range(_TRIES):
        # A pod's server may come up after the pod itself.
        try:
            answer = transport.request(
                "GET", f"http://{host}{_PATH}", {"metadata-flavor": "Google"}, timeout_s=_WAIT_S, direct=True
            )
            break
        except NoAnswer:
            continue
    if answer is None or answer.headers.get("metadata-flavor") != "Google":
        raise Lacking(
            "GOOGLE_APPLICATION_CREDENTIALS is not set, `gcloud auth application-default login` was not run, "
            "and there is no metadata server"
        )
    if answer.status == 404:
        raise Lacking("the machine has no service account of its own")
    if answer.status != 200:
        raise FetchFailed(f"the metadata server answered with status {answer.status}")
    try:
        token = _decoder.decode(answer.data)
    except msgspec.DecodeError:
        token = None
    if token is None or not token.access_token:
        raise FetchFailed("the metadata server's answer is no token")
    return Fetched(Secret(token.access_token), asked_at + token.expires_in)
