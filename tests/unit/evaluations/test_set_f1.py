"""How much of what was to be found was found."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.evaluations.outputs import invalid, item, json_output, said

from calibrant.base.errors import ConfigError, EvaluatorFailed
from calibrant.evaluations.set_f1 import SetF1, elements, f1
from calibrant.types.datapoint import JsonValue

SETS = st.frozensets(st.sampled_from("abcdefg"))
LISTS = st.lists(st.sampled_from(["a", "b", "c", 1, True, None, {"n": 1}]), max_size=5)
FOUND = st.dictionaries(st.sampled_from(["person", "place"]), LISTS, max_size=2)


def score(wanted, output, field=""):
    return SetF1("f1", field).score(item(json_output(wanted)), json_output(output))


@pytest.mark.parametrize(
    ("wanted", "output", "expected"),
    [
        (["a", "b"], ["b", "a"], 1),
        (["a", "b"], ["a"], 2 / 3),
        (["a", "b"], ["a", "c"], 1 / 2),
        (["a"], ["b"], 0),
        (["a"], [], 0),
        ([], ["a"], 0),
        ([], [], 1),
        (["a", "a"], ["a"], 1),
        ([1], [True], 0),
        ([1], [1.0], 1),
        ([{"n": 1, "m": 2}], [{"m": 2, "n": 1}], 1),
        ("a", ["a"], 1),
        (None, [], 1),
        # Of three wanted, two are found, and one that is none: F1 of 2 hits among 3 and 3.
        ({"person": ["Ada", "Bo"], "place": ["Ulm"]}, {"person": ["Ada"], "place": ["Ulm", "Bonn"]}, 2 / 3),
        # What is found under another key is not found.
        ({"person": ["Paris"]}, {"place": ["Paris"]}, 0),
        ({"person": [], "place": []}, {}, 1),
    ],
)
def test_values(wanted, output, expected):
    assert score(wanted, output) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("/tags", 2 / 3),
        ("/deep/tags", 1),
        ("/deep", 1),
        ("/pages/0/tags", 1),
        ("/pages/1/tags", 0),
        ("/a~1b", 1),
        ("/m~0n", 0),
        ("/absent", None),
        ("/pages/7", None),
        ("/pages/x", None),
        ("/tags/0/deeper", None),
    ],
)
def test_fields(field, expected):
    wanted = {
        "tags": ["a", "b"],
        "deep": {"tags": ["x"]},
        "pages": [{"tags": ["p"]}, {"tags": ["q"]}],
        "a/b": [1],
        "m~n": [1],
    }
    output = {"tags": ["a"], "deep": {"tags": ["x"]}, "pages": [{"tags": ["p"]}], "a/b": [1], "absent": ["z"]}
    assert score(wanted, output, field) == (None if expected is None else pytest.approx(expected))


def test_what_is_not_valid_scores_nothing_even_where_nothing_was_to_be_found():
    for wanted in (["a"], [], {}):
        assert SetF1("f1").score(item(json_output(wanted)), invalid()) == 0


def test_without_a_reference_there_is_no_score():
    assert SetF1("f1").score(item(), json_output([])) is None
    assert SetF1("f1").score(item(invalid()), json_output([])) is None


@given(SETS, SETS)
def test_f1_is_between_0_and_1_and_symmetric_and_1_for_equal_sets_alone(one, other):
    assert 0 <= f1(one, other) <= 1
    assert f1(one, other) == f1(other, one)
    assert (f1(one, other) == 1) is (one == other)
    if one and other:
        precision, recall = len(one & other) / len(other), len(one & other) / len(one)
        mean = 2 * precision * recall / (precision + recall) if precision else 0
        assert f1(one, other) == pytest.approx(mean)


@given(FOUND, FOUND)
def test_which_is_the_reference_does_not_matter(one, other):
    assert score(one, other) == score(other, one)
    assert score(one, one) == 1


@given(FOUND, FOUND)
def test_hits_of_all_keys_are_added_up(one, other):
    hits = sum(len(elements(one.get(key)) & elements(other.get(key))) for key in ("person", "place"))
    sizes = sum(len(elements(found.get(key))) for found in (one, other) for key in ("person", "place"))
    assert score(one, other) == pytest.approx(2 * hits / sizes if sizes else 1)


def test_outputs_of_chat_functions():
    with pytest.raises(EvaluatorFailed, match="f1: .* JSON functions"):
        SetF1("f1").score(item(said("[]")), said("[]"))
    with pytest.raises(EvaluatorFailed, match="JSON functions"):
        SetF1("f1").score(item(said("[]")), json_output([]))


def test_a_field_that_is_no_pointer():
    with pytest.raises(ConfigError, match="f1: field: 'tags' is no JSON Pointer"):
        SetF1("f1", "tags")


def test_what_is_nested_too_deeply_is_said():
    raw = b'{"a":' * 970 + b"1" + b"}" * 970
    deep = JsonValue(raw.decode(), msgspec.Raw(raw))
    with pytest.raises(EvaluatorFailed, match="nested too deeply"):
        SetF1("f1").score(item(deep), deep)
