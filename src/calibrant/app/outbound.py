"""How every process of the gateway calls out: trust, proxies, and who it says it is."""

from __future__ import annotations

from calibrant import __version__
from calibrant.config.environment import Proxies
from calibrant.config.schema import Config
from calibrant.net.settings import ClientSettings, ProxySettings

__all__ = ["client_settings"]


def client_settings(config: Config, proxies: Proxies) -> ClientSettings:
    """Return the settings of an HTTP client."""
    return ClientSettings(
        ca_bundle=config.gateway.ca_bundle,
        proxies=ProxySettings(
            http_proxy=proxies.http.reveal() if proxies.http else None,
            https_proxy=proxies.https.reveal() if proxies.https else None,
            no_proxy=proxies.no_proxy,
        ),
        user_agent=f"calibrant/{__version__}",
    )
