"""A datapoint against its function."""

import pytest
from msgspec import Raw

from calibrant.base.errors import InvalidRequest, NotFound
from calibrant.datasets.checking import checked_content
from calibrant.types.content import Template, Text, ToolCall
from calibrant.types.datapoint import Content, JsonValue, ToolParams
from calibrant.types.message import Input, Message
from calibrant.types.tool import CustomTool, Tool

HELLO = Input((Message("user", (Text("Hello"),)),))


def greeting(**arguments):
    return Input((Message("user", (Template("greet", arguments),)),))


def chat(given=HELLO, output=None, tools=ToolParams()):
    return Content("chat", "chat", given, output, tools)


def call(name, arguments):
    return ToolCall("1", name, arguments, "whatever", "the sender says")


def test_what_fits_is_kept(compiler):
    assert checked_content(compiler, chat(greeting(name="Ada"))) == chat(greeting(name="Ada"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (chat(greeting(name=1)), "input.messages[0].content[0].arguments"),
        (chat(Input(system={})), "input.system"),
        (Content("json", "chat", HELLO), "is of type 'chat', and the datapoint of type 'json'"),
        (Content("json", "tensorzero::default", HELLO), "is of type 'chat'"),
        (chat(tools=ToolParams(allowed_tools=("none",))), "unknown ['none']"),
        (chat(tools=ToolParams(tools=(Tool("weather", "", {}),))), "more than one tool"),
        (Content("json", "extract", HELLO, output_schema={"type": 1}), "output_schema is no JSON Schema"),
    ],
)
def test_what_does_not_is_refused(compiler, content, said):
    with pytest.raises(InvalidRequest) as refused:
        checked_content(compiler, content)
    assert said in refused.value.message


def test_an_unknown_function(compiler):
    with pytest.raises(NotFound):
        checked_content(compiler, Content("chat", "none", HELLO))


def test_the_function_behind_models_has_nothing_to_check_by(compiler):
    content = Content("chat", "tensorzero::default", HELLO)
    assert checked_content(compiler, content) == content


def test_calls_are_read_by_the_tools_schemas(compiler):
    output = (
        Text("t"),
        call("weather", '{"city":"Rome"}'),
        call("weather", '{"city":1}'),
        call("get_news", '{"city":"Rome"}'),
        call("ghost", "{}"),
        call("own", "as text"),
    )
    found = checked_content(compiler, chat(output=output, tools=ToolParams(custom_tools=(CustomTool("own"),)))).output
    named = [(block.name, block.arguments) for block in found[1:]]
    rome = Raw(b'{"city":"Rome"}')
    assert [(name, bytes(value) if isinstance(value, Raw) else value) for name, value in named] == [
        ("weather", bytes(rome)),
        ("weather", None),
        ("get_news", bytes(rome)),
        (None, None),
        ("own", None),
    ]


@pytest.mark.parametrize(
    ("raw", "parsed"), [('{"age":36}', b'{"age":36}'), ('{"age":"x"}', b"null"), ("no JSON", b"null")]
)
def test_a_wrong_output_is_kept_and_marked(compiler, raw, parsed):
    found = checked_content(compiler, Content("json", "extract", HELLO, JsonValue(raw, Raw(b'"not read"'))))
    assert (found.output.raw, bytes(found.output.parsed)) == (raw, parsed)
    assert found.output_schema["required"] == ["age"]


def test_a_schema_of_its_own_takes_the_place_of_the_functions(compiler):
    own = {"type": "array"}
    found = checked_content(compiler, Content("json", "extract", HELLO, JsonValue("[1]"), output_schema=own))
    assert bytes(found.output.parsed) == b"[1]" and found.output_schema == own
    assert checked_content(compiler, Content("json", "extract", HELLO, JsonValue(None))).output == JsonValue(None)
