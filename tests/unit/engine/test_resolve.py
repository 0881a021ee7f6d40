"""What is decided before anybody is called, and what is wrong with a request."""

from time import monotonic

import pytest
from tests.support.engine import function, model, request, variant

from calibrant.base.errors import InputInvalid, InvalidRequest, NotFound
from calibrant.base.ids import uuid7
from calibrant.engine.engine import Caller
from calibrant.engine.resolve import resolve
from calibrant.types.content import Template, Text, ToolCall
from calibrant.types.message import Input, Message
from calibrant.types.tool import Specific, Tool

TWO = function(variant("a"), variant("b"))
WEATHER = """
[tools.weather]
name = "get_weather"
description = "The weather."
parameters = "weather.json"
[tools.news]
description = "The news."
parameters = "weather.json"
"""
TOOLS = WEATHER + model() + function(extra='tools = ["weather", "news"]\nparallel_tool_calls = true')


@pytest.fixture
def plan(line, tmp_path):
    """Resolve a request against a configuration."""
    (tmp_path / "weather.json").write_text('{"type": "object", "required": ["city"]}')

    def _plan(toml, **fields):
        return resolve(line(toml).engine, request(**fields), Caller(), monotonic())

    return _plan


def tool(name="extra", **parameters):
    return Tool(name, "", parameters or {"type": "object"})


def order(plan):
    return [variant.variant.name for variant in plan.draw.order]


def test_an_episode_keeps_its_variant_and_episodes_are_spread(plan):
    episode = uuid7()
    assert len({plan(model() + TWO, episode_id=episode).draw.assigned for _ in range(5)}) == 1
    assert {plan(model() + TWO).draw.assigned for _ in range(40)} == {"a", "b"}


def test_an_episode_is_made_where_none_is_given(plan):
    made, episode = plan(model() + TWO), uuid7()
    assert made.episode_id not in ("", made.inference_id)
    assert plan(model() + TWO, episode_id=episode).episode_id == episode


def test_the_draw_comes_first_then_the_others_then_the_fallbacks(plan):
    toml = function(
        *[variant(name) for name in "abcd"],
        extra='experimentation = { type = "static", candidate_variants = { a = 3, b = 1 }, '
        'fallback_variants = ["d", "c"] }',
    )
    drawn = plan(model() + toml)
    tried = order(drawn)
    assert tried[0] == drawn.draw.assigned
    assert (set(tried[:2]), tried[2:]) == ({"a", "b"}, ["d", "c"])
    assert drawn.draw.probability == {"a": 0.75, "b": 0.25}[drawn.draw.assigned]


def test_where_nothing_is_drawn_the_first_fallback_is_certain(plan):
    extra = 'experimentation = { type = "uniform", fallback_variants = ["b", "a"] }'
    drawn = plan(model() + function(variant("a"), variant("b"), extra=extra))
    assert (drawn.draw.assigned, drawn.draw.probability, order(drawn)) == ("b", 1.0, ["b", "a"])


def test_a_pinned_variant_is_the_only_one_and_was_not_drawn(plan):
    pinned = plan(model() + TWO, variant_name="b")
    assert (pinned.draw.assigned, pinned.draw.probability, pinned.draw.pinned, order(pinned)) == (
        "b",
        None,
        True,
        ["b"],
    )
    assert pinned.tags == {"tensorzero::variant_pinned": "b"}


def test_reserved_tags_say_what_the_request_asked_for(plan):
    tags = {"user": "u"}
    found = plan(model() + TWO, tags=tags, namespace="n", internal=True)
    assert found.tags == {"user": "u", "tensorzero::namespace": "n", "tensorzero::internal": "true"}
    assert tags == {"user": "u"}


def test_a_namespace_has_its_own_experiment_and_others_the_common_one(plan):
    extra = """experimentation = { type = "static", candidate_variants = ["a"], namespaces.n = {
        type = "static", candidate_variants = ["b"] } }""".replace("\n", " ")
    toml = model() + function(variant("a"), variant("b"), extra=extra)
    assert plan(toml, namespace="n").draw.assigned == "b"
    assert plan(toml, namespace="other").draw.assigned == "a"
    assert plan(toml).draw.assigned == "a"


@pytest.mark.parametrize("fields", [{}, {"variant_name": "v"}, {"model_name": "m"}])
def test_the_model_of_a_namespace_serves_nobody_else(plan, fields):
    toml = model(extra='namespace = "n"') + function()
    assert plan(toml, namespace="n", **fields).function.variants
    for namespace in (None, "other"):
        with pytest.raises(InvalidRequest, match="namespace.*'n'"):
            plan(toml, namespace=namespace, **fields)


