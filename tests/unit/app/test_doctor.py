"""Each check on a folder that has the trouble it looks for, and on one that has not."""

import os
import socket
import sqlite3
import threading

import pytest
from msgspec.structs import replace
from tests.support.homes import stored
from tests.support.postgres import fresh_postgres
from tests.support.records import inferred
from tests.support.stores import POLICY, drained, spooled

from calibrant.app.doctor import CHECKS, Finding, Subject, examine
from calibrant.app.doctor import sealed as sealed_checks
from calibrant.app.migration import migrate_home, state_of
from calibrant.app.options import Options
from calibrant.base.clock import SystemClock
from calibrant.base.errors import StoreUnavailable
from calibrant.base.ids import first_id, uuid7
from calibrant.config.load import Overrides, default_config, load
from calibrant.datasets import editing, holdout
from calibrant.datasets.editing import Actor
from calibrant.engine.keys import create_key
from calibrant.store.segments import hold
from calibrant.store.sqlite import SqliteEvents
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.store.status import RecorderStatus, write_status
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, NewDatapoint
from calibrant.types.key import NewKey
from calibrant.types.message import Input, Message
from calibrant.types.split import Shares

DAY_MS = 86_400_000


class Examined:
    """A data folder and what it is told; `found` runs one check."""

    def __init__(self, folder):
        self.data = folder / "data"
        self.config = default_config()
        self.environ = {}
        self.database = None
        self.clock = SystemClock()

    def configured(self, text, **address):
        path = self.data.parent / "calibrant.toml"
        path.write_text(text)
        self.config = load(str(path), environ={}, overrides=Overrides(**address))

    def found(self, check):
        options = Options(data_dir=str(self.data), database=self.database)
        subject = Subject(options, self.environ, self.config, self.clock)
        return list(examine(subject, [row for row in CHECKS if row[0] == check]))

    def states(self, check):
        return [finding.state for finding in self.found(check)]


@pytest.fixture
def bare(tmp_path):
    return Examined(tmp_path)


@pytest.fixture
def whole(bare):
    """A folder in which a gateway has worked."""
    os.umask(0o077)
    bare.data.mkdir(mode=0o700)
    spooled(bare.data / "spool", inferred())
    drained(bare.data / "spool", bare.data / "events.db")
    catalogue = SqliteCatalogue(bare.data / "catalogue.db")
    with catalogue.transaction():
        pass
    catalogue.close()
    return bare


@pytest.fixture(autouse=True)
def _umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@pytest.mark.parametrize("which", ["bare", "whole"])
def test_where_nothing_is_wrong_everything_is_fine_and_nothing_is_made(request, which):
    examined = request.getfixturevalue(which)
    examined.configured("[retention]\nmax_database_bytes = 0\n[spool]\nmin_free_bytes = 0\n", port=free_port())
    before = _tree(examined.data)
    for name, _ in CHECKS:
        findings = examined.found(name)
        assert findings, name
        assert all(finding.state == "fine" and finding.check == name for finding in findings), findings
    assert _tree(examined.data) == before


def _tree(folder):
    # SQLite may leave its two helpers beside a database that is read.
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.suffix == ".seg"} | {
        path: path.stat().st_size for path in folder.rglob("*") if path.suffix not in (".db-wal", ".db-shm")
    }


def test_every_wrong_thing_says_what_to_do(whole):
    whole.configured('[gateway]\nbind_address = "0.0.0.0:1"\n')
    (whole.data).chmod(0o755)
    bad = [finding for name, _ in CHECKS for finding in whole.found(name) if finding.state != "fine"]
    assert bad and all(finding.remedy and finding.found for finding in bad)


def test_a_configuration_that_does_not_load_is_one_finding_and_its_warnings_are_others(bare):
    options = Options(data_dir=str(bare.data))
    subject = Subject(options, {}, bare.config, bare.clock, "calibrant.toml: models: is wrong; write it right")
    (found,) = examine(subject, CHECKS[:1])
    assert (found.state, found.found[:14]) == ("wrong", "calibrant.toml")
    bare.configured("[autopilot]\ntool_whitelist = ['x']\n")
    assert bare.states("configuration") == ["fine", "warning"]


