"""The gateway's own batches: accepted whole or not at all, made by one worker, resumed by another."""

import asyncio

import pytest
from msgspec.structs import replace
from tests.support.batches import PLAIN, Batches, body, text
from tests.support.engine import Stored, function, model, refusal, said, variant

from calibrant.base.errors import Forbidden, InvalidRequest, MissingCredential, NotFound, SpoolFull
from calibrant.engine.engine import Caller
from calibrant.engine.keys import create_key, set_disabled
from calibrant.types.key import Grants, NewKey

TWO = model() + function(variant("a"), variant("b"))


def echo(call):
    words = call.body.split(b'"content":"')[-1].split(b'"')[0].decode()
    return refusal(400, "no such words") if words == "bad" else said(words)


def refused(line, raw, error, match, caller=None):
    with pytest.raises(error, match=match):
        asyncio.run(line.send(raw, caller))
    assert not line.catalogue.exists() and line.sender.calls == []


def test_each_element_is_an_inference_like_any_other(tmp_path):
    line = Batches(tmp_path, PLAIN, echo)
    told = line.made(
        body("one", "two", tags=[{"n": "1"}, None], params={"chat_completion": {"temperature": [0.5, None]}})
    )
    assert told["status"] == "completed" and set(told) == {"status", "batch_id", "inferences"}
    assert [each["content"][0]["text"] for each in told["inferences"]] == ["one", "two"]
    assert set(told["inferences"][0]) == {
        "inference_id",
        "episode_id",
        "variant_name",
        "content",
        "usage",
        "finish_reason",
    }
    rows = {record.inference.id: record.inference for record in line.records}
    first, second = (rows[each["inference_id"]] for each in told["inferences"])
    batch_tag = {"tensorzero::batch_id": told["batch_id"]}
    assert first.tags == {"n": "1", **batch_tag} and second.tags == batch_tag
    assert first.inference_params == b'{"chat_completion":{"temperature":0.5}}' and second.inference_params is None
    assert (first.unit, first.assigned_variant, first.probability) == (told["batch_id"], "v", 1.0)
    assert [each["temperature"] for each in line.sender.bodies if "temperature" in each] == [0.5]
    assert line.counted("batches") == {("accepted",): 1, ("completed",): 1}
    assert line.counted("inferences") == {("batch_inference", "f", "m", "ok"): 2}


def test_one_variant_is_drawn_for_all(tmp_path):
    line = Batches(tmp_path, TWO, echo)
    drawn = []
    for _ in range(12):
        names = {each["variant_name"] for each in line.made(body(*"abcdef"))["inferences"]}
        assert len(names) == 1
        drawn += names
    assert set(drawn) == {"a", "b"}
    assert {record.inference.probability for record in line.records} == {0.5}


def test_a_pinned_variant_makes_all(tmp_path):
    line = Batches(tmp_path, TWO, echo)
    told = line.made(body("x", "y", variant_name="b"))
    assert [each["variant_name"] for each in told["inferences"]] == ["b", "b"]
    assert line.row.probability is None and line.row.tags["tensorzero::variant_pinned"] == "b"


def test_only_chat_completions_make_batches(tmp_path):
    best = 'variants.best = { type = "experimental_best_of_n_sampling", candidates = ["a"], evaluator.model = "m" }\n'
    weights = '[functions.f.experimentation]\ntype = "static"\ncandidate_variants = { best = 1.0 }\n'
    weights += 'fallback_variants = ["a"]\n'
    line = Batches(tmp_path, model() + function(variant("a"), best, weights), echo)
    with pytest.raises(InvalidRequest, match="of the type 'chat_completion'; 'best'"):
        asyncio.run(line.send(body(variant_name="best")))
    told = line.made(body("x"))
    assert told["inferences"][0]["variant_name"] == "a"
    assert (line.row.assigned_variant, line.row.probability) == ("a", None)


