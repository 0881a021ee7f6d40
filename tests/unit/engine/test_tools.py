"""Which tools an inference has, which of them may be called, and what of it is the request's fault."""

from time import monotonic

import msgspec
import pytest
from tests.support.engine import content, function, model, request, said, variant

from calibrant.base.errors import InvalidRequest
from calibrant.engine.engine import Caller
from calibrant.engine.resolve import resolve
from calibrant.types.extra import ProviderTool
from calibrant.types.request import Params
from calibrant.types.tool import CustomTool, Specific, Tool, ToolConfig

WEATHER = """
[tools.weather]
name = "get_weather"
description = "The weather."
parameters = "weather.json"
[tools.news]
description = "The news."
parameters = "weather.json"
[tools.spare]
description = "No function has it."
parameters = "weather.json"
"""
TOOLS = WEATHER + model() + function(extra='tools = ["weather", "news"]')
JSON = model() + function(variant(extra='json_mode = "on"'), kind="json")
SQL = CustomTool("sql")
SCHEMA = {"type": "object", "required": ["a"]}


@pytest.fixture
def engine(line, tmp_path):
    (tmp_path / "weather.json").write_text('{"type": "object", "required": ["city"]}')
    return lambda toml, *steps, **options: line(toml, *steps, **options)


@pytest.fixture
def plan(engine):
    return lambda toml, **fields: resolve(engine(toml).engine, request(**fields), Caller(), monotonic())


def tool(name="extra", **parameters):
    return Tool(name, "", parameters or {"type": "object"})


def names(found):
    return [tool.name for tool in found.tools], [tool.name for tool in found.custom]


def test_tools_of_both_kinds_join_those_of_the_function(plan):
    found = plan(TOOLS, tools=(tool(),), custom_tools=(SQL,))
    assert names(found.tools) == (["get_weather", "news", "extra"], ["sql"])
    assert set(found.tool_schemas) == {"get_weather", "news", "extra", "sql"}
    assert found.tool_schemas["sql"] is None


def test_all_are_listed_where_some_may_be_called(plan):
    """So that a provider that can be told of both keeps its prompt cache."""
    found = plan(TOOLS, tools=(tool(),), custom_tools=(SQL,), allowed_tools=("sql", "weather"), dialect="openai_chat")
    assert names(found.tools) == (["get_weather", "news", "extra"], ["sql"])
    assert found.tools.allowed == ("sql", "get_weather")
    assert set(found.tool_schemas) == {"sql", "get_weather"}


@pytest.mark.parametrize("allowed", [("weather", "news"), ("news", "get_weather", "news"), None])
def test_where_all_may_be_called_nothing_is_narrowed(plan, allowed):
    assert plan(TOOLS, allowed_tools=allowed).tools.allowed is None


def test_natively_the_list_is_of_configured_tools_and_the_requests_own_may_be_called_anyway(plan):
    found = plan(TOOLS, tools=(tool(),), custom_tools=(SQL,), allowed_tools=("weather",))
    assert found.tools.allowed == ("get_weather", "extra", "sql")
    assert plan(TOOLS, tools=(tool(),), allowed_tools=()).tools.allowed == ("extra",)


def test_a_configured_tool_may_be_allowed_where_the_function_lacks_it(plan):
    found = plan(TOOLS, allowed_tools=("spare", "news"))
    assert names(found.tools)[0] == ["get_weather", "news", "spare"]
    assert found.tools.allowed == ("spare", "news")
    by_model = plan(TOOLS, model_name="m", allowed_tools=("weather",))
    assert (names(by_model.tools)[0], by_model.tools.allowed) == (["get_weather"], None)
    assert not by_model.tool_schemas["get_weather"].accepts({})


def test_a_call_of_a_tool_that_may_not_be_called_names_no_known_one(engine):
    it = engine(TOOLS, said(None, calls=[("news", '{"city":"x"}'), ("get_weather", '{"city":"x"}')]))
    answered = it.infer(allowed_tools=("weather",))
    assert [(block.name, block.raw_name) for block in answered.content] == [
        (None, "news"),
        ("get_weather", "get_weather"),
    ]
    assert msgspec.json.decode(it.row.tool_params, type=ToolConfig).allowed == ("get_weather",)


def test_no_allowed_tool_is_no_tool(plan):
    assert plan(TOOLS, allowed_tools=()).tools is None
    left = plan(TOOLS, allowed_tools=(), tool_choice="required", parallel_tool_calls=False).tools
    assert left == ToolConfig((), "required", False)


def test_a_choice_may_be_of_the_providers_own_tools_alone(engine):
    it = engine(model() + function(), said())
    search = {"type": "web_search"}
    it.infer(tool_choice="required", provider_tools=(ProviderTool(search),))
    assert (it.sender.bodies[0]["tools"], it.sender.bodies[0]["tool_choice"]) == ([search], "required")
    it.infer(tool_choice="required")
    assert "tool_choice" not in it.sender.bodies[1]


