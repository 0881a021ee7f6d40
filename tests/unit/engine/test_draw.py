"""Segments and units: whose experiment counts, and what keeps its variant."""

from time import monotonic

import pytest
from tests.support.engine import content, function, model, request, said, variant

from calibrant.base.errors import ConfigError
from calibrant.engine.draw import chances
from calibrant.engine.engine import Caller
from calibrant.engine.resolve import resolve

EXPERIMENT = """
[functions.f.experimentation]
type = "static"
unit = "user"
candidate_variants = { a = 1, b = 1 }
fallback_variants = ["c"]
[[functions.f.experimentation.segments]]
tags = { plan = "pro", region = "eu" }
candidate_variants = ["c"]
[[functions.f.experimentation.segments]]
tags = { plan = "pro" }
candidate_variants = { b = 1 }
fallback_variants = ["a"]
[functions.f.experimentation.namespaces.n]
type = "static"
candidate_variants = ["a"]
[[functions.f.experimentation.namespaces.n.segments]]
tags = { plan = "pro" }
candidate_variants = ["c"]
"""
TOML = model() + function(variant("a"), variant("b"), variant("c")) + EXPERIMENT


@pytest.fixture
def draw(line):
    engine = line(TOML).engine

    def _draw(**fields):
        return resolve(engine, request(**fields), Caller(), monotonic()).draw

    return _draw


def order(draw):
    return [variant.variant.name for variant in draw.order]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"tags": {"plan": "pro"}}, ["b", "a"]),
        ({"tags": {"plan": "pro", "region": "us"}}, ["b", "a"]),
        ({"tags": {"plan": "pro", "region": "eu"}}, ["c"]),
        ({"namespace": "n", "tags": {"plan": "pro"}}, ["c"]),
        ({"namespace": "n", "tags": {"plan": "free"}}, ["a"]),
        ({"namespace": "other", "tags": {"plan": "pro"}}, ["b", "a"]),
    ],
)
def test_the_first_segment_that_fits_counts(draw, fields, expected):
    assert order(draw(**fields)) == expected


def test_a_user_keeps_the_variant_over_episodes(draw):
    for user in map(str, range(30)):
        drawn = [draw(tags={"user": user}) for _ in range(5)]
        assert len({each.assigned for each in drawn}) == 1
        assert {each.unit for each in drawn} == {user}
        assert drawn[0].probability == 0.5
    assert {draw(tags={"user": str(user)}).assigned for user in range(30)} == {"a", "b"}


def test_a_request_without_the_tag_is_drawn_by_its_episode(draw):
    drawn = draw()
    assert drawn.unit not in ("", "user") and {draw().assigned for _ in range(40)} == {"a", "b"}


def test_the_record_has_the_unit(line):
    it = line(TOML, said())
    assert content(it.infer(tags={"user": "u7"}))
    assert (it.row.unit, it.row.assigned_variant, it.row.probability) == ("u7", it.row.variant_name, 0.5)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('candidate_variants = ["c"]', 'candidate_variants = ["x"]', "segments[0].candidate_variants[0]"),
        ('tags = { plan = "pro" }', "tags = {}", "segments[1].tags"),
        ('fallback_variants = ["a"]', 'fallback_variants = ["x"]', "segments[1].fallback_variants[0]"),
        ("{ b = 1 }\nf", "{ b = 0 }\nf", "segments[1].candidate_variants"),
    ],
)
def test_mistakes_in_segments_are_told(line, old, new, problem):
    with pytest.raises(ConfigError) as caught:
        line(TOML.replace(old, new, 1))
    assert problem in caught.value.message


@pytest.mark.parametrize(
    ("variants", "experiment", "namespace", "expected"),
    [
        (("a", "b", "c"), EXPERIMENT, None, {"a": 0.5, "b": 0.5, "c": 0.0}),
        (("a", "b", "c"), EXPERIMENT, "n", {"a": 1.0, "b": 0.0, "c": 0.0}),
        (("a", "b", "c"), EXPERIMENT, "unknown", {"a": 0.5, "b": 0.5, "c": 0.0}),
        (("a",), "", None, {"a": 1.0}),
        (
            ("a", "b"),
            '[functions.f.experimentation]\ntype = "static"\ncandidate_variants = {}\nfallback_variants = ["b", "a"]\n',
            None,
            {"a": 0.0, "b": 1.0},
        ),
    ],
)
def test_the_chances_are_those_that_draws_come_with(line, variants, experiment, namespace, expected):
    engine = line(model() + function(*map(variant, variants)) + experiment).engine
    found = chances(engine.compiler.function("f"), namespace)
    assert found == expected
    for _ in range(20):
        draw = resolve(engine, request(namespace=namespace), Caller(), monotonic()).draw
        assert draw.probability == found[draw.assigned] > 0
