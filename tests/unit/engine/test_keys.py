"""Management of keys: what is made, what is refused, and that the log has every act and no secret."""

import re

import msgspec
import pytest

from calibrant.base.errors import InvalidRequest, NotFound
from calibrant.engine import keys as module
from calibrant.engine.keys import change_key, create_key, set_disabled
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.key import KeyChange, NewKey, digest_of, split_key

NOW = 1_800_000_000_000


class Desk:
    def __init__(self, folder):
        self.catalogue = SqliteCatalogue(folder / "catalogue.db")

    def create(self, at=NOW, **fields):
        return create_key(self.catalogue, NewKey(**fields), actor="boss", now_ms=at)

    def change(self, public_id, at=NOW + 1, **fields):
        return change_key(self.catalogue, public_id, KeyChange(**fields), actor="boss", now_ms=at)

    def disable(self, public_id, at=NOW + 2, disabled=True):
        return set_disabled(self.catalogue, public_id, disabled=disabled, actor="boss", now_ms=at)

    @property
    def log(self):
        with self.catalogue.reading() as view:
            return view.audit()

    def stored(self, public_id):
        with self.catalogue.reading() as view:
            return view.key(public_id)


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.catalogue.close()


def test_a_key_is_made_from_its_parts(desk):
    key, known = desk.create(description="app", models=["b", "a", "b"], roles=["read", "inference", "read"])
    assert re.fullmatch(r"sk-t0-[A-Za-z0-9]{12}-[A-Za-z0-9]{48}", key)
    public_id, secret = split_key(key)
    assert desk.stored(public_id).key == known and desk.stored(public_id).digest == digest_of(secret)
    assert (known.public_id, known.roles, known.models) == (public_id, ("inference", "read"), ("b", "a"))
    assert (known.created_at, known.updated_at, known.expires_at, known.disabled_at) == (NOW, NOW, None, None)


def test_without_roles_it_can_what_an_application_needs(desk):
    assert desk.create()[1].roles == ("inference", "feedback", "read")


def test_no_two_keys_are_alike(desk):
    made = {desk.create()[0] for _ in range(20)}
    assert len({key[6:18] for key in made}) == len({key[19:] for key in made}) == 20


def test_a_public_id_that_is_taken_is_drawn_again(desk, monkeypatch):
    taken = desk.create()[1].public_id
    drawn = iter([taken, "s" * 48, "n" * 12, "t" * 48])
    monkeypatch.setattr(module, "_draw", lambda _: next(drawn))
    assert desk.create()[0] == f"sk-t0-{'n' * 12}-{'t' * 48}"
    assert len(desk.log) == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"roles": ["reader"]}, "roles: there is no role 'reader'; there are inference, feedback"),
        ({"roles": []}, "roles: a key without a role opens nothing"),
        ({"models": ["a*b"]}, "models: 'a\\*b' is no name"),
        ({"models": [""]}, "models: '' is no name"),
        ({"functions": ["a\0"]}, "functions: "),
        ({"functions": [str(n) for n in range(1001)]}, "functions: more than 1000 names"),
        ({"description": "x" * 1001}, "description: too long"),
        ({"expires_at": NOW}, "expires_at: is in the past"),
    ],
)
def test_what_makes_no_sense_is_refused(desk, fields, message):
    with pytest.raises(InvalidRequest, match=f"^{message}"):
        desk.create(**fields)
    made = desk.create()[1]
    with pytest.raises(InvalidRequest, match=f"^{message}"):
        desk.change(made.public_id, at=NOW, **fields)
    assert desk.stored(made.public_id).key == made and len(desk.log) == 1


def test_a_change_names_what_it_changes_and_takes_lists_away_with_null(desk):
    made = desk.create(models=["m"], functions=["f"], expires_at=NOW + 9)[1]
    changed = desk.change(made.public_id, models=None, expires_at=None, description="new", functions=["f"])
    assert changed == msgspec.structs.replace(made, models=None, expires_at=None, description="new", updated_at=NOW + 1)
    assert desk.stored(made.public_id).key == changed
    entry = desk.log[0]
    assert (entry.actor, entry.action, entry.subject, entry.at) == ("boss", "key.change", made.public_id, NOW + 1)
    assert entry.detail == {
        "models": {"before": ["m"], "after": None},
        "expires_at": {"before": NOW + 9, "after": None},
        "description": {"before": "", "after": "new"},
    }


def test_what_changes_nothing_is_not_in_the_log(desk):
    made = desk.create()[1]
    assert desk.change(made.public_id) == desk.change(made.public_id, description="") == made
    assert desk.disable(made.public_id, disabled=False) == made
    assert [entry.action for entry in desk.log] == ["key.create"]


def test_disabling_keeps_the_first_moment_and_can_be_undone(desk):
    made = desk.create()[1]
    assert desk.disable(made.public_id).disabled_at == desk.disable(made.public_id, at=NOW + 50).disabled_at == NOW + 2
    assert desk.disable(made.public_id, at=NOW + 60, disabled=False).disabled_at is None
    assert [(entry.action, entry.at - NOW) for entry in desk.log] == [
        ("key.enable", 60),
        ("key.disable", 2),
        ("key.create", 0),
    ]


@pytest.mark.parametrize("act", ["change", "disable"])
def test_a_key_that_is_not_there(desk, act):
    with pytest.raises(NotFound, match="there is no API key 'nope'"):
        getattr(desk, act)("nope")
    assert desk.log == ()


@pytest.mark.parametrize("act", ["change", "disable"])
def test_a_whole_key_in_place_of_its_public_id_is_not_repeated(desk, act):
    key = desk.create()[0]
    with pytest.raises(InvalidRequest, match="that is a whole key, not its public id") as error:
        getattr(desk, act)(key)
    assert key[19:] not in error.value.message


def test_neither_key_nor_digest_is_in_the_log(desk):
    key = desk.create(description="d")[0]
    desk.change(key[6:18], description="e")
    secret = key[19:]
    text = msgspec.json.encode(desk.log).decode()
    assert key[6:18] in text and secret not in text and digest_of(secret).hex() not in text
    path = desk.catalogue.path
    desk.catalogue.close()
    assert secret.encode() not in path.read_bytes() and digest_of(secret) in path.read_bytes()