def test_a_missing_credential_is_named_and_one_that_is_there_is_not_shown(bare):
    bare.configured('[models.m]\nrouting = ["p"]\n[models.m.providers.p]\ntype = "openai"\nmodel_name = "x"\n')
    (found,) = bare.found("credentials")
    assert found.state == "wrong" and "OPENAI_API_KEY" in found.found and "models.m.providers.p" in found.found
    bare.environ = {"OPENAI_API_KEY": "sk-canary"}
    (found,) = bare.found("credentials")
    assert found.state == "fine" and "canary" not in str(found)


def test_a_database_of_another_version(whole):
    db = sqlite3.connect(whole.data / "events.db")
    for version, state in (("9999", "wrong"), ("0001", "warning")):
        db.execute("UPDATE alembic_version SET version_num = ?", (version,))
        db.commit()
        assert whole.states("database") == [state]
        assert [state for state in whole.states("quarantine") if state != "fine"] == []
    db.close()


def test_a_catalogue_that_is_older_is_not_migrated_by_looking(whole):
    db = sqlite3.connect(whole.data / "catalogue.db")
    db.execute("PRAGMA user_version = 1")
    db.close()
    assert whole.states("catalogue") == ["warning"]
    whole.states("keys")
    db = sqlite3.connect(whole.data / "catalogue.db")
    assert db.execute("PRAGMA user_version").fetchone() == (1,)
    db.close()


def test_a_database_that_is_no_database(whole):
    (whole.data / "events.db").write_bytes(b"rubbish" * 1000)
    (found,) = whole.found("database")
    assert found.state == "wrong" and "events.db" in found.found


def test_a_database_near_its_limit(whole):
    whole.configured("[retention]\nmax_database_bytes = 1\n")
    assert whole.states("database") == ["fine", "warning"]


@pytest.mark.parametrize(("ahead_s", "state"), [(-5, "fine"), (10, "warning"), (3600, "wrong")])
def test_an_inference_of_the_future(bare, ahead_s, state):
    bare.data.mkdir()
    made = uuid7()
    id_ = first_id(SystemClock().wall_ms() + ahead_s * 1000)[:14] + made[14:]
    stored(SqliteEvents(bare.data / "events.db"), [inferred(id=id_)]).close()
    assert bare.states("clock") == [state]


def test_a_database_servers_clock(whole):
    with fresh_postgres() as postgres:
        whole.database = postgres.settings.url
        assert whole.found("clock")[-1].state == "fine"
        assert whole.states("database") == ["wrong"]
        assert whole.found("database")[0].remedy == "run `calibrant migrate`"

        class Slow(SystemClock):
            def wall_ms(self):
                return super().wall_ms() - 30_000

        whole.clock = Slow()
        found = whole.found("clock")[-1]
        assert found.state == "warning" and "30" in found.found and "ahead" in found.found


def test_a_server_that_is_away_is_said_by_each_that_needs_it(whole):
    whole.database = f"postgresql://user:canary@127.0.0.1:{free_port()}/db"
    for name in ("database", "catalogue", "clock", "quarantine", "keys"):
        findings = whole.found(name)
        assert any(finding.state == "wrong" for finding in findings), name
        assert "canary" not in str(findings)


def test_a_disk_without_room(whole):
    whole.configured(f"[spool]\nmin_free_bytes = {2**60}\n[retention]\nmax_database_bytes = 0\n")
    assert whole.states("disk") == ["wrong"]
    whole.configured(f"[spool]\nmin_free_bytes = 0\n[retention]\nmax_database_bytes = {2**60}\n")
    assert whole.states("disk") == ["fine", "warning"]


def test_a_spool_that_is_full(whole):
    spooled(whole.data / "spool", *[inferred() for _ in range(9)])
    used = sum(path.stat().st_size for path in (whole.data / "spool").glob("*.seg"))
    for limit, state in ((used * 10, "fine"), (int(used * 1.1), "warning"), (used, "wrong")):
        whole.config = replace(whole.config, spool=replace(POLICY, max_bytes=limit))
        assert whole.states("spool") == [state]


def test_nobody_drains_the_spool(whole):
    spooled(whole.data / "spool", inferred())
    assert whole.states("recorder") == ["warning"]
    worker = hold(whole.data / "spool" / "abc.lock")
    (found,) = whole.found("recorder")
    os.close(worker)
    assert found.state == "wrong" and "no recorder runs" in found.found


