"""What is sealed and belongs to somebody goes with the rest, whatever ends it half-way: over SQLite and PostgreSQL."""

from contextlib import closing, contextmanager

import pytest
from blake3 import blake3
from tests.support.postgres import fresh_postgres, fresh_vault

from calibrant.app import erasure as module
from calibrant.app import removal
from calibrant.app.erasure import erase
from calibrant.app.options import Options
from calibrant.base.errors import StoreUnavailable
from calibrant.config.load import load
from calibrant.datasets import editing, holdout
from calibrant.datasets.editing import Actor
from calibrant.store.blobs import BlobFolder, blob_key
from calibrant.store.postgres_catalogue import PostgresCatalogue
from calibrant.store.postgres_connection import Postgres
from calibrant.store.postgres_migrations import migrate
from calibrant.store.postgres_vault import PostgresVault
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.store.vault import SealedAnswer
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, NewDatapoint
from calibrant.types.erasure import Whose
from calibrant.types.message import Input, Message
from calibrant.types.split import Shares

WORD, USER, YOU = "zebrafinch", "a-user-with-a-name", "another"
SENTENCES = "zebrafinch sings of rivers and stones, of rain on the roofs and of lanterns in the evening, "
MY_GROUP, YOUR_GROUP = (f"tag::user_id={each}" for each in (USER, YOU))
CONFIG = load(None, environ={})
ACTOR = Actor("tester", 1_900_000_000_000)
SEALED = Shares(train=0, val=0, sealed=100)


@pytest.fixture
def options(tmp_path):
    (tmp_path / "data").mkdir()
    return Options(data_dir=str(tmp_path / "data"))


@contextmanager
def sqlite(options, _monkeypatch):
    yield lambda: SqliteCatalogue(options.catalogue_path)


@contextmanager
def postgres(_options, monkeypatch):
    with fresh_postgres() as database, fresh_vault() as vault:
        migrate(database)
        sealed = vault._postgres.settings

        def opened(*_, **__):
            return PostgresCatalogue(Postgres(database.settings), PostgresVault(Postgres(sealed)))

        monkeypatch.setattr(module, "open_catalogue", opened)
        yield opened


HOMES = {"sqlite": sqlite, "postgres": postgres}


@pytest.fixture(params=sorted(HOMES))
def home(request, options, monkeypatch):
    """Return what opens the catalogue that an erasure of these options opens, too."""
    with HOMES[request.param](options, monkeypatch) as opened:
        yield opened


def new(said, user):
    given = Input((Message("user", (Text(said),)),))
    return NewDatapoint(Content("chat", "f", given, (Text("yes"),)), tags={"user_id": user})


def kept_file(options, content):
    key = blob_key(blake3(content).hexdigest(), "image/png")
    BlobFolder(options.blobs_dir).put(key, content)
    return key


def fill(options, opened):
    """Seal what two users said, some of it the same and some nearly; return both's datapoints, and the files."""
    files = [kept_file(options, content) for content in (b"mine", b"shared", b"yours")]
    mine = [
        new(f"{WORD} has {files[0]} and {files[1]}", USER),
        new(SENTENCES * 3, USER),
        new("what both of them said, word for word", USER),
    ]
    yours = [
        new(f"a blackbird has {files[1]} and {files[2]}, and is not like the others at all", YOU),
        new(SENTENCES.replace(WORD, "blackbird") * 3, YOU),
        new("what both of them said, word for word", YOU),
    ]
    with closing(opened()) as catalogue:
        editing.create(catalogue, "d", "tag::user_id", ACTOR)
        ids = editing.add(catalogue, "d", [*mine, *yours], ACTOR)
        holdout.seal(catalogue, "d", SEALED, None, ACTOR)
        said = [SealedAnswer(each, "v", 0.5, WORD.encode(), None) for each in ids[:3]]
        failed = [SealedAnswer(each, "w", 0.0, None, WORD) for each in ids[:3]]
        catalogue.vault.put_answers("c", [*said, *failed, SealedAnswer(ids[3], "v", 1.0, b"blackbird", None)])
        with catalogue.reading() as view:
            assert len(view.component_groups("d", [MY_GROUP])) == 2
    return ids[:3], ids[3:], files


def erased(options, **fields):
    whose = Whose(tag=("user_id", USER))
    return erase(options, {}, CONFIG, whose, **{"plan": False, "actor": "k", **fields})


def tables(catalogue):
    """Everything that stands in the tables of splits and in the vault, as text."""
    with catalogue.transaction() as tx:
        names = ("datapoints", "datapoint_tags", "datapoint_contents", "split_groups", "datapoint_prints", "ledger")
        found = {name: tx._connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}
        found["bands"] = tx._connection.execute("SELECT content_hash FROM datapoint_bands").fetchall()
    hashes = catalogue.vault.hashes(after="", limit=99)
    return found | {"vault": catalogue.vault.get(hashes), "answers": catalogue.vault.answers("c")}


