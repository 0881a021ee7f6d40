import sys
from pathlib import Path

import pytest
from tests.support.records import inferred
from tests.support.stores import spooled

from calibrant.app.clickhouse import in_clickhouse, open_clickhouse, read_clickhouse
from calibrant.app.options import Options
from calibrant.base.errors import ConfigError
from calibrant.config.load import default_config, load
from calibrant.config.schema import ClickHouseHome, Retention
from calibrant.store.clickhouse_open import layout_of, link_to
from calibrant.store.clickhouse_schema import Layout
from calibrant.store.recorder import Recorder
from calibrant.testing.clickhouse import ClickHouseFront
from calibrant.types.query import Query

SPOOL = Path("spool")


@pytest.fixture(scope="module")
def server():
    """ClickHouse's HTTP interface; the engine is the one of this process."""
    import threading

    front = ClickHouseFront()
    thread = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://user:secret@127.0.0.1:{front.port}"
    front.shutdown()
    front.server_close()
    thread.join()


def test_a_spool_goes_to_the_address_of_the_environment_and_the_database_is_made(server, tmp_path):
    environ = {"TENSORZERO_CLICKHOUSE_URL": f"{server}/made_here"}
    assert in_clickhouse(Options(str(tmp_path)), environ)
    reader = read_clickhouse(default_config(), environ)
    assert "made_here" in reader.health().detail and "secret" not in reader.health().detail
    records = [inferred() for _ in range(700)]
    spooled(tmp_path / "spool", *records)
    recorder = Recorder(tmp_path / "spool", open_clickhouse(default_config(), environ, spool=tmp_path / "spool"))
    recorder.open()
    recorder.drain()
    recorder.close()
    assert reader.health().ok
    # More ids than an address holds: the driver sends them in a form.
    found = reader.get([one.inference.id for one in records])
    assert [row.output for row in found] == [one.inference.output for one in records]
    assert len(reader.find(Query(limit=9_999))) == 700
    assert len(list(reader.outcomes("extract"))) == 700
    (books,) = reader.books()
    assert sum(segment.stored for segment in books.segments) == 700 and books.retired
    reader.close()


def test_a_server_that_is_away_is_trouble_that_passes(server, tmp_path):
    reader = read_clickhouse(default_config(), {"CALIBRANT_CLICKHOUSE_URL": "http://u:secret@127.0.0.1:9/x"})
    health = reader.health()
    assert not health.ok and "127.0.0.1:9/x" in health.detail and "secret" not in health.detail
    reader.close()


@pytest.mark.parametrize("url", ["clickhouse://u:secret@h:9000/x", "secret", "http://", "http://h:secret/x"])
def test_an_address_that_is_none_is_named_without_its_password(url):
    with pytest.raises(ConfigError, match="write http://USER:PASSWORD@HOST:8123/DATABASE") as caught:
        read_clickhouse(default_config(), {"CALIBRANT_CLICKHOUSE_URL": url})
    assert "secret" not in caught.value.message


def test_messages_name_the_server_and_its_database():
    assert link_to("https://u:p@ch.example.com/a%20b", Layout()).name == "ch.example.com:8443/a b"
    assert link_to("http://ch:81", Layout()).name == "ch:81/default"


def test_without_an_address_there_is_nothing_to_open():
    assert not in_clickhouse(Options("d"), {})
    assert not in_clickhouse(Options("d", database="sqlite:///x"), {"CALIBRANT_CLICKHOUSE_URL": "http://h"})
    with pytest.raises(ConfigError, match="CALIBRANT_CLICKHOUSE_URL is not set"):
        open_clickhouse(default_config(), {}, spool=SPOOL)


def test_a_driver_that_is_missing_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("calibrant.store.clickhouse")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "clickhouse_connect", None)
    with pytest.raises(ConfigError, match=r"pip install 'calibrant\[clickhouse\]'"):
        read_clickhouse(default_config(), {"CALIBRANT_CLICKHOUSE_URL": "http://h"})


def test_copies_come_with_a_cluster():
    assert layout_of(ClickHouseHome(), Retention()) == Layout(payload_days=30)
    clustered = layout_of(ClickHouseHome(cluster="main"), Retention(payload_days=1, metadata_days=2, feedback_days=3))
    assert clustered == Layout("main", replicated=True, metadata_days=2, payload_days=1, feedback_days=3)
    assert not layout_of(ClickHouseHome(cluster="main", replicated=False, sharded=True), Retention()).replicated
    for home in (ClickHouseHome(replicated=True), ClickHouseHome(sharded=True)):
        with pytest.raises(ConfigError, match=r"set clickhouse\.cluster"):
            layout_of(home, Retention())
    with pytest.raises(ConfigError, match="no name of a cluster"):
        layout_of(ClickHouseHome(cluster="a' b"), Retention())


def test_settings_of_the_file(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(
        "[clickhouse]\ndisable_automatic_migrations = true\ncluster = 'c'\nreplicated = false\nsharded = true\n"
        "[retention]\nmetadata_days = 400\nfeedback_days = 500\n"
    )
    config = load(str(path), environ={})
    assert config.clickhouse == ClickHouseHome(migrates=False, cluster="c", replicated=False, sharded=True)
    assert (config.retention.metadata_days, config.retention.feedback_days) == (400, 500)
    events = open_clickhouse(
        config,
        {"CALIBRANT_CLICKHOUSE_URL": "http://h", "CALIBRANT_CLICKHOUSE_CLUSTER_NAME": "other"},
        spool=SPOOL,
    )
    assert events._layout == Layout("other", sharded=True, metadata_days=400, payload_days=30, feedback_days=500)
    assert events.pace.frames > 1_000 and events.pace.rest_s > 0
