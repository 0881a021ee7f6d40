"""A client that leaves, where its inference is to end then: what is stopped, and what is recorded."""

import asyncio
from contextlib import suppress
from time import monotonic

import msgspec
import pytest
from tests.support.engine import Answer, event, function, model, refusal, request, said, variant

from calibrant.base.errors import ClientDisconnected, Disconnected
from calibrant.engine.engine import Caller
from calibrant.engine.presence import Presence
from calibrant.engine.stream import open_stream


class Held(Answer):
    """An answer that has begun and does not go on until it is closed, as a connection's is."""

    def __init__(self, *pieces):
        super().__init__(*pieces)
        self.over = None

    async def chunks(self):
        for piece in self.pieces:
            yield piece
        self.over = asyncio.get_running_loop().create_future()
        try:
            if not self.closed:
                await self.over
        finally:
            self.closed = True
        raise Disconnected("given up")

    def close(self):
        super().close()
        if self.over is not None and not self.over.done():
            self.over.set_result(None)


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


def left(it, presence, **fields):
    """Make an inference whose client leaves while it waits."""

    async def go():
        async with asyncio.timeout(5):
            task = asyncio.get_running_loop().create_task(it.ainfer(Caller(presence=presence), **fields))
            await turns()
            presence.leave()
            with pytest.raises(ClientDisconnected):
                await task

    asyncio.run(go())


@pytest.mark.parametrize("pinned", [{}, {"variant_name": "v"}])
def test_a_whole_answer_is_given_up_and_nobody_else_is_asked(line, pinned):
    held = Held()
    others = "retries = { num_retries = 3, max_delay_s = 0.01 }"
    it = line(model("m", "a", "b") + function(variant("v", extra=others), variant("w")), held, said())
    left(it, Presence(), **pinned)
    assert held.closed and len(it.sender.calls) == 1
    assert (it.row.status, it.row.error_code, it.row.http_status) == ("error", "client_disconnected", 499)
    (row,) = it.attempts
    assert (row.provider_name, row.status, row.error_code, row.http_status) == (
        "a",
        "error",
        "client_disconnected",
        None,
    )
    assert (row.input_tokens, row.output_tokens, row.usage_source, row.cost) == (None, None, "none", None)
    assert msgspec.json.decode(row.raw_request)["messages"]
    assert it.counted("provider_errors") == {}
    assert list(it.counted("inferences").values()) == [1]


def test_a_call_that_is_about_to_begin_does_not(line):
    it = line(model() + function(), said())
    presence = Presence()
    presence.leave()

    async def go():
        with pytest.raises(ClientDisconnected):
            await it.ainfer(Caller(presence=presence))

    asyncio.run(go())
    assert it.sender.calls == []
    assert it.row.error_code == "client_disconnected"


def test_a_pause_before_a_retry_ends_too(line):
    long = "retries = { num_retries = 3, max_delay_s = 600 }"
    busy = refusal(429, headers=(("retry-after", "600"),))
    it = line(model() + function(variant(extra=long)), busy, said())
    left(it, Presence())
    assert len(it.sender.calls) == 1
    assert [row.error_code for row in it.attempts] == ["provider_refused"]
    assert it.row.error_code == "client_disconnected"


def test_a_stream_that_has_not_begun_is_given_up(line):
    held = Held(b": ping\n\n")
    it = line(model("m", "a", "b") + function(), held, said())
    presence = Presence()

    async def go():
        async with asyncio.timeout(5):
            opening = open_stream(it.engine, request(stream=True), Caller(presence=presence), monotonic())
            task = asyncio.get_running_loop().create_task(opening)
            await turns()
            presence.leave()
            with pytest.raises(ClientDisconnected):
                await task

    asyncio.run(go())
    assert held.closed and len(it.sender.calls) == 1
    assert (it.row.status, it.row.error_code) == ("error", "client_disconnected")


