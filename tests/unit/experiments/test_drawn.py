"""How inferences came to their variants."""

import pytest
from tests.support.experiments import imported, outcome

from calibrant.config.load import load
from calibrant.experiments.drawn import configured_shares, drawn_rows, may_be_drawn


@pytest.fixture
def function(tmp_path):
    """A function whose experiment is written as TOML."""

    def build(experimentation="", names=("a", "b", "c")):
        file = tmp_path / "calibrant.toml"
        variants = "".join(
            f'[functions.f.variants.{name}]\ntype = "chat_completion"\nmodel = "openai::m"\n' for name in names
        )
        file.write_text(f'[functions.f]\ntype = "chat"\n{variants}{experimentation}')
        return load(str(file), environ={"OPENAI_API_KEY": "k"}).functions["f"]

    return build


WEIGHTS = '[functions.f.experimentation]\ntype = "static"\ncandidate_variants = { a = 0.9, b = 0.1 }\n'


def only(row, shares=lambda namespace: {}):
    (drawn,) = drawn_rows([row], shares)
    return drawn


def test_what_was_drawn_counts_for_the_drawn_variant_whoever_served():
    drawn = only(outcome(1, "e", "a", chance=0.25, served="b", unit="user 7", namespace="n"))
    assert (drawn.variant_name, drawn.chance, drawn.unit, drawn.phase) == ("a", 0.25, "user 7", ("s", "n"))
    assert drawn.known_from == "record"


def test_what_was_asked_for_was_not_drawn():
    drawn = only(outcome(1, "e", "a", chance=None), lambda namespace: {"a": 1.0})
    assert (drawn.variant_name, drawn.chance, drawn.known_from) == ("a", None, "caller")


def test_of_what_was_imported_the_configuration_is_asked():
    shares = {None: {"a": 0.9, "b": 0.1}, "n": {"b": 1.0}}.__getitem__
    assert (only(imported(1, "e", "b"), shares).chance, only(imported(1, "e", "b", "n"), shares).chance) == (0.1, 1.0)
    assert only(imported(1, "e", "b"), shares).known_from == "configuration"
    drawn = only(imported(1, "e", "c"), shares)
    assert (drawn.variant_name, drawn.chance, drawn.known_from, drawn.unit) == ("c", None, "nobody", "e")


def test_the_configuration_says_what_it_knows(function):
    found = function(WEIGHTS)
    assert configured_shares(found)(None) == pytest.approx({"a": 0.9, "b": 0.1})
    assert [may_be_drawn(found, name) for name in ("a", "b", "c", "gone")] == [True, True, False, False]
    assert configured_shares(None)(None) == {} and may_be_drawn(None, "a")
    assert configured_shares(function())(None) == pytest.approx(dict.fromkeys("abc", 1 / 3))
    assert configured_shares(function(names=("a",)))("n") == {"a": 1.0}


def test_a_namespace_has_shares_of_its_own(function):
    own = '[functions.f.experimentation.namespaces.n]\ntype = "static"\ncandidate_variants = { c = 1.0 }\n'
    found = function(WEIGHTS + own)
    assert configured_shares(found)("n") == {"c": 1.0}
    assert configured_shares(found)("other") == pytest.approx({"a": 0.9, "b": 0.1})
    assert may_be_drawn(found, "c")


def test_of_segments_it_cannot_tell_which_one_a_request_was_of(function):
    segment = '[[functions.f.experimentation.segments]]\ntags = { tier = "x" }\ncandidate_variants = { c = 1.0 }\n'
    found = function(WEIGHTS + segment)
    assert configured_shares(found)(None) == {}
    assert may_be_drawn(found, "c") and may_be_drawn(found, "a")


def test_without_candidates_the_first_fallback_serves(function):
    found = function('[functions.f.experimentation]\ntype = "uniform"\nfallback_variants = ["b", "a"]\n')
    assert configured_shares(found)(None) == {"b": 1.0}
