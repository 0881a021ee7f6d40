"""An import from either engine of TensorZero: everything comes, once, and nothing goes silently."""

import msgspec
import pytest
from tests.support.homes import sqlite_catalogue
from tests.support.tensorzero import (
    CONFIG,
    SNAPSHOT,
    START_MS,
    TENSORZERO,
    a_call,
    a_chat,
    a_datapoint,
    a_judgement,
    an_example,
    an_id,
    fill,
)

from calibrant.base.ids import id_millis
from calibrant.imports.runner import Importer
from calibrant.store.accounting import accounting
from calibrant.store.sqlite import SqliteEvents
from calibrant.types.content import Text
from calibrant.types.datapoint import DatapointQuery
from calibrant.types.query import Query
from calibrant.wire.lookups import encode_config


@pytest.fixture(params=TENSORZERO)
def source(request):
    with TENSORZERO[request.param]() as made:
        yield made


@pytest.fixture
def home(tmp_path):
    events = SqliteEvents(tmp_path / "events.db")
    with sqlite_catalogue(tmp_path) as catalogue:
        yield events, catalogue
    events.close()


def imported(source, home, **options):
    opened = source.open()
    try:
        return Importer(opened, *home, **{"page": 4, **options}).run()
    finally:
        opened.close()


def by_table(report):
    return {each.table: (each.source, each.here, each.added, each.quarantined) for each in report.tables}


def test_everything_comes_and_both_sides_are_counted(source, home):
    fill(source)
    report = imported(source, home)
    assert by_table(report) == {
        "config_snapshots": (1, 1, 1, 0),
        "chat_inferences": (6, 6, 6, 0),
        "json_inferences": (2, 2, 2, 0),
        "model_inferences": (8, 8, 8, 0),
        "boolean_metric_feedback": (2, 2, 2, 0),
        "float_metric_feedback": (1, 1, 1, 0),
        "comment_feedback": (1, 1, 1, 0),
        "demonstration_feedback": (2, 2, 2, 0),
        "chat_datapoints": (4, 4, 4, 0),
        "json_datapoints": (0, 0, 0, 0),
        "dicl_examples": (3, 3, 3, 0),
    }
    assert [(each.what, each.rows) for each in report.left_out] == [("workflow_evaluation_runs", 1)]
    assert report.reasons == {}


def test_the_fields_are_what_they_were(source, home):
    fill(source)
    imported(source, home)
    events, _ = home
    (row,) = events.get([an_id(3)])
    assert row.id == an_id(3)
    assert row.episode_id == an_id(1, kind=1)
    assert (row.function_name, row.function_type, row.variant_name, row.status) == ("answer", "chat", "v1", "ok")
    assert row.snapshot_hash == SNAPSHOT
    assert (row.processing_ms, row.ttft_ms, row.stream) == (1203.0, None, False)
    assert (row.input_tokens, row.output_tokens, row.cost) == (10, 5, "0.0000125")
    assert row.finish_reason == "stop"
    assert row.tags == {"user": "u3"}
    assert msgspec.json.decode(row.input) == a_chat(3)["input"]
    assert msgspec.json.decode(row.output) == a_chat(3)["output"]
    assert msgspec.json.decode(row.inference_params) == {"chat_completion": {"temperature": 0.5}}
    (call,) = events.model_inferences(an_id(3))
    assert (call.model_name, call.provider_name, call.attempt) == ("gpt-5-mini", "openai", 1)
    assert (call.input_tokens, call.output_tokens, call.cache_read_tokens, call.cache_write_tokens) == (10, 5, 4, None)
    assert (call.cost, call.response_ms, call.cached, call.usage_source) == ("0.0000125", 900.0, False, "reported")
    assert (call.raw_request, call.raw_response) == (b'{"model":"gpt-5-mini"}', b'{"choices":[]}')
    (row,) = events.get([an_id(0, kind=2)])
    assert row.function_type == "json"
    assert msgspec.json.decode(row.output) == {"raw": '{"n": 1.0}', "parsed": {"n": 1.0}}
    assert msgspec.json.decode(row.output_schema) == {"type": "object"}


def test_feedback_finds_out_what_it_is_on(source, home):
    fill(source)
    imported(source, home)
    events, _ = home
    # By the configuration, and by what is there.
    (solved,) = events.feedback_for(an_id(0, kind=1))
    assert (solved.metric_name, solved.kind, solved.level, solved.number) == ("solved", "boolean", "episode", 1.0)
    assert solved.tags == {"by": "me"}
    found = {each.metric_name: each for each in events.feedback_for(an_id(1))}
    assert {name: (each.level, each.number) for name, each in found.items()} == {
        "liked": ("inference", 0.0),
        "score": ("inference", 0.5),
        "comment": ("inference", None),
        "demonstration": ("inference", None),
    }
    assert msgspec.json.decode(found["comment"].document) == '"Good", she said'
    shown = events.demonstrated([an_id(1), an_id(0, kind=2)])
    assert msgspec.json.decode(shown[an_id(1)]) == [{"type": "text", "text": "Better."}]
    assert msgspec.json.decode(shown[an_id(0, kind=2)]) == {"raw": '{"n":2}', "parsed": {"n": 2}}


