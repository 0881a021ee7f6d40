"""Whether an output matches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.evaluations.outputs import invalid, item, json_output, said

from calibrant.base.errors import ConfigError
from calibrant.evaluations.regex import Regex
from calibrant.types.content import Text, ToolCall
from calibrant.types.datapoint import JsonValue


@pytest.mark.parametrize(
    ("must", "must_not", "text", "score"),
    [
        ("(?i)please", None, "Could you PLEASE?", 1),
        ("please", None, "Help!", 0),
        (None, "sorry", "Of course.", 1),
        (None, "sorry", "I am sorry.", 0),
        ("please", "sorry", "please", 1),
        ("please", "sorry", "please, sorry", 0),
        ("please", "sorry", "sorry", 0),
        (r"\A\d+\Z", None, "12", 1),
        (r"\A\d+\Z", None, "12 ", 0),
        ("", None, "", 1),
    ],
)
def test_both_patterns(must, must_not, text, score):
    assert Regex("r", must, must_not).score(item(), said(text)) == score


def test_which_text():
    cut = (Text("ple"), ToolCall("1", "sorry", "{}"), Text("ase"))
    assert Regex("r", "^please$", "sorry").score(item(), cut) == 1
    assert Regex("r", r'\{"a":1\}').score(item(), json_output({"a": 1})) == 1
    assert Regex("r", "oops").score(item(), invalid("{oops")) == 1


def test_nothing_is_found_where_nothing_was_written():
    assert Regex("r", "").score(item(), JsonValue(None)) == 0
    assert Regex("r", None, "").score(item(), JsonValue(None)) == 1


@given(st.sampled_from(["a", "b+", "^a", "c$", "[ab]c"]), st.text("abc", max_size=6))
def test_what_must_is_the_opposite_of_what_must_not(pattern, text):
    must, must_not = Regex("r", pattern), Regex("r", None, pattern)
    assert must.score(item(), said(text)) + must_not.score(item(), said(text)) == 1


@pytest.mark.parametrize(
    ("must", "must_not", "message"),
    [
        (None, None, "polite: has no pattern"),
        ("(", None, r"polite: must_match: '\(' is no regular expression"),
        (None, "(", r"polite: must_not_match: '\(' is no regular expression"),
        (r"\p{L}", None, "bad escape"),
        ("[[:alpha:]]", None, "nested set"),
    ],
)
def test_patterns_that_cannot_be(must, must_not, message):
    with pytest.raises(ConfigError, match=message):
        Regex("polite", must, must_not)
