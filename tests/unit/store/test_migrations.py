import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from tests.support.records import inferred
from tests.support.stores import drained, spooled

from calibrant.base.errors import StoreUnavailable
from calibrant.store import tables
from calibrant.store.migrations import settings
from calibrant.store.schema import metadata
from calibrant.store.sqlite import SqliteEvents
from calibrant.store.sqlite_reader import SqliteReader
from calibrant.types.query import Query

FIXTURES = Path(__file__).parents[2] / "fixtures" / "databases"


def test_the_newest_migration_is_the_schema_of_this_version():
    assert ScriptDirectory.from_config(settings()).get_current_head() == tables.SCHEMA_VERSION


def test_migrations_arrive_at_the_described_tables(tmp_path):
    events = SqliteEvents(tmp_path / "events.db")
    assert events.used_bytes() > 0
    engine = create_engine(f"sqlite:///{events.path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": _described})
        assert compare_metadata(context, metadata) == []
    engine.dispose()
    events.close()


def _described(name, kind, parents):
    # FTS5 tables and those that they are made of are no tables to SQLAlchemy.
    return kind != "table" or not name.startswith("inference_text")


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("inferences", ("seq", *tables.INFERENCE)),
        ("inference_data", ("seq", *tables.INFERENCE_DATA)),
        ("model_inferences", ("seq", *tables.MODEL)),
        ("model_inference_data", ("seq", *tables.MODEL_DATA)),
        ("feedback", ("seq", *tables.FEEDBACK)),
    ],
)
def test_rows_and_tables_have_the_same_columns(table, names):
    assert {column.name for column in metadata.tables[table].columns} == set(names)


@pytest.mark.parametrize("fixture", sorted(FIXTURES.glob("*.db")), ids=lambda path: path.stem)
def test_every_past_database_opens_and_goes_on(fixture, tmp_path):
    path = tmp_path / "events.db"
    shutil.copy(fixture, path)
    spooled(tmp_path / "spool", inferred())
    drained(tmp_path / "spool", path)
    reader = SqliteReader(path)
    assert reader.health().ok
    assert len(reader.find(Query())) == 2
    old = reader.find(Query())[1]
    assert old.output.startswith(b'{"raw":')
    assert len(reader.model_inferences(old.id)) == 1
    assert len(reader.feedback_for(old.id)) == 1
    assert len(reader.find(Query(status="error"))) == 1
    reader.close()


def test_a_newer_database_is_refused(tmp_path):
    path = tmp_path / "events.db"
    SqliteEvents(path).close()
    events = SqliteEvents(path)
    events.used_bytes()
    events.close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreUnavailable, match=f"schema 9999, this program knows up to {tables.SCHEMA_VERSION}"):
        events.used_bytes()
    reader = SqliteReader(path)
    assert "9999" in reader.health().detail
    reader.close()


def test_two_that_start_at_once_do_not_meet(tmp_path):
    errors = []
    barrier = threading.Barrier(4)

    def start():
        events = SqliteEvents(tmp_path / "events.db", busy_timeout_s=20)
        barrier.wait()
        try:
            events.used_bytes()
        except Exception as error:
            errors.append(error)
        events.close()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
