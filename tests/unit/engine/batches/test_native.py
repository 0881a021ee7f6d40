"""Batches that a provider makes: handed over, asked after, recorded once; by both dialects."""

import asyncio
import dataclasses
from base64 import b64encode

import pytest
from msgspec.structs import replace
from tests.support.batches import ALL, Batches, body, house_steps
from tests.support.engine import Stored, function, model, variant

from calibrant.base.errors import FileUnavailable, InvalidRequest, ProvidersExhausted, SpoolFull
from calibrant.config.schema import FilePolicy
from calibrant.engine.batches.look import cancel
from calibrant.engine.batches.native import check
from calibrant.engine.files import Attached, Files
from calibrant.testing.batches import BatchHouse
from calibrant.testing.vertex_batches import VertexHouse
from calibrant.types.storage import DisabledStorage

ALWAYS = '[gateway]\nbatch = { native = "always" }\n'
KEY = {"KEY": "sk-very-secret"}
RULES = '[[models.m.providers.p.batch_cost]]\npointer = "/usage/prompt_tokens"\ncost_per_unit = 0.25\n'


def anthropic(name="m", extra=""):
    return (
        f'[models.{name}]\nrouting = ["p"]\n[models.{name}.providers.p]\ntype = "anthropic"\n'
        f'model_name = "claude-sonnet-4-6"\napi_base = "http://p.m/v1"\napi_key_location = "env::KEY"\n{extra}'
    )


PLACES = """
[provider_types.gcp_vertex_gemini.batch]
storage_type = "cloud_storage"
input_uri_prefix = "gs://in/some where"
output_uri_prefix = "gs://out/"
"""
VERTEX = """
[models.m]
routing = ["p"]
[models.m.providers.p]
type = "gcp_vertex_gemini"
model_id = "gemini-2.5-flash"
location = "l"
project_id = "p"
credential_location = "none"
"""
DIALECTS = {"openai": model(key="env::KEY"), "anthropic": anthropic(), "gcp_vertex_gemini": VERTEX + PLACES}


class Clock:
    """A wall that is moved by hand; time otherwise goes on."""

    def __init__(self, line):
        self.real, self.ahead = line.engine.clock, 0

    def wall_ms(self):
        return self.real.wall_ms() + self.ahead

    def monotonic(self):
        return self.real.monotonic()


class Native(Batches):
    """A line whose provider is a house of batches."""

    def __init__(self, folder, toml, **settings):
        self.house = VertexHouse() if "vertex" in toml else BatchHouse()
        super().__init__(folder, toml, house_steps(self.house), environ=KEY, **settings)
        self.clock = Clock(self)
        self.engine = dataclasses.replace(self.engine, clock=self.clock)

    async def check(self, batch_id, *, after_ms=6_000):
        self.clock.ahead += after_ms
        return await check(self.engine, self.catalogue, self.batch(batch_id))


@pytest.fixture(params=DIALECTS)
def line(request, tmp_path):
    made = Native(tmp_path, ALWAYS + DIALECTS[request.param] + function())
    made.dialect = request.param
    return made


def run(work):
    return asyncio.run(work)


def test_a_batch_is_handed_over_and_recorded_once_it_is_over(line):
    async def main():
        batch, elements = await line.send(body("one", "two", "three", tags=[{"n": "1"}, {}, {}]))
        assert (batch.kind, batch.provider_name, line.records) == ("native", "p", [])
        assert (await line.check(batch.id)).status == "running" and await line.told(batch.id) == {"status": "pending"}
        line.house.finish()
        assert (await line.check(batch.id)).status == "completed"
        told = await line.told(batch.id)
        assert [each["inference_id"] for each in told["inferences"]] == [each.inference_id for each in elements]
        assert [each["content"][0]["text"] for each in told["inferences"]] == ["one", "two", "three"]
        asked = len(line.house.asked)
        await line.check(batch.id)
        assert len(line.house.asked) == asked and len(line.records) == 3
        return batch, told

    batch, told = run(main())
    rows = {record.inference.id: record for record in line.records}
    record = rows[told["inferences"][0]["inference_id"]]
    assert record.inference.tags == {"n": "1", "tensorzero::batch_id": batch.id}
    assert (record.inference.status, record.inference.processing_ms, record.inference.input_tokens) == ("ok", None, 12)
    (call,) = record.model_inferences
    assert (call.provider_type, call.response_ms, call.usage_source) == (line.dialect, None, "reported")
    assert b"one" in call.raw_request and b"one" in call.raw_response
    assert (call.cost, call.price_version) == (None, "unknown+processing=batch")
    assert line.counted("batches") == {("accepted",): 1, ("completed",): 1}
    sent = [headers for headers in line.house.headers if "sk-very-secret" in str(headers)]
    assert len(sent) == len(line.house.headers) or "vertex" in line.dialect
    assert "sk-very-secret" not in str(line.records) and b"sk-very-secret" not in line.catalogue.path.read_bytes()


