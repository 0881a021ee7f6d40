"""ClickHouse for tests: its engine in this process, a database of its own for each test; or a server that is named."""

import os
import subprocess
import sys
from contextlib import contextmanager

import clickhouse_connect

from calibrant.base.ids import uuid7
from calibrant.store.clickhouse import ClickHouseEvents
from calibrant.store.clickhouse_link import SETTINGS, Link, connector

URL = os.environ.get("CALIBRANT_TEST_CLICKHOUSE_URL")
_engine = None


def connect(database=None):
    """A client of the engine. It stays open behind all tests: one process holds one engine."""
    global _engine
    if URL:
        return connector(f"{URL.rstrip('/')}/{database}" if database else URL)()
    if _engine is None:
        _engine = clickhouse_connect.get_client(interface="chdb")
    return clickhouse_connect.get_client(interface="chdb", database=database, settings=dict(SETTINGS))


@contextmanager
def new_database():
    """A database that is there for one test; yields what connects to it."""
    name = f"test_{uuid7().replace('-', '')}"
    client = connect()
    client.command(f"CREATE DATABASE {name}")
    try:
        yield lambda: connect(name)
    finally:
        client.command(f"DROP DATABASE {name}")
        client.close()


@contextmanager
def clickhouse_events(**options):
    """A store of its own."""
    with new_database() as connects:
        events = ClickHouseEvents(Link(connects, name="test"), **{"follow_lag_s": 0, "writer": "test", **options})
        try:
            yield events
        finally:
            events.close()


@contextmanager
def clickhouse_server(folder=None):
    """A server that other processes can ask, over HTTP; yields its address, without a database."""
    place = [] if folder is None else ["--path", str(folder)]
    process = subprocess.Popen(
        [sys.executable, "-m", "calibrant.testing.clickhouse", "--port", "0", "--print-port", *place],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            # The engine now and then does not come out of its own shutdown.
            process.kill()
            process.wait(10)
        process.stdout.close()
