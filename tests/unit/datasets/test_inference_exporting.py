"""Recorded inferences as lines: ours, and those of tuning, judged by the types of OpenAI's SDK."""

import itertools

import msgspec
import pydantic
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from tests.support.homes import stored
from tests.support.records import feedback, inference, model_inference

from calibrant.base.errors import InvalidRequest, NotFound
from calibrant.client import StoredInference, StoredInferenceChat
from calibrant.datasets.inference_exporting import ExportRequest, InferenceExporter
from calibrant.store.sqlite import SqliteEvents
from calibrant.types.key import DEFAULT_FUNCTION
from calibrant.types.query import Query
from calibrant.types.rows import Inferred

HELLO = b'{"messages":[{"role":"user","content":[{"type":"text","text":"Hello"}]}],"system":"Be brief."}'
GREET = b'{"messages":[{"role":"user","content":[{"type":"template","name":"greet","arguments":{"name":"Ada"}}]}]}'
CLOCK = {"name": "clock", "description": "The time.", "parameters": {"type": "object"}, "strict": True}
TOOLS = msgspec.json.encode({"tools": [CLOCK, CLOCK | {"name": "other"}], "allowed": ["clock"], "parallel": False})

messages = pydantic.TypeAdapter(list[ChatCompletionMessageParam], config={"extra": "forbid"}).validate_python
tools = pydantic.TypeAdapter(list[ChatCompletionToolParam]).validate_python


def said(text):
    return msgspec.json.encode([{"type": "text", "text": text}])


def chat(given=HELLO, output="Hi.", **fields):
    names = {"function_name": "chat", "variant_name": "v", "function_type": "chat", "output_schema": None}
    return inference(**{**names, "input": given, "output": said(output), **fields})


def demonstration(row, document):
    return feedback(row.id, metric_name="demonstration", kind="demonstration", number=None, document=document)


@pytest.fixture
def export(tmp_path, compiler):
    events = SqliteEvents(tmp_path / "events.db")

    segments = itertools.count(1)

    def _export(*records, with_compiler=True, which=Query(), **asked):
        if records:
            number = next(segments)
            stored(events, list(records), segment=f"w.{number:08}.seg", first=number * 100)
        exporter = InferenceExporter(events, compiler if with_compiler else None, ExportRequest(which=which, **asked))
        lines = list(exporter.lines())
        assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
        assert exporter.written == len(lines)
        return [msgspec.json.decode(line) for line in lines], exporter

    yield _export
    events.close()


def test_a_line_has_all_that_was_said_of_an_inference(export):
    row, bare = chat(cost="0.1000000000000000000001"), chat(episode_id=None)
    bare = msgspec.structs.replace(bare, episode_id=bare.id)
    calls = (model_inference(row.id, attempt=1), model_inference(row.id, attempt=2))
    judged = [
        feedback(row.episode_id, metric_name="stars", kind="float", level="episode", number=4.5),
        feedback(row.id, tags={}),
        demonstration(row, said("Ho.")),
        feedback(row.id, metric_name="comment", kind="comment", number=None, document=b'"fine"'),
        feedback(bare.id, number=0.0),
    ]
    (line, other), exporter = export(Inferred(row, calls), Inferred(bare, ()), *judged)
    shown = msgspec.convert(line, StoredInference)
    assert isinstance(shown, StoredInferenceChat) and shown.inference_id == row.id and shown.output[0].text == "Hi."
    assert [(each["type"], each["value"]) for each in line["feedback"]] == [
        ("float", 4.5),
        ("boolean", True),
        ("demonstration", said("Ho.").decode()),
        ("comment", "fine"),
    ]
    assert line["feedback"][0]["target_id"] == row.episode_id and line["feedback"][1]["target_id"] == row.id
    assert "model_inferences" not in line
    # Whose episode is itself has its feedback once.
    assert [each["value"] for each in other["feedback"]] == [False]
    (line, other), _ = export(calls=True)
    assert [each["attempt"] for each in line["model_inferences"]] == [1, 2]
    assert line["model_inferences"][0]["raw_request"] == '{"model":"m"}'
    assert other["model_inferences"] == []
    assert exporter.following > 0


def test_which_inferences_and_whose_output(export):
    good, bad, failed = chat(), chat(), chat(status="error", error_code="timeout", error_message="late", output=None)
    export(*(Inferred(row, ()) for row in (good, bad, failed)), demonstration(bad, said("Better.")))
    assert [line["inference_id"] for line in export()[0]] == [good.id, bad.id]
    everything, _ = export(which=Query(include_failed=True))
    assert (everything[2]["status"], everything[2]["error_code"]) == ("error", "timeout")
    (pair,), _ = export(which=Query(source="demonstration"))
    assert (pair["output"][0]["text"], pair["dispreferred_outputs"][0][0]["text"]) == ("Better.", "Hi.")
    assert "output" not in export(which=Query(source="none"))[0][0]


