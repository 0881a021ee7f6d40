"""An import into every home of the record, with rows that are older than anything that a gateway writes."""

from contextlib import ExitStack

import pytest
from tests.support.homes import HOMES, postgres_catalogue, sqlite_catalogue
from tests.support.tensorzero import a_call, a_chat, an_id, fill, postgres_tensorzero

from calibrant.imports.runner import Importer
from calibrant.store.accounting import accounting
from calibrant.types.query import Query


@pytest.mark.parametrize("home", HOMES)
def test_an_import_goes_into_every_home_and_goes_on_there(home, tmp_path):
    with ExitStack() as stack:
        events = stack.enter_context(HOMES[home](tmp_path))()
        catalogues = postgres_catalogue if home == "postgres" else sqlite_catalogue
        catalogue = stack.enter_context(catalogues(tmp_path))
        source = stack.enter_context(postgres_tensorzero())
        fill(source)
        source.add("chat_inferences", a_chat(20, output={"neither": "list"}))

        def run():
            opened = source.open()
            try:
                report = Importer(opened, events, catalogue, page=3).run()
            finally:
                opened.close()
            return {each.table: (each.here, each.added, each.quarantined) for each in report.tables}

        first = run()
        assert first["chat_inferences"] == (6, 6, 1)
        assert first["model_inferences"] == (8, 8, 0)
        assert first["boolean_metric_feedback"] == (2, 2, 0)
        assert first["chat_datapoints"] == (4, 4, 0)
        source.add("chat_inferences", a_chat(30))
        source.add("model_inferences", a_call(a_chat(30)))
        second = run()
        assert second["chat_inferences"] == (7, 1, 1)
        assert second["model_inferences"] == (9, 1, 0)
        assert second["boolean_metric_feedback"] == (2, 0, 0)
        assert len(events.find(Query(limit=50))) == 9
        (call,) = events.model_inferences(an_id(30))
        assert call.cost == "0.0000125"
        assert accounting(tmp_path / "spool", events).total.missing == 0