USAGE = {"prompt_tokens": 7, "completion_tokens": 1}


@pytest.mark.parametrize("early", [False, True])
def test_what_had_come_of_a_stream_is_recorded_and_counted(line, early):
    held = Held(event({"content": "four" * 100}, usage=USAGE))
    it = line(model() + function(), held)
    presence = Presence()

    async def go():
        async with asyncio.timeout(5):
            stream = await open_stream(it.engine, request(stream=True), Caller(presence=presence), monotonic())
            if early:
                presence.leave()
            async for _ in stream.chunks():
                asyncio.get_running_loop().call_soon(presence.leave)
            return stream

    stream = asyncio.run(go())
    assert isinstance(stream.error, ClientDisconnected) and held.closed
    row = it.row
    assert (row.status, row.error_code, row.http_status) == ("error", "client_disconnected", 499)
    assert msgspec.json.decode(row.output) == [{"type": "text", "text": "four" * 100}]
    (call,) = it.attempts
    assert (call.status, call.error_code, call.http_status) == ("error", "client_disconnected", 200)
    # The one token that had been counted by then is far from what had come.
    assert (call.input_tokens, call.usage_source) == (7, "estimated")
    assert call.output_tokens > 50
    assert it.counted("provider_errors") == {}


def test_who_leaves_after_the_end_has_had_it_all(line):
    it = line(model() + function(), Answer(event({"content": "Hi"}), event({}, finish="stop"), b"data: [DONE]\n\n"))
    presence = Presence()
    stream, _ = it.stream(Caller(presence=presence))
    presence.leave()
    assert stream.error is None and it.row.status == "ok"


def test_without_a_presence_nobody_notices(line):
    it = line(model() + function(), said())
    assert it.infer(Caller()).content


CANDIDATES = """
[functions.f.variants.best]
type = "experimental_best_of_n_sampling"
candidates = ["v", "w"]
evaluator = { model = "j" }
"""


def test_candidates_and_judges_are_given_up_with_their_variant(line):
    toml = model("m") + model("j") + function(variant("v"), variant("w")) + CANDIDATES
    held = Held()
    it = line(toml, held)
    left(it, Presence(), variant_name="best")
    assert len(it.sender.calls) == 2 and it.row.error_code == "client_disconnected"
    assert {row.error_code for row in it.attempts} == {"client_disconnected"}
    # The candidates have answered; the judge is asked when the client leaves.
    judging = Held()
    it = line(toml, said("one"), said("two"), judging)
    left(it, Presence(), variant_name="best")
    assert len(it.sender.calls) == 3 and judging.closed
    assert (it.row.status, it.row.error_code) == ("error", "client_disconnected")
    assert it.counted("judge_failures") == {}


# The value itself


def test_who_watches_is_told_once_and_at_once_where_it_is_too_late():
    told = []
    presence = Presence()

    def one():
        told.append(1)

    def two():
        told.append(2)

    presence.watch(one)
    presence.watch(two)
    presence.forget(two)
    presence.forget(two)
    assert not presence.gone
    presence.leave()
    presence.leave()
    presence.watch(two)
    assert told == [1, 2] and presence.gone


def test_work_that_is_done_is_done():
    async def go():
        presence = Presence()

        async def work():
            presence.leave()
            return 1

        # The client left in the same breath: there is an answer all the same, or none; never a cancelled task.
        with suppress(ClientDisconnected):
            assert await presence.wait_for(work()) == 1
        await asyncio.sleep(0)
        assert asyncio.current_task().cancelling() == 0

    asyncio.run(go())


def test_another_s_cancellation_and_errors_go_through():
    async def go():
        presence = Presence()

        async def fails():
            raise ValueError("x")

        with pytest.raises(ValueError, match="x"):
            await presence.wait_for(fails())
        task = asyncio.get_running_loop().create_task(presence.wait_for(asyncio.sleep(60)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        presence.leave()

    asyncio.run(go())
