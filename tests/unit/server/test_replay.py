"""Replays and renderings over HTTP, on a line in this process: the record, the datasets and a provider that is told."""

import asyncio
import threading
from contextlib import closing

import msgspec
import pytest
from tests.support.engine import HELLO, Line, function, model, refusal, said, variant
from tests.support.homes import stored

from calibrant.base.clock import SystemClock
from calibrant.base.errors import Forbidden, InvalidRequest, NotFound
from calibrant.datasets import editing
from calibrant.datasets.editing import Actor
from calibrant.replay.tally import Tally
from calibrant.server.datasets import DatasetDesk
from calibrant.server.http import HttpRequest
from calibrant.server.replay import ReplayDesk
from calibrant.store.sqlite import SqliteEvents
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.content import Template, Text
from calibrant.types.datapoint import Content, JsonValue, NewDatapoint
from calibrant.types.key import Grants, Principal
from calibrant.types.message import Input, Message
from calibrant.types.replay import EPISODE_TAG, OF_TAG, RUN_TAG

WEATHER = '[tools.weather]\ndescription = "w"\nparameters = "city.json"\n'
TOML = (
    model()
    + model("slow")
    + WEATHER
    + function(
        variant(extra='templates.system.path = "system.minijinja"'),
        variant("other", "slow", 'temperature = 0.5, templates.system.path = "system.minijinja"'),
        variant("home", extra='namespace = "home"'),
        extra='tools = ["weather"]',
    )
    + function(variant(extra='json_mode = "on"'), name="j", kind="json", extra='output_schema = "city.json"')
)
NOBODY = "0196e6f4-0000-7000-8000-000000000000"


class Direct:
    def __init__(self, reader):
        self.reader = reader

    async def ask(self, question):
        return question(self.reader)


class World:
    def __init__(self, folder, *steps, **fields):
        (folder / "system.minijinja").write_text("Be brief.")
        (folder / "city.json").write_text('{"type":"object","properties":{"city":{"type":"string"}}}')
        self.line = Line(folder, TOML, *steps, **fields)
        self.events = SqliteEvents(folder / "events.db")
        self.catalogue = SqliteCatalogue(folder / "catalogue.db")
        questions = Direct(self.events)
        datasets = DatasetDesk(self.line.engine, self.catalogue, questions, self.events)
        self.desk = ReplayDesk(self.line.engine, questions, datasets)
        self.off = ReplayDesk(self.line.engine, None, datasets)

    def made(self, **fields):
        """Make an inference, store it, and return its row."""
        self.line.infer(**fields)
        record = self.line.records[-1]
        stored(self.events, [record], segment=f"{record.inference.id}.00000001.seg")
        self.line.sender.calls.clear()
        self.line.spool.records.clear()
        return record.inference

    def add(self, *contents):
        wanted = [NewDatapoint(each, tags={"user": "u"}) for each in contents]
        return editing.add(self.catalogue, "d", wanted, Actor("cli", 1))

    def run(self, body, roles=("inference", "read"), functions=None, desk=None):
        return asyncio.run(self._run(body, roles, functions, desk or self.desk))

    async def _run(self, body, roles, functions, desk):
        answer = await desk.run(_request(body, roles, functions))
        assert (answer.status, answer.content_type, answer.outlives_client) == (200, "application/jsonl", False)
        lines = [msgspec.json.decode(line) async for line in answer.chunks]
        assert [line["type"] for line in lines] == ["run", *["case"] * (len(lines) - 2), "summary"]
        first, last = lines[0], lines[-1]
        cases = sorted(lines[1:-1], key=lambda line: line["number"])
        assert first["run_id"] == last["run_id"] and last["cases"] == len(cases)
        assert [case["number"] for case in cases] == list(range(len(cases)))
        assert first["samples"] in (None, len(cases))
        return first, cases, last

    def render(self, functions=None, **body):
        answer = asyncio.run(self.desk.render(_request(body, ("read",), functions)))
        return msgspec.json.decode(answer.body)["samples"]

    def close(self):
        self.events.close()
        self.catalogue.close()


def _request(body, roles, functions):
    grants = None if functions is None else Grants(functions=functions)
    who = Principal("k" * 12, frozenset(roles), grants)
    return HttpRequest("POST", "/", body=msgspec.json.encode(body), principal=who)


@pytest.fixture
def world(tmp_path):
    with closing(World(tmp_path)) as world:
        yield world