@pytest.mark.parametrize(
    ("status", "states"),
    [
        ({}, ["fine"]),
        ({"state": "store_away", "store_error": "database x: gone"}, ["wrong"]),
        ({"updated_ms": 1}, ["warning"]),
        ({"watermark_ms": 1, "lag_frames": 7}, ["warning"]),
        ({"warnings": ("a row went to quarantine",)}, ["fine", "warning"]),
    ],
)
def test_what_the_recorder_says(whole, status, states):
    lock = hold(whole.data / "spool" / "recorder.lock")
    now = SystemClock().wall_ms()
    write_status(whole.data / "spool", replace(RecorderStatus(1, "running", now, watermark_ms=now), **status))
    try:
        assert whole.states("recorder") == states
    finally:
        os.close(lock)


def test_what_the_database_refused(whole):
    db = sqlite3.connect(whole.data / "events.db")
    for state, states in (("dropped", ["fine"]), ("waiting", ["warning"]), ("refused", ["wrong", "warning"])):
        db.execute(
            "INSERT INTO quarantine (incarnation, segment, start, sequence, frames, state, reason, at_ms, frame) "
            "VALUES ('i', 's', 0, 1, 1, ?, 'r', 1, x'')",
            (state,),
        )
        db.commit()
        assert whole.states("quarantine") == states
    db.close()


def test_others_may_read_it(whole):
    whole.data.chmod(0o750)
    assert whole.states("permissions") == ["wrong"]
    (whole.data / "events.db").chmod(0o644)
    assert whole.states("permissions") == ["wrong", "wrong"]
    whole.data.chmod(0o700)
    assert whole.states("permissions") == ["warning"]


def test_a_database_elsewhere_that_others_may_read(whole, tmp_path):
    path = tmp_path / "elsewhere.db"
    path.write_bytes(b"")
    path.chmod(0o644)
    whole.database = f"sqlite:///{path}"
    assert whole.states("permissions") == ["fine", "wrong"]


def test_a_gateway_that_is_open_to_others(whole):
    whole.configured('[gateway]\nbind_address = "0.0.0.0:3000"\n')
    assert whole.states("keys") == ["wrong"]


def test_keys_that_are_asked_for(whole):
    whole.configured('[gateway]\nbind_address = "0.0.0.0:3000"\nauth.enabled = true\n')
    assert whole.states("keys") == ["wrong"]
    now = SystemClock().wall_ms()
    catalogue = SqliteCatalogue(whole.data / "catalogue.db")
    create_key(catalogue, NewKey(expires_at=now + 30 * DAY_MS), actor="t", now_ms=now)
    assert whole.states("keys") == ["fine"]
    secret, known = create_key(catalogue, NewKey(expires_at=now + 3 * DAY_MS), actor="t", now_ms=now)
    (found,) = whole.found("keys")
    assert found.state == "warning" and known.public_id in found.found and secret not in str(found)
    catalogue.close()


def test_files_in_a_folder_that_is_not_there_yet_or_nowhere(whole, tmp_path):
    whole.configured(f'[object_storage]\ntype = "filesystem"\npath = "{tmp_path}/none/yet"\n')
    assert whole.states("files") == ["fine"]
    whole.configured('[object_storage]\ntype = "disabled"\n')
    assert whole.states("files") == ["fine"]


def test_a_bucket_that_is_away(whole):
    whole.configured(
        f'[object_storage]\ntype = "s3_compatible"\nendpoint = "http://127.0.0.1:{free_port()}"\nallow_http = true\n'
        'bucket_name = "my-files"\nregion = "us-east-1"\n'
    )
    whole.environ = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "canary"}
    (found,) = whole.found("files")
    assert found.state == "warning" and "canary" not in str(found)


def test_something_else_listens_on_the_port(bare):
    with socket.create_server(("127.0.0.1", 0)) as server:
        bare.configured("", port=server.getsockname()[1])

        def answer():
            connection, _ = server.accept()
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        (found,) = bare.found("port")
        thread.join(10)
    assert found.state == "wrong" and "no gateway" in found.found


def test_what_a_check_raises_is_a_finding(bare):
    def broken(_):
        raise StoreUnavailable("it is away")

    def forbidden(_):
        raise PermissionError(13, "Permission denied", "/somewhere")

    subject = Subject(Options(data_dir=str(bare.data)), {}, bare.config, bare.clock)
    found = list(examine(subject, [("one", broken), ("two", forbidden)]))
    assert [(each.check, each.state) for each in found] == [("one", "wrong"), ("two", "wrong")]
    assert found[0] == Finding("wrong", "it is away", found[0].remedy, "one")


