"""Key management by HTTP: bodies, pages, errors, and whose act it was."""

import asyncio
from contextlib import contextmanager
from unittest.mock import MagicMock

import msgspec
import pytest

from calibrant.base.clock import SystemClock
from calibrant.engine.keys import create_key
from calibrant.server.api import routes
from calibrant.server.dispatch import Dispatcher
from calibrant.server.gate import Gate
from calibrant.server.http import HttpRequest
from calibrant.server.keyring import Keyring
from calibrant.server.keys import KeyDesk
from calibrant.server.routes import Router
from calibrant.server.settings import ServerSettings
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.telemetry.metrics import Metrics
from calibrant.types.key import NewKey


class House:
    """The management's routes behind a gate whose answers are kept for long."""

    def __init__(self, folder, auth=True):
        self.auth = auth
        self.faults = []
        self.catalogue = SqliteCatalogue(folder / "catalogue.db")
        now = SystemClock().wall_ms()
        self.admin = create_key(self.catalogue, NewKey(roles=["admin"]), actor="cli", now_ms=now)[0]

    @contextmanager
    def _dispatcher(self):
        clock = SystemClock()
        engine = MagicMock()
        engine.compiler.function_names.return_value = engine.compiler.model_names.return_value = []
        keyring = Keyring(self.catalogue, ttl_s=60, monotonic=clock.monotonic)
        gate = Gate(keyring, clock, Metrics()) if self.auth else None
        desk = KeyDesk(self.catalogue, clock, keyring) if self.auth else KeyDesk(None, clock)
        router = Router(routes(engine, MagicMock(), desk))

        def failed(error, _):
            self.faults.append(error)

        yield Dispatcher(router, ServerSettings(), failed, lambda *_: None, gate)
        keyring.close()

    def ask(self, *calls):
        """The (status, body) of each (method, target, body[, key])."""

        async def main():
            with self._dispatcher() as dispatcher:
                return [await self._one(dispatcher, *call) for call in calls]

        got = asyncio.run(main())
        assert self.faults == []
        return got

    async def _one(self, dispatcher, method, target, body=None, key=None):
        path, _, query = target.partition("?")
        raw = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        answer = await dispatcher.answer(HttpRequest(method, path, query, {"x-api-key": key or self.admin}, raw))
        self.headers = dict(answer.headers)
        return answer.status, msgspec.json.decode(answer.body)

    def make(self, **body):
        return self.ask(("POST", "/v1/keys", body))[0][1]


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def test_a_key_is_shown_once(house):
    wanted = {
        "description": "app",
        "organization": "o",
        "workspace": "w",
        "roles": ["inference"],
        "models": ["m"],
        "functions": ["f*"],
        "expires_at": "2999-01-01T00:00:00+01:00",
    }
    made = house.make(**wanted)
    assert house.headers["cache-control"] == "no-store"
    key = made.pop("key")
    assert key.startswith(f"sk-t0-{made['public_id']}-")
    assert made == {
        **wanted,
        "public_id": key[6:18],
        "expires_at": "2998-12-31T23:00:00Z",
        "disabled_at": None,
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    status, listed = house.ask(("GET", "/v1/keys"))[0]
    assert status == 200 and listed["keys"][1] == made and listed["next"] is None
    assert key not in str(listed)


def test_an_empty_body_makes_a_key_of_the_default_roles(house):
    status, made = house.ask(("POST", "/v1/keys", b""))[0]
    assert status == 200 and made["roles"] == ["inference", "feedback", "read"] and made["models"] is None


def test_a_change_is_in_effect_here_at_once_however_long_answers_are_kept(house):
    made = house.make(roles=["read"])
    path, key = f"/v1/keys/{made['public_id']}", made["key"]
    answers = house.ask(
        ("GET", "/v1/keys", None, key),
        ("PATCH", path, {"roles": ["admin"], "models": ["m"]}),
        ("GET", "/v1/keys", None, key),
        ("PATCH", path, {"models": None, "description": "d"}),
        ("POST", f"{path}/disable"),
        ("GET", "/v1/keys", None, key),
        ("POST", f"{path}/enable"),
        ("GET", "/v1/keys", None, key),
    )
    assert [status for status, _ in answers] == [403, 200, 200, 200, 200, 401, 200, 200]
    assert (answers[1][1]["roles"], answers[1][1]["models"]) == (["admin"], ["m"])
    assert (answers[3][1]["roles"], answers[3][1]["models"], answers[3][1]["description"]) == (["admin"], None, "d")
    assert answers[4][1]["disabled_at"] is not None and answers[6][1]["disabled_at"] is None


def test_the_log_says_whose_act_it_was_page_by_page(house):
    boss = house.make(roles=["admin"])
    made = house.ask(("POST", "/v1/keys", {}, boss["key"]))[0][1]
    path = f"/v1/keys/{made['public_id']}"
    house.ask(("PATCH", path, {"expires_at": "2999-01-01T00:00:00Z"}, boss["key"]), ("POST", f"{path}/disable"))
    whole = house.ask(("GET", "/v1/audit"))[0][1]
    assert whole["next"] is None
    acts = [(e["actor"], e["action"], e["subject"]) for e in whole["entries"]]
    first = house.admin[6:18]
    assert acts == [
        (first, "key.disable", made["public_id"]),
        (boss["public_id"], "key.change", made["public_id"]),
        (boss["public_id"], "key.create", made["public_id"]),
        (first, "key.create", boss["public_id"]),
        ("cli", "key.create", first),
    ]
    assert whole["entries"][1]["detail"] == {"expires_at": {"before": None, "after": "2999-01-01T00:00:00Z"}}
    pages, following = [], ""
    while following is not None:
        page = house.ask(("GET", f"/v1/audit?limit=2{following}"))[0][1]
        pages.append(page["entries"])
        following = page["next"] and f"&before={page['next']}"
    assert [len(page) for page in pages] == [2, 2, 1] and sum(pages, []) == whole["entries"]
    assert boss["key"][19:] not in str(whole) and house.admin[19:] not in str(whole)


def test_keys_come_in_pages(house):
    ids = [house.admin[6:18], *(house.make()["public_id"] for _ in range(4))]
    seen, following = [], ""
    while following is not None:
        page = house.ask(("GET", f"/v1/keys?limit=2{following}"))[0][1]
        seen += [key["public_id"] for key in page["keys"]]
        following = page["next"] and f"&after={page['next']}"
    assert seen == ids


@pytest.mark.parametrize(
    ("call", "status", "message"),
    [
        (("POST", "/v1/keys", {"role": ["read"]}), 400, "unknown field `role`"),
        (("POST", "/v1/keys", {"roles": "read"}), 400, "$.roles"),
        (("POST", "/v1/keys", {"roles": ["root"]}), 400, "roles: there is no role 'root'"),
        (("POST", "/v1/keys", {"roles": []}), 400, "roles: a key without a role"),
        (("POST", "/v1/keys", {"models": ["a*b"]}), 400, "models: 'a*b' is no name"),
        (("POST", "/v1/keys", {"expires_at": "2999-01-01T00:00:00"}), 400, "$.expires_at"),
        (("POST", "/v1/keys", {"expires_at": "2001-01-01T00:00:00Z"}), 400, "expires_at: is in the past"),
        (("POST", "/v1/keys", {"expires_at": 5}), 400, "$.expires_at"),
        (("POST", "/v1/keys", b"{"), 400, "not valid JSON"),
        (("PATCH", "/v1/keys/nope", {"description": "x"}), 404, "there is no API key 'nope'"),
        (("PATCH", "/v1/keys/nope", b""), 400, "not valid JSON"),
        (("PATCH", "/v1/keys/nope", {"organization": "x"}), 400, "unknown field `organization`"),
        (("PATCH", "/v1/keys/nope", {"description": None}), 400, "$.description"),
        (("POST", "/v1/keys/nope/disable"), 404, "there is no API key 'nope'"),
        (("POST", "/v1/keys/nope/enable"), 404, "there is no API key 'nope'"),
        (("GET", "/v1/keys?limit=0"), 400, "query: limit is '0'"),
        (("GET", "/v1/keys?limit=1001"), 400, "from 1 to 1000"),
        (("GET", "/v1/keys?page=1"), 400, "query: 'page' is unknown; there are after, limit"),
        (("GET", "/v1/audit?before=-1"), 400, "query: before is '-1'"),
        (("GET", f"/v1/audit?before={2**63}"), 400, "query: before"),
        (("GET", "/v1/audit?before=x"), 400, "query: before"),
    ],
)
def test_what_is_wrong_is_said(house, call, status, message):
    got, told = house.ask(call)[0]
    assert got == status and message in told["error"], told


def test_without_a_gate_nobody_manages_keys(tmp_path):
    house = House(tmp_path, auth=False)
    calls = [("GET", "/v1/keys"), ("POST", "/v1/keys", {}), ("PATCH", "/v1/keys/a", {}), ("GET", "/v1/audit")]
    calls += [("POST", "/v1/keys/a/disable"), ("POST", "/v1/keys/a/enable")]
    for status, told in house.ask(*calls):
        assert status == 403 and "set `gateway.auth.enabled = true`" in told["error"]
