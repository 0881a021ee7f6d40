"""Evaluators out of the configuration."""

import pytest

from calibrant.base.errors import ConfigError, NotFound, NotImplementedYet
from calibrant.config.evaluations import evaluation_named
from calibrant.config.load import load
from calibrant.config.snapshot import restore
from calibrant.evaluations.configured import evaluator_named, evaluators_of, evaluators_of_function
from calibrant.evaluations.exact_match import ExactMatch
from calibrant.evaluations.regex import Regex
from calibrant.evaluations.set_f1 import SetF1
from calibrant.evaluations.tool_use import ToolUse

TEXT = """
[functions.extract]
type = "json"
variants.v = { type = "chat_completion", model = "openai::m", json_mode = "strict" }
evaluators.same = { type = "exact_match", cutoff = 0.9 }
evaluators.found = { type = "set_f1", field = "/entities" }

[functions.talk]
type = "chat"
variants.v = { type = "chat_completion", model = "openai::m" }
evaluators.polite = { type = "regex", must_match = "please", must_not_match = "no" }
evaluators.looked = { type = "tool_use", behavior = "all_of", tools = ["a", "a"] }
"""
JUDGE = """
type = "llm_judge"
output_type = "boolean"
optimize = "max"
[functions.extract.evaluators.bad.variants.j]
type = "chat_completion"
model = "openai::m"
json_mode = "strict"
system_instructions = "judge.txt"
"""


@pytest.fixture
def config(tmp_path):
    def _config(more=""):
        (tmp_path / "judge.txt").write_text("Judge.")
        (tmp_path / "c.toml").write_text(TEXT + more)
        return load(str(tmp_path / "c.toml"), environ={"OPENAI_API_KEY": "k"})

    return _config


def test_evaluators_of_a_function(config):
    made = config()
    assert evaluators_of_function(made, "extract") == (SetF1("found", "/entities"), ExactMatch("same"))
    assert evaluators_of_function(made, "talk", ["looked", "polite", "looked"]) == (
        ToolUse("looked", "all_of", ("a", "a")),
        Regex("polite", "please", "no"),
    )


def test_an_evaluation_as_before(config):
    made = config(
        '[evaluations.old]\ntype = "inference"\nfunction_name = "extract"\nevaluators.a = { type = "exact_match" }'
    )
    assert evaluators_of(made, "old") == (ExactMatch("a"),)
    assert evaluation_named(made, "old").function_name == "extract"


def test_of_a_snapshot_it_is_the_same(config):
    made = config()
    assert evaluators_of_function(restore(made.canonical), "talk") == evaluators_of_function(made, "talk")


def test_what_is_not_there(config):
    made = config()
    with pytest.raises(NotFound, match="Unknown evaluation: 'x'"):
        evaluators_of(made, "x")
    with pytest.raises(NotFound, match="Unknown function: 'x'"):
        evaluators_of_function(made, "x")
    with pytest.raises(NotFound, match=r"Unknown evaluator: 'x' of the function 'talk'; there are looked, polite"):
        evaluators_of_function(made, "talk", ["polite", "x"])
    with pytest.raises(NotFound, match=r"'x' of the function 'talk'; there are exact_match, looked, polite"):
        evaluator_named(made, "talk", "x")


@pytest.mark.parametrize(
    ("evaluator", "message"),
    [
        ('type = "regex"\nmust_match = "("', r"functions\.extract\.evaluators\.bad: must_match: '\(' is no regular"),
        ('type = "regex"', r"functions\.extract\.evaluators\.bad: has no pattern"),
        ('type = "set_f1"\nfield = "a"', r"functions\.extract\.evaluators\.bad: field: 'a' is no JSON Pointer"),
        (
            'type = "tool_use"\nbehavior = "any"',
            r"functions\.extract\.evaluators\.bad: is for functions of type 'chat'",
        ),
    ],
)
def test_evaluators_that_cannot_work_are_told_with_their_place(config, evaluator, message):
    made = config(f"[functions.extract.evaluators.bad]\n{evaluator}")
    with pytest.raises(ConfigError, match=message):
        evaluators_of_function(made, "extract")
    # What is not asked for is not in the way.
    assert evaluators_of_function(made, "extract", ["same"]) == (ExactMatch("same"),)


def test_set_f1_is_for_json_functions(config):
    made = config('[functions.talk.evaluators.bad]\ntype = "set_f1"')
    with pytest.raises(ConfigError, match=r"functions\.talk\.evaluators\.bad: is for functions of type 'json'"):
        evaluators_of_function(made, "talk")


def test_an_evaluation_of_a_function_that_is_not_there(config):
    made = config('[evaluations.old]\ntype = "inference"\nfunction_name = "gone"')
    with pytest.raises(ConfigError, match=r"evaluations\.old\.function_name: there is no function 'gone'"):
        evaluators_of(made, "old")


@pytest.mark.parametrize(
    ("evaluator", "kind"),
    [
        (JUDGE, "llm_judge"),
        ('type = "typescript"\ntypescript_file = "judge.txt"\noutput_type = "float"\noptimize = "max"', "typescript"),
    ],
)
def test_kinds_that_are_not_built(config, evaluator, kind):
    made = config(f"[functions.extract.evaluators.bad]\n{evaluator}")
    with pytest.raises(NotImplementedYet, match=rf"functions\.extract\.evaluators\.bad: .*'{kind}'"):
        evaluators_of_function(made, "extract")