def test_a_recorded_inference_is_asked_again_through_another_variant(world):
    row = world.made(function_name="f", variant_name="v", tags={"user": "u"})
    first, (case,), last = world.run({"inference_ids": [row.id], "variant_name": "other"})
    assert (first["samples"], first["recorded"]) == (1, True)
    (call,), (body,) = world.line.sender.calls, world.line.sender.bodies
    assert call.url.startswith("http://p.slow/") and body["temperature"] == 0.5
    assert [message["content"] for message in body["messages"]] == ["Be brief.", "Hello?"]
    assert [tool["function"]["name"] for tool in body["tools"]] == ["weather"]
    assert case["output"] == case["stored_output"] == [{"type": "text", "text": "Hi."}]
    assert (case["same_output"], case["cached"], case["error"]) == (True, False, None)
    assert (case["sample_type"], case["sample_id"], case["variant_name"]) == ("inference", row.id, "other")
    assert case["usage"]["input_tokens"] == case["stored_usage"]["input_tokens"] == 7
    assert last["same_output"]["estimate"] == 1 and last["input_tokens"]["difference"]["estimate"] == 0
    (record,) = world.line.records
    made = record.inference
    assert (made.id, made.variant_name, made.probability) == (case["inference_id"], "other", None)
    assert made.episode_id != row.episode_id
    assert made.tags == {
        "user": "u",
        RUN_TAG: first["run_id"],
        OF_TAG: row.id,
        EPISODE_TAG: row.episode_id,
        "tensorzero::internal": "true",
        "tensorzero::variant_pinned": "other",
        "tensorzero::api_key_public_id": "k" * 12,
    }


def test_an_edited_prompt_is_not_recorded(world):
    row = world.made(function_name="f", variant_name="v")
    first, (case,), _ = world.run(
        {"inference_ids": [row.id], "variant_name": "other", "templates": {"system": "Be {{ 'long' }}."}}
    )
    assert first["recorded"] is False and not world.line.records
    (body,) = world.line.sender.bodies
    assert body["messages"][0]["content"] == "Be long." and body["temperature"] == 0.5
    assert case["variant_name"] == "tensorzero::dynamic_variant" and case["output"]


def test_a_sample_keeps_its_namespace(world):
    inside = world.made(function_name="f", variant_name="home", namespace="home")
    outside = world.made(function_name="f", variant_name="v")
    _, cases, _ = world.run({"inference_ids": [inside.id, outside.id], "variant_name": "home"})
    assert cases[0]["error"] is None and "namespace 'home'" in cases[1]["error"]["message"]
    (record,) = world.line.records
    assert (record.inference.namespace, record.inference.tags["tensorzero::namespace"]) == ("home", "home")


def test_a_text_that_no_template_takes_is_refused(world):
    row = world.made(function_name="f", variant_name="v")
    asked = {"inference_ids": [row.id], "variant_name": "v"}
    _, (case,), _ = world.run({**asked, "templates": {"sytem": "Be long."}})
    assert case["error"]["code"] == "invalid_request"
    assert "no template 'sytem'; there are assistant, system, user" in case["error"]["message"]
    assert not world.line.sender.calls
    _, (case,), _ = world.run({**asked, "templates": {"user": "Be {{ user_text }}."}})
    assert case["error"] is None


def _hook(payload, what):
    return payload.replace(b"Hi", b"[name]").replace(b"Rome", b"[city]") if what == "output" else payload


def test_what_was_redacted_is_compared_with_what_would_be_kept(tmp_path):
    with closing(World(tmp_path, redact=_hook)) as world:
        said_again = {"variant_name": "v"}
        row = world.made(function_name="f", variant_name="v")
        _, (case,), last = world.run({**said_again, "inference_ids": [row.id]})
        assert case["stored_output"] == [{"type": "text", "text": "[name]."}]
        assert case["output"] == [{"type": "text", "text": "Hi."}]
        assert case["same_output"] is True and last["same_output"]["estimate"] == 1
        world.line.sender.steps = [said("Hey.")]
        assert world.run({**said_again, "inference_ids": [row.id]})[1][0]["same_output"] is False
        world.line.sender.steps = [said('{"city": "Rome"}'), said('{"city":"Rome"}')]
        row = world.made(function_name="j", variant_name="v")
        (case,) = world.run({**said_again, "inference_ids": [row.id]})[1]
        assert case["stored_output"]["parsed"] == {"city": "[city]"} and case["same_output"] is True


def test_a_hook_that_leaves_nothing_that_can_be_read_makes_no_two_answers_the_same(tmp_path):
    left = [lambda payload: payload, lambda _: b"gone", lambda _: b"\xff"]
    with closing(World(tmp_path, redact=lambda payload, what: left[0](payload))) as world:
        row = world.made(function_name="f", variant_name="v")
        for hook in left[1:]:
            left[0] = hook
            world.line.sender.steps = [said("Hey.")]
            (case,) = world.run({"inference_ids": [row.id], "variant_name": "v"})[1]
            assert (case["error"], case["same_output"]) == (None, False)


