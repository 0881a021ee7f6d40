"""`calibrant erase`, as its user types it."""

import io
import sys
from contextlib import closing

import msgspec
import pytest
from tests.support import records
from tests.support.homes import stored

from calibrant.store.sqlite import SqliteEvents


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir()
    with closing(SqliteEvents(tmp_path / "data/events.db")) as events:
        stored(events, [records.inferred(tags={"user_id": "a=b"}), records.inferred(tags={"user_id": "a"})])
    return tmp_path / "data"


def left(data):
    with closing(SqliteEvents(data / "events.db")) as events:
        return events._all("SELECT count(*) FROM inferences", ())[0][0]


def test_a_plan_is_shown_and_nothing_is_done(run, data):
    status, out, _ = run("erase", "--tag", "user_id=a=b", "--plan", "--data-dir", data)
    assert status == 0 and "would be erased" in out and left(data) == 2
    assert [line for line in out.splitlines() if "model inferences" in line][0].split()[-2:] == ["1", "│"]


def test_it_asks_first(run, data, monkeypatch):
    for said, status, rows in (("n\n", 1, 2), ("y\n", 0, 1)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(said))
        ended, out, _ = run("erase", "--tag", "user_id=a=b", "--data-dir", data)
        assert (ended, left(data)) == (status, rows) and "Erase this for good?" in out


def test_it_answers_a_script(run, data):
    status, out, _ = run("erase", "--tag", "user_id=a=b", "--yes", "--json", "--data-dir", data)
    done = msgspec.json.decode(out)
    assert (status, done["inferences"], done["plan"], left(data)) == (0, 1, False, 1)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "name one of the two"),
        (("--tag", "x"), "KEY=VALUE"),
        (("--tag", "=x"), "may be empty"),
        (("--episode", "x"), "no UUID"),
    ],
)
def test_mistakes_are_said(run, data, flags, said):
    status, _, err = run("erase", *flags, "--yes", "--data-dir", data)
    assert status == 2 and said in err and left(data) == 2