def test_an_element_that_fails_fails_alone_and_all_of_them_fail_the_batch(tmp_path):
    line = Batches(tmp_path, PLAIN, echo)
    told = line.made(body("one", "bad", "two"))
    assert [each["content"][0]["text"] for each in told["inferences"]] == ["one", "two"]
    (failure,) = told["failures"]
    assert failure["code"] == "all_variants_failed" and "no such words" in failure["error"]
    assert {r.inference.status for r in line.records if r.inference.id == failure["inference_id"]} == {"error"}
    told = line.made(body("bad", "bad"))
    assert told["status"] == "failed" and len(told["failures"]) == 2


@pytest.mark.parametrize(
    ("fields", "error", "match"),
    [
        ({"function_name": "g"}, NotFound, "Unknown function: 'g'"),
        ({"variant_name": "w"}, NotFound, "element 0: Unknown variant"),
        ({"allowed_tools": [None, ["t"]]}, InvalidRequest, "element 1: allowed_tools: unknown"),
        (
            {"inputs": [text(), {"messages": [{"role": "cook", "content": ""}]}]},
            InvalidRequest,
            r"element 1: .*messages\[0\]",
        ),
        ({"params": {"chat_completion": {"heat": [None, 1]}}}, InvalidRequest, "element 0: .*heat"),
        ({"tags": [{}, {"tensorzero::x": "y"}]}, InvalidRequest, "element 1: .*reserved"),
    ],
)
def test_one_element_that_is_wrong_refuses_them_all(tmp_path, fields, error, match):
    refused(Batches(tmp_path), body("a", "b", **fields), error, match)


def test_credentials_of_a_request_cannot_wait(tmp_path):
    line = Batches(tmp_path, model(key="dynamic::k") + function())
    refused(line, body(credentials={"k": "secret"}), InvalidRequest, "never stored")
    refused(line, body(), MissingCredential, "k")


def test_a_full_spool_refuses_a_batch(tmp_path):
    line = Batches(tmp_path)
    line.spool.full = True
    refused(line, body(), SpoolFull, "full")


def test_the_lists_of_a_key_hold(tmp_path):
    line = Batches(tmp_path)
    refused(line, body(), Forbidden, "element 0", Caller(grants=Grants(functions=("g",))))
    refused(line, body(), Forbidden, "the models m", Caller(grants=Grants(models=("n",))))


def test_what_a_key_may_use_is_asked_again_when_an_element_is_made(tmp_path):
    line = Batches(tmp_path, PLAIN, echo)
    _, key = create_key(line.catalogue, NewKey(), actor="test", now_ms=1)
    caller = Caller("batch_inference", key_id=key.public_id)

    async def main():
        good, _ = await line.send(body("x"), caller)
        async with line.worker():
            assert (await line.ended(good.id))["status"] == "completed"
        late, _ = await line.send(body("x"), caller)
        set_disabled(line.catalogue, key.public_id, disabled=True, actor="test", now_ms=2)
        async with line.worker():
            return await line.ended(late.id)

    told = asyncio.run(main())
    assert told["status"] == "failed" and told["failures"][0]["code"] == "forbidden"
    assert [row.inference.key_id for row in line.records] == [key.public_id]


class Gate:
    """A provider that answers once it may, and knows how many wait."""

    def __init__(self, line):
        self.open = asyncio.Event()
        self.waiting = self.most = 0
        self.send = line.sender.send
        line.sender.send = self

    async def __call__(self, call, deadline):
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        try:
            await self.open.wait()
        finally:
            self.waiting -= 1
        return await self.send(call, deadline)


def test_so_many_at_the_same_time_and_no_more_and_each_batch_gets_its_turn(tmp_path):
    line = Batches(tmp_path, "[gateway]\nbatch = { concurrency = 4 }\n" + PLAIN, echo)

    async def main():
        gate = Gate(line)
        long, _ = await line.send(body(*["x"] * 30))
        short, _ = await line.send(body("y", "z"))
        async with line.worker():
            await line.until(lambda: gate.waiting == 4)
            assert {each.status for each in line.elements(short.id)} == {"running"}
            gate.open.set()
            await line.ended(long.id)
            await line.ended(short.id)
            assert gate.most == 4

    asyncio.run(main())


