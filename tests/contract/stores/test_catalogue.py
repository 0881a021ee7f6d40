"""What every catalogue does. Each back end runs the same tests."""

import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.homes import CATALOGUES

from calibrant.base.errors import StoreUnavailable
from calibrant.store.sql_catalogue import CATALOGUE_VERSION
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.key import ApiKey, Audit, StoredKey

FIXTURES = sorted((Path(__file__).parents[2] / "fixtures" / "catalogues").glob("*.db"))


def key(public_id="aaaaaaaaaaaa", **fields):
    return ApiKey(**{"public_id": public_id, "created_at": 1, "updated_at": 2, **fields})


def stored(public_id="aaaaaaaaaaaa", **fields):
    return StoredKey(key(public_id, **fields), bytes(range(32)))


@pytest.fixture
def file(tmp_path):
    with CATALOGUES["sqlite"](tmp_path) as made:
        yield made


@pytest.fixture(params=sorted(CATALOGUES))
def catalogue(request, tmp_path):
    with CATALOGUES[request.param](tmp_path) as made:
        yield made


FULL = {
    "description": "für Köln; 'quoted' \U0001f511",
    "organization": "o",
    "workspace": "w",
    "roles": ("read", "admin"),
    "models": ("openai::*", "m"),
    "functions": (),
    "expires_at": 2**45,
    "disabled_at": 3,
}


def test_what_was_added_is_found_as_it_was(catalogue):
    with catalogue.transaction() as tx:
        assert tx.add_key(stored()) and tx.add_key(stored("b" * 12, **FULL))
    with catalogue.reading() as view:
        assert view.key("a" * 12) == stored()
        assert view.key("b" * 12) == stored("b" * 12, **FULL)
        assert view.key("A" * 12) is None and view.key("'; DROP TABLE api_keys; --") is None


def test_a_public_id_is_given_once(catalogue):
    with catalogue.transaction() as tx:
        assert tx.add_key(stored())
        assert not tx.add_key(stored(description="another"))
    with catalogue.reading() as view:
        assert view.key("a" * 12).key.description == ""


def test_a_change_replaces_all_but_the_digest(catalogue):
    with catalogue.transaction() as tx:
        tx.add_key(stored(**FULL))
        tx.set_key(key(roles=("feedback",), updated_at=9))
    with catalogue.reading() as view:
        assert view.key("a" * 12) == StoredKey(key(roles=("feedback",), updated_at=9), bytes(range(32)))


def test_pages_of_keys_go_by_the_order_of_making(catalogue):
    ids = [f"{letter * 12}" for letter in "zabyx"]
    with catalogue.transaction() as tx:
        for each in ids:
            tx.add_key(stored(each))
    with catalogue.reading() as view:
        assert [each.public_id for each in view.list_keys()] == ids
        first = view.list_keys(limit=2)
        assert [each.public_id for each in (*first, *view.list_keys(after=first[-1].public_id))] == ids
        assert view.list_keys(after="no such one") == ()


def test_the_log_goes_backwards(catalogue):
    entries = [Audit(n, "cli", "key.change", f"s{n}", {"n": {"before": None, "after": [n]}}) for n in range(5)]
    with catalogue.transaction() as tx:
        for entry in entries:
            tx.note(entry)
    with catalogue.reading() as view:
        log = view.audit()
        assert [entry.id for entry in log] == [5, 4, 3, 2, 1]
        assert [(entry.at, entry.detail) for entry in reversed(log)] == [(e.at, e.detail) for e in entries]
        assert view.audit(before=3, limit=1) == (log[3],)


def test_all_of_a_transaction_or_nothing(catalogue):
    with pytest.raises(RuntimeError), catalogue.transaction() as tx:
        tx.add_key(stored())
        tx.note(Audit(1, "cli", "key.create", "a"))
        raise RuntimeError
    with catalogue.reading() as view:
        assert view.list_keys() == () and view.audit() == ()


def test_transactions_of_many_threads_follow_each_other(file, tmp_path):
    others = [SqliteCatalogue(tmp_path / "catalogue.db", busy_timeout_s=30) for _ in range(3)]
    faults = []

    def work(mine, number):
        try:
            for turn in range(15):
                with mine.transaction() as tx:
                    old = tx.key("a" * 12)
                    if old is None:
                        tx.add_key(stored(description="1"))
                    else:
                        tx.set_key(key(description=str(int(old.key.description) + 1)))
                    tx.note(Audit(turn, str(number), "key.change", "a"))
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(each, n)) for n, each in enumerate([*others, *others])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for each in others:
        each.close()
    assert faults == []
    with file.reading() as view:
        assert view.key("a" * 12).key.description == "90"
        assert [entry.id for entry in view.audit(limit=1000)] == list(range(90, 0, -1))


