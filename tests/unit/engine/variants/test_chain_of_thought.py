"""Chain of thought: the schema that is asked for, and what becomes of thought and answer."""

import pytest
from tests.support.engine import content, function, model, said, variant

WRAPPED = '{"thinking": "First this.", "response": {"x": 1}}'


def toml(mode="strict"):
    thinking = variant("v", extra=f'json_mode = "{mode}"').replace("chat_completion", "experimental_chain_of_thought")
    return model() + function(thinking, kind="json", extra='output_schema = "out.json"')


@pytest.fixture(autouse=True)
def schema(tmp_path):
    text = '{"$defs": {"n": {"type": "integer"}}, "type": "object", "properties": {"x": {"$ref": "#/$defs/n"}}}'
    (tmp_path / "out.json").write_text(text)


def test_thought_and_answer_come_apart(line):
    it = line(toml(), said(WRAPPED))
    answered = it.infer()
    assert answered.raw == '{"x": 1}' and bytes(answered.parsed) == b'{"x": 1}'
    assert content(answered)[0] == {"type": "thought", "text": "First this."}
    asked = it.sender.bodies[0]["response_format"]["json_schema"]["schema"]
    assert list(asked["properties"]) == ["thinking", "response"]
    assert asked["properties"]["response"]["properties"] == {"x": {"$ref": "#/$defs/n"}}
    assert asked["$defs"] == {"n": {"type": "integer"}}


def test_a_stream_is_the_whole_answer_at_once(line):
    it = line(toml(), said(WRAPPED))
    stream, _ = it.stream()
    assert stream.answered.raw == '{"x": 1}' and not it.sender.bodies[0].get("stream")
    assert len(it.attempts) == 1 and it.row.status == "ok"


@pytest.mark.parametrize("text", ["no JSON", '{"x": 1}', '{"thinking": 1, "response": {}}'])
def test_what_is_not_wrapped_stays_as_it_is(line, text):
    assert line(toml(), said(text)).infer().raw == text
