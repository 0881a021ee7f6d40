"""`calibrant doctor`, `calibrant backup` and `calibrant restore`, as they are typed."""

import socket

import msgspec
import pytest
from tests.support.records import inferred
from tests.support.stores import drained, spooled

from calibrant.app.doctor import CHECKS


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir(mode=0o700)
    spooled(tmp_path / "data" / "spool", inferred(), inferred())
    drained(tmp_path / "data" / "spool", tmp_path / "data" / "events.db")
    return tmp_path / "data"


@pytest.fixture
def port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def test_doctor_shows_every_check_and_ends_with_1_when_something_is_wrong(run, data, port, tmp_path):
    status, out, err = run("doctor", "--data-dir", data, "--port", port)
    assert (status, err) == (0, "")
    assert all(name in out for name, _ in CHECKS)
    data.chmod(0o755)
    status, out, _ = run("doctor", "--data-dir", data, "--port", port, "--json")
    found = msgspec.json.decode(out)
    assert status == 1
    assert [each["check"] for each in found if each["state"] == "wrong"] == ["permissions"]
    (tmp_path / "calibrant.toml").write_text("[models")
    data.chmod(0o700)
    status, out, err = run("doctor", "--data-dir", data, "--port", port, "--json")
    assert (status, err) == (1, "")
    assert [each["check"] for each in msgspec.json.decode(out) if each["state"] == "wrong"] == ["configuration"]


def test_backup_and_restore(run, data, tmp_path):
    status, out, err = run("backup", tmp_path / "backup", "--data-dir", data)
    assert (status, err) == (0, "the spool ...\nthe record ...\nfiles of users ...\n")
    assert "2 inferences" in out
    status, out, _ = run("restore", tmp_path / "backup", "--data-dir", tmp_path / "new")
    assert status == 0 and "every hash as it should be" in out
    listed = [run("inferences", "list", "--data-dir", folder, "--json")[1] for folder in (data, tmp_path / "new")]
    assert listed[0] == listed[1] != ""
    status, _, err = run("restore", tmp_path / "backup", "--data-dir", tmp_path / "new")
    assert status == 2 and "is not empty" in err


def test_backup_of_nothing_or_into_itself(run, data, tmp_path):
    assert run("backup", tmp_path / "b", "--data-dir", tmp_path / "none")[0] == 2
    status, _, err = run("backup", data / "backup", "--data-dir", data)
    assert status == 2 and "is in the data folder" in err
    assert not (data / "backup").exists()


def test_files_that_are_kept_elsewhere_are_named(run, data, tmp_path):
    (tmp_path / "calibrant.toml").write_text('[object_storage]\ntype = "filesystem"\npath = "elsewhere"\n')
    out = run("backup", tmp_path / "backup", "--data-dir", data, "--json")[1]
    assert "object_storage" in msgspec.json.decode(out)["left"][0]


def test_on_postgresql_the_servers_own_tool_is_named_without_the_password(run, data, tmp_path):
    url = "postgresql://someone:canary@db.example.com:5433/record?sslmode=require"
    status, out, _ = run("backup", tmp_path / "backup", "--data-dir", data, "--database", url)
    assert status == 0 and "canary" not in out
    assert (
        "pg_dump --schema=calibrant --schema=calibrant_sealed --format" in out
        and "db.example.com" in out
        and "user=someone" in out
    )
    assert not (tmp_path / "backup" / "events.db").exists() and (tmp_path / "backup" / "manifest.json").exists()
    status, out, _ = run("restore", tmp_path / "backup", "--data-dir", tmp_path / "new")
    assert status == 0 and "pg_restore" in out


@pytest.mark.parametrize(
    ("sealed", "said"),
    [
        ("postgresql://sealer:canary@db.example.com/record", ["--schema=calibrant_sealed", "may read both schemas"]),
        ("postgresql://sealer:canary@other.example.com/vault", ["b.sealed.dump", "user=sealer", "between the two"]),
    ],
)
def test_a_vault_that_another_role_or_database_has_is_dumped_too(run, data, tmp_path, monkeypatch, sealed, said):
    monkeypatch.setenv("CALIBRANT_SEALED_POSTGRES_URL", sealed)
    url = "postgresql://someone:canary@db.example.com/record"
    status, out, _ = run("backup", tmp_path / "b", "--data-dir", data, "--database", url)
    assert status == 0 and "canary" not in out
    assert all(each in out for each in said)