def test_a_variant_of_the_request(world):
    row = world.made(function_name="f", variant_name="v")
    table = {"type": "chat_completion", "model": "slow", "max_tokens": 3}
    world.run({"inference_ids": [row.id], "variant": table})
    (body,) = world.line.sender.bodies
    assert body.get("max_tokens", body.get("max_completion_tokens")) == 3 and body["messages"][0]["role"] == "user"
    _, (case,), _ = world.run({"inference_ids": [row.id], "variant": {"type": "chat_completion", "model": 5}})
    assert case["error"]["code"] == "invalid_request" and "internal_dynamic_variant_config" in case["error"]["message"]


def test_a_dry_run_is_not_recorded(world):
    row = world.made(function_name="f", variant_name="v")
    first, _, _ = world.run({"inference_ids": [row.id], "variant_name": "v", "dryrun": True})
    assert first["recorded"] is False and not world.line.records and len(world.line.sender.calls) == 1


def test_a_dataset_at_a_version(world):
    known = Content("json", "j", HELLO, JsonValue('{"city":"Rome"}', msgspec.Raw(b'{"city":"Rome"}')))
    unknown = Content("chat", "f", Input((Message("user", (Text("What?"),)),)))
    (one,) = world.add(known)
    (two,) = world.add(unknown)
    world.line.sender.steps = [said('{"city": "Rome"}')]
    dataset = {"name": "d", "version": 1}
    _, (case,), last = world.run({"dataset": dataset, "variant_name": "v"})
    assert (case["sample_type"], case["sample_id"], case["function_name"]) == ("datapoint", one, "j")
    assert case["same_output"] and case["output"] == {"raw": '{"city": "Rome"}', "parsed": {"city": "Rome"}}
    assert case["stored_usage"]["input_tokens"] is None and last["input_tokens"]["difference"]["n"] == 0
    assert world.line.records[0].inference.tags["user"] == "u"
    _, cases, last = world.run({"dataset": {"name": "d"}, "variant_name": "v"})
    assert [case["sample_id"] for case in cases] == [one, two]
    assert (cases[1]["same_output"], last["same_output"]["n"]) == (None, 1)
    _, cases, _ = world.run({"dataset": {"name": "d", "function_name": "f"}, "variant_name": "v"})
    assert [case["sample_id"] for case in cases] == [two]
    _, cases, _ = world.run({"dataset": {"name": "d", "limit": 1}, "variant_name": "v"})
    assert [case["sample_id"] for case in cases] == [one]
    with pytest.raises(NotFound, match="no dataset"):
        world.run({"dataset": {"name": "none"}, "variant_name": "v"})
    with pytest.raises(NotFound, match="version"):
        world.run({"dataset": {"name": "d", "version": 7}, "variant_name": "v"})


def test_a_case_is_a_line_whatever_the_output_of_a_datapoint_looks_like(world):
    written = '{\n  "city": "Rome"\n}'
    world.add(Content("json", "j", HELLO, JsonValue(written, msgspec.Raw(written.encode()))))
    world.line.sender.steps = [said('{"city":"Rome"}')]

    async def take():
        answer = await world.desk.run(_request({"dataset": {"name": "d"}, "variant_name": "v"}, ("read",), None))
        return b"".join([chunk async for chunk in answer.chunks])

    begun, case, summary = map(msgspec.json.decode, asyncio.run(take()).splitlines())
    assert (begun["type"], case["same_output"], summary["cases"]) == ("run", True, 1)
    assert case["stored_output"] == {"raw": written, "parsed": {"city": "Rome"}}


def test_a_query(world):
    one, two = (world.made(function_name="f", variant_name=name) for name in ("v", "other"))
    query = {"function_name": "f", "order_by": [{"by": "timestamp", "direction": "ascending"}]}
    first, cases, _ = world.run({"query": query, "variant_name": "v"})
    assert (first["samples"], [case["sample_id"] for case in cases]) == (2, [one.id, two.id])
    _, cases, _ = world.run({"query": {**query, "variant_name": "other"}, "variant_name": "v"})
    assert [case["sample_id"] for case in cases] == [two.id]
    with pytest.raises(InvalidRequest, match="query: .*unheard"):
        world.run(
            {
                "query": {"filters": {"type": "boolean_metric", "metric_name": "unheard", "value": True}},
                "variant_name": "v",
            }
        )