def test_a_custom_tool_is_called_with_text(engine):
    calls = [{"id": "c", "type": "custom", "custom": {"name": "sql", "input": "SELECT {"}}]
    body = said(None)
    body["choices"][0]["message"]["tool_calls"] = calls
    it = engine(TOOLS, body)
    (call,) = content(it.infer(custom_tools=(SQL,)))
    assert call == {
        "type": "tool_call",
        "id": "c",
        "name": "sql",
        "arguments": None,
        "raw_name": "sql",
        "raw_arguments": "SELECT {",
    }
    assert it.sender.bodies[0]["tools"][-1] == {"type": "custom", "custom": {"name": "sql"}}
    stored = msgspec.json.decode(it.row.tool_params, type=ToolConfig)
    assert stored.custom == (SQL,)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"custom_tools": (CustomTool("news"),)}, "more than one tool named 'news'"),
        ({"custom_tools": (CustomTool("get_weather"),)}, "more than one tool named 'get_weather'"),
        ({"custom_tools": (SQL, SQL)}, "more than one tool named 'sql'"),
        ({"custom_tools": (SQL,), "tools": (tool("sql"),)}, "more than one tool named 'sql'"),
        ({"allowed_tools": ("nope",)}, "allowed_tools.*'nope'.*'spare'"),
        ({"tool_choice": Specific("nope")}, "tool_choice.*'nope' does not exist"),
        ({"tool_choice": Specific("spare")}, "tool_choice.*'spare' does not exist"),
        ({"tool_choice": Specific("news"), "allowed_tools": ("weather",)}, "'news' is not among `allowed_tools`"),
        ({"tool_choice": Specific("news"), "allowed_tools": ()}, "'news' is not among `allowed_tools`"),
        (
            {
                "tool_choice": Specific("sql"),
                "custom_tools": (SQL,),
                "allowed_tools": ("news",),
                "dialect": "openai_chat",
            },
            "'sql' is not among `allowed_tools`",
        ),
    ],
)
def test_what_is_wrong_is_named(plan, fields, says):
    with pytest.raises(InvalidRequest, match=says) as caught:
        plan(TOOLS, **fields)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": (tool(),)},
        {"custom_tools": (SQL,)},
        {"allowed_tools": ("weather",)},
        {"tool_choice": "auto"},
        {"parallel_tool_calls": False},
    ],
)
def test_a_json_function_takes_no_tools(plan, fields):
    with pytest.raises(InvalidRequest, match="'f' returns JSON and takes no tools"):
        plan(WEATHER + JSON, **fields)


def test_the_json_tool_of_a_chat_function(engine):
    it = engine(model() + function(), said(None, calls=[("respond", '{"a":1}')], finish="tool_calls"))
    answered = it.infer(params=Params(json_mode="tool"), output_schema=SCHEMA)
    assert content(answered) == [{"type": "text", "text": '{"a":1}'}]
    (sent,) = it.sender.bodies[0]["tools"]
    assert (sent["function"]["name"], sent["function"]["parameters"]) == ("respond", SCHEMA)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"output_schema": None}, "'tool' needs `output_schema` in a chat function"),
        ({}, "no other: leave out the tool 'get_weather'"),
        ({"allowed_tools": (), "tools": ()}, None),
        ({"allowed_tools": ("extra",), "tools": (tool(),)}, "leave out the tool 'get_weather'"),
        ({"function_name": "bare", "tools": (tool(),)}, "leave out the tool 'extra'"),
        ({"function_name": "bare", "custom_tools": (SQL,)}, "leave out the tool 'sql'"),
        ({"function_name": "bare", "provider_tools": (ProviderTool({"type": "x"}),)}, "leave out provider_tools"),
        ({"function_name": "bare"}, None),
        ({"model_name": "m"}, None),
    ],
)
def test_the_json_tool_needs_a_schema_and_no_other_tool(plan, fields, says):
    asked = {"params": Params(json_mode="tool"), "output_schema": SCHEMA, **fields}
    if "model_name" in fields:
        asked.pop("function_name", None)
    toml = TOOLS + function(name="bare")
    if says is None:
        assert plan(toml, **asked).output_schema.source == SCHEMA
        return
    with pytest.raises(InvalidRequest, match=says):
        plan(toml, **asked)


def test_a_schema_that_nothing_asks_for_is_refused(plan):
    with pytest.raises(InvalidRequest, match="output_schema: the function 'f' answers in chat"):
        plan(TOOLS, output_schema=SCHEMA)
    for mode in ("off", "on", "strict"):
        assert plan(TOOLS, output_schema=SCHEMA, params=Params(json_mode=mode)).output_schema.source == SCHEMA
    assert plan(JSON, output_schema=SCHEMA).output_schema.source == SCHEMA
