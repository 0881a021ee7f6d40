"""What a world cannot be is refused where it is written."""

import pytest

from calibrant.demo.simlm.parameters import (
    Assignment,
    Drift,
    Feedback,
    Injection,
    Judge,
    Latency,
    Model,
    Parameters,
    Rule,
)


@pytest.mark.parametrize(
    ("made", "fields", "says"),
    [
        (Parameters, {"intercept": float("nan")}, "intercept: must be a number"),
        (Parameters, {"seed": -1}, "seed: must be at least 0 and at most"),
        (Parameters, {"cluster_size": 0}, "cluster_size: must be at least 1"),
        (Parameters, {"difficulty_sd": -1.0}, "difficulty_sd"),
        (Parameters, {"types": {"a": 0.0}}, "types: each needs a share"),
        (Parameters, {"types": {}}, "types"),
        (Parameters, {"options": ("a", "a")}, "options: at least two different words"),
        (Parameters, {"options": ("a", "B c")}, "options"),
        (Parameters, {"models": {}}, "models: at least one"),
        (Parameters, {"models": {"judge-x": Model()}, "judges": {"x": Judge()}}, "are what judges are called"),
        (Parameters, {"rules": {"r": Rule(phrase="x", weights={"b": 1})}}, r"rules.r.weights: no types \['b'\]"),
        (Rule, {"phrase": "x", "pattern": "("}, "pattern: '.' is no regular expression"),
        (Rule, {"phrase": "x", "pattern": "y"}, "phrase: 'x' must be a text that satisfies"),
        (Rule, {"phrase": "x", "pattern": "y*"}, "pattern: 'y.' matches any prompt"),
        (Rule, {"phrase": " "}, "phrase"),
        (Rule, {"phrase": "x", "words": -1}, "words"),
        (Drift, {"period": 0.0}, "period"),
        (Model, {"input_price": -1.0}, "input_price"),
        (Model, {"family": "a b"}, "family: 'a b' must be letters"),
        (Judge, {"tpr": 1.1}, "tpr: must be at least 0 and at most 1, not 1.1"),
        (Judge, {"position": -1.1}, "position: must be at least -1"),
        (Feedback, {"rate_wrong": 2.0}, "rate_wrong"),
        (Feedback, {"delay_right_s": -1.0}, "delay_right_s"),
        (Assignment, {"skew": (0.0, 0.0)}, "skew"),
        (Assignment, {"skew": (1.0, -1.0)}, "skew"),
        (Injection, {"share": 1.5}, "share"),
        (Injection, {"text": "two\nlines"}, "text: must be one line"),
        (Latency, {"spread": -1.0}, "spread"),
    ],
)
def test_it_says_what_is_wrong(made, fields, says):
    with pytest.raises(ValueError, match=says):
        made(**fields)


def test_a_rule_is_a_phrase_or_a_pattern():
    assert Rule(phrase="a.b").matches("so A.B it is") and not Rule(phrase="a.b").matches("axb")
    rule = Rule(phrase="in 3 steps", pattern=r"\bin \d+ steps?\b")
    assert rule.matches("Do it in 12 steps.") and not rule.matches("in many steps")
