"""The routes of batches, and who sees which."""

import asyncio
from unittest.mock import MagicMock

import msgspec
import pytest
from tests.support.batches import PLAIN, Batches, body
from tests.support.engine import said

from calibrant.base.errors import StoreUnavailable
from calibrant.base.ids import uuid7
from calibrant.server.api import routes
from calibrant.server.batches import BatchDesk
from calibrant.server.dispatch import Dispatcher
from calibrant.server.http import HttpRequest
from calibrant.server.routes import Router
from calibrant.server.settings import ServerSettings
from calibrant.types.batch import Finished
from calibrant.types.key import Principal

ONE, TWO = (Principal(name, frozenset({"inference"})) for name in ("one", "two"))
BOSS = Principal("boss", frozenset({"admin"}))


class House:
    """The routes over a line; whoever asks is believed."""

    def __init__(self, folder):
        self.line = Batches(folder, PLAIN, said("Hi."))
        self.woken = 0
        self.who = None
        self.faults = []
        desk = BatchDesk(self.line.engine, self.line.catalogue, self.wake)
        router = Router(routes(self.line.engine, MagicMock(), batches=desk))
        self.dispatcher = Dispatcher(router, ServerSettings(), self.failed, lambda *_: None, self)

    def wake(self):
        self.woken += 1

    def failed(self, error, _):
        self.faults.append(error)

    def known(self, route, request):
        return None

    async def check(self, route, request):
        """What a gate does."""
        return self.who

    async def ask(self, method, target, raw=b"", who=None):
        self.who = who
        path, _, query = target.partition("?")
        answer = await self.dispatcher.answer(HttpRequest(method, path, query, body=raw))
        assert self.faults == []
        return answer.status, msgspec.json.decode(answer.body)

    async def send(self, *words, who=None):
        status, told = await self.ask("POST", "/batch_inference", body(*words), who)
        assert status == 200
        return told


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def test_from_sending_to_answers(house):
    async def main():
        started = await house.send("a", "b")
        assert set(started) == {"batch_id", "inference_ids", "episode_ids"} and house.woken == 1
        path = f"/batch_inference/{started['batch_id']}"
        assert await house.ask("GET", path) == (200, {"status": "pending"})
        single = f"{path}/inference/{started['inference_ids'][1]}"
        assert await house.ask("GET", single) == (200, {"status": "pending"})
        async with house.line.worker():
            await house.line.ended(started["batch_id"])
        _, told = await house.ask("GET", path)
        assert [each["inference_id"] for each in told["inferences"]] == started["inference_ids"]
        assert await house.ask("GET", single) == (200, {**told, "inferences": told["inferences"][1:]})
        assert (await house.ask("GET", f"{path}/inference/{uuid7()}"))[0] == 404
        status, summary = await house.ask("POST", f"{path}/cancel")
        assert (status, summary["status"], summary["completed"]) == (200, "completed", 2)
        assert summary["created_at"].endswith("Z")

    asyncio.run(main())


def test_an_element_is_shown_before_the_rest_is_done(house):
    async def main():
        started = await house.send("a", "b")
        with house.line.catalogue.transaction() as tx:
            tx.claim_elements(started["batch_id"], 1)
            tx.finish_element(Finished(started["inference_ids"][0], "completed", b'{"x":1}'), 1)
        path = f"/batch_inference/{started['batch_id']}"
        assert (await house.ask("GET", path))[1] == {"status": "pending"}
        told = (await house.ask("GET", f"{path}/inference/{started['inference_ids'][0]}"))[1]
        assert told == {"status": "completed", "batch_id": started["batch_id"], "inferences": [{"x": 1}]}

    asyncio.run(main())


def test_a_batch_is_its_keys_own_and_admins(house):
    async def main():
        mine, theirs = await house.send("a", who=ONE), await house.send("b", who=TWO)
        for who, seen in ((ONE, [mine]), (TWO, [theirs]), (BOSS, [theirs, mine])):
            _, page = await house.ask("GET", "/batch_inference", who=who)
            assert [each["batch_id"] for each in page["batches"]] == [each["batch_id"] for each in seen]
        for path, method in (("", "GET"), (f"/inference/{mine['inference_ids'][0]}", "GET"), ("/cancel", "POST")):
            status, told = await house.ask(method, f"/batch_inference/{mine['batch_id']}{path}", who=TWO)
            assert status == 404 and "there is no batch" in told["error"]
        assert house.line.batch(mine["batch_id"]).status == "pending"
        path = f"/batch_inference/{mine['batch_id']}"
        assert (await house.ask("GET", path, who=BOSS))[0] == 200
        assert (await house.ask("POST", f"{path}/cancel", who=ONE))[1]["status"] == "cancelled"
        assert (await house.ask("GET", path, who=ONE))[1]["status"] == "cancelled"

    asyncio.run(main())
    assert house.line.sender.calls == []


def test_lists_come_in_pages(house):
    async def main():
        assert await house.ask("GET", "/batch_inference") == (200, {"batches": [], "next": None})
        assert not house.line.catalogue.exists()
        ids = [(await house.send("a"))["batch_id"] for _ in range(5)]
        seen, following = [], ""
        while following is not None:
            _, page = await house.ask("GET", f"/batch_inference?limit=2{following}")
            seen += [each["batch_id"] for each in page["batches"]]
            following = page["next"] and f"&before={page['next']}"
        assert seen == ids[::-1]
        assert (await house.ask("GET", "/batch_inference?limit=0"))[0] == 400
        assert (await house.ask("GET", "/batch_inference?after=x"))[0] == 400

    asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "path", "raw", "status"),
    [
        ("POST", "/batch_inference", b"{", 400),
        ("POST", "/batch_inference", body(function_name="g"), 404),
        ("GET", "/batch_inference/nothing", b"", 404),
        ("GET", "/batch_inference/x/inference/y", b"", 404),
        ("POST", "/batch_inference/x/cancel", b"", 404),
    ],
)
def test_mistakes(house, method, path, raw, status):
    assert asyncio.run(house.ask(method, path, raw))[0] == status
    assert house.woken == 0


def test_a_catalogue_that_is_away_is_a_503_and_nothing_is_accepted(house, monkeypatch):
    def away():
        raise StoreUnavailable("away")

    monkeypatch.setattr(house.line.catalogue, "transaction", away)
    assert asyncio.run(house.ask("POST", "/batch_inference", body()))[0] == 503
    assert house.woken == 0 and house.line.counted("batches") == {}
