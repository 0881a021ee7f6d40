import pytest

from calibrant.base.errors import InputInvalid, RenderError
from calibrant.render.inputs import check_input
from calibrant.render.prompt import render_input
from calibrant.render.schema import Schema
from calibrant.render.template import Templates, compile_problems
from calibrant.types.content import RawText, Template, Text, ToolResult
from calibrant.types.message import Input, Message

NAMED = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def user(*blocks):
    return Message("user", blocks)


def test_plain_text_passes_as_it_is_without_templates():
    message = user(Text("{{ not a template }}"), ToolResult("1", "f", "r"))
    assert render_input(Input((message,), "sys"), None, frozenset()) == ("sys", (message,))


def test_new_style_templates_leave_plain_text_alone_and_render_arguments():
    templates = Templates({"user": "Hi {{ name }}", "other": "O {{ x }}"}, {})
    message = user(Text("plain"), Template("user", {"name": "Ada"}), Template("other", {"x": 1}), RawText("{{ raw }}"))
    _, (rendered,) = render_input(Input((message,)), templates, frozenset())
    assert rendered == user(Text("plain"), Text("Hi Ada"), Text("O 1"), Text("{{ raw }}"))


def test_a_legacy_template_gets_plain_text_as_a_variable():
    templates = Templates({"user": "<{{ user_text }}>", "assistant": "never"}, {})
    messages = (user(Text("a")), Message("assistant", (Text("b"),)))
    _, rendered = render_input(Input(messages), templates, frozenset({"user"}))
    assert rendered == (user(Text("<a>")), Message("assistant", (Text("b"),)))


@pytest.mark.parametrize(
    ("system", "expected"), [({"tone": "dry"}, "Be dry."), (None, RenderError), ("text", RenderError)]
)
def test_the_system_template_always_applies(system, expected):
    templates = Templates({"system": "Be {{ tone }}."}, {})
    if expected is RenderError:
        with pytest.raises(RenderError, match="tone"):
            render_input(Input((), system), templates, frozenset())
    else:
        assert render_input(Input((), system), templates, frozenset())[0] == expected


def test_system_text_is_a_variable_of_the_system_template():
    assert render_input(Input((), "x"), Templates({"system": "[{{ system_text }}]"}, {}), frozenset())[0] == "[x]"


def test_what_is_undefined_is_an_error_that_quotes_no_values():
    templates = Templates({"user": "{{ name }}{{ missing }}"}, {})
    with pytest.raises(RenderError, match="missing") as caught:
        templates.render("user", {"name": "s3cret"})
    assert "s3cret" not in caught.value.message


def test_mappings_are_walked_by_filter():
    assert Templates({"t": "{% for k, v in d|items %}{{ k }}{% endfor %}"}, {}).render("t", {"d": {"a": 1}}) == "a"


def test_templates_include_what_they_were_given():
    assert Templates({"t": "{% include 'x/y.minijinja' %}!"}, {"x/y.minijinja": "inner"}).render("t", {}) == "inner!"


def test_every_template_that_does_not_compile_is_named():
    problems = compile_problems({"a": "{% if %}", "b": "fine", "c": "{{"}, {})
    assert len(problems) == 2
    assert "'a'" in problems[0]
    assert "'c'" in problems[1]


@pytest.mark.parametrize(
    ("given", "where"),
    [
        (Input((user(Template("user", {"name": 3})),)), r"input.messages\[0\].content\[0\].arguments .*\$\.name"),
        (Input((user(Text("x"), Template("nope", {})),)), r"input.messages\[0\].content\[1\].*no schema.*'nope'"),
        (Input((), {"a": 1}), "input.system"),
    ],
)
def test_arguments_that_break_the_contract_are_named_with_their_path(given, where):
    with pytest.raises(InputInvalid, match=where):
        check_input(given, {"user": Schema(NAMED)}, frozenset())


@pytest.mark.parametrize("system", [None, "text", {"name": 1}])
def test_a_system_schema_wants_its_arguments(system):
    with pytest.raises(InputInvalid, match=r"input\.system"):
        check_input(Input((), system), {"system": Schema(NAMED)}, frozenset())
    check_input(Input((), {"name": "Ada"}), {"system": Schema(NAMED)}, frozenset())


def test_text_for_a_role_whose_template_has_a_schema_is_refused():
    with pytest.raises(InputInvalid, match="arguments"):
        check_input(Input((user(Text("x")),)), {"user": Schema(NAMED)}, frozenset({"user"}))
    check_input(Input((user(Text("x")),)), {"user": Schema(NAMED)}, frozenset())