def test_a_worker_that_stops_finishes_what_runs_and_leaves_the_rest_to_another(tmp_path):
    line = Batches(tmp_path, "[gateway]\nbatch = { concurrency = 2 }\n" + PLAIN, echo)

    async def main():
        gate = Gate(line)
        batch, _ = await line.send(body(*"abcdef"))
        async with line.worker("one"):
            await line.until(lambda: gate.waiting == 2)
            gate.open.set()
        statuses = [each.status for each in line.elements(batch.id)]
        assert statuses[:2] == ["completed"] * 2 and "running" not in statuses and "pending" in statuses
        async with line.worker("two"):
            return await line.ended(batch.id)

    assert len(asyncio.run(main())["inferences"]) == 6
    assert len(line.records) == len(line.sender.calls) == 6


def test_what_was_broken_off_is_made_again_by_its_promised_id(tmp_path):
    line = Batches(tmp_path, PLAIN, echo, targets=Stored(watermarks=(2**50,)))

    async def main():
        gate = Gate(line)
        batch, elements = await line.send(body("a"))
        async with line.worker("one", patience_s=0):
            await line.until(lambda: gate.waiting)
        assert [each.status for each in line.elements(batch.id)] == ["orphaned"]
        gate.open.set()
        async with line.worker("two"):
            told = await line.ended(batch.id)
        assert told["inferences"][0]["inference_id"] == elements[0].inference_id

    asyncio.run(main())
    assert len(line.records) == 1


def test_what_was_recorded_before_its_worker_died_is_not_made_again(tmp_path):
    stored = Stored(watermarks=(2**50,))
    line = Batches(tmp_path, PLAIN, echo, targets=stored)

    async def main():
        batch, elements = await line.send(body("a"))
        async with line.worker("one"):
            first = await line.ended(batch.id)
        row = line.row
        # As it would be, had the worker been killed between the spool and the catalogue.
        again, _ = await line.send(body("a"))
        with line.catalogue.transaction() as tx:
            (claimed,) = tx.claim_elements(again.id, 1)
            tx.lease_batch(again.id, "dead", now_ms=1, until_ms=2)
            tx._connection.execute("UPDATE batch_inferences SET status = 'running' WHERE batch_id = ?", (again.id,))
        stored.rows = [replace(row, id=claimed.inference_id)]
        async with line.worker("two"):
            told = await line.ended(again.id)
        assert told["inferences"] == [
            {**first["inferences"][0], "inference_id": claimed.inference_id, **UNKNOWN(first)}
        ]

    asyncio.run(main())
    assert len(line.sender.calls) == len(line.records) == 1


def UNKNOWN(first):
    """The record of an inference has no count of the provider's cache."""
    usage = {**first["inferences"][0]["usage"]}
    usage["provider_cache_read_input_tokens"] = usage["provider_cache_write_input_tokens"] = None
    return {"usage": usage}


def test_a_spool_without_room_is_waited_for(tmp_path):
    line = Batches(tmp_path, PLAIN, echo)

    async def main():
        batch, _ = await line.send(body("a", "b"))
        line.spool.full = True
        async with line.worker():
            await line.until(lambda: line.counted("rejected").get((), 0) >= 2)
            assert line.sender.calls == [] and line.batch(batch.id).failed == 0
            line.spool.full = False
            assert len((await line.ended(batch.id))["inferences"]) == 2

    asyncio.run(main())


def test_answers_are_left_to_the_record_in_the_end(tmp_path):
    stored = Stored()
    line = Batches(tmp_path, "[gateway]\nbatch = { keep_answers_s = 0 }\n" + PLAIN, echo, targets=stored)

    async def main():
        batch, _ = await line.send(body("a"))
        async with line.worker():
            first = await line.ended(batch.id)
        with line.catalogue.transaction() as tx:
            assert tx.forget_answers(2**50) == 1
        gone = await line.told(batch.id)
        assert gone["inferences"] == [] and gone["failures"][0]["code"] == "answer_not_kept"
        stored.rows = [line.row]
        told = await line.told(batch.id)
        assert told["inferences"] == [{**first["inferences"][0], **UNKNOWN(first)}]

    asyncio.run(main())


def test_without_a_record_batches_are_made_all_the_same(tmp_path):
    line = Batches(tmp_path, PLAIN, echo, spool=False)
    assert [each["content"][0]["text"] for each in line.made(body("a", "b"))["inferences"]] == ["a", "b"]
