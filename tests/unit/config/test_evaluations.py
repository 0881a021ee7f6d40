"""What the configuration says of evaluations."""

import pytest

from calibrant.base.errors import NotFound
from calibrant.config.evaluations import ExactMatch, SetF1, evaluation_named, evaluators_of_function
from calibrant.config.load import load

TEXT = """
[functions."f.g"]
type = "json"
variants.v = { type = "chat_completion", model = "openai::m", json_mode = "strict" }
evaluators.found = { type = "set_f1", field = "/a", cutoff = 0.5 }

[functions.plain]
type = "chat"
variants.v = { type = "chat_completion", model = "openai::m" }

[evaluations.old]
type = "inference"
function_name = "f.g"
description = "as before"
evaluators.same = { type = "exact_match" }
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "c.toml").write_text(TEXT)
    return load(str(tmp_path / "c.toml"), environ={"OPENAI_API_KEY": "k"})


def test_evaluators_of_a_function(config):
    assert evaluators_of_function(config, "f.g") == {"found": SetF1(field="/a", cutoff=0.5)}
    assert evaluators_of_function(config, "plain") == {}


def test_an_evaluation(config):
    old = evaluation_named(config, "old")
    assert (old.function_name, old.description, old.evaluators) == ("f.g", "as before", {"same": ExactMatch()})


def test_what_is_not_there(config):
    with pytest.raises(NotFound, match="Unknown evaluation: 'new'"):
        evaluation_named(config, "new")
    with pytest.raises(NotFound, match="Unknown function: 'g'"):
        evaluators_of_function(config, "g")
