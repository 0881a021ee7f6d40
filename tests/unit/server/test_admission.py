"""A body that is still to come is not listened to where its sender has no key."""

import asyncio

import pytest
from tests.unit.server.edge import World, answers, close, edge, post, run
from tests.unit.server.test_asgi import Call

from calibrant.base.clock import SystemClock
from calibrant.server.asgi import asgi_app
from calibrant.server.gate import Gate
from calibrant.server.keyring import Held
from calibrant.server.settings import ServerSettings
from calibrant.telemetry.metrics import Metrics
from calibrant.types.key import Principal, digest_of

ID, SECRET = "a" * 12, "B1" * 24
GOOD = f"authorization: Bearer sk-t0-{ID}-{SECRET}"
BAD = f"authorization: Bearer sk-t0-{'z' * 12}-{SECRET}"
INFERENCE = frozenset(["inference"])


class Keys:
    """Knows one key, at hand or after a look that takes as long as it is told."""

    def __init__(self, *, at_hand=False, roles=INFERENCE):
        self.at_hand = at_hand
        self.held = Held(digest_of(SECRET), Principal(ID, frozenset(roles)), None, None)
        self.looked = 0
        self.found = asyncio.Event()
        self.found.set()

    def known(self, public_id):
        return self.held if self.at_hand and public_id == ID else None

    async def find(self, public_id):
        self.looked += 1
        await self.found.wait()
        return self.held if public_id == ID else None


def guarded(keys, metrics=None):
    return {"gate": Gate(keys, SystemClock(), metrics or Metrics()), "roles": INFERENCE}


def head(*fields, length=9, path="/echo"):
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: a", f"Content-Length: {length}", *fields, "", ""]).encode()


@pytest.mark.parametrize("fields", [(), (BAD,), ("authorization: Basic dTpw",)])
def test_who_has_no_key_is_refused_before_the_body_is_there(fields):
    async def main():
        metrics = Metrics()
        async with edge(**guarded(Keys(), metrics)) as served:
            reader, writer = await served.connect()
            writer.write(head(*fields, length=10**7) + b"part")
            (reply,) = await answers(reader, 1)
            assert reply.status == 401 and reply.headers["www-authenticate"] == "Bearer"
            assert not served.world.requests
            # It may go on sending for a while, and is not answered twice.
            writer.write(b"x" * 100)
            assert await reader.read() == b""
            await close(writer)
            assert sum(count for _, count in metrics.figures().counters["auth_refused"]) == 1

    run(main())


def test_a_key_of_the_wrong_role_is_refused_before_the_body_is_there():
    async def main():
        async with edge(**guarded(Keys(roles=("read",)))) as served:
            reader, writer = await served.connect()
            writer.write(head(GOOD))
            assert (await answers(reader, 1))[0].status == 403
            await close(writer)

    run(main())


@pytest.mark.parametrize("at_hand", [True, False])
def test_a_good_key_is_listened_to(at_hand):
    async def main():
        keys = Keys(at_hand=at_hand)
        async with edge(**guarded(keys)) as served:
            reader, writer = await served.connect()
            for _ in range(2):
                writer.write(head(GOOD))
                await writer.drain()
                await asyncio.sleep(0.02)
                writer.write(b"some ")
                await asyncio.sleep(0.02)
                writer.write(b"more")
                (reply,) = await answers(reader, 1)
                assert (reply.status, reply.body) == (200, b"some more")
            await close(writer)
        assert keys.looked == (0 if at_hand else 2)

    run(main())


def test_a_body_that_is_there_before_the_key_is_known_is_answered_by_the_rules_of_whole_requests():
    async def main():
        keys = Keys()
        metrics = Metrics()
        async with edge(**guarded(keys, metrics)) as served:
            keys.found.clear()
            reader, writer = await served.connect()
            writer.write(head(BAD))
            while not keys.looked:
                await asyncio.sleep(0)
            writer.write(b"body body")
            while keys.looked < 2:
                await asyncio.sleep(0)
            keys.found.set()
            assert (await answers(reader, 1))[0].status == 401
            await close(writer)
            assert sum(count for _, count in metrics.figures().counters["auth_refused"]) == 1

    run(main())


def test_a_question_that_is_dropped_leaves_the_next_one_alone():
    async def main():
        keys = Keys()
        metrics = Metrics()
        async with edge(**guarded(keys, metrics)) as served:
            keys.found.clear()
            reader, writer = await served.connect()
            writer.write(head(BAD))
            while keys.looked < 1:
                await asyncio.sleep(0)
            # The end of one body, and the beginning of a request whose body is to come.
            writer.write(b"body body" + head(BAD))
            while keys.looked < 3:
                await asyncio.sleep(0)
            await asyncio.sleep(0.02)
            writer.write(b"body body" + post("/echo", b"last", GOOD))
            await asyncio.sleep(0.02)
            keys.found.set()
            replies = await answers(reader, 3)
            assert [reply.status for reply in replies] == [401, 401, 200] and replies[2].body == b"last"
            await close(writer)
            assert sum(count for _, count in metrics.figures().counters["auth_refused"]) == 2

    run(main())


def test_nobody_is_told_to_go_on_before_the_key_is_known():
    async def main():
        keys = Keys()
        async with edge(**guarded(keys)) as served:
            keys.found.clear()
            reader, writer = await served.connect()
            writer.write(head(GOOD, "Expect: 100-continue", length=4))
            while not keys.looked:
                await asyncio.sleep(0)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.05)
            keys.found.set()
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"body")
            assert (await answers(reader, 1))[0].body == b"body"
            await close(writer)
            reader, writer = await served.connect()
            writer.write(head(BAD, "Expect: 100-continue", length=4))
            assert (await reader.readline()).startswith(b"HTTP/1.1 401")
            await close(writer)

    run(main())


def test_a_refusal_comes_after_the_answers_before_it():
    async def main():
        async with edge(**guarded(Keys(at_hand=True))) as served:
            reader, writer = await served.connect()
            writer.write(post("/echo", b"first", GOOD) + head(BAD))
            first, second = await answers(reader, 2)
            assert (first.body, second.status) == (b"first", 401)
            await close(writer)

    run(main())


def test_a_client_that_leaves_meanwhile_leaves_nothing_behind():
    async def main():
        keys = Keys()
        async with edge(**guarded(keys)) as served:
            keys.found.clear()
            _, writer = await served.connect()
            writer.write(head(GOOD))
            while not keys.looked:
                await asyncio.sleep(0)
            await close(writer)
            while served.server.connections:
                await asyncio.sleep(0.01)
            assert not served.world.errors

    run(main())


def test_what_is_not_there_is_said_when_it_is_whole():
    async def main():
        async with edge(**guarded(Keys())) as served:
            (reply,) = [await served.ask(head(path="/none") + b"body body")]
            assert reply.status == 404

    run(main())


def test_the_asgi_application_does_not_read_it_either():
    async def main():
        world = World()
        app = asgi_app(
            world.router(roles=INFERENCE), ServerSettings(), world.on_error, world.observe, guarded(Keys())["gate"]
        )
        call = Call("POST", "/echo", b"body")
        await app(call.scope, call.receive, call.send)
        assert call.status == 401 and len(call.inbox) == 1
        name, value = GOOD.split(": ")
        call = Call("POST", "/echo", b"body", headers=[(name.encode(), value.encode())])
        await app(call.scope, call.receive, call.send)
        assert (call.status, call.body) == (200, b"body")

    run(main())