def test_the_next_export_goes_on_behind(export):
    first, later = chat(), chat()
    _, exporter = export(Inferred(first, ()))
    end = exporter.following
    nothing, exporter = export(after=end)
    assert (nothing, exporter.following) == ([], end)
    (line,), exporter = export(Inferred(later, ()), after=end)
    assert line["inference_id"] == later.id
    assert exporter.following > end


def test_chat_tuning_has_the_prompt_that_was_sent_and_the_tools_that_could_be_called(export):
    asked = chat(GREET, tool_params=TOOLS)
    called = chat(
        output="",
        function_name=DEFAULT_FUNCTION,
        variant_name="openai::gpt",
        tool_params=TOOLS,
    )
    arguments = {"type": "tool_call", "id": "1", "raw_name": "clock", "raw_arguments": "{}"}
    called = msgspec.structs.replace(
        called, output=msgspec.json.encode([arguments | {"name": "clock", "arguments": {}}])
    )
    (greeted, call), exporter = export(Inferred(asked, ()), Inferred(called, ()), form="chat")
    assert greeted["messages"] == [
        {"role": "user", "content": "Greet Ada."},
        {"role": "assistant", "content": "Hi."},
    ]
    assert call["messages"][0] == {"role": "system", "content": "Be brief."}
    assert call["messages"][-1]["tool_calls"][0]["function"] == {"name": "clock", "arguments": "{}"}
    for line in (greeted, call):
        messages(line["messages"])
        assert [each["function"]["name"] for each in tools(line["tools"])] == ["clock"]
        assert line["parallel_tool_calls"] is False
    assert exporter.left_out == 0


def test_preference_pairs(export):
    better, same, none = chat(), chat(), chat()
    json = inference(function_name="extract", variant_name="v", input=HELLO, output=b'{"raw":"{\\"age\\":1}"}')
    pairs = [
        demonstration(better, said("Old.")),
        demonstration(better, said("Better.")),
        demonstration(same, said("Hi.")),
        demonstration(json, b'{"raw":"{\\"age\\":3}","parsed":{"age":3}}'),
    ]
    found, exporter = export(*(Inferred(row, ()) for row in (better, same, none, json)), *pairs, form="preference")
    assert [(line["preferred_output"], line["non_preferred_output"]) for line in found] == [
        ([{"role": "assistant", "content": new}], [{"role": "assistant", "content": old}])
        for new, old in (("Better.", "Hi."), ('{"age":3}', '{"age":1}'))
    ]
    for line in found:
        messages([*line["input"]["messages"], *line["preferred_output"], *line["non_preferred_output"]])
    assert exporter.left_out == 1
    assert "there are no two outputs that differ" in exporter.why and same.id in exporter.why


def test_what_cannot_be_written_is_counted_and_the_rest_is_written(export):
    rows = [
        chat(variant_name="gone"),
        chat(function_name="removed"),
        chat(variant_name="best"),
        chat(input=None),
        chat(input=b"no json"),
        chat(output=None),
        chat(status="error"),
        chat(),
    ]
    rows[5] = msgspec.structs.replace(rows[5], output=None)
    found, exporter = export(*(Inferred(row, ()) for row in rows), form="chat", which=Query(include_failed=True))
    assert len(found) == 1 and exporter.left_out == 7
    assert "Unknown variant: 'gone'" in exporter.why
    found, exporter = export(form="chat", variant="v")
    assert len(found) == 3 and exporter.left_out == 4 and "Unknown function: 'removed'" in exporter.why


def test_a_variant_that_is_none_is_told_at_once(export):
    with pytest.raises(NotFound, match="nobody"):
        export(form="chat", variant="nobody", which=Query(function_name="chat"))
    with pytest.raises(InvalidRequest, match="no one prompt"):
        export(form="chat", variant="best", which=Query(function_name="chat"))


def test_ours_needs_no_configuration(export):
    found, _ = export(Inferred(chat(GREET, tool_params=TOOLS), ()), with_compiler=False)
    assert [each["name"] for each in found[0]["additional_tools"]] == ["clock", "other"]
    found, exporter = export(form="chat", with_compiler=False)
    assert (found, exporter.left_out) == ([], 1)


def test_what_was_written_over_several_lines_is_on_one(export):
    row = chat()
    shown = msgspec.json.format(said("Ho."), indent=2)
    tall = msgspec.structs.replace(row, output=msgspec.json.format(row.output, indent=2))
    (line,), _ = export(Inferred(tall, ()), demonstration(row, shown))
    assert line["output"] == msgspec.json.decode(said("Hi."))
    (line,), _ = export(which=Query(source="demonstration"))
    assert line["output"] == msgspec.json.decode(said("Ho."))
