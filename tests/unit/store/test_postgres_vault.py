"""The vault as a role of its own has it, by the SQL of `docs/operations.md`, against a real server."""

import os
import re
from contextlib import closing
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from tests.support.postgres import fresh_database

from calibrant.app.doctor import CHECKS, Subject, examine
from calibrant.app.migration import migrate_home, state_of
from calibrant.app.options import Options
from calibrant.base.clock import SystemClock
from calibrant.base.errors import StoreUnavailable
from calibrant.config.load import default_config
from calibrant.datasets import editing, holdout
from calibrant.datasets.editing import Actor
from calibrant.store.postgres_open import open_catalogue, open_database, reader_of_vault
from calibrant.store.vault import SealedAnswer
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, NewDatapoint
from calibrant.types.message import Input, Message
from calibrant.types.split import Shares

ACTOR = Actor("tester", 1_900_000_000_000)
PAGE = Path(__file__).parents[3] / "docs" / "operations.md"
_numbers = count(1)


class Server:
    """A database with a role for the gateway, and names for the others that nobody else on the server has."""

    def __init__(self, url):
        self.url, tail = url, f"{os.getpid()}_{next(_numbers)}"
        self.database = conninfo_to_dict(url)["dbname"]
        self.roles = {each: f"{each}_{tail}" for each in ("calibrant_gateway", "calibrant_sealer", "calibrant_backup")}
        self.told(
            f"CREATE ROLE {self.roles['calibrant_gateway']} LOGIN PASSWORD 'x'; "
            f"GRANT CREATE ON DATABASE {self.database} TO {self.roles['calibrant_gateway']}"
        )
        self.gateway = self.address("calibrant_gateway", "x")
        self.sealer = self.address("calibrant_sealer", "choose-one")

    def address(self, role, password):
        parts = conninfo_to_dict(self.url) | {"user": self.roles[role], "password": password}
        host, port = parts.get("host", ""), parts.get("port", "5432")
        return f"postgresql://{parts['user']}:{password}@/{self.database}?host={host}&port={port}"

    def told(self, sql):
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql)

    def as_the_page_says(self, start):
        """Run the block of SQL that begins so, with our names."""
        (block,) = [
            each for each in re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL) if each.startswith(start)
        ]
        for name, ours in self.roles.items():
            block = block.replace(name, ours)
        self.told(block.replace("DATABASE record", f"DATABASE {self.database}"))

    def asked(self, url, sql):
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(sql).fetchall()

    def end(self):
        for role in self.roles.values():
            known = self.asked(self.url, f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'")
            if known:
                self.told(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


@pytest.fixture
def server():
    with fresh_database() as url:
        made = Server(url)
        yield made
        made.end()


def options(server):
    return Options(data_dir="none", database=server.gateway)


def seen(server, environ):
    subject = Subject(options(server), environ, default_config(), SystemClock())
    return [(each.state, each.found) for each in examine(subject, [row for row in CHECKS if row[0] == "sealed"])]


def case(text):
    given = Input((Message("user", (Text(text),)),))
    return NewDatapoint(Content("chat", "f", given, (Text("yes"),)))


def lived(catalogue):
    """Seal, add, confirm and show, as one does; return what is shown."""
    editing.create(catalogue, "d", "datapoint", ACTOR)
    ids = editing.add(catalogue, "d", [case("the first of them is about rivers")], ACTOR)
    holdout.seal(catalogue, "d", Shares(train=0, val=0, sealed=100), None, ACTOR)
    ids += editing.add(catalogue, "d", [case("a second one speaks of mountains and of snow")], ACTOR)
    with catalogue.reading() as view:
        keys = [each.component for each in view.fresh_components("d", "f")]
        hashes = view.contents_of_groups("d", keys)
    assert len(catalogue.vault.get(sorted(hashes))) == 2
    with catalogue.transaction() as tx:
        tx.take_groups("d", keys[:1], "c")
    catalogue.vault.put_answers("c", [SealedAnswer(keys[0], "v", 1.0, b"[]")])
    with catalogue.transaction() as tx:
        holdout.graduate(catalogue, tx, "d", keys[:1], "train", "confirmed", ACTOR)
    assert holdout.swept(catalogue) == 1
    return ids


def check_wall(server, environ):
    """Check that everything works with both addresses, and the gateway's own reads nothing."""
    with closing(open_catalogue(server.gateway, 2, server.sealer)) as catalogue:
        ids = lived(catalogue)
        for sql in ("SELECT * FROM calibrant_sealed.contents", "SELECT output FROM calibrant_sealed.answers"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
                server.asked(server.gateway, sql)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            server.asked(server.sealer, "SELECT * FROM calibrant.datapoints")
        # With the gateway's address alone nothing is shown, and nothing is lost.
        with closing(open_catalogue(server.gateway, 2)) as alone:
            with pytest.raises(StoreUnavailable, match="CALIBRANT_SEALED_POSTGRES_URL"):
                holdout.reveal(alone, ids, ACTOR)
            with pytest.raises(StoreUnavailable, match="CALIBRANT_SEALED_POSTGRES_URL"):
                editing.add(alone, "d", [case("a third one is about nothing that was before")], ACTOR)
        assert reader_of_vault(server.gateway) is None
        assert [state for state, _ in seen(server, environ)] == ["fine"] * 3
        server.as_the_page_says("CREATE ROLE calibrant_backup")
        backup = server.address("calibrant_backup", "choose-another")
        assert server.asked(backup, "SELECT count(*) FROM calibrant_sealed.contents, calibrant.datapoints") == [(2,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            server.asked(backup, "DELETE FROM calibrant_sealed.contents RETURNING 1")
        assert len(holdout.reveal(catalogue, ids, ACTOR)) == 2


def test_a_role_of_its_own_keeps_the_gateways_role_out(server):
    server.as_the_page_says("CREATE ROLE calibrant_sealer")
    environ = {"CALIBRANT_SEALED_POSTGRES_URL": server.sealer}
    assert not state_of(options(server), environ).current
    state = migrate_home(options(server), environ)
    assert state.current and state.vault == state.wanted_vault == 1
    server.as_the_page_says("REVOKE CREATE")
    assert migrate_home(options(server), environ) == state
    check_wall(server, environ)


def test_a_schema_that_the_gateways_role_made_is_handed_over(server):
    migrate_home(options(server), {})
    assert reader_of_vault(server.gateway) == server.roles["calibrant_gateway"]
    (warned, *others) = seen(server, {})
    assert warned[0] == "warning" and server.roles["calibrant_gateway"] in warned[1]
    assert [state for state, _ in others] == ["fine"] * 2
    server.as_the_page_says("CREATE ROLE calibrant_sealer")
    server.as_the_page_says("ALTER SCHEMA")
    check_wall(server, {"CALIBRANT_SEALED_POSTGRES_URL": server.sealer})


@pytest.mark.parametrize(
    "grant", ["GRANT {sealer} TO {gateway}", "GRANT {sealer} TO {gateway}; ALTER ROLE {gateway} NOINHERIT"]
)
def test_whoever_may_become_the_role_may_read(server, grant):
    server.as_the_page_says("CREATE ROLE calibrant_sealer")
    environ = {"CALIBRANT_SEALED_POSTGRES_URL": server.sealer}
    migrate_home(options(server), environ)
    assert reader_of_vault(server.gateway) is None
    gateway, sealer = server.roles["calibrant_gateway"], server.roles["calibrant_sealer"]
    server.told(grant.format(gateway=gateway, sealer=sealer))
    assert reader_of_vault(server.gateway) == gateway


def test_a_privilege_to_read_is_found(server):
    server.as_the_page_says("CREATE ROLE calibrant_sealer")
    migrate_home(options(server), {"CALIBRANT_SEALED_POSTGRES_URL": server.sealer})
    gateway = server.roles["calibrant_gateway"]
    server.told(f"GRANT SELECT ON ALL TABLES IN SCHEMA calibrant_sealed TO {gateway}")
    assert reader_of_vault(server.gateway) is None
    server.told(f"GRANT USAGE ON SCHEMA calibrant_sealed TO {gateway}")
    assert reader_of_vault(server.gateway) == gateway


def test_a_vault_that_is_not_there_is_said(server):
    migrate_home(options(server), {})
    server.told("DROP SCHEMA calibrant_sealed CASCADE")
    assert not state_of(options(server), {}).current
    assert [state for state, _ in seen(server, {})] == ["fine", "wrong"]
    with closing(open_database(server.gateway)) as database, database.lent() as connection:
        assert connection.execute("SELECT count(*) FROM calibrant.ledger").fetchone() == (0,)
