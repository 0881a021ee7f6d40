"""What a gateway says about access when it starts."""

import sqlite3
from contextlib import closing

import msgspec
import pytest

from calibrant.app.access import is_loopback, notice
from calibrant.app.options import Options
from calibrant.base.errors import StoreUnavailable
from calibrant.config.load import default_config
from calibrant.config.schema import Auth
from calibrant.engine.keys import create_key
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.key import NewKey

replace = msgspec.structs.replace


def config(host="127.0.0.1", *, enabled=False):
    plain = default_config()
    return replace(plain, gateway=replace(plain.gateway, host=host, auth=Auth(enabled)))


@pytest.fixture
def options(tmp_path):
    return Options(data_dir=str(tmp_path / "data"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_on_loopback_nothing_is_said(options, host):
    assert is_loopback(host) and notice(options, config(host)) is None
    assert not options.catalogue_path.exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "gateway.example.com", ""])
def test_elsewhere_it_is_said_what_to_do(options, host):
    said = notice(options, config(host))
    assert f"listens on {host}:" in said and "`gateway.auth.enabled = true`" in said


def test_what_counts_is_where_it_listens(options):
    assert "listens on 10.0.0.7:" in notice(options, config("127.0.0.1"), "10.0.0.7")
    assert notice(options, config("10.0.0.7"), "127.0.0.1") is None


def test_with_keys_asked_for_and_none_there_it_is_said_how_to_make_one(options):
    said = notice(options, config("0.0.0.0", enabled=True))
    assert f"`calibrant key create --role admin --data-dir {options.data_dir}`" in said
    catalogue = SqliteCatalogue(options.catalogue_path)
    create_key(catalogue, NewKey(), actor="cli", now_ms=1)
    catalogue.close()
    assert notice(options, config("0.0.0.0", enabled=True)) is None


def test_a_catalogue_of_a_newer_version_stops_the_start(options):
    notice(options, config(enabled=True))
    with closing(sqlite3.connect(options.catalogue_path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreUnavailable, match="run the newer version of Calibrant"):
        notice(options, config(enabled=True))
