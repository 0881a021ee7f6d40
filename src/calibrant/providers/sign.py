"""How a plain key gets into a request: as a bearer token, or in a header of the vendor's own."""

from __future__ import annotations

from msgspec.structs import replace

from calibrant.base.errors import ProviderError
from calibrant.config.secret import Credentials, Secret
from calibrant.types.call import HttpCall

__all__ = ["bearer", "key_header"]


def bearer(http: HttpCall, secret: Credentials | None) -> HttpCall:
    """Return the request with the secret in `authorization`; unchanged where there is none."""
    return key_header(http, secret, "authorization", "Bearer ")


def key_header(http: HttpCall, secret: Credentials | None, name: str, prefix: str = "") -> HttpCall:
    """Return the request with the secret in this header, after the prefix; unchanged where there is none.

    Raises:
        ProviderError: the credential is one for AWS.
    """
    if secret is None:
        return http
    if not isinstance(secret, Secret):
        raise ProviderError("the credential is one for AWS; this provider wants a key", retryable=False)
    return replace(http, headers=(*http.headers, (name, prefix + secret.reveal())))