def test_a_query_leaves_replays_out_which_are_asked_by_their_ids(world):
    row = world.made(function_name="f", variant_name="v")
    world.run({"query": {"function_name": "f"}, "variant_name": "other"})
    (record,) = world.line.spool.records
    stored(world.events, [record], segment="again.00000001.seg")
    assert record.inference.tags[OF_TAG] == row.id
    _, cases, _ = world.run({"query": {"function_name": "f"}, "variant_name": "v"})
    assert [case["sample_id"] for case in cases] == [row.id]
    _, cases, _ = world.run({"inference_ids": [record.inference.id], "variant_name": "v"})
    assert [(case["sample_id"], case["error"]) for case in cases] == [(record.inference.id, None)]
    # Whoever erases the episode in which it was said erases this one, too.
    tags = world.line.records[-1].inference.tags
    assert (tags[OF_TAG], tags[EPISODE_TAG]) == (record.inference.id, row.episode_id)


def test_each_case_fails_for_itself(world):
    row = world.made(function_name="f", variant_name="v")
    world.line.sender.steps = [refusal(400), said()]
    _, cases, last = world.run({"inference_ids": [row.id, NOBODY, row.id.upper()], "variant_name": "v"})
    assert len(cases) == 2
    assert cases[0]["error"]["code"] == "providers_exhausted" and cases[0]["inference_id"] is None
    assert cases[1]["error"] == {"code": "not_found", "message": f"there is no inference {NOBODY}"}
    assert (last["failed"], last["failure"]["estimate"]) == (2, 1)
    _, (case,), _ = world.run({"inference_ids": [row.id], "variant_name": "none"})
    assert case["error"]["code"] == "not_found" and "none" in case["error"]["message"]


def test_an_inference_of_a_model(world):
    row = world.made(model_name="m")
    _, (case,), _ = world.run({"inference_ids": [row.id], "variant_name": "slow"})
    assert world.line.sender.asked == ["p.slow"] and case["output"] == case["stored_output"]
    _, (case,), _ = world.run({"inference_ids": [row.id], "variant": {"type": "chat_completion", "model": "m"}})
    assert case["error"]["code"] == "invalid_request" and "name a model" in case["error"]["message"]


def test_some_at_a_time(world):
    rows = [world.made(function_name="f", variant_name="v") for _ in range(7)]
    busy = peak = 0

    async def slow():
        nonlocal busy, peak
        busy += 1
        peak = max(peak, busy)
        await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        busy -= 1

    send = world.line.sender.send

    async def sent(call, deadline):
        await slow()
        return await send(call, deadline)

    world.line.sender.send = sent
    body = {"inference_ids": [row.id for row in rows], "variant_name": "v", "concurrency": 3}
    assert world.run(body)[2]["failed"] == 0
    assert peak == 3


def test_who_leaves_ends_the_run_and_loses_nothing_that_began(world):
    rows = [world.made(function_name="f", variant_name="v") for _ in range(9)]
    body = {"inference_ids": [row.id for row in rows], "variant_name": "v", "concurrency": 2}

    async def leave():
        answer = await world.desk.run(_request(body, ("inference", "read"), None))
        async for line in answer.chunks:
            if b'"type":"case"' in line:
                break
        await answer.chunks.aclose()

    asyncio.run(leave())
    called = len(world.line.sender.calls)
    assert 1 <= called <= 3 and len(world.line.records) == called


def test_cases_are_added_up_off_the_event_loop(world, monkeypatch):
    threads, summary = [], Tally.summary
    monkeypatch.setattr(Tally, "summary", lambda tally: (threads.append(threading.get_ident()), summary(tally))[1])
    world.run({"inference_ids": [NOBODY], "variant_name": "v"})
    assert len(threads) == 1 and threads[0] != threading.get_ident()


def test_the_recorder_is_waited_for_once(tmp_path):
    class Behind:
        def watermark_ms(self):
            return 0

    class Clock(SystemClock):
        asked = 0

        def monotonic(self):
            self.asked += 1
            return self.asked * 10.0

    clock = Clock()
    with closing(World(tmp_path, targets=Behind(), clock=clock)) as world:
        ids = [NOBODY[:-4] + f"{number:04d}" for number in range(160)]
        _, cases, _ = world.run({"inference_ids": ids, "variant_name": "v"})
        assert {case["error"]["code"] for case in cases} == {"not_found"}
        assert clock.asked == 2


