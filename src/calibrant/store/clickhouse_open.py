"""Opens the record in ClickHouse by the settings that a configuration has for it. Loads the driver."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from calibrant.base.errors import ConfigError
from calibrant.config.schema import ClickHouseHome, Retention
from calibrant.store.clickhouse import ClickHouseEvents
from calibrant.store.clickhouse_link import Link, connector
from calibrant.store.clickhouse_migrate import schema_version
from calibrant.store.clickhouse_reader import ClickHouseReader
from calibrant.store.clickhouse_schema import SCHEMA_VERSION, Layout

__all__ = ["layout_of", "link_to", "open_events", "open_reader", "read_version"]


def open_events(url: str, home: ClickHouseHome, retention: Retention | None, *, writer: str) -> ClickHouseEvents:
    """Return the writing side; it connects when first used.

    Args:
        url: The server's address, with user, password and database.
        home: How the tables lie there.
        retention: How old rows get; null leaves the tables as they are in this.
        writer: A name that no other recorder has.

    Raises:
        ConfigError: the address or the settings cannot be used.
    """
    layout = layout_of(home, retention or Retention())
    link = link_to(url, layout, makes_database=home.migrates)
    return ClickHouseEvents(
        link, layout=layout, writer=writer, migrates=home.migrates, keeps_ages=retention is not None
    )


def open_reader(url: str, home: ClickHouseHome) -> ClickHouseReader:
    """Return the asking side; it connects when first used.

    Raises:
        ConfigError: the address or the settings cannot be used.
    """
    layout = layout_of(home, Retention())
    return ClickHouseReader(link_to(url, layout), layout=layout)


def read_version(url: str, home: ClickHouseHome) -> tuple[str, int, int]:
    """Return the server's name, the schema that is there (0 where there is none), and the one that is wanted.

    Raises:
        ConfigError: the address or the settings cannot be used.
        StoreUnavailable: it cannot be asked now.
    """
    link = link_to(url, layout_of(home, Retention()), makes_database=home.migrates)
    try:
        return link.name, schema_version(link), SCHEMA_VERSION
    finally:
        link.close()


def layout_of(home: ClickHouseHome, retention: Retention) -> Layout:
    """Return how the tables lie.

    Raises:
        ConfigError: there are copies or shards without a cluster.
    """
    for key, value in (("replicated", home.replicated), ("sharded", home.sharded)):
        if value and not home.cluster:
            raise ConfigError(f"clickhouse.{key} wants a cluster; set clickhouse.cluster to its name, or leave it out")
    if home.cluster and not home.cluster.replace("_", "").replace("-", "").isalnum():
        raise ConfigError(f"clickhouse.cluster: {home.cluster!r} is no name of a cluster")
    return Layout(
        cluster=home.cluster,
        replicated=bool(home.cluster) if home.replicated is None else home.replicated,
        sharded=home.sharded,
        metadata_days=retention.metadata_days,
        payload_days=retention.payload_days,
        feedback_days=retention.feedback_days,
    )


def link_to(url: str, layout: Layout, *, makes_database: bool = False) -> Link:
    """Return the link to a server.

    Raises:
        ConfigError: it is no address that the driver can use. The message does not show it: it may hold a password.
    """
    parts = urlsplit(url)
    try:
        where = f"{parts.hostname}:{parts.port or (8443 if parts.scheme == 'https' else 8123)}"
    except ValueError:
        parts = urlsplit("")
        where = ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            "CALIBRANT_CLICKHOUSE_URL is no address of ClickHouse's HTTP interface; "
            "write http://USER:PASSWORD@HOST:8123/DATABASE, or https:// with its port"
        )
    database = unquote(parts.path.strip("/")) or "default"
    return Link(connector(url, layout=layout, makes=database if makes_database else None), name=f"{where}/{database}")
