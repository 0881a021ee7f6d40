"""From a model's reply to the function's output."""

import msgspec
import pytest
from tests.support.engine import content, function, model, said, variant

from calibrant.engine.output import parse_json
from calibrant.render.schema import Schema
from calibrant.types.tool import Tool

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = Tool("weather", "", CITY)


@pytest.fixture
def json_line(line, tmp_path):
    (tmp_path / "city.json").write_bytes(msgspec.json.encode(CITY))
    toml = model() + function(variant(extra='json_mode = "on"'), kind="json", extra='output_schema = "city.json"')
    return lambda *steps: line(toml, *steps)


@pytest.mark.parametrize(
    ("raw", "parsed"),
    [
        ('{"city": "Rome"}', b'{"city": "Rome"}'),
        ('{"city": 3}', None),
        ("not json", None),
        ('{"city": "Rome"', None),
        ("", None),
    ],
)
def test_output_that_breaks_its_schema_is_null_beside_what_the_model_wrote(json_line, raw, parsed):
    it = json_line(said(raw))
    answered = it.infer()
    assert answered.raw == (raw or None)
    assert (answered.parsed and bytes(answered.parsed)) == parsed
    stored = msgspec.json.decode(it.row.output)
    assert stored == {"raw": raw or None, "parsed": parsed and msgspec.json.decode(parsed)}
    assert (it.row.status, it.row.http_status) == ("ok", 200)


def test_a_call_of_respond_is_no_output_unless_it_was_asked_for(json_line):
    answered = json_line(said("{}", calls=[("respond", '{"city":"Rome"}')])).infer()
    assert (answered.raw, answered.parsed) == ("{}", None)


def test_an_answer_without_text_has_no_output(json_line):
    answered = json_line(said(None, calls=[("x", "{}")])).infer()
    assert (answered.raw, answered.parsed) == (None, None)


def test_the_last_text_is_the_output_the_json_tool_after_what_the_model_says(line, tmp_path):
    (tmp_path / "city.json").write_bytes(msgspec.json.encode(CITY))
    toml = model() + function(variant(extra='json_mode = "tool"'), kind="json", extra='output_schema = "city.json"')
    answered = line(toml, said("Let me think.", calls=[("respond", '{"city":"Rome"}')], finish="tool_calls")).infer()
    assert answered.raw == '{"city":"Rome"}'
    assert bytes(answered.parsed) == b'{"city":"Rome"}'
    assert answered.finish_reason == "stop"


def test_a_schema_of_the_request_judges_the_output(json_line):
    it = json_line(said("[1]"))
    assert bytes(it.infer(output_schema={"type": "array"}).parsed) == b"[1]"
    assert it.infer().parsed is None
    assert it.records[0].inference.output_schema == b'{"type":"array"}'


@pytest.mark.parametrize("text", ["1.00000000000000000000001", "123456789012345678901234567890", "1E2"])
def test_numbers_keep_every_digit(text):
    assert bytes(parse_json(text, Schema({"type": "number"}))) == text.encode()


@pytest.mark.parametrize("text", ["[" * 100_000, "NaN", "1e999", '"\\ud800"', "{} {}"])
def test_what_is_no_json_is_null(text):
    assert parse_json(text, None) is None


@pytest.mark.parametrize(
    ("name", "arguments", "known", "parsed"),
    [
        ("weather", '{"city": "Rome"}', "weather", {"city": "Rome"}),
        ("weather", '{"town": "Rome"}', "weather", None),
        ("weather", "{", "weather", None),
        ("nope", '{"city": "Rome"}', None, None),
    ],
)
def test_a_tool_call_is_checked_and_kept_as_it_came(line, name, arguments, known, parsed):
    it = line(model() + function(), said(None, calls=[(name, arguments)], finish="tool_calls"))
    expected = {"type": "tool_call", "id": "call_0", "raw_name": name, "raw_arguments": arguments}
    answered = it.infer(tools=(TOOL,))
    assert answered.finish_reason == "tool_call"
    (stored,) = msgspec.json.decode(it.row.output)
    assert stored == expected | {"name": known, "arguments": parsed}


def test_text_and_calls_keep_their_order(line):
    answered = line(model() + function(), said("First.", calls=[("weather", "{}"), ("x", "{}")])).infer(tools=(TOOL,))
    assert [block["type"] for block in content(answered)] == ["text", "tool_call", "tool_call"]


def test_a_call_of_a_function_without_tools_names_no_known_one(line):
    answered = line(model() + function(), said(None, calls=[("weather", "{}")])).infer()
    assert (answered.content[0].name, answered.content[0].raw_name) == (None, "weather")