WORDS = ("rivers", "mountains and snow", "lanterns in the evening", "a garden of stones", "ships that come home")


@pytest.fixture
def sealing(whole):
    """A folder with five sealed datapoints; the catalogue is open."""
    catalogue = SqliteCatalogue(whole.data / "catalogue.db")
    actor = Actor("tester", 1_900_000_000_000)
    editing.create(catalogue, "d", "datapoint", actor)
    holdout.seal(catalogue, "d", Shares(train=0, val=0, sealed=100), None, actor)
    given = [Input((Message("user", (Text(each),)),)) for each in WORDS]
    ids = editing.add(catalogue, "d", [NewDatapoint(Content("chat", "f", each, ())) for each in given], actor)
    holdout.reveal(catalogue, ids[:1], actor)
    yield whole, catalogue
    catalogue.close()


def test_what_is_sealed_is_there_and_the_ledger_is_whole(sealing):
    whole, _ = sealing
    assert whole.states("sealed") == ["fine", "fine"]
    assert [each.found for each in whole.found("sealed")] == [
        "4 sealed contents, and all are in the vault",
        "the ledger has 2 lines, each of which follows from the one before",
    ]


def test_sealed_contents_that_are_lost_are_counted(sealing):
    whole, catalogue = sealing
    catalogue.vault.remove(catalogue.vault.hashes(after="", limit=3))
    found = whole.found("sealed")[0]
    assert found.state == "wrong" and found.found.startswith("3 of 4 sealed contents are not") and found.remedy


def test_contents_that_are_unsealed_while_they_are_looked_for_are_no_loss(sealing, monkeypatch):
    whole, catalogue = sealing
    looked = sealed_checks._sealed_contents

    def slow(of):
        for some in list(looked(of)):
            with catalogue.reading() as view:
                keys = [each.group_key for each in view.sealed_groups("d")]
            holdout.move(catalogue, "d", keys[:2], "val", Actor("tester", 1_900_000_000_000))
            yield some

    monkeypatch.setattr(sealed_checks, "_sealed_contents", slow)
    assert whole.found("sealed")[0].state == "fine" and len(catalogue.vault.hashes(after="", limit=9)) == 2


def test_a_vault_that_others_may_read(sealing):
    whole, _ = sealing
    (whole.data / "sealed.db").chmod(0o640)
    found = whole.found("sealed")[0]
    assert (found.state, found.remedy) == ("wrong", f"chmod 600 {whole.data / 'sealed.db'}")


def test_a_line_of_the_ledger_that_was_changed(sealing):
    whole, catalogue = sealing
    with catalogue.transaction() as tx:
        tx._connection.execute("UPDATE ledger SET actor = 'nobody' WHERE number = 2")
    found = whole.found("sealed")[-1]
    assert found.state == "wrong" and found.found.startswith("line 2 of the ledger")


def test_what_takes_too_long_is_looked_at_as_far_as_it_goes(sealing, monkeypatch):
    whole, _ = sealing
    monkeypatch.setattr(sealed_checks, "_LOOKED_S", -1.0)
    contents, ledger = (each.found for each in whole.found("sealed"))
    assert contents.startswith("0 sealed contents of those") and "0 lines" in ledger and "in time" in ledger


def test_a_vault_of_a_newer_version(sealing):
    whole, _ = sealing
    with sqlite3.connect(whole.data / "sealed.db") as file:
        file.execute("PRAGMA user_version = 99")
    file.close()
    (found,) = whole.found("sealed")
    assert found.state == "wrong" and "newer version" in found.remedy
    assert not state_of(Options(data_dir=str(whole.data)), {}).current


def test_a_vault_is_brought_to_this_version_and_none_is_made(whole):
    options = Options(data_dir=str(whole.data))
    state = migrate_home(options, {})
    assert state.current and (state.vault, state.wanted_vault) == (0, 0)
    assert not (whole.data / "sealed.db").exists() and whole.states("sealed") == ["fine", "fine"]
    (whole.data / "sealed.db").touch(mode=0o600)
    assert not state_of(options, {}).current
    (found,) = whole.found("sealed")
    assert found.state == "wrong" and "calibrant migrate" in found.remedy
    state = migrate_home(options, {})
    assert state.current and state.vault == state.wanted_vault == 1