# What follows is about SQLite's file.


def test_several_that_start_at_once_make_one_catalogue(tmp_path):
    code = (
        "import sys, pathlib\nfrom calibrant.store.sqlite_catalogue import SqliteCatalogue\n"
        "sys.stdin.read(1)\nc = SqliteCatalogue(pathlib.Path(sys.argv[1]))\n"
        "with c.reading() as view: print(len(view.list_keys()))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "catalogue.db")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = [subprocess.Popen(command, **pipes) for _ in range(4)]
    assert [process.communicate("x", timeout=50) for process in started] == [("0\n", "")] * 4


def test_many_threads_that_open_it_at_once(tmp_path):
    for round_ in range(20):
        path = tmp_path / f"{round_}.db"
        faults, gate = [], threading.Barrier(6)

        def work(path=path, gate=gate, faults=faults):
            mine = SqliteCatalogue(path)
            gate.wait(20)
            try:
                with mine.transaction() as tx:
                    tx.note(Audit(1, "cli", "key.create", "a"))
            except StoreUnavailable as error:
                faults.append(error.message)
            mine.close()

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert faults == []


def test_the_file_is_for_its_owner_alone(tmp_path):
    made = SqliteCatalogue(tmp_path / "catalogue.db")
    with made.transaction() as tx:
        tx.add_key(stored())
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    made.close()
    assert set(modes) == {"catalogue.db", "catalogue.db-wal", "catalogue.db-shm"} and set(modes.values()) == {0o600}


def test_a_newer_catalogue_is_refused_and_left_alone(file):
    with file.transaction() as tx:
        tx.add_key(stored())
    file.close()
    with closing(sqlite3.connect(file.path)) as db:
        db.execute(f"PRAGMA user_version = {CATALOGUE_VERSION + 1}")
    before = file.path.read_bytes()
    with pytest.raises(StoreUnavailable, match=rf"has schema {CATALOGUE_VERSION + 1}, this program knows up to"):
        SqliteCatalogue(file.path).reading().__enter__()
    assert file.path.read_bytes() == before


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.stem)
def test_every_past_catalogue_opens_and_goes_on(fixture, tmp_path):
    path = tmp_path / "catalogue.db"
    shutil.copy(fixture, path)
    mine = SqliteCatalogue(path)
    with mine.transaction() as tx:
        assert tx.key("b" * 12) == stored("b" * 12, **FULL)
        assert [entry.action for entry in tx.audit()] == ["key.create"]
        assert tx.add_key(stored("new" * 4))
    mine.close()


def test_there_is_a_fixture_of_this_version():
    assert f"schema_{CATALOGUE_VERSION:04}" in {path.stem for path in FIXTURES}


def test_a_file_that_was_replaced_is_not_read_on(file, tmp_path):
    with file.transaction() as tx:
        tx.add_key(stored())
    file.path.unlink()
    for suffix in ("-wal", "-shm"):
        Path(f"{file.path}{suffix}").unlink(missing_ok=True)
    with file.reading() as view:
        assert view.list_keys() == ()


@pytest.mark.parametrize("trouble", ["no folder", "no database", "a folder"])
def test_what_cannot_be_opened_is_unavailable_and_then_it_is_not(file, tmp_path, trouble):
    path = tmp_path / "sub" / "catalogue.db"
    if trouble != "no folder":
        path.parent.mkdir()
    if trouble == "no database":
        path.write_bytes(b"not a database, by far" * 99)
    elif trouble == "a folder":
        path.mkdir()
    mine = SqliteCatalogue(path)
    with pytest.raises(StoreUnavailable, match=r"^catalogue .*sub/catalogue\.db"), mine.transaction():
        raise AssertionError
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir()
    with mine.transaction() as tx:
        assert tx.add_key(stored())
    mine.close()


def test_what_a_newer_version_wrote_is_not_guessed_at(file):
    with file.transaction() as tx:
        tx.add_key(stored())
    with closing(sqlite3.connect(file.path)) as db:
        db.execute("""UPDATE api_keys SET roles = '["soothsayer"]'""")
        db.commit()
    with pytest.raises(StoreUnavailable, match="does not understand"), file.reading() as view:
        view.key("a" * 12)


def test_a_lock_that_is_held_too_long_is_unavailable_for_writers_and_no_matter_for_readers(file):
    with file.transaction() as tx:
        tx.add_key(stored())
    impatient = SqliteCatalogue(file.path, busy_timeout_s=0.01)
    with file.transaction():
        with impatient.reading() as view:
            assert view.key("a" * 12)
        with pytest.raises(StoreUnavailable, match="locked"), impatient.transaction():
            raise AssertionError
    with impatient.transaction() as tx:
        assert tx.key("a" * 12)
    impatient.close()
