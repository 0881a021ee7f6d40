"""What the outbound client is told when it is made. Reads no file and no environment."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["ClientSettings", "ProxySettings"]


class ProxySettings(Struct, frozen=True):
    """Which calls go through a proxy. The values may hold credentials, so no repr shows them."""

    http_proxy: str | None = None
    """URL of the proxy for `http` calls, which are sent to it in absolute form."""
    https_proxy: str | None = None
    """URL of the proxy for `https` calls, which go through a CONNECT tunnel."""
    no_proxy: tuple[str, ...] = ()
    """Hosts reached directly: `*`, a name and all under it (also as `name:port`), an address, a network."""

    def __repr__(self) -> str:
        """Say which proxies are set, not what they are."""
        set_ = [name for name in ("http_proxy", "https_proxy") if getattr(self, name)]
        return f"ProxySettings({', '.join(set_)})"


class ClientSettings(Struct, frozen=True):
    """Limits and trust of the outbound client. Certificates are always checked; there is no switch."""

    max_connections_per_host: int = 1024
    max_waiting_per_host: int = 4096
    """Calls that may queue for a connection once all are taken."""
    max_idle_per_host: int = 256
    idle_timeout_s: float = 30.0
    max_age_s: float = 300.0
    """A connection older than this is not used again, so that changes of DNS are noticed."""
    max_response_bytes: int = 256 * 2**20
    """Of one answer's body, as sent and once decompressed."""
    max_expansion: int = 100
    """How many times its compressed size a body may grow to, once it is over 1 MiB."""
    max_head_bytes: int = 64 * 2**10
    ca_bundle: str | None = None
    """PEM file of certificate authorities to trust beside the system's."""
    proxies: ProxySettings = ProxySettings()
    public_only: bool = False
    """Whether it connects to nothing but the public internet: for addresses that strangers choose."""
    user_agent: str = "calibrant"
    """Sent where the call names none."""