def test_what_the_provider_refuses_or_forgets_fails_alone(line):
    async def main():
        batch, elements = await line.send(body("fine", "refuse me", "forget me"))
        line.house.finish()
        await line.check(batch.id)
        told = await line.told(batch.id)
        assert told["status"] == "completed" and [i["inference_id"] for i in told["inferences"]] == [
            elements[0].inference_id
        ]
        assert [each["inference_id"] for each in told["failures"]] == [each.inference_id for each in elements[1:]]
        assert "answered 400" in told["failures"][0]["error"]
        assert ("without an answer" if "vertex" in line.dialect else "time") in told["failures"][1]["error"]

    run(main())
    failed = [record for record in line.records if record.inference.status == "error"]
    assert [record.model_inferences[0].http_status for record in failed] == [
        None if "vertex" in line.dialect else 400,
        None,
    ]


def test_a_provider_is_not_asked_too_often_nor_by_two_at_a_time(line):
    async def main():
        batch, _ = await line.send(body("one"))
        await line.check(batch.id)
        asked = len(line.house.asked)
        await line.check(batch.id, after_ms=100)
        assert len(line.house.asked) == asked
        with line.catalogue.transaction() as tx:
            now = line.clock.wall_ms()
            tx.lease_batch(batch.id, "another", now_ms=now, until_ms=now + 60_000)
        await line.check(batch.id)
        assert len(line.house.asked) == asked
        line.house.finish()
        assert (await line.check(batch.id, after_ms=60_000)).status == "completed"

    run(main())


def test_a_batch_that_the_provider_does_not_take_is_refused_and_keeps_nothing(line):
    async def main():
        line.house.away = True
        with pytest.raises(ProvidersExhausted, match="the batch interface of the provider 'p' failed"):
            await line.send(body("one"))
        with line.catalogue.reading() as view:
            (batch,) = view.list_batches(ALL)
            (element,) = view.batch_elements(batch.id)
        assert batch.status == "failed" and element.body is None and "failed" in batch.error

    run(main())


def test_a_provider_that_is_away_says_so_and_is_asked_again(line):
    async def main():
        batch, _ = await line.send(body("one"))
        line.house.finish()
        line.house.away = True
        with pytest.raises(ProvidersExhausted):
            await line.check(batch.id)
        line.house.away = False
        assert (await line.check(batch.id)).status == "completed"

    run(main())
    assert len(line.records) == 1


def test_a_spool_that_fills_in_the_middle_leaves_the_rest_for_later(line):
    line.engine = dataclasses.replace(line.engine, targets=Stored(watermarks=(2**50,)))

    async def main():
        batch, _ = await line.send(body("one", "two"))
        line.house.finish()
        append = line.spool.append

        def once(record):
            line.spool.full = True
            return append(record)

        line.spool.append = once
        with pytest.raises(SpoolFull):
            await line.check(batch.id)
        assert line.batch(batch.id).completed == 1
        line.spool.full, line.spool.append = False, append
        assert (await line.check(batch.id)).status == "completed"

    run(main())
    assert len({record.inference.id for record in line.records}) == len(line.records) == 2


def test_what_was_recorded_before_the_worker_died_is_not_recorded_again(line):
    stored = Stored(watermarks=(2**50,))
    line.engine = dataclasses.replace(line.engine, targets=stored)

    async def main():
        batch, elements = await line.send(body("one"))
        line.house.finish()
        await line.check(batch.id)
        row = line.row
        again, elements = await line.send(body("one"))
        line.house.finish()
        with line.catalogue.transaction() as tx:
            tx.lease_batch(again.id, "dead", now_ms=1, until_ms=2)
            tx.claim_elements(again.id, 9)
        stored.rows = [replace(row, id=elements[0].inference_id)]
        assert (await line.check(again.id)).status == "completed"

    run(main())
    assert len(line.records) == 1