def test_a_configuration_of_theirs_can_be_read(source, home):
    fill(source)
    imported(source, home)
    found = home[0].snapshot(SNAPSHOT)
    assert found.version == "tensorzero 2026.6.0"
    held = msgspec.json.decode(found.config)
    assert (held["gateway"], held["toml"], held["tags"]) == ("tensorzero", CONFIG, {"stage": "test"})
    shown = msgspec.json.decode(encode_config(found.hash, found.config))
    assert shown["config"]["metrics"]["solved"]["level"] == "episode"
    assert shown["extra_templates"] == {"answer/system.minijinja": "Be brief."}


def test_datapoints_keep_their_ids_and_stale_ones_are_past_versions(source, home):
    fill(source)
    imported(source, home)
    _, catalogue = home
    with catalogue.reading() as view:
        dataset = view.dataset("golden")
        now = view.datapoints(DatapointQuery(dataset_name="golden"))
        (stale,) = view.find_datapoints([an_id(3, kind=5)])
    assert dataset.datapoints == 3
    assert [each.id for each in now] == [an_id(number, kind=5) for number in (2, 1, 0)]
    assert now[0].tags == {"split": "test"}
    assert (now[0].origin.source, now[0].origin.inference_id) == ("inference", an_id(2))
    assert now[0].updated_at == START_MS + 5_000
    assert (stale.staled_at, stale.until) == (START_MS + 9_000, dataset.version)


def test_examples_are_datapoints_of_their_function_and_variant(source, home):
    fill(source)
    imported(source, home)
    _, catalogue = home
    with catalogue.reading() as view:
        second, first = view.datapoints(DatapointQuery(dataset_name="dicl-answer-learned"))
        (json,) = view.datapoints(DatapointQuery(dataset_name="dicl-extract-learned"))
    assert [each.id for each in (first, second, json)] == [an_id(number, kind=7) for number in range(3)]
    assert (first.content.type, first.content.function_name, first.tags) == ("chat", "answer", {})
    assert first.content.input.messages[0].content == (Text("Example 0"),)
    assert first.content.output == (Text("Answer 0."),)
    assert (first.origin.source, first.updated_at) == ("import", id_millis(first.id))
    assert (json.content.type, json.tags) == ("json", {"namespace": "acme"})
    assert (json.content.output.raw, bytes(json.content.output.parsed)) == ('{"n":1}', b'{"n": 1}')


def test_examples_come_page_by_page_and_go_on_where_an_import_was_killed(source, home):
    source.add("dicl_examples", *(an_example(number) for number in range(9)))
    source.add("dicl_examples", an_example(9, output=None, id=an_id(10, kind=7)), an_example(11, input={"messages": 3}))

    class Killed(Exception):
        pass

    def kill(table, done, _):
        if done >= 4:
            raise Killed

    with pytest.raises(Killed):
        imported(source, home, progress=kill)
    for added in (5, 0):
        report = imported(source, home)
        assert by_table(report)["dicl_examples"] == (11, 9, added, 2)
        assert "dicl_examples: an example without an input or an output" in report.reasons
    source.add("dicl_examples", an_example(12))
    assert by_table(imported(source, home))["dicl_examples"] == (12, 10, 1, 2)


def test_a_second_run_adds_only_what_is_new(source, home):
    fill(source)
    first = imported(source, home)
    second = imported(source, home)
    assert second.incarnation == first.incarnation
    assert all(each.added == 0 for each in second.tables)
    assert {each.table: each.here for each in second.tables} == {each.table: each.here for each in first.tables}
    later, early = a_chat(50), a_chat(4, id=an_id(2, kind=9))
    source.add("chat_inferences", later, early)
    source.add("model_inferences", a_call(later), a_call(early, 1))
    source.add("float_metric_feedback", a_judgement(60, target_id=later["id"], metric_name="score", value=1.5))
    source.add("chat_datapoints", a_datapoint(7))
    third = by_table(imported(source, home))
    assert third["chat_inferences"] == (8, 8, 2, 0)
    assert third["model_inferences"] == (10, 10, 2, 0)
    assert third["float_metric_feedback"] == (2, 2, 1, 0)
    assert third["chat_datapoints"] == (5, 5, 1, 0)
    assert len(home[0].find(Query(limit=100))) == 10


def test_calls_that_came_after_their_inference_was_read_still_come(source, home, tmp_path):
    source.add("chat_inferences", a_chat(1))
    assert by_table(imported(source, home))["model_inferences"] == (0, 0, 0, 0)
    source.add("model_inferences", a_call(a_chat(1)))
    report = by_table(imported(source, home))
    assert report["model_inferences"] == (1, 1, 1, 0)
    assert report["chat_inferences"] == (1, 1, 0, 0)
    assert by_table(imported(source, home))["model_inferences"] == (1, 1, 0, 0)
    assert accounting(tmp_path / "spool", home[0]).total.missing == 0


