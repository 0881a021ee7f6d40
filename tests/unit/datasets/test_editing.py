"""Several who change a dataset at once."""

import threading
from contextlib import closing

from calibrant.base.errors import NotFound
from calibrant.datasets import editing
from calibrant.datasets.editing import Actor
from calibrant.datasets.reader import DatasetReader
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, DatapointEdit, DatapointQuery, NewDatapoint
from calibrant.types.message import Input


def test_of_all_who_edit_one_datapoint_one_comes_first_and_the_others_find_it_stale(tmp_path):
    path = tmp_path / "catalogue.db"
    with closing(SqliteCatalogue(path)) as catalogue:
        (one,) = editing.add(catalogue, "d", [NewDatapoint(Content("chat", "f", Input()))], Actor("", 1))
        gate, done, late, faults = threading.Barrier(6), [], [], []

        def work(number):
            with closing(SqliteCatalogue(path, busy_timeout_s=30)) as mine:
                edit = DatapointEdit(id=one, type="chat", output=(Text(str(number)),))
                gate.wait(20)
                try:
                    done.extend(editing.edit(mine, "d", [edit], Actor(str(number), 2), lambda content: content))
                except NotFound:
                    late.append(number)
                except Exception as error:
                    faults.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        reader = DatasetReader(catalogue)
        assert faults == [] and len(late) == 5
        assert [row.id for row in reader.page(DatapointQuery(dataset_name="d"))] == done
        assert reader.dataset("d").version == 2


def test_all_who_add_at_once_make_versions_of_their_own(tmp_path):
    path = tmp_path / "catalogue.db"

    def work(number):
        with closing(SqliteCatalogue(path, busy_timeout_s=30)) as mine:
            for _ in range(5):
                editing.add(mine, "d", [NewDatapoint(Content("chat", "f", Input()))] * 3, Actor(str(number), 1))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with closing(SqliteCatalogue(path)) as catalogue, catalogue.reading() as view:
        changes = view.dataset_changes("d")
        assert [each.version for each in changes] == list(range(20, 0, -1))
        assert {each.added for each in changes} == {3} and view.count_datapoints("d") == 60