def test_a_check_that_takes_long_keeps_its_lease_and_one_that_died_loses_it(tmp_path):
    head = '[gateway]\nbatch = { native = "always", lease_s = 1.0 }\n'
    line = Native(tmp_path, head + DIALECTS["openai"] + function())

    async def main():
        batch, _ = await line.send(body("one"))
        line.house.finish()
        asked, go_on = asyncio.Event(), asyncio.Event()
        send = line.sender.send

        async def slow(call, deadline):
            asked.set()
            await go_on.wait()
            return await send(call, deadline)

        line.sender.send = slow
        line.clock.ahead += 6_000
        first = asyncio.get_running_loop().create_task(check(line.engine, line.catalogue, line.batch(batch.id)))
        await asked.wait()
        until = lease_of(line)
        await line.until(lambda: lease_of(line) > until)  # it is renewed
        assert (await line.check(batch.id, after_ms=0)).status == "running"
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        line.sender.send = send
        assert lease_of(line) == 0
        # A worker that was killed could not say so.
        with line.catalogue.transaction() as tx:
            now = line.clock.wall_ms()
            tx.lease_batch(batch.id, "dead", now_ms=now, until_ms=now + 1_000)
            tx.claim_elements(batch.id, 1)
        assert (await line.check(batch.id)).status == "completed"

    run(main())
    assert len(line.records) == 1


def lease_of(line):
    with line.catalogue.reading() as view:
        return view._connection.execute("SELECT lease_until FROM batches").fetchone()[0]


def test_an_answer_is_recorded_though_a_file_of_the_question_is_gone(line):
    files = Files(FilePolicy(always=True), DisabledStorage(), sender=line.sender, metrics=line.engine.metrics)
    line.engine = dataclasses.replace(line.engine, files=files)
    image = b64encode(b"pixels" * 20).decode()
    content = [{"type": "text", "text": "what is this"}, {"type": "file", "data": image, "mime_type": "image/png"}]

    async def main():
        batch, elements = await line.send(body(inputs=[{"messages": [{"role": "user", "content": content}]}]))
        (calls,) = line.house.calls.values()
        assert image in str(calls)
        line.house.finish()
        ready, Attached.ready = Attached.ready, gone
        try:
            assert (await line.check(batch.id)).completed == 1
        finally:
            Attached.ready = ready

    async def gone(*_):
        raise FileUnavailable("gone")

    run(main())
    assert line.row.status == "ok" and line.attempts[0].raw_request is None
    assert image.encode() not in line.row.input


def test_files_are_named_in_the_record_of_what_was_sent(line):
    files = Files(FilePolicy(), DisabledStorage(), sender=line.sender, metrics=line.engine.metrics)
    line.engine = dataclasses.replace(line.engine, files=files)
    image = b64encode(b"pixels" * 20).decode()
    content = [{"type": "text", "text": "what is this"}, {"type": "file", "data": image, "mime_type": "image/png"}]

    async def main():
        batch, _ = await line.send(body(inputs=[{"messages": [{"role": "user", "content": content}]}]))
        line.house.finish()
        assert (await line.check(batch.id)).completed == 1

    run(main())
    request = line.attempts[0].raw_request
    assert b"what is this" in request and image.encode() not in request and b"<file " in request


def test_a_cancelled_batch_keeps_what_was_made(line):
    async def main():
        batch, _ = await line.send(body("one", "two", "three"))
        assert (await cancel(line.engine, line.catalogue, batch.id, ALL)).status == "running"
        assert line.house.asked[-1][1].endswith("cancel")
        line.house.finish(made=1, cancelled=True)
        ended = await line.check(batch.id)
        assert (ended.status, ended.completed, ended.cancelled) == ("cancelled", 1, 2)
        told = await line.told(batch.id)
        assert told["status"] == "cancelled" and len(told["inferences"]) == 1 and "failures" not in told

    run(main())
    assert len(line.records) == 1 and line.counted("batches")[("cancelled",)] == 1


def test_a_worker_asks_where_nobody_does(line):
    async def main():
        line.house.prompt = True
        batch, _ = await line.send(body("one"))
        async with line.worker():
            return await line.ended(batch.id)

    assert run(main())["status"] == "completed"


def test_a_batch_that_was_never_said_to_be_handed_over_is_given_up(line):
    async def main():
        batch, _ = await line.send(body("one"))
        with line.catalogue.transaction() as tx:
            tx._connection.execute("UPDATE batches SET provider_batch_id = NULL, status = 'pending'")
        assert (await line.check(batch.id)).status == "pending"
        assert (await line.check(batch.id, after_ms=1_500_001)).status == "failed"
        told = await line.told(batch.id)
        assert "not known" in told["error"] and told["failures"][0]["code"] == "not_handed_over"

    run(main())


