"""What the environment says, as a frozen value. Pure: `load.read_environment` is what asks the machine."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from calibrant.base.errors import ConfigError
from calibrant.config.marks import parse_address
from calibrant.config.secret import Secret

__all__ = ["Environment", "Proxies", "settings_from_environ"]


class Proxies(Struct, frozen=True):
    """Proxies for outbound calls. Their addresses may carry a password, so they are secrets."""

    http: Secret | None = None
    """For `http://` addresses."""
    https: Secret | None = None
    """For `https://` addresses."""
    no_proxy: tuple[str, ...] = ()
    """Hosts, domains (`.example.com`), networks or `*` that are called directly."""


class Environment(Struct, frozen=True):
    """Settings that come from the environment. `CALIBRANT_X` is read before `TENSORZERO_X`."""

    config: str | None = None
    """`CALIBRANT_CONFIG`: a path or a glob."""
    host: str | None = None
    port: int | None = None
    """With `host`, of `CALIBRANT_GATEWAY_BIND_ADDRESS` or `TENSORZERO_GATEWAY_BIND_ADDRESS`."""
    workers: int | None = None
    """`CALIBRANT_WORKERS`."""
    data_dir: str | None = None
    """`CALIBRANT_DATA_DIR`."""
    database: Secret | None = None
    """`CALIBRANT_DATABASE`."""
    clickhouse_url: Secret | None = None
    clickhouse_cluster: str | None = None
    """`CALIBRANT_CLICKHOUSE_CLUSTER_NAME`."""
    postgres_url: Secret | None = None
    sealed_postgres_url: Secret | None = None
    """`CALIBRANT_SEALED_POSTGRES_URL`: the same database with the role that may open what is sealed."""
    valkey_url: Secret | None = None
    ca_bundle: str | None = None
    """`CALIBRANT_CA_BUNDLE`."""
    system_ca_bundle: str | None = None
    """`SSL_CERT_FILE`, which takes the place of the system's own authorities."""
    proxies: Proxies = Proxies()


def settings_from_environ(environ: Mapping[str, str]) -> Environment:
    """Return the settings. A variable that is set to nothing counts as not set.

    Raises:
        ConfigError: a variable has no usable value; the message lists each.
    """
    problems: list[str] = []
    host, port = _address(environ, problems)
    workers = _workers(environ, problems)
    if problems:
        raise ConfigError("\n".join(problems))
    return Environment(
        config=_ours(environ, "CONFIG"),
        host=host,
        port=port,
        workers=workers,
        data_dir=_ours(environ, "DATA_DIR"),
        database=_secret(_ours(environ, "DATABASE")),
        clickhouse_url=_secret(_ours(environ, "CLICKHOUSE_URL")),
        clickhouse_cluster=_ours(environ, "CLICKHOUSE_CLUSTER_NAME"),
        postgres_url=_secret(_ours(environ, "POSTGRES_URL")),
        sealed_postgres_url=_secret(environ.get("CALIBRANT_SEALED_POSTGRES_URL") or None),
        valkey_url=_secret(_ours(environ, "VALKEY_URL")),
        ca_bundle=environ.get("CALIBRANT_CA_BUNDLE") or None,
        system_ca_bundle=environ.get("SSL_CERT_FILE") or None,
        proxies=Proxies(
            http=_secret(_either_case(environ, "HTTP_PROXY")),
            https=_secret(_either_case(environ, "HTTPS_PROXY")),
            no_proxy=tuple(
                part.strip() for part in (_either_case(environ, "NO_PROXY") or "").split(",") if part.strip()
            ),
        ),
    )


def _ours(environ: Mapping[str, str], name: str) -> str | None:
    return environ.get(f"CALIBRANT_{name}") or environ.get(f"TENSORZERO_{name}") or None


def _either_case(environ: Mapping[str, str], name: str) -> str | None:
    return environ.get(name.lower()) or environ.get(name) or None


def _secret(value: str | None) -> Secret | None:
    return None if value is None else Secret(value)


def _address(environ: Mapping[str, str], problems: list[str]) -> tuple[str | None, int | None]:
    address = _ours(environ, "GATEWAY_BIND_ADDRESS")
    if address is None:
        return None, None
    try:
        return parse_address(address)
    except ValueError as error:
        problems.append(f"environment: CALIBRANT_GATEWAY_BIND_ADDRESS (or TENSORZERO_GATEWAY_BIND_ADDRESS): {error}")
        return None, None


def _workers(environ: Mapping[str, str], problems: list[str]) -> int | None:
    text = environ.get("CALIBRANT_WORKERS")
    if not text:
        return None
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= 1024:
        return int(text)
    problems.append("environment: CALIBRANT_WORKERS: is no number of workers; write one from 1 to 1024")
    return None
