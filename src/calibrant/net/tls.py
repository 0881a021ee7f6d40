"""Trust: the TLS context of all outbound connections, and what to say when a server is not trusted."""

from __future__ import annotations

import ssl

from calibrant.base.errors import ConfigError

__all__ = ["explain_tls", "make_tls_context"]


def make_tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Return a context that checks certificates and names against the system's authorities and the bundle's.

    Raises:
        ConfigError: the bundle cannot be read, or holds no certificate.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_bundle is not None:
        try:
            context.load_verify_locations(cafile=ca_bundle)
        except OSError as error:
            reason = error.strerror if not isinstance(error, ssl.SSLError) else "it holds no PEM certificate"
            raise ConfigError(f"the CA bundle {ca_bundle!r} cannot be used: {reason}") from error
    return context


def explain_tls(error: ssl.SSLError) -> str:
    """Say why a TLS handshake failed, and what to do where that is known."""
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = (
            "" if "mismatch" in error.verify_message.lower() else "; add its authority to the CA bundle if you trust it"
        )
        return f"its certificate was refused: {error.verify_message.rstrip('.')}{hint}"
    return f"the TLS handshake failed ({error.reason or 'no reason given'})"
