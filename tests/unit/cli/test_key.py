"""`calibrant key`, and TensorZero's flags for keys, as their user types them."""

import re
from contextlib import closing

import msgspec
import pytest

from calibrant.cli import key as module
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.key import digest_of, split_key

NOW = 1_800_000_000_000


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def stored(data, key):
    public_id, secret = split_key(key.strip())
    with closing(SqliteCatalogue(data / "catalogue.db")) as catalogue, catalogue.reading() as view:
        found = view.key(public_id)
    assert found.digest == digest_of(secret)
    return found.key


def test_the_key_stands_alone_on_standard_output(run, data):
    flags = ["--role", "read", "--role", "admin", "--model", "m", "--model", "openai::*", "--function", "f"]
    status, out, err = run("key", "create", *flags, "--description", "for Ada", "--expires", "30d", "--data-dir", data)
    assert status == 0 and re.fullmatch(r"sk-t0-\w{12}-\w{48}\n", out) and "only its hash is stored" in err
    known = stored(data, out)
    assert (known.roles, known.models, known.functions) == (("read", "admin"), ("m", "openai::*"), ("f",))
    assert known.description == "for Ada" and known.expires_at - known.created_at == 30 * 86_400_000
    assert (data / "catalogue.db").stat().st_mode & 0o777 == 0o600 and data.stat().st_mode & 0o777 == 0o700


def test_json_has_all_that_is_known_and_the_key(run, data):
    made = msgspec.json.decode(run("key", "create", "--json", "--data-dir", data)[1])
    assert made["roles"] == ["inference", "feedback", "read"] and made["models"] is None
    assert stored(data, made["key"]).public_id == made["public_id"]
    shown = msgspec.json.decode(run("key", "show", made["public_id"], "--json", "--data-dir", data)[1])
    assert shown == {name: value for name, value in made.items() if name != "key"}
    listed = msgspec.json.decode(run("key", "list", "--json", "--data-dir", data)[1])
    assert listed == {"keys": [shown], "next": None}


def test_a_life_of_a_key(run, data):
    assert "There is no key yet" in run("key", "list", "--data-dir", data)[1]
    assert "Nothing was done" in run("key", "audit", "--data-dir", data)[1]
    key = run("key", "create", "--model", "m", "--expires", "12h", "--data-dir", data)[1].strip()
    public_id = key[6:18]
    assert "│ good" in run("key", "list", "--data-dir", data)[1]
    assert "disabled" in run("key", "disable", public_id, "--data-dir", data)[1]
    assert "│ disabled" in run("key", "list", "--data-dir", data)[1]
    assert "good" in run("key", "enable", public_id, "--data-dir", data)[1]
    out = run("key", "change", public_id, "--any-model", "--never-expires", "--function", "f", "--data-dir", data)[1]
    assert re.search(r"models +any ", out) and re.search(r"functions +f ", out) and re.search(r"expires +- ", out)
    out = run("key", "change", public_id, "--role", "read", "--any-function", "--description", "x", "--data-dir", data)[
        1
    ]
    assert re.search(r"roles +read ", out) and re.search(r"functions +any ", out) and re.search(r"description +x ", out)
    assert stored(data, key).models is None
    log = msgspec.json.decode(run("key", "audit", "--json", "--data-dir", data)[1])
    acts = ["key.change", "key.change", "key.enable", "key.disable", "key.create"]
    assert [entry["action"] for entry in log["entries"]] == acts and log["next"] is None
    assert {entry["actor"] for entry in log["entries"]} == {"cli"}
    page = msgspec.json.decode(run("key", "audit", "--limit", "2", "--json", "--data-dir", data)[1])
    assert page == {"entries": log["entries"][:2], "next": 4}
    assert "key.create" in run("key", "audit", "--before", "2", "--data-dir", data)[1]
    for text in (str(log), out, run("key", "show", public_id, "--data-dir", data)[1]):
        assert key[19:] not in text


def test_many_keys_are_listed_whole(run, data, monkeypatch):
    monkeypatch.setattr(module, "_PAGE", 2)
    ids = [run("key", "create", "--data-dir", data)[1][6:18] for _ in range(5)]
    listed = msgspec.json.decode(run("key", "list", "--json", "--data-dir", data)[1])
    assert [key["public_id"] for key in listed["keys"]] == ids


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("key", "create", "--role", "root"), "roles: there is no role 'root'"),
        (("key", "create", "--model", "a*b"), "models: 'a*b' is no name"),
        (("key", "create", "--expires", "soon"), "--expires: 'soon' is no moment"),
        (("key", "create", "--expires", "2999-01-01T00:00:00"), "is no moment; write 2027-01-31T12:00:00Z"),
        (("key", "create", "--expires", "2001-01-01T00:00:00Z"), "expires_at: is in the past"),
        (("key", "show", "nope"), "there is no API key 'nope'"),
        (("key", "disable", "nope"), "there is no API key 'nope'"),
        (("key", "change", "nope", "--description", "x"), "there is no API key 'nope'"),
        (("key", "change", "nope", "--model", "m", "--any-model"), "--model and --any-model exclude each other"),
        (("gateway", "--disable-api-key", "nope"), "there is no API key 'nope'"),
        (("gateway", "--expiration", "2999-01-01T00:00:00Z"), "--expiration: goes with --create-api-key"),
        (("gateway", "--create-api-key", "--expiration", "x"), "--expiration: 'x' is no moment"),
    ],
)
def test_mistakes_are_sentences(run, data, argv, message):
    status, out, err = run(*argv, "--data-dir", data)
    assert (status, out) == (2, "") and err.startswith("calibrant: ") and message in err


def test_tensorzeros_flags_print_the_key_alone_and_start_nothing(run, data):
    status, out, err = run("gateway", "--create-api-key", "--expiration", "2999-01-01T00:00:00Z", "--data-dir", data)
    assert (status, err) == (0, "")
    known = stored(data, out)
    assert known.expires_at == 32_472_144_000_000 and known.roles == ("inference", "feedback", "read")
    assert run("gateway", "--disable-api-key", known.public_id, "--data-dir", data)[:2] == (0, "")
    assert stored(data, out).disabled_at is not None


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("30d", NOW + 30 * 86_400_000),
        ("12h", NOW + 12 * 3_600_000),
        ("45m", NOW + 45 * 60_000),
        ("2027-01-15T09:00:00+01:00", NOW),
        ("2027-01-15T08:00:00Z", NOW),
    ],
)
def test_moments_and_times_from_now(text, millis):
    assert module.expiry(text, "--expires", NOW) == millis