def test_what_became_of_a_datapoint_is_followed_unless_it_was_changed_here(source, home):
    fill(source)
    imported(source, home)
    source.change("chat_datapoints", an_id(0, kind=5), staled_at=START_MS + 20_000, updated_at=START_MS + 20_000)
    source.change("chat_datapoints", an_id(1, kind=5), name="renamed", updated_at=START_MS + 21_000)
    assert by_table(imported(source, home))["chat_datapoints"] == (4, 4, 0, 0)
    _, catalogue = home
    with catalogue.reading() as view:
        gone, renamed = view.find_datapoints([an_id(0, kind=5), an_id(1, kind=5)])
        version = view.dataset("golden").version
    assert (gone.staled_at, renamed.name, renamed.until) == (START_MS + 20_000, "renamed", None)
    imported(source, home)
    with catalogue.reading() as view:
        assert view.dataset("golden").version == version


def test_rows_that_cannot_be_ours_go_to_quarantine_once_with_their_reason(source, home):
    fill(source)
    source.add("chat_inferences", a_chat(20, output={"neither": "list"}))
    source.add("boolean_metric_feedback", a_judgement(21, target_id=an_id(99), metric_name="lost", value=True))
    source.add("chat_datapoints", a_datapoint(22, dataset_name="tensorzero::mine"))
    for _ in range(2):
        report = imported(source, home)
        counts = by_table(report)
        assert counts["chat_inferences"][1::2] == (6, 1)
        assert counts["boolean_metric_feedback"][1::2] == (2, 1)
        assert counts["chat_datapoints"][1::2] == (4, 1)
        assert report.quarantined == 3
        assert "chat_inferences: output is no list" in report.reasons
    entries = home[0].quarantined()
    assert [entry.state for entry in entries] == ["refused"] * 3
    kept = msgspec.json.decode(entries[0].frame)
    assert kept["id"] == an_id(20)
    assert entries[0].reason.startswith(f"chat_inferences {an_id(20)}: ")


@pytest.mark.parametrize("state", ["waiting", "dropped"])
def test_what_a_person_did_to_a_quarantined_row_brings_no_second_one(source, home, state):
    source.add("chat_inferences", a_chat(20, output={"neither": "list"}))
    source.add("chat_datapoints", a_datapoint(22, dataset_name="builder"))
    imported(source, home)
    events, _ = home
    for entry in events.quarantined():
        if state == "waiting":
            # As the recorder does when it has tried again.
            events.mark(entry.id, "refused", "these bytes are no frame")
        else:
            events.mark(entry.id, state)
    assert imported(source, home).quarantined == 2


def test_the_books_stay_balanced(source, home, tmp_path):
    fill(source)
    source.add("chat_inferences", a_chat(20, output={"neither": "list"}))
    imported(source, home)
    total = accounting(tmp_path / "spool", home[0]).total
    assert (total.missing, total.quarantined, total.accepted) == (0, 1, total.stored + 1)


def test_columns_without_a_place_are_named(source, home):
    source.add("chat_inferences", a_chat(1, extra_body=[{"pointer": "/seed", "value": 1}]))
    report = imported(source, home)
    assert [(each.what, each.rows) for each in report.left_out] == [("extra_body of inferences", 1)]


def test_tools_and_streams(source, home):
    tool = {"name": "look_up", "description": "Looks up.", "parameters": {"type": "object"}, "strict": True}
    row = a_chat(
        1,
        ttft_ms=30,
        dynamic_tools=[{"type": "function", **tool}],
        allowed_tools={"tools": ["look_up"], "choice": "explicit"},
        tool_choice={"specific": "look_up"},
        parallel_tool_calls=False,
        output=[
            {
                "type": "tool_call",
                "id": "c",
                "name": "look_up",
                "arguments": {"q": 1},
                "raw_name": "look_up",
                "raw_arguments": '{"q":1}',
            }
        ],  # noqa: E501
    )
    source.add("chat_inferences", row)
    imported(source, home)
    (found,) = home[0].get([an_id(1)])
    assert (found.stream, found.ttft_ms) == (True, 30.0)
    tools = msgspec.json.decode(found.tool_params)
    assert tools["tools"] == [tool]
    assert (tools["allowed"], tools["choice"], tools["parallel"]) == (["look_up"], {"specific": "look_up"}, False)
    assert msgspec.json.decode(found.output) == row["output"]


def test_two_runs_at_once_do_not_count_twice(source, home):
    fill(source, jsons=0)
    seen = []

    def other(table, done, total):
        if not seen and table == "chat_inferences":
            seen.append(table)
            imported(source, home)

    with pytest.raises(Exception, match="another process imports the same source"):
        imported(source, home, progress=other, page=2)
    assert by_table(imported(source, home))["chat_inferences"] == (6, 6, 0, 0)
