"""Brings a database to the schema of this version, with Alembic. Not loaded by a worker.

Two that start at once do not meet: the whole upgrade is one transaction that holds SQLite's write lock.
A database that is newer than this program is refused.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from calibrant.base.errors import StoreUnavailable
from calibrant.store.tables import SCHEMA_VERSION

__all__ = ["migrate_sqlite", "schema_version", "settings"]


def settings() -> Config:
    """Return Alembic's settings, with no file of settings."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def schema_version(connection: sqlite3.Connection) -> str:
    """Return the revision of a database; empty when it has no tables of ours."""
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'")
    if known.fetchone() is None:
        return ""
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else ""


def migrate_sqlite(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a SQLite database to the newest schema; costs a glance when it is there already.

    Args:
        connection: In autocommit mode.
        path: For the message.

    Raises:
        StoreUnavailable: the database is newer than this program, or cannot be migrated now.
        sqlite3.Error: it cannot be read.
    """
    version = schema_version(connection)
    if version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        raise StoreUnavailable(
            f"database {path} has schema {version}, this program knows up to {SCHEMA_VERSION}; "
            "run the newer version of Calibrant that wrote it, or choose another --data-dir"
        )
    if version == "":
        # All three only take effect before the first table. Larger pages suit payloads of a few KB.
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    event.listen(engine, "begin", _begin_with_the_write_lock)
    config = settings()
    try:
        with engine.begin() as transaction:
            config.attributes["connection"] = transaction
            command.upgrade(config, "head")
    except DBAPIError as error:
        raise StoreUnavailable(f"database {path} cannot be migrated: {error.orig}") from error


def _begin_with_the_write_lock(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
