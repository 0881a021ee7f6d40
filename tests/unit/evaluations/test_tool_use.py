"""Whether the right tools were called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.evaluations.outputs import item, json_output

from calibrant.base.errors import ConfigError, EvaluatorFailed
from calibrant.evaluations.tool_use import ToolUse
from calibrant.types.content import Text, Thought, ToolCall

NAMES = st.lists(st.sampled_from("abc"), max_size=4)


def calls(names):
    return (Text("Let me see."), Thought("a"), *(ToolCall(str(i), name, "{}") for i, name in enumerate(names)))


@pytest.mark.parametrize(
    ("behavior", "tools", "called", "score"),
    [
        ("none", "", "", 1),
        ("none", "", "a", 0),
        ("any", "", "a", 1),
        ("any", "", "", 0),
        ("none_of", "ab", "cd", 1),
        ("none_of", "ab", "", 1),
        ("none_of", "ab", "ca", 0),
        ("any_of", "ab", "cb", 1),
        ("any_of", "ab", "c", 0),
        ("any_of", "ab", "", 0),
        ("all_of", "ab", "cba", 1),
        ("all_of", "ab", "b", 0),
        ("all_of", "aab", "ab", 0),
        ("all_of", "aab", "aba", 1),
        ("all_of", "a", "aaa", 1),
    ],
)
def test_behaviors(behavior, tools, called, score):
    assert ToolUse("t", behavior, tuple(tools)).score(item(), calls(called)) == score


def test_names_are_those_that_the_model_wrote():
    call = ToolCall("1", "wether", "{}", "weather", {})
    assert ToolUse("t", "any_of", ("weather",)).score(item(), (call,)) == 0
    assert ToolUse("t", "any_of", ("wether",)).score(item(), (call,)) == 1


@given(NAMES, NAMES.filter(bool))
def test_behaviors_agree(called, tools):
    def score(behavior, *names):
        return ToolUse("t", behavior, names).score(item(), calls(called))

    assert score("none") + score("any") == 1
    assert score("none_of", *tools) + score("any_of", *tools) == 1
    assert score("all_of", *tools) <= score("any_of", *tools) <= score("any")


def test_a_json_function_calls_no_tools():
    with pytest.raises(EvaluatorFailed, match="t: a JSON function calls no tools"):
        ToolUse("t", "none").score(item(), json_output({}))


@pytest.mark.parametrize(
    ("behavior", "tools", "message"),
    [
        ("all_of", (), "t: tools: is empty"),
        ("none_of", (), "is empty"),
        ("any_of", (), "is empty"),
        ("none", ("a",), "write `none_of`"),
        ("any", ("a",), "write `any_of`"),
    ],
)
def test_tools_that_do_not_fit(behavior, tools, message):
    with pytest.raises(ConfigError, match=message):
        ToolUse("t", behavior, tools)
