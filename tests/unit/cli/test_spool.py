"""`calibrant spool` on a real spool and a real database."""

import asyncio

import msgspec
import pytest
from tests.support.records import feedback, inferred
from tests.support.stores import POLICY, crash, drained, spooled

from calibrant.base.ids import uuid7
from calibrant.store.spool import Spool


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def store(data, *records):
    spooled(data / "spool", *records)
    drained(data / "spool", data / "events.db")


def test_the_books_of_a_host(run, data):
    store(data, inferred(), inferred())
    spooled(data / "spool", inferred())
    status, out, err = run("spool", "status", "--data-dir", data, "--json")
    assert (status, err) == (0, "")
    found = msgspec.json.decode(out)
    assert found["accounting"]["total"] == {
        "accepted": 3,
        "stored": 2,
        "spooled": 1,
        "quarantined": 0,
        "shed": 0,
        "missing": 0,
        "rejected": 0,
    }
    assert len(found["accounting"]["incarnations"]) == 2
    assert found["recorder"]["state"] == "stopped"


def test_the_books_as_a_table(run, data):
    store(data, inferred())
    status, out, _ = run("spool", "status", "--data-dir", data)
    assert status == 0
    assert [line.split() for line in out.splitlines() if "stored" in line] == [["│", "stored", "│", "1", "│"]]
    assert "recorder: stopped" in out


def test_a_missing_record_ends_with_status_1(run, data):
    store(data, inferred())

    async def go():
        spool = Spool.open(data / "spool", POLICY, "w")
        await spool.append(inferred())
        await spool.append(inferred())
        spool._publish()
        crash(spool)

    asyncio.run(go())
    for segment in (data / "spool").glob("*.seg"):
        segment.unlink()
    for argv in ((), ("--json",)):
        status, out, _ = run("spool", "status", "--data-dir", data, *argv)
        assert status == 1
        assert "missing" in out


def test_no_recorder_has_run(run, data):
    store(data, inferred())
    (data / "spool" / "recorder.json").unlink()
    assert "No recorder has run here yet." in run("spool", "status", "--data-dir", data)[1]


@pytest.mark.parametrize("command", ["status", "quarantine"])
def test_a_folder_without_a_record_is_refused_and_left_alone(run, data, command):
    for made in (False, True):
        status, _, err = run("spool", command, "--data-dir", data)
        assert status == 2
        assert "Traceback" not in err
        assert data.exists() == made
        data.mkdir(exist_ok=True)
        assert list(data.iterdir()) == []


def test_an_empty_quarantine(run, data):
    store(data, inferred())
    assert "The quarantine is empty." in run("spool", "quarantine", "--data-dir", data)[1]
    assert run("spool", "quarantine", "--data-dir", data, "--json")[1] == "[]\n"


def test_what_the_database_refused_is_listed_tried_again_and_given_up(run, data):
    store(data, feedback(uuid7(), linked=False), feedback(uuid7(), linked=False))
    listed = msgspec.json.decode(run("spool", "quarantine", "--data-dir", data, "--json")[1])
    assert [set(entry) for entry in listed] == [{"id", "state", "segment", "sequence", "frames", "reason", "at_ms"}] * 2
    one, other = (entry["id"] for entry in listed)
    status, out, _ = run("spool", "quarantine", "--data-dir", data, "--retry", one, "--drop", other, "--json")
    assert status == 0
    assert [(entry["id"], entry["state"]) for entry in msgspec.json.decode(out)] == [
        (one, "waiting"),
        (other, "dropped"),
    ]
    table = run("spool", "quarantine", "--data-dir", data)[1]
    assert "dropped" in table
    assert "reason" in table


def test_a_reason_is_no_markup(run, data):
    store(data, feedback("[/x]", linked=False))
    status, out, _ = run("spool", "quarantine", "--data-dir", data)
    assert status == 0
    assert "[/x]" in out


def test_an_entry_that_is_not_there_is_refused(run, data):
    store(data, inferred())
    status, _, err = run("spool", "quarantine", "--data-dir", data, "--drop", "99")
    assert (status, err) == (2, "calibrant: there is no entry 99 in quarantine\n")


def test_another_database_may_be_named(run, data, tmp_path, monkeypatch):
    spooled(data / "spool", inferred())
    drained(data / "spool", tmp_path / "else.db")
    address = f"sqlite:///{tmp_path / 'else.db'}"
    by_flag = run("spool", "status", "--data-dir", data, "--database", address, "--json")[1]
    assert msgspec.json.decode(by_flag)["accounting"]["total"]["stored"] == 1
    monkeypatch.setenv("CALIBRANT_DATABASE", address)
    monkeypatch.setenv("CALIBRANT_DATA_DIR", str(data))
    assert run("spool", "status", "--json")[1] == by_flag