def test_a_function_without_a_variant_for_this_namespace_is_refused(plan):
    toml = model(extra='namespace = "n"') + function(variant("a"), variant("b"))
    with pytest.raises(InvalidRequest, match="no variant that may serve"):
        plan(toml)


@pytest.mark.parametrize(
    ("fields", "error", "says"),
    [
        ({"function_name": "nope"}, NotFound, "'nope'.*has f"),
        ({"variant_name": "nope"}, NotFound, "'nope'.*has a, b"),
        ({"model_name": "nope"}, InvalidRequest, "no model 'nope'"),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(plan, fields, error, says):
    with pytest.raises(error, match=says):
        plan(model() + TWO, **fields)


def test_arguments_are_checked_before_anything_is_drawn(plan, tmp_path):
    (tmp_path / "user.minijinja").write_text("{{ city }}")
    toml = model() + function(
        variant(extra='templates.user.path = "user.minijinja"'), extra='schemas.user.path = "weather.json"'
    )
    with pytest.raises(InputInvalid, match="city"):
        plan(toml, input=Input((Message("user", (Template("user", {}),)),)))
    plan(toml, input=Input((Message("user", (Template("user", {"city": "Rome"}), Text("plain"))),)))


def test_a_function_has_its_tools(plan):
    tools = plan(TOOLS).tools
    assert [tool.name for tool in tools.tools] == ["get_weather", "news"]
    assert (tools.choice, tools.parallel) == ("auto", True)
    assert plan(model() + function()).tools is None


def test_tools_of_a_request_join_those_of_the_function(plan):
    found = plan(TOOLS, tools=(tool("extra"),), parallel_tool_calls=False, tool_choice="required")
    assert [tool.name for tool in found.tools.tools] == ["get_weather", "news", "extra"]
    assert (found.tools.choice, found.tools.parallel) == ("required", False)
    assert set(found.tool_schemas) == {"get_weather", "news", "extra"}


def test_allowed_tools_go_by_configuration_key(plan):
    found = plan(TOOLS, tools=(tool("extra"),), allowed_tools=("extra", "weather"))
    assert [tool.name for tool in found.tools.tools] == ["get_weather", "news", "extra"]
    assert found.tools.allowed == ("extra", "get_weather")
    assert plan(TOOLS, allowed_tools=()).tools is None


@pytest.mark.parametrize("name", ["weather", "get_weather"])
def test_a_tool_is_chosen_by_its_key_or_by_the_name_that_the_model_sees(plan, name):
    assert plan(TOOLS, tool_choice=Specific(name)).tools.choice == Specific("get_weather")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"tools": (tool("news"),)}, "more than one tool named 'news'"),
        ({"tools": (tool("get_weather"),)}, "more than one tool named 'get_weather'"),
        ({"tools": (tool("x"), tool("x"))}, "more than one tool named 'x'"),
        ({"tools": (tool("x", type=3),)}, "'x' are no JSON Schema"),
        ({"allowed_tools": ("nope",)}, "allowed_tools.*'nope'.*'weather'"),
        ({"tool_choice": Specific("nope")}, "tool_choice.*'nope'"),
        ({"tool_choice": Specific("news"), "allowed_tools": ("weather",)}, "tool_choice.*'news'"),
    ],
)
def test_tools_that_do_not_fit_are_refused(plan, fields, says):
    with pytest.raises(InvalidRequest, match=says):
        plan(TOOLS, **fields)


@pytest.mark.parametrize(
    "fields", [{"tools": (tool(),)}, {"tool_choice": "auto"}, {"allowed_tools": ("x",)}, {"parallel_tool_calls": True}]
)
def test_a_json_function_takes_no_tools(plan, fields):
    with pytest.raises(InvalidRequest, match="takes no tools"):
        plan(model() + function(variant(extra='json_mode = "off"'), kind="json"), **fields)


def test_an_output_schema_of_the_request_replaces_the_functions(plan):
    toml = model() + function(variant(extra='json_mode = "off"'), kind="json", extra='output_schema = "weather.json"')
    assert plan(toml).output_schema.source["required"] == ["city"]
    assert plan(toml, output_schema={"type": "string"}).output_schema.source == {"type": "string"}
    with pytest.raises(InputInvalid, match="output_schema is no JSON Schema"):
        plan(toml, output_schema={"type": 3})


CALL = ToolCall("c", "get_weather", "{}")


def test_a_tool_call_of_the_user_is_refused_by_its_place_before_anybody_is_asked(line):
    it = line(model() + function())
    words = Message("user", (Text("Hello."), CALL))
    with pytest.raises(InvalidRequest, match=r"input\.messages\[1\]\.content\[1\]: a tool call") as caught:
        it.infer(input=Input((Message("assistant", (CALL,)), words)))
    assert (caught.value.status, it.sender.calls, it.records) == (400, [], [])
