from pathlib import Path

import pytest
from tests.support.clickhouse import new_database

from calibrant.store.clickhouse_link import Link
from calibrant.store.clickhouse_schema import BYTES, TABLES, Layout, create_versions, migrations
from calibrant.store.tables import FEEDBACK, INFERENCE, INFERENCE_DATA, MODEL, MODEL_DATA

DDL = Path(__file__).parent / "clickhouse_ddl"
LAYOUTS = {
    "single": Layout(payload_days=30),
    "replicated": Layout(cluster="main", replicated=True, payload_days=30),
    "sharded": Layout(
        cluster="main", replicated=True, sharded=True, metadata_days=400, payload_days=30, feedback_days=800
    ),
    "sharded_without_copies": Layout(cluster="main", sharded=True),
}


def statements(layout):
    return [*(one for step in migrations(layout) for one in step.statements), create_versions(layout)]


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_definitions_are_as_they_were_read_last(name):
    """A change of the text is a change of somebody's database: look at it, then write the file again."""
    text = "\n\n".join(f"{statement};" for statement in statements(LAYOUTS[name])) + "\n"
    assert text == (DDL / f"{name}.sql").read_text()


def test_every_definition_is_one_that_the_engine_can_read():
    with new_database() as connects:
        link = Link(connects, name="test")
        for layout in LAYOUTS.values():
            for statement in statements(layout):
                (row,) = link.all("SELECT formatQuery({statement:String})", statement=statement)
                assert row[0].startswith("CREATE TABLE")
        link.close()


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("inferences", INFERENCE),
        ("inference_data", ("id", *INFERENCE_DATA)),
        ("model_inferences", MODEL),
        ("model_inference_data", ("id", "inference_id", *MODEL_DATA)),
        ("feedback", FEEDBACK),
    ],
)
def test_the_tables_have_all_columns_of_the_rows(table, names):
    own = {"seq", "at", "version", "search_text", "function_name"}
    assert set(TABLES[table].columns) - own == set(names) - own


def test_what_decides_where_a_row_stands_is_in_its_key():
    for name, table in TABLES.items():
        assert table.spread in table.order.split(", "), name
        assert not BYTES & set(table.order.split(", ")), name