def test_keys(world):
    seen, hidden = world.made(function_name="f", variant_name="v"), world.made(function_name="j")
    with pytest.raises(Forbidden, match="read"):
        world.run({"inference_ids": [seen.id], "variant_name": "v"}, roles=("inference",))
    asked = {"inference_ids": [seen.id, hidden.id], "variant_name": "v"}
    _, cases, _ = world.run(asked, functions=("f",))
    assert (cases[0]["error"], cases[1]["error"]["code"]) == (None, "not_found")
    assert cases[1]["stored_output"] is None
    _, cases, _ = world.run({"query": {}, "variant_name": "v"}, functions=("f",))
    assert [case["sample_id"] for case in cases] == [seen.id]
    for changed in ({"templates": {"system": "x"}, "variant_name": "v"}, {"variant": {"type": "chat_completion"}}):
        # At once, not of each case.
        with pytest.raises(Forbidden, match=f"^{next(iter(changed))}: this API key has a list"):
            asyncio.run(
                world.desk.run(_request({"inference_ids": [seen.id], **changed}, ("inference", "read"), ("f",)))
            )
    (found,) = world.render(functions=("f",), inference_ids=[hidden.id], variants={"j": "v"})
    assert found["outcome"] == "failed"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"variant_name": "v"}, "exactly one of `inference_ids`"),
        ({"inference_ids": [NOBODY], "query": {}, "variant_name": "v"}, "exactly one of `inference_ids`"),
        ({"inference_ids": [NOBODY]}, "exactly one of `variant_name`"),
        ({"inference_ids": [NOBODY], "variant_name": "v", "variant": {}}, "exactly one of `variant_name`"),
        ({"inference_ids": [NOBODY], "variant": {}, "templates": {"system": "x"}}, "`templates`"),
        ({"inference_ids": ["x"], "variant_name": "v"}, r"inference_ids\[0\]"),
        ({"inference_ids": [], "variant_name": "v"}, "inference_ids"),
        ({"inference_ids": [NOBODY], "variant_name": "v", "concurrency": 0}, "concurrency"),
        ({"inference_ids": [NOBODY], "variant_name": "v", "concurrency": 65}, "concurrency"),
        ({"dataset": {}, "variant_name": "v"}, "dataset"),
        ({"inference_ids": [NOBODY], "variant_name": "v", "more": 1}, "more"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_asked(world, body, message):
    with pytest.raises(InvalidRequest, match=message):
        world.run(body)


@pytest.mark.parametrize("which", [{"query": {}}, {"inference_ids": [NOBODY]}])
def test_without_a_record(world, which):
    # Before the first line: it is an answer with a status.
    with pytest.raises(InvalidRequest, match=r"observability\.enabled"):
        asyncio.run(world.off.run(_request({**which, "variant_name": "v"}, ("inference", "read"), None)))


def test_rendering(world):
    row = world.made(function_name="f", variant_name="v", tags={"user": "u"})
    templated = Content("chat", "f", Input((Message("user", (Template("missing", {}),)),)))
    good, bad = world.add(Content("json", "j", HELLO), templated)
    variants = {"f": "other", "j": "v"}
    found = world.render(inference_ids=[row.id, NOBODY], datapoint_ids=[good, bad], variants=variants)
    assert [each["id"] for each in found] == [row.id, NOBODY, good, bad]
    assert [each["outcome"] for each in found] == ["rendered", "failed", "rendered", "failed"]
    hello = {"role": "user", "content": [{"type": "text", "text": "Hello?"}]}
    assert found[0]["input"] == {"system": "Be brief.", "messages": [hello]}
    assert found[0]["stored_input"] == {"messages": [hello]}
    assert found[0]["stored_output"] == [{"type": "text", "text": "Hi."}]
    assert [tool["name"] for tool in found[0]["tools"]] == ["weather"]
    assert (found[0]["variant_name"], found[0]["episode_id"], found[0]["tags"]["user"]) == (
        "other",
        row.episode_id,
        "u",
    )
    assert found[2]["input"]["system"] is None and found[2]["type"] == "datapoint"
    assert "missing" in found[3]["error"]["message"]
    assert not world.line.sender.calls
    (lacking,) = world.render(datapoint_ids=[good], variants={})
    assert "names none for the function 'j'" in lacking["error"]["message"]
    with pytest.raises(InvalidRequest, match="Name something"):
        world.render(variants={})
    # As a program asks that has found no samples.
    assert world.render(inference_ids=[], datapoint_ids=[], variants={}) == []


def test_what_was_asked_of_a_model_is_rendered_as_it_was_said(world):
    row = world.made(model_name="m")
    (found,) = world.render(inference_ids=[row.id], variants={"tensorzero::default": "slow"})
    assert found["outcome"] == "rendered" and found["input"]["messages"][0]["content"][0]["text"] == "Hello?"
