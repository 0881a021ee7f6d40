"""What is said about access when a gateway starts or reloads: that it is open to others, or nobody has a key yet."""

from __future__ import annotations

from ipaddress import ip_address

from calibrant.app.homes import open_catalogue
from calibrant.app.options import Options
from calibrant.config.load import read_environment
from calibrant.config.schema import Config

__all__ = ["is_loopback", "notice"]


def notice(options: Options, config: Config, host: str | None = None) -> str | None:
    """Return what whoever starts the gateway should know about access, or null where all is as it should be.

    Args:
        options: What was said on the command line.
        config: The configuration.
        host: Where the gateway listens, if not where the configuration says.

    Raises:
        StoreUnavailable: keys are asked for, and the catalogue that has them cannot be used.
    """
    host = config.gateway.host if host is None else host
    if not config.gateway.auth.enabled:
        if is_loopback(host):
            return None
        return (
            f"no API key is asked for, and the gateway listens on {host}: whoever reaches it may use it; "
            "set `gateway.auth.enabled = true`, listen on 127.0.0.1, or put something before it that asks"
        )
    options.catalogue_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    catalogue = open_catalogue(options, read_environment(), config)
    try:
        with catalogue.reading() as view:
            keys = view.list_keys(limit=1)
    finally:
        catalogue.close()
    if keys:
        return None
    return (
        "an API key is asked for, and there is none yet; make the first one with "
        f"`calibrant key create --role admin --data-dir {options.data_dir}`"
    )


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a server that listens there."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