def yours_alone(catalogue, mine, yours, before):
    """Check that what is left is the other's, whole."""
    after = tables(catalogue)
    assert WORD not in str(after) and USER not in str(after)
    with catalogue.reading() as view:
        hashes = view.contents_of_groups("d", [YOUR_GROUP])
        assert view.group_splits("d", [MY_GROUP, YOUR_GROUP, *mine]).keys() == {YOUR_GROUP}
        assert [each.component for each in view.group_splits("d", [YOUR_GROUP]).values()] == [YOUR_GROUP]
        assert {each.split for each in view.find_datapoints(yours)} == {"sealed"}
        assert holdout.broken_at(holdout.ledger_lines(view)) is None
        assert {each: bool(view.prints("d", [each])) for each in hashes} == dict.fromkeys(hashes, True)
    assert len(hashes) == 3
    assert after["vault"] == {each: before["vault"][each] for each in hashes}
    assert {row[1] for row in after["datapoint_prints"]} == hashes == {row[0] for row in after["bands"]}
    assert [(each.score, each.output, each.fault) for each in after["answers"] if each.datapoint_id in mine] == [
        (0.5, None, None),
        (0.0, None, None),
    ] * 3
    assert [each.output for each in after["answers"] if each.datapoint_id in yours] == [b"blackbird"]
    assert holdout.swept(catalogue) == 0


def test_what_is_sealed_of_one_user_goes_and_the_others_stays(options, home):
    mine, yours, files = fill(options, home)
    with closing(home()) as catalogue:
        before = tables(catalogue)
        assert WORD in str(before) and USER in str(before) and USER not in str(before["ledger"])
        plan = erased(options, plan=True)
        assert tables(catalogue) == before
        done = erased(options)
        assert (plan.datapoints, plan.files) == (done.datapoints, done.files) == (3, 1)
        assert done.files_kept == plan.files_kept == 1
        assert sorted(BlobFolder(options.blobs_dir).all_keys()) == sorted(files[1:])
        yours_alone(catalogue, mine, yours, before)
        again = erased(options)
        assert (again.datapoints, again.files) == (0, 0)
        yours_alone(catalogue, mine, yours, before)


class Killed(BaseException):
    """Nobody catches it, as nobody catches a kill."""


CUTS = {
    "before the sweep": (removal.holdout, "swept"),
    "within a content's removal": (None, "remove"),
    "before answers are forgotten": (None, "forget"),
    "before the scrub": (removal.Removal, "scrub"),
}


@pytest.mark.parametrize("cut", sorted(CUTS))
def test_what_ends_half_way_is_finished_by_the_next(options, home, monkeypatch, cut):
    mine, yours, _ = fill(options, home)
    owner, name = CUTS[cut]
    with closing(home()) as catalogue:
        before = tables(catalogue)

        def killed(*_):
            raise Killed

        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(owner or type(catalogue.vault), name, killed)
            erased(options)
        assert WORD in str(tables(catalogue)) or cut == "before the scrub"
        assert erased(options).datapoints == 0
        yours_alone(catalogue, mine, yours, before)


def test_no_byte_of_what_was_sealed_once_stays_in_the_files(options):
    with sqlite(options, None) as opened:
        mine, _, _ = fill(options, opened)
        with closing(opened()) as catalogue:
            # That leaves a line in the ledger, which nobody can take away.
            holdout.reveal(catalogue, mine[:1], ACTOR)
            with catalogue.reading() as view:
                assert len(view.ledger("d")[-1].detail["groups"]) == 2
    assert in_files(options, WORD, USER) >= {"catalogue.db"}
    erased(options)
    assert in_files(options, WORD, USER) == set()


def test_no_byte_of_it_stays_in_the_vault(options):
    with sqlite(options, None) as opened:
        fill(options, opened)
    assert in_files(options, WORD) >= {"sealed.db"} and in_files(options, USER) >= {"catalogue.db"}
    erased(options)
    assert in_files(options, WORD, USER) == set()
    assert in_files(options, "blackbird") >= {"sealed.db"}


def in_files(options, *needles):
    wanted = [each.encode() for each in needles]
    files = [path for path in options.spool_dir.parent.rglob("*") if path.is_file()]
    found = {path.name for path in files if any(needle in path.read_bytes() for needle in wanted)}
    # What has not been written back yet.
    return {name.removesuffix("-wal") for name in found}


def test_a_vault_that_cannot_be_asked_stops_it_before_anything_is_gone(options, home, monkeypatch):
    mine, _, _ = fill(options, home)
    with closing(home()) as catalogue:

        def away(*_, **__):
            raise StoreUnavailable("sealed contents: away")

        with monkeypatch.context() as patched, pytest.raises(StoreUnavailable, match="away"):
            patched.setattr(type(catalogue.vault), "hashes", away)
            erased(options)
        with catalogue.reading() as view:
            assert {each.origin.source for each in view.find_datapoints(mine)} != {"erased"}
        assert erased(options).datapoints == 3


def test_an_answer_that_came_too_late_goes_with_the_next_sweep(options, home):
    mine, _, _ = fill(options, home)
    erased(options)
    with closing(home()) as catalogue:
        catalogue.vault.put_answers("late", [SealedAnswer(mine[0], "v", 1.0, WORD.encode(), None)])
        assert holdout.swept(catalogue) == 0
        assert [each.output for each in catalogue.vault.answers("late")] == [None]