def test_the_batchs_own_rules_say_what_it_costs(tmp_path):
    line = Native(tmp_path, ALWAYS + DIALECTS["openai"] + RULES + function())

    async def main():
        batch, _ = await line.send(body("one"))
        line.house.finish()
        await line.check(batch.id)
        assert (await line.told(batch.id))["inferences"][0]["usage"]["cost"] == 3.0

    run(main())
    assert (line.attempts[0].cost, line.attempts[0].price_version) == ("3", "config+processing=batch")


def test_an_element_that_cannot_be_told_the_provider_refuses_the_batch(tmp_path):
    line = Native(tmp_path, ALWAYS + DIALECTS["anthropic"] + function())
    wrong = body("one", "two", params={"chat_completion": {"thinking_budget_tokens": [None, 5]}})
    with pytest.raises(InvalidRequest, match="element 1: .*budget"):
        run(line.send(wrong))
    assert line.house.asked == []


@pytest.mark.parametrize(
    ("head", "extra", "kind"),
    [
        (ALWAYS, "", "native"),
        ("", "", "gateway"),  # an address of its own
        ('[gateway]\nbatch = { native = "never" }\n', "", "gateway"),
        (ALWAYS, 'extra_headers = [{ name = "x", value = "y" }]\n', "gateway"),
    ],
)
def test_who_makes_a_batch(tmp_path, head, extra, kind):
    line = Native(tmp_path, head + DIALECTS["openai"] + extra + function())
    assert run(line.send(body("one")))[0].kind == kind


def test_at_the_vendors_own_address_a_batch_is_the_vendors(tmp_path):
    toml = DIALECTS["openai"].replace('api_base = "http://p.m/v1"\n', "")
    line = Native(tmp_path, toml + function())
    assert run(line.send(body("one")))[0].kind == "native"
    assert {call.url.split("/v1")[0] for call in line.sender.calls} == {"https://api.openai.com"}


def test_json_functions_and_the_responses_interface(tmp_path):
    strict = variant(extra='json_mode = "strict"')
    (tmp_path / "s.json").write_text('{"type":"object"}')
    toml = DIALECTS["openai"].replace("api_base", 'api_type = "responses"\napi_base')
    line = Native(tmp_path, ALWAYS + toml + function(strict, kind="json", extra='output_schema = "s.json"'))
    batch, _ = run(line.send(body("one")))
    (asked,) = line.house.openai.values()
    (call,) = line.house.calls[asked["id"]]
    assert asked["endpoint"] == "/v1/responses" and "input" in call["body"]


def test_vertex_finds_its_files_and_its_answers_by_label(tmp_path):
    line = Native(tmp_path, DIALECTS["gcp_vertex_gemini"] + function())

    async def main():
        batch, elements = await line.send(body("one", "two"))
        ((bucket, name),) = line.house.objects
        (job,) = line.house.jobs.values()
        assert bucket == "in" and name.startswith("some where/")
        assert job["inputConfig"]["gcsSource"]["uris"] == [f"gs://in/{name}"]
        assert job["model"] == "publishers/google/models/gemini-2.5-flash"
        (calls,) = line.house.calls.values()
        assert [each["labels"]["calibrant-inference-id"] for each in calls] == [e.inference_id for e in elements]
        job["outputConfig"]["gcsDestination"]["outputUriPrefix"] = "gs://elsewhere"
        line.house.finish()
        with pytest.raises(ProvidersExhausted, match="not where it should be"):
            await line.check(batch.id)

    run(main())
    hosts = {call.url.split("/")[2] for call in line.sender.calls}
    assert hosts == {"storage.googleapis.com", "l-aiplatform.googleapis.com"}


@pytest.mark.parametrize("gone", ["storage_type", "endpoint"])
def test_without_places_or_for_an_endpoint_the_gateway_makes_batches_of_gemini(tmp_path, gone):
    toml = DIALECTS["gcp_vertex_gemini"]
    if gone == "storage_type":
        toml = toml.replace("cloud_storage", "none")
    else:
        toml = toml.replace('model_id = "gemini-2.5-flash"', 'endpoint_id = "7"')
    line = Native(tmp_path, ALWAYS + toml + function())
    assert run(line.send(body("one")))[0].kind == "gateway"
